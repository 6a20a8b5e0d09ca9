"""Hardware: a site needs a machine that would hold the workload if nobody else were on it, and a gang needs several.

Told of the machine that comes nearest. Sites that are equipped alike get their answer together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Spread
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.reckoned import Reckoned, narrowed
from cellwright.placement.shortage import catalogue, counts, empty_shortages, worded
from cellwright.placement.terrain import ALL_SITES
from cellwright.placement.upgrades import more_room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.estate.model import Site
    from cellwright.placement.changes import Change
    from cellwright.placement.plan import Violation
    from cellwright.placement.shape import Shape
    from cellwright.placement.shortage import Shortage
    from cellwright.placement.terrain import Case, Terrain

CODE: Final = "hardware."
NODES: Final = "hardware.nodes"
FABRIC: Final = "hardware.fabric"


def judge(case: Case) -> Iterator[Finding]:
    """Yield what the nearest machine of each site lacks, where a site has none, and where no fabric holds a gang."""
    answers, workload, shape = case.terrain.answers(), case.workload, case.variant.shape
    if (judge, shape) not in answers:
        answers[judge, shape] = tuple(_short(case.terrain, shape))
    found: tuple[Reckoned, ...] = answers[judge, shape]
    if workload.gang and workload.replicas.count > 1:
        question = judge, shape, workload.replicas.count, workload.spread
        if question not in answers:
            answers[question] = _unjoined(case)
        found = (*found, answers[question])
    yield from found if case.scope == ALL_SITES else (narrowed(each, case.scope) for each in found)


def _short(terrain: Terrain, shape: Shape) -> Iterator[Reckoned]:
    """Yield one finding for each resource that the nearest machine of some site lacks even when empty."""
    known = catalogue(terrain)
    size = len(known.examples)
    bare = known.kinds[:, 0] == size
    if bare.any():
        yield _bare(bare[known.outfit])
    found = empty_shortages(terrain, shape)
    short = counts(found, size)
    lacking = short[known.kinds].all(axis=1) & ~bare
    if not lacking.any():
        return
    places = short[known.kinds].argmin(axis=1)
    nearest = known.kinds[np.arange(len(places)), places]  # (n_outfits,) kind
    for each in found:
        at = np.append(each.short, False)[nearest] & lacking
        if at.any():
            yield _lacking(terrain, shape, each, nearest, at[known.outfit])


def _lacking(
    terrain: Terrain, shape: Shape, short: Shortage, nearest: NDArray[np.intp], at: NDArray[np.bool_]
) -> Reckoned:
    """Return where a resource is lacking; `nearest` (n_outfits,) are the kinds of machines that come nearest."""
    outfit = catalogue(terrain).outfit

    def reckon(site: int) -> float | str | None:
        measured: float | str | None = short.measured[nearest[outfit[site]]]
        return measured

    def detail(site: int) -> tuple[str, str]:
        name, machine = terrain.names[site], _machine(terrain, site, int(nearest[outfit[site]]))
        return worded(short, shape, reckon(site), f"{short.resource} at {name}: its nearest machine {machine}"), machine

    message = worded(short, shape, None, f"{short.resource} at {{site}}: its nearest machine")
    code = CODE + short.resource
    return Reckoned(
        dimension=Dimension.HARDWARE,
        code=code,
        subject=short.resource,
        limit=short.limit,
        unit=short.unit,
        message=message,
        source="site nodes",
        at=at,
        detail=detail,
        reckon=reckon,
    )


def _machine(terrain: Terrain, site: int, kind: int) -> str:
    """Return the name of the first node of a kind at a site."""
    known, pool = catalogue(terrain), terrain.machines
    span = pool.span(site)
    return min(pool.node(span.start + place).name for place in np.flatnonzero(known.kind[span] == kind).tolist())


def _bare(at: NDArray[np.bool_]) -> Reckoned:
    """Return that sites have no machines at all."""
    return Reckoned(
        dimension=Dimension.HARDWARE,
        code=NODES,
        subject="nodes",
        limit=1.0,
        unit="nodes",
        message="{site} has no machines",
        source="site nodes",
        at=at,
        reckon=lambda _: 0.0,
    )


def _unjoined(case: Case) -> Reckoned:
    """Return where machines could hold a replica, but neither one machine nor those of one fabric the whole gang."""
    terrain, shape, replicas = case.terrain, case.variant.shape, case.workload.replicas.count
    known, pool = catalogue(terrain), terrain.machines
    able = pool.able(shape)
    alone = case.workload.spread is not Spread.ANY
    copies = [
        0 if not able[machine] else 1 if alone else pool.copies(shape, machine) for machine in known.examples.tolist()
    ]
    most = np.zeros(len(terrain.sites), dtype=np.intp)
    for index, site in enumerate(terrain.sites):
        span = pool.span(index)
        held = np.array(copies, dtype=np.intp)[known.kind[span]]
        fabrics = [pool.node(machine).fabric for machine in range(span.start, span.stop)]
        joined = [int(held[[name == fabric for name in fabrics]].sum()) for fabric in {*fabrics} - {None}]
        most[index] = max([*joined, int(held.max(initial=0))]) if site.nodes else 0
    ready = np.zeros(len(terrain.sites), dtype=np.bool_)
    ready[pool.site_of[able]] = True
    return Reckoned(
        dimension=Dimension.HARDWARE,
        code=FABRIC,
        subject="fabric",
        limit=float(replicas),
        unit="replicas",
        message=f"the machines of one fabric at {{site}} hold {{measured}} replicas, the gang has {replicas}",
        source="site nodes",
        at=ready & (most < replicas),
        reckon=lambda site: float(most[site]),
    )


def relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return what is missing in the nearest machine, or the further machine that would hold it."""
    return more_room(case, site, violation)


FILTER: Final = Filter(Dimension.HARDWARE, judge, relax)
