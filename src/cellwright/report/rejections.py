"""Rejections in groups: sites refused for the same reasons stand together, the nearest miss of each group in front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.estate.model import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.placement.plan import Finding, Rejection, Rejections

_NAMED_SITES: Final = 40  # a group names so many; `cellwright explain` names any other
_MOST_GROUPS: Final = 12  # of a workload, the nearest misses first
_MOST_RECKONED: Final = 2000  # sites of a finding that reckons site by site; of more, the nearest is not told apart
_TIERS: Final = tuple(Tier)


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


@dataclass(frozen=True, slots=True)
class Misses:
    """The groups that a page shows, and what it leaves out."""

    groups: tuple[RejectionGroup, ...]
    more_groups: int
    more_sites: int


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """What stands against each site, all arrays aligned with the sites.

    `violated` (n_codes, n_sites) bool, `violations` (n_sites,) int64, `overshoot` (n_sites,) float64.
    """

    codes: tuple[str, ...]
    violated: NDArray[np.bool_]
    violations: NDArray[np.int64]
    overshoot: NDArray[np.float64]


def grouped(rejections: Rejections) -> Misses:
    """Return the groups by violated codes: fewest violations first, then the smallest overshoot.

    Findings are counted as they are kept; only the nearest miss of each group is spelt out.
    """
    tally = _tallied(rejections.findings, len(rejections.sites))
    rejected = np.ones(len(rejections.sites), dtype=np.bool_)
    if rejections.chosen is not None:
        rejected[rejections.chosen] = False
    places = np.flatnonzero(rejected)
    order = places[np.lexsort((places, tally.overshoot[places], tally.violations[places]))]
    members: dict[bytes, list[int]] = {}
    for site, key in zip(order.tolist(), np.packbits(tally.violated[:, order], axis=0).T, strict=True):
        members.setdefault(key.tobytes(), []).append(site)
    kinds = list(members.values())  # the first of each is its nearest miss, and so they are in order
    shown, left = kinds[:_MOST_GROUPS], kinds[_MOST_GROUPS:]
    groups = tuple(_group(rejections, tally, sites) for sites in shown)
    return Misses(groups, len(left), sum(map(len, left)))


def _tallied(findings: Sequence[Finding], sites: int) -> _Tally:
    codes = {code: row for row, code in enumerate(dict.fromkeys(found.code for found in findings))}
    violated = np.zeros((len(codes), sites), dtype=np.bool_)
    violations = np.zeros(sites, dtype=np.int64)
    overshoot = np.zeros(sites)
    for found in findings:
        violated[codes[found.code]] |= found.at
        violations += found.at
        overshoot[found.at] += _overshoot(found)
    return _Tally(tuple(codes), violated, violations, overshoot)


def _overshoot(found: Finding) -> NDArray[np.float64]:
    """Return how far beyond the limit each violating site is, 0 to 1; 1 where it cannot be reckoned."""
    total, limit = int(found.at.sum()), found.limit
    values = _measured(found, total) if isinstance(limit, int | float) else None
    if values is None or not isinstance(limit, int | float):
        return np.ones(total)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.abs(values - limit) / np.maximum(np.abs(values), abs(limit))
    share[(values == 0) & (limit == 0)] = 0.0
    return np.where(np.isfinite(share), share, 1.0)


def _measured(found: Finding, total: int) -> NDArray[np.float64] | None:
    """Return what was measured at each violating site, NaN for the unknown; None where that is words, or too much."""
    measured = found.measured
    if isinstance(measured, np.ndarray):
        return measured[found.at]
    if isinstance(measured, int | float):
        return np.full(total, float(measured))
    if measured is not None or total > _MOST_RECKONED:
        return None
    each = (found.measured_at(site) for site in np.flatnonzero(found.at).tolist())
    return np.array([value if isinstance(value, int | float) else np.nan for value in each], dtype=np.float64)


def _group(rejections: Rejections, tally: _Tally, members: Sequence[int]) -> RejectionGroup:
    sites = rejections.sites
    counts = np.bincount([_TIERS.index(sites[member].tier) for member in members], minlength=len(_TIERS)).tolist()
    tiers = [(tier, number) for tier, number in zip(_TIERS, counts, strict=True) if number]
    first = members[0]
    return RejectionGroup(
        tuple(code for code, row in zip(tally.codes, tally.violated, strict=True) if row[first]),
        tuple(sorted(tiers, key=lambda item: (-item[1], item[0]))),
        tuple(sites[member].name for member in members[:_NAMED_SITES]),
        max(0, len(members) - _NAMED_SITES),
        rejections.at(first),
    )
