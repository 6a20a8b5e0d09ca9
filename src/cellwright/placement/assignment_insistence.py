"""Room for who has no site: it becomes dearer to leave a row out each turn, until it turns out others for good.

Those turned out look for room elsewhere, and so on (the penalties and ejections of Nagata and Bräysy, Operations
Research Letters 37, 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.assignment_candidates import look_further
from cellwright.placement.improvement import free_room, improve, merged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment_candidates import Candidates, Ground
    from cellwright.placement.improvement import Lots

RISE: Final = 0.5  # of the least refusal: what a row without a site rises each turn
FORCED: Final = 48  # cheapest sites that are looked at for a row that nothing else helps


def insist(ground: Ground, candidates: Candidates, lots: Lots, refusal: NDArray[np.float64], turns: int) -> Lots:
    """Return a plan that leaves out fewer replicas, if one is found in `turns`; `refusal` (n_rows,) per replica."""
    n_sites = len(ground.room)
    weight, rise = refusal.copy(), RISE * float(refusal.min())
    best, fewest, before = lots, _left(lots, n_sites), np.zeros(0, np.int64)
    for turn in range(turns):
        waiting = np.unique(lots.row[lots.site == n_sites])
        weight[waiting] += rise
        if np.array_equal(waiting, before):
            lots = _force(ground, lots, weight, int(waiting[np.argmax(weight[waiting])]))
        before = waiting
        lots = improve(ground, look_further(ground, candidates, waiting, turn), lots, weight, 1)
        if (now := _left(lots, n_sites)) < fewest:
            best, fewest = lots, now
        if not now:
            break
    return best


def _left(lots: Lots, n_sites: int) -> int:
    return int(lots.count[lots.site == n_sites].sum())


def _force(ground: Ground, lots: Lots, weight: NDArray[np.float64], row: int) -> Lots:
    """Return the lots with a replica of `row` on the site where that turns out the least weight, if less than its own.

    Who is turned out has no site then.
    """
    n_sites = len(ground.room)
    free, need = free_room(ground.problem, ground.room, lots), ground.problem.demand[row]
    sites = np.flatnonzero(np.isfinite(ground.screened[row]))
    sites = sites[np.argsort(ground.problem.cost[row, sites], kind="stable")][:FORCED]
    least, chosen = float(weight[row]), None
    for site in sites.tolist():
        members = np.flatnonzero(lots.site == site)
        freed = ground.problem.demand[lots.row[members]] * lots.count[members, None]
        price = weight[lots.row[members]] * lots.count[members]
        out = _cheapest_cover(freed, price, np.maximum(need - free[site], 0.0))
        if (total := float(price[out].sum())) < least:
            least, chosen = total, (site, members[out])
    if chosen is None:
        return lots
    site, out = chosen
    place = lots.site.copy()
    place[out] = n_sites
    return merged(
        np.append(lots.row, [row, row]), np.append(place, [site, n_sites]), np.append(lots.count, [1, -1]), n_sites
    )


def _cheapest_cover(
    freed: NDArray[np.float64], price: NDArray[np.float64], lack: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return entries of `freed` (n, n_resources) that make up for `lack`, cheap for what they free; greedy."""
    short = lack > 0
    helpful = (np.minimum(freed[:, short], lack[short]) / lack[short]).sum(1)
    with np.errstate(divide="ignore"):
        order = np.argsort(np.where(helpful > 0, price / helpful, np.inf), kind="stable")
    enough = (np.cumsum(freed[order], axis=0) >= lack).all(1)
    chosen = order[: int(np.argmax(enough)) + 1] if short.any() and enough.any() else order[:0]
    total, kept = freed[chosen].sum(0), []
    for entry in chosen[::-1].tolist():
        if (total - freed[entry] >= lack).all():
            total = total - freed[entry]
        else:
            kept.append(entry)
    return np.array(kept, np.int64)
