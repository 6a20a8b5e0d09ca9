"""Prices of room: what the replicas would pay for it if capacity were a market, and the bound that follows.

The Lagrangian relaxation of the capacities (Fisher, Management Science 27, 1981): with a price on every resource of
every site, each row takes its cheapest site on its own; what they pay, less the prices of all room, is never above the
least cost. The prices follow the averaged excess demand, each with a step of its own that is scaled by the recent size
of its excess, grows while the excess keeps its sign and cools down (Duchi, Hazan and Singer, JMLR 12, 2011; Riedmiller
and Braun, ICNN 1993). One more price a resource, common to all sites, answers a shortage of the whole network.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.assignment_candidates import blocks
from cellwright.placement.assignment_crowds import Crowds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment_candidates import Candidates, Ground

MEMORY: Final = 0.95  # of the recent size of the excess, from step to step
NEWEST: Final = 0.15  # share of the newest excess in the averaged one
FIRST_STEP: Final = 0.1  # of what a resource would cost if all were paid for it alone
STEADY: Final = 0.8  # averaged excess over its recent size: above, its sign is taken to last
COOLING: Final = 6.0  # steps after which a site's step is half the first
GROWTH: Final = 1.1  # of a site's step while its excess lasts
TAIL: Final = 20  # last steps whose choices are averaged
SHARED_GROWTH: Final = 1.3
SHARED_COOLING: Final = 0.9


@dataclass(slots=True)
class _Pace:
    """How far prices move on an excess: its recent size, its average and the step of each price."""

    size: NDArray[np.float64]
    average: NDArray[np.float64]
    step: NDArray[np.float64]
    turns: int = 0

    @classmethod
    def of(cls, like: NDArray[np.float64]) -> _Pace:
        return cls(np.zeros(like.shape), np.zeros(like.shape), np.full(like.shape, FIRST_STEP))

    def follow(self, excess: NDArray[np.float64], growth: float, cooling: float | None = None) -> NDArray[np.float64]:
        """Return how far each price moves, in units of its scale; `cooling` None: by the number of turns."""
        self.turns += 1
        newest = NEWEST if self.turns > 1 else 1.0
        self.size = MEMORY * self.size + (1 - MEMORY) * excess * excess
        self.average = (1 - newest) * self.average + newest * excess
        sign = self.average / np.sqrt(self.size / (1 - MEMORY**self.turns) + 1e-9)
        if cooling is None:
            cooled = (COOLING + max(self.turns - 2, 0)) / (COOLING + self.turns - 1)
            self.step = self.step * cooled * np.where(np.abs(sign) > STEADY, growth, 1.0)
        else:
            self.step = self.step * np.where(np.abs(sign) > STEADY, growth, cooling)
        return self.step * sign


class Market:
    """The search for prices over the whole matrix."""

    def __init__(self, ground: Ground, refusal: float) -> None:
        """`refusal` is what a replica pays at most before it would rather stay without a site."""
        problem = ground.problem
        self.problem, self.screened, self.refusal = problem, ground.screened, refusal
        self.crowds = Crowds.of(ground)
        self.single = problem.count.copy()  # replicas of rows that are no crowds
        self.single[self.crowds.rows] = 0
        self.firsts, self.alike = _alike(problem.demand, self.screened)
        self.distinct = self.screened[self.firsts]
        self.weight = problem.demand * self.single[:, None]
        self.prices = np.zeros(problem.capacity.shape)  # the newest
        self.best = self.prices
        self.value = -np.inf
        self.shared = np.zeros(problem.capacity.shape[1])
        self.pace, self.shared_pace = _Pace.of(self.prices), _Pace.of(self.shared)
        self.capacity = np.where(problem.capacity > 0, problem.capacity, 1.0)
        total = problem.capacity.sum(0)
        self.total = np.where(total > 0, total, 1.0)
        self.choices: deque[NDArray[np.int64]] = deque(maxlen=TAIL)  # of the last steps: a cell of the matrix each row

    def trade(self, steps: int) -> None:
        """Move the prices `steps` times by what rows choose at them, and keep the best ones.

        Where all find room at no price, no price would ever move, and one step is as good as all.
        """
        scale = self._scale()
        for _ in range(steps):
            value, load, _ = self._respond()
            if value > self.value:
                self.value, self.best = value, self.prices
            if not self.pace.turns and not len(self.crowds.rows) and bool((load <= self.problem.capacity).all()):
                return  # crowds note each step
            self._move(load, scale)

    def leaning(self, candidates: Candidates) -> NDArray[np.float64]:
        """Return how often each row chose each candidate of late, (n_rows, n_candidates) from 0 to 1.

        These averages tend to an optimal solution of the relaxation (Larsson, Patriksson and Strömberg, Mathematical
        Programming 86, 1999).
        """
        chosen: NDArray[np.int64] = np.concatenate(list(self.choices))
        cells, times = np.unique(chosen, return_counts=True)
        n_rows, n_sites = self.screened.shape
        wanted = np.arange(n_rows)[:, None] * n_sites + candidates.site
        place = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
        share: NDArray[np.float64] = np.where(cells[place] == wanted, times[place], 0) / len(self.choices)
        return share

    def settle(self, unplaced: int, steps: int) -> float:
        """Return the best bound found for plans that leave at most `unplaced` replicas without a site.

        Where some are left, the refusal is one more price: it rises while more replicas refuse than are left.
        """
        bound = self._bound(unplaced)
        if not unplaced:
            return bound
        pace, scale = _Pace.of(np.zeros(1)), self._scale()
        self.pace, self.shared_pace = _Pace.of(self.prices), _Pace.of(self.shared)
        self.prices, best = self.best, (bound, self.best, self.refusal)
        for _ in range(steps):
            value, load, refused = self._respond()
            value -= self.refusal * unplaced
            if value > best[0]:
                best = value, self.prices, self.refusal
            self._move(load, scale)
            excess = np.array([(refused - unplaced) / max(refused, unplaced)])
            self.refusal *= math.exp(5 * float(pace.follow(excess, GROWTH)[0]))
        _, self.best, self.refusal = best
        return max(bound, self._bound(unplaced))

    def _move(self, load: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        """Move the prices by the excess of `load` (n_sites, n_resources) over the capacity."""
        excess = load - self.problem.capacity
        lack = excess.sum(0) / self.total
        lack = np.where((self.shared <= 0) & (lack < 0), 0.0, lack)
        raised = np.maximum(0.0, self.shared + self.shared_pace.follow(lack, SHARED_GROWTH, SHARED_COOLING) * scale)
        relative = np.where(self.problem.capacity > 0, excess / self.capacity, 0.0)
        relative = np.where((self.prices <= 0) & (relative < 0), 0.0, relative)
        move = self.pace.follow(relative, GROWTH) * scale + raised - self.shared
        self.prices, self.shared = np.maximum(0.0, self.prices + move), raised

    def _scale(self) -> NDArray[np.float64]:
        """Return what each resource would cost if all that rows pay at least were paid for it alone, (n_resources,)."""
        least = self.screened.min(1).astype(np.float64)
        paid = float((np.where(np.isfinite(least), least, 0.0) * self.problem.count).sum())
        asked = (self.problem.demand * self.problem.count[:, None]).sum(0)
        scale: NDArray[np.float64] = np.where(asked > 0, (paid or 1.0) / np.where(asked > 0, asked, 1.0), 0.0)
        return scale

    def _respond(self) -> tuple[float, NDArray[np.float64], int]:
        """Return the value of the prices, the load (n_sites, n_resources) of rows that each choose, and who refuses."""
        n_rows, n_sites = self.screened.shape
        best, site = np.empty(len(self.firsts), np.float32), np.empty(len(self.firsts), np.int64)
        demand, prices = self.problem.demand.astype(np.float32), self.prices.T.astype(np.float32)
        for part in blocks(len(self.firsts), n_sites):
            priced = demand[self.firsts[part]] @ prices
            priced += self.distinct[part]
            site[part] = priced.argmin(1)
            best[part] = np.take_along_axis(priced, site[part, None], 1)[:, 0]
        best, site = best[self.alike], site[self.alike]
        self.choices.append(np.arange(n_rows) * n_sites + site)
        paid = np.minimum(best.astype(np.float64), self.refusal)
        value = float((self.single * paid).sum() - (self.prices * self.problem.capacity).sum())
        takes = best < self.refusal
        parts = [np.bincount(site[takes], weight[takes], n_sites) for weight in self.weight.T]
        load: NDArray[np.float64] = np.stack(parts, 1).astype(np.float64)
        refused = int(self.single[~takes].sum())
        if len(self.crowds.rows):
            many = self.crowds.rows
            amount, price = self.crowds.fill(demand[many] @ prices + self.screened[many], self.refusal)
            self.crowds.note(amount)
            load += amount.T @ self.problem.demand[many]
            value, refused = value + price, refused + int(self.crowds.count.sum() - amount.sum())
        return value, load, refused

    def _bound(self, unplaced: int) -> float:
        """Return what no plan with at most `unplaced` replicas without a site can be below, at the best prices."""
        parts = [-float((self.best * self.problem.capacity).sum()), -self.refusal * unplaced]
        limit = self.refusal if unplaced else np.inf
        for rows in blocks(*self.screened.shape):
            priced = self.problem.demand[rows] @ self.best.T
            priced += self.problem.cost[rows]
            priced[~np.isfinite(self.screened[rows])] = np.inf
            count, least = self.single[rows], np.minimum(priced.min(1), limit)
            parts.append(float((least[count > 0] * count[count > 0]).sum()))
            mine = (self.crowds.rows >= rows.start) & (self.crowds.rows < rows.stop)
            if mine.any():
                crowds = replace(
                    self.crowds, rows=self.crowds.rows[mine], count=self.crowds.count[mine], most=self.crowds.most[mine]
                )
                parts.append(crowds.fill(priced[crowds.rows - rows.start], limit)[1])
        return math.fsum(parts)


def _alike(demand: NDArray[np.float64], screened: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first of all rows that ask and pay the same everywhere, and for each row the place of its first."""
    places: dict[tuple[bytes, bytes], int] = {}
    alike = np.empty(len(screened), np.int64)
    firsts = list[int]()
    for row, (asked, prices) in enumerate(zip(demand, screened, strict=True)):
        alike[row] = places.setdefault((asked.tobytes(), prices.tobytes()), len(places))
        if alike[row] == len(firsts):
            firsts.append(row)
    return np.array(firsts, np.int64), alike
