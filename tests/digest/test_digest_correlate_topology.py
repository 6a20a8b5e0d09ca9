from __future__ import annotations

import pytest

from cellwright.digest.correlate_clock import AlarmClock
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.correlate_topology import Place, Topology, pairs_topology, subnetwork
from cellwright.errors import UsageError

SECOND = 1_000_000
HOUR = 3_600 * SECOND
TOPOLOGY = Topology.of([("amf-1", "gnb-1"), ("gnb-1", "rtr-7"), ("Device=4", "Device=5"), ("7", "8")])


@pytest.mark.parametrize(
    ("dn", "place"),
    [
        ("gnb-1", Place("gnb-1")),
        ("SubNetwork=1,ManagedElement=gnb-1,GNBDUFunction=1,NRCellDU=7", Place("gnb-1")),
        ("ManagedElement=amf-1,EP_N2=gnb-1", Place("amf-1", "gnb-1")),
        ("ManagedElement=amf-1,EP_N2=gnb-99", Place("amf-1", "gnb-99")),
        ("ManagedElement=gnb-1,Port=to-rtr-7", Place("gnb-1", "rtr-7")),
        ("Device=4", Place("Device=4")),
        ("ManagedElement=gnb-99,NRCellDU=1", Place("gnb-99")),
        ("ManagedElement=amf-9,EP_N2=gnb-99", Place("amf-9", "gnb-99")),
        ("ManagedElement=gnb-99,Port=to-rtr-7", Place("gnb-99", "rtr-7")),
        ("ManagedElement=amf-9,EP_N2=gnb-1", Place("amf-9", "gnb-1")),
        ("ManagedElement=gnb-99,Device=4,Port=1", Place("Device=4")),
        ("nobody", Place("nobody")),
    ],
)
def test_a_name_lies_at_the_outermost_element_it_contains_facing_another_it_mentions(dn: str, place: Place) -> None:
    assert TOPOLOGY.place(dn) == place


def test_subnetworks_are_the_leading_rdns() -> None:
    assert subnetwork("SubNetwork=1,SubNetwork=2,ManagedElement=3") == "SubNetwork=1,SubNetwork=2"
    assert subnetwork("ManagedElement=3,SubNetwork=1") == ""
    assert subnetwork("SubNetwork=1") == "SubNetwork=1"


def test_a_table_of_pairs_is_read_below_its_header() -> None:
    text = 'element,neighbour\r\n# remark\n\ngnb-1, rtr-7\n"a,b",c\n'
    assert pairs_topology(text, "t.csv").neighbours == {
        "gnb-1": {"rtr-7"},
        "rtr-7": {"gnb-1"},
        "a,b": {"c"},
        "c": {"a,b"},
    }


def test_every_line_that_is_no_pair_is_told_with_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        pairs_topology("a,b\nx\nx,y\nx,\n", "t.csv")
    assert [str(each.mark) for each in caught.value.diagnostics] == ["t.csv:2:1", "t.csv:4:1"]


def test_a_table_without_pairs_is_an_error() -> None:
    with pytest.raises(UsageError, match="no pair"):
        pairs_topology("a,b\n", "t.csv")


def test_time_is_that_of_the_alarms_and_runs_on_by_the_clock() -> None:
    clock = AlarmClock()
    assert clock.now(5) == 5
    assert clock.moved(HOUR, 3 * HOUR)
    assert clock.now(3 * HOUR + 7) == HOUR + 7
    assert not clock.moved(HOUR - SECOND, 3 * HOUR + 8)
    assert clock.now(3 * HOUR + 8) == HOUR + 8
    assert clock.moved(2 * HOUR, 3 * HOUR + 9)
    assert clock.now(3 * HOUR + 9) == 2 * HOUR


def test_an_alarm_dated_ahead_of_the_clock_moves_nothing() -> None:
    clock = AlarmClock()
    assert clock.moved(HOUR, HOUR)
    assert not clock.moved(9 * HOUR, HOUR)
    assert clock.now(HOUR) == HOUR


def test_what_faces_a_known_element_is_placed_though_the_topology_lacks_its_own() -> None:
    alone, facing = map(TOPOLOGY.place, ("ManagedElement=gnb-99,NRCellDU=1", "ManagedElement=gnb-99,Port=to-rtr-7"))
    assert TOPOLOGY.lacks(alone)
    assert TOPOLOGY.lacks(facing)
    assert [Surroundings(TOPOLOGY).lacks(place) for place in (alone, facing)] == [True, False]
