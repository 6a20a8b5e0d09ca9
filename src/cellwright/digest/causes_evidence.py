"""What speaks for an edge of the cause graph: that two types belong together, and which of them comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cellwright.digest.causes_fit import fit, intensity, log_likelihood
from cellwright.digest.causes_onsets import BIN_ENDS_MS, FLANK_END_MS, JITTER_MS, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.causes_fit import Effects
    from cellwright.digest.causes_onsets import Ints

_ERROR: Final = 0.05
_ORDER_BINS: Final = slice(1, 4)  # 3 s to 192 s: later onsets are as often the next fault's


def beyond_history(effects: Sequence[Effects], n_onsets: int) -> npt.NDArray[np.bool_]:
    """Return which types foretell each other better than each its own history does, (types, types), symmetric.

    In one direction at least, the gain in likelihood outweighs what the Bayesian information criterion (Schwarz 1978)
    charges for the parameters.
    """
    found = np.zeros((len(effects), len(effects)), bool)
    width = len(effects[0].exposure) // len(effects)
    charge = width / 2 * np.log(n_onsets)
    for effect, each in enumerate(effects):
        own = each.of([effect], width)
        history = fit(own)
        alone = log_likelihood(own, history)
        for cause in np.flatnonzero(_most_gained(each, intensity(own, history), width) > charge).tolist():
            if cause != effect:
                both = each.of([effect, cause], width)
                found[cause, effect] = log_likelihood(both, fit(both)) - alone > charge
    return found | found.T


def _most_gained(effects: Effects, alone: Floats, width: int) -> Floats:
    """Return what each cause could add to the likelihood at most, (causes,), where onsets alone have these rates.

    A cause explains no more onsets than are near it: its rate in each column is at most their number by the exposure.
    """
    counts = np.bincount(effects.column, minlength=len(effects.exposure))
    most = counts / np.where(counts > 0, effects.exposure, 1.0)
    gains = np.log1p(most[effects.column] / alone[effects.row])
    return np.asarray(np.bincount(effects.column // width, gains, len(effects.exposure) // width), np.float64)


def beyond_flanks(near: Ints) -> npt.NDArray[np.bool_]:
    """Return which types are denser around each other than in their own flanks, (types, types), symmetric.

    `near` is a correlogram. A storm of unrelated alarms fills the flanks as it fills the middle, so that they are the
    null to hold the middle against. Of the onsets in a bin and the flanks together, as many as are in the bin or more
    fall there with a chance of exp(-gain) at most (Chernoff 1952); with as many comparisons as there are bins and pairs
    of types, the chance that any of them errs stays below 5 % (Bonferroni).
    """
    hops, bins, n_types = near.shape[0], near.shape[1] - 1, near.shape[2]
    widths = np.diff((-JITTER_MS - 1, *BIN_ENDS_MS, FLANK_END_MS)).astype(float)
    counts, wide = near[:, :-1].astype(float), widths[:-1, None, None]
    flank = (near[:, -1:] + near[:, -1:].transpose(0, 1, 3, 2)).astype(float)
    gain = _term(counts, wide) + _term(flank, 2 * widths[-1]) - _term(counts + flank, wide + 2 * widths[-1])
    denser = counts / wide > flank / (2 * widths[-1])
    found = (denser & (gain > np.log(hops * bins * n_types * max(n_types - 1, 1) / _ERROR))).any((0, 1))
    np.fill_diagonal(found, val=False)
    return np.asarray(found | found.T)


def came_first(near: Ints) -> Floats:
    """Return how often each type began first when another began near it, (types, types).

    Of their coincidences, and of two more, each type gets half.
    """
    by_bin = near.sum(0)
    before, with_it = by_bin[_ORDER_BINS].sum(0), by_bin[0]
    return np.asarray((before + with_it / 2 + 1) / (before + before.T + with_it + 2))


def best_edges(chances: Floats) -> npt.NDArray[np.bool_]:
    """Return the edges with the largest expected F1, where `chances` says how likely each edge is; 0 is never one."""
    ranked = np.sort(chances.ravel())[::-1]
    expected = 2 * np.cumsum(ranked) / (np.arange(1, ranked.size + 1) + max(ranked.sum(), np.finfo(float).tiny))
    return np.asarray((chances > 0) & (chances >= ranked[expected.argmax()]))


def _term(counts: Floats, width: Floats | float) -> Floats:
    """Return the Poisson log-likelihood of counts at their own rate, up to what cancels."""
    return np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / width), 0.0)
