"""Documents of what was measured: Measurement."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from cellwright.estate import model
from cellwright.estate.documents.parts import Document, Duration, Part, Reference, Sourced, refuse


class LatenciesPart(Part):
    """Measured percentiles of one duration."""

    p50: Duration | None = Field(default=None, description="the median, such as 12 ms; not measured if absent")
    p95: Duration | None = Field(default=None, description="the 95th percentile, such as 18 ms; not measured if absent")
    p99: Duration = Field(description="the 99th percentile, such as 25 ms")

    @field_validator("p95", "p99")
    @classmethod
    def _rising(cls, value: float | None, info: ValidationInfo) -> float | None:
        for lower in ("p50", "p95"):
            below = info.data.get(lower)
            if value is not None and below is not None and value < below:
                raise refuse("out-of-range", f"less than {lower}", expected=f"a percentile of at least {lower}")
        return value

    def build(self) -> model.Latencies:
        """Return the frozen percentiles."""
        return model.Latencies(self.p50, self.p95, self.p99)


class MeasurementSpec(Sourced):
    """What users at one site measured of a workload at another."""

    workload: Reference = Field(description="the name of the workload that was measured")
    users: Reference = Field(description="the name of the site where the requests arose")
    site: Reference = Field(description="the name of the site where the workload ran")
    round_trip: LatenciesPart = Field(description="network and service together, {p50: 9 ms, p95: 12 ms, p99: 15 ms}")
    first_token: LatenciesPart | None = Field(default=None, description="time to the first token, {p50, p95, p99}")


class MeasurementDocument(Document):
    """Latency as it was measured; goes before any reckoning."""

    kind: Literal["Measurement"]
    spec: MeasurementSpec = Field(description="what was measured, where and when")

    def build(self) -> model.Measurement:
        """Return the frozen measurement."""
        spec = self.spec
        return model.Measurement(
            name=self.metadata.name,
            workload=spec.workload,
            users=spec.users,
            site=spec.site,
            round_trip=spec.round_trip.build(),
            first_token=spec.first_token.build() if spec.first_token else None,
            source=spec.source,
            checked=spec.checked,
        )
