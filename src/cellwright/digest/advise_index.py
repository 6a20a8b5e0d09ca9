"""Weighted terms of many cases: TF-IDF vectors, and how similar a query is to each of them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellwright.digest.advise_symptoms import SAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from cellwright.digest.advise_symptoms import Kind, Term


class Vector(NamedTuple):
    """Weights of known terms by place, ascending. With unknown terms, the squares of each kind's sum up to its say."""

    places: NDArray[np.int64]
    weights: NDArray[np.float64]
    say: float  # of all kinds together


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms of some cases, and how rare each is: log((1 + cases) / (1 + cases with it)) + 1."""

    places: Mapping[Term, int]
    rarity: NDArray[np.float64]  # (n_terms,)
    kinds: frozenset[Kind]  # of terms that any case has
    rarest: float  # that of a term of one case, and of one that none has

    def vector(self, counts: Counter[Term]) -> Vector:
        """Return the TF-IDF vector of counted terms, term frequency as 1 + log; kinds that no case has are left out."""
        blocks = [
            self._block(kind, dict(block))
            for kind, block in groupby(sorted(counts.items()), key=lambda each: each[0][0])
            if kind in self.kinds
        ]
        places = np.concatenate([np.empty(0, np.int64), *(block.places for block in blocks)])
        return Vector(
            places,
            np.concatenate([np.empty(0), *(block.weights for block in blocks)]),
            sum(block.say for block in blocks),
        )

    def _block(self, kind: Kind, block: Mapping[Term, int]) -> Vector:
        known = [term for term in block if term in self.places]
        places = np.array([self.places[term] for term in known], np.int64)
        weights = np.array([1 + math.log(block[term]) for term in known]) * self.rarity[places]
        unknown = sum((1 + math.log(times)) ** 2 for term, times in block.items() if term not in self.places)
        length = math.sqrt(float(weights @ weights) + unknown * self.rarest**2)
        return Vector(places, weights * (math.sqrt(SAY[kind]) / length), SAY[kind])


def vocabulary_of(cases: Sequence[Counter[Term]]) -> Vocabulary:
    """Return the terms of all cases, in the order of their names."""
    having = Counter(term for counts in cases for term in counts)
    kept = sorted(having)
    numbers = np.array([having[term] for term in kept], np.float64)
    return Vocabulary(
        places={term: place for place, term in enumerate(kept)},
        rarity=np.log((1 + len(cases)) / (1 + numbers)) + 1,
        kinds=frozenset(kind for kind, _ in kept),
        rarest=math.log((1 + len(cases)) / 2) + 1,
    )


class Index:
    """Vectors by term, so that a query costs as much as its terms have cases."""

    def __init__(self, vectors: Iterable[Vector], terms: int) -> None:
        rows: dict[int, list[int]] = defaultdict(list)
        weights: dict[int, list[float]] = defaultdict(list)
        self._cases = 0
        for row, vector in enumerate(vectors):
            self._cases = row + 1
            for place, weight in zip(vector.places.tolist(), vector.weights.tolist(), strict=True):
                rows[place].append(row)
                weights[place].append(weight)
        self._postings = [
            (np.array(rows.get(place, ()), np.int64), np.array(weights.get(place, ()))) for place in range(terms)
        ]

    def similarities(self, query: Vector) -> NDArray[np.float64]:
        """Return how similar each case is to a query, 0 to 1, (n_cases,).

        The mean of the cosines over the query's kinds of terms, weighted by their say: a case that lacks a kind which
        the query has is less similar, one that has more is not.
        """
        found = np.zeros(self._cases)
        for place, weight in zip(query.places.tolist(), query.weights.tolist(), strict=True):
            rows, weights = self._postings[place]
            found[rows] += weight * weights
        return found / query.say if query.say else found
