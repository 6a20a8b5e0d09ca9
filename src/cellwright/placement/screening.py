"""What is known of a cohort before anybody else takes room: what each site violates, and what it would cost there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.economics.compute import Arrival
from cellwright.placement.filters import PRECEDENCE, standing_findings
from cellwright.placement.terrain import ALL_SITES, UNKNOWN_COST, Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Site
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Finding
    from cellwright.placement.terrain import Terrain

_DIGITS: Final = 9  # of a price, as in an itemised cost


@dataclass(frozen=True, slots=True)
class Offer:
    """Racks of one site that would hold a cohort in one form, all at one price; the price counts the unknown."""

    price: float
    form: int  # index into the screening's cases
    racks: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Screening:
    """A cohort in each of its forms, and for each site of its scope what stands against it and its cheapest price.

    Findings hold for the form that fits a site best: the one with the fewest findings there, the most accurate first.
    """

    cohort: Cohort
    cases: tuple[Case, ...]  # one a form
    findings: tuple[Finding, ...]  # in order of precedence
    admitted: NDArray[np.bool_]  # (n_scope,) no filter finds anything
    prices: NDArray[np.float64]  # (n_scope,) per hour, unknown as UNKNOWN_COST; inf: no machine there
    clear: tuple[NDArray[np.bool_], ...]  # per form, (n_scope,): nothing was found
    told: NDArray[np.int64]  # (n_scope,) the form that a site is told of where it takes none
    _offers: dict[int, tuple[Offer, ...]] = field(default_factory=dict)

    @property
    def case(self) -> Case:
        """The cohort in its most accurate form."""
        return self.cases[0]

    def offers(self, site: int) -> tuple[Offer, ...]:
        """Return what a site, by its place in the terrain, offers to the forms that it admits, cheapest first."""
        if site not in self._offers:
            self._offers[site] = tuple(self._offered(site))
        return self._offers[site]

    def _offered(self, site: int) -> Iterator[Offer]:
        place = site if self.case.scope == ALL_SITES else 0
        found: dict[tuple[float, int], list[int]] = {}
        for form, case in enumerate(self.cases):
            if self.clear[form][place]:
                racks = case.terrain.rack_span(site)
                for rack, price in zip(range(racks.start, racks.stop), rack_prices(case, site).tolist(), strict=True):
                    if np.isfinite(price):
                        found.setdefault((price, form), []).append(rack)
        for price, form in sorted(found):
            yield Offer(price, form, tuple(found[price, form]))


def screen(
    terrain: Terrain, cohort: Cohort, callees: Mapping[str, str | None], prices: NDArray[np.float64] | None = None
) -> Screening:
    """Return the screening of a cohort at every site, or at its own where it is pinned.

    `prices`, (n_sites,) float64, is where the prices are to be written; a new array where it is None.
    """
    scope = ALL_SITES
    if cohort.pinned is not None:
        own = terrain.index[cohort.pinned]
        scope = slice(own, own + 1)
    forms = terrain.variants(cohort.workload)
    cases = tuple(Case(terrain, cohort.workload, callees, form, scope=scope, pinned=cohort.pinned) for form in forms)
    found = [standing_findings(case) for case in cases]
    priced = [site_prices(case) for case in cases]
    clears: tuple[NDArray[np.bool_], ...]
    if len(cases) == 1:
        findings, clears, best = found[0], (_clear(found[0], len(priced[0])),), priced[0]
        told = np.zeros(len(best), dtype=np.int64)
    else:
        findings, clears, best = _merged(found, priced)
        told = told_forms(found, len(best))
    if prices is None:
        prices = best
    else:
        prices[:] = best
    clear = clears[0] if len(clears) == 1 else np.logical_or.reduce(clears)
    return Screening(cohort, cases, findings, clear, prices, clears, told)


def site_prices(case: Case) -> NDArray[np.float64]:
    """Return the cheapest price per hour at each site of the scope; unknown as UNKNOWN_COST, inf where none is able."""
    terrain = case.terrain
    racks = terrain.rack_price(case.variant.shape, case.workload.window)
    arriving = _arriving(case)
    cheapest = np.full(len(terrain.sites), np.inf)
    if len(racks):
        filled = terrain.filled_sites
        cheapest[filled] = np.minimum.reduceat(racks, terrain.rack_starts)
    return _total(cheapest[case.scope], arriving)


def rack_prices(case: Case, site: int) -> NDArray[np.float64]:
    """Return the price per hour on each rack of one site; unknown as UNKNOWN_COST, inf where a rack is not able."""
    terrain = case.terrain
    racks = terrain.rack_price(case.variant.shape, case.workload.window)[terrain.rack_span(site)]
    place = site if case.scope == ALL_SITES else 0
    return _total(racks, _arriving(case)[place])


def _total(machines: NDArray[np.float64], arriving: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """Return sums of prices in which the unknown stays UNKNOWN_COST and the impossible infinite."""
    total = np.round(machines + arriving, _DIGITS)
    return np.where(np.isinf(total), np.inf, np.minimum(total, UNKNOWN_COST))


def arrivals(case: Case, site: Site) -> Iterator[Arrival]:
    """Yield the traffic that would reach `site` from elsewhere: datasets from their homes, answers of callees."""
    for label, rate, home in _streams(case):
        if home != site.name:
            yield Arrival(label, rate)


def _arriving(case: Case) -> NDArray[np.float64]:
    """Return what the traffic that would reach each site of the scope from elsewhere costs per hour."""
    terrain = case.terrain
    streams = tuple((rate, home) for _, rate, home in _streams(case) if rate)
    found = terrain.recent(("arriving", streams), lambda: _ingress(terrain, streams))
    return found[case.scope]


def _ingress(terrain: Terrain, streams: Sequence[tuple[float, str | None]]) -> NDArray[np.float64]:
    """Return what streams of GB/h from their homes cost per hour at every site; unknown as UNKNOWN_COST."""
    total = np.zeros(len(terrain.sites))
    for rate, home in streams:
        cost = terrain.prices.arriving(rate)
        if home is not None:
            cost[terrain.index[home]] = 0.0
        total += cost
    return np.where(np.isnan(total), UNKNOWN_COST, total)


def _streams(case: Case) -> Iterator[tuple[str, float, str | None]]:
    """Yield what the workload takes in, GB/h, and where it comes from; a callee that is nowhere sends nothing."""
    for use in case.workload.consumes:
        yield f"dataset {use.dataset}", use.rate_gb_per_h, case.estate.datasets[use.dataset].home
    for call in case.workload.calls:
        if case.callees.get(call.workload) is not None:
            yield f"answers of {call.workload}", call.traffic_gb_per_h, case.callees[call.workload]


def _clear(findings: Sequence[Finding], sites: int) -> NDArray[np.bool_]:
    """Return where nothing was found."""
    clear = np.ones(sites, dtype=np.bool_)
    for found in findings:
        clear &= ~found.at
    return clear


def told_forms(found: Sequence[tuple[Finding, ...]], sites: int) -> NDArray[np.int64]:
    """Return the form that each site is told of: the least demanding that it admits, else that with fewest findings."""
    counts = np.array([sum((each.at for each in findings), np.zeros(sites, dtype=np.int64)) for findings in found])
    last = len(counts) - 1 - (counts[::-1] == 0).argmax(axis=0)
    told: NDArray[np.int64] = np.where((counts == 0).any(axis=0), last, counts.argmin(axis=0))
    return told


def _merged(
    found: Sequence[tuple[Finding, ...]], priced: Sequence[NDArray[np.float64]]
) -> tuple[tuple[Finding, ...], tuple[NDArray[np.bool_], ...], NDArray[np.float64]]:
    """Return the findings of the best form at each site, where each form is clear, and the cheapest prices."""
    clears = tuple(_clear(findings, len(priced[0])) for findings in found)
    best = told_forms(found, len(priced[0]))
    merged = [replace(each, at=each.at & (best == form)) for form, findings in enumerate(found) for each in findings]
    order = sorted((each for each in merged if each.at.any()), key=lambda each: PRECEDENCE.index(each.dimension))
    prices = np.array(priced)
    able = np.where(np.array(clears), prices, np.inf).min(axis=0)
    return tuple(order), clears, np.where(np.isfinite(able), able, prices.min(axis=0))
