"""Rejections in groups: sites refused for the same reasons stand together, the nearest miss of each group in front."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.model import Tier
    from cellwright.placement.plan import Rejection, Violation

_NAMED_SITES: Final = 40  # a group names so many; `cellwright explain` names any other


@dataclass(frozen=True, slots=True)
class RejectionGroup:
    """Sites that violate the same constraints."""

    codes: tuple[str, ...]
    tiers: tuple[tuple[Tier, int], ...]
    sites: tuple[str, ...]  # nearest miss first, as many as a page can name
    unnamed: int
    nearest: Rejection

    @property
    def size(self) -> int:
        """Number of sites."""
        return len(self.sites) + self.unnamed


def grouped(rejections: Iterable[Rejection]) -> tuple[RejectionGroup, ...]:
    """Return the groups by violated codes: fewest violations first, then the smallest overshoot."""
    members: dict[tuple[str, ...], list[Rejection]] = {}
    for rejection in rejections:
        codes = dict.fromkeys(violation.code for violation in rejection.violations)
        members.setdefault(tuple(codes), []).append(rejection)
    groups = [_group(codes, sites) for codes, sites in members.items()]
    return tuple(sorted(groups, key=lambda group: (distance(group.nearest), group.codes)))


def distance(rejection: Rejection) -> tuple[int, float, str]:
    """Return how far a site is from being admitted: violations, summed overshoot (0..1 each), name."""
    return len(rejection.violations), sum(map(_overshoot, rejection.violations)), rejection.site


def _group(codes: tuple[str, ...], members: list[Rejection]) -> RejectionGroup:
    ordered = sorted(members, key=distance)
    tiers = Counter(rejection.tier for rejection in ordered)
    return RejectionGroup(
        codes,
        tuple(sorted(tiers.items(), key=lambda item: (-item[1], item[0]))),
        tuple(rejection.site for rejection in ordered[:_NAMED_SITES]),
        max(0, len(ordered) - _NAMED_SITES),
        ordered[0],
    )


def _overshoot(violation: Violation) -> float:
    measured, limit = violation.measured, violation.limit
    if not isinstance(measured, int | float) or not isinstance(limit, int | float):
        return 1.0
    if not math.isfinite(measured) or not math.isfinite(limit):
        return 1.0
    largest = max(abs(measured), abs(limit))
    return abs(measured - limit) / largest if largest else 0.0
