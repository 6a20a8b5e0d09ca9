"""Few moves of seated replicas that make room for waiting ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cellwright.placement.pool import Pool
    from cellwright.placement.shape import Shape
    from cellwright.placement.slots import Slot

_DEPTH: Final = 2  # moves in a chain
_WEIGHED: Final = 24  # seats whose move is weighed before one is chosen
_CHAINED: Final = 6  # seats that are tried when what is moved has to push another one out
_CLEARED: Final = 40  # machines that are tried when one move does not make enough room
_LOOKED_AT: Final = 10_000  # seats, about, each time: of more, those on every second, third ... machine in turn


@dataclass(frozen=True, slots=True)
class Repair:
    """What was moved and what found a place."""

    moves: tuple[tuple[int, Slot], ...]  # index of the seat, where it is now
    placed: tuple[tuple[int, Slot], ...]  # index of the waiting replica, where it is now


def repair(
    pool: Pool,
    seats: Sequence[tuple[Slot, NDArray[np.bool_] | None]],
    waiting: Sequence[tuple[Shape, NDArray[np.bool_] | None]],
    most_moves: int,
) -> Repair:
    """Move seated replicas so that waiting ones get room, and return what was done; the pool is changed to match.

    No seat is moved twice. A waiting replica for which there is no way is left waiting.

    Args:
        pool: In which every seat is taken and no waiting replica.
        seats: Replicas that may be moved, each with the machines it may be on, (n_machines,) bool, None: any.
        waiting: Replicas without a seat, likewise; earlier ones go first.
        most_moves: How many seats may be moved.
    """
    return _Repair(pool, seats, most_moves).run(waiting)


class _Repair:
    """The seats as moves change them."""

    def __init__(self, pool: Pool, seats: Sequence[tuple[Slot, NDArray[np.bool_] | None]], most_moves: int) -> None:
        self._pool, self._left = pool, most_moves
        self._slots = [slot for slot, _ in seats]
        self._masks = [mask for _, mask in seats]
        self._machines = np.array([slot.machine for slot in self._slots], dtype=np.intp)
        self._back = np.array([pool.taken(slot) for slot in self._slots], dtype=np.int64)
        self._movable = np.ones(len(seats), dtype=np.bool_)
        alike: dict[tuple[Shape, int], int] = {}
        self._alike = np.array([alike.setdefault((slot.shape, id(mask)), len(alike)) for slot, mask in seats], np.intp)
        self._log: list[tuple[int, Slot]] = []  # seats that were moved, and where they were
        self._turn = 0
        self._cleared: set[Shape] = set()  # shapes that got room by clearing: they will again
        self._roomy: dict[int, NDArray[np.intp]] = {}  # two machines that had room for alike seats when last looked at

    def run(self, waiting: Sequence[tuple[Shape, NDArray[np.bool_] | None]]) -> Repair:
        """Place what can be placed, in order."""
        placed, hopeless = [], set()
        for index, (shape, mask) in enumerate(waiting):
            key = (shape, None if mask is None else mask.tobytes())
            if key in hopeless:
                continue
            slot = self._place(shape, mask, _DEPTH)
            if slot is None:
                hopeless.add(key)
            else:
                placed.append((index, slot))
        return Repair(tuple(sorted((seat, self._slots[seat]) for seat, _ in self._log)), tuple(placed))

    def _place(self, shape: Shape, mask: NDArray[np.bool_] | None, depth: int) -> Slot | None:
        """Take a seat for the shape, after at most `depth` moves in a chain; change nothing where there is no way."""
        slot = self._pool.choose(shape, within=mask)
        if slot is not None:
            self._pool.take(slot)
            return slot
        if not depth or self._left < 1 or not len(self._slots):
            return None
        able = self._pool.able(shape) if mask is None else self._pool.able(shape) & mask
        seats = self._looked_at(able)
        usable = seats[self._pool.fits_with(shape, self._machines[seats], self._back[seats])]
        best = self._best_swap(shape, usable)
        if best is not None:
            return self._swap(shape, best, depth=0)
        if depth < _DEPTH:
            return None
        if shape in self._cleared:
            return self._clear(shape, seats) or self._chain(shape, usable, depth)
        return self._chain(shape, usable, depth) or self._clear(shape, seats)

    def _looked_at(self, able: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the seats on machines of which some may be moved away."""
        seats = np.flatnonzero(able[self._machines] & self._movable)
        step = -(-len(seats) // _LOOKED_AT)
        if step > 1:
            self._turn += 1
            seats = seats[self._machines[seats] % step == self._turn % step]
        return seats

    def _groups(self, seats: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return the seats, ascending, in groups of one shape and one mask: such go to the same places."""
        alike = self._alike[seats]
        order = np.argsort(alike, kind="stable")
        groups = np.split(seats[order], np.flatnonzero(np.diff(alike[order])) + 1)
        return sorted(groups, key=lambda group: int(group[0])) if len(seats) else []

    def _best_swap(self, shape: Shape, seats: NDArray[np.intp]) -> int | None:
        """Return the seat that leaves the most of what is free usable when it moves and the shape takes its place."""
        pool, ways = self._pool, list[tuple[float, int]]()
        for group in self._groups(seats):
            if pool.fullest and len(ways) >= _WEIGHED:
                break
            goal = pool.choose(self._slots[group[0]].shape, within=self._masks[group[0]])
            if goal is not None:
                worth = pool.weigh(goal.shape, goal.machine) or 0.0
                elsewhere = group[self._machines[group] != goal.machine]
                ways += [(-worth, seat) for seat in elsewhere[:_WEIGHED].tolist()]
        found = [
            (lost - gained, seat)
            for lost, seat in sorted(ways)[:_WEIGHED]
            if (gained := self._worth_without(shape, seat)) is not None
        ]
        return min(found)[1] if found else None

    def _worth_without(self, shape: Shape, seat: int) -> float | None:
        """Return how good a machine is for the shape once a seat on it is empty."""
        slot = self._slots[seat]
        self._pool.release(slot)
        worth = self._pool.weigh(shape, slot.machine)
        before = self._pool.weigh(slot.shape, slot.machine)
        self._pool.take(slot)
        return None if worth is None or before is None else worth - before

    def _swap(self, shape: Shape, seat: int, depth: int) -> Slot | None:
        """Seat the shape where a seat is and that one elsewhere; change nothing where it finds no place."""
        old, mark = self._slots[seat], len(self._log)
        self._pool.release(old)
        slot = self._pool.choose(shape, np.array([old.machine]))
        if slot is not None:
            self._pool.take(slot)
            if self._settle([seat], depth):
                return slot
            self._pool.release(slot)
        self._undo(mark)
        self._pool.take(old)
        return None

    def _chain(self, shape: Shape, seats: NDArray[np.intp], depth: int) -> Slot | None:
        """Take a seat whose replica pushes another one out of its place."""
        if self._left > 1:
            for group in self._groups(seats)[:_CHAINED]:
                slot = self._swap(shape, int(group[0]), depth - 1)
                if slot is not None:
                    return slot
        return None

    def _clear(self, shape: Shape, among: NDArray[np.intp]) -> Slot | None:
        """Take a seat on a machine from which several replicas, of some seats, go elsewhere."""
        for machine, seats in self._clearable(shape, among):
            mark = len(self._log)
            for seat in seats:
                self._pool.release(self._slots[seat])
            slot = self._pool.choose(shape, np.array([machine]))
            if slot is not None:
                self._pool.take(slot)
                if self._settle(seats, 0):
                    self._cleared.add(shape)
                    return slot
                self._pool.release(slot)
            self._undo(mark)
            for seat in seats:
                self._pool.take(self._slots[seat])
        return None

    def _clearable(self, shape: Shape, among: NDArray[np.intp]) -> Iterator[tuple[int, list[int]]]:
        """Yield machines with the seats to clear, the fewest first; of a machine, those that take least first."""
        movable = self._placeable(among)
        order = movable[np.lexsort((movable, self._back[movable].sum(axis=(1, 2)), self._machines[movable]))]
        if not len(order):
            return
        machines, first = np.unique(self._machines[order], return_index=True)
        last = np.append(first[1:], len(order))
        sums = np.cumsum(self._back[order], axis=0)
        before = np.concatenate([np.zeros_like(sums[:1]), sums])[first]
        place = np.repeat(np.arange(len(machines)), last - first)
        enough = self._pool.fits_with(shape, self._machines[order], sums - before[place])
        found = []
        for index in np.unique(place[enough]).tolist():
            count = int(enough[first[index] : last[index]].argmax()) + 1
            if 1 < count <= self._left:
                found.append((count, int(machines[index]), order[first[index] : first[index] + count].tolist()))
        yield from ((machine, seats) for _, machine, seats in sorted(found)[:_CLEARED])

    def _placeable(self, seats: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the seats whose replicas find room on some other machine as things are."""
        found = [np.zeros(0, dtype=np.intp)]
        for group in self._groups(seats):
            room = self._room_for(int(group[0]))
            if len(room):
                found.append(group if len(room) > 1 else group[self._machines[group] != room[0]])
        return np.sort(np.concatenate(found))

    def _room_for(self, seat: int) -> NDArray[np.intp]:
        """Return two machines that have room for a replica like that of a seat, or as many as there are."""
        shape, mask, alike = self._slots[seat].shape, self._masks[seat], int(self._alike[seat])
        known = self._roomy.get(alike, np.zeros(0, dtype=np.intp))
        if len(known) > 1 and self._pool.fits(shape, known).all():
            return known
        room = self._pool.fits(shape) if mask is None else self._pool.fits(shape) & mask
        self._roomy[alike] = np.flatnonzero(room)[:2]
        return self._roomy[alike]

    def _settle(self, seats: Sequence[int], depth: int) -> bool:
        """Find new places for seats that were given up and return whether all have one; undone by `_undo`."""
        for seat in seats:
            if not self._left:
                return False
            self._left -= 1
            self._movable[seat] = False
            old = self._slots[seat]
            new = self._place(old.shape, self._masks[seat], depth)
            if new is None:
                self._left += 1
                self._movable[seat] = True
                return False
            self._log.append((seat, old))
            self._note(seat, new)
        return True

    def _undo(self, mark: int) -> None:
        """Unseat what was moved since the log was `mark` long; the former places are not taken again."""
        while len(self._log) > mark:
            seat, old = self._log.pop()
            self._pool.release(self._slots[seat])
            self._note(seat, old)
            self._left += 1
            self._movable[seat] = True

    def _note(self, seat: int, slot: Slot) -> None:
        self._slots[seat], self._machines[seat] = slot, slot.machine
        self._back[seat] = self._pool.taken(slot)
