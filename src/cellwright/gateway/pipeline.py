"""What every request for a model goes through, in this order, and what is metered of it in any case.

authenticate → read → admit → filter → decide → dispatch → answer → meter
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.backend import BackendError
from cellwright.gateway.exchange import CLIENT_GONE, start
from cellwright.gateway.quota import spent
from cellwright.gateway.timelimit import TimeLimit
from cellwright.gateway.wire import CLASS_HEADER, ApiError, error_body, invalid, unknown_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.abilities import Abilities
    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.connection import Call, Reply
    from cellwright.gateway.dispatch import Answering, Dispatch
    from cellwright.gateway.endpoint import Endpoint, StreamWriter
    from cellwright.gateway.exchange import Exchange
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.metering.meter import Meter
    from cellwright.gateway.model import AccessKey, GatewayConfig
    from cellwright.gateway.paths import Handler
    from cellwright.gateway.routing.route import Decision, DecisionTable
    from cellwright.gateway.wire import ModelRequest

    # Lets a request in or raises ApiError; notes in the exchange what the request holds.
    Admission = Callable[[Exchange, ModelRequest], Awaitable[None]]
    # Returns the request that goes on; raises ApiError where none may.
    Filter = Callable[[Exchange, ModelRequest], Awaitable[ModelRequest]]

_log: Final = logging.getLogger("cellwright.gateway")
_MS_PER_S: Final = 1000.0
_OK: Final = 200
_CLASS: Final = CLASS_HEADER.encode()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The way of a request through the gateway, the same for all endpoints."""

    config: GatewayConfig
    table: DecisionTable
    abilities: Abilities
    dispatch: Dispatch
    counter: TokenCounter
    meter: Meter
    callers: Callers
    admissions: tuple[Admission, ...] = ()
    filters: tuple[Filter, ...] = ()

    def to(self, endpoint: Endpoint) -> Handler:
        """Return the handler of an endpoint."""
        return functools.partial(self._handle, endpoint)

    async def _handle(self, endpoint: Endpoint, call: Call) -> None:
        """Answer a call and meter it, also where it fails, is cut short or is left by its client.

        What the meter cannot take is not asked: raises ApiError (503).
        """
        key = await self.callers.identify(call.headers, call.names)
        if self.meter.is_full:
            raise _unmetered()
        exchange = start(call.reply.request_id, key)
        try:
            with self._limit(exchange):
                await self._answer(endpoint, call, exchange)
            exchange.error = None
        except ApiError as error:
            exchange.error = error.code
            _tell(exchange, call.reply)
            await call.reply.fail(error)
        except asyncio.CancelledError:
            exchange.error, exchange.status = "client_gone" if call.incoming.gone else "gateway_stopped", CLIENT_GONE
            raise
        finally:
            self._close(exchange, call.reply.status)

    async def once(
        self, endpoint: Endpoint, key: AccessKey, request_id: str, raw: bytes, data_class: SensitivityClass | None
    ) -> tuple[int, bytes]:
        """Return status and body of the answer to a request that no client waits for; it is metered like any other."""
        if self.meter.is_full:
            return (full := _unmetered()).status, error_body(full)
        exchange = start(request_id, key)
        status = CLIENT_GONE
        try:
            with self._limit(exchange):
                body = await self._whole(endpoint, raw, data_class, exchange)
            status, exchange.error = _OK, None
        except ApiError as error:
            status, exchange.error, body = error.status, error.code, error_body(error)
        except asyncio.CancelledError:
            exchange.error = "gateway_stopped"
            raise
        finally:
            self._close(exchange, status)
        return status, body

    def _limit(self, exchange: Exchange) -> TimeLimit:
        """Return the limit of the time that an exchange may take."""
        limit = TimeLimit(self.config.timeouts.total_ms / _MS_PER_S)
        exchange.is_late = limit.expired
        return limit

    async def _answer(self, endpoint: Endpoint, call: Call, exchange: Exchange) -> None:
        with exchange.client:
            raw = await call.body()
        async with exchange:
            data_class = read_data_class(call.headers)
            request = endpoint.read(raw, exchange.id, int(time.time()))
            call.incoming.forget()
            del raw  # a stream may last: what was read of its request is enough
            request, answering = await self._begin(request, data_class, exchange)
            _tell(exchange, call.reply)
            if request.stream:
                await self._stream(endpoint.stream(request), call.reply, answering, exchange)
            else:
                usage = functools.partial(exchange.settle, self.counter)
                await call.reply.json(endpoint.whole(request, answering.first, usage))

    async def _whole(
        self, endpoint: Endpoint, raw: bytes, data_class: SensitivityClass | None, exchange: Exchange
    ) -> bytes:
        """Return the body of a whole answer."""
        async with exchange:
            read = endpoint.read(raw, exchange.id, int(time.time()))
            request, answering = await self._begin(read, data_class, exchange)
            return endpoint.whole(request, answering.first, functools.partial(exchange.settle, self.counter))

    async def _begin(
        self, request: ModelRequest, data_class: SensitivityClass | None, exchange: Exchange
    ) -> tuple[ModelRequest, Answering]:
        """Return a request as it was sent and what answers it: admitted, filtered, decided and dispatched."""
        exchange.request, exchange.data_class = request, data_class
        for admit in self.admissions:
            await admit(exchange, request)
        for apply in self.filters:
            request = exchange.request = await apply(exchange, request)
        decision = exchange.decision = self._decide(exchange, request)
        answering = await self.dispatch.begin(exchange, request, decision)
        exchange.hear(answering.first)
        return request, answering

    async def _stream(self, writer: StreamWriter, reply: Reply, answering: Answering, exchange: Exchange) -> None:
        """Pass a stream on piece by piece; where it breaks off, another backend begins anew if the route allows it."""
        await reply.start_stream(writer.fail)
        chunk: Chunk | None = answering.first
        while chunk is not None:
            if events := writer.piece(chunk):
                await reply.write(events)
            try:
                chunk = await answering.attempt.further()
            except BackendError as error:
                if writer.restart is None:
                    raise
                answering = await self.dispatch.again(exchange, answering, error)
                await reply.write(writer.restart(answering.spec.name))
                chunk = answering.first
            if chunk is not None:
                exchange.hear(chunk)
        await reply.end_stream(writer.end(answering.spec.model, functools.partial(exchange.settle, self.counter)))

    def _decide(self, exchange: Exchange, request: ModelRequest) -> Decision:
        """Return the decision on a request; raise ApiError where no route has the model or can do what is asked."""
        decision = self.table.decide(request.model, exchange.data_class)
        if decision is None:
            raise unknown_model(request.model, self.table.chains)
        return self.abilities.among(decision, request.operation)

    def _close(self, exchange: Exchange, status: int | None) -> None:
        """Meter the exchange and log that it happened, nothing of what it said."""
        exchange.status = status or exchange.status
        rows = tuple(exchange.rows(self.counter))
        for each in rows:
            self.meter.record(each)
        if exchange.hold is not None:
            exchange.hold.settle(*spent(rows))
        row = rows[0]
        _log.info(
            "%s %d %s tenant=%s backend=%s tokens=%d+%d %.0f ms",
            row.request_id,
            row.status,
            row.error or "ok",
            row.tenant,
            row.backend,
            row.tokens_in,
            row.tokens_out,
            row.duration_ms,
        )


def _tell(exchange: Exchange, reply: Reply) -> None:
    """Say in the headers of a reply who answers, where the time went, and what its caller may still ask for."""
    reply.label(exchange.labels())
    reply.more = exchange.timing() + (exchange.hold.headers if exchange.hold is not None else "")


def _unmetered() -> ApiError:
    message = "requests cannot be metered now, and too many have not been"
    return ApiError(Diagnostic("meter_full", message), status=503, kind="server_error", headers={"retry-after": "1"})


def read_data_class(headers: Mapping[bytes, bytes]) -> SensitivityClass | None:
    """Return the class that the headers of a request name; raise ApiError where there is none of that name."""
    if (named := headers.get(_CLASS)) is None:
        return None
    text = named.decode("latin-1").strip().lower()
    try:
        return SensitivityClass(text)
    except ValueError:
        known = [item.value for item in SensitivityClass]
        hint = nearest(text, known) or f"known are {', '.join(known)}"
        raise invalid("unknown_data_class", f"there is no such data class; {hint}", CLASS_HEADER) from None
