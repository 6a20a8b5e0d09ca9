from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from alarm_tables import TABLES_OF_ROWS, alarm_table, at, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.alarms import Alarm, alarms_of, in_order
from cellwright.digest.correlate import LATENESS_US, MOST_ALARMS, Correlated, Correlator, correlated
from cellwright.digest.correlate_episodes import Lags, Surroundings
from cellwright.digest.correlate_topology import Topology

if TYPE_CHECKING:
    import random

CHAIN = Surroundings(Topology.of([(f"n{place}", f"n{place + 1}") for place in range(1, 8)]))
LAGS = Lags(
    frozenset({"power", "link", "cell"}),
    {("power", "link"): 2_000_000, ("link", "cell"): 60_000_000},
    {"power": frozenset({"link"}), "link": frozenset({"power"})},
)
SECOND = 1_000_000

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 6_000),
        st.sampled_from(["ManagedElement=n1", "n2", "ManagedElement=n3,EP_X=n5", "n5", "n7", "gone", "", None]),
        st.sampled_from(["power", "link", "cell", "odd"]),
    ),
    max_size=40,
)
SURROUNDINGS = st.sampled_from(
    [Surroundings(), CHAIN, Surroundings(lags=LAGS), Surroundings(CHAIN.topology, LAGS)],
)


def alarms(*events: tuple[float, str | None, str]) -> list[Alarm]:
    return alarms_of(alarm_table(simple(second, element, kind) for second, element, kind in events))


def contents(found: list[Correlated] | tuple[Correlated, ...]) -> list[list[int]]:
    return sorted([alarm.ordinal for alarm in each.alarms] for each in found)


def at_once(found: list[Alarm], surroundings: Surroundings) -> list[list[int]]:
    return contents(correlated(sorted(found, key=in_order), surroundings))


def pushed(found: list[Alarm], surroundings: Surroundings) -> list[list[int]]:
    correlator = Correlator(surroundings)
    for alarm in found:
        correlator.push(alarm)
    return contents(correlator.flush())


def streamed(found: list[Alarm], arrivals: list[int], surroundings: Surroundings) -> list[list[int]]:
    """Push the alarms in the order of their arrival, the clock moved to each."""
    correlator, closed = Correlator(surroundings), []
    for instant, alarm in sorted(zip(arrivals, found, strict=True), key=lambda each: each[0]):
        closed += correlator.advance(instant)
        correlator.push(alarm)
    return contents([*closed, *correlator.flush()])


