"""Who sits where: the pool of machines as the replicas of a plan fill it, with quotas and power taken along."""

from __future__ import annotations

from collections import ChainMap, Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from cellwright.errors import CellwrightError
from cellwright.estate.model import Quota
from cellwright.placement.cohorts import cohorts
from cellwright.placement.pool import Pool
from cellwright.placement.power import draw_kw
from cellwright.placement.slots import Slot
from cellwright.placement.terrain import UNKNOWN_COST, Held, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cellwright.estate.model import Demand
    from cellwright.placement.cohorts import Cohort
    from cellwright.placement.plan import Plan
    from cellwright.placement.shape import Shape
    from cellwright.placement.terrain import Terrain
    from cellwright.placement.variants import Variant

Replica: TypeAlias = tuple[str, int]  # workload and number, from 1
_DIGITS: Final = 9  # sums of decimal sizes stay decimal
_NGIB_PER_GIB: Final = 10**9  # sizes are decimals: in these units their sums are exact
BOUNDLESS: Final = Quota(None, None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """Where one replica sits and in which form."""

    site: int  # index into the terrain's sites
    slot: Slot
    variant: Variant
    price: float  # per hour, the unknown as UNKNOWN_COST


@dataclass(slots=True)
class _Account:
    """What the replicas of one tenant take together, in whole units so that sums are exact."""

    cores: int = 0
    memory_ngib: int = 0
    gpus: int = 0
    workloads: Counter[str] = field(default_factory=Counter)

    def book(self, workload: str, demand: Demand, sign: int) -> None:
        """Add what a replica takes, or with a sign of -1 give it back."""
        self.cores += sign * demand.cores
        self.memory_ngib += sign * round(demand.memory_gib * _NGIB_PER_GIB)
        self.gpus += sign * demand.gpus
        self.workloads[workload] += sign

    def held(self) -> Held:
        """Return the sums."""
        holders = tuple(sorted(name for name, count in self.workloads.items() if count))
        return Held(self.cores, self.memory_ngib / _NGIB_PER_GIB, self.gpus, holders)

    def copy(self) -> _Account:
        """Return an account of its own with the same sums."""
        return _Account(self.cores, self.memory_ngib, self.gpus, self.workloads.copy())


class Seats:
    """The seats of all replicas; grows and shrinks, one replica at a time."""

    def __init__(self, terrain: Terrain, targets: Sequence[tuple[Shape, float]] = (), *, fullest: bool = False) -> None:
        self.terrain = terrain
        self.pool = Pool(terrain.sites, len(terrain.periods), targets, fullest=fullest)
        self._taken: dict[Replica, tuple[Cohort, Seat]] = {}
        self._tenants: dict[str, _Account] = defaultdict(_Account)
        self._standing: Standing | None = None
        self._at: dict[str, Counter[int]] = defaultdict(Counter)
        self._on: dict[str, Counter[int]] = defaultdict(Counter)
        budgets = (site.power_budget_kw for site in terrain.sites)
        self.budgets_kw: NDArray[np.float64] = np.array([np.inf if kw is None else kw for kw in budgets])
        self.power_kw: NDArray[np.float64] = np.zeros((len(terrain.periods), len(terrain.sites)))

    @classmethod
    def of(cls, terrain: Terrain, plan: Plan) -> Seats:
        """Return the seats as `plan` gave them out; raise where it does not fit the terrain's estate."""
        seats = cls(terrain)
        known = {(cohort.name, number): cohort for cohort in cohorts(terrain.estate) for number in cohort.replicas}
        for placement in plan.placements:
            cohort = known.get((placement.workload, placement.replica))
            if placement.site is None or placement.seating is None or placement.node is None:
                continue
            machine = seats.machine_of(placement.site, placement.node)
            variant = seats.variant_of(cohort, placement.quantisation) if cohort else None
            if cohort is None or variant is None or machine is None:
                message = f"{placement.label} at {placement.site}, {placement.node} is not of this estate"
                raise CellwrightError.of("plan-of-another-estate", message, hint="plan it again")
            price = UNKNOWN_COST if placement.cost_per_hour is None else placement.cost_per_hour
            slot = Slot(machine, variant.shape, placement.seating)
            seats.put(cohort, placement.replica, Seat(terrain.index[placement.site], slot, variant, price))
        return seats

    def machine_of(self, site: str, label: str) -> int | None:
        """Return the machine called `label` at a site, None where there is none."""
        index = self.terrain.index.get(site)
        if index is None:
            return None
        span = self.pool.span(index)
        return next((machine for machine in range(span.start, span.stop) if self.pool.label(machine) == label), None)

    def variant_of(self, cohort: Cohort, quantisation: str | None) -> Variant | None:
        """Return the form of a cohort's workload by the name of its quantisation."""
        found = self.terrain.variants(cohort.workload)
        return next((variant for variant in found if variant.quantisation == quantisation), None)

    def seat(self, replica: Replica) -> Seat | None:
        """Return where a replica sits, None where it has no seat."""
        found = self._taken.get(replica)
        return found[1] if found else None

    def seated(self) -> Mapping[Replica, tuple[Cohort, Seat]]:
        """Return every seated replica in the order they came."""
        return self._taken

    def sites_of(self, workload: str) -> tuple[int, ...]:
        """Return the sites of the replicas of a workload, ascending."""
        return tuple(sorted(self._at.get(workload, ())))

    def machines_of(self, workload: str) -> frozenset[int]:
        """Return the machines that hold replicas of a workload."""
        return frozenset(self._on.get(workload, ()))

    def put(self, cohort: Cohort, number: int, seat: Seat) -> None:
        """Seat a replica."""
        replica = (cohort.name, number)
        self.pool.take(seat.slot)
        self._standing = None
        self._taken[replica] = (cohort, seat)
        self._tenants[cohort.workload.tenant].book(cohort.name, seat.variant.shape.demand, 1)
        self._at[cohort.name][seat.site] += 1
        self._on[cohort.name][seat.slot.machine] += 1
        self._draw(seat, 1)

    def lift(self, replica: Replica) -> tuple[Cohort, Seat]:
        """Take a replica off its seat and return what `put` needs to bring it back."""
        cohort, seat = self._taken.pop(replica)
        self.pool.release(seat.slot)
        self._standing = None
        self._tenants[cohort.workload.tenant].book(cohort.name, seat.variant.shape.demand, -1)
        _less(self._at[cohort.name], seat.site)
        _less(self._on[cohort.name], seat.slot.machine)
        self._draw(seat, -1)
        return cohort, seat

    def draw_kw(self, seat: Seat) -> float:
        """Return what a seat draws; 0 where the machine's power is unknown, which no budget can count."""
        return draw_kw(self.pool.node(seat.slot.machine), seat.variant.shape.demand) or 0.0

    def within_power(self, seat: Seat) -> bool:
        """Return whether the site's budget bears what a seat draws beside what is drawn already."""
        if np.isinf(self.budgets_kw[seat.site]):
            return True
        drawn = self.power_kw[list(seat.variant.shape.periods), seat.site].max() + self.draw_kw(seat)
        return bool(round(float(drawn), _DIGITS) <= self.budgets_kw[seat.site])

    def within_quota(self, cohort: Cohort, demand: Demand) -> bool:
        """Return whether the tenant's quota bears one more replica."""
        tenant = self.terrain.estate.tenants.get(cohort.workload.tenant)
        if tenant is None or tenant.quota == BOUNDLESS:
            return True
        held, quota = self._tenants[tenant.name].held(), tenant.quota
        return (
            (quota.cores is None or held.cores + demand.cores <= quota.cores)
            and (quota.memory_gib is None or round(held.memory_gib + demand.memory_gib, _DIGITS) <= quota.memory_gib)
            and (quota.gpus is None or held.gpus + demand.gpus <= quota.gpus)
        )

    def standing(self, leaving_out: Replica | None = None) -> Standing:
        """Return where all replicas are but one."""
        if self._standing is None:
            totals = {name: account.held() for name, account in self._tenants.items()}
            self._standing = Standing(totals, {name: frozenset(found) for name, found in self._at.items()})
        if leaving_out not in self._taken:
            return self._standing
        cohort, seat = self._taken[leaving_out]
        standing = self._standing
        tenant = self.terrain.estate.tenants.get(cohort.workload.tenant)
        tenants = standing.tenants
        if tenant is not None and tenant.quota != BOUNDLESS:  # what nothing bounds need not be counted anew
            account = self._tenants[tenant.name].copy()
            account.book(cohort.name, seat.variant.shape.demand, -1)
            tenants = ChainMap({tenant.name: account.held()}, tenants)
        sites = frozenset(self._at[cohort.name] - Counter([seat.site]))
        return Standing(tenants, ChainMap({cohort.name: sites}, standing.sites))

    def _draw(self, seat: Seat, sign: int) -> None:
        for period in seat.variant.shape.periods:
            drawn = float(self.power_kw[period, seat.site]) + sign * self.draw_kw(seat)
            self.power_kw[period, seat.site] = round(drawn, _DIGITS)


def _less(counter: Counter[int], key: int) -> None:
    """Count one less, and forget what there is none of."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
