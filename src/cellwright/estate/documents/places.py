"""Documents of places: Site and Link."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cellwright.estate.documents.machines import NodePart
from cellwright.estate.documents.parts import (
    Bandwidth,
    Country,
    Document,
    Flag,
    Name,
    Part,
    Percentiles,
    Power,
    Reference,
    one_of,
    refuse,
)
from cellwright.estate.model import Control, Link, Location, OnCall, Operations, Site, Tier


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
    power_budget: Power | None = Field(
        default=None, description="what all its machines together may draw, such as 20 kW; no bound if absent"
    )
    pue: float | None = Field(
        default=None,
        strict=True,
        ge=1,
        allow_inf_nan=False,
        description="power usage effectiveness: what the facility draws over what its machines draw, 1 or more",
    )


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
            labels=frozenset(self.metadata.labels.items()),
            power_budget_kw=spec.power_budget,
            pue=None if spec.pue is None else float(spec.pue),
        )


class LinkSpec(Part):
    """Round-trip times and bandwidth between two sites."""

    a: Reference = Field(description="the name of a site")
    b: Reference = Field(description="the name of another site")
    rtt: Percentiles = Field(description="network round-trip times, {p50: 2 ms, p99: 3 ms}")
    bandwidth: Bandwidth = Field(gt=0, description="what it carries each way, such as 10 Gbit/s")
    estimated: Flag = Field(
        default=False, description="whether the round-trip times are reckoned from distance, not measured"
    )

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
        rtt = spec.rtt
        return Link(self.metadata.name, spec.a, spec.b, rtt.p50, rtt.p99, spec.bandwidth, spec.estimated)
