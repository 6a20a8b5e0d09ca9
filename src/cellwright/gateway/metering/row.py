"""What the meter keeps of one request."""

from __future__ import annotations

from typing import NamedTuple


class MeterRow(NamedTuple):
    """What one request was, took and cost; None is unknown."""

    request_id: str
    started_us: int
    tenant: str
    key_name: str
    model: str
    route: str | None
    data_class: str | None
    backend: str | None
    tier: str | None
    attempts: int
    stream: bool
    status: int
    error: str | None
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    estimated: bool
    cost_in_nano: int | None
    cost_out_nano: int | None
    currency: str | None
    price_source: str | None
    ttft_ms: float | None
    duration_ms: float
    part_of: str | None = None  # the request whose attempt this was, one that spent tokens in vain
    operation: str = "chat"  # as OpenTelemetry calls it
    upstream_ms: float | None = None  # waiting for backends; None: none was asked
    overhead_ms: float | None = None  # neither waiting for backends nor for the client
    gaps: int = 0  # between pieces of a stream that say something
    gap_ms: float | None = None  # the sum of them; None: there is none
    longest_gap_ms: float | None = None
    tokens_saved: int = 0  # by the edge filter: of what it replaced, less of what it put there

    @property
    def per_token_ms(self) -> float | None:
        """The time for each token after the first one; None where there was none, or no stream."""
        return self.gap_ms / (self.tokens_out - 1) if self.gap_ms is not None and self.tokens_out > 1 else None
