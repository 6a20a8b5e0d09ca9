"""Counters that broke with their past: periods unlike those around them, and levels that changed for good.

A series is one counter of one object at one granularity period. Its own scatter decides what is unusual: the distance
of each period to the median of its neighbours, and the step between the medians before and behind it, each in units
of its median absolute deviation over the series (Hampel identifier; Pearson, Outliers in process modeling and
identification, 2002). A daily swing is in both of these, so that it is no break; levels that change by half and stay
are told from it where there are two days of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NEIGHBOURS: Final = 4  # periods before, and behind, that say what is usual
LEAST_PERIODS: Final = 3 * NEIGHBOURS  # of a series that has a past to break with
THRESHOLD: Final = 8.0  # deviations
_LEAST_SHARE: Final = 0.05  # of the usual level: the least scatter that counts and rates are thought to have
_LEAST_PART: Final = 0.01  # and of what may be negative
_NORMAL: Final = 1.4826  # standard deviations of a normal distribution in one median absolute deviation
_DAY_US: Final = 86_400_000_000
_DAYS: Final = 7  # before, whose same times say what is usual
_KEYS: Final = ("tenant", "ne_dn", "obj_ldn", "counter", "subcounter", "gran_s")


@dataclass(frozen=True, slots=True)
class Break:
    """One counter of one object that broke: what was usual, what was seen, and for how many periods."""

    element: str  # distinguished name of the object
    counter: str
    at_us: int  # begin of the first unusual period, µs since 1970 UTC
    period_us: int  # how long a period is
    periods: int | None  # None where the level stayed
    usual: float
    seen: float  # of several periods the one furthest off, of a level its median
    score: float  # deviations

    @property
    def rises(self) -> bool:
        """Return whether more was seen than usual."""
        return self.seen > self.usual


class _Series(NamedTuple):
    """One counter of one object, without gaps in its arrays."""

    element: str
    counter: str
    instants: NDArray[np.int64]  # begin of each period, µs, rising
    values: Floats


def breaks(rows: pa.Table) -> tuple[Break, ...]:
    """Return the breaks in rows of `pm_counters`, the most unusual first; of equal ones the earliest.

    Suspect and missing values, vectors, and series of fewer than twelve periods are left out. Rows may come in any
    order, and twice; of a period with several values the last counts. Cost: about three microseconds a value.
    """
    found = [each for series in _series(rows) for each in _of_series(series)]
    return tuple(sorted(found, key=by_score))


def by_score(found: Break) -> tuple[float, int, str, str]:
    """Return the key that sorts breaks, the most unusual first."""
    return (-found.score, found.at_us, found.element, found.counter)


def _series(rows: pa.Table) -> Iterator[_Series]:
    value = pc.coalesce(rows["value_f64"], pc.cast(rows["value_i64"], pa.float64(), safe=False))
    usable = pc.and_(pc.is_finite(value), pc.invert(pc.fill_null(rows["suspect"], fill_value=False)))
    usable = pc.and_(pc.fill_null(usable, fill_value=False), pc.is_valid(rows["begin_ts"]))
    known = rows.select(list(_KEYS)).append_column("at", rows["begin_ts"].cast(pa.int64()))
    known = known.append_column("value", value).filter(usable)
    if not known.num_rows:
        return
    grouped = known.group_by(list(_KEYS), use_threads=False).aggregate([("at", "list"), ("value", "list")])
    at, values = (grouped[name].combine_chunks() for name in ("at_list", "value_list"))
    bounds = at.offsets.to_numpy()
    instants, numbers = at.values.to_numpy(), values.values.to_numpy()
    names = (grouped[name].to_pylist() for name in _KEYS[1:5])
    for (ne_dn, obj_ldn, counter, sub), begin, end in zip(zip(*names, strict=True), bounds, bounds[1:], strict=False):
        if end - begin >= LEAST_PERIODS:
            times, last = np.unique(instants[begin:end][::-1], return_index=True)
            name = counter if sub is None else f"{counter}.{sub}"
            yield _Series(_element(ne_dn, obj_ldn), name, times, numbers[begin:end][::-1][last])


def _element(ne_dn: str | None, obj_ldn: str | None) -> str:
    """Return the distinguished name of an object, whose local name may begin with that of its element (TS 32.432)."""
    if not ne_dn or not obj_ldn:
        return ne_dn or obj_ldn or "?"
    head = ne_dn.rpartition(",")[2]
    return ne_dn.removesuffix(head) + obj_ldn if obj_ldn.partition(",")[0] == head else f"{ne_dn},{obj_ldn}"


def _of_series(series: _Series) -> Iterator[Break]:
    instants, values = series.instants, series.values
    if len(values) < LEAST_PERIODS:
        return
    period_us = int(np.median(np.diff(instants)))
    for begin, periods, usual, seen, score in _breaks(values, instants):
        at_us = int(instants[begin])
        yield Break(series.element, series.counter, at_us, period_us, periods, usual, seen, score)


def _breaks(values: Floats, instants: NDArray[np.int64]) -> Iterator[tuple[int, int | None, float, float, float]]:
    """Yield begin, periods, usual, seen and score of each break of a series without gaps."""
    scaled, floor = _scaled(values)
    before, behind, around = _medians(values)
    steps, oddness = _steps(scaled, instants, floor), _deviations(scaled - _medians(scaled)[2], floor)
    taken = np.zeros(len(values), np.bool_)
    for at in np.argsort(-steps, kind="stable").tolist():
        if steps[at] < THRESHOLD:
            break
        lo, hi = max(0, at - NEIGHBOURS), at + NEIGHBOURS
        if not taken[lo:hi].any() and hi <= len(values):
            taken[lo:hi] = True
            yield at, None, float(before[at]), float(behind[at]), float(steps[at])
    odd = (oddness >= THRESHOLD) & ~taken
    edges = np.flatnonzero(np.diff(np.concatenate(([0], odd.view(np.int8), [0]))))
    for begin, end in edges.reshape(-1, 2).tolist():
        worst = begin + int(np.argmax(oddness[begin:end]))
        yield begin, end - begin, float(around[worst]), float(values[worst]), float(oddness[worst])


def _scaled(values: Floats) -> tuple[Floats, float]:
    """Return values of which the scatter does not depend on the level, and the least scatter they are thought to have.

    Counts and rates scatter in proportion to their level (logarithm); what may be negative, as power in dBm, does not.
    """
    level = float(np.median(np.abs(values)))
    finest = 1.0 if (values == np.rint(values)).all() else _finest(values) if level == 0 else 0.0
    if values.min() < 0:
        return values, max(finest, _LEAST_PART * level)
    least = max(finest, _LEAST_SHARE * level)
    return np.log(values + least), least / (level + least)


def _finest(values: Floats) -> float:
    """Return the least step between two values."""
    return float(np.diff(np.unique(values)).min())


def _steps(scaled: Floats, instants: NDArray[np.int64], floor: float) -> Floats:
    """Return of each place how unusual the step of the level there is, (n,), also beside the same times of days before.

    What days before do too is no break; nor is the end of one in what days before say, which takes no step itself.
    """
    before, behind, _ = _medians(scaled)
    step = behind - before
    alone = _deviations(step, floor)
    past = np.stack([_on_day(scaled, instants, back) for back in range(1, _DAYS + 1)])
    known = np.isfinite(past).any(axis=0)
    if known.sum() < LEAST_PERIODS:
        return alone
    rest = scaled[known] - _median(past[:, known].T)
    first, last, _ = _medians(rest)
    beside = np.zeros(len(scaled))
    own = step[known]
    agrees = (np.sign(last - first) == np.sign(own)) & (2 * np.abs(own) >= np.abs(last - first))
    beside[known] = np.where(agrees, _deviations(last - first, floor), 0.0)
    return np.where(known, beside, alone)


def _on_day(scaled: Floats, instants: NDArray[np.int64], back: int) -> Floats:
    """Return the values so many days before, NaN where there are none."""
    wanted = instants - back * _DAY_US
    at = np.minimum(np.searchsorted(instants, wanted), len(instants) - 1)
    return np.where(instants[at] == wanted, scaled[at], np.nan)


def _deviations(apart: Floats, floor: float) -> Floats:
    return np.abs(apart) / max(_NORMAL * float(np.median(np.abs(apart))), floor)


def _medians(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return of each place the medians of what stands before it, from it on, and on both sides without it."""
    pad = np.full(NEIGHBOURS, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate((pad, values, pad)), 2 * NEIGHBOURS + 1)
    before, behind = windows[:, :NEIGHBOURS], windows[:, NEIGHBOURS:-1]
    return _median(before), _median(behind), _median(np.delete(windows, NEIGHBOURS, axis=1))


def _median(windows: Floats) -> Floats:
    """Return the median of each row without its NaNs; of a row of NaNs alone, the median of all."""
    ordered = np.sort(windows, axis=1)  # NaNs last
    count = np.isfinite(ordered).sum(axis=1)
    low, high = (
        np.take_along_axis(ordered, at[:, None], 1)[:, 0] for at in ((np.maximum(count, 1) - 1) // 2, count // 2)
    )
    return np.where(count > 0, (low + high) / 2, np.nanmedian(windows))
