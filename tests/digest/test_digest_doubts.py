from __future__ import annotations

import pytest
from alarm_tables import alarm_table, at, simple

from cellwright.digest.compose import digest_incident
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter
from cellwright.errors import CellwrightError

COUNT = EstimatingCounter()


def doubts(rows: list[dict[str, object]], surroundings: Surroundings | None = None) -> list[str]:
    """Return what the digests of a table call doubtful, as their texts say it."""
    made = [digest_incident(each, count=COUNT) for each in incidents(alarm_table(rows), COUNT, surroundings)]
    told = [str(doubt) for digest in made for doubt in decode(digest.text).doubts]
    assert told == [doubt for digest in made for doubt in digest.doubts]
    return told


def test_what_is_in_order_raises_no_doubt() -> None:
    rows = [simple(0, "a", "x"), simple(1, "b", "x"), simple(2, "a", "x", perceived_severity="CLEARED")]
    assert doubts(rows) == []


def test_the_same_event_twice_is_a_duplicate() -> None:
    assert doubts([simple(0, "a", "x", alarm_id="1")] * 3) == ["2 duplicates"]


def test_a_clock_that_goes_back_is_told() -> None:
    rows = [simple(400, "a", "x"), simple(0, "a", "y"), simple(1, "b", "y", cleared_ts=at(-5))]
    assert doubts(rows) == ["2 clock jumps"]


def test_raised_again_without_a_clear_is_told_where_clears_are() -> None:
    again = [simple(0, "a", "x", alarm_id="1"), simple(60, "a", "x", alarm_id="2")]
    assert doubts(again) == []
    assert doubts([*again, simple(90, "b", "x", perceived_severity="CLEARED")]) == ["1 raised again without a clear"]


def test_alarms_without_element_or_instant_are_counted() -> None:
    assert doubts([{"specific_problem": "x"}]) == ["1 alarms without an element", "1 alarms without an instant"]


def test_elements_that_the_topology_lacks_are_counted() -> None:
    rows = [simple(0, "a", "x"), simple(1, "b", "x"), simple(2, "c", "x")]
    assert doubts(rows, Surroundings(Topology.of([("a", "z")]))) == ["2 of 3 elements unknown to the topology"]


def test_an_element_that_floods_is_named() -> None:
    rows = [simple(second, "a", "x") for second in range(50)] + [simple(3, "b", "y")]
    assert doubts(rows) == ['50 of 51 alarms from one element "a"']
    slow = [simple(second * 100, "a", "x") for second in range(50)] + [simple(3, "b", "y")]
    assert doubts(slow) == []


@pytest.mark.parametrize("line", ["doubtful: ", "doubtful: 3 miracles", "doubtful: 1 duplicates and more"])
def test_a_line_of_doubts_that_is_none_is_unreadable(line: str) -> None:
    text = digest_incident(next(iter(incidents(alarm_table([simple(0, "a", "x")]), COUNT))), count=COUNT).text
    title, legend, *types = text.split("\n")
    with pytest.raises(CellwrightError, match="doubtful"):
        decode("\n".join([title, legend, line, *types]))
