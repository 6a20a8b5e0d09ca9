"""Documents of places: Site and Link."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cellwright.estate.documents.parts import (
    NAME_WORDS,
    Bandwidth,
    Country,
    Document,
    Flag,
    Memory,
    Name,
    Part,
    Percentiles,
    PositiveCount,
    Reference,
    Text,
    one_of,
    refuse,
)
from cellwright.estate.model import Arch, Control, Gpus, Link, Location, Node, OnCall, Operations, Site, Tier


class GpusPart(Part):
    """The GPUs of one node, all of one model."""

    model: Text = Field(min_length=1, description="the model, as price books name it, such as L40S")
    count: PositiveCount = Field(description="how many each machine has")
    memory: Memory = Field(description="memory of each GPU, such as 48 GiB; of the machine where it is unified")

    def build(self) -> Gpus:
        """Return the frozen GPUs."""
        return Gpus(self.model, self.count, self.memory)


class NodePart(Part):
    """A number of identical machines."""

    name: Name = Field(description=f"a {NAME_WORDS}, unique within the site")
    count: PositiveCount = Field(default=1, description="how many identical machines")
    arch: Annotated[Arch, one_of(Arch)] = Field(description="processor architecture")
    cores: PositiveCount = Field(description="processor cores of each machine")
    memory: Memory = Field(description="memory of each machine, such as 256 GiB")
    gpus: GpusPart | None = Field(default=None, description="GPUs of each machine")
    unified_memory: Flag = Field(default=False, description="whether CPU and GPU share one memory")

    def build(self) -> Node:
        """Return the frozen node."""
        gpus = self.gpus.build() if self.gpus else None
        return Node(self.name, self.count, self.arch, self.cores, self.memory, gpus, self.unified_memory)


class LocationPart(Part):
    """WGS 84 coordinates."""

    lat: float = Field(strict=True, ge=-90, le=90, allow_inf_nan=False, description="latitude, degrees north")
    lon: float = Field(strict=True, ge=-180, le=180, allow_inf_nan=False, description="longitude, degrees east")


class OperationsPart(Part):
    """What the people of a site can do."""

    managed: Flag = Field(description="whether a provider looks after hardware, firmware and runtime")
    skills: tuple[Name, ...] = Field(
        default=(), description="names of what the people (or the provider) of the site can do"
    )
    on_call: Annotated[OnCall, one_of(OnCall)] = Field(description="how quickly somebody attends")


class SiteSpec(Part):
    """A place with nodes."""

    tier: Annotated[Tier, one_of(Tier)] = Field(description="the kind of place")
    jurisdiction: Country = Field(description="whose law applies, as two capital letters, such as IT")
    control: Annotated[Control, one_of(Control)] = Field(description="who controls the premises and holds the keys")
    isolated: Flag = Field(default=False, description="whether it is dedicated to this operator")
    location: LocationPart = Field(description="WGS 84 coordinates, {lat, lon}")
    operations: OperationsPart = Field(description="who looks after it: {managed, skills, onCall}")
    nodes: tuple[NodePart, ...] = Field(description="a list of its machines, [] for none")


class SiteDocument(Document):
    """A place with a tier, a jurisdiction and nodes."""

    kind: Literal["Site"]
    spec: SiteSpec = Field(description="what the site is and has")

    def build(self) -> Site:
        """Return the frozen site."""
        spec = self.spec
        return Site(
            name=self.metadata.name,
            tier=spec.tier,
            jurisdiction=spec.jurisdiction,
            control=spec.control,
            isolated=spec.isolated,
            location=Location(float(spec.location.lat), float(spec.location.lon)),
            operations=Operations(spec.operations.managed, frozenset(spec.operations.skills), spec.operations.on_call),
            nodes=tuple(node.build() for node in spec.nodes),
        )


class LinkSpec(Part):
    """Round-trip times and bandwidth between two sites."""

    a: Reference = Field(description="the name of a site")
    b: Reference = Field(description="the name of another site")
    rtt: Percentiles = Field(description="network round-trip times, {p50: 2 ms, p99: 3 ms}")
    bandwidth: Bandwidth = Field(gt=0, description="what it carries each way, such as 10 Gbit/s")

    @field_validator("b")
    @classmethod
    def _another_site(cls, b: str, info: ValidationInfo) -> str:
        if b == info.data.get("a"):
            raise refuse("self-link", f"{b!r}, the same site as a", expected="the name of another site")
        return b


class LinkDocument(Document):
    """An undirected link between two sites."""

    kind: Literal["Link"]
    spec: LinkSpec = Field(description="the two sites and what is between them")

    def build(self) -> Link:
        """Return the frozen link."""
        spec = self.spec
        return Link(self.metadata.name, spec.a, spec.b, spec.rtt.p50, spec.rtt.p99, spec.bandwidth)
