"""A multinomial logistic regression over sparse vectors, and the blend of several opinions into one probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cellwright.digest.advise_index import Vector

_PENALTY: Final = 0.1  # of squared weights; from simulated histories of seeds 10,000 on, where 0.03 to 0.3 do as well
_STEPS: Final = 60
_POWER_STEPS: Final = 8
_MARGIN: Final = 1.1  # above the estimated curvature: the power iteration approaches it from below
_BLOCK: Final = 1 << 22  # numbers of one intermediate product
_PULL: Final = 0.02  # of the blend towards equal shares
_NEWTON_STEPS: Final = 50
_SETTLED: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Rows:
    """Sparse rows: the entries of row i are those from starts[i] to starts[i + 1]."""

    starts: NDArray[np.int64]  # (n_rows + 1,)
    columns: NDArray[np.int64]
    values: NDArray[np.float64]

    def times(self, dense: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product with a dense matrix (n_columns, k), (n_rows, k)."""
        product = np.zeros((len(self.starts) - 1, dense.shape[1]))
        for first, last in self._blocks(dense.shape[1]):
            begin, end = self.starts[first], self.starts[last]
            filled = first + np.flatnonzero(np.diff(self.starts[first : last + 1]))
            if len(filled):
                entries = dense[self.columns[begin:end]] * self.values[begin:end, None]
                product[filled] = np.add.reduceat(entries, self.starts[filled] - begin, axis=0)
        return product

    def turned(self, columns: int) -> Rows:
        """Return the transpose, given the number of columns."""
        order = np.argsort(self.columns, kind="stable")
        rows = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        counts = np.bincount(self.columns, minlength=columns)
        return Rows(np.concatenate([[0], counts.cumsum()]), rows[order], self.values[order])

    def _blocks(self, width: int) -> Iterator[tuple[int, int]]:
        """Yield half-open ranges of rows whose entries, `width` numbers each, fit a block; one row at least."""
        first, rows = 0, len(self.starts) - 1
        while first < rows:
            limit = self.starts[first] + _BLOCK // width
            last = max(int(np.searchsorted(self.starts, limit, side="right")) - 1, first + 1)
            yield first, last
            first = last


def rows_of(vectors: Sequence[Vector]) -> Rows:
    """Return vectors as sparse rows."""
    starts = np.concatenate([[0], np.cumsum([len(each.places) for each in vectors], dtype=np.int64)])
    columns = np.concatenate([np.empty(0, np.int64), *(each.places for each in vectors)])
    return Rows(starts, columns, np.concatenate([np.empty(0), *(each.weights for each in vectors)]))


@dataclass(frozen=True, slots=True)
class Classifier:
    """Weights of terms for classes, (n_terms, n_classes), and of the classes themselves, (n_classes,)."""

    weights: NDArray[np.float64]
    biases: NDArray[np.float64]

    def opinions(self, vectors: Sequence[Vector]) -> NDArray[np.float64]:
        """Return the logarithms of the classes' probabilities, (n_vectors, n_classes)."""
        return log_shares(rows_of(vectors).times(self.weights) + self.biases)


def train(vectors: Sequence[Vector], labels: NDArray[np.int64], classes: int, terms: int) -> Classifier:
    """Return the penalised maximum-likelihood classifier by accelerated gradient steps (Nesterov 1983).

    Deterministic. Time: 60 passes over the vectors' entries times classes; memory: terms times classes.
    """
    rows = rows_of(vectors)
    turned = rows.turned(terms)
    truth = np.zeros((len(labels), classes))
    truth[np.arange(len(labels)), labels] = 1
    # The softmax bends by at most 1/2 along any direction (Boehning 1992), hence the steps' lengths.
    step = 1 / (0.5 * _MARGIN * _curvature(rows, turned, terms) + _PENALTY)
    bias_step = 2 / len(labels)
    weights = ahead = np.zeros((terms, classes))
    biases = bias_ahead = np.log(truth.sum(0) + 0.5) - np.log(len(labels))
    pace = 1.0
    for _ in range(_STEPS):
        error = np.exp(log_shares(rows.times(ahead) + bias_ahead)) - truth
        moved = ahead - step * (turned.times(error) + _PENALTY * ahead)
        bias_moved = bias_ahead - bias_step * error.sum(0)
        quicker = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        momentum = (pace - 1) / quicker
        ahead, bias_ahead = moved + momentum * (moved - weights), bias_moved + momentum * (bias_moved - biases)
        weights, biases, pace = moved, bias_moved, quicker
    return Classifier(weights, biases)


def log_shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the softmax over the last axis."""
    above = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(above - np.log(np.exp(above).sum(axis=-1, keepdims=True)))


def blend(opinions: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much each opinion counts, (n_opinions,), so that the blend gives the labels most probability.

    `opinions` are logarithms of probabilities, (n, n_classes, n_opinions); the blend is the softmax of their weighted
    sum, which also calibrates it. Damped Newton steps on the mean log-loss, pulled lightly towards equal shares.
    """
    number = opinions.shape[2]
    found = np.full(number, 1 / number)
    true = opinions[np.arange(len(labels)), labels]

    def loss(parts: NDArray[np.float64]) -> float:
        told = log_shares(opinions @ parts)[np.arange(len(labels)), labels]
        return float(_PULL / 2 * ((parts - 1 / number) ** 2).sum() - told.mean())

    for _ in range(_NEWTON_STEPS):
        shares = np.exp(log_shares(opinions @ found))
        mean = np.einsum("nk,nko->no", shares, opinions)
        spread = np.einsum("nk,nko,nkp->op", shares, opinions, opinions) - mean.T @ mean
        slope = (mean - true).mean(0) + _PULL * (found - 1 / number)
        change = np.linalg.solve(spread / len(labels) + _PULL * np.eye(number), slope)
        while np.abs(change).max() > _SETTLED and loss(found - change) > loss(found):
            change = change / 2  # far from the least loss, a full step may lead beyond it
        found = found - change
        if np.abs(change).max() <= _SETTLED:
            break
    return np.asarray(found)


def _curvature(rows: Rows, turned: Rows, terms: int) -> float:
    """Return the largest eigenvalue of the vectors' Gram matrix by power iteration, from equal parts of all terms."""
    direction, size = np.full((terms, 1), 1.0), 1.0
    for _ in range(_POWER_STEPS):
        direction = turned.times(rows.times(direction / np.linalg.norm(direction)))
        size = float(np.linalg.norm(direction))
        if not size:
            return 1.0
    return size
