"""One request on its way: what is known of it, and what it took, for the meter."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.gateway.metering.meter import charge
from cellwright.gateway.metering.row import MeterRow
from cellwright.gateway.tally import Tally
from cellwright.gateway.waits import CLIENT, UPSTREAM, Waits
from cellwright.gateway.wire import Operation, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from cellwright.digest.tokens import TokenCounter
    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.attempt import Attempt
    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.filter_policy import Filtered
    from cellwright.gateway.model import AccessKey, BackendSpec
    from cellwright.gateway.pots import Hold
    from cellwright.gateway.retrieved import Retrieved
    from cellwright.gateway.routing.route import Decision
    from cellwright.gateway.wire import ModelRequest

CLIENT_GONE: Final = 499  # by custom: the connection ended before a status was sent
_MS_PER_S: Final = 1000.0
_US_PER_S: Final = 1_000_000
_NOTHING: Final = Usage(0, 0)


@dataclass(slots=True)
class Exchange:
    """What is known of one request so far; filled in as it goes. Leaving it as a context ends what backends are at."""

    id: str
    started_us: int
    key: AccessKey
    _started_s: float
    request: ModelRequest | None = None
    data_class: SensitivityClass | None = None  # that the request names; None: its route's
    filtered: Filtered | None = None  # what the edge filter made of it
    retrieved: Retrieved | None = None  # passages for backends
    decision: Decision | None = None
    spec: BackendSpec | None = None  # the backend that answers, else the one asked last
    wanted: BackendSpec | None = None  # the one that would answer if none failed
    missed: str | None = None  # why that one does not
    difficulty: float | None = None  # of the request, where its route asks
    asked: set[str] = field(default_factory=set)  # backends
    attempts: int = 0
    under_way: list[Attempt] = field(default_factory=list)  # those of them that may have to be ended
    status: int = 500  # these two hold until the exchange ends otherwise
    error: str | None = "internal_error"
    spent: bool = False  # a backend may have worked for tokens
    hold: Hold | None = None  # what it takes of quotas
    is_late: Callable[[], bool] = bool  # whether the time that it may take is over
    tally: Tally = field(default_factory=Tally)  # of the backend asked last
    lost: list[tuple[BackendSpec, str, Tally]] = field(default_factory=list)  # who else worked, and why in vain
    ttft_ms: float | None = None
    upstream: Waits = field(default_factory=Waits)  # for backends
    client: Waits = field(default_factory=Waits)  # for the client
    _gaps: int = 0  # between pieces that say something
    _heard_ms: float = 0.0  # when the last of them came
    _longest_gap_ms: float = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for attempt in self.under_way:
            await attempt.leave(error)

    def elapsed_ms(self) -> float:
        """Return the time since the request began."""
        return (time.perf_counter() - self._started_s) * _MS_PER_S

    def timing(self) -> str:
        """Return the header line that says what this hop and those behind it took so far (W3C Server Timing)."""
        upstream_ms = self.upstream.total_ms
        own_ms = max(0.0, self.elapsed_ms() - upstream_ms - self.client.total_ms)
        return f"server-timing: gateway;dur={own_ms:.3f}, upstream;dur={upstream_ms:.3f}\r\n"

    def hear(self, chunk: Chunk) -> None:
        """Take note of a piece of the answer."""
        self.tally.hear(chunk)
        if chunk.text:
            now_ms = self.elapsed_ms()
            if self.ttft_ms is None:
                self.ttft_ms = now_ms
            else:
                self._gaps += 1
                self._longest_gap_ms = max(self._longest_gap_ms, now_ms - self._heard_ms)
            self._heard_ms = now_ms

    def lose(self, code: str) -> None:
        """Note that the work of the backend asked last was in vain: another one begins anew."""
        if self.spec is not None:
            self.lost.append((self.spec, code, self.tally))
        self.tally = Tally()

    def labels(self) -> dict[str, str | None]:
        """Return what the headers of the response say about who answers."""
        return {
            "route": self.decision.route if self.decision else None,
            "tier": self.spec.tier if self.spec else None,
            "backend": self.spec.name if self.spec else None,
            "rule": self.decision.rules if self.decision else None,
            "difficulty": None if self.difficulty is None else f"{self.difficulty:.2f}",
            "degraded": self.degraded,
            **(self.filtered.labels() if self.filtered else {}),
            **(self.retrieved.labels(self.spec) if self.retrieved else {}),
        }

    @property
    def degraded(self) -> str | None:
        """Which backend stands in for which one, and why, where another model answers than without faults."""
        if self.spec is self.wanted or not (self.spec and self.wanted and self.missed):
            return None
        return (
            f"{self.spec.name} for {self.wanted.name} ({self.missed})" if self.spec.model != self.wanted.model else None
        )

    def settle(self, counter: TokenCounter) -> Usage:
        """Return what the request used: as the backend said it, else counted here and marked as an estimate."""
        if self.request is None or not (self.spent or self.tally.is_stated):
            return _NOTHING
        return self.tally.settle(self.request, counter)

    def rows(self, counter: TokenCounter) -> Iterator[MeterRow]:
        """Yield the row of the request, then one for each attempt whose tokens were spent in vain."""
        row = self.row(counter)
        yield row
        if not self.lost or self.request is None:
            return
        for number, (spec, code, tally) in enumerate(self.lost, 1):
            usage = tally.settle(self.request, counter)
            cost_in, cost_out = charge(usage, spec.price)
            yield row._replace(
                request_id=f"{self.id}-{number}",
                part_of=self.id,
                backend=spec.name,
                tier=spec.tier,
                attempts=1,
                error=code,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
                tokens_cached=usage.tokens_cached,
                estimated=usage.estimated,
                cost_in_nano=cost_in,
                cost_out_nano=cost_out,
                currency=spec.price.currency if spec.price else None,
                price_source=spec.price.source if spec.price else None,
                ttft_ms=None,
                upstream_ms=None,
                overhead_ms=None,
                gaps=0,
                gap_ms=None,
                longest_gap_ms=None,
            )

    def row(self, counter: TokenCounter) -> MeterRow:
        """Return the row of the request itself."""
        usage, price = self.settle(counter), self.spec.price if self.spec else None
        cost_in, cost_out = charge(usage, price) if usage != _NOTHING else (0, 0)
        stream = self.request is not None and self.request.stream
        gaps = self._gaps if stream else 0
        duration_ms, upstream_ms = self.elapsed_ms(), self.upstream.total_ms
        return MeterRow(
            request_id=self.id,
            started_us=self.started_us,
            tenant=self.key.tenant,
            key_name=self.key.name,
            model=self.request.model if self.request and self.decision else "",
            route=self.decision.route if self.decision else None,
            data_class=self.decision.data_class if self.decision else None,
            backend=self.spec.name if self.spec else None,
            tier=self.spec.tier if self.spec else None,
            attempts=self.attempts,
            stream=stream,
            status=self.status,
            error=self.error,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            tokens_cached=usage.tokens_cached,
            tokens_saved=self.filtered.saved if self.filtered else 0,
            estimated=usage.estimated,
            cost_in_nano=cost_in,
            cost_out_nano=cost_out,
            currency=price.currency if price else None,
            price_source=price.source if price else None,
            ttft_ms=self.ttft_ms if stream else None,
            duration_ms=duration_ms,
            operation=self.request.operation if self.request else Operation.CHAT,
            upstream_ms=upstream_ms if self.attempts else None,
            overhead_ms=max(0.0, duration_ms - upstream_ms - self.client.total_ms),
            gaps=gaps,
            gap_ms=self._heard_ms - self.ttft_ms if gaps and self.ttft_ms is not None else None,
            longest_gap_ms=self._longest_gap_ms if gaps else None,
        )


def start(request_id: str, key: AccessKey) -> Exchange:
    """Return the exchange of a request that came in just now."""
    exchange = Exchange(request_id, time.time_ns() // (1_000_000_000 // _US_PER_S), key, time.perf_counter())
    UPSTREAM.set(exchange.upstream)
    CLIENT.set(exchange.client)
    return exchange
