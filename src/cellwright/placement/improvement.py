"""Local search on true prices: shifts, swaps and chains of replicas that make room for each other.

A lot is what of one row is on one site. In each round every lot looks at its candidates: a site with room (a shift), or
one where a single replica of another lot would have to leave, to a third site, into the place that becomes free (a
swap), or by turning out one more (an ejection chain; Glover, Discrete Applied Mathematics 65, 1996). All moves that
save are found at once on arrays; then they are done in order of what they save, each checked against what is left.
What has no site is on one more site without limits, where it costs its refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import lt
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.placement.assignment_candidates import Candidates, Ground
    from cellwright.placement.assignment_problem import Problem

LEAST: Final = 1e-9  # price per hour: less is no saving
CLEARED: Final = 4  # lots that leave together at most
ENOUGH: Final = 1e-5  # of the price: a round that saves less is the last
MOVES: Final = 60_000  # that a round tries
MEMBERS: Final = 12  # lots of a site that are asked to leave, those that lose least first
DEEP: Final = 16  # candidates of a lot that is turned out where it may turn out another
BATCH: Final = 500  # moves that are done before the next are checked together
TRIPLES: Final = 400_000  # lot, site and other lot looked at in one piece


@dataclass(frozen=True, slots=True, eq=False)
class Lots:
    """Where replicas are: entry i has `count[i]` of `row[i]` on `site[i]`; site n_sites means nowhere."""

    row: NDArray[np.int64]
    site: NDArray[np.int64]
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Moves:
    """Moves that save, best first: a lot goes to a site and turns out another lot, or none (-1)."""

    saved: NDArray[np.float64]
    lot: NDArray[np.int64]
    to: NDArray[np.int64]
    other: NDArray[np.int64]
    swaps: NDArray[np.bool_]  # the other lot goes where the first one was
    clears: NDArray[np.int64]  # how many lots are turned out together, those that lose least; 0: only the other one

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return lots, sites, other lots, whether they swap and how many are turned out."""
        return self.lot, self.to, self.other, self.swaps, self.clears


@dataclass(frozen=True, slots=True, eq=False)
class _Exits:
    """For each lot the cheapest way to leave its site, and what that costs more."""

    price: NDArray[np.float64]
    to: NDArray[np.int64]
    other: NDArray[np.int64]  # who has to leave there, to their own first exit; -1: nobody
    first: NDArray[np.int64]  # the cheapest site with room


