"""GML and GraphML: topologies whose nodes have coordinates, as the Internet Topology Zoo publishes them."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError
from cellwright.estate.model import Control, Location
from cellwright.inventory.columns import folded, recognise
from cellwright.inventory.complete import complete
from cellwright.inventory.findings import Findings
from cellwright.inventory.gml import read_gml
from cellwright.inventory.graph import Graph
from cellwright.inventory.graphml import read_graphml
from cellwright.inventory.model import FoundLink, FoundSite, Network, Role
from cellwright.inventory.names import plain
from cellwright.inventory.quantities import DURATION, LENGTH, RATE
from cellwright.inventory.tables import join
from cellwright.inventory.text import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.inventory.graph import GraphEdge, GraphNode
    from cellwright.inventory.model import Imported, Options, Source
    from cellwright.inventory.quantities import Measure

_HALF_CIRCLE: Final = 180.0
_PROLOGUE: Final = 200  # bytes in which an XML declaration ends
_BASE_RATE: Final = 1e6  # a bare number from here on is bit/s: nobody counts millions of Gbit/s
_MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {"bandwidth": RATE, "rtt": DURATION, "rtt_p99": DURATION, "length": LENGTH}
)
_OWN: Final = ("label", "name")
_NAMELESS: Final = "None"  # what the Topology Zoo writes for points that have no name
_DRAWN: Final = frozenset(("graphics", "x", "y"))


class Graphs:
    """Reads topologies: nodes become sites, edges links, round trips come from distance."""

    name = "graphml"
    reads = "a topology in GraphML or GML; round-trip times come from distance"

    def documents(self, texts: Sequence[Source], options: Options) -> Imported:
        """Return the documents of one topology."""
        topologies = [source for source in texts if source.role is Role.INVENTORY]
        if len(topologies) != 1:
            raise UsageError.of("one-topology", f"{len(topologies)} topologies are given", expected="one file")
        return complete(join(_network(topologies[0], options), texts, options), options)


def _network(source: Source, options: Options) -> Network:
    """Return all nodes and edges that can be read, also beside problems, so that all problems are told at once."""
    findings = Findings()
    graph = _graph(source, options, findings)
    sites = tuple(_site(node, options, findings) for node in graph.nodes.values())
    links = tuple(_link(edge, options, findings) for edge in graph.edges)
    return Network(sites, links, findings.diagnostics(), findings.remarks())


def _graph(source: Source, options: Options, findings: Findings) -> Graph:
    head = source.data[:_PROLOGUE].lstrip()
    if options.encoding is None and head.startswith(b"<?xml") and b"encoding" in head:
        return read_graphml(source.data, source.name, findings)  # XML says itself how it is encoded
    text = decode(source, options, findings)
    if text is None:
        return Graph()
    reader = read_graphml if text.lstrip()[:1] == "<" else read_gml
    return reader(text, source.name, findings)


def _site(node: GraphNode, options: Options, findings: Findings) -> FoundSite:
    facts: dict[str, str] = {}
    rest: dict[str, str] = {}
    for key, value in node.attributes.items():
        column = recognise("sites", key, options.columns)
        fact = column.fact if column else None
        if fact in {"lat", "lon", "country"} and fact not in facts:
            facts[fact] = value
        elif key.casefold() not in _OWN and folded(key) not in _DRAWN:
            rest[key] = value
    given = (node.attributes.get(key, "").strip() for key in (*_OWN, "Label", "Name"))
    name = next((each for each in given if each and each != _NAMELESS), f"node {node.id}")
    external = rest.get("Internal") == "0"
    if external:
        findings.assumed("control: provider, as the topology calls them external (Internal 0)", plain(name))
    return FoundSite(
        key=node.id,
        name=plain(name),
        mark=node.mark,
        location=_location(facts, node, findings),
        country=facts.get("country") or rest.get("geocode_country"),
        control=Control.PROVIDER if external else None,
        attributes=rest,
    )


def _location(facts: Mapping[str, str], node: GraphNode, findings: Findings) -> Location | None:
    """Return where a node is; None where it says nothing, or beside a problem."""
    if "lat" not in facts and "lon" not in facts:
        return None
    values = {}
    for fact, bound, word in (("lat", 90.0, "latitude"), ("lon", 180.0, "longitude")):
        text = facts.get(fact)
        try:
            value = float(text) if text is not None else math.nan
        except ValueError:
            value = math.nan
        if not -bound <= value <= bound:
            what = "is missing" if text is None else f"is {text[:40]!r}"
            message = f"the {word} of node {node.id} {what}"
            hint = "both coordinates, or neither" if text is None else None
            hint = "are latitude and longitude exchanged?" if bound < abs(value) <= _HALF_CIRCLE else hint
            expected = f"a number from {-bound:g} to {bound:g}"
            findings.problem("bad-coordinate", message, node.mark, expected=expected, hint=hint)
        values[fact] = value
    sound = all(math.isfinite(value) for value in values.values())
    return Location(values["lat"], values["lon"]) if sound else None


def _link(edge: GraphEdge, options: Options, findings: Findings) -> FoundLink:
    found: dict[str, float] = {}
    for key, value in edge.attributes.items():
        column = recognise("links", key, options.columns)
        if column is None or column.fact not in _MEASURES or key == "LinkSpeed":
            continue
        try:
            found.setdefault(column.fact, _MEASURES[column.fact].parse(value, column.unit))
        except ValueError:
            bare = _number(value)
            if column.fact == "bandwidth" and bare >= _BASE_RATE:
                found.setdefault("bandwidth", bare * 1e-9)
            else:
                findings.skipped(f"values of {key!r} without a unit", f"line {edge.mark.line}: {plain(value)}")
    rate = _zoo_rate(edge.attributes) or found.get("bandwidth")
    return FoundLink(
        a=edge.source,
        b=edge.target,
        mark=edge.mark,
        rtt_p50_ms=found.get("rtt") or None,
        rtt_p99_ms=found.get("rtt_p99") or None if found.get("rtt") else None,
        bandwidth_gbps=rate or None,
        length_km=found.get("length"),
    )


def _zoo_rate(attributes: Mapping[str, str]) -> float | None:
    """Return Gbit/s from LinkSpeedRaw (bit/s), or LinkSpeed with LinkSpeedUnits, as the Topology Zoo writes them."""
    raw = _number(attributes.get("LinkSpeedRaw", ""))
    if raw > 0:
        return raw * 1e-9
    speed, unit = attributes.get("LinkSpeed"), attributes.get("LinkSpeedUnits") or None
    try:
        return RATE.parse(speed, unit) if speed else None
    except ValueError:
        return None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


INVENTORY: Final = Graphs()
