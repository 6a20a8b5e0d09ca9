"""The gateway as an application: its parts and paths, and the boundary of requests, which keeps content out of logs."""

from __future__ import annotations

import itertools
import logging
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.errors import Diagnostic, StorageError
from cellwright.gateway import schemas
from cellwright.gateway.abilities import Abilities
from cellwright.gateway.backend import Supplies
from cellwright.gateway.connection import Call, Reply
from cellwright.gateway.dispatch import Dispatch
from cellwright.gateway.egress import Egress
from cellwright.gateway.endpoints import mcp, messages
from cellwright.gateway.endpoints.chat import ChatCompletions
from cellwright.gateway.endpoints.completions import PromptLists
from cellwright.gateway.endpoints.embeddings import Embeddings
from cellwright.gateway.endpoints.health import Health
from cellwright.gateway.endpoints.messages import Messages, TokenCount
from cellwright.gateway.endpoints.metrics import Metrics
from cellwright.gateway.endpoints.models import Models
from cellwright.gateway.endpoints.responses import Responses
from cellwright.gateway.endpoints.vector_stores import VectorStores
from cellwright.gateway.filtering.edge import edge_filter
from cellwright.gateway.http.client import Pool, Times
from cellwright.gateway.http.deadlines import Deadlines
from cellwright.gateway.http.tls import Certificate, backend_context
from cellwright.gateway.identity import Tokens
from cellwright.gateway.keys import Callers
from cellwright.gateway.knowledge.chat import Retrieval
from cellwright.gateway.knowledge.opening import Surroundings, open_knowledge
from cellwright.gateway.limited import Limited
from cellwright.gateway.openapi import described
from cellwright.gateway.paths import Path, Paths
from cellwright.gateway.pipeline import Pipeline
from cellwright.gateway.queueing import Waiting
from cellwright.gateway.quota_setup import Quotas
from cellwright.gateway.routing.route import compile_table
from cellwright.gateway.routing.standing import Standings
from cellwright.gateway.secret import key_of
from cellwright.gateway.tools import ToolDesk, ToolSupplies
from cellwright.gateway.wire import ApiError
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Backend, OpenBackend
    from cellwright.gateway.egress import Guard
    from cellwright.gateway.endpoint import Endpoint
    from cellwright.gateway.filter_policy import EdgeSpec
    from cellwright.gateway.filtering.edge import Desk
    from cellwright.gateway.http.incoming import Incoming
    from cellwright.gateway.knowledge.service import Knowledge
    from cellwright.gateway.knowledge.store import Store
    from cellwright.gateway.metering.meter import Meter
    from cellwright.gateway.model import BackendSpec, GatewayConfig, Timeouts, ToolServerSpec
    from cellwright.gateway.pipeline import Filter
    from cellwright.gateway.routing.route import DecisionTable
    from cellwright.gateway.tools import OpenToolServer, ToolServer

_log: Final = logging.getLogger("cellwright.gateway")
_MS_PER_S: Final = 1000.0


