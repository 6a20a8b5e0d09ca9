"""How much of what is free on a machine the replicas still to come could use.

Fragmentation is measured by hindsight: draw a sample of the replicas that are expected, more of them than the machine
could ever hold, seat them the largest first and see how much finds room. A seat is as good as what it takes away from
that. Counting for one shape at a time what it could not use (the fragmentation of "Beware of Fragmentation", USENIX
ATC 2023) sees neither which shapes go together nor that one of them uses up what another needs.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cellwright.placement.pool_kinds import SLICES, WHOLE, needs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwright.placement.pool_kinds import Kind, Layout, Needs
    from cellwright.placement.shape import Shape

SAMPLES: Final = 8
LONGEST: Final = 96  # replicas in a sample; of smaller ones than that, the first machine with room is as good as any
OFFERED: Final = 2.0  # how many times what all machines hold is expected
SCARCITY: Final = 0.5  # how much more a replica is worth that hardly any machine could have instead
STEPS: Final = 4  # in which rarity is told: small differences must not decide which replica comes first
THREAD: Final = 1e-3  # what a thread is worth on machines without GPUs; a GPU is worth 1
TIDY: Final = 1e-6  # what an empty machine is worth where nothing is expected
_MOST_KNOWN: Final = 200_000


@dataclass(slots=True)
class _Cell:
    """What is free on one NUMA cell while a sample is seated."""

    threads: int
    memory: int
    whole: int  # GPUs
    parts: list[int]  # of shared GPUs, thousandths, ascending
    cut: list[int]  # of GPUs with MIG, free slices as bits


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one replica of a sample asks for and what it is worth."""

    threads: int
    memory: int
    gpus: int
    share: int
    instances: tuple[int, ...]
    others: tuple[int, ...]  # small pages, large pages, functions and MB of NVMe; () where it needs none
    single_cell: bool
    worth: float


@dataclass(frozen=True, slots=True)
class Offer:
    """An expected shape as one kind of machine sees it."""

    needs: Needs
    often: float  # how many replicas a sample for one machine holds of it
    worth: float  # GPUs, more where few machines could have it instead


def offers(
    targets: Sequence[tuple[Shape, float]],
    kinds: Sequence[Kind],
    amounts: Sequence[tuple[float, int]],
    holds: Callable[[Shape, int], bool],
) -> list[list[Offer]]:
    """Return by kind of machine what is expected to be offered to one that is empty.

    Replicas with GPUs are offered to machines with GPUs, others to machines without: a GPU machine's processors are
    there for its GPUs. Each goes evenly to the machines that can hold it, so that those it depends on see more of it.

    Args:
        targets: The shapes and how often each is expected.
        kinds: Of machines.
        amounts: By kind, the GPUs (without GPUs: threads) of one machine and how many machines there are.
        holds: Whether an empty machine of a kind (its number) has room for a shape.
    """
    found: list[list[Offer]] = [[] for _ in kinds]
    for with_gpus in (True, False):
        group = [number for number, kind in enumerate(kinds) if bool(kind.gpu_cells) is with_gpus]
        total = sum(amounts[kind][0] * amounts[kind][1] for kind in group)
        shapes = [(shape, weight) for shape, weight in targets if weight > 0 and _wants_gpus(shape) is with_gpus]
        hosts = [[kind for kind in group if holds(shape, kind)] for shape, _ in shapes]
        known = [
            needs_of(shape, kinds[able[0]]) if able else None for (shape, _), able in zip(shapes, hosts, strict=True)
        ]
        asked = sum(weight * _size(needs) for needs, (_, weight) in zip(known, shapes, strict=True) if needs)
        for (shape, weight), able, needs in zip(shapes, hosts, known, strict=True):
            if needs is None or _size(needs) <= 0:
                continue
            room = sum(amounts[kind][0] * amounts[kind][1] for kind in able)
            rare = math.floor(STEPS * (1 - room / total)) / STEPS
            worth = _size(needs) * (1 + SCARCITY * rare) * (1 if with_gpus else THREAD)
            often = OFFERED * total / asked * weight / room
            for kind in able:
                found[kind].append(Offer(needs_of(shape, kinds[kind]), often * amounts[kind][0], worth))
    return found


def _wants_gpus(shape: Shape) -> bool:
    return bool(shape.demand.gpus or shape.demand.mig_profile)


def _size(needs: Needs) -> float:
    """Return the GPUs that a replica takes, or its threads where it takes no GPU."""
    cut = needs.instances[0].bit_count() / SLICES if needs.instances else 0.0
    return needs.gpus + needs.share / WHOLE + cut or float(needs.totals[0])


