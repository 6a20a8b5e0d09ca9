"""What stands beside an incident's alarms is of its elements and its time, fits, and says what it leaves out."""

from __future__ import annotations

import pyarrow as pa
from alarm_tables import ORIGIN_US, alarm_table, at, simple

from cellwright.digest.beside import Beside, beside, element_of, scope_of
from cellwright.digest.compose import digest_incident
from cellwright.digest.counters import Break
from cellwright.digest.counters_text import decode_counters
from cellwright.digest.logs import LogLines, lines_of
from cellwright.digest.logs_text import decode_log
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter
from cellwright.lake.schema import TABLES

COUNT = EstimatingCounter()
NOTHING = lines_of(TABLES["logs"].empty_table())
MINUTE_US = 60_000_000


def broken(number: int, *, element: str = "SubNetwork=1,ManagedElement=g1,Cell=1", at_us: int = ORIGIN_US) -> Break:
    return Break(element, f"Counter{number}", at_us, 15 * MINUTE_US, 1, 100.0, 10.0, 50.0 - number)


def lines(count: int, body: str = "link {} failed with an error") -> LogLines:
    rows = [
        {"ts": ORIGIN_US + place, "body": body.format(place), "app": "rtrd", "file_id": "f", "ordinal": place}
        for place in range(count)
    ]
    schema = pa.schema([TABLES["logs"].field(name) for name in ("ts", "severity_number", "body", "app", "ordinal")])
    fields = [*schema, pa.field("file_id", pa.string())]
    return lines_of(pa.Table.from_pylist([{"severity_number": None, **row} for row in rows], schema=pa.schema(fields)))


def test_elements_are_those_that_names_lie_in() -> None:
    assert element_of("SubNetwork=1,ManagedElement=g1,GNBDUFunction=1,NRCellDU=2") == "g1"
    assert element_of("ManagedElement=g1") == element_of("g1") == "g1"


def test_a_break_belongs_to_an_incident_of_its_element_and_its_time() -> None:
    rows = [simple(0, "ManagedElement=g1,Cell=2", "DOWN"), simple(600, "ManagedElement=g1", "DOWN")]
    (incident,) = incidents(alarm_table(rows), COUNT)
    scope = scope_of(incident)
    assert scope.holds_break(broken(1))
    assert scope.holds_break(broken(1, at_us=ORIGIN_US - 14 * MINUTE_US))
    assert not scope.holds_break(broken(1, at_us=ORIGIN_US - 16 * MINUTE_US))
    assert not scope.holds_break(broken(1, at_us=at(601)))
    assert not scope.holds_break(broken(1, element="SubNetwork=1,ManagedElement=g2"))
    assert scope.log_span_us() == (ORIGIN_US - MINUTE_US, at(660))


def test_an_incident_without_instants_has_nothing_beside_it() -> None:
    (incident,) = incidents(alarm_table([{"object_dn": "g1", "specific_problem": "DOWN"}]), COUNT)
    assert not scope_of(incident).holds_break(broken(1, element="g1"))
    assert scope_of(incident).log_span_us() is None


def test_sections_fit_the_room_together_and_read_back_each() -> None:
    for room in (250, 600, 1500):
        found = beside([broken(number) for number in range(40)], lines(300), room=room, count=COUNT)
        assert 0 < found.tokens <= room
        _, counters, *logs = found.text.split("\n\n")
        assert decode_counters(counters).breaks == 40
        left = {each.what: each.count for each in found.left_out}
        assert left.get("counter breaks", 0) == decode_counters(counters).left_out
        if logs:
            assert decode_log(logs[0]).lines == 300
        else:
            assert left["told log lines"] == 300


def test_where_there_is_no_room_all_of_it_is_said_to_be_left_out() -> None:
    found = beside([broken(1)], lines(3), room=0, count=COUNT)
    assert (found.text, found.tokens) == ("", 0)
    assert {each.what: each.count for each in found.left_out} == {"counter breaks": 1, "told log lines": 3}
    assert beside([], NOTHING, room=500, count=COUNT) == Beside()


def test_the_digest_before_its_sections_reads_back_exactly() -> None:
    (incident,) = incidents(alarm_table([simple(0, "ManagedElement=g1", "DOWN")]), COUNT)
    digest = digest_incident(incident, count=COUNT)
    whole = digest.text + beside([broken(1)], lines(5), room=900, count=COUNT).text
    assert decode(whole.partition("\n\n")[0]) == decode(digest.text)
