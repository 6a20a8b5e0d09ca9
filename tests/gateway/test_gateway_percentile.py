"""Percentiles over what was seen lately, in bounded memory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.gateway.routing.percentile import ENOUGH, HALF_LIFE_S, Durations

SPANS = st.lists(st.floats(0.2, 1e6), min_size=int(ENOUGH), max_size=300)


@given(SPANS, st.sampled_from([50.0, 95.0, 99.0]))
def test_a_percentile_is_within_nine_percent_of_the_true_one(spans: list[float], percentile: float) -> None:
    seen = Durations(0.0)
    for ms in spans:
        seen.add(ms, 0.0)
    found = seen.percentile(percentile, 0.0)
    rank = min(math.floor(len(spans) * percentile / 100 + 1e-9), len(spans) - 1)
    near = sorted(spans)[max(rank - 1, 0) : rank + 2]
    assert found is not None
    assert near[0] / 1.1 <= found <= near[-1] * 1.1


def test_too_few_durations_tell_nothing_and_old_ones_fade_into_that() -> None:
    seen = Durations(0.0)
    for _ in range(int(ENOUGH) - 1):
        seen.add(5.0, 0.0)
    assert seen.percentile(95.0, 0.0) is None
    seen.add(5.0, 0.0)
    assert seen.percentile(95.0, 0.0) == pytest.approx(5.0, rel=0.1)
    assert seen.percentile(95.0, 1.0) is None  # a second has passed: they count a little less
    for _ in range(10):
        seen.add(5.0, 1.0)
    assert seen.percentile(95.0, 2.0) == pytest.approx(5.0, rel=0.1)
    assert seen.percentile(95.0, 2.0 + HALF_LIFE_S) is None


def test_newer_durations_outweigh_older_ones() -> None:
    seen = Durations(0.0)
    for _ in range(100):
        seen.add(1000.0, 0.0)
    for _ in range(100):
        seen.add(10.0, 10 * HALF_LIFE_S)
    assert seen.percentile(95.0, 10 * HALF_LIFE_S) == pytest.approx(10.0, rel=0.1)


def test_weights_stay_finite_over_years() -> None:
    seen = Durations(0.0)
    for year in range(5):
        for step in range(50):
            seen.add(90.0 + 0.4 * step, year * 3.15e7)
    assert seen.percentile(50.0, 4 * 3.15e7) == pytest.approx(100.0, rel=0.15)


@pytest.mark.parametrize("ms", [0.0, 1e-9, 1e300])
def test_a_duration_of_any_size_is_counted(ms: float) -> None:
    seen = Durations(0.0)
    for _ in range(int(ENOUGH)):
        seen.add(ms, 0.0)
    assert seen.percentile(95.0, 0.0) is not None
