"""What a solver knows while it seats replicas, and in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.screening import Screening
    from cellwright.placement.seats import Replica, Seats
    from cellwright.placement.terrain import Terrain


@dataclass(slots=True)
class Solution:
    """Everything that is known once all replicas sit."""

    terrain: Terrain
    cohorts: tuple[Cohort, ...]
    seats: Seats
    wanted: Mapping[tuple[str, int], Mapping[int, int]] | None = None  # replicas by site, by workload and first replica
    screenings: dict[tuple[str, int], Screening] = field(default_factory=dict)  # by workload and first replica
    kept: frozenset[Replica] = frozenset()  # those that sit where the previous plan had them
    moves: int | None = None  # how many may still move away from where the previous plan had them; None: any number

    def screening(self, cohort: Cohort) -> Screening:
        """Return what is known of a cohort."""
        return self.screenings[cohort.name, cohort.first]

    def missing(self, cohort: Cohort) -> list[int]:
        """Return the replicas of a cohort that have no seat."""
        return [number for number in cohort.replicas if self.seats.seat((cohort.name, number)) is None]

    def moves_freely(self, cohort: Cohort) -> bool:
        """Return whether where a replica of the cohort goes is nobody's concern but its own."""
        return cohort.moves_freely and not self.terrain.apart[cohort.name]
