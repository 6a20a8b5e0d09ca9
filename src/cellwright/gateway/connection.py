"""One HTTP exchange over ASGI: the body in, the reply out, and whether the client is still there."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cellwright.gateway.wire import ApiError, error_body, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Headers = dict[bytes, bytes]

_MS_PER_S: Final = 1000.0
_JSON: Final = b"application/json"
_STREAM: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # proxies would hold the stream back
)


class ClientGoneError(Exception):
    """The client hung up; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as its handler sees it."""

    path: str
    headers: Headers
    receive: Receive
    reply: Reply
    parameters: Mapping[str, str] = field(default_factory=dict)  # that the path names
    client: str | None = None  # the address that the connection comes from

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header by its lower-case name."""
        return self.headers.get(name)


class Reply:
    """The response to one request; `status` is what the client was told, None before."""

    errors: Callable[[ApiError], bytes] = staticmethod(error_body)  # how the client expects a whole answer to say it

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._fail_stream: Callable[[ApiError], bytes] | None = None
        self._labels: list[tuple[bytes, bytes]] = []
        self.request_id = request_id
        self.status: int | None = None

    def label(self, **labels: str | None) -> None:
        """Say in the headers which tier, route or backend answers; None is left out."""
        self._labels = [
            (b"x-cellwright-" + name.encode(), value.encode("ascii", "backslashreplace"))
            for name, value in labels.items()
            if value is not None
        ]

    async def json(self, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        """Send a whole JSON answer."""
        await self.whole(body, _JSON, status, *headers)

    async def whole(self, body: bytes, content_type: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        """Send a whole answer."""
        length = str(len(body)).encode()
        await self._start(status, (b"content-type", content_type), (b"content-length", length), *headers)
        await self._send({"type": "http.response.body", "body": body})

    async def start_stream(self, fail: Callable[[ApiError], bytes]) -> None:
        """Send the head of a stream of events; `fail` writes the event for an error."""
        self._fail_stream = fail
        await self._start(200, *_STREAM)

    async def write(self, events: bytes) -> None:
        """Send server-sent events."""
        await self._send({"type": "http.response.body", "body": events, "more_body": True})

    async def end_stream(self, events: bytes) -> None:
        """Send the last events of a whole stream."""
        await self._send({"type": "http.response.body", "body": events})

    async def fail(self, error: ApiError) -> None:
        """Send an error: as a whole answer, or as the last event of a stream that then lacks its regular end."""
        if self.status is None:
            extra = ((name.encode(), text.encode("latin-1", "replace")) for name, text in error.headers.items())
            await self.json(self.errors(error), error.status, *extra)
        elif self._fail_stream is not None:
            await self._send({"type": "http.response.body", "body": self._fail_stream(error)})

    async def _start(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        identity = self.request_id.encode()
        named = ((b"x-cellwright-request-id", identity), (b"x-request-id", identity), *self._labels)
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *named]})


async def read_body(receive: Receive, headers: Headers, limit: int, timeout_ms: float) -> bytes:
    """Return the body of a request; raise ApiError (413, 408) or ClientGoneError."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(timeout_ms / _MS_PER_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise _too_large(limit)
                more = message.get("more_body", False)
    except TimeoutError:
        raise invalid("request_timeout", "the body did not arrive in time", status=408, connection="close") from None
    return b"".join(pieces)


@contextlib.asynccontextmanager
async def while_connected(receive: Receive) -> AsyncIterator[None]:
    """Run the block until the client hangs up, then cancel it and raise ClientGoneError. Read the body before."""
    task = asyncio.current_task()
    watched, gone = True, False

    def hang_up(_: asyncio.Task[None]) -> None:
        nonlocal gone
        if watched and task is not None:
            gone = True
            task.cancel()

    watcher = asyncio.ensure_future(_disconnected(receive))
    watcher.add_done_callback(hang_up)
    try:
        yield
    except asyncio.CancelledError:
        if gone and task is not None and task.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        watched = False
        watcher.cancel()


async def _disconnected(receive: Receive) -> None:
    """Return when the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _too_large(limit: int) -> ApiError:
    return invalid("request_too_large", f"the body is longer than {limit} bytes", status=413, connection="close")
