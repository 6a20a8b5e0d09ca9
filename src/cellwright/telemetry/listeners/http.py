"""A door for HTTP: who may come in, how much may be sent, and an answer only when what was sent is durable."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import uvicorn

from cellwright.errors import StorageError, UnavailableError
from cellwright.telemetry.listener import FullError
from cellwright.telemetry.listeners.passwords import Doorkeeper
from cellwright.telemetry.listeners.sockets import address, bind, tls_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence

    from cellwright.telemetry.listener import Intake, ListenerSpec

    Check = Callable[[bytes, Mapping[bytes, bytes]], Sequence[bytes] | "Answer"]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

_RECEIVE_S: Final = 30.0  # until a sender has sent its body
_GRACE_S: Final = 5  # for answers under way when the door is closed
_CONNECTIONS: Final = 512
_AT_ONCE: Final = 1 << 14  # bytes of a body that are checked in less time than a thread takes to begin


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body and headers of its own."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """What a protocol says in each case."""

    kept: Answer
    unknown_path: Answer
    wrong_method: Answer
    not_admitted: Answer
    too_large: Answer
    too_slow: Answer
    full: Answer
    broken: Answer


class Route(NamedTuple):
    """What a path checks, and how it answers."""

    check: Check
    answers: Answers


class _Server(uvicorn.Server):
    """A server among others in one loop, which leaves signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class HttpDoor:
    """An ASGI application on a port: a POST to one of some paths is checked, kept, and answered."""

    def __init__(
        self,
        spec: ListenerSpec,
        intake: Intake,
        elsewhere: Answers,
        routes: Mapping[str, Route],
    ) -> None:
        """`routes` say by path what is to be kept of a body and its headers, or why nothing is."""
        self._spec, self._intake, self._elsewhere, self._routes = spec, intake, elsewhere, routes
        self._doorkeeper = Doorkeeper(spec.users)
        self._counts: Counter[str] = Counter()
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def open(self) -> str:
        """Start to receive and return the address."""
        context = tls_context(self._spec.name, self._spec.tls) if self._spec.tls else None
        self._socket = bind(self._spec, socket.SOCK_STREAM)
        config = uvicorn.Config(
            self,
            lifespan="off",
            ws="none",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )
        config.load()
        config.ssl = context
        self._server = _Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._socket.close()
                raise UnavailableError.of("listener-not-started", f"listener {self._spec.name} did not start")
            await asyncio.sleep(0)
        return address(self._socket, "https" if context else "http")

    async def close(self) -> None:
        """Let answers under way be finished, then close the port."""
        if self._server is not None and self._task is not None and self._socket is not None:
            self._server.should_exit = True
            await self._task
            self._socket.close()

    def counts(self) -> Counter[str]:
        """Return what became of requests and records."""
        return self._counts + self._intake.counts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        length = (b"content-length", str(len(answer.body)).encode())
        kind = ((b"content-type", b"application/json"),) if answer.body else ()
        headers = [length, *kind, *answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        route = self._routes.get(scope["path"].rstrip("/"))
        answers = route.answers if route else self._elsewhere
        found: Sequence[bytes] | Answer
        if not await asyncio.to_thread(self._doorkeeper.admits, headers.get(b"authorization")):
            found = answers.not_admitted
        elif route is None:
            found = answers.unknown_path
        elif scope["method"] != "POST":
            found = answers.wrong_method
        else:
            body = await self._body(headers, receive, answers)
            found = body if isinstance(body, Answer) else await self._ask(route.check, body, headers)
        if isinstance(found, Answer):
            self._counts[f"refused-{found.status}"] += 1
            return found
        return await self._kept(found, answers)

    async def _ask(self, check: Check, body: bytes, headers: Mapping[bytes, bytes]) -> Sequence[bytes] | Answer:
        """Return what a check says; a large body is looked at while others are served."""
        if len(body) > _AT_ONCE:
            return await asyncio.to_thread(check, body, headers)
        return check(body, headers)

    async def _kept(self, records: Sequence[bytes], answers: Answers) -> Answer:
        try:
            if records:
                await self._intake.keep(records)
        except FullError:
            return answers.full
        except StorageError:
            return answers.broken
        return answers.kept

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive, answers: Answers) -> bytes | Answer:
        """Return the body of a request, or the answer where it is too large or comes too slowly."""
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._spec.most_bytes:
            return answers.too_large
        pieces, size, more = list[bytes](), 0, True
        try:
            async with asyncio.timeout(_RECEIVE_S):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return answers.too_slow
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if size > self._spec.most_bytes:
                        return answers.too_large
                    more = message.get("more_body", False)
        except TimeoutError:
            return answers.too_slow
        return b"".join(pieces)
