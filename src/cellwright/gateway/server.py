"""The gateway as an ASGI application: paths, keys, models and life; it keeps content out of its logs."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.errors import Diagnostic, UsageError
from cellwright.gateway.backend import Supplies
from cellwright.gateway.chat import Chat
from cellwright.gateway.connection import Call, ClientGoneError, Reply
from cellwright.gateway.egress import Egress, Sessions
from cellwright.gateway.exchange import Dispatch
from cellwright.gateway.keys import holder
from cellwright.gateway.route import compile_table
from cellwright.gateway.wire import ApiError, invalid, unknown_model
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Backend, OpenBackend
    from cellwright.gateway.connection import Receive, Scope, Send
    from cellwright.gateway.egress import Guard
    from cellwright.gateway.meter import Meter
    from cellwright.gateway.model import BackendSpec, GatewayConfig
    from cellwright.gateway.route import DecisionTable

    Handler = Callable[[Call], Awaitable[None]]

_log: Final = logging.getLogger("cellwright.gateway")
_GRACE_S: Final = 5.0  # for requests that are told to stop to leave their row in the meter
_MODELS: Final = "/v1/models"


def create_app(  # noqa: PLR0913 - all that wiring supplies, by name
    config: GatewayConfig,
    *,
    guard: Guard,
    counter: TokenCounter,
    meter: Meter,
    secrets: Mapping[str, str],
    openers: Mapping[str, OpenBackend] | None = None,
) -> Gateway:
    """Return the application of a configuration; raise UsageError where a backend cannot be set up.

    Every body to a backend off the premises passes `guard`. `secrets` holds the environment variables that the
    configuration names. `openers` stands in for the installed backends. The meter stays the caller's to close.
    """
    sessions = Sessions(config.timeouts)
    backends: dict[str, Backend] = {}
    for spec in config.backends:
        supplies = Supplies(Egress(sessions, None if spec.on_premises else guard), counter, _api_key(spec, secrets))
        backends[spec.name] = _opener(spec, openers)(spec, supplies)
    table = compile_table(config)
    specs = MappingProxyType({spec.name: spec for spec in config.backends})
    chat = Chat(config, table, Dispatch(table, specs, backends), counter, meter)
    return Gateway(config, backends, table, sessions, meter, chat)


def _opener(spec: BackendSpec, openers: Mapping[str, OpenBackend] | None) -> OpenBackend:
    return openers[spec.type] if openers is not None else PluginSet["OpenBackend"]("backends").get(spec.type)


def _api_key(spec: BackendSpec, secrets: Mapping[str, str]) -> str | None:
    if spec.api_key_env is None:
        return None
    key = secrets.get(spec.api_key_env)
    if not key:
        raise UsageError.of(
            "key-not-set",
            f"the environment variable {spec.api_key_env} is not set",
            expected=f"the key of backend {spec.name}",
        )
    return key


class Gateway:
    """The ASGI application; what is in flight when it stops is let finish or told to, and metered either way."""

    def __init__(  # noqa: PLR0913, PLR0917 - its parts, put together by create_app
        self,
        config: GatewayConfig,
        backends: Mapping[str, Backend],
        table: DecisionTable,
        sessions: Sessions,
        meter: Meter,
        chat: Chat,
    ) -> None:
        self.config = config
        self._table = table
        self._sessions = sessions
        self._meter = meter
        self._backends = backends
        self._created_s = int(time.time())
        self._in_flight: set[asyncio.Task[object] | None] = set()
        self._paths: Mapping[str, tuple[str, Handler]] = MappingProxyType(
            {"/v1/chat/completions": ("POST", chat), _MODELS: ("GET", self._models), "/healthz": ("GET", self._health)}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, Reply(send, uuid.uuid4().hex))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._sessions.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if tasks := [task for task in self._in_flight if task is not None]:
            await asyncio.wait(tasks, timeout=_GRACE_S)
        await self._sessions.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        """Answer one request, whatever happens."""
        task = asyncio.current_task()
        self._in_flight.add(task)
        try:
            self._check_headers(scope)
            handler = self._handler(scope)
            await handler(Call(scope["path"], dict(scope["headers"]), receive, reply))
        except ApiError as error:
            await reply.fail(error)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the request boundary; message and traceback may quote the request
            _log.error("request %s failed with %s at %s", reply.request_id, type(error).__name__, _place(error))
            await reply.fail(_internal())
        finally:
            self._in_flight.discard(task)

    def _check_headers(self, scope: Scope) -> None:
        limit = self.config.limits.header_bytes
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limit:
            message = f"the headers are longer than {limit} bytes"
            raise invalid("headers_too_large", message, status=431, connection="close")

    def _handler(self, scope: Scope) -> Handler:
        path = scope["path"].rstrip("/")
        method, handler = self._paths.get(path, ("GET", self._model if path.startswith(f"{_MODELS}/") else None))
        if handler is None:
            raise invalid("unknown_path", "there is nothing at this path", status=404)
        if scope["method"] != method:
            raise invalid("method_not_allowed", f"this path takes {method}", status=405, allow=method)
        return handler

    async def _health(self, call: Call) -> None:
        """Say whether the gateway can do its work; what it cannot meter it should not be sent."""
        if self._meter.healthy:
            await call.reply.json(b'{"status":"ok"}')
        else:
            await call.reply.json(b'{"status":"degraded","reason":"requests cannot be metered"}', 503)

    async def _models(self, call: Call) -> None:
        holder(call.header(b"authorization"), self.config.keys)
        data = [self._model_object(name) for name in self._table.chains]
        await call.reply.json(orjson.dumps({"object": "list", "data": data}))

    async def _model(self, call: Call) -> None:
        holder(call.header(b"authorization"), self.config.keys)
        name = call.path.removeprefix(f"{_MODELS}/")
        if name not in self._table.chains:
            raise unknown_model(name, self._table.chains)
        await call.reply.json(orjson.dumps(self._model_object(name)))

    def _model_object(self, name: str) -> dict[str, object]:
        """Return what clients are told of a model or route; `language_model` null: it depends on who answers."""
        chain = self._table.chains[name]
        kinds = {self._backends[backend].language_model for backend in chain}
        described = {"description": "a deterministic reasoner, not a language model"} if kinds == {False} else {}
        return {
            "id": name,
            "object": "model",
            "created": self._created_s,
            "owned_by": "cellwright",
            "backends": chain,
            "language_model": kinds.pop() if len(kinds) == 1 else None,
            **described,
        }


def _internal() -> ApiError:
    diagnostic = Diagnostic("internal_error", "the gateway failed; its log names this request")
    return ApiError(diagnostic, status=500, kind="server_error")


def _place(error: BaseException) -> str:
    """Return where an error was raised, as file name and line: no value of any variable."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
