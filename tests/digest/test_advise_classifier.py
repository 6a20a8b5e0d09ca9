from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest import advise_classifier
from cellwright.digest.advise_classifier import blend, log_shares, rows_of, train
from cellwright.digest.advise_index import Vector


def sparse(dense: np.ndarray) -> list[Vector]:
    return [Vector(np.flatnonzero(row), row[np.flatnonzero(row)], 1.0) for row in dense]


@given(st.integers(0, 6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**16))
def test_sparse_products_equal_dense_ones_in_blocks_of_any_size(rows: int, columns: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    dense = random.normal(size=(rows, columns)) * (random.random((rows, columns)) < 0.5)
    other, left = random.normal(size=(columns, width)), random.normal(size=(rows, width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advise_classifier, "_BLOCK", 4)
        product = rows_of(sparse(dense)).times(other)
        turned = rows_of(sparse(dense)).turned(columns).times(left)
    assert product == pytest.approx(dense @ other)
    assert turned == pytest.approx(dense.T @ left)


def test_training_reaches_the_penalised_maximum_of_likelihood() -> None:
    random = np.random.default_rng(1)
    dense = np.abs(random.normal(size=(80, 6))) * (random.random((80, 6)) < 0.6)
    labels = (dense @ random.normal(size=(6, 3))).argmax(1)
    found = train(sparse(dense), labels, 3, 6)
    error = np.exp(log_shares(dense @ found.weights + found.biases)) - np.eye(3)[labels]
    slope = dense.T @ error + advise_classifier._PENALTY * found.weights
    assert np.abs(slope).max() < 0.02 * len(labels)
    assert np.abs(error.sum(0)).max() < 0.02 * len(labels)
    assert (found.opinions(sparse(dense)).argmax(1) == labels).mean() > 0.9


def test_without_any_term_the_classifier_says_how_frequent_the_classes_are() -> None:
    empty = [Vector(np.empty(0, np.int64), np.empty(0), 0.0)] * 40
    found = train(empty, np.array([0] * 30 + [1] * 10), 2, 0)
    assert np.exp(found.opinions(empty[:1])[0]) == pytest.approx([0.75, 0.25], abs=0.01)


def test_a_blend_tempers_an_opinion_that_is_too_sure() -> None:
    random = np.random.default_rng(2)
    truly = random.dirichlet(np.ones(3), 4000)
    labels = (truly.cumsum(1) > random.random((4000, 1))).argmax(1)
    too_sure = log_shares(3 * np.log(truly))
    assert blend(too_sure[:, :, None], labels) == pytest.approx([1 / 3], abs=0.03)


def test_a_blend_trusts_the_opinion_that_knows_and_not_the_one_that_guesses() -> None:
    random = np.random.default_rng(3)
    truly, guessed = random.dirichlet(np.ones(3), 2000), random.dirichlet(np.ones(3), 2000)
    labels = (truly.cumsum(1) > random.random((2000, 1))).argmax(1)
    knows, guesses = blend(np.log(np.stack([truly, guessed], axis=2)), labels)
    assert knows == pytest.approx(1, abs=0.1)
    assert guesses == pytest.approx(0, abs=0.1)
