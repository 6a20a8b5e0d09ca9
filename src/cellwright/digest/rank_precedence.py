"""Precedence: how far one alarm type explains another, learned from past incidents without labels.

Where the onsets of two types are further apart than detection jitters, their order speaks. Within that, what starts
without the other does: a cause is seen to start on its own, an effect has one of its causes near.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cellwright.digest.alarms import JITTER_US
from cellwright.digest.correlate_episodes import ADJACENT_US, Lags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cellwright.digest.alarms import Alarm

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_TYPES: Final = 1_000  # that are learned, those of the most incidents; the tables of pairs are 8 MB each
_FEW: Final = 3  # incidents: what was met so often counts half
_EVEN: Final = 16  # onsets without order added to those of each pair, so that one draw of few incidents does not decide
_TINY: Final = 1e-9
_TOGETHER: Final = 0.1  # share of onsets from which two types count as following each other


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
        """Return the lags by which alarm types that go together follow each other."""
        near = np.maximum(self.together, self.together.T) >= _TOGETHER
        pairs = zip(*np.nonzero(near), strict=True)
        means = {(self.types[one], self.types[other]): int(self.lag_us[one, other]) for one, other in pairs}
        return Lags(frozenset(self.types), means)


def learn_precedence(incidents: Iterable[Sequence[Alarm]]) -> Precedence:
    """Return what the raised alarms of past incidents say; those without instants say nothing.

    Of two types each onset is compared with the nearest of the other, on its own element where there is any, else in
    its incident. Cost: elements times the square of the types of each incident; those cut for digests keep it small.
    """
    onsets = [_onsets(alarms) for alarms in incidents]
    counts = Counter(kind for incident in onsets for kind in incident)
    types = tuple(sorted(kind for kind, _ in counts.most_common(_MOST_TYPES)))
    tally = _Tally(types)
    for incident in onsets:
        known = {kind: ours for kind, ours in incident.items() if kind in tally.codes}
        for kind, ours in known.items():
            tally.add(kind, ours, {other: theirs for other, theirs in known.items() if other != kind})
    return tally.precedence()


class _Tally:
    """Counts of onsets; of pairs, the row is the other type near an onset of the column."""

    def __init__(self, types: tuple[str, ...]) -> None:
        size = (len(types), len(types))
        self._types = types
        self.codes = {name: code for code, name in enumerate(types)}
        self._onsets, self._starts = np.zeros(len(types)), np.zeros(len(types))
        self._met, self._near, self._same, self._before, self._apart_us = (np.zeros(size) for _ in range(5))

    def add(self, kind: str, ours: Mapping[str, Ints], others: Mapping[str, Mapping[str, Ints]]) -> None:
        """Count the onsets of one type in one incident."""
        mine = self.codes[kind]
        onsets = sum(map(len, ours.values()))
        starts = np.ones(onsets, np.bool_)  # none of another type just before or within the jitter
        for other, theirs in others.items():
            anywhere = np.sort(np.concatenate([*theirs.values()]))
            pairs = [(instants, theirs.get(element, anywhere)) for element, instants in ours.items()]
            gaps = np.concatenate([_nearest(*pair) for pair in pairs])
            starts &= ~np.concatenate([_preceded(*pair) for pair in pairs])
            apart = np.abs(gaps)
            near = apart <= ADJACENT_US
            place = self.codes[other], mine
            self._met[place] += 1
            self._near[place] += near.sum()
            self._same[place] += (apart <= JITTER_US).sum()
            self._before[place] += (near & (gaps > JITTER_US)).sum()
            self._before[place[::-1]] += (near & (gaps < -JITTER_US)).sum()
            self._apart_us[place] += apart[near].sum()
        self._onsets[mine] += onsets
        self._starts[mine] += starts.sum()

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


def _onsets(alarms: Sequence[Alarm]) -> dict[str, dict[str, Ints]]:
    """Return the sorted instants of raised alarms by type and element."""
    found: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for alarm in alarms:
        if alarm.ts is not None and not alarm.clears:
            found[alarm.alarm_type][alarm.element].append(alarm.ts)
    return {
        kind: {element: np.sort(np.array(instants, np.int64)) for element, instants in by_element.items()}
        for kind, by_element in found.items()
    }


def _nearest(ours: Ints, theirs: Ints) -> Ints:
    """Return for each of our onsets how long after the nearest of theirs it was, in microseconds."""
    place = np.searchsorted(theirs, ours)
    earlier = ours - theirs[np.maximum(place - 1, 0)]
    later = ours - theirs[np.minimum(place, len(theirs) - 1)]
    nearest: Ints = np.where(np.abs(earlier) <= np.abs(later), earlier, later)
    return nearest


def _preceded(ours: Ints, theirs: Ints) -> npt.NDArray[np.bool_]:
    """Return for each of our onsets whether one of theirs was before it, or as good as at once."""
    begin = np.searchsorted(theirs, ours - ADJACENT_US)
    end = np.searchsorted(theirs, ours + JITTER_US, side="right")
    return end > begin
