"""What planning asks an estate again and again, each answer computed once, and the case of one workload in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cellwright.economics.compute import DAY_H
from cellwright.economics.prices import Prices
from cellwright.economics.tariffs import compute_currency
from cellwright.placement.paths import Paths
from cellwright.placement.periods import Periods
from cellwright.placement.pool import Pool
from cellwright.placement.reach import Reach
from cellwright.placement.variants import Variant, variants

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping

    from numpy.typing import NDArray

    from cellwright.economics.tariffs import Tariff
    from cellwright.estate.model import Dataset, Estate, Latencies, Measurement, Site, Tenant, Window, Workload
    from cellwright.placement.shape import Shape

ALL_SITES: Final = slice(None)
UNKNOWN_COST: Final = 1e9
"""What an unknown cost counts as in comparisons: more than any known one, so that it goes last."""
_RECENT: Final = 256


class Terrain:
    """One estate with its paths, machines and prices; lasts for one plan or question and remembers only answers.

    Arrays are aligned with `sites`, which are in order of their names.
    """

    def __init__(self, estate: Estate, paths: Paths | None = None, reach: Reach | None = None) -> None:
        self.estate = estate
        self.sites: tuple[Site, ...] = tuple(estate.sites[name] for name in sorted(estate.sites))
        self.names: tuple[str, ...] = tuple(site.name for site in self.sites)
        self.index: Mapping[str, int] = {name: index for index, name in enumerate(self.names)}
        self.jurisdictions: NDArray[np.str_] = np.array([site.jurisdiction for site in self.sites], dtype="U2")
        self.periods = Periods(each.window for each in estate.workloads.values() if each.window)
        self.machines = Pool(self.sites, len(self.periods))
        """All machines as they are when nobody is on them; never filled."""
        self.paths = paths or Paths(estate.links.values())
        self.reach = reach or Reach(self.names, estate.links.values())
        self.currency = compute_currency(estate.price_books.values())
        self.prices = Prices(self.sites, estate.price_books.values(), self.currency)
        racks = np.array([len(site.nodes) for site in self.sites], dtype=np.intp)
        self.filled_sites: NDArray[np.intp] = np.flatnonzero(racks)
        """The sites that have any machines; a rack is a site's node: a number of identical machines."""
        self._rack_bounds = np.concatenate([[0], np.cumsum(racks)])
        self.rack_starts: NDArray[np.intp] = self._rack_bounds[self.filled_sites]
        counts = np.array([node.count for site in self.sites for node in site.nodes], dtype=np.intp)
        self._first_machines = np.concatenate([[0], np.cumsum(counts)])
        self._answers: dict[Hashable, Any] = {}
        self._recent: dict[Hashable, NDArray[np.float64]] = {}
        self._measured: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
        self.apart: Mapping[str, frozenset[str]] = _apart(estate)
        """The workloads at whose sites each must not be, whichever of the two says so."""
        for each in estate.measurements.values():
            self._measured[each.workload, each.users].append(each)

    def changed(self, estate: Estate) -> Terrain:
        """Return the terrain of a changed estate; paths are searched again only where sites or links changed."""
        same = estate.links is self.estate.links and estate.sites.keys() == self.estate.sites.keys()
        return Terrain(estate, self.paths, self.reach) if same else Terrain(estate)

    def answers(self) -> dict[Hashable, Any]:
        """Return where answers to questions are kept: cases with equal needs share them."""
        return self._answers

    def rack_span(self, site: int) -> slice:
        """Return the racks of a site."""
        return slice(int(self._rack_bounds[site]), int(self._rack_bounds[site + 1]))

    def rack_of(self, machine: int) -> int:
        """Return the rack that a machine is one of."""
        return int(np.searchsorted(self._first_machines, machine, side="right")) - 1

    def rack_machines(self, rack: int) -> slice:
        """Return the machines of a rack."""
        return slice(int(self._first_machines[rack]), int(self._first_machines[rack + 1]))

    def rack_price(self, shape: Shape, window: Window | None) -> NDArray[np.float64]:
        """Return the price per hour of a shape on each rack; UNKNOWN_COST: unknown, infinite: a rack is not able."""
        hours = window.hours if window else DAY_H
        return self.recent(("rack price", shape, hours), lambda: self._rack_price(shape, hours))

    def _rack_price(self, shape: Shape, hours: float) -> NDArray[np.float64]:
        price = self.prices.per_hour(shape.demand, hours)
        able = self.machines.able(shape)[self._first_machines[:-1]]
        return np.where(able, np.where(np.isnan(price), UNKNOWN_COST, price), np.inf)

    def recent(self, question: Hashable, answer: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the answer to a question, remembered until some hundred others have been asked."""
        found = self._recent.pop(question, None)
        if found is None:
            found = answer()
            while len(self._recent) >= _RECENT:
                del self._recent[next(iter(self._recent))]
        self._recent[question] = found
        return found

    def measured(self, workload: str, users: str) -> Iterable[Measurement]:
        """Return what users at one site measured of a workload, wherever it was."""
        return self._measured.get((workload, users), ())

    def variants(self, workload: Workload) -> tuple[Variant, ...]:
        """Return the forms in which a workload can run."""
        return variants(workload, self.periods.within(workload.window))

    def tariff(self, site: Site) -> Tariff:
        """Return the prices that hold at `site`."""
        return self.prices.tariffs[self.index[site.name]]


def _apart(estate: Estate) -> Mapping[str, frozenset[str]]:
    """Return anti-affinity both ways."""
    apart: dict[str, set[str]] = {name: set(workload.apart_from) for name, workload in estate.workloads.items()}
    for name, workload in estate.workloads.items():
        for other in workload.apart_from:
            apart.setdefault(other, set()).add(name)
    return {name: frozenset(others) for name, others in apart.items()}


@dataclass(frozen=True, slots=True)
class Held:
    """What the placed replicas of one tenant take together, and the workloads they belong to, by name."""

    cores: int = 0
    memory_gib: float = 0.0
    gpus: int = 0
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where all other replicas are."""

    tenants: MutableMapping[str, Held] = field(default_factory=dict)
    sites: MutableMapping[str, frozenset[int]] = field(default_factory=dict)  # of the replicas of each workload


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One replica of a workload to place, in one of its forms, and where all others are.

    `workload` serves the users and consumes the datasets of this replica. `callees` says where the workloads that it
    calls have gone (None: nowhere). `scope` picks the sites that are judged; what a filter finds is aligned with it.
    """

    terrain: Terrain
    workload: Workload
    callees: Mapping[str, str | None]
    variant: Variant
    standing: Standing = field(default_factory=Standing)
    scope: slice = field(default_factory=lambda: ALL_SITES)
    pinned: str | None = None  # the only site it may be at

    def seen(self, standing: Standing | None = None, scope: slice = ALL_SITES) -> Case:
        """Return the case with others where `standing` says, None: as they are here, judged at all sites or `scope`."""
        there = self.standing if standing is None else standing
        return Case(self.terrain, self.workload, self.callees, self.variant, there, scope, self.pinned)

    @property
    def estate(self) -> Estate:
        """The estate the workload belongs to."""
        return self.terrain.estate

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites that are judged."""
        return self.terrain.sites[self.scope]

    @property
    def together(self) -> int:
        """How many replicas need room at once: all of a gang, else one."""
        return self.workload.replicas.count if self.workload.gang else 1

    @property
    def tenant(self) -> Tenant | None:
        """Who the workload belongs to."""
        return self.estate.tenants.get(self.workload.tenant)

    def data(self, name: str) -> tuple[Dataset, Site]:
        """Return the dataset `name` and its home."""
        dataset = self.estate.datasets[name]
        return dataset, self.estate.sites[dataset.home]

    def delays_ms(self, source: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return P50 and P99 of the network's round trip from `source` to each site judged; infinite: no path."""
        p50, p99 = self.terrain.reach.delays_ms(source)
        return p50[self.scope], p99[self.scope]

    def pipes_gbps(self, source: str) -> NDArray[np.float64]:
        """Return the bandwidth of the widest path from `source` to each site judged; 0: no path, infinite: itself."""
        return self.terrain.reach.pipes_gbps(source)[self.scope]

    def measured(self) -> Iterable[tuple[int, Latencies, Measurement]]:
        """Yield what the users measured of the workload at the sites judged: position in the scope, round trip, all."""
        inside = range(len(self.terrain.sites))[self.scope]
        for each in self.terrain.measured(self.workload.name, self.workload.latency.users):
            site = self.terrain.index[each.site]
            if site in inside:
                yield inside.index(site), each.round_trip, each
