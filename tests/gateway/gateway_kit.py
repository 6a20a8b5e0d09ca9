"""What the gateway's tests share: a configuration, an ASGI caller, a scripted backend, a recording upstream."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httptools
import orjson
from aiohttp import web

from cellwright.digest.tokens import token_counter
from cellwright.errors import Diagnostic
from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.http.server import Connection, Server
from cellwright.gateway.keys import hash_key
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.model import AccessKey, BackendSpec, GatewayConfig, ModelPrice, Route, Rule
from cellwright.gateway.server import create_app
from cellwright.gateway.sse import EventReader
from cellwright.gateway.wire import Operation
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    from cellwright.gateway.backend import OpenBackend, Supplies
    from cellwright.gateway.filtering.edge import Desk
    from cellwright.gateway.server import Gateway
    from cellwright.gateway.wire import ModelRequest, Usage

T = TypeVar("T")
KEY = "a-key-for-tests"
HALF_A_MINUTE_S = 1_800_000_030.0  # since 1970: quotas of a minute have as long to go
PRICE = ModelPrice("USD", "list", 2_500_000_000, 10_000_000_000, 1_250_000_000)
RULE = Rule("stay-home", frozenset({SensitivityClass.SUBSCRIBER_PII}), Boundary.PREMISES, "Act 1, article 2")
FREE = Rule("free", frozenset({SensitivityClass.ANONYMISED}), Boundary.NONE, "Act 1, article 9")
QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "one two three"}]}


class WordCounter:
    """Counts words; says that it is an estimate."""

    name = "words"
    exact = False

    def count(self, text: str) -> int:
        return len(text.split())


def spec(name: str = "edge", **changes: object) -> BackendSpec:
    values = {"type": "fake", "model": f"model-{name}", "tier": Tier.ONPREM, "boundary": Boundary.PREMISES}
    return BackendSpec(**({"name": name, "price": PRICE} | values | changes))  # type: ignore[arg-type]


def remote(name: str = "cloud", **changes: object) -> BackendSpec:
    return spec(name, **({"tier": Tier.REGION, "boundary": Boundary.NONE} | changes))


def config(*backends: BackendSpec, **changes: object) -> GatewayConfig:
    specs = backends or (spec(),)
    values: dict[str, Any] = {
        "keys": (AccessKey("tests", "operator", hash_key(KEY)),),
        "routes": (Route("auto", tuple(item.name for item in specs)),),
        "rules": (RULE, FREE),
        "data_class": SensitivityClass.ANONYMISED,
    }
    return GatewayConfig(backends=specs, **(values | changes))


def allow(_: str) -> None:
    """A guard that denies nothing."""


class Saying:
    """A backend whose answers, whole or in pieces, are what `answer` yields."""

    answer: Callable[[ModelRequest], AsyncGenerator[Chunk, None]]

    async def whole(self, request: ModelRequest) -> Chunk:
        async with contextlib.aclosing(self.answer(request)) as answer:
            async for chunk in answer:
                return chunk
        raise BackendError(Diagnostic("upstream_empty", "nothing was said"), spent=True)

    def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        return self.answer(request)


@dataclass
class Scripted(Saying):
    """A backend that says what it was told to; an exception in the script is raised."""

    script: tuple[Chunk | Exception | Awaitable[object], ...]
    language_model: bool = True
    operations: frozenset[Operation] = frozenset({Operation.CHAT})
    asked: list[ModelRequest] = field(default_factory=list)

    async def answer(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        for item in self.script:
            if isinstance(item, Chunk):
                yield item
            elif isinstance(item, Exception):
                raise item
            else:
                await item


def document(rest: str) -> str:
    """Return the text of a gateway's document; `rest` begins with a line end and its backends."""
    return f"""
apiVersion: cellwright.io/v1alpha1
kind: Gateway
metadata: {{name: x}}
spec:
  keys: [{{name: a, tenant: b, sha256: '{"0" * 64}'}}]
  dataClass: anonymised{rest}"""


def whole(text: str = "four five", usage: Usage | None = None) -> Chunk:
    body: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    body["choices"] = [
        {"index": 0, "message": {"role": "assistant", "content": text, "extra": [1]}, "finish_reason": "stop"}
    ]
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.tokens_in, "completion_tokens": usage.tokens_out}
    return Chunk(orjson.dumps(body), text, usage)


