from __future__ import annotations

from alarm_tables import alarm_table, simple

from cellwright.digest.alarms import alarms_of
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.vicinity import Vicinity, vicinity

TREE = Topology.of([("core", "agg-1"), ("core", "agg-2"), ("agg-1", "gnb-1"), ("agg-1", "gnb-2"), ("agg-2", "gnb-3")])


def found(elements: list[str], topology: Topology | None, root: str | None = None) -> Vicinity:
    rows = [simple(second, element, "x") for second, element in enumerate(elements)]
    return vicinity(alarms_of(alarm_table(rows)), topology, root)


def links(seen: Vicinity) -> set[frozenset[str]]:
    return {frozenset((seen.nodes[one].name, seen.nodes[other].name)) for one, other in seen.links}


def test_links_are_those_of_the_topology_between_elements_in_alarm() -> None:
    seen = found(
        ["agg-1", "ManagedElement=gnb-1,NRCellDU=2", "gnb-1", "gnb-2"], TREE, "ManagedElement=gnb-1,NRCellDU=2"
    )
    assert [(node.name, node.alarms) for node in seen.nodes] == [("agg-1", 1), ("gnb-1", 2), ("gnb-2", 1)]
    assert links(seen) == {frozenset(("agg-1", "gnb-1")), frozenset(("agg-1", "gnb-2"))}
    assert (seen.root, seen.told_by) == (1, "topology")


def test_what_without_an_alarm_joins_others_stands_between_them_and_nothing_else_does() -> None:
    seen = found(["gnb-1", "gnb-2", "gnb-3"], TREE)
    assert [(node.name, node.alarms) for node in seen.nodes[3:]] == [("agg-1", 0)]
    assert links(seen) == {frozenset(("agg-1", "gnb-1")), frozenset(("agg-1", "gnb-2"))}
    assert found(["gnb-1", "agg-1", "gnb-2"], TREE).nodes[3:] == ()


def test_elements_that_the_topology_lacks_are_said_to_be_unknown() -> None:
    seen = found(["agg-1", "ManagedElement=stranger,Port=1"], TREE)
    assert [(node.name, node.is_unknown) for node in seen.nodes] == [("agg-1", False), ("stranger", True)]


def test_without_a_topology_the_names_of_ports_and_end_points_tell_links() -> None:
    seen = found(["ManagedElement=agg-1,Port=to-core", "ManagedElement=core", "ManagedElement=amf,EP_N2=agg-1"], None)
    assert links(seen) == {frozenset(("agg-1", "core")), frozenset(("amf", "agg-1"))}
    assert seen.told_by == "names"
    assert not any(node.is_unknown for node in seen.nodes)


def test_names_that_tell_nothing_have_no_links() -> None:
    assert found(["Device=4", "Device=5"], None).links == ()
