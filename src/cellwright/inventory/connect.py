"""Links between sites that exist: parallels become one, what nobody measured is reckoned from distance and marked."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from cellwright.errors import Severity, nearest
from cellwright.estate.model import Link
from cellwright.inventory.distance import fibre_rtt_ms, great_circle_km, link_rtt_ms, mean_hops
from cellwright.inventory.names import Names, plain
from cellwright.inventory.quantities import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.model import Location
    from cellwright.inventory.findings import Findings
    from cellwright.inventory.model import FoundLink, Options

_LIGHT_MS_PER_KM: Final = 2 / 299.792458  # there and back in vacuum
_HINTS: Final = 100  # unknown names for which the nearest is sought: each search compares all names

_Pair = tuple[str, str]


def connect(  # noqa: PLR0913, PLR0917 - names, places and how they were found are separate facts
    links: Sequence[FoundLink],
    names: Mapping[str, str],
    located: Mapping[str, Location],
    estimated: Mapping[str, str],
    options: Options,
    findings: Findings,
) -> tuple[Link, ...]:
    """Return one link for every connected pair, in the order of the source."""
    pairs = _pairs(links, names, located, findings)
    hops = _hops(pairs)
    given = Names("link")
    made = []
    for (a, b), parallel in pairs.items():
        found = _folded(parallel)
        name = given.give(found.name or f"{names[a]}-{names[b]}")
        if len(parallel) > 1:
            text = "parallel links became one: bandwidths added, the shortest round trip kept"
            findings.changed(text, f"{name} ({len(parallel)})")
        km = great_circle_km(located[a], located[b])
        p50 = _p50(found, km, hops, name, findings)
        p99 = found.rtt_p99_ms
        if p99 is None:
            findings.assumed(f"P99 of round trips: {options.p99_factor:g} x P50 (--p99-factor)", name)
            p99 = round(p50 * options.p99_factor, 3)
        if found.rtt_p50_ms is not None and a not in estimated and b not in estimated:
            _check_light(found, km, name, findings)
        if found.bandwidth_gbps is None:
            findings.assumed(f"bandwidth: {options.bandwidth_gbps:g} Gbit/s (--bandwidth)", name)
        made.append(
            Link(
                name=name,
                a=names[a],
                b=names[b],
                rtt_p50_ms=p50,
                rtt_p99_ms=max(p50, p99),
                bandwidth_gbps=rounded(found.bandwidth_gbps or options.bandwidth_gbps),
                estimated=found.estimated or found.rtt_p50_ms is None or found.rtt_p99_ms is None,
            )
        )
    return tuple(made)


def _pairs(
    links: Sequence[FoundLink], names: Mapping[str, str], located: Mapping[str, Location], findings: Findings
) -> dict[_Pair, list[FoundLink]]:
    """Return the links between two different sites by their keys, the first end as first seen."""
    pairs: dict[_Pair, list[FoundLink]] = {}
    hints = 0
    for link in links:
        unknown = [end for end in (link.a, link.b) if end not in names]
        for end in dict.fromkeys(unknown):
            hint = nearest(end, names) if hints < _HINTS else None
            hints += 1
            message = f"there is no site {plain(end)!r}"
            findings.problem("unknown-site", message, link.mark, expected="a site of this import", hint=hint)
        if unknown:
            continue
        if link.a == link.b:
            findings.skipped("links from a site to itself", names[link.a])
        elif link.a not in located or link.b not in located:
            findings.skipped("links to a site that was left out", f"{names[link.a]}-{names[link.b]}")
        else:
            key = (link.b, link.a) if (link.b, link.a) in pairs else (link.a, link.b)
            pairs.setdefault(key, []).append(link)
    return pairs


def _hops(pairs: Mapping[_Pair, object]) -> float:
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        neighbours[a].append(b)
        neighbours[b].append(a)
    return mean_hops(neighbours)


def _folded(parallel: Sequence[FoundLink]) -> FoundLink:
    """Return parallel links as one."""
    measured = [link for link in parallel if link.rtt_p50_ms is not None]
    best = min(measured or parallel, key=lambda link: (link.rtt_p50_ms or 0.0, link.length_km or 0.0))
    if len(parallel) == 1:
        return best
    rates = [link.bandwidth_gbps for link in parallel if link.bandwidth_gbps is not None]
    lengths = [link.length_km for link in parallel if link.length_km is not None]
    return type(best)(
        best.a,
        best.b,
        best.mark,
        best.name,
        best.rtt_p50_ms,
        best.rtt_p99_ms,
        sum(rates) if rates else None,
        min(lengths, default=None),
        best.estimated,
    )


def _p50(found: FoundLink, km: float, hops: float, name: str, findings: Findings) -> float:
    if found.rtt_p50_ms is not None:
        return found.rtt_p50_ms
    if found.length_km is not None:
        findings.assumed("round trip: from the length of the fibre (estimated: true)", name)
        return round(fibre_rtt_ms(max(found.length_km, km), hops), 3)
    findings.assumed("round trip: from the great-circle distance (estimated: true)", name)
    return round(link_rtt_ms(km, hops), 3)


def _check_light(found: FoundLink, km: float, name: str, findings: Findings) -> None:
    """Warn where a measured round trip is faster than light between the two places."""
    least = km * _LIGHT_MS_PER_KM
    if found.rtt_p50_ms is not None and found.rtt_p50_ms < least:
        findings.problem(
            "faster-than-light",
            f"{name}: {found.rtt_p50_ms:g} ms there and back over {km:.0f} km",
            found.mark,
            expected=f"at least {least:.2g} ms",
            hint="check the unit, whether it is one way only, and the coordinates of both sites",
            severity=Severity.WARNING,
        )
