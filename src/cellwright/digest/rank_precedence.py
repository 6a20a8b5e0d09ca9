"""Precedence: how far one alarm type explains another, learned from past incidents without labels.

Where the onsets of two types are further apart than detection jitters, their order speaks. Within that, what starts
without the other does: a cause is seen to start on its own, an effect has one of its causes near.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cellwright.digest.alarms import JITTER_US
from cellwright.digest.correlate_episodes import ADJACENT_US, Lags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cellwright.digest.alarms import Alarm

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MOST_TYPES: Final = 1_000  # that are learned, those of the most incidents; the tables of pairs are 8 MB each
_FEW: Final = 3  # incidents: what was met so often counts half
_EVEN: Final = 16  # onsets without order added to those of each pair, so that one draw of few incidents does not decide
_PAUSE_US: Final = 2 * ADJACENT_US  # longer ones are as good as this
_TINY: Final = 1e-9
_TOGETHER: Final = 0.1  # share of onsets from which two types count as following each other
_BOUND: Final = 0.8  # and from which one of them seldom comes without the other


@dataclass(frozen=True, slots=True)
class Precedence:
    """What past incidents say of pairs of alarm types; rows explain columns."""

    types: tuple[str, ...]
    strength: Floats  # (types, types), -1..1: how far the row explains the column; antisymmetric
    met: Floats  # (types, types): incidents that had both
    together: Floats  # (types, types), 0..1: share of the column's onsets that have one of the row near
    lag_us: Floats  # (types, types): mean distance of such onsets, symmetric

    def nets(self, present: Collection[str]) -> Mapping[str, float]:
        """Return how far each type explains the other present ones less how far they explain it, -1..1, on average.

        Pairs count as often as they were met, and all less where these were few. Types that were not seen in learning,
        and a type alone, have none.
        """
        codes = {name: code for code, name in enumerate(self.types) if name in present}
        known = list(codes.values())
        if len(known) < 2:  # noqa: PLR2004 - a pair
            return {}
        weight = self.met[np.ix_(known, known)] / (self.met[np.ix_(known, known)] + _FEW)
        means = (self.strength[np.ix_(known, known)] * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), _TINY)
        nets = means * weight.sum() / (len(known) * (len(known) - 1))
        return dict(zip(codes, map(float, nets), strict=True))

    def lags(self) -> Lags:
        """Return the lags by which alarm types that go together follow each other, and which hardly come alone."""
        share = np.maximum(self.together, self.together.T)
        near = share >= _TOGETHER
        bound = {
            name: frozenset(self.types[other] for other in np.flatnonzero(row).tolist())
            for name, row in zip(self.types, share >= _BOUND, strict=True)
        }
        pairs = zip(*np.nonzero(near), strict=True)
        means = {(self.types[one], self.types[other]): int(self.lag_us[one, other]) for one, other in pairs}
        return Lags(frozenset(self.types), means, bound)


def learn_precedence(incidents: Iterable[Sequence[Alarm]]) -> Precedence:
    """Return what the raised alarms of past incidents say; those without instants say nothing.

    Of two types each onset is compared with the nearest of the other, on its own element where there is any, else in
    its incident. Cost: onsets times the types of each incident.
    """
    raised = [[alarm for alarm in alarms if alarm.ts is not None and not alarm.clears] for alarms in incidents]
    counts = Counter(kind for alarms in raised for kind in {alarm.alarm_type for alarm in alarms})
    tally = _Tally(tuple(sorted(kind for kind, _ in counts.most_common(_MOST_TYPES))))
    for alarms in raised:
        tally.add(alarms)
    return tally.precedence()


class _Onsets(NamedTuple):
    """Onsets in one array each: how long after the first, µs, and the element that `key` puts far from all others."""

    after: Ints
    key: Ints
    element: Ints

    @classmethod
    def of(cls, instants: Ints, element: Ints) -> _Onsets:
        """Return onsets with pauses, within which nothing is near, cut short, so that keys keep within 64 bits."""
        order = np.argsort(instants, kind="stable")
        after = np.empty_like(instants)
        after[order] = np.concatenate([[0], np.minimum(np.diff(instants[order]), _PAUSE_US).cumsum()])
        return cls(after, after + element * (int(after.max()) + 2 * _PAUSE_US), element)

    def nearest(self, theirs: Ints) -> tuple[Ints, Bools]:
        """Return how long after the nearest of some onsets each was, µs, and whether one led up to it.

        `theirs` are positions; those on the element of each count alone, where there are any.
        """
        anywhere, by_element = np.sort(self.after[theirs]), theirs[np.argsort(self.key[theirs])]
        place = np.searchsorted(self.key[by_element], self.key)
        before, behind = by_element[np.maximum(place - 1, 0)], by_element[np.minimum(place, len(theirs) - 1)]
        here = (self.element[before] == self.element) | (self.element[behind] == self.element)
        gaps = np.where(here, _gaps(self.key, self.key[by_element]), _gaps(self.after, anywhere))
        led = np.where(here, _led_up_to(self.key, self.key[by_element]), _led_up_to(self.after, anywhere))
        return gaps, led


class _Tally:
    """Counts of onsets; of pairs, the row is the other type near an onset of the column."""

    def __init__(self, types: tuple[str, ...]) -> None:
        size = (len(types), len(types))
        self._types = types
        self._codes = {name: code for code, name in enumerate(types)}
        self._onsets, self._starts = np.zeros(len(types)), np.zeros(len(types))
        self._met, self._near, self._same, self._before, self._apart_us = (np.zeros(size) for _ in range(5))

    def add(self, alarms: Sequence[Alarm]) -> None:
        """Count the onsets of one incident."""
        known = [alarm for alarm in alarms if alarm.alarm_type in self._codes]
        if not known:
            return
        present, kind = np.unique([self._codes[alarm.alarm_type] for alarm in known], return_inverse=True)
        names = {name: code for code, name in enumerate({alarm.element: None for alarm in known})}
        element = np.array([names[alarm.element] for alarm in known], np.int64)
        onsets = _Onsets.of(np.array([alarm.ts for alarm in known], np.int64), element)
        starts = np.ones(len(known), np.bool_)  # none of another type just before or within the jitter
        for code, other in enumerate(present.tolist()):
            gaps, led = onsets.nearest(np.flatnonzero(kind == code))
            not_own = kind != code
            starts &= ~(led & not_own)
            self._count(other, present, kind[not_own], gaps[not_own])
        self._onsets[present] += np.bincount(kind)
        self._starts[present] += np.bincount(kind, starts)

    def _count(self, other: int, present: Ints, kind: Ints, gaps: Ints) -> None:
        """Count how far onsets of the present types were from the nearest of another."""

        def per_type(weights: Bools | Ints) -> Floats:
            return np.asarray(np.bincount(kind, weights, len(present)), np.float64)

        apart = np.abs(gaps)
        near = apart <= ADJACENT_US
        self._met[other, present[present != other]] += 1
        self._near[other, present] += per_type(near)
        self._same[other, present] += per_type(apart <= JITTER_US)
        self._before[other, present] += per_type(near & (gaps > JITTER_US))
        self._before[present, other] += per_type(near & (gaps < -JITTER_US))
        self._apart_us[other, present] += per_type(np.where(near, apart, 0))

    def precedence(self) -> Precedence:
        """Return what the counts say.

        Strength: the share of order, and within the jitter of what starts alone; times how far the two go together.
        Few onsets say little: the share is drawn towards no order.
        """
        both = np.maximum(self._near + self._near.T, 1)
        bound = self._near / np.maximum(self._near + self._starts, 1)  # of the column's starts, those with the row near
        leaning = self._before - self._before.T + (self._same + self._same.T) * (bound - bound.T)
        return Precedence(
            self._types,
            leaning / (both + _EVEN) * np.sqrt(bound * bound.T),
            self._met,
            self._near / np.maximum(self._onsets, 1),
            (self._apart_us + self._apart_us.T) / both,
        )


def _gaps(ours: Ints, theirs: Ints) -> Ints:
    """Return for each of our onsets how long after the nearest of theirs it was, which are sorted, in microseconds."""
    place = np.searchsorted(theirs, ours)
    earlier = ours - theirs[np.maximum(place - 1, 0)]
    later = ours - theirs[np.minimum(place, len(theirs) - 1)]
    nearest: Ints = np.where(np.abs(earlier) <= np.abs(later), earlier, later)
    return nearest


def _led_up_to(ours: Ints, theirs: Ints) -> Bools:
    """Return for each of our onsets whether one of theirs, which are sorted, was before it, or as good as at once."""
    begin = np.searchsorted(theirs, ours - ADJACENT_US)
    end = np.searchsorted(theirs, ours + JITTER_US, side="right")
    return end > begin
