"""Which alarm types bring about which others, learned from a list of alarms; deterministic, no labels needed.

The chance of an edge is a product of two:
- that the two belong together, half for each test passed: knowing the onsets of one makes those of the other likelier
  than its own history does, and they are denser around each other than in the flanks of their correlogram;
- that it is this one that comes first: in how many of their meetings it did, half of what falls within the jitter of
  detection counting for either.
The edges kept are those with the largest expected F1 at these chances (where the order says little, both directions
of a pair). The rates are those of one process in which all types compete as causes, so that nothing is explained twice.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cellwright.digest.causes_evidence import best_edges, beyond_flanks, beyond_history, came_first
from cellwright.digest.causes_fit import background_of, effects_of, fit, intensity, log_likelihood
from cellwright.digest.causes_onsets import BIN_ENDS_MS, BINS, JITTER_MS, Floats, correlogram, neighbours_of, onsets_of
from cellwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.causes_fit import Effects, Fit
    from cellwright.digest.causes_onsets import AlarmColumns, Ints, Neighbours, Onsets

ACCEPTED_NATS: Final = math.log(20)  # over all tested onsets
MIN_ONSETS: Final = 100  # below, nothing that is learned could be told from chance
_TRAINING_SHARE: Final = 0.7  # of the onsets, the earliest ones, for the measured quality
_MS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Training:
    """What a graph was learned from; instants are microseconds as the alarms had them."""

    first_us: int
    last_us: int
    alarms: int
    onsets: int
    elements: int
    links: int
    sha256: str  # of the alarms in canonical order, and of the links


@dataclass(frozen=True, slots=True)
class Quality:
    """How well rates of the first 70 % of the onsets foretell the rest, from strictly earlier onsets alone."""

    gain_nats: float  # log-likelihood of an onset above that of constant rates, mean
    tested: int  # onsets

    @property
    def accepted(self) -> bool:
        """Return whether unseen onsets refute the constant rates at 5 %.

        Were these true, a likelihood ratio against them would reach 20 with a chance of 1 in 20 at most (Markov).
        """
        return self.gain_nats * self.tested > ACCEPTED_NATS


@dataclass(frozen=True, slots=True, eq=False)
class CauseGraph:
    """Alarm types, which of them cause which (row causes column), and the rates at which they do."""

    types: tuple[str, ...]
    edges: npt.NDArray[np.bool_]  # (types, types)
    strength: Floats  # (types, types) 0..1: onsets that one onset brings about, times how often it came first
    first: Floats  # (types, types) 0..1: how often the row began before the column when both began near each other
    lag_s: Floats  # (types, types) median, NaN where the row explains no onset of the column
    base_per_s: Floats  # (types,) rate of onsets without a cause, on an average element
    rates_per_s: Floats  # (hops, bins, types, types) what one onset adds to it: same element, adjacent element
    onsets: Ints  # (types,) learned from
    training: Training
    quality: Quality

    def code(self, alarm_type: str) -> int | None:
        """Return the row of an alarm type, None for one that was never seen."""
        return self.types.index(alarm_type) if alarm_type in self.types else None

    def chances(self, effect: int, causes: Ints, lags_s: Floats, hops: Ints) -> Floats:
        """Return the chance that each of the onsets near one of type `effect` brought it about, (onsets,).

        Their types, seconds from their onset to the effect's (negative where they came later) and hops (0 the same
        element, 1 an adjacent one). What remains to 1 is the chance that it began by itself.
        """
        lags_ms = np.rint(lags_s * _MS_PER_S).astype(np.int64)
        near = (lags_ms >= -JITTER_MS) & (lags_ms <= BIN_ENDS_MS[-1]) & (hops < len(self.rates_per_s))
        step = np.searchsorted(np.array(BIN_ENDS_MS[:-1]), lags_ms)
        rates = np.where(near, self.rates_per_s[np.where(near, hops, 0), step, causes, effect], 0.0)
        shares = rates / max(self.base_per_s[effect] + rates.sum(), np.finfo(float).tiny)
        return np.asarray(np.where(step == 0, shares * self.first[causes, effect], shares))


def learn(
    alarms: AlarmColumns, *, topology: npt.ArrayLike | None = None, groups: npt.ArrayLike | None = None
) -> CauseGraph:
    """Return the cause graph of a list of alarms, with its quality measured on the last part of the list.

    `topology` is (links, 2) element codes; with it, onsets on adjacent elements count too. With `groups`, (elements,),
    the links are between groups: their elements are adjacent, and those of one group. The same alarms in any order
    make the same graph. Raises UsageError where there are fewer than 100 onsets or all are at one instant.
    """
    links = None if topology is None else np.asarray(topology, np.int64).reshape(-1, 2)
    last_code = -1 if links is None or groups is not None else int(links.max(initial=-1))
    n_elements = 1 + max(int(alarms.element_codes.max(initial=-1)), last_code)
    onsets, neighbours = onsets_of(alarms, n_elements), neighbours_of(links, n_elements, groups)
    _check(onsets)
    window = (int(onsets.at_ms.min()), int(onsets.at_ms.max()) + 1)
    background = background_of(onsets, window[1] - window[0])
    effects = effects_of(onsets, neighbours, background, window, -JITTER_MS)
    fits = [fit(each) for each in effects]
    near = correlogram(onsets, neighbours)
    first = came_first(near)
    belong = (beyond_history(effects, len(onsets)) / 2) + (beyond_flanks(near) / 2)
    rates = np.stack([_by_cause(made.rates, onsets.n_types) for made in fits], -1)  # (cause, hop, bin, effect)
    return CauseGraph(
        types=alarms.types,
        edges=best_edges(belong * first),
        strength=first * np.minimum(_brought_about(effects, fits, onsets.counts()), 1),
        first=first,
        lag_s=_lags(effects, fits),
        base_per_s=np.array([made.scale for made in fits]) * background.rates() * _MS_PER_S,
        rates_per_s=rates.transpose(1, 2, 0, 3) * _MS_PER_S,
        onsets=onsets.counts(),
        training=_training(alarms, links, neighbours, onsets),
        quality=_held_out(onsets, neighbours),
    )


def _check(onsets: Onsets) -> None:
    if len(onsets) < MIN_ONSETS or np.ptp(onsets.at_ms) == 0:
        raise UsageError.of(
            "too-few-alarms",
            f"only {len(onsets)} alarms that begin something",
            expected=f"{MIN_ONSETS} or more, at different instants",
            hint="learn from a longer time or from more elements",
        )


def _held_out(onsets: Onsets, neighbours: Neighbours | None) -> Quality:
    """Return how well the first part of the onsets foretells the last."""
    start, end = int(onsets.at_ms.min()), int(onsets.at_ms.max()) + 1
    split = int(np.quantile(onsets.at_ms, _TRAINING_SHARE)) + 1
    known = onsets.only(onsets.at_ms < split)
    background = background_of(known, split - start)
    learned = effects_of(known, neighbours, background, (start, split), 1)
    judged = effects_of(onsets, neighbours, background, (split, end), 1)
    gain, tested = 0.0, 0
    for seen, unseen in zip(learned, judged, strict=True):
        made = fit(seen)
        gain += log_likelihood(unseen, made) - log_likelihood(unseen, made._replace(scale=1, rates=0 * made.rates))
        tested += len(unseen.base)
    return Quality(gain / max(tested, 1), tested)


def _by_cause(columns: Floats, n_types: int) -> Floats:
    """Return columns as (causes, hops, bins)."""
    return columns.reshape(n_types, -1, BINS)


def _brought_about(effects: Sequence[Effects], fits: Sequence[Fit], counts: Ints) -> Floats:
    """Return how many onsets of each other type one of a type brings about; coincidences count half each way."""
    explained = np.stack(
        [_by_cause(made.rates * each.exposure, len(counts)) for each, made in zip(effects, fits, strict=True)], -1
    ).sum(1)
    with_it, after_it = explained[:, 0], explained[:, 1:].sum(1)
    onsets = (with_it + with_it.T) / 2 + after_it
    np.fill_diagonal(onsets, 0.0)
    return np.asarray(onsets / np.maximum(counts, 1)[:, None])


def _lags(effects: Sequence[Effects], fits: Sequence[Fit]) -> Floats:
    """Return the median time from each type to the onsets of each other that it explains."""
    n_types = len(effects)
    lags = np.full((n_types, n_types), np.nan)
    for effect, (each, made) in enumerate(zip(effects, fits, strict=True)):
        weight = made.rates[each.column] / intensity(each, made)[each.row]
        cause = each.column * n_types // len(each.exposure)
        order = np.lexsort((np.abs(each.lag_ms), cause))
        cuts = np.searchsorted(cause[order], np.arange(n_types + 1))
        for kind in np.flatnonzero(np.diff(cuts)):
            mine = order[cuts[kind] : cuts[kind + 1]]
            total = np.cumsum(weight[mine])
            if total[-1] > 0:
                middle = mine[np.searchsorted(total, total[-1] / 2)]
                lags[kind, effect] = abs(int(each.lag_ms[middle])) / _MS_PER_S
    return lags


def _training(alarms: AlarmColumns, links: Ints | None, neighbours: Neighbours | None, onsets: Onsets) -> Training:
    order = np.lexsort((alarms.element_codes, alarms.type_codes, alarms.onset_us))
    digest = hashlib.sha256("\n".join(alarms.types).encode())
    for column in (alarms.type_codes, alarms.element_codes, alarms.onset_us):
        digest.update(np.ascontiguousarray(column[order], "<i8").tobytes())
    pairs = np.zeros((0, 2), np.int64) if links is None else np.unique(np.sort(links, axis=1), axis=0)
    digest.update(np.ascontiguousarray(pairs, "<i8").tobytes())
    if neighbours is not None:
        digest.update(np.ascontiguousarray(neighbours.group, "<i8").tobytes())
    return Training(
        first_us=int(alarms.onset_us.min()),
        last_us=int(alarms.onset_us.max()),
        alarms=len(alarms.onset_us),
        onsets=len(onsets),
        elements=len(np.unique(alarms.element_codes)),
        links=0 if neighbours is None else int(neighbours.degree.sum()) // 2,
        sha256=digest.hexdigest(),
    )
