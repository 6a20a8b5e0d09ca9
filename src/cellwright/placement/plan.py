"""The Plan: every placement and every rejection of one estate, and nothing of the moment it was made."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the decoder reads these annotations
from dataclasses import dataclass
from enum import StrEnum

from cellwright.economics.compute import CostItem
from cellwright.estate.model import Phase, Tier  # noqa: TC001 - the decoder reads these annotations

__all__ = ["CostItem", "Dimension", "Placement", "Plan", "PlannedSite", "Rejection", "Violation"]


class Dimension(StrEnum):
    """What eliminates or decides, in order of precedence."""

    SOVEREIGNTY = "sovereignty"
    LATENCY = "latency"
    GRAVITY = "gravity"
    OPERATIONS = "operations"
    CAPACITY = "capacity"
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


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a site was not chosen: its violations, or only a higher cost (code `cost.higher`)."""

    site: str
    tier: Tier
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one workload goes and why; site None: no feasible site."""

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
    rejections: tuple[Rejection, ...]  # every other site, by name


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """What a reader of a plan needs to draw a site; coordinates in WGS 84 degrees."""

    name: str
    tier: Tier
    jurisdiction: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All placements of one estate, by workload name."""

    estate_sha256: str
    currency: str
    valid_until: str | None  # ISO date: the earliest expiry of the regulations and prices it rests on
    sites: tuple[PlannedSite, ...]  # by name
    placements: tuple[Placement, ...]

    def placement(self, workload: str) -> Placement | None:
        """Return the placement of `workload`, None where the plan has none."""
        return next((placement for placement in self.placements if placement.workload == workload), None)

    @property
    def feasible(self) -> bool:
        """Whether every workload has a site."""
        return all(placement.site is not None for placement in self.placements)
