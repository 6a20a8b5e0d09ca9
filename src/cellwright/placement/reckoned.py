"""Findings whose figures are reckoned when somebody asks: thousands of cases need not each keep one for every site."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cellwright.placement.plan import Finding

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, eq=False)
class Reckoned(Finding):
    """A finding that reckons what was measured at a site from figures that it shares with others."""

    reckon: Callable[[int], float | str | None] = field(kw_only=True)

    def measured_at(self, site: int) -> float | str | None:
        """Return what was measured at one site, None where that is unknown."""
        return self.reckon(site)


def narrowed(found: Reckoned, scope: slice) -> Reckoned:
    """Return a finding over all sites as one over some of them, which follow each other."""
    detail, reckon, first = found.detail, found.reckon, scope.indices(len(found.at))[0]
    return replace(
        found,
        at=found.at[scope],
        reckon=lambda site: reckon(site + first),
        detail=detail and (lambda site: detail(site + first)),
    )
