"""The Plan: every placement and every rejection of one estate, and nothing of the moment it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, overload

from cellwright.economics.compute import CostItem
from cellwright.estate.model import Tier  # noqa: TC001 - the decoder reads the annotations of planned sites
from cellwright.placement.wording import number, span

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from cellwright.estate.model import Phase
    from cellwright.placement.slots import Seating

    Sites: TypeAlias = NDArray[np.bool_]
    Figures: TypeAlias = NDArray[np.float64]

__all__ = [
    "CostItem",
    "Dimension",
    "Finding",
    "Placement",
    "Plan",
    "PlannedSite",
    "Rejection",
    "Rejections",
    "Violation",
]

Measured: TypeAlias = "Figures | tuple[str, ...] | float | str | None"


class Dimension(StrEnum):
    """What eliminates or decides, in order of precedence."""

    SOVEREIGNTY = "sovereignty"
    LATENCY = "latency"
    GRAVITY = "gravity"
    OPERATIONS = "operations"
    HARDWARE = "hardware"  # no machine of the site could hold it, even if empty
    QUOTA = "quota"
    AFFINITY = "affinity"
    CAPACITY = "capacity"  # others have taken the room
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Violation:
    """One violated constraint: what was measured, what the limit is, and in words that a person can act on."""

    dimension: Dimension
    code: str  # kebab-case behind its dimension, such as "latency.p99"
    subject: str  # the dataset, link, skill or resource it is about
    measured: float | str | None  # None: unknown
    limit: float | str | None
    unit: str  # "" where the values are words
    message: str
    source: str  # regulation, link path or document the figures come from


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One constraint and all the sites that violate it.

    `at` and `measured` are aligned with the sites of the case that was judged: `at` (n_sites,) bool, `measured`
    (n_sites,) float64 with NaN for the unknown, a tuple of words, or one value that holds for all sites. In `message`,
    `{site}` and `{measured}` stand for what differs from site to site.
    """

    dimension: Dimension
    code: str
    subject: str
    limit: float | str | None
    unit: str
    message: str
    source: str
    at: Sites
    measured: Measured = None
    detail: Callable[[int], tuple[str, str]] | None = None  # message and source of one site, in more words

    def measured_at(self, site: int) -> float | str | None:
        """Return what was measured at one site, None where that is unknown."""
        if self.measured is None or isinstance(self.measured, str | float | int):
            return self.measured
        value = self.measured[site]
        return value if isinstance(value, str) else None if value != value else float(value)  # noqa: PLR0124 - NaN

    def violation(self, site: int, name: str) -> Violation:
        """Return what one site, called `name`, violates."""
        measured = self.measured_at(site)
        message, source = self.detail(site) if self.detail else (self._worded(name, measured), self.source)
        return Violation(self.dimension, self.code, self.subject, measured, self.limit, self.unit, message, source)

    def _worded(self, name: str, measured: float | str | None) -> str:
        spelt = measured if isinstance(measured, str) else number(measured)
        if self.unit == "s" and isinstance(measured, float):
            spelt = span(measured * 1000)
        return self.message.replace("{site}", name).replace("{measured}", spelt)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a site was not chosen: its violations, or only a higher cost (code `cost.higher`)."""

    site: str
    tier: Tier
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """What a reader of a plan needs to draw a site; coordinates in WGS 84 degrees."""

    name: str
    tier: Tier
    jurisdiction: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, eq=False)
class Rejections(Sequence[Rejection]):
    """Every site but the chosen one with all that it violates, by name; kept as findings, told site by site."""

    sites: tuple[PlannedSite, ...]
    findings: tuple[Finding, ...]  # in order of precedence, each over all sites
    chosen: int | None  # index into `sites`

    def __len__(self) -> int:
        return len(self.sites) - (self.chosen is not None)

    @overload
    def __getitem__(self, index: int) -> Rejection: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rejection]: ...
    def __getitem__(self, index: int | slice) -> Rejection | Sequence[Rejection]:
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        position = range(len(self))[index]
        return self.at(position + (self.chosen is not None and position >= self.chosen))

    def at(self, site: int) -> Rejection:
        """Return what stands against one site, by its index in `sites`."""
        planned = self.sites[site]
        violations = (found.violation(site, planned.name) for found in self.findings if found.at[site])
        return Rejection(planned.name, planned.tier, tuple(violations))


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where one replica of a workload goes and why; site None: no feasible site."""

    workload: str
    phase: Phase
    tenant: str
    site: str | None
    tier: Tier | None
    node: str | None  # the node's name; with "#2" behind it for the second of several identical machines
    cost_per_hour: float | None
    cost_items: tuple[CostItem, ...]
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    decided_by: Dimension
    decided_because: str
    eliminated: Mapping[Dimension, int]  # sites by the first dimension that eliminated them
    calls: tuple[tuple[str, str | None, Tier | None], ...]  # called workload, its site, its tier
    rejections: Rejections
    replica: int = 1  # from 1
    replicas: int = 1
    users: str = ""  # the site it serves
    latency_source: str = ""  # "measured: ..." or what it was reckoned from
    quantisation: str | None = None
    seating: Seating | None = None  # what it takes of the machine

    @property
    def cells(self) -> tuple[int, ...]:
        """NUMA cells it takes from."""
        return self.seating.cells if self.seating else ()

    @property
    def gpus(self) -> tuple[int, ...]:
        """GPUs of the machine that it takes, or takes a share of."""
        return self.seating.gpus if self.seating else ()

    @property
    def instances(self) -> tuple[tuple[int, int], ...]:
        """MIG instances: GPU and first memory slice."""
        return self.seating.instances if self.seating else ()

    @property
    def label(self) -> str:
        """The workload's name; with "#2" behind it for the second of several replicas."""
        return self.workload if self.replicas == 1 else f"{self.workload}#{self.replica}"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All placements of one estate, by workload name and replica."""

    estate_sha256: str
    currency: str
    valid_until: str | None  # ISO date: the earliest expiry of the regulations and prices it rests on
    sites: tuple[PlannedSite, ...]  # by name
    placements: tuple[Placement, ...]
    _by_workload: dict[str, tuple[Placement, ...]] = field(default_factory=dict, repr=False, init=False)

    def placements_of(self, workload: str) -> tuple[Placement, ...]:
        """Return the placements of all replicas of `workload`, none where the plan has none."""
        if not self._by_workload:
            found: dict[str, list[Placement]] = {}
            for placement in self.placements:
                found.setdefault(placement.workload, []).append(placement)
            self._by_workload.update((name, tuple(replicas)) for name, replicas in found.items())
        return self._by_workload.get(workload, ())

    def placement(self, workload: str) -> Placement | None:
        """Return the placement of the first replica of `workload`, None where the plan has none."""
        return next(iter(self.placements_of(workload)), None)

    @property
    def feasible(self) -> bool:
        """Whether every replica has a site."""
        return all(placement.site is not None for placement in self.placements)
