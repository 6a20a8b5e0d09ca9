"""POST /v1/chat/completions: decided, sent to a backend, answered whole or as a stream, and metered in any case."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.connection import ClientGoneError, read_body, while_connected
from cellwright.gateway.exchange import CLIENT_GONE, start
from cellwright.gateway.keys import holder
from cellwright.gateway.wire import ApiError, invalid, read_chat, unknown_model, usage_chunk, with_usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.connection import Call, Reply
    from cellwright.gateway.exchange import Answering, Dispatch, Exchange
    from cellwright.gateway.meter import Meter
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.route import Decision, DecisionTable
    from cellwright.gateway.wire import ChatRequest

_log: Final = logging.getLogger("cellwright.gateway")
_MS_PER_S: Final = 1000.0
_CLASS: Final = b"x-cellwright-data-class"


class Chat:
    """The handler of chat completions."""

    def __init__(
        self, config: GatewayConfig, table: DecisionTable, dispatch: Dispatch, counter: TokenCounter, meter: Meter
    ) -> None:
        self._config = config
        self._table = table
        self._dispatch = dispatch
        self._counter = counter
        self._meter = meter

    async def __call__(self, call: Call) -> None:
        """Answer a call and meter it, also where it fails, is cut short or is left by its client."""
        exchange = start(call.reply.request_id, holder(call.header(b"authorization"), self._config.keys))
        try:
            async with _time_limit(self._config.timeouts.total_ms):
                await self._answer(call, exchange)
            exchange.error = None
        except ApiError as error:
            exchange.error = error.code
            call.reply.label(**exchange.labels())
            await call.reply.fail(error)
        except ClientGoneError:
            exchange.error, exchange.status = "client_gone", CLIENT_GONE
        except asyncio.CancelledError:
            exchange.error, exchange.status = "gateway_stopped", CLIENT_GONE
            raise
        finally:
            self._close(exchange, call.reply)

    async def _answer(self, call: Call, exchange: Exchange) -> None:
        limits, timeouts = self._config.limits, self._config.timeouts
        raw = await read_body(call.receive, call.headers, limits.body_bytes, timeouts.receive_ms)
        async with while_connected(call.receive), contextlib.AsyncExitStack() as stack:
            request = exchange.request = read_chat(raw, exchange.id, int(time.time()))
            decision = exchange.decision = self._decide(request, call.header(_CLASS))
            answering = await self._dispatch.begin(exchange, request, decision, stack)
            exchange.hear(answering.first)
            call.reply.label(**exchange.labels())
            if request.stream:
                await self._stream(call.reply, answering, exchange, request)
            else:
                body, usage = answering.first.body, answering.first.usage
                await call.reply.json(body if usage else with_usage(body, exchange.settle(self._counter)))

    async def _stream(self, reply: Reply, answering: Answering, exchange: Exchange, request: ChatRequest) -> None:
        """Pass a stream on piece by piece; usage comes last and only to those who asked for it."""
        await reply.start_stream()
        owed = request.wants_usage
        chunk: Chunk | None = answering.first
        while chunk is not None:
            if not chunk.closing or request.wants_usage:
                await reply.event(chunk.body)
            owed = owed and not chunk.closing
            chunk = await anext(answering.rest, None)
            if chunk is not None:
                exchange.hear(chunk)
        if owed and exchange.spec is not None:
            await reply.event(usage_chunk(request, exchange.spec.model, exchange.settle(self._counter)))
        await reply.end_stream()

    def _decide(self, request: ChatRequest, named: bytes | None) -> Decision:
        """Return the decision on a request; raise ApiError for an unknown class or model."""
        decision = self._table.decide(request.model, _data_class(named))
        if decision is None:
            raise unknown_model(request.model, self._table.chains)
        return decision

    def _close(self, exchange: Exchange, reply: Reply) -> None:
        """Meter the exchange and log that it happened, nothing of what it said."""
        exchange.status = reply.status or exchange.status
        row = exchange.row(self._counter)
        self._meter.record(row)
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


@contextlib.asynccontextmanager
async def _time_limit(limit_ms: float) -> AsyncIterator[None]:
    """Run the block for at most `limit_ms`; raise ApiError (504) past it."""
    limit = asyncio.timeout(limit_ms / _MS_PER_S)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        message = f"no whole answer within {limit_ms / _MS_PER_S:g} s"
        raise ApiError(Diagnostic("timeout", message), status=504, kind="server_error") from None


def _data_class(named: bytes | None) -> SensitivityClass | None:
    """Return the class that a header names; raise ApiError where there is none of that name."""
    if named is None:
        return None
    text = named.decode("latin-1").strip().lower()
    try:
        return SensitivityClass(text)
    except ValueError:
        known = [item.value for item in SensitivityClass]
        hint = nearest(text, known) or f"known are {', '.join(known)}"
        raise invalid("unknown_data_class", f"there is no such data class; {hint}", _CLASS.decode()) from None
