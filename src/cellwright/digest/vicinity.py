"""Vicinity of an incident: its elements, which of them are linked, and what without an alarm lies between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cellwright.digest.alarms import graver
from cellwright.digest.correlate_topology import Topology

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cellwright.digest.alarms import Alarm

_MOST_QUIET: Final = 8


@dataclass(frozen=True, slots=True)
class Node:
    """An element of a vicinity: its alarms with those of all objects in it, 0 for one that only lies between others."""

    name: str
    alarms: int
    severity: str | None  # the gravest
    is_unknown: bool  # a topology was given, and it lacks the element


@dataclass(frozen=True, slots=True)
class Vicinity:
    """The elements of an incident in the order of their first alarm, and links between them by position."""

    nodes: tuple[Node, ...]
    links: tuple[tuple[int, int], ...]  # the lower position first
    root: int | None  # position of the probable root
    told_by: Literal["topology", "names"]  # what the links rest on


def vicinity(alarms: Sequence[Alarm], topology: Topology | None, root: str | None) -> Vicinity:
    """Return the elements that alarms lie in, and the links that a topology declares between them.

    Without one, links are those that names tell: an end point, or a port that is named after another element. `root` is
    the distinguished name of the probable root.
    """
    known = topology or _named(alarms)
    grouped: dict[str, list[Alarm]] = {}
    facing: set[tuple[str, str]] = set()
    for alarm in alarms:
        place = known.place(alarm.element)
        grouped.setdefault(place.owner, []).append(alarm)
        if place.facing and place.facing != place.owner:
            facing.add((place.owner, place.facing))
    near = _neighbours(grouped, known, facing)
    names = (*grouped, *_between(tuple(grouped), near))
    at = {name: position for position, name in enumerate(names)}
    links = {_ordered(at[one], at[other]) for one in names for other in near.get(one, ()) if other in at}
    nodes = tuple(_node(name, grouped.get(name, ()), topology) for name in names)
    owner = None if root is None else at.get(known.place(root).owner)
    return Vicinity(nodes, tuple(sorted(links)), owner, "names" if topology is None else "topology")


def _named(alarms: Iterable[Alarm]) -> Topology:
    """Return a topology without links of the elements in alarm, by which names of objects tell what they face."""
    nothing = Topology.of(())
    names = {nothing.place(alarm.element).owner for alarm in alarms}
    return Topology.of((name, name) for name in names)


def _node(name: str, alarms: Sequence[Alarm], topology: Topology | None) -> Node:
    unknown = topology is not None and name not in topology.neighbours
    return Node(name, len(alarms), graver(alarm.severity for alarm in alarms), unknown)


def _neighbours(
    grouped: Iterable[str], known: Topology, facing: Iterable[tuple[str, str]]
) -> Mapping[str, frozenset[str]]:
    """Return what is beside each element in alarm, by declaration or by name."""
    near: dict[str, set[str]] = {name: set(known.neighbours.get(name, ())) for name in grouped}
    for owner, other in facing:
        near[owner].add(other)
        if other in near:
            near[other].add(owner)
    return {name: frozenset(others) for name, others in near.items()}


def _between(names: Sequence[str], near: Mapping[str, frozenset[str]]) -> list[str]:
    """Return elements without an alarm that join elements which nothing in alarm joins: most first, eight at most."""
    group = {name: name for name in names}

    def top(name: str) -> str:
        while group[name] != name:
            group[name] = group[group[name]]
            name = group[name]
        return name

    beside: dict[str, list[str]] = {}
    for name in names:
        for other in near[name]:
            if other in group:
                group[top(name)] = top(other)
            else:
                beside.setdefault(other, []).append(name)
    found: list[str] = []
    for quiet in sorted(beside, key=lambda name: (-len({top(each) for each in beside[name]}), name)):
        ends = {top(each) for each in beside[quiet]}
        if len(ends) > 1 and len(found) < _MOST_QUIET:
            found.append(quiet)
            for end in ends:
                group[end] = min(ends)
    return found


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
