"""The frozen Estate: what an operator has and wants. Built by `estate.load`, read by everything else.

Quantities are floats in the unit their name ends in; `None` means unknown, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class Tier(StrEnum):
    """Kinds of places, from the largest and farthest to the smallest and nearest."""

    REGION = "region"
    METRO = "metro"
    ONPREM = "onprem"
    AI_FACTORY = "ai_factory"
    FAR_EDGE = "far_edge"


class Phase(StrEnum):
    """Lifecycle phases of an AI function: a label for people and reports, never an input to placement."""

    DATA_PREPARATION = "data_preparation"
    TRAINING = "training"
    FINE_TUNING = "fine_tuning"
    CONTEXT_CREATION = "context_creation"
    REALTIME_INFERENCE = "realtime_inference"
    INTERACTIVE_INFERENCE = "interactive_inference"
    BATCH_INFERENCE = "batch_inference"
    EDGE_PREFILTER = "edge_prefilter"
    MODEL_OPTIMISATION = "model_optimisation"
    AGENT_ORCHESTRATION = "agent_orchestration"


class SensitivityClass(StrEnum):
    """What a dataset reveals; regulations speak of these classes."""

    SUBSCRIBER_PII = "subscriber_pii"
    LOCATION = "location"
    SIGNALLING = "signalling"
    NETWORK_CONFIGURATION = "network_configuration"
    TROUBLE_TICKET = "trouble_ticket"
    AGGREGATED_KPI = "aggregated_kpi"
    ANONYMISED = "anonymised"
    MODEL_ARTEFACT = "model_artefact"


class Boundary(StrEnum):
    """What data may not leave, from the tightest to none.

    `premises`: sites the operator controls in the data's jurisdiction. `country`: sites in that jurisdiction.
    `bloc`: sites in the jurisdictions the regulation lists as members. `none`: anywhere.
    """

    PREMISES = "premises"
    COUNTRY = "country"
    BLOC = "bloc"
    NONE = "none"


class Effect(StrEnum):
    """What a regulation does beyond its boundary: forbids, or asks for a legal review first."""

    DENY = "deny"
    REVIEW = "review"


class Control(StrEnum):
    """Who controls the premises and holds the keys of a site."""

    OPERATOR = "operator"
    PROVIDER = "provider"


class OnCall(StrEnum):
    """How quickly somebody attends to an incident at a site, in rising order."""

    NONE = "none"
    BUSINESS_HOURS = "business_hours"
    ALWAYS = "24x7"


class Arch(StrEnum):
    """Processor architecture of a node."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of one node, all of one model."""

    model: str
    count: int
    memory_gib: float  # of each GPU; of the whole node where memory is unified


@dataclass(frozen=True, slots=True)
class Node:
    """`count` identical machines."""

    name: str
    count: int
    arch: Arch
    cores: int
    memory_gib: float
    gpus: Gpus | None
    unified_memory: bool  # CPU and GPU share `memory_gib`


@dataclass(frozen=True, slots=True)
class Location:
    """WGS 84 coordinates, degrees."""

    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Operations:
    """What the people (or the provider) of a site can do."""

    managed: bool  # hardware, firmware and runtime are somebody else's duty
    skills: frozenset[str]
    on_call: OnCall


@dataclass(frozen=True, slots=True)
class Site:
    """A place with a tier, a jurisdiction and nodes."""

    name: str
    tier: Tier
    jurisdiction: str  # ISO 3166-1 alpha-2
    control: Control
    isolated: bool  # dedicated to this operator, such as a dedicated metro zone
    location: Location
    operations: Operations
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An undirected link between two sites; round-trip times are network only."""

    name: str
    a: str
    b: str
    rtt_p50_ms: float
    rtt_p99_ms: float
    bandwidth_gbps: float


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data with a sensitivity class, a home and a volume."""

    name: str
    sensitivity: SensitivityClass
    home: str
    volume_gb: float
    bound: bool  # tied to the equipment at home: cannot be copied elsewhere whatever the law
    derived_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Regulation:
    """What data of some classes from some jurisdictions may not leave."""

    name: str
    jurisdictions: frozenset[str]  # of the data's home site
    classes: frozenset[SensitivityClass]
    boundary: Boundary
    effect: Effect
    members: frozenset[str]  # jurisdictions of a bloc
    source: str
    url: str | None
    checked: date
    expires: date


@dataclass(frozen=True, slots=True)
class Demand:
    """Resources of one running workload."""

    cores: int
    memory_gib: float
    gpus: int
    gpu_memory_gib: float  # at least this much on each GPU
    archs: frozenset[Arch]


@dataclass(frozen=True, slots=True)
class Consumption:
    """How a workload uses a dataset: `transfer_gb` moves from its home each period and must arrive in time."""

    dataset: str
    transfer_gb: float
    every_ms: float
    within_ms: float

    @property
    def rate_gb_per_h(self) -> float:
        """Mean traffic, GB/h."""
        return self.transfer_gb * 3.6e6 / self.every_ms


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """Who is served, and within which 99th percentile of the full round trip (network and service)."""

    users: str  # site where requests arise
    p99_ms: float | None  # None: no limit, the figure is only reported


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a workload asks of the people of its site."""

    skills: frozenset[str]
    on_call: OnCall


@dataclass(frozen=True, slots=True)
class Call:
    """A workload this one calls: a sub-agent, a tool, a retriever."""

    workload: str
    traffic_gb_per_h: float
    p99_ms: float | None  # limit on the network round trip between the two, None: no limit


@dataclass(frozen=True, slots=True)
class Workload:
    """An AI function in one lifecycle phase."""

    name: str
    phase: Phase
    tenant: str
    description: str
    demand: Demand
    consumes: tuple[Consumption, ...]
    latency: LatencyTarget
    service_p50_ms: float
    service_p99_ms: float
    readiness: Readiness
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Quota:
    """Upper bounds of what all workloads of a tenant may take together; None: no bound."""

    cores: int | None
    memory_gib: float | None
    gpus: int | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who a workload belongs to."""

    name: str
    display_name: str
    quota: Quota


@dataclass(frozen=True, slots=True)
class ComputePrices:
    """Hourly prices at the sites of one tier, or at one named site where `site` is set (which wins)."""

    tier: Tier
    site: str | None
    core_hour: float
    memory_gib_hour: float
    gpu_hour: Mapping[str, float]  # by GPU model; a model without a price makes a cost unknown
    ingress_gb: float  # price of a GB that arrives from another site


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Prices of one model, per million tokens."""

    model: str
    input_per_million: float
    output_per_million: float


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices with their source, date and currency."""

    name: str
    currency: str  # ISO 4217
    source: str
    checked: date
    expires: date
    compute: tuple[ComputePrices, ...]
    tokens: tuple[TokenPrices, ...]


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything an operator has and wants; mappings are by name, in name order."""

    sites: Mapping[str, Site]
    links: Mapping[str, Link]
    datasets: Mapping[str, Dataset]
    regulations: Mapping[str, Regulation]
    workloads: Mapping[str, Workload]
    tenants: Mapping[str, Tenant]
    price_books: Mapping[str, PriceBook]
