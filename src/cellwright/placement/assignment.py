"""Which site takes which replicas: as many as possible, then as cheaply as possible.

Prices of room from the relaxation tell which sites are worth a look and who should go first; several first plans are
made with them, the best is improved on true prices, and the same prices bound how far it can be from the least cost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.assignment_bidding import Urgency, first_plan
from cellwright.placement.assignment_candidates import Ground, find_candidates
from cellwright.placement.assignment_insistence import insist
from cellwright.placement.assignment_problem import Problem, SitePlan
from cellwright.placement.improvement import MEMBERS, Lots, improve, merged
from cellwright.placement.relaxation import Market

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment_candidates import Candidates

__all__ = ["Problem", "SitePlan", "assign_sites"]

STEPS: Final = (80, 300)  # of the prices, at least and at most
STEP_CELLS: Final = 300_000_000  # cells of the price matrix times steps
CROWD_CELLS: Final = 8  # how many other cells one of a crowd is worth, by the time it takes
MORE_STEPS: Final = 60  # of the prices, where some replicas found no site
REFUSAL: Final = 4.0  # in the dearest admitted price: no chain of moves costs as much as a replica without a site
CANDIDATES: Final = 48  # of a row at least
CANDIDATE_CELLS: Final = 100_000  # rows times candidates, where there are few rows
ROUNDS: Final = (6, 40)  # of improvement
STARTS: Final = (1, 4)  # first plans that are improved
TURNS: Final = (8, 200)  # of insisting on who has no site
TURNS_EACH: Final = 2  # turns a lot, at most
REBUILDING: Final = 12  # rounds of improvement for two emptied sites
ROUND_CELLS: Final = 16_000_000  # lots, candidates and who is there, looked at in all rounds


def assign_sites(problem: Problem, *, bounded: bool = True) -> SitePlan:
    """Return a plan of `problem`; the same problem always gives the same one.

    Without `bounded`, the time that the bound takes is saved and it is left unknown. Never more than capacity is taken,
    up to one part in 10⁹. Memory: at most the price matrix and half of it beside it.
    """
    ground = Ground.of(problem)
    dearest = ground.dearest()
    possible = replace(problem, count=np.where(np.isnan(dearest), 0, problem.count))
    if not possible.count.any():
        nothing = np.zeros(0, np.int64)
        return SitePlan(nothing, nothing, nothing, problem.count.copy(), 0.0, 0.0)
    ground = replace(ground, problem=possible)
    refusal = REFUSAL * float(np.nanmax(dearest)) or 1.0
    market = Market(ground, refusal)
    cells = problem.cost.size + CROWD_CELLS * market.crowds.most.size
    market.trade(int(np.clip(STEP_CELLS // cells, *STEPS)))
    lots = _plan(ground, market)
    n_rows, n_sites = problem.cost.shape
    nowhere = lots.site == n_sites
    refused = np.bincount(lots.row[nowhere], lots.count[nowhere], n_rows).astype(np.int64)
    bound = market.settle(int(refused.sum()), MORE_STEPS) if bounded else -np.inf
    row, site, count = (part[~nowhere] for part in (lots.row, lots.site, lots.count))
    cost = _worth(possible, lots)[1]
    return SitePlan(row, site, count, refused + problem.count - possible.count, cost, min(bound, cost))


def _plan(ground: Ground, market: Market) -> Lots:
    """Return the best of several first plans, improved."""
    problem, refusal = ground.problem, market.refusal
    n_rows, n_sites = problem.cost.shape
    width = min(n_sites, max(CANDIDATES, CANDIDATE_CELLS // n_rows))
    candidates = find_candidates(ground, market.best, width)
    plans = [first_plan(ground, candidates, market, urgency) for urgency in Urgency]
    plans.sort(key=lambda plan: _worth(problem, plan))
    if width > CANDIDATES:
        candidates = find_candidates(ground, market.best, CANDIDATES)
    affordable = _affordable(ground, plans[0], candidates)
    rounds, starts = int(np.clip(affordable, *ROUNDS)), int(np.clip(2 * affordable // ROUNDS[1], *STARTS))
    flat = np.full(n_rows, refusal)
    size = (problem.demand / np.maximum(ground.room.mean(0), 1e-300)).sum(1) / problem.demand.shape[1]
    size /= size.max(initial=0.0) or 1.0
    large, small = refusal * (1 + size), refusal * (2 - size)
    better = [improve(ground, candidates, plan, large, rounds) for plan in plans[:starts]]
    lots = min(better, key=lambda plan: _worth(problem, plan))
    if _worth(problem, lots)[0]:
        turns = min(int(np.clip(affordable, *TURNS)), TURNS[0] + TURNS_EACH * len(lots.row))
        lots = insist(ground, candidates, lots, large, turns)
        lots = improve(ground, candidates, lots, small, rounds)
        lots = improve(ground, candidates, lots, flat, rounds)
    return _rebuild(ground, candidates, lots, (small, flat, large))


def _affordable(ground: Ground, lots: Lots, candidates: Candidates) -> int:
    """Return how many rounds of improvement are worth their time, by what one looks at."""
    crowd = min(MEMBERS, len(lots.row) // len(ground.room))
    return int(ROUND_CELLS // (len(lots.row) * candidates.site.shape[1] * (1 + crowd)))


def _rebuild(ground: Ground, candidates: Candidates, lots: Lots, refusals: tuple[NDArray[np.float64], ...]) -> Lots:
    """Return a plan that is not worse: two sites at a time are emptied and filled anew, where there are few sites."""
    n_sites = len(ground.room)
    worth = _worth(ground.problem, lots)
    turns = min(TURNS[1], _affordable(ground, lots, candidates) // REBUILDING - ROUNDS[0])
    if turns < n_sites:
        return lots
    for turn in range(min(turns, n_sites * max(n_sites - 1, 1) * len(refusals))):
        first = turn % n_sites
        second = (first + 1 + turn // n_sites) % n_sites
        site = np.where((lots.site == first) | (lots.site == second), n_sites, lots.site)
        emptied = merged(lots.row, site, lots.count, n_sites)
        filled = improve(ground, candidates, emptied, refusals[turn % len(refusals)], REBUILDING)
        if (now := _worth(ground.problem, filled)) <= worth:
            lots, worth = filled, now
    return lots


def _worth(problem: Problem, lots: Lots) -> tuple[int, float]:
    """Return how many replicas have no site and what the others cost: less is better."""
    put = lots.site < problem.cost.shape[1]
    cost = float((problem.cost[lots.row[put], lots.site[put]].astype(np.float64) * lots.count[put]).sum())
    return int(lots.count[~put].sum()), cost
