from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from alarm_tables import TABLES_OF_ROWS, alarm_table, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.compose import BUDGET_TOKENS, digest_incident
from cellwright.digest.correlate import MOST_ALARMS
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.storms import STORM_MAX_TOKENS, STORM_MIN_TOKENS, cut, incidents, is_storm
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter

COUNT = EstimatingCounter()


@dataclass(frozen=True)
class Weight:
    ves_tokens: int


def spans(rows: list[dict[str, object]]) -> list[list[int]]:
    return [[alarm.ordinal for alarm in each.alarms] for each in incidents(alarm_table(rows), COUNT)]


def test_a_gap_over_fifteen_minutes_ends_an_incident() -> None:
    assert spans([simple(second, "a", "x") for second in (0, 900, 1800.000001, 1801)]) == [[0, 1], [2, 3]]


def test_incidents_never_mix_sources_or_tenants() -> None:
    rows = [
        simple(0, "a", "x", source="south"),
        simple(1, "a", "x", source="north"),
        simple(2, "a", "x", source="north", tenant="other"),
        simple(3, "a", "x", source="south"),
    ]
    assert spans(rows) == [[1], [0, 3], [2]]


def test_events_without_an_instant_are_an_incident_of_their_own() -> None:
    assert spans([simple(0, "a", "x"), {"object_dn": "b"}, simple(2, "a", "x"), {"object_dn": "c"}]) == [[0, 2], [1, 3]]


def test_the_instant_of_raising_stands_in_for_a_missing_event_instant() -> None:
    rows = [simple(5, "a", "x"), {"raised_ts": simple(1, "a", "x")["event_ts"]}]
    assert spans(rows) == [[1, 0]]


def test_a_burst_is_cut_at_the_widest_gap_that_leaves_a_storm() -> None:
    second = 1_000_000
    instants = [0, 50 * second, 51 * second, 60 * second, 61 * second, 70 * second, 71 * second]
    assert cut(instants, [5_000] * 7, 0, most=25_000) == [(0, 5), (5, 7)]


def test_the_latest_of_equal_gaps_is_the_cut() -> None:
    assert cut([0, 1, 2, 3, 4, 5], [5_000] * 6, 0, most=25_000) == [(0, 5), (5, 6)]


def test_a_burst_without_room_for_a_storm_is_cut_before_the_event_that_does_not_fit() -> None:
    assert cut([0, 1, 2], [9_000, 20_000, 30_000], 0, most=25_000) == [(0, 1), (1, 2), (2, 3)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9_000)), max_size=60))
def test_cuts_partition_a_burst_into_storms_and_a_rest(events: list[tuple[int, int]]) -> None:
    instants = [sum(gap for gap, _ in events[: place + 1]) for place in range(len(events))]
    tokens = [size for _, size in events]
    pieces = cut(instants, tokens, 12, most=STORM_MAX_TOKENS)
    sizes = [12 + sum(tokens[start:end]) for start, end in pieces]
    assert [place for start, end in pieces for place in range(start, end)] == list(range(len(events)))
    assert all(STORM_MIN_TOKENS <= size <= STORM_MAX_TOKENS for size in sizes[:-1])
    assert all(size <= STORM_MAX_TOKENS for size in sizes)


@given(TABLES_OF_ROWS)
def test_incidents_partition_the_table(table: object) -> None:
    seen = Counter(alarm.ordinal for each in incidents(table, COUNT) for alarm in each.alarms)
    assert seen == Counter(range(table.num_rows))


@given(TABLES_OF_ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(table: object, random: object) -> None:
    order = list(range(table.num_rows))
    random.shuffle(order)
    assert list(incidents(table.take(order), COUNT)) == list(incidents(table, COUNT))


def test_a_storm_is_of_15000_tokens_or_more() -> None:
    assert [is_storm(Weight(size)) for size in (14_999, 15_000, 25_001)] == [False, True, True]


def test_what_a_topology_joined_stays_whole_and_what_only_time_joined_is_cut_at_a_storm() -> None:
    spokes = [f"gnb-{number}" for number in range(400)]
    rows = [simple(0, "hub", "LOS"), *(simple(1 + place / 10, name, "DOWN") for place, name in enumerate(spokes))]
    beside = Surroundings(Topology.of(("hub", name) for name in spokes))
    assert len(list(incidents(alarm_table(rows), COUNT))) > 1
    (whole,) = incidents(alarm_table(rows), COUNT, beside)
    digest = digest_incident(whole, count=COUNT, root="LOS")
    assert whole.ves_tokens > STORM_MAX_TOKENS
    assert decode(digest.text).pairs()[0] == ("hub", "LOS")
    assert len(decode(digest.text).pairs()) == 401
    assert all(COUNT.count(part) <= BUDGET_TOKENS for part in digest.parts)


def test_not_even_a_topology_keeps_more_than_5000_alarms_together() -> None:
    rows = [simple(place, "hub", f"x{place % 7}") for place in range(MOST_ALARMS + 10)]
    pieces = list(incidents(alarm_table(rows), COUNT, Surroundings(Topology.of([("hub", "gnb-1")]))))
    assert [len(each.alarms) for each in pieces] == [MOST_ALARMS, 10]


def test_what_floods_an_incident_is_named_in_every_piece_of_it() -> None:
    rows = [simple(place / 10, "a", "x") for place in range(900)] + [simple(3, "b", "y")]
    pieces = list(incidents(alarm_table(rows), COUNT))
    assert len(pieces) > 2
    first, *others = ([str(doubt) for doubt in each.doubts] for each in pieces)
    assert first == [f'{len(pieces[0].alarms) - 1} of {len(pieces[0].alarms)} alarms from one element "a"']
    assert others == [['900 of 901 alarms from one element "a"']] * len(others)