class _Round:
    """What one round looks at."""

    def __init__(self, ground: Ground, candidates: Candidates, lots: Lots, refusal: NDArray[np.float64]) -> None:
        """`refusal` (n_rows,) is the price of having no site."""
        problem, room = ground.problem, ground.room
        self.problem, self.lots, self.refusal = problem, lots, refusal
        self.n_sites = len(room)
        self.demand = problem.demand[lots.row]
        self.free = free_room(problem, room, lots)
        self.now = self.price_at(np.arange(len(lots.row)), lots.site)
        self.site = candidates.site[lots.row]
        self.change = candidates.cost[lots.row] - self.now[:, None]
        self.other = (self.site != lots.site[:, None]) & np.isfinite(self.change)
        self.fits = self.other.copy()
        for resource in range(room.shape[1]):
            self.fits &= self.demand[:, resource, None] <= self.free[:, resource][self.site]
        self.crowded = self.other & ~self.fits & (self.change < -LEAST)  # sites that a lot wants but has no room at
        shift = np.where(self.fits, self.change, np.inf)
        first = shift.argmin(1)
        self.first_price = shift[np.arange(len(shift)), first]
        self.first_site = self.site[np.arange(len(shift)), first]
        out = refusal[lots.row] - self.now
        self.leave_price = np.minimum(self.first_price, out)
        self.leave_site = np.where(self.first_price <= out, self.first_site, self.n_sites)
        order = np.lexsort((self.leave_price, lots.site))
        self.members = order[lots.site[order] < self.n_sites]
        self.begin = np.searchsorted(lots.site[self.members], np.arange(self.n_sites + 1))
        self.asked = np.minimum(np.diff(self.begin), MEMBERS)

    def price_at(self, lot: NDArray[np.int64], site: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the price of a replica of each lot at a site, or its refusal nowhere."""
        row = self.lots.row[lot]
        price = self.refusal[row].copy()
        placed = site < self.n_sites
        price[placed] = self.problem.cost[row[placed], site[placed]]
        return price

    def most_gained(self) -> NDArray[np.float64]:
        """Return what a replica saves at most that goes to each site where it has no room, (n_sites + 1,)."""
        most = np.zeros(self.n_sites + 1)
        np.maximum.at(most, self.site[self.crowded], -self.change[self.crowded])
        return most

    def least_at(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the least `value` (n_lots,) of those who are asked to leave each site, (n_sites,); inf of nobody."""
        least = np.full(self.n_sites, np.inf)
        some = np.flatnonzero(self.asked)
        if len(some):
            bounds = np.stack([self.begin[some], self.begin[some] + self.asked[some]], 1).reshape(-1)
            padded = np.append(value[self.members], np.inf)
            least[some] = np.minimum.reduceat(padded, bounds)[::2]
        return least

    def triples(self, chosen: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], ...]]:
        """Yield lots, columns of their candidates and lots there, for the cells of `chosen` (n_lots, n_candidates)."""
        lot, column = np.nonzero(chosen)
        site = self.site[lot, column]
        many = self.asked[site]
        total = np.cumsum(many)
        start = 0
        while start < len(lot):
            before = total[start - 1] if start else 0
            end = max(int(np.searchsorted(total, before + TRIPLES, "right")), start + 1)
            piece = slice(start, end)
            owner = np.repeat(np.arange(start, end), many[piece])
            offset = np.arange(len(owner)) - np.repeat(total[piece] - many[piece] - before, many[piece])
            yield lot[owner], column[owner], self.members[self.begin[site[owner]] + offset]
            start = end

    def with_room(self, lot: NDArray[np.int64], other: NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which entries `of` two lists have room for a replica of their lot where one of `other` leaves."""
        for demand, free in zip(self.demand.T, self.free.T, strict=True):  # without limit where nobody is
            freed = free[self.lots.site[other[of]]] + demand[other[of]]
            of = of[demand[lot[of]] <= freed]
        return of


def free_room(problem: Problem, room: NDArray[np.float64], lots: Lots) -> NDArray[np.float64]:
    """Return what `lots` leave of `room`, (n_sites + 1, n_resources); without limit on the last."""
    weight = problem.demand[lots.row] * lots.count[:, None]
    taken = [np.bincount(lots.site, each, len(room) + 1) for each in weight.T]
    return np.concatenate([room, np.full((1, room.shape[1]), np.inf)]) - np.stack(taken, 1)


def improve(ground: Ground, candidates: Candidates, lots: Lots, refusal: NDArray[np.float64], rounds: int) -> Lots:
    """Return `lots` after at most `rounds` rounds of moves that save; never dearer by price and `refusal` (n_rows,)."""
    last = np.inf
    for _ in range(rounds):
        state = _Round(ground, candidates, lots, refusal)
        total = float((state.now * lots.count).sum())
        if last - total < ENOUGH * abs(total):
            break
        last = total
        exits = _find_exits(state)
        moves = _find_moves(state, exits)
        done = _do(state, exits, moves)
        if not done:
            break
        lots = _moved(lots, done, len(ground.room))
    return lots


def merged(row: NDArray[np.int64], site: NDArray[np.int64], count: NDArray[np.int64], n_sites: int) -> Lots:
    """Return lots ascending by row and site, each pair once, without those of no replicas; counts may be negative."""
    keys, inverse = np.unique(row * (n_sites + 1) + site, return_inverse=True)
    total = np.bincount(inverse, count, len(keys)).astype(np.int64)
    keys, total = keys[total > 0], total[total > 0]
    return Lots(keys // (n_sites + 1), keys % (n_sites + 1), total)


def _moved(lots: Lots, done: list[tuple[int, int, int]], n_sites: int) -> Lots:
    """Return the lots after replicas of lots went to sites."""
    lot, site, count = np.array(done, np.int64).T
    row = np.concatenate([lots.row, lots.row[lot], lots.row[lot]])
    place = np.concatenate([lots.site, lots.site[lot], site])
    return merged(row, place, np.concatenate([lots.count, -count, count]), n_sites)


def _find_exits(state: _Round) -> _Exits:
    """Return the cheapest way of each placed lot to leave: a shift, or a shift that turns out one more."""
    price, to = state.first_price.copy(), state.first_site.copy()
    other = np.full(len(price), -1)
    chosen = state.other & ~state.fits & (state.lots.site < state.n_sites)[:, None]
    chosen[:, DEEP:] = False
    worth = np.minimum(price, state.most_gained()[state.lots.site])  # a dearer exit is no part of a chain that saves
    hope = state.least_at(state.first_price)
    chosen[:, :DEEP] &= state.change[:, :DEEP] + hope[state.site[:, :DEEP]] < worth[:, None]
    for lot, column, out in state.triples(chosen):
        total = state.change[lot, column] + state.first_price[out]
        keep = state.with_room(lot, out, np.flatnonzero(total < worth[lot]))
        order = keep[np.lexsort((out[keep], total[keep], lot[keep]))]
        best = order[np.flatnonzero(np.diff(lot[order], prepend=-1))]
        best = best[total[best] < price[lot[best]]]
        who = lot[best]
        price[who], to[who], other[who] = total[best], state.site[who, column[best]], out[best]
    return _Exits(price, to, other, state.first_site)


def _find_moves(state: _Round, exits: _Exits) -> _Moves:
    """Return all shifts, swaps and chains that save."""
    lot, column = np.nonzero(state.fits & (state.change < -LEAST))
    nobody = np.full(len(lot), -1)
    found: list[tuple[NDArray[Any], ...]] = [
        (state.change[lot, column], lot, state.site[lot, column], nobody, nobody >= 0)
    ]
    found += [_find_ejections(state, exits, *each) for each in state.triples(state.crowded)]
    single = [(*part, np.zeros(len(part[0]), np.int64)) for part in found]
    columns = (np.concatenate(part) for part in zip(*single, *_find_clearances(state), strict=True))
    saved, lot, to, out, swaps, clears = columns
    order = np.argsort(saved, kind="stable")[:MOVES]
    return _Moves(saved[order], lot[order], to[order], out[order], swaps[order], clears[order])


def _find_ejections(
    state: _Round, exits: _Exits, lot: NDArray[np.int64], column: NDArray[np.int64], out: NDArray[np.int64]
) -> tuple[NDArray[Any], ...]:
    """Return which of these lots save by turning out these others: saved, lot, site, other and whether it is a swap."""
    change = state.change[lot, column]
    chain = change + exits.price[out]
    swap = change + state.price_at(out, state.lots.site[lot]) - state.now[out]
    keep = state.with_room(lot, out, np.flatnonzero(np.minimum(chain, swap) < -LEAST))
    both = state.with_room(out, lot, keep)
    possible = np.full(len(swap), np.inf)
    possible[both] = swap[both]
    swap, saved = possible, np.minimum(chain, possible)
    keep = keep[saved[keep] < -LEAST]
    return saved[keep], lot[keep], state.site[lot[keep], column[keep]], out[keep], (swap < chain)[keep]


def _find_clearances(state: _Round) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield moves that save though several lots have to leave, each on its own."""
    lot, column = np.nonzero(state.crowded)
    to, change = state.site[lot, column], state.change[lot, column]
    last = len(state.members) - 1
    freed, price = state.free[: state.n_sites].copy(), np.zeros(state.n_sites)
    for many in range(1, CLEARED + 1):
        there = state.asked >= many
        member = state.members[np.minimum(state.begin[:-1] + many - 1, last)] if last >= 0 else state.begin[:-1]
        price[~there] = np.inf
        price[there] += state.leave_price[member[there]]
        freed[there] += state.demand[member[there]]
        if many > 1:
            saved = change + price[to]
            keep = np.flatnonzero(saved < -LEAST)
            keep = keep[(state.demand[lot[keep]] <= freed[to[keep]]).all(1)]
            nobody = np.full(len(keep), -1)
            yield saved[keep], lot[keep], to[keep], nobody, nobody >= 0, np.full(len(keep), many)


def _do(state: _Round, exits: _Exits, moves: _Moves) -> list[tuple[int, int, int]]:
    """Return what moved: lots, sites and how many replicas; each lot takes part once, what saves most goes first."""
    desk = _Desk(state, exits)
    used, stuck, further = desk.used, desk.stuck, [*desk.exit_other, -1]
    for start in range(0, len(moves.lot), BATCH):
        batch = np.arange(start, min(start + BATCH, len(moves.lot)))
        batch = batch[desk.open(moves, batch)]
        for lot, to, out, swaps, clears in zip(*(part[batch].tolist() for part in moves.parts()), strict=True):
            if not (used[lot] or used[out] or ((stuck[out] or used[further[out]]) and not swaps)):
                desk.do(desk.steps(lot, to, out, clears, swaps=swaps), swaps=swaps)
    return desk.done


class _Desk:
    """Where moves are done one by one: the room left, and who has moved."""

    def __init__(self, state: _Round, exits: _Exits) -> None:
        self.state, self.exits = state, exits
        self.room = state.free.copy()  # the same as `free`, for many sites at once
        self.used = bytearray(len(state.now) + 1)  # the last: nobody
        self.stuck = self.used.copy()  # whose exit has no room any more
        self.done: list[tuple[int, int, int]] = []
        self.free, self.demand = state.free.tolist(), state.demand.tolist()
        self.at, self.count = state.lots.site.tolist(), state.lots.count.tolist()
        self.exit_to, self.exit_other, self.first = exits.to.tolist(), exits.other.tolist(), exits.first.tolist()
        self.leave, self.begin = state.leave_site.tolist(), state.begin.tolist()
        self.members = state.members.tolist()

    def open(self, moves: _Moves, left: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the moves `left` may still be done: by who has moved, and whether who leaves has room."""
        used, stuck = (np.frombuffer(each, np.bool_) for each in (self.used, self.stuck))
        lot, to, out, swaps, clears = (part[left] for part in moves.parts())
        second, third = self.exits.to[out], self.exits.other[out]
        last = np.where(out < 0, lot, np.where(third < 0, out, third))
        site = np.where(out < 0, to, np.where(third < 0, second, self.exits.first[third]))
        full = np.logical_and(~swaps & (clears == 0), self._lacks(last, site))
        stuck[out[full & (out >= 0)]] = True
        for each in range(int(clears.max(initial=0))):
            some = np.flatnonzero(clears > each)
            leaving = self.state.members[self.state.begin[to[some]] + each]
            full[some] |= used[leaving] | self._lacks(leaving, self.state.leave_site[leaving])
        open_: NDArray[np.bool_] = ~(full | used[lot] | used[out] | (stuck[out] & ~swaps))
        return open_

    def _lacks(self, lot: NDArray[np.int64], site: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return where sites have no room for a replica of lots."""
        lacks: NDArray[np.bool_] = np.any(self.state.demand[lot] > self.room[site], axis=1)
        return lacks

    def steps(self, lot: int, to: int, out: int, clears: int, *, swaps: bool) -> list[tuple[int, int]]:
        """Return the lots of a move and where a replica of each goes."""
        steps = [(lot, to)]
        if clears:
            steps += [(each, self.leave[each]) for each in self.members[self.begin[to] : self.begin[to] + clears]]
        elif swaps:
            steps.append((out, self.at[lot]))
        elif out >= 0:
            steps.append((out, self.exit_to[out]))
            if (last := self.exit_other[out]) >= 0:
                steps.append((last, self.first[last]))
        return steps

    def do(self, steps: list[tuple[int, int]], *, swaps: bool) -> None:
        """Do a move as often as there is room for it, unless one of its lots has moved."""
        for each, _ in steps:
            if self.used[each]:
                return
        parts = {each for each, _ in steps}
        if len(parts) < len(steps):
            return
        last, site = steps[-1]
        if not swaps and any(map(lt, self.free[site], self.demand[last])):
            self.stuck[steps[1][0] if len(steps) > 1 else -1] = len(steps) > 1
            return
        times = _possible(self.free, self.demand, self.at, steps, min(self.count[each] for each in parts))
        if times:
            for each, site in steps:
                self.used[each] = True
                self.done.append((each, site, times))
                self.room[site], self.room[self.at[each]] = self.free[site], self.free[self.at[each]]


def _possible(
    free: list[list[float]], demand: list[list[float]], at: list[int], steps: list[tuple[int, int]], most: int
) -> int:
    """Return how many times the steps can be done, at most `most`, and carry them out in `free`."""
    net: dict[int, list[float]] = {}
    for lot, site in steps:
        need = demand[lot]
        source = net.get(at[lot])
        net[at[lot]] = need if source is None else [was + amount for was, amount in zip(source, need, strict=True)]
        target = net.get(site)
        net[site] = (
            [-amount for amount in need]
            if target is None
            else [was - amount for was, amount in zip(target, need, strict=True)]
        )
    for site, change in net.items():
        for have, amount in zip(free[site], change, strict=True):
            if amount < 0 and have + most * amount < 0:
                most = int(have / -amount)
                if not most:
                    return 0
    for site, change in net.items():
        free[site] = [have + most * amount for have, amount in zip(free[site], change, strict=True)]
    return most
