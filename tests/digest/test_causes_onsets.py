from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_causes import columns

from cellwright.digest.causes_evidence import beyond_flanks, came_first
from cellwright.digest.causes_fit import background_of, effects_of, fit, intensity, log_likelihood
from cellwright.digest.causes_onsets import (
    BIN_ENDS_MS,
    BINS,
    FLANK_END_MS,
    JITTER_MS,
    Neighbours,
    Onsets,
    correlogram,
    exposure,
    neighbours_of,
    onsets_of,
    pairs_of,
)

N_TYPES, N_ELEMENTS = 3, 4
ROWS = st.lists(
    st.tuples(st.integers(0, N_TYPES - 1), st.integers(0, N_ELEMENTS - 1), st.integers(0, 12_000)),
    min_size=1,
    max_size=40,
)
TOPOLOGY = st.none() | st.lists(st.tuples(*[st.integers(0, N_ELEMENTS - 1)] * 2), max_size=5)


def made(rows: list[tuple[int, int, int]], links: list[tuple[int, int]] | None) -> tuple[Onsets, Neighbours | None]:
    onsets = onsets_of(columns([(kind, element, float(at)) for kind, element, at in rows], ("a", "b", "c")), N_ELEMENTS)
    return onsets, neighbours_of(links, N_ELEMENTS)


def adjacent(links: list[tuple[int, int]] | None, one: int, other: int) -> bool:
    return one != other and bool({(one, other), (other, one)} & set(links or []))


def step(lag_ms: int) -> int:
    return sum(lag_ms > end for end in BIN_ENDS_MS)


@settings(deadline=None)
@given(ROWS)
def test_an_onset_follows_a_quarter_of_an_hour_of_quiet(rows: list[tuple[int, int, int]]) -> None:
    onsets, _ = made(rows, None)
    begun = []
    for kind, element, at in sorted(set(rows), key=lambda row: row[2]):
        before = [other for *same, other in rows if same == [kind, element] and other < at]
        if not before or at - max(before) >= 900:
            begun.append((element, at, kind))
    times = (onsets.at_ms - FLANK_END_MS - 1) // 1000 + min(at for *_, at in rows)
    assert list(zip(onsets.elements, times, onsets.types, strict=True)) == sorted(begun)


@settings(deadline=None)
@given(ROWS, TOPOLOGY, st.sampled_from([-JITTER_MS, 1]), st.sampled_from([BIN_ENDS_MS[-1], FLANK_END_MS]))
def test_pairs_are_all_that_lie_near_each_other(
    rows: list[tuple[int, int, int]], links: list[tuple[int, int]] | None, least: int, most: int
) -> None:
    onsets, neighbours = made(rows, links)
    expected = []
    for effect in range(len(onsets)):
        for cause in range(len(onsets)):
            lag = int(onsets.at_ms[effect] - onsets.at_ms[cause])
            same = onsets.elements[effect] == onsets.elements[cause]
            if effect != cause and least <= lag <= most:
                if same:
                    expected.append((effect, cause, 0, lag, step(lag)))
                elif adjacent(links, int(onsets.elements[effect]), int(onsets.elements[cause])):
                    expected.append((effect, cause, 1, lag, step(lag)))
    found = pairs_of(onsets, neighbours, (least, most))
    assert sorted(zip(found.effect, found.cause, found.hop, found.lag_ms, found.bin, strict=True)) == sorted(expected)


@settings(deadline=None)
@given(ROWS, TOPOLOGY)
def test_a_correlogram_counts_the_pairs_and_its_coincidences_are_mutual(
    rows: list[tuple[int, int, int]], links: list[tuple[int, int]] | None
) -> None:
    onsets, neighbours = made(rows, links)
    near = correlogram(onsets, neighbours)
    assert near.sum() == len(pairs_of(onsets, neighbours, (-JITTER_MS, FLANK_END_MS)).effect)
    assert (near[:, 0] == near[:, 0].transpose(0, 2, 1)).all()
    assert came_first(near) + came_first(near).T == pytest.approx(np.ones((N_TYPES, N_TYPES)))


@settings(deadline=None)
@given(ROWS, TOPOLOGY, st.sampled_from([-JITTER_MS, 1]), st.integers(0, 6_000), st.integers(1, 6_000))
def test_exposure_is_the_time_in_which_effects_could_have_begun(
    rows: list[tuple[int, int, int]], links: list[tuple[int, int]] | None, least: int, start: int, lasts: int
) -> None:
    onsets, neighbours = made(rows, links)
    first = int(onsets.at_ms.min())
    window = (first + 1000 * start, first + 1000 * (start + lasts))
    expected = np.zeros((1 if links is None else 2, BINS, N_TYPES))
    for kind, element, at in zip(onsets.types, onsets.elements, onsets.at_ms, strict=True):
        reached = sum(adjacent(links, int(element), other) for other in range(N_ELEMENTS))
        for place, (after, until) in enumerate(zip((least - 1, *BIN_ENDS_MS[:-1]), BIN_ENDS_MS, strict=True)):
            lasting = max(0, min(window[1], at + until) - max(window[0], at + after))
            expected[0, place, kind] += lasting
            if links is not None:
                expected[1, place, kind] += lasting * reached
    assert exposure(onsets, neighbours, window, least) == pytest.approx(expected)


