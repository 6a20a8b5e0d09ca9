"""The machines of all sites as replicas fill them."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.fragmentation import Prospects, offers
from cellwright.placement.packing import has_room, seatings
from cellwright.placement.pool_kinds import (
    AMOUNTS,
    amounts_of,
    empty_row,
    kind_of,
    layout_of,
    least_of,
    needs_of,
    shifted,
)
from cellwright.placement.pool_lacks import lacks_of
from cellwright.placement.pool_states import States, throughout
from cellwright.placement.pool_table import Table, is_plain
from cellwright.placement.pool_traits import suits
from cellwright.placement.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Node, Site
    from cellwright.placement.pool_kinds import Kind, Needs
    from cellwright.placement.pool_lacks import Lack
    from cellwright.placement.shape import Shape
    from cellwright.placement.slots import Seating

EVERY: Final = slice(None)
UNBOUNDED: Final = 1 << 31
_SPARE_STATES: Final = 4096  # states kept beyond twice the machines before those that no machine is in are forgotten
_MOST_SHAPES: Final = 512  # whose room and scores are remembered; with more, those that came first are forgotten
_UNKNOWN: Final = -1
_NEVER: Final = -1
_NEWS: Final = 8  # changes are kept up to the machines over this; who missed more looks at all of them


class _Known:
    """What is known of one shape, by number of a state; grows with the states."""

    def __init__(self, size: int) -> None:
        self.room = np.full(size, _UNKNOWN, dtype=np.int8)
        self.score = np.full(size, np.nan)
        self.best: dict[int, Seating] = {}
        self.fits = np.zeros(0, dtype=np.bool_)  # (n_machines,) as it was at `heard`
        self.fitting = np.zeros(0, dtype=np.intp)  # (n_sites,) machines that fit
        self.heard = _NEVER  # how many changes of machines are in `fits`

    def grow(self, size: int) -> None:
        more = max(size - len(self.room), 0)
        self.room = np.concatenate([self.room, np.full(more, _UNKNOWN, dtype=np.int8)])
        self.score = np.concatenate([self.score, np.full(more, np.nan)])

    def keep(self, used: NDArray[np.intp]) -> None:
        """Forget all states but `used`, which get their places as numbers."""
        self.grow(int(used[-1]) + 1)
        self.room, self.score = self.room[used], self.score[used]
        self.best = {number: self.best[old] for number, old in enumerate(used.tolist()) if old in self.best}


class Pool:
    """The machines of all sites, and what is free on each in each period of the day."""

    site_of: NDArray[np.int32]
    """The site of each machine, (n_machines,); machines are in the order of sites, nodes and numbers."""

    def __init__(
        self,
        sites: Sequence[Site],
        periods: int = 1,
        targets: Sequence[tuple[Shape, float]] = (),
        *,
        fullest: bool = False,
    ) -> None:
        """Start with every machine empty.

        Args:
            sites: In the order in which they are numbered.
            periods: How many the day has.
            targets: The shapes that are expected, each with how often: what is free is kept usable for these.
            fullest: Whether the fullest machine with room will do; otherwise all are weighed against each other.
        """
        self.fullest = fullest
        seats = [
            (site, node, number)
            for site, each in enumerate(sites)
            for node in each.nodes
            for number in range(node.count)
        ]
        self._nodes = [node for _, node, _ in seats]
        self._numbers = [number for _, _, number in seats]
        self.site_of = np.array([site for site, _, _ in seats], dtype=np.int32)
        self._bounds = np.searchsorted(self.site_of, np.arange(len(sites) + 1)).tolist()
        numbers: dict[Kind, int] = {}
        by_node = {id(node): numbers.setdefault(kind_of(node), len(numbers)) for site in sites for node in site.nodes}
        self._kinds = tuple(numbers)
        self._kind_of = np.array([by_node[id(node)] for node in self._nodes], dtype=np.int32)
        self._layout = layout_of(self._kinds)
        self._full = [empty_row(kind, self._layout) for kind in self._kinds]
        self._table = Table(self._kinds, self._layout, self._full)
        self._states = States(self._layout, periods)
        empty = [self._states.number(index, np.tile(row, (periods, 1))) for index, row in enumerate(self._full)]
        self._state = np.array(empty, dtype=np.intp)[self._kind_of]
        self._periods = periods
        self._needs: dict[tuple[Shape, int], Needs | None] = {}
        self._able: dict[Shape, NDArray[np.bool_]] = {}
        self._known: dict[Shape, _Known] = {}
        self._news: deque[int] = deque(maxlen=max(1, len(self._nodes) // _NEWS))  # machines that changed, latest last
        self._changes = 0
        self.aim(targets)

    def __len__(self) -> int:
        return len(self._nodes)

    def aim(self, targets: Sequence[tuple[Shape, float]]) -> None:
        """Expect other shapes from now on."""
        machines = np.bincount(self._kind_of, minlength=len(self._kinds)).tolist()
        threads = slice(0, self._layout.cells)
        sizes = [
            float(len(kind.gpu_cells) or full[threads].sum())
            for kind, full in zip(self._kinds, self._full, strict=True)
        ]
        offered = offers(targets, self._kinds, list(zip(sizes, machines, strict=True)), self._holds)
        self._prospects = [
            Prospects(kind, self._layout, full.tolist(), each)
            for kind, full, each in zip(self._kinds, self._full, offered, strict=True)
        ]
        self._known.clear()

    def span(self, site: int) -> slice:
        """Return the machines of a site."""
        return slice(self._bounds[site], self._bounds[site + 1])

    def label(self, machine: int) -> str:
        """Return the node's name; with "#2" behind it where the node stands for several machines."""
        node = self._nodes[machine]
        return node.name if node.count == 1 else f"{node.name}#{self._numbers[machine] + 1}"

    def node(self, machine: int) -> Node:
        """Return the node that a machine is one of."""
        return self._nodes[machine]

    def able(self, shape: Shape) -> NDArray[np.bool_]:
        """Return which machines would have room if they were empty, (n_machines,) bool."""
        if shape not in self._able:
            if is_plain(shape):
                self._able[shape] = self._table.able(shape)
            else:
                self._able[shape] = np.array([self._holds(shape, kind) for kind in range(len(self._kinds))], np.bool_)
        able: NDArray[np.bool_] = self._able[shape][self._kind_of]
        return able

    def fits(self, shape: Shape, machines: slice | NDArray[np.intp] = EVERY) -> NDArray[np.bool_]:
        """Return which machines have room now, (m,) bool."""
        fits: NDArray[np.bool_] = self._room(shape, self._state[machines]) == 1
        return fits

    def sites_with_room(self, shape: Shape) -> NDArray[np.bool_]:
        """Return which sites have a machine that has room now, (n_sites,) bool."""
        known, sites = self._of(shape), len(self._bounds) - 1
        missed = self._changes - known.heard
        if known.heard == _NEVER or missed > len(self._news):
            known.fits = self.fits(shape)
            known.fitting = np.bincount(self.site_of[known.fits], minlength=sites)
        elif missed:
            machines = np.array(sorted({self._news[-back] for back in range(1, missed + 1)}), dtype=np.intp)
            fits = self.fits(shape, machines)
            changed = machines[fits != known.fits[machines]]
            np.add.at(known.fitting, self.site_of[changed], np.where(known.fits[changed], -1, 1))
            known.fits[machines] = fits
        known.heard = self._changes
        return known.fitting > 0

    def choose(
        self, shape: Shape, machines: slice | NDArray[np.intp] = EVERY, within: NDArray[np.bool_] | None = None
    ) -> Slot | None:
        """Return the seat that leaves most of what is free usable; None if no machine has room.

        Args:
            shape: What asks for a seat.
            machines: Those to choose from.
            within: (n_machines,) bool, those of the pool that may be chosen.
        """
        states = self._state[machines]
        room = self._room(shape, states) == 1
        if within is not None:
            room &= within[machines]
        places = np.flatnonzero(room)
        if not len(places):
            return None
        states = states[places]
        if self.fullest:
            least = int(self._states.room[states].argmin())
            places, states = places[least : least + 1], states[least : least + 1]
        known = self._scored(shape, states)
        place = int(known.score[states].argmax())
        offset = int(places[place])
        machine = machines.indices(len(self))[0] + offset if isinstance(machines, slice) else int(machines[offset])
        state = int(states[place])
        return Slot(machine, shape, known.best[state])

    def has_room_for(self, slot: Slot) -> bool:
        """Return whether what a slot names is there and free: it may be from another version of the machines."""
        kind = int(self._kind_of[slot.machine])
        needs, seating = self._needs_of(slot.shape, kind), slot.seating
        gpus = {*seating.gpus, *(gpu for gpu, _ in seating.instances)}
        if needs is None or max(seating.cells, default=0) >= self._layout.cells:
            return False
        if max(gpus, default=0) >= self._layout.gpus and gpus:
            return False
        if any(start not in needs.starts for _, start in seating.instances):
            return False
        wanted = np.array(shifted([0] * self._layout.width, needs, seating, self._layout, back=True))
        rows = self._states.rows[int(self._state[slot.machine])][list(slot.shape.periods)]
        slices = self._layout.slices
        enough = (rows[:, : slices.start] >= wanted[: slices.start]).all()
        return bool(enough and (rows[:, slices] & wanted[slices] == wanted[slices]).all())

    def take(self, slot: Slot) -> None:
        """Take what a slot names."""
        self._move(slot, -1)

    def release(self, slot: Slot) -> None:
        """Give back what a slot took."""
        self._move(slot, 1)

    def weigh(self, shape: Shape, machine: int) -> float | None:
        """Return how good the best seat on one machine is, the more the better; None where it has no room."""
        state = self._state[machine : machine + 1]
        return float(self._scored(shape, state).score[state[0]]) if self._room(shape, state)[0] == 1 else None

    def taken(self, slot: Slot) -> NDArray[np.int64]:
        """Return what a slot takes in each period, (periods, width) int64, as `fits_with` adds it up."""
        rows = np.zeros((self._periods, self._layout.width), dtype=np.int64)
        rows[list(slot.shape.periods)] = shifted(
            [0] * self._layout.width, self._needs_for(slot), slot.seating, self._layout, back=True
        )
        return rows

    def fits_with(self, shape: Shape, machines: NDArray[np.intp], back: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which machines had room if they got back (m, periods, width) int64, (m,) bool."""
        rows = throughout(self._states.rows[self._state[machines]] + back, shape.periods, self._layout)
        kinds, room = self._kind_of[machines], np.zeros(len(machines), dtype=np.bool_)
        for kind in np.unique(kinds).tolist():
            needs = self._needs_of(shape, kind)
            if needs is not None:
                these = np.flatnonzero(kinds == kind)
                room[these] = has_room(rows[these], needs, self._kinds[kind], self._layout)
        return room

    def copies(self, shape: Shape, machine: int) -> int:
        """Return how many more of the shape one machine takes; `UNBOUNDED` of one that takes nothing."""
        state, count = int(self._state[machine]), 0
        while self._room(shape, np.array([state]))[0] == 1:
            known = self._scored(shape, np.array([state]))
            after = self._after(Slot(machine, shape, known.best[state]), state, -1)
            if after == state:
                return UNBOUNDED
            state, count = after, count + 1
        return count

    def lacks(self, shape: Shape, machines: slice | NDArray[np.intp] = EVERY, *, empty: bool) -> tuple[Lack, ...]:
        """Return everything of which some of the machines have too little, now or when empty; () if all have room."""
        kinds = self._kind_of[machines]
        rows = np.array(self._full)[kinds] if empty else self._states.free(self._state[machines], shape.periods)
        if is_plain(shape):
            return self._table.lacks(shape, kinds.astype(np.intp), rows)
        return lacks_of(shape, self._kinds, kinds, rows, self._layout)

    def free(self) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Return what is free at each site, (n_sites, n_resources) float64, and the names of the resources.

        Every period has its own resources. GPUs that are shared or cut into instances count as fractions.
        """
        sites = len(self._bounds) - 1
        rows = self._states.rows[self._state].reshape(len(self) * self._periods, self._layout.width)
        amounts = amounts_of(rows, self._layout).reshape(len(self), self._periods * len(AMOUNTS))
        free = np.zeros((sites, amounts.shape[1]))
        np.add.at(free, self.site_of, amounts)
        return free, tuple(f"{name}@{period}" for period in range(self._periods) for name in AMOUNTS)

    def demand_vector(self, shape: Shape) -> NDArray[np.float64]:
        """Return the least that a replica takes of what `free` counts, (n_resources,) float64."""
        vector = np.zeros((self._periods, len(AMOUNTS)))
        if is_plain(shape):
            vector[list(shape.periods)] = self._table.least(shape) or 0.0
            return vector.reshape(-1)
        needs = [found for kind in range(len(self._kinds)) if (found := self._needs_of(shape, kind))]
        if needs:
            vector[list(shape.periods)] = np.min([least_of(each) for each in needs], axis=0)
        return vector.reshape(-1)

    def _holds(self, shape: Shape, kind: int) -> bool:
        needs = self._needs_of(shape, kind)
        return needs is not None and bool(has_room(self._full[kind][None], needs, self._kinds[kind], self._layout)[0])

    def _needs_of(self, shape: Shape, kind: int) -> Needs | None:
        """Return what the shape takes of a kind; None where the kind does not suit."""
        key = (shape, kind)
        if key not in self._needs:
            self._needs[key] = needs_of(shape, self._kinds[kind]) if suits(shape, self._kinds[kind]) else None
        return self._needs[key]

    def _needs_for(self, slot: Slot) -> Needs:
        needs = self._needs_of(slot.shape, int(self._kind_of[slot.machine]))
        if needs is None:
            message = f"{self.label(slot.machine)} does not suit the slot"
            raise ValueError(message)
        return needs

    def _of(self, shape: Shape) -> _Known:
        known = self._known.get(shape)
        if known is None:
            while len(self._known) >= _MOST_SHAPES:
                del self._known[next(iter(self._known))]
            known = self._known[shape] = _Known(max(64, len(self._states)))
        if len(known.room) < len(self._states):
            known.grow(2 * len(self._states))
        return known

    def _room(self, shape: Shape, states: NDArray[np.intp]) -> NDArray[np.int8]:
        """Return 1 where a state has room and 0 where not, (m,) int8."""
        known = self._of(shape)
        room = known.room[states]
        if room.size and room.min() == _UNKNOWN:
            new = np.unique(states[room == _UNKNOWN])
            kinds = self._states.kinds[new]
            if is_plain(shape):
                known.room[new] = self._table.room(shape, kinds, self._states.free(new, shape.periods))
                return known.room[states]
            for kind in np.unique(kinds).tolist():
                these = new[kinds == kind]
                needs = self._needs_of(shape, kind)
                known.room[these] = (
                    0
                    if needs is None
                    else has_room(self._states.free(these, shape.periods), needs, self._kinds[kind], self._layout)
                )
            room = known.room[states]
        return room

    def _scored(self, shape: Shape, states: NDArray[np.intp]) -> _Known:
        """Return what is known of the shape, with scores for all of some states that have room."""
        known = self._of(shape)
        scores = known.score[states]
        for state in set(states[np.isnan(scores)].tolist()):
            self._score(shape, int(self._states.kinds[state]), state, known)
        return known

    def _score(self, shape: Shape, kind: int, state: int, known: _Known) -> None:
        """Note the best way to sit on a machine in that state, and what it leaves of its worth."""
        needs = self._needs_of(shape, kind)
        if needs is None:
            return
        value = self._prospects[kind].value
        rows = [self._states.rows[state, period].tolist() for period in shape.periods]
        before = math.fsum(map(value, rows))
        for index, way in enumerate(self._ways(shape, state)):
            left = math.fsum(value(shifted(row, needs, way, self._layout)) for row in rows) - before
            if index == 0 or left > known.score[state]:
                known.best[state], known.score[state] = way, left

    def _ways(self, shape: Shape, state: int) -> list[Seating]:
        """Return the ways to sit on a machine in that state, always in the same order."""
        kind = int(self._states.kinds[state])
        needs = self._needs_of(shape, kind)
        free = self._states.free(np.array([state]), shape.periods)[0].tolist()
        return seatings(free, needs, self._kinds[kind], self._layout) if needs else []

    def _move(self, slot: Slot, sign: int) -> None:
        self._state[slot.machine] = self._after(slot, int(self._state[slot.machine]), sign)
        self._news.append(slot.machine)
        self._changes += 1
        if len(self._states) > 2 * len(self) + _SPARE_STATES:
            self._forget()

    def _after(self, slot: Slot, state: int, sign: int) -> int:
        """Return the state after taking (-1) or giving back (1) a slot."""
        needs, kind = self._needs_for(slot), int(self._kind_of[slot.machine])
        rows = self._states.rows[state].copy()
        for period in slot.shape.periods:
            rows[period] = shifted(rows[period].tolist(), needs, slot.seating, self._layout, back=sign > 0)
        return self._states.number(kind, rows)

    def _forget(self) -> None:
        """Forget the states that no machine is in."""
        used, self._state = np.unique(self._state, return_inverse=True)
        self._states.keep(used)
        for known in self._known.values():
            known.keep(used)
