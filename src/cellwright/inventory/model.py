"""What an inventory reads, what it found, and what becomes of it. `None` means that the source does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from cellwright.estate.model import Control, OnCall, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.errors import Diagnostic, Mark
    from cellwright.estate.model import Link, Location, Node, Site

Attributes: TypeAlias = Mapping[str, str]  # further facts by name: candidates for labels and tier rules

ELEMENT_LIMIT: Final = 250_000
"""Sites, machines or links of one import: bounds the memory that a hostile file can ask for."""


class Role(StrEnum):
    """What a text is: the inventory itself, or a table that says what the inventory leaves out."""

    INVENTORY = "inventory"
    SITES = "sites"
    NODES = "nodes"
    LINKS = "links"


@dataclass(frozen=True, slots=True)
class Source:
    """One text as it came, with the name that the user knows it by."""

    name: str
    data: bytes
    role: Role = Role.INVENTORY


@dataclass(frozen=True, slots=True)
class TierRule:
    """Sites whose `attribute` has this value are of this tier; letter case does not matter."""

    attribute: str
    value: str
    tier: Tier


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about everything that a source leaves out; each default used is reported."""

    tier: Tier = Tier.METRO
    tier_rules: tuple[TierRule, ...] = ()
    control: Control = Control.PROVIDER  # the strict reading: nobody holds the operator's keys there
    jurisdiction: str | None = None  # ISO 3166-1 alpha-2; never guessed
    location: Location | None = None  # of sites without coordinates and without placed neighbours
    managed: bool = False
    on_call: OnCall = OnCall.NONE
    skills: frozenset[str] = frozenset()
    bandwidth_gbps: float = 10.0
    nic_gbps: float = 25.0
    p99_factor: float = 1.5
    columns: Mapping[str, str] = field(default_factory=dict)  # our column by the source's header, label or field
    site_by: str | None = None  # Kubernetes: the label that names a node's site
    tolerate: frozenset[str] = frozenset()  # Kubernetes: taints that do not keep a node out
    skip_unplaced: bool = False  # leave sites out that have no coordinates, instead of refusing the import
    encoding: str | None = None  # of texts without a byte order mark; None: UTF-8


@dataclass(frozen=True, slots=True)
class FoundSite:
    """A place as a source describes it."""

    key: str  # by which links and machines of the source name it
    name: str
    mark: Mark
    location: Location | None = None
    country: str | None = None  # as written: a name or a code
    tier: Tier | None = None
    control: Control | None = None
    isolated: bool | None = None
    managed: bool | None = None
    on_call: OnCall | None = None
    skills: frozenset[str] | None = None
    power_budget_kw: float | None = None
    pue: float | None = None
    nodes: tuple[Node, ...] = ()
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A connection as a source describes it; ends are keys of sites."""

    a: str
    b: str
    mark: Mark
    name: str | None = None
    rtt_p50_ms: float | None = None
    rtt_p99_ms: float | None = None
    bandwidth_gbps: float | None = None
    length_km: float | None = None  # of the fibre, not of the straight line
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """What was assumed, changed or left out, for the summary: how often, and the first few names."""

    kind: str  # "assumed", "changed" or "skipped"
    text: str
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many things it is about."""
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Network:
    """Everything found in the texts of one import, not yet complete."""

    sites: tuple[FoundSite, ...] = ()
    links: tuple[FoundLink, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """Estate documents, or every problem; no documents beside an error."""

    documents: tuple[Mapping[str, object], ...]
    diagnostics: tuple[Diagnostic, ...]
    remarks: tuple[Remark, ...] = ()
    sites: tuple[Site, ...] = ()
    links: tuple[Link, ...] = ()


class Inventory(Protocol):
    """Turns the texts of one kind of inventory into estate documents."""

    name: str
    reads: str  # what it reads, for the help

    def documents(self, texts: Sequence[Source], options: Options) -> Imported:
        """Return the documents, every problem, and what was assumed on the way."""
        ...
