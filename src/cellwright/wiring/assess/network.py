"""Sites and links of a first estate: what an operator names, with assumed machines and round trips from distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import (
    Arch,
    Control,
    Gpus,
    Link,
    Location,
    Node,
    OnCall,
    Operations,
    Site,
    Tier,
)
from cellwright.inventory.distance import great_circle_km, link_rtt_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SKILLS: Final = ("data-engineering", "ml-operations", "model-optimisation")
P99_FACTOR: Final = 1.5  # P99 over P50 of a link that nobody has measured: an assumption, as in an import
_HOPS: Final = 2.0  # of a star: site, hub, site
_ASSUMED: Final = frozenset({("machines", "assumed")})
_OUTSIDE: Final = frozenset({Tier.REGION, Tier.METRO})


def _node(name: str, count: int, cores: int, memory_gib: float, gpus: Gpus | None = None) -> Node:
    return Node(name, count, Arch.X86_64, cores, memory_gib, gpus, unified_memory=False)


_GENERAL: Final = _node("general", 4, 64, 256)
KITS: Final[Mapping[str, tuple[Node, ...]]] = {
    "none": (),
    "cpu": (_GENERAL,),
    "small": (_GENERAL, _node("l4", 2, 32, 128, Gpus("L4", 1, 24))),
    "medium": (_GENERAL, _node("l40s", 2, 64, 512, Gpus("L40S", 4, 48))),
    "large": (_GENERAL, _node("h100", 2, 192, 2048, Gpus("H100", 8, 80))),
}
"""Machines that an answer stands for: assumptions of a plausible size, to be replaced by an import."""

TIER_KITS: Final[Mapping[Tier, tuple[Node, ...]]] = {
    Tier.REGION: (
        _node("general", 40, 96, 384),
        _node("l40s", 8, 96, 768, Gpus("L40S", 4, 48)),
        _node("h100", 16, 192, 2048, Gpus("H100", 8, 80)),
    ),
    Tier.METRO: (_node("general", 8, 64, 256), _node("l40s", 6, 64, 512, Gpus("L40S", 4, 48))),
    Tier.AI_FACTORY: (_node("general", 8, 96, 384), _node("h200", 8, 192, 2048, Gpus("H200", 8, 141))),
    Tier.ONPREM: KITS["medium"],
    Tier.FAR_EDGE: KITS["small"],
}


@dataclass(frozen=True, slots=True)
class Team:
    """What the operator's own people can do at its sites."""

    managed: bool
    skills: tuple[str, ...]
    on_call: OnCall


def site(name: str, tier: Tier, country: str, location: Location, nodes: tuple[Node, ...]) -> Site:
    """Return a site; who controls and looks after it follows from its tier until `staffed` says otherwise."""
    provided = tier in _OUTSIDE
    return Site(
        name=name,
        tier=tier,
        jurisdiction=country,
        control=Control.PROVIDER if provided else Control.OPERATOR,
        isolated=False,
        location=location,
        operations=Operations(managed=True, skills=frozenset(SKILLS), on_call=OnCall.ALWAYS),
        nodes=nodes,
        labels=_ASSUMED,
    )


def staffed(found: Site, team: Team) -> Site:
    """Return a site with the operator's own team where the operator runs the machines itself."""
    if found.tier in {Tier.REGION, Tier.METRO, Tier.AI_FACTORY}:
        return found
    return replace(found, operations=Operations(team.managed, frozenset(team.skills), team.on_call))


def equipped(sites: Sequence[Site]) -> tuple[Site, ...]:
    """Return sites of which those without machines have what is assumed for their tier."""
    return tuple(
        found if found.nodes else replace(found, nodes=TIER_KITS[found.tier], labels=found.labels | _ASSUMED)
        for found in sites
    )


def estimated(a: Site, b: Site, gbps: float) -> Link:
    """Return a link whose round trips are reckoned from distance."""
    p50 = link_rtt_ms(great_circle_km(a.location, b.location), _HOPS)
    return Link(link_name(a, b), a.name, b.name, round(p50, 3), round(p50 * P99_FACTOR, 3), gbps, estimated=True)


def link_name(a: Site, b: Site) -> str:
    """Return the name of a link, as documents take it."""
    return f"{a.name}-{b.name}"[:63].rstrip("-")
