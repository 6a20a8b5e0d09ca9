"""Onsets: alarms as columns, without repeats, and which of them lie near each other in time and topology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cellwright.digest.alarms import JITTER_US
from cellwright.digest.correlate_episodes import QUIET_GAP_US

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.digest.alarms import Alarm

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_MS: Final = 1_000  # microseconds
_CHUNK: Final = 1 << 14  # onsets whose pairs are counted at a time
JITTER_MS: Final = JITTER_US // _MS
# What comes within the jitter of detection has no order; beyond, each bin is four times as long as the last and the
# last ends within a quiet gap, so that no onset is taken for the effect of another matter. Beyond lies the flank, where
# what is near says no more than that both are frequent at such times.
BIN_ENDS_MS: Final = tuple(JITTER_MS * 4**step for step in range(5))  # 3, 12, 48, 192, 768 s
BINS: Final = len(BIN_ENDS_MS)
HORIZON_MS: Final = BIN_ENDS_MS[-1]
FLANK_END_MS: Final = 4 * HORIZON_MS


@dataclass(frozen=True, slots=True)
class AlarmColumns:
    """Raised alarms as columns, in any order; elements are numbered from 0."""

    types: tuple[str, ...]  # by code
    type_codes: Ints  # (alarms,)
    element_codes: Ints  # (alarms,)
    onset_us: Ints  # (alarms,) since any origin


@dataclass(frozen=True, slots=True)
class Onsets:
    """Onsets by element and time; times are milliseconds from just over a flank before the first."""

    n_types: int
    n_elements: int
    types: Ints  # (onsets,)
    elements: Ints  # (onsets,)
    at_ms: Ints  # (onsets,)

    def __len__(self) -> int:
        return len(self.types)

    def counts(self) -> Ints:
        """Return how many onsets each type has."""
        return np.bincount(self.types, minlength=self.n_types)

    def only(self, chosen: npt.NDArray[np.bool_]) -> Onsets:
        """Return the chosen onsets."""
        return Onsets(self.n_types, self.n_elements, self.types[chosen], self.elements[chosen], self.at_ms[chosen])


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Elements by group, and for each group those whose elements are adjacent to its own.

    These are `other[start[group]:start[group + 1]]`, the group itself among them where it has several elements.
    """

    group: Ints  # (elements,)
    start: Ints  # (groups + 1,)
    other: Ints

    @property
    def degree(self) -> Ints:
        """Return how many elements are adjacent to each, (elements,)."""
        sizes, beside = np.bincount(self.group, minlength=len(self.start) - 1), np.diff(self.start)
        reached = np.zeros(len(sizes), np.int64)
        np.add.at(reached, np.repeat(np.arange(len(sizes)), beside), sizes[self.other])
        return reached[self.group] - (sizes[self.group] > 1)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two onsets near each other: the positions of effect and cause, and how far apart they are."""

    effect: Ints  # (pairs,)
    cause: Ints  # (pairs,)
    hop: Ints  # (pairs,) 0 on the same element, 1 on an adjacent one
    lag_ms: Ints  # (pairs,) from cause to effect; down to minus the jitter where coincidences count both ways

    def only(self, chosen: npt.NDArray[np.bool_]) -> Pairs:
        """Return the chosen pairs."""
        return Pairs(self.effect[chosen], self.cause[chosen], self.hop[chosen], self.lag_ms[chosen])

    @property
    def bin(self) -> Ints:
        """Return into which bin of lags each pair falls, the number of bins for those in the flank."""
        return np.searchsorted(np.array(BIN_ENDS_MS), self.lag_ms)


def columns_of(alarms: Iterable[Alarm]) -> tuple[AlarmColumns, dict[str, tuple[int, ...]]]:
    """Return the raised alarms with a known instant as columns, and the codes by distinguished name.

    The same name in two sources or tenants is two elements.
    """
    types: dict[str, int] = {}
    elements: dict[tuple[str, str, str], int] = {}
    rows = [
        (
            types.setdefault(alarm.alarm_type, len(types)),
            elements.setdefault((alarm.tenant, alarm.source, alarm.element), len(elements)),
            alarm.ts,
        )
        for alarm in alarms
        if alarm.ts is not None and not alarm.clears
    ]
    table = np.array(rows, np.int64).reshape(-1, 3)
    names: dict[str, tuple[int, ...]] = {}
    for (_, _, name), code in elements.items():
        names[name] = (*names.get(name, ()), code)
    return AlarmColumns(tuple(types), table[:, 0], table[:, 1], table[:, 2]), names


def onsets_of(alarms: AlarmColumns, n_elements: int) -> Onsets:
    """Return the alarms that begin something: their type was quiet on their element for a quiet gap before.

    A toggling alarm (ITU-T M.3703) is thus one onset, however often it is raised.
    """
    order = np.lexsort((alarms.onset_us, alarms.type_codes, alarms.element_codes))
    types, elements, at_us = alarms.type_codes[order], alarms.element_codes[order], alarms.onset_us[order]
    repeats = np.zeros(len(order), bool)
    repeats[1:] = (types[1:] == types[:-1]) & (elements[1:] == elements[:-1]) & (np.diff(at_us) < QUIET_GAP_US)
    kept = order[~repeats]
    kept = kept[np.lexsort((alarms.type_codes[kept], alarms.onset_us[kept], alarms.element_codes[kept]))]
    at_ms = (alarms.onset_us[kept] - alarms.onset_us.min(initial=1 << 62)) // _MS + FLANK_END_MS + 1
    return Onsets(len(alarms.types), n_elements, alarms.type_codes[kept], alarms.element_codes[kept], at_ms)


def neighbours_of(
    links: npt.ArrayLike | None, n_elements: int, groups: npt.ArrayLike | None = None
) -> Neighbours | None:
    """Return who is adjacent to whom by `links`, (links, 2) codes in either order; None without topology.

    The codes are those of elements, or of `groups`, (elements,): then all elements of two linked groups are adjacent,
    and all of one group. Cost: linear in elements and links.
    """
    if links is None:
        return None
    one = np.asarray(links, np.int64).reshape(-1, 2)
    group = np.arange(n_elements) if groups is None else np.asarray(groups, np.int64)
    n_groups = 1 + max(int(group.max(initial=-1)), int(one.max(initial=-1)))
    crowded = np.flatnonzero(np.bincount(group, minlength=n_groups) > 1)
    one = one[one[:, 0] != one[:, 1]]
    both = np.unique(np.concatenate([one, one[:, ::-1], np.stack([crowded, crowded], 1)]), axis=0)
    return Neighbours(group, np.searchsorted(both[:, 0], np.arange(n_groups + 1)), both[:, 1])


def pairs_of(
    onsets: Onsets, neighbours: Neighbours | None, lags_ms: tuple[int, int], effects: Ints | None = None
) -> Pairs:
    """Return all pairs with a lag from the least to the most, on one element or on adjacent ones.

    `effects` are positions of onsets, all by default. Time and memory grow with the pairs: of each type, there is at
    most one in a quiet gap on each element and its neighbours.
    """
    effects = np.arange(len(onsets)) if effects is None else effects
    elements = onsets.elements[effects]
    parts = [_within(onsets, onsets.elements, effects, elements, lags_ms)]
    if neighbours is not None:
        group = neighbours.group[elements]
        start, many = neighbours.start[group], np.diff(neighbours.start)[group]
        beside = neighbours.other[_ranges(start, many)]
        near = _within(onsets, neighbours.group[onsets.elements], np.repeat(effects, many), beside, lags_ms)
        parts.append(near.only(near.hop == 1))
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in Pairs.__slots__))


def correlogram(onsets: Onsets, neighbours: Neighbours | None) -> Ints:
    """Return how many onsets lie near each other by lag, (hops, bins + 1, causes, effects); the last is the flank.

    The first bin holds coincidences, which count both ways; the flank goes from the horizon to four times as far.
    """
    hops = 1 if neighbours is None else 2
    shape = (hops, BINS + 1, onsets.n_types, onsets.n_types)
    total = np.zeros(np.prod(shape), np.int64)
    for start in range(0, len(onsets), _CHUNK):
        effects = np.arange(start, min(start + _CHUNK, len(onsets)))
        near = pairs_of(onsets, neighbours, (-JITTER_MS, FLANK_END_MS), effects)
        place = (near.hop, near.bin, onsets.types[near.cause], onsets.types[near.effect])
        total += np.bincount(np.ravel_multi_index(place, shape), minlength=total.size)
    return total.reshape(shape)


def exposure(onsets: Onsets, neighbours: Neighbours | None, window_ms: tuple[int, int], least_lag_ms: int) -> Floats:
    """Return for how long effects could have followed each type: element-milliseconds, (hops, bins, types).

    Only the time within the window counts; the first bin begins at `least_lag_ms`.
    """
    hops = 1 if neighbours is None else 2
    total = np.zeros((hops, BINS, onsets.n_types))
    starts = (least_lag_ms - 1, *BIN_ENDS_MS[:-1])  # lags are whole: a bin holds those above its start
    for step, (start, end) in enumerate(zip(starts, BIN_ENDS_MS, strict=True)):
        until = np.minimum(onsets.at_ms + end, window_ms[1])
        within = np.maximum(until - np.maximum(onsets.at_ms + start, window_ms[0]), 0).astype(np.float64)
        total[0, step] = np.bincount(onsets.types, within, onsets.n_types)
        if neighbours is not None:
            reached = within * neighbours.degree[onsets.elements]
            total[1, step] = np.bincount(onsets.types, reached, onsets.n_types)
    return total


def _within(onsets: Onsets, places: Ints, effect: Ints, place: Ints, lags_ms: tuple[int, int]) -> Pairs:
    """Return the pairs of each effect with the onsets at the place beside it, of which `places` are those of all."""
    stride = int(onsets.at_ms.max(initial=0)) + FLANK_END_MS + JITTER_MS + 1
    order = np.lexsort((onsets.at_ms, places))
    ordered = places[order] * stride + onsets.at_ms[order]
    here = place * stride + onsets.at_ms[effect]
    first = np.searchsorted(ordered, here - lags_ms[1], "left")
    many = np.searchsorted(ordered, here - lags_ms[0], "right") - first
    cause = order[_ranges(first, many)]
    effect = np.repeat(effect, many)
    other = cause != effect
    cause, effect = cause[other], effect[other]
    hop = (onsets.elements[cause] != onsets.elements[effect]).astype(np.int64)
    return Pairs(effect, cause, hop, onsets.at_ms[effect] - onsets.at_ms[cause])


def _ranges(first: Ints, many: Ints) -> Ints:
    """Return the concatenation of `first[k], first[k] + 1, ...`, `many[k]` of each."""
    ends = np.cumsum(many)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - many, many) + np.repeat(first, many)
