"""Self-exciting point process of onsets: how often each type begins near each other one, by maximum likelihood.

Onsets of type j begin on element n at `base[n, j]` plus the sum of `rates[i, hop, bin, j]` over the onsets of types i
near by: a multivariate Hawkes process with piecewise constant kernels (Hawkes, Biometrika 58, 1971), fitted by
expectation maximisation (Veen and Schoenberg, JASA 103, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.digest.causes_onsets import BINS, HORIZON_MS, Floats, Ints, exposure, pairs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.causes_onsets import Neighbours, Onsets

_ROUNDS: Final = 100
_KIN: Final = 0.5  # an element's own rate counts as much as half an element of the average rate
_UNSEEN: Final = 0.5  # onsets added to those of each type, so that none is impossible
_PRIOR_ONSETS: Final = 1.0  # by themselves, added likewise


@dataclass(frozen=True, slots=True)
class Background:
    """How often onsets of each type begin on each element by themselves, were there no causes."""

    keys: Ints  # (pairs,) element * types + type of each pair seen, ascending
    counts: Ints  # (pairs,)
    means: Floats  # (types,) onsets of an average element
    n_elements: int
    duration_ms: int

    def at(self, onsets: Onsets) -> Floats:
        """Return the rate per millisecond of each onset's own type on its own element."""
        keys = onsets.elements * onsets.n_types + onsets.types
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        counts = np.where(self.keys[place] == keys, self.counts[place], 0)
        return (counts + _KIN * self.means[onsets.types]) / ((1 + _KIN) * self.duration_ms)

    def rates(self) -> Floats:
        """Return the rate per millisecond of each type on an average element, (types,)."""
        seen = np.bincount(self.keys % len(self.means), self.counts, len(self.means)) / self.n_elements
        return (seen + _KIN * self.means) / ((1 + _KIN) * self.duration_ms)


@dataclass(frozen=True, slots=True)
class Effects:
    """Onsets of one type, and which onsets of which types are near each: a column is (cause type, hop, bin)."""

    base: Floats  # (onsets,) rate per millisecond by itself
    total: float  # onsets by themselves, over all elements and the window
    row: Ints  # (entries,)
    column: Ints  # (entries,) ascending
    lag_ms: Ints  # (entries,)
    exposure: Floats  # (columns,) element-milliseconds

    def of(self, causes: Sequence[int], width: int) -> Effects:
        """Return the same onsets with no types but these as causes, in this order; each has `width` columns."""
        spans = [slice(*np.searchsorted(self.column, (cause * width, (cause + 1) * width))) for cause in causes]
        moved = [(place - cause) * width for place, cause in enumerate(causes)]
        return Effects(
            self.base,
            self.total,
            np.concatenate([self.row[span] for span in spans]),
            np.concatenate([self.column[span] + shift for span, shift in zip(spans, moved, strict=True)]),
            np.concatenate([self.lag_ms[span] for span in spans]),
            np.concatenate([self.exposure[cause * width : (cause + 1) * width] for cause in causes]),
        )


class Fit(NamedTuple):
    """The background as a share of what it would be without causes, and the rates by column."""

    scale: float
    rates: Floats  # (columns,) per millisecond


def background_of(onsets: Onsets, duration_ms: int) -> Background:
    """Return the rates that the counts of a window suggest, those of rare pairs drawn towards their type's average."""
    keys, counts = np.unique(onsets.elements * onsets.n_types + onsets.types, return_counts=True)
    n_elements = len(np.unique(onsets.elements))
    return Background(keys, counts, (onsets.counts() + _UNSEEN) / n_elements, n_elements, duration_ms)


def effects_of(
    onsets: Onsets,
    neighbours: Neighbours | None,
    background: Background,
    window_ms: tuple[int, int],
    least_lag_ms: int,
) -> list[Effects]:
    """Return by type the onsets within a window and what their rate may depend on; earlier onsets count as causes."""
    near = pairs_of(onsets, neighbours, (least_lag_ms, HORIZON_MS))
    exposed = exposure(onsets, neighbours, window_ms, least_lag_ms)
    column = (onsets.types[near.cause] * len(exposed) + near.hop) * BINS + near.bin
    inside = (onsets.at_ms >= window_ms[0]) & (onsets.at_ms < window_ms[1])
    base, totals = background.at(onsets), background.rates() * background.n_elements * (window_ms[1] - window_ms[0])
    order = np.lexsort((column, onsets.types[near.effect]))
    order = order[inside[near.effect[order]]]
    cuts = np.searchsorted(onsets.types[near.effect[order]], np.arange(onsets.n_types + 1))
    found = []
    for kind in range(onsets.n_types):
        chosen = np.flatnonzero(inside & (onsets.types == kind))
        entries = order[cuts[kind] : cuts[kind + 1]]
        row = np.searchsorted(chosen, near.effect[entries])
        columns = exposed.transpose(2, 0, 1).ravel()
        found.append(Effects(base[chosen], float(totals[kind]), row, column[entries], near.lag_ms[entries], columns))
    return found


def fit(effects: Effects) -> Fit:
    """Return the likeliest background and rates after a fixed number of rounds."""
    counts = np.bincount(effects.column, minlength=len(effects.exposure))
    divisor = np.where(counts > 0, effects.exposure, 1.0)
    rates = counts / divisor / max(1.0, len(effects.row) / max(len(effects.base), 1)) / 2
    made = Fit(0.5, rates)
    for _ in range(_ROUNDS):
        weight = 1 / intensity(effects, made)
        explained = np.bincount(effects.column, weight[effects.row], len(rates))
        alone = made.scale * float(effects.base @ weight) + _PRIOR_ONSETS
        made = Fit(alone / (effects.total + _PRIOR_ONSETS), made.rates * explained / divisor)
    return made


def intensity(effects: Effects, made: Fit) -> Floats:
    """Return the rate per millisecond of each onset, (onsets,)."""
    return made.scale * effects.base + np.bincount(effects.row, made.rates[effects.column], len(effects.base))


def log_likelihood(effects: Effects, made: Fit) -> float:
    """Return how likely a fit makes these onsets and no others in their window, in nats."""
    expected = made.scale * effects.total + float(effects.exposure @ made.rates)
    return float(np.log(intensity(effects, made)).sum()) - expected
