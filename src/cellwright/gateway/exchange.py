"""One request on its way: backends asked in turn until the first byte, and what it took, for the meter."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError
from cellwright.gateway.meter import MeterRow, charge
from cellwright.gateway.wire import ApiError, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.backend import Backend, Chunk
    from cellwright.gateway.model import AccessKey, BackendSpec
    from cellwright.gateway.route import Decision, DecisionTable
    from cellwright.gateway.wire import ModelRequest

CLIENT_GONE: Final = 499  # by custom: the connection ended before a status was sent
_MS_PER_S: Final = 1000.0
_US_PER_S: Final = 1_000_000
_NOTHING: Final = Usage(0, 0)


@dataclass(slots=True)
class Exchange:
    """What is known of one request so far; filled in as it goes."""

    id: str
    started_us: int
    key: AccessKey
    _started_s: float = field(default_factory=time.perf_counter)
    request: ModelRequest | None = None
    data_class: SensitivityClass | None = None  # that the request names; None: its route's
    decision: Decision | None = None
    spec: BackendSpec | None = None  # the backend asked last
    attempts: int = 0
    status: int = 500  # these two hold until the exchange ends otherwise
    error: str | None = "internal_error"
    usage: Usage | None = None  # as the backend said it
    spent: bool = False  # a backend may have worked for tokens
    said: list[str] = field(default_factory=list)
    ttft_ms: float | None = None

    def elapsed_ms(self) -> float:
        """Return the time since the request began."""
        return (time.perf_counter() - self._started_s) * _MS_PER_S

    def hear(self, chunk: Chunk) -> None:
        """Take note of a piece of the answer."""
        self.usage = chunk.usage or self.usage
        if chunk.text:
            if self.ttft_ms is None:
                self.ttft_ms = self.elapsed_ms()
            self.said.append(chunk.text)

    def labels(self) -> dict[str, str | None]:
        """Return what the headers of the response say about who answers."""
        return {
            "route": self.decision.route if self.decision else None,
            "tier": self.spec.tier if self.spec else None,
            "backend": self.spec.name if self.spec else None,
        }

    def settle(self, counter: TokenCounter) -> Usage:
        """Return what the request used: as the backend said it, else counted here and marked as an estimate."""
        if self.usage is None and self.spent and self.request is not None:
            said = counter.count("".join(self.said))
            self.usage = Usage(counter.count(self.request.prompt), said, estimated=True)
        return self.usage or _NOTHING

    def row(self, counter: TokenCounter) -> MeterRow:
        """Return the row of the meter."""
        usage, price = self.settle(counter), self.spec.price if self.spec else None
        cost_in, cost_out = charge(usage, price) if usage != _NOTHING else (0, 0)
        stream = self.request is not None and self.request.stream
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
            estimated=usage.estimated,
            cost_in_nano=cost_in,
            cost_out_nano=cost_out,
            currency=price.currency if price else None,
            price_source=price.source if price else None,
            ttft_ms=self.ttft_ms if stream else None,
            duration_ms=self.elapsed_ms(),
        )


@dataclass(frozen=True, slots=True)
class Answering:
    """A backend that has begun to answer."""

    spec: BackendSpec
    first: Chunk
    rest: AsyncGenerator[Chunk, None]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Asks the backends of a decision in turn."""

    table: DecisionTable
    specs: Mapping[str, BackendSpec]
    backends: Mapping[str, Backend]

    async def begin(
        self, exchange: Exchange, request: ModelRequest, decision: Decision, stack: contextlib.AsyncExitStack
    ) -> Answering:
        """Return the first backend's answer that begins; raise the last ApiError where none does.

        `stack` closes the answer. The rules are asked again before each attempt.
        """
        failure: ApiError | None = None
        for name in decision.allowed:
            if not self.table.admits(decision.data_class, name):
                continue
            spec = exchange.spec = self.specs[name]
            exchange.attempts += 1
            answer = await stack.enter_async_context(contextlib.aclosing(self.backends[name].answer(request)))
            spent_before, exchange.spent = exchange.spent, True  # so it is where this attempt is cut short
            try:
                return Answering(spec, await anext(answer), answer)
            except BackendError as error:
                failure = error
                exchange.spent = spent_before or error.spent
                if not error.elsewhere:
                    break
            except ApiError:
                exchange.spent = spent_before
                raise
            except StopAsyncIteration:
                failure = BackendError(Diagnostic("upstream_empty", f"backend {name} answered with nothing"))
        raise failure or _nobody(decision)


def start(request_id: str, key: AccessKey) -> Exchange:
    """Return the exchange of a request that came in just now."""
    return Exchange(request_id, time.time_ns() // (1_000_000_000 // _US_PER_S), key)


def _nobody(decision: Decision) -> ApiError:
    """Return the refusal of a request that no backend may be sent: it names every rule."""
    return ApiError(Diagnostic("sovereignty", decision.sentence), status=403, kind="permission_error")
