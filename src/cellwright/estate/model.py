"""The frozen Estate: what an operator has and wants. Built by `estate.load`, read by everything else.

Quantities are floats in the unit their name ends in; `None` means unknown, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

Labels: TypeAlias = frozenset[tuple[str, str]]  # pairs of key and value


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


class Execution(StrEnum):
    """How a workload runs, and what a machine offers: containers, virtual machines or the whole machine (HPC style)."""

    KUBERNETES = "kubernetes"
    VM = "vm"
    BARE_METAL = "bare_metal"


class ServiceClass(StrEnum):
    """Whose capacity is reserved: a guaranteed workload keeps its share, a best-effort one takes what is left."""

    GUARANTEED = "guaranteed"
    BEST_EFFORT = "best_effort"


class Spread(StrEnum):
    """How far apart the replicas of one workload must be."""

    ANY = "any"
    NODE = "node"  # no two on one machine
    SITE = "site"  # no two at one site


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
    mig: bool = False  # partitioned into MIG instances; `estate.mig` knows which profiles fit where on a model


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card with SR-IOV virtual functions, attached to one NUMA cell."""

    name: str
    cell: int  # from 0
    functions: int
    gbps: float


@dataclass(frozen=True, slots=True)
class Node:
    """`count` identical machines.

    Cores, memory, hugepages and GPUs are spread evenly over the NUMA cells: GPU g belongs to cell g * cells // GPUs.
    """

    name: str
    count: int
    arch: Arch
    cores: int
    memory_gib: float
    gpus: Gpus | None
    unified_memory: bool  # CPU and GPU share `memory_gib`
    sockets: int = 1
    cells: int = 1  # NUMA cells, a multiple of the sockets
    threads_per_core: int = 1  # SMT: hardware threads of each core
    hugepages_2mib_gib: float = 0.0  # set aside out of `memory_gib`
    hugepages_1gib_gib: float = 0.0  # set aside out of `memory_gib`
    nvme_gb: float = 0.0  # local cache
    nics: tuple[Nic, ...] = ()
    dpu: bool = False  # separates untrusted workloads from everything else
    fabric: str | None = None  # name of the RDMA fabric it is on
    executions: frozenset[Execution] = frozenset(Execution)
    power_kw: float | None = None  # at full load

    @property
    def threads(self) -> int:
        """Hardware threads of each machine: what demands count as cores."""
        return self.cores * self.threads_per_core


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
    labels: Labels = frozenset()
    power_budget_kw: float | None = None  # for all machines together, None: no bound
    pue: float | None = None  # power usage effectiveness: facility power over machine power


@dataclass(frozen=True, slots=True)
class Link:
    """An undirected link between two sites; round-trip times are network only."""

    name: str
    a: str
    b: str
    rtt_p50_ms: float
    rtt_p99_ms: float
    bandwidth_gbps: float
    estimated: bool = False  # round-trip times reckoned from distance, not measured


@dataclass(frozen=True, slots=True)
class Latencies:
    """Measured percentiles, milliseconds; None where a percentile was not measured."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What users at one site measured of a workload at another; goes before any reckoning."""

    name: str
    workload: str
    users: str
    site: str
    round_trip: Latencies  # network and service together
    first_token: Latencies | None
    source: str
    checked: date


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
    """Resources of one running replica."""

    cores: int  # hardware threads
    memory_gib: float  # beside hugepages
    gpus: int
    gpu_memory_gib: float  # at least this much on each GPU
    archs: frozenset[Arch]
    gpu_share: float = 1.0  # of one GPU, time-sliced; below 1 only for one GPU and best effort
    mig_profile: str | None = None  # one MIG instance of this profile, such as 1g.10gb, instead of whole GPUs
    gpu_models: frozenset[str] = frozenset()  # the only models it runs on; empty: any
    pinned: bool = False  # whole physical cores, shared with nobody
    single_cell: bool = False  # cores, memory, hugepages, GPUs and SR-IOV functions of one NUMA cell
    hugepages_gib: float = 0.0
    hugepage_mib: int = 2  # 2 or 1024
    sriov: int = 0  # virtual functions
    nvme_gb: float = 0.0


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
class Selector:
    """Sites by what they are: a site is selected when it meets everything that is set."""

    tiers: frozenset[Tier] = frozenset()  # empty: any
    jurisdictions: frozenset[str] = frozenset()  # empty: any
    labels: Labels = frozenset()

    def selects(self, site: Site) -> bool:
        """Return whether `site` meets everything that is set."""
        return (
            (not self.tiers or site.tier in self.tiers)
            and (not self.jurisdictions or site.jurisdiction in self.jurisdictions)
            and self.labels <= site.labels
        )


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many there are: a number, one for each site of a selector, or one for each home of some datasets.

    One per site runs at that site and serves its users. One per home consumes, of the datasets in `per_home`, its own
    alone, and serves users at that dataset's home; where it runs is for the planner to find.
    """

    count: int = 1
    per_site: Selector | None = None
    per_home: tuple[str, ...] = ()  # datasets


@dataclass(frozen=True, slots=True)
class Quantisation:
    """One form of a model: the smaller it is, the more places it fits and the less accurate it may be."""

    name: str  # such as fp16, int8 or int4
    gpu_memory_gib: float  # in place of the demand's
    accuracy: float  # relative to the unquantised model, 0 to 1
    service_p50_ms: float  # in place of the workload's
    service_p99_ms: float
    mig_profile: str | None = None  # in place of the demand's


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the day in which a workload runs, UTC; may pass midnight."""

    start_min: int  # minutes after midnight, 0 to 1439
    end_min: int  # as many; never equal to the start

    @property
    def hours(self) -> float:
        """How long it is, hours."""
        return ((self.end_min - self.start_min) % 1440) / 60


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
    replicas: Replicas = Replicas()
    gang: bool = False  # all replicas at one site on machines of one fabric, or none
    spread: Spread = Spread.ANY
    together_with: frozenset[str] = frozenset()  # workloads at whose sites it must be (affinity)
    apart_from: frozenset[str] = frozenset()  # workloads at whose sites it must not be (anti-affinity)
    service_class: ServiceClass = ServiceClass.GUARANTEED
    window: Window | None = None  # None: all day
    execution: Execution = Execution.KUBERNETES
    untrusted: bool = False  # only on machines with a DPU
    quantisations: tuple[Quantisation, ...] = ()  # () the model has the one form that `demand` describes
    min_accuracy: float = 0.0  # of a quantisation


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
class OwnedHardware:
    """What machines cost whose owner pays for them once, at the sites of one tier, or at one site where `site` is set.

    Goes before `ComputePrices` for the machines it names.
    """

    tier: Tier
    site: str | None
    node: str | None  # nodes of this name; None: every node there
    capex: float  # of one machine
    lifetime_years: float
    utilisation: float  # the share of its life in which it earns, above 0 and at most 1
    power_kw: float  # mean draw of one machine
    kwh: float  # price of a kilowatt-hour


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
    owned: tuple[OwnedHardware, ...] = ()


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
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
