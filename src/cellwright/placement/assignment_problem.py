"""The assignment problem of the whole network: which site takes which replicas, by price per hour and room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Rows of identical replicas, the sites that admit them, and the room there is.

    A generalised assignment problem with several resources: place as many replicas as possible, then as cheaply as
    possible, so that no site gives more of a resource than it has.
    """

    cost: NDArray[np.floating]  # (n_rows, n_sites) price per hour of a replica, not negative; inf: not admitted
    count: NDArray[np.int64]  # (n_rows,) replicas
    demand: NDArray[np.float64]  # (n_rows, n_resources) of one replica, not negative
    capacity: NDArray[np.float64]  # (n_sites, n_resources)


@dataclass(frozen=True, slots=True, eq=False)
class SitePlan:
    """Which site takes how many replicas of which row; entry i puts `count[i]` of `row[i]` on `site[i]`."""

    row: NDArray[np.int64]  # (n_entries,) ascending, then by site
    site: NDArray[np.int64]  # (n_entries,)
    count: NDArray[np.int64]  # (n_entries,) at least 1
    unplaced: NDArray[np.int64]  # (n_rows,) replicas without a site
    cost: float  # price per hour of what is placed
    bound: float  # placing as many replicas costs at least this; -inf: unknown