def piece(text: str) -> Chunk:
    return Chunk(orjson.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}), text)


def opener(*backends: Scripted) -> dict[str, OpenBackend]:
    """Open the scripted backends in the order of the configuration."""
    waiting: Iterator[Scripted] = iter(backends)

    def open_backend(_: BackendSpec, _supplies: Supplies) -> Scripted:
        return next(waiting)

    return {"fake": open_backend}


@dataclass
class Response:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return orjson.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        return EventReader().feed(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"]["code"])


class Memory(asyncio.Transport):
    """A connection in memory: what the server writes is kept, and read as a client reads it."""

    def __init__(self, client: str | None = None) -> None:
        super().__init__({"peername": (client, 4711)} if client else None)
        self.written = b""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.interim: list[int] = []
        self.ended = asyncio.Event()  # the answer is whole, or nothing more comes
        self.is_paused = False
        self._closing = False
        self._protocol: asyncio.BaseProtocol | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connect(self, protocol: Connection) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        if self.status == 100:
            self.interim.append(self.status)
        else:
            self.ended.set()

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written += data
        self._parser.feed_data(data)

    def abort(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._lost)

    def _lost(self) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(None)  # type: ignore[attr-defined]
        self.ended.set()

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return 0


async def call(  # noqa: PLR0913
    app: Gateway,
    body: object = QUESTION,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    key: str | None = KEY,
    headers: dict[str, str] | None = None,
    gone: asyncio.Event | None = None,
    client: str | None = None,
) -> Response:
    """Call the application over a connection in memory; `gone` is set when the client hangs up."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    given = {"host": "tests", "content-length": str(len(raw))}
    given |= ({"authorization": f"Bearer {key}"} if key else {}) | (headers or {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    server = Server(app.answer, app.config.limits, app.config.timeouts, app.network.deadlines)
    transport = Memory(client)
    transport.connect(Connection(server))
    leaves = asyncio.create_task(_leave(gone, transport))
    try:
        connection = next(iter(server.connections))
        connection.data_received("\r\n".join([*lines, "", ""]).encode() + raw)
        await transport.ended.wait()
        await server.stop(5, 0)
    finally:
        leaves.cancel()
        await server.stop(0, 5)
    return Response(transport.status, transport.headers, transport.body)


async def _leave(gone: asyncio.Event | None, transport: Memory) -> None:
    if gone is not None:
        await gone.wait()
        transport.close()


@contextlib.asynccontextmanager
async def alive(app: Gateway) -> AsyncIterator[Gateway]:
    """Run the application's own work during the block, and close its connections after it."""
    await app.open()
    try:
        yield app
    finally:
        await app.close()


@dataclass
class Bench:
    """An application, its meter and a way to talk to it."""

    app: Gateway
    meter: Meter

    def run(self, talk: Callable[[Gateway], Coroutine[object, object, T]]) -> T:
        async def main() -> T:
            async with alive(self.app):
                return await talk(self.app)

        return asyncio.run(main())

    def ask(self, body: object = QUESTION, **details: object) -> Response:
        return self.run(lambda app: call(app, body, **details))  # type: ignore[arg-type]


@contextlib.contextmanager
def bench(  # noqa: PLR0913, PLR0917 - what an application is made of
    folder: Path,
    setup: GatewayConfig,
    openers: dict[str, OpenBackend] | None = None,
    guard: Callable[[str], None] = allow,
    secrets: dict[str, str] | None = None,
    desk: Desk | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Bench]:
    with Meter(sqlite_url(str(folder / "meter.db"))) as meter:
        given = {
            "counter": token_counter() if desk else WordCounter(),
            "meter": meter,
            "secrets": secrets or {},
            "openers": openers,
            "clock": clock,
            "wall_clock": lambda: HALF_A_MINUTE_S,
        }
        app = create_app(setup, guard=guard, desk=(lambda _: desk) if desk else None, **given)  # type: ignore[arg-type]
        yield Bench(app, meter)


@dataclass
class Upstream:
    """A recording OpenAI-compatible server on the loopback interface."""

    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    bodies: list[Any] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def _record(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json(loads=orjson.loads))
        self.keys.append(request.headers.get("authorization"))
        self.paths.append(request.raw_path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return await self.handler(request)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Upstream]:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._record)
        runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()
