"""Makes alarm sets whose causes are known: random graphs over random networks, with what makes real lists hard.

Each seed draws its own size, density, lags, hops and background; on top come toggling and lost alarms, hidden common
causes, storms of unrelated alarms, and detection that takes seconds longer for some types than for others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

DAY_S: Final = 86_400
_TARGET: Final = 25_000  # alarms of a set, about


@dataclass(frozen=True, slots=True)
class Causes:
    """How one type brings about others: row causes column."""

    direct: np.ndarray  # (types, types) bool
    chance: np.ndarray  # (types, types) of each effect
    median_s: np.ndarray  # (types, types) lag
    spread: np.ndarray  # (types, types) of its logarithm
    adjacent: np.ndarray  # (types, types) bool: on neighbours, else on the same element


@dataclass(frozen=True, slots=True)
class Synthetic:
    """One set as columns, the links where it has a topology, and the edges that made it."""

    name: str
    n_types: int
    types: np.ndarray
    elements: np.ndarray
    onset_us: np.ndarray
    links: np.ndarray | None
    direct: np.ndarray
    leads_to: np.ndarray  # through others too


def synthesise(seed: int) -> Synthetic:
    """Return the set of a seed."""
    random = np.random.default_rng(seed)
    n_types, n_elements = int(random.integers(12, 30)), int(random.choice([30, 60, 200, 400]))
    span_s = DAY_S * float(random.choice([6, 30, 200]))
    causes, links = _causes(random, n_types), _links(random, n_elements)
    rates = np.exp(random.normal(0, 1.3, n_types)) * np.where(_some(random, 0.25, n_types), 0.05, 1)
    weights = random.gamma(0.5, 2, (n_elements, n_types)) * rates * _some(random, 0.75, (n_elements, n_types))
    toggles = np.where(_some(random, 0.3, n_types), random.uniform(0.2, 0.6, n_types), 0)
    state = random.bit_generator.state
    size = len(list(_alarms(random, causes, links, _starts(random, weights, span_s, 1_000), toggles)))
    random.bit_generator.state = state
    starts = _starts(random, weights, span_s, int(_TARGET * 1_000 / max(size, 1_000)))
    rows = np.array(list(_alarms(random, causes, links, starts, toggles)))[: 2 * _TARGET]
    rows = rows[(random.random(len(rows)) >= random.uniform(0, 0.2)) & (rows[:, 0] < span_s)]
    if _some(random, 0.6):
        rows[:, 0] += np.where(_some(random, 0.5, n_types), random.uniform(0, 4, n_types), 0)[rows[:, 2].astype(int)]
    rows = np.unique(np.floor(rows), axis=0).astype(np.int64)
    return Synthetic(
        name=f"synthetic {seed}",
        n_types=n_types,
        types=rows[:, 2],
        elements=rows[:, 1],
        onset_us=rows[:, 0] * 1_000_000,
        links=links if _some(random, 0.6) else None,
        direct=causes.direct,
        leads_to=closure(causes.direct),
    )


def closure(direct: np.ndarray) -> np.ndarray:
    """Return which types lead to which, through others too."""
    reach = direct.copy()
    for middle in range(len(reach)):
        reach |= np.outer(reach[:, middle], reach[middle])
    return reach


def _some(random: Generator, share: float, shape: tuple[int, ...] | int = ()) -> np.ndarray:
    """Return true for about this share of all."""
    return random.random(shape) < share


def _causes(random: Generator, n_types: int) -> Causes:
    square = (n_types, n_types)
    order = random.permutation(n_types)
    direct = np.zeros(square, bool)
    direct[np.ix_(order, order)] = np.triu(random.random(square) < random.uniform(0.08, 0.5), 1)
    return Causes(
        direct=direct,
        chance=random.beta(1, 3, square) * random.uniform(0.3, 1.2),
        median_s=np.exp(random.uniform(np.log(0.3), np.log(200), square)),
        spread=random.uniform(0.3, 1.3, square),
        adjacent=_some(random, 0.3, square),
    )


def _links(random: Generator, n_elements: int) -> np.ndarray:
    """Return a tree of near neighbours and a few links across."""
    tree = [(int(random.integers(max(0, each - 10), each)), each) for each in range(1, n_elements)]
    return np.array([*tree, *random.integers(0, n_elements, (n_elements // 10, 2)).tolist()])


def _starts(random: Generator, weights: np.ndarray, span_s: float, count: int) -> list[tuple[float, int, int]]:
    """Return spontaneous alarms, some of them in storms, and the alarms of hidden causes that themselves raise none."""
    n_elements, n_types = weights.shape
    place = random.choice(weights.size, count, p=(weights / weights.sum()).ravel())
    at = random.random(count) * span_s
    n_storms = int(random.integers(0, 30))
    if n_storms:
        storm = random.integers(0, n_storms, count)
        begins, lasts = random.random(n_storms) * span_s, random.uniform(600, 4 * 3600, n_storms)
        at = np.where(_some(random, 0.3, count), begins[storm] + random.random(count) * lasts[storm], at)
    found = [(float(when), int(each) // n_types, int(each) % n_types) for when, each in zip(at, place, strict=True)]
    groups = [random.choice(n_types, int(random.integers(2, 6)), replace=False) for _ in range(random.integers(0, 5))]
    for _ in range(int(count * random.uniform(0.02, 0.1)) if groups else 0):
        element, begin = int(random.integers(n_elements)), random.random() * span_s
        group = groups[random.integers(len(groups))]
        found += [(begin + random.exponential(20), element, int(kind)) for kind in group if _some(random, 0.7)]
    return found


def _alarms(
    random: Generator, causes: Causes, links: np.ndarray, starts: list[tuple[float, int, int]], toggles: np.ndarray
) -> Iterator[tuple[float, int, int]]:
    """Yield all alarms that begin with the given ones: repeats, effects, and the effects of these."""
    neighbours: dict[int, list[int]] = {}
    for one, other in links.tolist():
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    waiting = list(starts)
    while waiting:
        at, element, kind = waiting.pop()
        yield at, element, kind
        if random.random() < toggles[kind]:
            yield at + random.exponential(120), element, kind
        for effect in np.flatnonzero(causes.direct[kind]).tolist():
            places = neighbours.get(element, []) if causes.adjacent[kind, effect] else [element]
            for place in places:
                if random.random() < causes.chance[kind, effect] / len(places) ** 0.5:
                    lag = causes.median_s[kind, effect] * np.exp(causes.spread[kind, effect] * random.normal())
                    waiting.append((at + lag, place, effect))
