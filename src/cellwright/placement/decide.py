"""Which dimension decided a placement and why, told from everything that is found against every site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellwright.placement.filters import PRECEDENCE
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.terrain import UNKNOWN_COST
from cellwright.placement.wording import money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.placement.terrain import Terrain

ELIMINATORS = PRECEDENCE[:-1]  # cost ranks, it eliminates nothing
_NONE = len(ELIMINATORS)
_RANK = {dimension: rank for rank, dimension in enumerate(ELIMINATORS)}


@dataclass(frozen=True, slots=True)
class Step:
    """What one dimension leaves over, and the cheapest site of what it leaves."""

    dimension: Dimension
    eliminated: int
    remaining: int
    best: int | None  # index into the terrain's sites


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a workload is where it is."""

    dimension: Dimension
    because: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Everything that is known of every site for one cohort in the end."""

    terrain: Terrain
    findings: tuple[Finding, ...]  # in order of precedence, over all sites
    prices: NDArray[np.float64]  # (n_sites,) per hour, unknown as UNKNOWN_COST, inf: no machine there
    chosen: int | None
    first: NDArray[np.int8]  # (n_sites,) the first of ELIMINATORS that eliminates each site; their number: none

    @classmethod
    def of(
        cls, terrain: Terrain, findings: tuple[Finding, ...], prices: NDArray[np.float64], chosen: int | None
    ) -> Verdicts:
        """Return the verdicts with what follows from the findings."""
        first = np.full(len(prices), _NONE, dtype=np.int8)
        for found in reversed(findings):
            np.putmask(first, found.at, _RANK[found.dimension])
        return cls(terrain, findings, prices, chosen, first)

    def would_do(self) -> NDArray[np.bool_]:
        """Return the sites that nothing stands against, but for the chosen one, (n_sites,)."""
        found: NDArray[np.bool_] = self.first == _NONE
        if self.chosen is not None:
            found[self.chosen] = False
        return found


def decide(verdicts: Verdicts) -> Decision:
    """Return which dimension decided: the last whose eliminations changed the cheapest site that was left."""
    first = verdicts.first
    before = _cheapest(verdicts.prices)
    steps = _steps(verdicts, before)
    if verdicts.chosen is None:
        return Decision(*_nowhere(verdicts, steps), steps)
    deciding, passed = None, before
    for step in steps:
        if step.best != before:
            deciding, passed, before = step, before, step.best
    if deciding is None:
        return Decision(Dimension.COST, _cheapest_of_all(verdicts, steps[-1], len(first)), steps)
    return Decision(deciding.dimension, _because(verdicts, deciding, passed, steps[-1]), steps)


def cost_findings(verdicts: Verdicts, per_hour: float | None) -> tuple[Finding, ...]:
    """Return why the sites that would do were not chosen: dearer than `per_hour`, as dear, or of unknown cost."""
    if verdicts.chosen is None:
        return ()
    terrain, prices = verdicts.terrain, verdicts.prices
    would_do = verdicts.would_do()
    known = prices < UNKNOWN_COST
    there = f"{terrain.names[verdicts.chosen]} ({money(per_hour, terrain.currency)})"
    equal = would_do & known & (prices == per_hour)
    lower = would_do & known & (prices < (UNKNOWN_COST if per_hour is None else per_hour))
    settled = (
        f"{{site}} would do for {{measured}} {terrain.currency}/h, but others are placed by where this one is: {there}"
    )
    higher = "{site} would do, but costs {measured} " + f"{terrain.currency}/h, more than {there}"
    return tuple(
        Finding(Dimension.COST, code, "cost", per_hour, f"{terrain.currency}/h", message, "price books", at, measured)
        for code, message, at, measured in (
            ("cost.equal", f"{{site}} would do and costs the same as {there}, which comes first", equal, prices),
            ("cost.higher", higher, would_do & known & ~equal & ~lower, prices),
            ("cost.settled", settled, lower, prices),
            (
                "cost.unknown",
                f"{{site}} would do, but its cost is unknown; {there} goes before it",
                would_do & ~known,
                None,
            ),
        )
        if at.any()
    )


def _nowhere(verdicts: Verdicts, steps: tuple[Step, ...]) -> tuple[Dimension, str]:
    """Return the dimension that eliminated the last site, and what was missing at the nearest miss."""
    last = next((step for step in steps if not step.remaining), steps[-1])
    terrain = verdicts.terrain
    if not terrain.sites:
        return last.dimension, "the estate has no sites"
    counts = ", ".join(f"{step.dimension} {step.eliminated}" for step in steps if step.eliminated)
    violations = sum((found.at.astype(np.int64) for found in verdicts.findings), np.zeros(len(terrain.sites), np.int64))
    nearest = int(violations.argmin())
    name = terrain.names[nearest]
    reasons = "; ".join(found.violation(nearest, name).message for found in verdicts.findings if found.at[nearest])
    return last.dimension, f"no site is left (eliminated: {counts}); nearest miss {name}: {reasons}"


def _cheapest_of_all(verdicts: Verdicts, last: Step, sites: int) -> str:
    """Return the sentence for a site that would be chosen even if nothing were forbidden."""
    gone = sites - last.remaining
    others = f"none of the {gone} eliminated sites would come before it" if gone else "no site was eliminated"
    return f"{_chosen(verdicts, last)}, and {others}"


def _because(verdicts: Verdicts, deciding: Step, passed: int | None, last: Step) -> str:
    """Return the sentence that names the site which was passed over, and what stood against it."""
    if passed is None:
        return _chosen(verdicts, last)
    name = verdicts.terrain.names[passed]
    against = (found for found in verdicts.findings if found.at[passed] and found.dimension is deciding.dimension)
    reason = next(found.violation(passed, name).message for found in against)
    return f"{_priced(verdicts, passed)} would come first, but {reason}; {_chosen(verdicts, last)}"


def _chosen(verdicts: Verdicts, last: Step) -> str:
    """Return what distinguishes the chosen site among those that are left."""
    chosen = _priced(verdicts, verdicts.chosen)
    if last.remaining <= 1:
        return f"{chosen} is the only feasible site"
    if last.best != verdicts.chosen:
        return f"{chosen} serves the whole plan best among {last.remaining} feasible sites"
    return f"{chosen} is the cheapest of {last.remaining} feasible sites"


def _priced(verdicts: Verdicts, site: int | None) -> str:
    """Return the name of a site and its cost."""
    if site is None:
        return "?"
    price = float(verdicts.prices[site])
    return (
        f"{verdicts.terrain.names[site]} ({money(price if price < UNKNOWN_COST else None, verdicts.terrain.currency)})"
    )


def _steps(verdicts: Verdicts, best: int | None) -> tuple[Step, ...]:
    """Return what each dimension leaves over, in order of precedence; `best` is the cheapest site of all."""
    steps, first = [], verdicts.first
    gone = np.bincount(first, minlength=_NONE + 1).tolist()
    left = len(first)
    for rank, dimension in enumerate(ELIMINATORS):
        left -= gone[rank]
        if best is not None and first[best] <= rank:
            best = _cheapest(np.where(first > rank, verdicts.prices, np.inf))
        steps.append(Step(dimension, gone[rank], left, best))
    return tuple(steps)


def _cheapest(prices: NDArray[np.float64]) -> int | None:
    """Return the cheapest site that can hold the workload at all; a site that cannot has no price to win with."""
    best = int(prices.argmin()) if len(prices) else 0
    return best if len(prices) and prices[best] < np.inf else None


def within(findings: Sequence[Finding], site: int, sites: int) -> tuple[Finding, ...]:
    """Return findings of one site alone as findings over all sites."""
    return tuple(_widened(found, site, sites) for found in findings)


def _widened(found: Finding, site: int, sites: int) -> Finding:
    at = np.zeros(sites, dtype=np.bool_)
    at[site] = found.at[0]
    detail = found.detail
    return Finding(
        found.dimension,
        found.code,
        found.subject,
        found.limit,
        found.unit,
        found.message,
        found.source,
        at,
        found.measured_at(0),
        (lambda _: detail(0)) if detail else None,
    )
