"""Learned salience: which log templates and counters go with incidents, and which are there on any day.

A lake's past tells of each signal how many incidents had it beside them, and how many would have by chance, were it as
frequent there as on the same elements at all other times. What was never seen is worth what its own looks are worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotation
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.digest.templates import mask, template_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.digest.counters import Break

_CHARS: Final = 200  # of a line that its name is made of: long lines are told without their middle


@dataclass(frozen=True, slots=True)
class Seen:
    """How often one signal stood beside incidents."""

    met: int  # incidents that had it
    expected: float  # incidents that would have had it by chance

    @property
    def related(self) -> float:
        """Return the share of its meetings that chance does not explain, 0..1, with one more that it does not.

        Chance explains as many as it brings, and a standard deviation (Poisson).
        """
        by_chance = self.expected + math.sqrt(self.expected)
        return max((self.met + 1 - by_chance) / (self.met + 1), 0.0)

    @property
    def gain(self) -> float:
        """Return how much more often than by chance it was met, in nats, 0 or more."""
        return max(math.log((self.met + 1) / (self.expected + 1)), 0.0)


_UNSEEN: Final = Seen(0, 0.0)


@dataclass(frozen=True, slots=True)
class SalienceQuality:
    """How many signals of held-out incidents, confirmed by these alone, a short budget kept."""

    tested: int  # incidents
    signals: int  # confirmed, of all of them
    tokens: int  # of the budget
    kept: float  # share, 0..1, by what the time before taught
    unlearned: float  # share, 0..1, without it

    @property
    def accepted(self) -> bool:
        """Return whether no less is kept than without what was learned."""
        return self.signals > 0 and self.kept >= self.unlearned


@dataclass(frozen=True, slots=True)
class LearnedSalience:
    """What a lake's past says of log lines and of counters, by the names that `keys_of` gives and by their own."""

    incidents: int  # learned from
    templates: Mapping[str, Seen]
    counters: Mapping[str, Seen]
    quality: SalienceQuality

    def of_lines(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how far each line is related to incidents, 0..1, and by how much more than by chance, nats; (n,)."""
        keys = keys_of(texts)
        worth = {key: (seen.related, seen.gain) for key in set(keys) for seen in (self.templates.get(key, _UNSEEN),)}
        related, gain = np.array([worth[key] for key in keys], np.float64).reshape(-1, 2).T
        return related, gain

    def ordered(self, found: Sequence[Break]) -> list[Break]:
        """Return breaks by how unusual they are and how far breaks of their counter go with incidents."""
        return sorted(found, key=lambda each: -each.score * self._weight(each.counter))

    def _weight(self, counter: str) -> float:
        seen = self.counters.get(counter, _UNSEEN)
        return seen.related * (1 + seen.gain)


def keys_of(texts: Sequence[str]) -> list[str]:
    """Return of each line the name that lines like it have at any time: a hash, from which no content comes back."""
    masked = mask([text[:_CHARS] for text in texts])
    names = [template_id(line) for line in masked.dictionary.to_pylist()]
    return [names[code] for code in masked.indices.to_pylist()]
