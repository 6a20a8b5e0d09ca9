"""Estates to draw, made by hand: sites of all tiers in a ring, data of all classes, one rule a boundary."""

from __future__ import annotations

import math
from datetime import date

from cellwright.estate.model import (
    Arch,
    Boundary,
    Consumption,
    Control,
    Dataset,
    Demand,
    Effect,
    Estate,
    LatencyTarget,
    Link,
    Location,
    OnCall,
    Operations,
    Phase,
    Readiness,
    Regulation,
    SensitivityClass,
    Site,
    Tier,
    Workload,
)

TIERS = tuple(Tier)
CLASSES = tuple(SensitivityClass)
_RULES = (
    ("stays-home", Boundary.PREMISES, Effect.DENY, CLASSES[:3]),
    ("to-review", Boundary.PREMISES, Effect.REVIEW, CLASSES[3:5]),
    ("in-country", Boundary.COUNTRY, Effect.DENY, CLASSES[5:6]),
    ("free", Boundary.NONE, Effect.DENY, CLASSES[6:]),
)


def estate(sites: int, datasets: int = 8, countries: tuple[str, ...] = ("IT",), name: str = "site") -> Estate:
    """Return an estate whose sites are linked in a star; every second link is estimated."""
    places = {f"{name}-{index:05}": index for index in range(sites)}
    names = tuple(places)
    links = [
        Link(f"l-{index:05}", names[0], names[index], 2.0, 3.0, (1, 10, 100, 400)[index % 4], estimated=index % 2 == 1)
        for index in range(1, sites)
    ]
    data = [
        Dataset(f"data-{index:03}", CLASSES[index % len(CLASSES)], names[index % sites], 10.0, index % 5 == 0, ())
        for index in range(datasets if sites else 0)
    ]
    return Estate(
        sites={each: _site(each, index, countries) for each, index in places.items()},
        links={link.name: link for link in links},
        datasets={each.name: each for each in data},
        regulations={rule[0]: _rule(*rule, countries) for rule in _RULES},
        workloads={"reader": _reader(names[0], data)} if data else {},
        tenants={},
        price_books={},
    )


def _site(name: str, index: int, countries: tuple[str, ...]) -> Site:
    tier = TIERS[index % len(TIERS)]
    angle, radius = index * 2.399963, 3.0 * math.sqrt((index % 997) / 997)
    return Site(
        name=name,
        tier=tier,
        jurisdiction=countries[index % len(countries)],
        control=Control.OPERATOR if tier in {Tier.ONPREM, Tier.FAR_EDGE} else Control.PROVIDER,
        isolated=False,
        location=Location(43.0 + radius * math.sin(angle), 12.0 + radius * math.cos(angle)),
        operations=Operations(managed=True, skills=frozenset(), on_call=OnCall.ALWAYS),
        nodes=(),
    )


def _rule(
    name: str, boundary: Boundary, effect: Effect, classes: tuple[SensitivityClass, ...], countries: tuple[str, ...]
) -> Regulation:
    days = date(2026, 1, 1), date(2027, 1, 1)
    return Regulation(
        name, frozenset(countries), frozenset(classes), boundary, effect, frozenset(), "assumption", None, *days
    )


def _reader(users: str, data: list[Dataset]) -> Workload:
    return Workload(
        name="reader",
        phase=Phase.CONTEXT_CREATION,
        tenant="operator",
        description="",
        demand=Demand(1, 1.0, 0, 0.0, frozenset(Arch)),
        consumes=tuple(Consumption(each.name, 1.0, 3.6e6, 6e5) for each in data[:6]),
        latency=LatencyTarget(users, 50.0),
        service_p50_ms=1.0,
        service_p99_ms=2.0,
        readiness=Readiness(frozenset(), OnCall.NONE),
        calls=(),
    )