GROUPS = st.lists(st.integers(0, N_ELEMENTS - 1), min_size=N_ELEMENTS, max_size=N_ELEMENTS)


@settings(deadline=None)
@given(ROWS, st.lists(st.tuples(*[st.integers(0, N_ELEMENTS - 1)] * 2), max_size=5), GROUPS)
def test_groups_say_what_links_between_all_of_their_elements_would(
    rows: list[tuple[int, int, int]], links: list[tuple[int, int]], groups: list[int]
) -> None:
    """Elements of one group are adjacent, and those of two that are linked."""
    pairs = [
        (one, other)
        for one in range(N_ELEMENTS)
        for other in range(one)
        if groups[one] == groups[other] or adjacent(links, groups[one], groups[other])
    ]
    onsets, alone = made(rows, pairs)
    grouped = neighbours_of(links, N_ELEMENTS, groups)
    assert alone is not None
    assert grouped is not None
    assert grouped.degree.tolist() == alone.degree.tolist()
    assert (correlogram(onsets, grouped) == correlogram(onsets, alone)).all()
    expected, found = (pairs_of(onsets, each, (-JITTER_MS, FLANK_END_MS)) for each in (alone, grouped))
    assert sorted(zip(found.effect, found.cause, found.hop, found.lag_ms, strict=True)) == sorted(
        zip(expected.effect, expected.cause, expected.hop, expected.lag_ms, strict=True)
    )
    window = (int(onsets.at_ms.min()), int(onsets.at_ms.max()) + 1)
    assert exposure(onsets, grouped, window, 1) == pytest.approx(exposure(onsets, alone, window, 1))


def test_an_element_of_many_objects_takes_as_much_as_many_elements_of_one() -> None:
    """What is held grows with the objects, not with their pairs."""
    for count in (100, 1_000, 10_000):
        found = neighbours_of([(0, 1)], count, [0] * (count - 1) + [1])
        assert found is not None
        assert found.group.size + found.start.size + found.other.size <= count + 6
        assert found.degree.tolist() == [count - 1] * count


def test_the_fit_finds_the_rates_that_made_the_onsets() -> None:
    random = np.random.default_rng(1)
    rows: list[tuple[int, int, float]] = []
    for element in range(30):
        for at in random.random(20) * 10**6:
            rows.append((0, element, at))
            rows += [(1, element, at + random.uniform(3.1, 12)) for _ in range(random.random() < 0.6)]
        rows += [(1, element, at) for at in random.random(20) * 10**6]
    onsets = onsets_of(columns(rows, ("cause", "effect")), 30)
    window = (int(onsets.at_ms.min()), int(onsets.at_ms.max()) + 1)
    background = background_of(onsets, window[1] - window[0])
    effect = effects_of(onsets, None, background, window, 1)[1]
    found = fit(effect)
    by_cause = (found.rates * effect.exposure).reshape(2, BINS)
    causes = int(onsets.counts()[0])
    assert by_cause[0, 1] / causes == pytest.approx(0.6, abs=0.06)
    assert by_cause.sum() - by_cause[0, 1] < 0.1 * by_cause[0, 1]
    assert found.scale * effect.total == pytest.approx(onsets.counts()[1] - by_cause.sum(), rel=0.02)
    assert log_likelihood(effect, found) > log_likelihood(effect, found._replace(scale=1, rates=0 * found.rates)) + 500
    assert (intensity(effect, found) > 0).all()
    for factor in (0.8, 1.25):  # it is a maximum
        assert log_likelihood(effect, found) > log_likelihood(effect, found._replace(rates=factor * found.rates))


def test_rates_of_rare_pairs_are_drawn_to_their_types_average_and_add_up() -> None:
    onsets, _ = made([(0, 0, 0), (0, 0, 2_000), (0, 0, 4_000), (0, 1, 0), (1, 1, 5)], None)
    background = background_of(onsets, 10_000)
    rate = dict(
        zip(zip(onsets.elements.tolist(), onsets.types.tolist(), strict=True), background.at(onsets), strict=True)
    )
    assert 2 / 10_000 < rate[0, 0] < 3 / 10_000
    assert 1 / 10_000 < rate[1, 0] < 2 / 10_000
    assert background.rates()[0] * background.n_elements * 10_000 == pytest.approx(4, rel=0.1)
    assert background.rates()[2] > 0  # never seen is not impossible


def test_flanks_tell_a_storm_from_a_cause_and_one_coincidence_from_a_habit() -> None:
    near = np.zeros((1, BINS + 1, 4, 4), np.int64)
    near[0, :, 0, 1] = [0, 0, 0, 1, 12, 40]  # as dense near by as in the flanks
    near[0, 2, 2, 3] = 30
    near[0, 0, 1, 2] = near[0, 0, 2, 1] = 1
    near[0, BINS, 3, 0] = 500  # rarer near by than in the flanks
    assert np.argwhere(beyond_flanks(near)).tolist() == [[2, 3], [3, 2]]


def test_links_to_itself_or_twice_do_not_count() -> None:
    neighbours = neighbours_of([(0, 1), (1, 0), (0, 1), (2, 2)], 3)
    assert neighbours is not None
    assert neighbours.degree.tolist() == [1, 1, 0]
    assert neighbours.other.tolist() == [1, 0]
