"""A first plan: rows bid for room in rounds, and in each round the site serves the most urgent bids first."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.assignment_candidates import Ground, find_candidates, priced
from cellwright.placement.improvement import Lots, free_room, merged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment_candidates import Candidates
    from cellwright.placement.assignment_crowds import Crowds
    from cellwright.placement.relaxation import Market

ONLY: Final = 1e3  # urgency of a row's last site, in the largest regret of the round


class Urgency(Enum):
    """Whose bid goes first."""

    REGRET = "most to lose from being turned away"
    LAST = "last chance, then largest and most to lose"
    SIZE = "largest demand"
    STAKE = "largest demand times most to lose"


def first_plan(ground: Ground, candidates: Candidates, market: Market, urgency: Urgency) -> Lots:
    """Return a plan: the candidates are tried first, then for who is left all sites that still have room.

    A candidate is worth its price with the room it takes, less what the row leans to it.
    """
    problem = ground.problem
    n_rows, n_sites = problem.cost.shape
    least = np.where(np.isfinite(candidates.cost[:, :1]), candidates.cost[:, :1], 0.0)
    value = priced(ground, candidates, market.best) - market.leaning(candidates) * least
    row, site, count = _settle_crowds(ground, market.crowds)
    left = problem.count - np.bincount(row, count, n_rows).astype(np.int64)
    free = free_room(problem, ground.room, Lots(row, site, count))[:n_sites]
    parts = [
        (row, site, count),
        _bid(replace(ground, problem=replace(problem, count=left), room=free), candidates, value, urgency),
    ]
    while True:
        row, site, count = (np.concatenate(part) for part in zip(*parts, strict=True))
        left = problem.count - np.bincount(row, count, n_rows).astype(np.int64)
        some = np.flatnonzero(left)
        if len(some):
            free = free_room(problem, ground.room, Lots(row, site, count))[:n_sites]
            rest = replace(problem, cost=problem.cost[some], count=left[some], demand=problem.demand[some])
            narrow = Ground.of(rest, free)
            near = find_candidates(narrow, market.best, candidates.site.shape[1])
            again = _bid(narrow, near, priced(narrow, near, market.best), urgency)
            if len(again[0]):
                parts.append((some[again[0]], again[1], again[2]))
                continue
        row, site = np.concatenate([row, some]), np.concatenate([site, np.full(len(some), n_sites)])
        return merged(row, site, np.concatenate([count, left[some]]), n_sites)


_Bids = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]  # rows, sites and counts


def _settle_crowds(ground: Ground, crowds: Crowds) -> _Bids:
    """Return rows, sites and counts of the whole replicas that crowds had on a site on average, as far as they fit."""
    crowd, site = np.nonzero(crowds.average >= 1)
    share = crowds.average[crowd, site]
    order = np.lexsort((crowd, -share / crowds.count[crowd], site))
    return _serve(
        ground.problem.demand,
        ground.room,
        np.floor(share[order]).astype(np.int64),
        crowds.rows[crowd[order]],
        site[order],
    )


def _bid(ground: Ground, candidates: Candidates, values: NDArray[np.float64], urgency: Urgency) -> _Bids:
    """Return rows, sites and counts of what found room among the candidates, (n_rows, n_candidates) of `values`."""
    problem, room, left = ground.problem, ground.room.copy(), ground.problem.count.copy()
    size = (problem.demand / np.maximum(problem.capacity.mean(0), 1e-300)).max(1)
    taken = [(np.zeros(0, np.int64),) * 3]
    active = np.flatnonzero(left > 0)
    while len(active):
        site, value = candidates.site[active], values[active]
        for resource, free in enumerate(room.T):
            value[problem.demand[active, resource, None] > free[site]] = np.inf
        choice = value.argmin(1)[:, None]
        best = np.take_along_axis(value, choice, 1)[:, 0]
        np.put_along_axis(value, choice, np.inf, 1)
        alive = np.isfinite(best)
        active, wanted = active[alive], np.take_along_axis(site, choice, 1)[alive, 0]
        rank = _rank(urgency, best[alive], value.min(1)[alive], size[active])
        order = np.lexsort((active, -rank, wanted))
        entry = _serve(problem.demand, room, left[active[order]], active[order], wanted[order])
        taken.append(entry)
        np.subtract.at(room, entry[1], problem.demand[entry[0]] * entry[2][:, None])
        left[entry[0]] -= entry[2]
        active = active[left[active] > 0]
    row, site, count = (np.concatenate(part) for part in zip(*taken, strict=True))
    return row, site, count


def _rank(
    urgency: Urgency, best: NDArray[np.float64], second: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how urgent each bid is, from the values of the best and second best site with room."""
    last = ~np.isfinite(second)
    regret = np.where(last, 0.0, second) - np.where(last, 0.0, best)
    most = regret.max(initial=0.0) or 1.0
    regret[last] = 2 * most
    match urgency:
        case Urgency.REGRET:
            return regret
        case Urgency.LAST:
            return np.where(last, ONLY, 0.0) + size / (size.max(initial=0.0) or 1.0) + 1e-3 * regret / most
        case Urgency.SIZE:
            return size
        case Urgency.STAKE:
            return regret * size


def _serve(
    demands: NDArray[np.float64],
    room: NDArray[np.float64],
    asked: NDArray[np.int64],
    rows: NDArray[np.int64],
    sites: NDArray[np.int64],
) -> _Bids:
    """Return rows, sites and counts of the bids that are served, which come by site, the most urgent first."""
    demand = demands[rows]
    wanted = _fitting(room[sites], demand, asked)
    first = np.flatnonzero(np.diff(sites, prepend=-1))
    length = np.diff(first, append=len(sites))
    before = np.cumsum(demand * wanted[:, None], axis=0) - demand * wanted[:, None]
    before -= np.repeat(before[first], length, axis=0)
    served = _fitting(room[sites] - before, demand, wanted)
    cut = (served < wanted).astype(np.int64)
    short = np.cumsum(cut) - cut
    served[short > np.repeat(short[first], length)] = 0
    keep = served > 0
    return rows[keep], sites[keep], served[keep]


def _fitting(room: NDArray[np.float64], demand: NDArray[np.float64], most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many replicas of `demand` each `room` takes, at most `most`, (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(demand > 0, room / demand, np.inf).min(1)
    count: NDArray[np.int64] = np.floor(np.clip(ratio, 0.0, most)).astype(np.int64)
    return count