class Prospects:
    """What machines of one kind are still good for, by what is expected to be offered to them."""

    def __init__(self, kind: Kind, layout: Layout, full: Sequence[int], offered: Sequence[Offer]) -> None:
        self._kind, self._layout, self._full = kind, layout, full
        self._known: dict[tuple[object, ...], float] = {}
        fewer = min(1.0, LONGEST / max(sum(each.often for each in offered), 1.0))
        wishes = sorted(((_wish(each), each.often * fewer) for each in offered), key=lambda pair: _turn(pair[0]))
        self._samples = [_sample(wishes, index) for index in range(SAMPLES)] if wishes else []
        self._others = any(wish.others for wish, _ in wishes)
        cut = kind.node.gpus is not None and kind.node.gpus.mig
        self._plain = kind.cells == 1 and bool(kind.gpu_cells) and not cut and not self._others
        self._whole = [[_plain(wish) for wish in sample if not wish.share] for sample in self._samples]
        self._shared = [[_plain(wish) for wish in sample if wish.share] for sample in self._samples]

    def value(self, row: Sequence[int]) -> float:
        """Return what the free part of a machine is worth to expected replicas, in GPUs; `row` is what is free."""
        if not self._samples:
            return self._tidiness(row)
        key = self._key(row)
        value = self._known.get(key)
        if value is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            value = self._known[key] = self._plain_value(row) if self._plain else self._value(row)
        return value

    def _tidiness(self, row: Sequence[int]) -> float:
        """Return what to go by where nothing is expected: the emptier a machine, the more is lost by using it."""
        layout, full = self._layout, self._full
        threads = sum(row[: layout.cells]) / max(1, sum(full[: layout.cells]))
        gpus = sum(row[layout.shares]) / max(1, sum(full[layout.shares]))
        slices = sum(map(int.bit_count, row[layout.slices])) / max(1, sum(map(int.bit_count, full[layout.slices])))
        return TIDY * (threads**2 + gpus**2 + slices**2)

    def _key(self, row: Sequence[int]) -> tuple[object, ...]:
        """Return what the value depends on: which GPU of a cell has what free does not matter."""
        layout = self._layout
        others = tuple(row[2 * layout.cells : layout.nvme + 1]) if self._others else ()
        if layout.cells == 1 and not any(row[layout.slices]):
            return (row[0], row[1], *sorted(row[layout.shares]), *others)
        cells = self._cells(row)
        each = ((cell.threads, cell.memory, cell.whole, tuple(cell.parts), tuple(cell.cut)) for cell in cells)
        return (*each, others)

    def _cells(self, row: Sequence[int]) -> list[_Cell]:
        """Return the cells of a machine, the fullest first."""
        layout = self._layout
        cells = [_Cell(row[cell], row[layout.cells + cell], 0, [], []) for cell in range(self._kind.cells)]
        for gpu, home in enumerate(self._kind.gpu_cells):
            free, cut = row[layout.shares.start + gpu], row[layout.slices.start + gpu]
            if free == WHOLE:
                cells[home].whole += 1
            elif free:
                cells[home].parts.append(free)
            if cut:
                cells[home].cut.append(cut)
        for cell in cells:
            cell.parts.sort()
            cell.cut.sort()
        return sorted(cells, key=lambda cell: (cell.threads, cell.memory, cell.whole, cell.parts, cell.cut))

    def _value(self, row: Sequence[int]) -> float:
        return sum(self._filled(row, sample) for sample in self._samples) / SAMPLES

    def _plain_value(self, row: Sequence[int]) -> float:
        """Return what `_value` does, in less time, for machines of one NUMA cell where only GPUs differ in kind."""
        free = row[self._layout.shares]
        idle = sum(each == WHOLE for each in free)
        started = sorted(each for each in free if 0 < each < WHOLE)
        filled = 0.0
        for wholes, shares in zip(self._whole, self._shared, strict=True):
            threads, memory, whole, parts = row[0], row[self._layout.cells], idle, started.copy()
            for need, kib, gpus, worth in wholes:
                if gpus <= whole and need <= threads and kib <= memory:
                    whole -= gpus
                    threads -= need
                    memory -= kib
                    filled += worth
                    if not whole:
                        break
            for need, kib, share, worth in shares:
                if need > threads or kib > memory:
                    continue
                if parts and parts[-1] >= share:
                    left = parts.pop(bisect_left(parts, share)) - share
                elif whole:
                    whole -= 1
                    left = WHOLE - share
                else:
                    continue
                if left:
                    insort(parts, left)
                threads -= need
                memory -= kib
                filled += worth
        return filled / SAMPLES

    def _filled(self, row: Sequence[int], sample: Sequence[_Wish]) -> float:
        """Return the worth of what finds room of a sample."""
        layout, filled = self._layout, 0.0
        cells = self._cells(row)
        others = [
            sum(row[2 * layout.cells : 3 * layout.cells]),
            sum(row[3 * layout.cells : 4 * layout.cells]),
            sum(row[4 * layout.cells : 5 * layout.cells]),
            row[layout.nvme],
        ]
        for wish in sample:
            if wish.others and any(need > free for need, free in zip(wish.others, others, strict=True)):
                continue
            seated = any(_seat(wish, cell) for cell in cells)
            if not seated and not wish.single_cell and len(cells) > 1:
                seated = _seat_across(wish, cells)
            if seated:
                filled += wish.worth
                if wish.others:
                    others = [free - need for need, free in zip(wish.others, others, strict=True)]
        return filled


