"""Asks servers over connections that are kept: HTTP/1.1, TLS with verification, no redirects, no cookies, no proxies.

A connection carries one request at a time. The body of an answer is held back at its source while nobody takes it.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from cellwright.gateway.http.deadlines import NEVER
from cellwright.gateway.http.tls import verifying_context
from cellwright.gateway.upstream import BrokenOffError, ConnectFailedError, NetworkError, TimedOutError, UntrustedError
from cellwright.gateway.waits import upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType
    from typing import Self

    from cellwright.gateway.http.deadlines import Deadlines

_HEAD_LIMIT: Final = 64 * 1024  # bytes before the body of an answer
_HELD_LIMIT: Final = 256 * 1024  # bytes of a body that wait to be taken before the server is held back
_IDLE_S: Final = 15.0  # a connection without a request is kept; servers give up theirs after 5 s and more
_DRAIN_S: Final = 1.0  # for the rest of an answer that nobody wants
_INTERIM: Final = range(100, 200)
_BODILESS: Final = frozenset({204, 304})
_PLAIN: Final = "accept-encoding: identity"  # without it any compression would do (RFC 9110 clause 12.5.3)
_PORTS: Final = {"http": 80, "https": 443}


class _Target(NamedTuple):
    """Where a URL leads, and what the request line and Host say of it."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str


class _UnansweredError(BrokenOffError):
    """The connection ended before a single byte came back."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long the steps may take, in seconds."""

    connect_s: float  # until the connection stands, with its TLS
    read_s: float  # between two pieces of an answer


