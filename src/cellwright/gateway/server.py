"""The gateway as an ASGI application: its parts, paths and life; it keeps content out of its logs."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, UsageError
from cellwright.gateway.abilities import Abilities
from cellwright.gateway.backend import Supplies
from cellwright.gateway.connection import Call, ClientGoneError, Reply
from cellwright.gateway.dispatch import Dispatch
from cellwright.gateway.egress import Egress, Sessions
from cellwright.gateway.endpoints import messages
from cellwright.gateway.endpoints.chat import ChatCompletions
from cellwright.gateway.endpoints.embeddings import Embeddings
from cellwright.gateway.endpoints.health import Health
from cellwright.gateway.endpoints.mcp import Mcp
from cellwright.gateway.endpoints.messages import Messages, TokenCount
from cellwright.gateway.endpoints.metrics import Metrics
from cellwright.gateway.endpoints.models import Models
from cellwright.gateway.filtering.edge import edge_filter
from cellwright.gateway.keys import Callers
from cellwright.gateway.paths import Path, Paths
from cellwright.gateway.pipeline import Pipeline
from cellwright.gateway.route import compile_table
from cellwright.gateway.standing import Live
from cellwright.gateway.tools import ToolDesk, ToolSupplies
from cellwright.gateway.wire import ApiError, invalid
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Backend, OpenBackend
    from cellwright.gateway.connection import Receive, Scope, Send
    from cellwright.gateway.egress import Guard
    from cellwright.gateway.filtering.edge import Desk
    from cellwright.gateway.meter import Meter
    from cellwright.gateway.model import BackendSpec, GatewayConfig, ToolServerSpec
    from cellwright.gateway.tools import OpenToolServer

_log: Final = logging.getLogger("cellwright.gateway")
_GRACE_S: Final = 5.0  # for requests that are told to stop to leave their row in the meter


def create_app(  # noqa: PLR0913 - all that wiring supplies, by name
    config: GatewayConfig,
    *,
    guard: Guard,
    counter: TokenCounter,
    meter: Meter,
    secrets: Mapping[str, str],
    openers: Mapping[str, OpenBackend] | None = None,
    desk: Desk | None = None,
) -> Gateway:
    """Return the application of a configuration; raise UsageError where a backend cannot be set up.

    Every body to a backend off the premises passes `guard`. `secrets` holds the environment variables that the
    configuration names. `openers` stands in for the installed backends. `desk` is what the edge filter works with;
    without, no request is filtered. The meter stays the caller's to close.
    """
    sessions = Sessions(config.timeouts)
    backends: dict[str, Backend] = {}
    for spec in config.backends:
        supplies = Supplies(Egress(sessions, None if spec.on_premises else guard), counter, _api_key(spec, secrets))
        backends[spec.name] = _opener(spec, openers)(spec, supplies)
    table = compile_table(config)
    now_s = time.monotonic()
    lives = {spec.name: Live(spec, config.breaker, now_s) for spec in config.backends}
    callers = Callers(config.keys)
    abilities, dispatch = Abilities.of(config.backends, backends), Dispatch(table, backends, lives)
    filters = (edge_filter(config, table, desk, counter),) if desk is not None else ()
    pipeline = Pipeline(config, table, abilities, dispatch, counter, meter, callers, filters=filters)
    models = Models(callers, table, backends)
    tools = _tool_paths(config, callers, guard, counter, meter, secrets)
    paths = (
        Path("POST", "/v1/chat/completions", pipeline.to(ChatCompletions())),
        Path("POST", "/v1/embeddings", pipeline.to(Embeddings())),
        Path("POST", "/v1/messages", pipeline.to(Messages()), messages.error_body),
        Path("POST", "/v1/messages/count_tokens", TokenCount(config, callers, counter).answer, messages.error_body),
        Path("GET", "/v1/models", models.every),
        Path("GET", "/v1/models/{model:path}", models.one),
        Path("GET", "/healthz", Health(meter).answer),
        Path("GET", "/metrics", Metrics(config, callers, meter).answer),
        *tools,
    )
    return Gateway(config, sessions, Paths(paths))


def _opener(spec: BackendSpec, openers: Mapping[str, OpenBackend] | None) -> OpenBackend:
    return openers[spec.type] if openers is not None else PluginSet["OpenBackend"]("backends").get(spec.type)


def _tool_paths(  # noqa: PLR0913, PLR0917 - what create_app was given
    config: GatewayConfig,
    callers: Callers,
    guard: Guard,
    counter: TokenCounter,
    meter: Meter,
    secrets: Mapping[str, str],
) -> tuple[Path, ...]:
    """Return the path of tools where any are offered; without, the SDK of the protocol is not needed."""
    if not config.tools:
        return ()
    openers: PluginSet[OpenToolServer] = PluginSet("tools")
    servers = {
        spec: openers.get(spec.type)(spec, ToolSupplies(secrets, _api_key(spec, secrets))) for spec in config.tools
    }
    desk = ToolDesk(servers, config.rules, guard, counter, meter)
    return (Path("POST", "/mcp", Mcp(config, callers, desk).answer),)


def _api_key(spec: BackendSpec | ToolServerSpec, secrets: Mapping[str, str]) -> str | None:
    if spec.api_key_env is None:
        return None
    key = secrets.get(spec.api_key_env)
    if not key:
        raise UsageError.of(
            "key-not-set",
            f"the environment variable {spec.api_key_env} is not set",
            expected=f"the key of {spec.name}",
        )
    return key


class Gateway:
    """The ASGI application; what is in flight when it stops is let finish or told to, and metered either way."""

    def __init__(self, config: GatewayConfig, sessions: Sessions, paths: Paths) -> None:
        self.config = config
        self._sessions = sessions
        self._paths = paths
        self._in_flight: set[asyncio.Task[object] | None] = set()

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
            path, parameters = self._paths.find(scope["method"], scope["path"])
            reply.errors = path.errors
            client = scope.get("client")
            peer = client[0] if client else None
            await path.handler(Call(scope["path"], dict(scope["headers"]), receive, reply, parameters, peer))
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


def _internal() -> ApiError:
    diagnostic = Diagnostic("internal_error", "the gateway failed; its log names this request")
    return ApiError(diagnostic, status=500, kind="server_error")


def _place(error: BaseException) -> str:
    """Return where an error was raised, as file name and line: no value of any variable."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