def _wish(offer: Offer) -> _Wish:
    needs = offer.needs
    others = (*needs.totals[2:], needs.nvme_mb)
    return _Wish(
        needs.totals[0],
        needs.totals[1],
        needs.gpus,
        needs.share,
        needs.instances,
        others if any(others) else (),
        needs.single_cell,
        offer.worth,
    )


def _turn(wish: _Wish) -> tuple[bool, float]:
    """Return when a wish is seated: shares of GPUs last, the most worth first."""
    return wish.share > 0, -wish.worth


def _sample(wishes: Sequence[tuple[_Wish, float]], index: int) -> list[_Wish]:
    """Return one of `SAMPLES` samples, by turn: of each wish as many as expected, rounded up or down.

    Systematic sampling: the wishes lie end to end, each as long as it is often, and every whole step along them is
    drawn; samples differ in where they start. Wishes of the same turn are shuffled, always alike.
    """
    drawn: list[_Wish] = []
    passed, step = 0.0, (index + 0.5) / SAMPLES
    for wish, often in wishes:
        passed += often
        while step < passed:
            drawn.append(wish)
            step += 1
    shuffled: list[_Wish] = []
    for _, equal in groupby(drawn, key=_turn):
        group = list(equal)
        order = sorted(range(len(group)), key=lambda place: _scattered(place * SAMPLES + index))
        shuffled += [group[place] for place in order]
    return shuffled


def _scattered(number: int) -> int:
    """Return another number of 32 bits, in no order (the finaliser of MurmurHash3, public domain)."""
    number = (number + 1) * 0x9E3779B9 & 0xFFFFFFFF
    number = (number ^ number >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    number = (number ^ number >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return number ^ number >> 16


def _plain(wish: _Wish) -> tuple[int, int, int, float]:
    return wish.threads, wish.memory, wish.share or wish.gpus, wish.worth


def _seat(wish: _Wish, cell: _Cell) -> bool:
    """Seat a wish on one cell and return whether it had room."""
    if wish.threads > cell.threads or wish.memory > cell.memory:
        return False
    if wish.share:
        if not _share(wish.share, cell):
            return False
    elif wish.instances:
        if not _cut(wish.instances, cell):
            return False
    elif wish.gpus > cell.whole:
        return False
    cell.whole -= wish.gpus
    cell.threads -= wish.threads
    cell.memory -= wish.memory
    return True


def _share(share: int, cell: _Cell) -> bool:
    """Take a share of the fullest GPU that has it and return whether one had."""
    place = bisect_left(cell.parts, share)
    if place < len(cell.parts):
        left = cell.parts.pop(place) - share
    elif cell.whole:
        cell.whole -= 1
        left = WHOLE - share
    else:
        return False
    if left:
        insort(cell.parts, left)
    return True


def _cut(instances: Sequence[int], cell: _Cell) -> bool:
    """Take an instance of the fullest GPU that has a place for it and return whether one had."""
    for bits in instances:
        for gpu, free in enumerate(cell.cut):
            if free & bits == bits:
                cell.cut[gpu] = free & ~bits
                return True
    return False


def _seat_across(wish: _Wish, cells: Sequence[_Cell]) -> bool:
    """Seat a wish on several cells together and return whether they had room."""
    if wish.threads > sum(cell.threads for cell in cells) or wish.memory > sum(cell.memory for cell in cells):
        return False
    if wish.share:
        if not any(_share(wish.share, cell) for cell in cells):
            return False
    elif wish.instances:
        if not any(_cut(wish.instances, cell) for cell in cells):
            return False
    elif wish.gpus > sum(cell.whole for cell in cells):
        return False
    threads, memory, gpus = wish.threads, wish.memory, wish.gpus
    for cell in cells:
        taken = min(threads, cell.threads), min(memory, cell.memory), min(gpus, cell.whole)
        cell.threads, cell.memory, cell.whole = cell.threads - taken[0], cell.memory - taken[1], cell.whole - taken[2]
        threads, memory, gpus = threads - taken[0], memory - taken[1], gpus - taken[2]
    return True
