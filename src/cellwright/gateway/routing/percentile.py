"""Percentiles of durations as they come in, newer ones counting more: a decaying histogram of bounded memory.

Weights grow forwards in time in place of old ones shrinking (Cormode et al., "Forward decay", ICDE 2009), so that
adding costs the same whenever it happens.
"""

from __future__ import annotations

import math
from typing import Final

HALF_LIFE_S: Final = 60.0
ENOUGH: Final = 20.0  # weight below which a percentile is not told
_LOWEST_MS: Final = 0.1
_PER_OCTAVE: Final = 4  # buckets between a duration and its double
_OCTAVES: Final = 24  # up to 1,677 s
_BUCKETS: Final = _PER_OCTAVE * _OCTAVES
_MOST_HALVINGS: Final = 60.0  # of weights before they are written anew, far from what floats can hold


class Durations:
    """Durations in milliseconds seen lately; a percentile is within 9 % of the true one."""

    __slots__ = ("_origin_s", "_total", "_weights")

    def __init__(self, now_s: float) -> None:
        self._weights = [0.0] * _BUCKETS
        self._total = 0.0
        self._origin_s = now_s  # when a weight of 1 was given

    def add(self, ms: float, now_s: float) -> None:
        """Count a duration."""
        halvings = (now_s - self._origin_s) / HALF_LIFE_S
        if halvings > _MOST_HALVINGS:
            self._rewrite(now_s, halvings)
            halvings = 0.0
        weight = math.exp2(halvings)
        self._weights[_bucket(ms)] += weight
        self._total += weight

    def weight(self, now_s: float) -> float:
        """Return how many durations there are, each by what it counts now."""
        return self._total * math.exp2(-((now_s - self._origin_s) / HALF_LIFE_S))

    def percentile(self, percentile: float, now_s: float) -> float | None:
        """Return a percentile in milliseconds; None below `ENOUGH`."""
        if self.weight(now_s) < ENOUGH:
            return None
        above = self._total * (1.0 - percentile / 100.0)
        for bucket in range(_BUCKETS - 1, 0, -1):
            above -= self._weights[bucket]
            if above < 0.0:
                return _middle_ms(bucket)
        return _middle_ms(0)

    def _rewrite(self, now_s: float, halvings: float) -> None:
        """Give a weight of 1 to what comes in now."""
        factor = math.exp2(-halvings)
        self._weights = [weight * factor for weight in self._weights]
        self._total = math.fsum(self._weights)
        self._origin_s = now_s


def _bucket(ms: float) -> int:
    if ms <= _LOWEST_MS:
        return 0
    return min(int(math.log2(ms / _LOWEST_MS) * _PER_OCTAVE), _BUCKETS - 1)


def _middle_ms(bucket: int) -> float:
    """Return the geometric middle of a bucket."""
    return float(_LOWEST_MS * 2.0 ** ((bucket + 0.5) / _PER_OCTAVE))