def create_app(  # noqa: PLR0913 - all that wiring supplies, by name
    config: GatewayConfig,
    *,
    guard: Guard,
    counter: TokenCounter,
    meter: Meter,
    secrets: Mapping[str, str],
    openers: Mapping[str, OpenBackend] | None = None,
    desk: Callable[[EdgeSpec], Desk] | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> Gateway:
    """Return the application of a configuration; raise UsageError where a backend cannot be set up.

    Every body to a backend off the premises passes `guard`. `secrets` holds the environment variables that the
    configuration names. `openers` stands in for the installed backends. `desk` opens what the edge filter
    works with; without, no request is filtered. `clock` tells the seconds that latencies and rests of backends are
    reckoned in, `wall_clock` those since 1970 that quotas go by. The meter stays the caller's to close.
    """
    network = Network(config.timeouts)
    standings, quotas = Standings(), Quotas(meter.url, secrets, wall_clock)
    waiting = Waiting(config.batches, secrets) if config.batches is not None else None
    uploads = waiting.uploads if waiting is not None else None
    around = Surroundings(
        network.pool, network.stores, guard, counter, meter.record, quotas.hold_part, secrets, uploads
    )

    def build(config: GatewayConfig) -> Paths:
        backends: dict[str, Backend] = {}
        for spec in config.backends:
            tls = backend_context(spec.tls) if spec.tls else None
            egress = Egress(network.pool, None if spec.on_premises else guard, tls, takes_unread=spec.takes_unread)
            supplies = Supplies(egress, counter, key_of(spec.name, spec.api_key_env, secrets), secrets)
            backends[spec.name] = _opener(spec, openers)(spec, supplies)
        table, callers = compile_table(config), _callers(config, network)
        abilities = Abilities.of(config.backends, backends)
        knowledge = open_knowledge(config, backends, around)
        filters = _filters(config, table, desk(config.edge) if desk else None, counter, knowledge)
        tools = _tool_servers(config, secrets)
        admissions = quotas.renew(config, table.chains)  # the last that may fail: what outlives this is changed after
        dispatch = Dispatch(table, backends, standings.renew(config, clock()), clock)
        pipeline = Pipeline(config, table, abilities, dispatch, counter, meter, callers, admissions, filters)
        models, count = Models(callers, table, backends), TokenCount(callers, counter)
        paths = (
            *_model_paths(pipeline),
            Path("GET", "/healthz", Health(meter, callers, standings, clock).answer, about=schemas.HEALTH),
            Path("GET", "/metrics", Metrics(config, callers, meter).answer, about=schemas.METRICS),
            *_tool_paths(config, callers, quotas, ToolDesk(tools, config.rules, guard, counter, meter)),
        )
        within = (
            Path("GET", "/v1/models", models.every, about=schemas.MODELS),
            Path("GET", "/v1/models/{model:path}", models.one, about=schemas.MODEL),
            Path("POST", "/v1/messages/count_tokens", count.answer, messages.error_body, schemas.COUNT_TOKENS),
            *_knowledge_paths(config, callers, knowledge),
            *(_waiting_paths(waiting, pipeline) if waiting is not None else ()),
        )
        return Paths(described((*paths, *map(Limited(callers, quotas).to, within))))

    return Gateway(config, network, build, (quotas, *((waiting.drain,) if waiting is not None else ())))


def _model_paths(pipeline: Pipeline) -> tuple[Path, ...]:
    """Return the paths that models answer."""
    return (
        Path("POST", "/v1/chat/completions", pipeline.to(ChatCompletions()), about=schemas.CHAT),
        Path("POST", "/v1/completions", PromptLists(pipeline).answer, about=schemas.COMPLETIONS),
        Path("POST", "/v1/embeddings", pipeline.to(Embeddings()), about=schemas.EMBEDDINGS),
        Path("POST", "/v1/messages", pipeline.to(Messages()), messages.error_body, schemas.MESSAGES),
        Path("POST", "/v1/responses", pipeline.to(Responses()), about=schemas.RESPONSES),
    )


def _filters(
    config: GatewayConfig, table: DecisionTable, desk: Desk | None, counter: TokenCounter, knowledge: Knowledge | None
) -> tuple[Filter, ...]:
    """Return what requests go through before they are decided on: records first, so that digests are searched for."""
    by_route = {route.name: route.knowledge for route in config.routes if route.knowledge}
    edge = (edge_filter(config, table, desk, counter),) if desk is not None else ()
    return (*edge, Retrieval(knowledge, by_route, table.presumed)) if knowledge is not None else edge


def _knowledge_paths(config: GatewayConfig, callers: Callers, knowledge: Knowledge | None) -> tuple[Path, ...]:
    """Return the paths of collections where any store is configured."""
    if knowledge is None:
        return ()
    return VectorStores(config, callers, knowledge).paths()


def _callers(config: GatewayConfig, network: Network) -> Callers:
    return Callers(config.keys, Tokens(config.issuers, network.pool) if config.issuers else None)


def _opener(spec: BackendSpec, openers: Mapping[str, OpenBackend] | None) -> OpenBackend:
    return openers[spec.type] if openers is not None else PluginSet["OpenBackend"]("backends").get(spec.type)


def _waiting_paths(waiting: Waiting, pipeline: Pipeline) -> tuple[Path, ...]:
    endpoints: dict[str, Endpoint] = {
        "/v1/chat/completions": ChatCompletions(),
        "/v1/embeddings": Embeddings(),
        "/v1/responses": Responses(),
    }
    return waiting.paths(pipeline, endpoints)


def _tool_servers(config: GatewayConfig, secrets: Mapping[str, str]) -> dict[ToolServerSpec, ToolServer]:
    openers: PluginSet[OpenToolServer] = PluginSet("tools")
    return {
        spec: openers.get(spec.type)(spec, ToolSupplies(secrets, key_of(spec.name, spec.api_key_env, secrets)))
        for spec in config.tools
    }


def _tool_paths(config: GatewayConfig, callers: Callers, quotas: Quotas, desk: ToolDesk) -> tuple[Path, ...]:
    """Return the path of tools where any are offered; without, the SDK of the protocol is not needed."""
    if not config.tools:
        return ()
    return (Path("POST", "/mcp", mcp.Mcp(config, callers, quotas, desk).answer, mcp.error_body),)


class Network:
    """What an application uses of the network: connections to backends, and the deadlines of all connections."""

    def __init__(self, timeouts: Timeouts) -> None:
        waits_ms = (timeouts.headers_ms, timeouts.receive_ms, timeouts.idle_ms, timeouts.read_ms)
        self.deadlines = Deadlines([wait_ms / _MS_PER_S for wait_ms in waits_ms])
        times = Times(timeouts.connect_ms / _MS_PER_S, timeouts.read_ms / _MS_PER_S)
        self.pool = Pool(times, self.deadlines)
        self.stores: dict[tuple[str, str], Store] = {}  # of collections by type and place, open until the end

    def close(self) -> None:
        """Close all connections to backends."""
        self.pool.close()
        self.deadlines.close()
        for store in self.stores.values():
            store.close()


class Service(Protocol):
    """Work that goes on beside requests."""

    async def open(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class Gateway:
    """The application: answers requests, whatever happens."""

    def __init__(
        self,
        config: GatewayConfig,
        network: Network,
        build: Callable[[GatewayConfig], Paths],
        services: tuple[Service, ...] = (),
    ) -> None:
        self.config = config
        self.network = network
        self._build = build
        self._services = services
        self._paths = build(config)
        self.certificate = Certificate(config.tls) if config.tls else None
        self._prefix = token_hex(8)  # of the requests of this process: together with a number, their names
        self._numbers = itertools.count()
        self._busy = 0

    def change(self, config: GatewayConfig) -> None:
        """Answer what comes in from now on by another configuration; raise UsageError and keep to the old if it fails.

        Requests under way finish by the one they came in under. The certificate in the files is shown from now on
        wherever it does, also where the configuration does not.
        """
        if self.certificate is not None:
            self.certificate.renew()
        self._paths, self.config = self._build(config), config

    async def open(self) -> None:
        """Begin the work that no request asks for; in the event loop that answers requests."""
        for service in self._services:
            await service.open()

    async def close(self) -> None:
        """End that work, and all connections to backends."""
        for service in self._services:
            await service.close()
        self.network.close()

    async def answer(self, incoming: Incoming) -> None:
        """Answer one request."""
        reply = Reply(incoming, f"{self._prefix}{next(self._numbers):016x}")
        self._busy += 1
        try:
            if incoming.method == "OPTIONS":
                await reply.empty(allow=self._paths.allowed(incoming.path))
                return
            path, parameters = self._paths.find(incoming.method, incoming.path)
            reply.errors = path.errors
            if path.method != "GET":
                self._check_load()
            await path.handler(Call(incoming, reply, parameters))
        except ApiError as error:
            await reply.fail(error)
        except StorageError as error:
            said = error.diagnostics[0]
            _log.error("request %s failed: %s; hint: %s", reply.request_id, said.code, said.hint)
            problem = Diagnostic("storage_unavailable", said.message)
            await reply.fail(ApiError(problem, status=503, kind="server_error"))
        except Exception as error:  # noqa: BLE001 - the request boundary; message and traceback may quote the request
            _log.error("request %s failed with %s at %s", reply.request_id, type(error).__name__, _place(error))
            await reply.fail(_internal())
        finally:
            self._busy -= 1

    def _check_load(self) -> None:
        """Raise ApiError (503) where more requests are under way than may be; a look at health is never refused."""
        if self._busy > self.config.limits.requests:
            problem = Diagnostic("overloaded", "the gateway answers as many requests as it may at the same time")
            raise ApiError(problem, status=503, kind="server_error", headers={"retry-after": "1"})


def _internal() -> ApiError:
    diagnostic = Diagnostic("internal_error", "the gateway failed; its log names this request")
    return ApiError(diagnostic, status=500, kind="server_error")


def _place(error: BaseException) -> str:
    """Return where an error was raised, as file name and line: no value of any variable."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
