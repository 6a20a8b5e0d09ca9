"""How far a plan is from the cheapest there could be: a bound that no plan can be below, proven by HiGHS.

The bound is that of a relaxation in which every plan is contained: machines of a site are one pool, workloads call
nobody, and quotas, power budgets, gangs and company are not asked for. Whatever is cheaper there and can be seated on
real machines becomes the plan.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cellwright.placement.assignment import Problem, SitePlan
from cellwright.placement.cohorts import cohorts
from cellwright.placement.planning import told
from cellwright.placement.pool import Pool
from cellwright.placement.proof import prove
from cellwright.placement.screening import screen
from cellwright.placement.solve import solve
from cellwright.placement.summary import total_per_hour
from cellwright.placement.terrain import UNKNOWN_COST, Terrain
from cellwright.placement.wording import money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.model import Estate
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Plan
    from cellwright.placement.proof import Proof


@dataclass(frozen=True, slots=True, eq=False)
class PlanProof:
    """A plan and what it is proven to be within."""

    plan: Plan  # the given one, or a better one that the search has found
    bound: float | None  # no plan that places as many replicas costs less per hour; None: a cost is unknown
    gap: float | None  # (cost - bound) / cost
    optimal: bool  # nothing is cheaper, even in the relaxation
    saved: float | None  # per hour, by what the search has found

    def sentence(self, currency: str) -> str:
        """Return the gap in words."""
        if self.bound is None or self.gap is None:
            return "proof: the total is unknown, so how far it is from the least cannot be said"
        found = f"; the search saved {money(self.saved, currency)}" if self.saved else ""
        if self.optimal:
            return f"proof: no plan costs less than {money(self.bound, currency)}: this one is optimal{found}"
        return f"proof: no plan costs less than {money(self.bound, currency)}; this one is within {self.gap:.3%}{found}"


def prove_plan(estate: Estate, plan: Plan, seconds: float) -> PlanProof:
    """Return `plan`, or a better one found within `seconds`, with its gap to the proven bound.

    HiGHS keeps the time: what a search that is cut short finds may differ from run to run.
    """
    terrain = Terrain(estate)
    everybody = [cohort for cohort in cohorts(estate) if cohort.count]
    problem, start = _relaxation(terrain, everybody, plan)
    proof = prove(problem, start, seconds)
    better = _seated(terrain, everybody, proof) if proof.cost < start.cost else plan
    best = min((plan, better), key=_worth)
    total, before = total_per_hour(best), total_per_hour(plan)
    if total is None or before is None or proof.bound >= UNKNOWN_COST:
        return PlanProof(best, None, None, optimal=False, saved=None)
    bound = min(max(proof.bound, 0.0), total)
    gap = (total - bound) / total if total else 0.0
    return PlanProof(best, bound, gap, optimal=gap <= 1e-9, saved=max(before - total, 0.0))  # noqa: PLR2004 - rounding


def _worth(plan: Plan) -> tuple[int, float]:
    """Return what to compare plans by: replicas without a site, then cost."""
    total = total_per_hour(plan)
    return sum(each.site is None for each in plan.placements), UNKNOWN_COST if total is None else total


def _relaxation(terrain: Terrain, everybody: Sequence[Cohort], plan: Plan) -> tuple[Problem, SitePlan]:
    """Return the relaxed problem, and `plan` in its terms."""
    pool = Pool(terrain.sites, len(terrain.periods))
    cost = np.full((len(everybody), len(terrain.sites)), np.inf)
    demand = []
    for row, cohort in enumerate(everybody):
        screening = screen(terrain, replace(cohort, workload=replace(cohort.workload, calls=())), {})
        cost[row, screening.case.scope] = np.where(screening.admitted, screening.prices, np.inf)
        demand.append(np.min([pool.demand_vector(case.variant.shape) for case in screening.cases], axis=0))
    counts = np.array([cohort.count for cohort in everybody], dtype=np.int64)
    capacity, _ = pool.free()
    problem = Problem(cost, counts, np.array(demand).reshape(len(everybody), capacity.shape[1]), capacity)
    return problem, _in_terms_of(problem, terrain, everybody, plan)


def _in_terms_of(problem: Problem, terrain: Terrain, everybody: Sequence[Cohort], plan: Plan) -> SitePlan:
    rows = {(cohort.name, number): row for row, cohort in enumerate(everybody) for number in cohort.replicas}
    entries = Counter(
        (rows[each.workload, each.replica], terrain.index[each.site])
        for each in plan.placements
        if each.site is not None
    )
    row, site, count = (np.array(part, dtype=np.int64) for part in _columns(entries))
    unplaced = problem.count - np.bincount(row, count, len(problem.count)).astype(np.int64)
    cost = float((problem.cost[row, site] * count).sum())
    return SitePlan(row, site, count, unplaced, cost, -np.inf)


def _columns(entries: Mapping[tuple[int, int], int]) -> tuple[list[int], list[int], list[int]]:
    order = sorted(entries)
    return [row for row, _ in order], [site for _, site in order], [entries[key] for key in order]


def _seated(terrain: Terrain, everybody: Sequence[Cohort], proof: Proof) -> Plan:
    """Return the plan whose replicas are at the sites that the proof has found, as far as machines allow."""
    wanted: dict[tuple[str, int], dict[int, int]] = {}
    entries = zip(proof.plan.row.tolist(), proof.plan.site.tolist(), proof.plan.count.tolist(), strict=True)
    for row, site, count in entries:
        wanted.setdefault((everybody[row].name, everybody[row].first), {})[site] = count
    return told(solve(terrain, wanted=wanted))
