"""Assignment problems made from a seed: what `assignment.py` measures, and what its claim must hold on.

`network` is the case that is measured: sites of three tiers, residency, latency, four resources, and cheap sites that
cannot take all who want them. The other shapes are there so that nothing is tuned to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.assignment import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

COUNTRIES: Final = 5
SIDE_KM: Final = 1_000.0
MS_PER_KM: Final = 0.015  # there and back in fibre (2/3 of the speed of light) with half as much again for detours
HOP_MS: Final = np.array([6.0, 2.0, 0.5])  # region, metro, edge
SHARE: Final = np.array([0.04, 0.26, 0.70])  # of the sites
SIZE: Final = np.array([12.0, 3.0, 1.0])
CORE_HOUR: Final = np.array([0.030, 0.045, 0.070])  # EUR
GPU_HOUR: Final = np.array([1.60, 2.10, 3.00])
RESIDENT: Final = 0.5  # share of the rows that stay in their country
WITH_GPU: Final = 0.35
ADMITTED: Final = 0.2  # share of the cells of `planted`
GIB_KM_HOUR: Final = 2e-5  # EUR to carry one GiB/h over one km


def network(rows: int, sites: int, seed: int, tight: float = 0.8) -> Problem:
    """Return workloads of a network: demand over capacity is `tight`, about a quarter of all cells are admitted."""
    chance = np.random.default_rng(seed)
    tier = np.sort(chance.choice(3, sites, p=SHARE))
    tier[: min(COUNTRIES, sites)] = 0
    place = chance.uniform(0, SIDE_KM, (sites, 2))
    country = (place[:, 0] / SIDE_KM * COUNTRIES).astype(int)
    country[: min(COUNTRIES, sites)] = np.arange(min(COUNTRIES, sites))
    demand = _demand(chance, rows)
    home = chance.uniform(0, SIDE_KM, (rows, 2))
    distance = np.hypot(home[:, None, 0] - place[None, :, 0], home[:, None, 1] - place[None, :, 1])
    latency = distance * MS_PER_KM + HOP_MS[tier]
    limit = chance.choice([4.0, 8.0, 12.0, 50.0], rows, p=[0.1, 0.3, 0.3, 0.3])
    bound = (chance.random(rows) < RESIDENT)[:, None] & (
        (home[:, 0] / SIDE_KM * COUNTRIES).astype(int)[:, None] != country[None, :]
    )
    size = SIZE[tier] * chance.uniform(0.7, 1.4, sites)
    capacity = np.ceil(demand.sum(0) * (size / size.sum())[:, None] / tight * chance.uniform(0.9, 1.1, (sites, 4)))
    # A site of the network takes at least one of its largest workloads.
    capacity = np.maximum(capacity, [32.0, 128.0, 4.0, 1000.0])
    core = CORE_HOUR[tier] * chance.uniform(0.9, 1.15, sites)
    gpu = GPU_HOUR[tier] * chance.uniform(0.9, 1.15, sites)
    cost = demand[:, :1] * core + demand[:, 1:2] * core / 8 + demand[:, 2:3] * gpu + demand[:, 3:] * core / 200
    cost += chance.exponential(30.0, rows)[:, None] * distance * GIB_KM_HOUR
    cost[(latency > limit[:, None]) | bound] = np.inf
    return Problem(cost, np.ones(rows, np.int64), demand, capacity)


def _demand(chance: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """Return cores, GiB of memory, GPUs and GB of NVMe, (rows, 4)."""
    cores = chance.choice([1, 2, 4, 8, 16, 32], rows, p=[0.15, 0.25, 0.25, 0.2, 0.1, 0.05])
    memory = np.minimum(cores * chance.choice([2, 4, 8], rows), 128)
    gpus = np.where(chance.random(rows) < WITH_GPU, chance.choice([1, 2, 4], rows, p=[0.65, 0.2, 0.15]), 0)
    nvme = chance.choice([0, 50, 100, 400, 1000], rows, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    return np.stack([cores, memory, gpus, nvme], 1).astype(np.float64)


def alike(rows: int, sites: int, seed: int, tight: float = 0.8) -> Problem:
    """Return rows that all rank the sites alike, the large ones cheap: the hard kind of the literature (type D)."""
    chance = np.random.default_rng(seed)
    demand = chance.integers(1, 101, (rows, 4)).astype(np.float64)
    cost = 111 - demand.mean(1)[:, None] * chance.uniform(0.6, 1.2, sites) + chance.uniform(-10, 10, (rows, sites))
    return Problem(np.maximum(cost, 1.0), np.ones(rows, np.int64), demand, _even(demand, sites, tight))


def even(rows: int, sites: int, seed: int, tight: float = 0.95) -> Problem:
    """Return sites of one size and prices without structure (type C)."""
    chance = np.random.default_rng(seed)
    demand = chance.integers(5, 26, (rows, 4)).astype(np.float64)
    cost = chance.integers(10, 51, (rows, sites)).astype(np.float64)
    return Problem(cost, np.ones(rows, np.int64), demand, _even(demand, sites, tight))


def planted(rows: int, sites: int, seed: int, tight: float = 0.98) -> Problem:
    """Return sites that a hidden plan fills to `tight`; a fifth of the cells is admitted."""
    chance = np.random.default_rng(seed)
    demand = chance.integers(1, 33, (rows, 4)).astype(np.float64)
    hidden = chance.integers(0, sites, rows)
    capacity = np.zeros((sites, 4))
    np.add.at(capacity, hidden, demand)
    cost = demand.mean(1)[:, None] * chance.uniform(0.5, 1.5, sites) * chance.uniform(0.8, 1.2, (rows, sites))
    admitted = chance.random((rows, sites)) < 0.2  # noqa: PLR2004 - a figure of the instance
    admitted[np.arange(rows), hidden] = True
    return Problem(np.where(admitted, cost, np.inf), np.ones(rows, np.int64), demand, np.ceil(capacity / tight))


def classes(rows: int, sites: int, seed: int, tight: float = 0.8) -> Problem:
    """Return a few rows of very many identical replicas, 330 on average, a few of them most."""
    chance = np.random.default_rng(seed)
    single = network(rows, sites, seed, tight)
    share = chance.pareto(1.2, rows) + 0.2
    count = np.maximum(1, share / share.sum() * 330 * rows).astype(np.int64)
    need = (single.demand * count[:, None]).sum(0) / tight
    capacity = np.maximum(np.ceil(single.capacity / single.capacity.sum(0) * need), [32.0, 128.0, 4.0, 1000.0])
    return Problem(single.cost, count, single.demand, capacity)


def _even(demand: NDArray[np.float64], sites: int, tight: float) -> NDArray[np.float64]:
    return np.floor(np.tile(demand.sum(0) / sites / tight, (sites, 1)))


SHAPES: Final[Mapping[str, Callable[[int, int, int, float], Problem]]] = {
    "network": network,
    "alike": alike,
    "even": even,
    "planted": planted,
    "classes": classes,
}