class Pool:
    """Connections to all servers, opened when there is none to reuse."""

    def __init__(self, times: Times, deadlines: Deadlines) -> None:
        self.times = times
        self.deadlines = deadlines
        self._verifying: ssl.SSLContext | None = None
        self._idle: defaultdict[tuple[str, str, int, ssl.SSLContext | None], list[_Connection]] = defaultdict(list)
        self._open: set[_Connection] = set()
        self._is_closed = False

    async def request(  # noqa: PLR0913 - what a request is made of, by name
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        tls: ssl.SSLContext | None = None,
        repeatable: bool = False,
    ) -> Received:
        """Return the response once its headers are there; the caller leaves it as a context. Raises NetworkError.

        A kept connection that turns out to be dead before anything came back is replaced where the request is
        `repeatable`. `tls` stands in for the system's authorities.
        """
        target = _target(url)
        head = _head(method, target, headers, len(body))
        if target.scheme == "https" and tls is None:
            tls = self._verifying = self._verifying or verifying_context()
        kept = self._idle[target.scheme, target.host, target.port, tls]
        while kept:
            connection = kept.pop()
            try:
                if connection.is_usable:
                    return await connection.ask(head, body)
            except _UnansweredError:
                if not repeatable:
                    raise
        return await (await self._connect(target, tls, kept)).ask(head, body)

    def close(self) -> None:
        """Close all connections, also those that are being opened; nobody is asked any more."""
        self._is_closed = True
        kept, self._open = self._open, set()
        self._idle.clear()
        for connection in kept:
            connection.abort()

    def opened(self, connection: _Connection) -> None:
        """Look after a connection; one that comes too late is closed."""
        if self._is_closed:
            connection.abort()
            return
        self._open.add(connection)
        self.deadlines.watch(connection)

    def lost(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self.deadlines.forget(connection)

    async def _connect(self, target: _Target, tls: ssl.SSLContext | None, kept: list[_Connection]) -> _Connection:
        if self._is_closed:
            raise ConnectFailedError
        loop = asyncio.get_running_loop()
        secured = target.scheme == "https"
        try:
            with upstream():
                async with asyncio.timeout(self.times.connect_s):
                    _, connection = await loop.create_connection(
                        lambda: _Connection(self, kept),
                        target.host,
                        target.port,
                        ssl=tls if secured else None,
                        server_hostname=target.host if secured else None,
                    )
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError from error
        except (OSError, ValueError) as error:  # TimeoutError and SSLError are an OSError, UnicodeError a ValueError
            raise ConnectFailedError from error
        if not connection.is_usable:
            raise ConnectFailedError
        return connection


class Received:
    """A response whose headers are there: see `upstream.Response`."""

    __slots__ = ("_connection", "_ended", "_error", "_held", "_pieces", "_waiter", "_waits", "headers", "status")

    def __init__(self, connection: _Connection) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._connection = connection
        self._pieces: list[bytes] = []
        self._held = 0
        self._ended = False
        self._error: NetworkError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._waits = upstream()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended:
            self._connection.abandon()

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise ValueError past `limit` bytes, NetworkError where it does not come whole."""
        taken: list[bytes] = []
        size = 0
        while (piece := self._next()) is not None:
            if not piece:
                await self.wait()
                continue
            taken.append(piece)
            size += len(piece)
            if size > limit:
                msg = f"an answer is longer than {limit} bytes"
                raise ValueError(msg)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes in; raises NetworkError where it does not come whole."""
        while (piece := self._next()) is not None:
            if piece:
                yield piece
            else:
                await self.wait()

    def _next(self) -> bytes | None:
        """Return what has come in, empty where nothing has yet, None behind the end; raises NetworkError."""
        pieces = self._pieces
        if pieces:
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._held = 0
            if not self._ended:
                self._connection.let_flow()
            return piece
        if self._error is not None:
            raise self._error
        return None if self._ended else b""

    async def drain(self) -> None:
        """Let the rest of a body of no interest come in, for a moment, so that the connection can be used again."""
        if not self._ended:
            self._connection.drain()

    async def wait(self) -> None:
        """Return when something has come; what fails is raised by whoever looks for it."""
        self._waiter = self._connection.loop.create_future()
        self._connection.await_more()
        try:
            with self._waits:
                await self._waiter
        finally:
            self._waiter = None

    async def begin(self) -> None:
        """Return when the headers are there; raise NetworkError."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self.wait()

    def hear(self, piece: bytes) -> int:
        """Take in a piece of the body and return how many bytes wait to be taken."""
        self._pieces.append(piece)
        self._held += len(piece)
        return self._held

    def end(self, error: NetworkError | None = None) -> None:
        """Take note that nothing more comes."""
        self._ended, self._error = True, error

    def wake(self) -> None:
        """Tell who waits that something has come."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Connection(asyncio.Protocol):
    """One connection to a server; `kept` is where it waits for its next request."""

    def __init__(self, pool: Pool, kept: list[_Connection]) -> None:
        self.deadline = NEVER
        self._pool = pool
        self._kept = kept
        self.loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._received: Received | None = None  # the response that is under way
        self._head_size = self._field_size = 0
        self._until_end = False  # the body ends with the connection
        self._is_paused = self._is_draining = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._pool.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer that ends with the connection; break off any other."""
        self._pool.lost(self)
        if self in self._kept:
            self._kept.remove(self)
        if self._until_end and exc is None:
            self._finish()
        else:
            self._fail(BrokenOffError() if self._head_size else _UnansweredError())

    @property
    def is_usable(self) -> bool:
        """Whether a request may be sent."""
        return not self._transport.is_closing()

    async def ask(self, head: bytes, body: bytes) -> Received:
        """Send a request and return the response once its headers are there; raise NetworkError."""
        self._received = received = Received(self)
        self._head_size = self._field_size = 0
        self._transport.write(head + body)
        try:
            await received.begin()
        finally:
            if not received.status:
                self.abort()
        return received

    def await_more(self) -> None:
        """Give the server its time to say more."""
        self.deadline = self.loop.time() + self._pool.times.read_s

    def let_flow(self) -> None:
        """Go on reading where that was stopped."""
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def drain(self) -> None:
        """Let what is left of the answer come in, for a moment."""
        self._is_draining = True
        self.deadline = self.loop.time() + _DRAIN_S

    def abandon(self) -> None:
        """Give up an answer that nobody takes any more, unless it is about to end."""
        if not self._is_draining:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def expire(self) -> None:
        """Give up a server that was silent for too long, or close what was idle."""
        self._fail(TimedOutError())
        self.abort()

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer."""
        received = self._received
        if received is None:  # nothing was asked: whatever this answers, it is not the next request
            self.abort()
            return
        if not received.status:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(BrokenOffError(str(error)))
            self.abort()
            return
        if not received.status and self._head_size > _HEAD_LIMIT:
            self._fail(BrokenOffError("the headers are too long"))
            self.abort()
            return
        if received.status:
            received.wake()
            if self._received is received and not self._is_draining:
                self.deadline = NEVER

    def on_message_begin(self) -> None:
        """Refuse an answer to nothing."""
        if self._received is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take note of a header."""
        received = self._received
        if received is not None and not received.status:
            self._field_size += len(name) + len(value)
            if self._field_size > _HEAD_LIMIT:
                raise ValueError
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            received.headers[key] = f"{received.headers[key]}, {text}" if key in received.headers else text

    def on_headers_complete(self) -> None:
        """Take note of the status; an interim one says nothing (RFC 9110 clause 15.2)."""
        received, status = self._received, self._parser.get_status_code()
        if received is None or status in _INTERIM:
            if received is not None:
                received.headers.clear()
            return
        received.status = status
        framed = "content-length" in received.headers or "transfer-encoding" in received.headers
        self._until_end = not framed and status not in _BODILESS

    def on_body(self, piece: bytes) -> None:
        """Pass on a piece of the body, and hold the server back where these pile up."""
        if self._received is None or self._is_draining:
            return
        if self._received.hear(piece) > _HELD_LIMIT and not self._is_paused and self.is_usable:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the answer, and keep the connection where the server does and all was sent."""
        if self._received is None or not self._received.status:
            return
        is_kept = self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()
        self._finish()
        if is_kept and self.is_usable:
            self.deadline = self.loop.time() + _IDLE_S
            self._kept.append(self)
        else:
            self.abort()

    def _finish(self) -> None:
        received, self._received = self._received, None
        self._until_end = self._is_draining = False
        self.let_flow()
        if received is not None:
            received.end()
            received.wake()

    def _fail(self, error: NetworkError) -> None:
        received, self._received = self._received, None
        self.deadline = NEVER
        if received is not None:
            received.end(error)
            received.wake()


@functools.lru_cache(maxsize=1024)
def _target(url: str) -> _Target:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(parts.scheme, host, port, path, parts.netloc)


def _head(method: str, target: _Target, headers: Mapping[str, str], length: int) -> bytes:
    """Return the head of a request; raise ValueError for what would end a line early."""
    return b"%bcontent-length: %d\r\n\r\n" % (_fields(method, target, tuple(headers.items())), length)


@functools.lru_cache(maxsize=256)  # a backend is told the same again and again
def _fields(method: str, target: _Target, headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1", f"host: {target.authority}", _PLAIN]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        msg = "a header of a request holds a line end"
        raise ValueError(msg)
    return f"{head}\r\n".encode("latin-1")
