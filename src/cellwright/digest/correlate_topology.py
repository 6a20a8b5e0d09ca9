"""Topology for correlation: which network elements are adjacent, and where in it a distinguished name lies."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.errors import Diagnostic, Mark, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.estate.model import Estate

_MOST_PROBLEMS: Final = 20  # of one file that are told
_MOST_NAMES: Final = 200_000  # of which the places are remembered; beyond, all are looked up anew
_SIGN: Final = re.compile(r"[-_/:.]")
_ELEMENT: Final = "ManagedElement="
_SUBNETWORK: Final = "SubNetwork="
_END_POINT: Final = "EP_"  # begins the class of an end point of a reference point (TS 28.622 clause 4.3.14)


class Place(NamedTuple):
    """An element of the topology, and the neighbour that an object of it faces: an end point, a port towards it."""

    owner: str
    facing: str = ""


@dataclass(frozen=True, slots=True)
class Topology:
    """Undirected adjacency by element name; a name is a distinguished name, an RDN of one, or the value of an RDN."""

    neighbours: Mapping[str, frozenset[str]]
    _places: dict[str, Place] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Topology:
        """Return the topology of adjacent pairs; a pair of one name declares an element without neighbours by it."""
        neighbours: dict[str, set[str]] = {}
        for one, other in pairs:
            neighbours.setdefault(one, set()).add(other)
            neighbours.setdefault(other, set()).add(one)
        return cls({name: frozenset(near - {name}) for name, near in neighbours.items()})

    def place(self, dn: str) -> Place:
        """Return where an object lies; an element that the topology lacks is a place of its own, beside nothing."""
        place = self._places.get(dn)
        if place is None:
            if len(self._places) >= _MOST_NAMES:
                self._places.clear()
            place = self._places[dn] = self._find(dn)
        return place

    def lacks(self, place: Place) -> bool:
        """Return whether the topology lacks the element of a place."""
        return place.owner not in self.neighbours

    def _find(self, dn: str) -> Place:
        """Return the outermost element that the name contains (TS 32.300 clause 7), and a further one it mentions."""
        if dn in self.neighbours:
            return Place(dn)
        owner = ""
        rdns = dn.split(",")
        for depth, rdn in enumerate(rdns, start=1):
            prefix, value = ",".join(rdns[:depth]), rdn.partition("=")[2]
            found = prefix if prefix in self.neighbours else self._known(rdn)
            if not owner:
                owner = found or (value if rdn.startswith(_ELEMENT) else "")
            elif owner not in self.neighbours and found and found in {prefix, rdn}:
                owner = found  # a part of an element that the topology lacks
            elif found != owner and (found or rdn.startswith(_END_POINT)):
                return Place(owner, found or value)
        return Place(owner) if owner else _unknown(rdns)

    def _known(self, rdn: str) -> str:
        """Return the element that an RDN is or ends in after a sign, `Port=to-router-1`; a bare number names none."""
        if rdn in self.neighbours:
            return rdn
        value = rdn.partition("=")[2].strip()
        starts = (0, *(sign.end() for sign in _SIGN.finditer(value)))
        names = (value[start:] for start in starts)
        return next((name for name in names if name in self.neighbours and not name.isdigit()), "")


def _unknown(rdns: list[str]) -> Place:
    """Return the element that the first RDN names where none is known or a managed element, and what it faces."""
    end_point = next((rdn for rdn in rdns[1:] if rdn.startswith(_END_POINT)), "")
    return Place(rdns[0], end_point.partition("=")[2])


def estate_topology(estate: Estate) -> Topology:
    """Return the adjacency that an estate declares: its links between sites, and each node beside its site."""
    links = [(link.a, link.b) for link in estate.links.values()]
    nodes = [(site.name, node.name) for site in estate.sites.values() for node in site.nodes]
    return Topology.of([*((name, name) for name in estate.sites), *links, *nodes])


def pairs_topology(text: str, name: str) -> Topology:
    """Return the adjacency in a CSV of two columns, a pair of adjacent elements a line; the first line names columns.

    Lines that begin with # are remarks. Raises UsageError with every problem, each at its line of the file `name`.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if _says_something(line)]
    rows = [(number, [cell.strip() for cell in next(csv.reader([line]))]) for number, line in lines[1:]]
    problems = [
        Diagnostic(
            "bad-topology",
            f"{len(row)} columns, or one that is empty",
            Mark(name, number, 1),
            expected="two adjacent elements, such as gnb-1,router-7",
        )
        for number, row in rows
        if len(row) != 2 or not all(row)  # noqa: PLR2004 - a pair
    ]
    if problems or not rows:
        empty = Diagnostic("bad-topology", f"{name} names no pair of elements", expected="a header and a pair a line")
        raise UsageError(*(problems[:_MOST_PROBLEMS] or [empty]))
    return Topology.of((one, other) for _, (one, other) in rows)


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def subnetwork(dn: str) -> str:
    """Return the leading `SubNetwork=` RDNs of a distinguished name, empty where it has none (TS 32.300 clause 7)."""
    if not dn.startswith(_SUBNETWORK):
        return ""
    rdns = dn.split(",")
    last = next((place for place, rdn in enumerate(rdns) if not rdn.startswith(_SUBNETWORK)), len(rdns))
    return ",".join(rdns[:last])