@given(EVENTS, SURROUNDINGS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_within_the_lateness_makes_the_same_incidents(
    events: list[tuple[int, str | None, str]], surroundings: Surroundings, dice: random.Random
) -> None:
    found = alarms(*events)
    arrivals = [alarm.ts + dice.randint(0, LATENESS_US) for alarm in found]
    assert streamed(found, arrivals, surroundings) == at_once(found, surroundings)


@given(EVENTS, SURROUNDINGS, st.randoms(use_true_random=False))
def test_shuffling_a_recording_changes_nothing(
    events: list[tuple[int, str | None, str]], surroundings: Surroundings, dice: random.Random
) -> None:
    found = alarms(*events)
    mixed = dice.sample(found, len(found))
    assert pushed(mixed, surroundings) == at_once(found, surroundings)


@given(TABLES_OF_ROWS, SURROUNDINGS)
def test_every_alarm_is_in_one_incident_of_its_source(table: object, surroundings: Surroundings) -> None:
    correlator = Correlator(surroundings)
    for alarm in alarms_of(table):
        correlator.push(alarm)
    closed = correlator.flush()
    assert Counter(alarm.ordinal for each in closed for alarm in each.alarms) == Counter(range(table.num_rows))
    assert all(alarm.source == each.source for each in closed for alarm in each.alarms)


def test_a_late_alarm_joins_its_incident_and_can_make_two_one() -> None:
    correlator = Correlator(CHAIN)
    first, middle, last = alarms((0, "n1", "link"), (250, "n2", "link"), (500, "n1", "link"))
    correlator.push(first)
    correlator.push(last)
    assert correlator.advance(at(550)) == ()
    assert [each.number for each in correlator.updated()] == [1, 2]
    correlator.push(middle)
    assert [(each.number, len(each.alarms)) for each in correlator.updated()] == [(1, 3)]
    assert correlator.updated() == ()


def test_an_incident_closes_after_the_quiet_gap_and_the_lateness() -> None:
    correlator = Correlator(CHAIN)
    correlator.push(*alarms((0, "n1", "link")))
    assert correlator.advance(at(600)) == ()
    assert contents(correlator.advance(at(600) + 1)) == [[0]]
    assert correlator.flush() == ()


def test_a_storm_of_two_causes_splits_by_topology_and_by_learned_lags() -> None:
    both = alarms((0, "n1", "power"), (1, "n7", "odd"), (2, "n2", "link"), (3, "n6", "cell"), (4, "n1", "link"))
    assert at_once(both, Surroundings()) == [[0, 1, 2, 3, 4]]
    assert at_once(both, CHAIN) == [[0, 2, 4], [1, 3]]
    unrelated = alarms((0, "a", "power"), (1, "b", "cell"), (3, "c", "link"), (40, "d", "power"))
    assert at_once(unrelated, Surroundings(lags=LAGS)) == [[0, 1, 2, 3]]
    assert at_once([unrelated[0], unrelated[1]], Surroundings(lags=LAGS)) == [[0], [1]]


def test_objects_that_face_a_neighbour_belong_to_it_and_not_to_each_other() -> None:
    star = Surroundings(Topology.of([("amf-1", "gnb-1"), ("amf-1", "gnb-2")]))
    amf = "ManagedElement=amf-1"
    lost = alarms((0, f"{amf},EP_N2=gnb-1", "sctp"), (1, "ManagedElement=gnb-1,Cell=1", "cell"))
    assert at_once(lost, star) == [[0, 1]]
    two = alarms((0, f"{amf},EP_N2=gnb-1", "sctp"), (1, f"{amf},EP_N2=gnb-2", "sctp"))
    assert at_once(two, star) == [[0], [1]]
    common = alarms((0, f"{amf},EP_N2=gnb-1", "sctp"), (1, f"{amf},EP_N2=gnb-2", "sctp"), (2, amf, "overload"))
    assert at_once(common, star) == [[0, 1, 2]]
    port = alarms((0, "ManagedElement=gnb-1,Port=to-amf-1", "los"), (1, f"{amf},Port=to-gnb-1", "los"))
    assert at_once(port, star) == [[0, 1]]


def test_elements_that_the_topology_lacks_are_joined_by_type_and_name() -> None:
    half = Surroundings(Topology.of([("amf-1", "gnb-1")]))
    found = alarms(
        (0, "ManagedElement=gnb-1", "lost"),
        (10, "ManagedElement=gnb-2", "lost"),
        (20, "ManagedElement=amf-1,EP_N2=gnb-2", "sctp"),
        (30, "ManagedElement=gnb-3", "other"),
    )
    assert at_once(found, half) == [[0, 1, 2], [3]]


def test_what_no_topology_knows_is_joined_with_types_that_seldom_come_without_its_own() -> None:
    half = Surroundings(Topology.of([("amf-1", "gnb-1")]), LAGS)
    assert at_once(alarms((0, "rtr-9", "power"), (9, "gnb-1", "link")), half) == [[0, 1]]
    assert at_once(alarms((0, "gnb-1", "link"), (9, "rtr-9", "power"), (12, "rtr-8", "cell")), half) == [[0, 1], [2]]
    assert at_once(alarms((0, "rtr-9", "power"), (9, "gnb-1", "cell")), half) == [[0], [1]]
    assert at_once(alarms((0, "rtr-9", "power"), (31, "gnb-1", "link")), half) == [[0], [1]]
    assert at_once(alarms((0, "amf-1", "power"), (9, "gnb-1", "cell")), half) == [[0], [1]]


def test_without_topology_subnetworks_are_joined_within_five_minutes_only() -> None:
    found = alarms(
        (0, "SubNetwork=a,ManagedElement=1", "x"),
        (800, "SubNetwork=a,ManagedElement=2", "x"),
        (1101, "SubNetwork=b,ManagedElement=1", "x"),
    )
    assert at_once(found, Surroundings()) == [[0, 1], [2]]


def test_an_alarm_dated_into_the_future_closes_as_if_it_had_just_happened() -> None:
    correlator = Correlator(CHAIN)
    correlator.advance(at(0))
    correlator.push(*alarms((1_000_000, "n1", "link")))
    (closed,) = correlator.advance(at(601))
    assert closed.ahead == {("f0", 0)}
    assert correlator.advance(at(2_000_000)) == ()


def test_an_alarm_of_a_closed_time_is_told_as_late() -> None:
    correlator = Correlator(CHAIN)
    correlator.advance(at(10_000))
    correlator.push(*alarms((0, "n1", "link")))
    (closed,) = correlator.advance(at(10_001))
    assert closed.late == {("f0", 0)}


def test_a_flood_is_handed_out_in_pieces_and_loses_nothing() -> None:
    correlator, taken = Correlator(CHAIN), 0
    (alarm,) = alarms((0, "n1", "link"))
    for _ in range(2 * MOST_ALARMS + 3):
        correlator.push(alarm)
        taken += sum(len(each.alarms) for each in correlator.advance(at(1)))
    assert taken == 2 * MOST_ALARMS + 2
    assert len(correlator.flush()[0].alarms) == 1


@pytest.mark.parametrize("dn", ["", ",", "=", "ManagedElement=", "a,b=c,,d", "ManagedElement=n1,", "Port=to-"])
def test_no_name_is_too_odd_for_a_place(dn: str) -> None:
    assert isinstance(CHAIN.topology.place(dn).owner, str)
