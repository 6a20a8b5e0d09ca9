"""Serves clients: HTTP/1.1 with keep-alive, requests answered in order, bounded in size, number and time.

Messages are what llhttp accepts in its strict mode, less what it leaves to others: RFC 9112 clauses 3.2 (one Host), 6.1
(chunked is the only coding, and none of HTTP/1.0), 7.1.2 (trailers are dropped).
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote

import httptools

from cellwright.gateway.http.deadlines import NEVER
from cellwright.gateway.http.incoming import Incoming, Peer
from cellwright.gateway.waits import client
from cellwright.gateway.wire import error_body, invalid

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable

    from cellwright.gateway.http.deadlines import Deadlines
    from cellwright.gateway.model import Limits, Timeouts
    from cellwright.gateway.wire import ApiError

    Answer = Callable[[Incoming], Awaitable[None]]

_MS_PER_S: Final = 1000.0
_TARGET_LIMIT: Final = 8 * 1024  # bytes; RFC 9112 clause 3 asks for 8000 at least
_FIELD_LIMIT: Final = 128
_LINGER_S: Final = 1.0  # for a client that still sends to read why it should not
_LINGER_BYTES: Final = 8 * 1024 * 1024
_BACKLOG: Final = 2048
_SHORT: Final = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}
_IDLE, _HEAD, _BODY = range(3)  # what of a request is being read


class Server:
    """Listens, and keeps count of connections and of requests under way."""

    def __init__(self, answer: Answer, limits: Limits, timeouts: Timeouts, deadlines: Deadlines) -> None:
        self.answer = answer
        self.limits = limits
        self.head_s = timeouts.headers_ms / _MS_PER_S
        self.body_s = timeouts.receive_ms / _MS_PER_S
        self.idle_s = timeouts.idle_ms / _MS_PER_S
        self.deadlines = deadlines
        self.stops = False
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def listen(self, bound: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Start to accept connections on a bound socket, which stays the caller's to close."""
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=bound,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=self.head_s if tls else None,
            ssl_shutdown_timeout=_LINGER_S if tls else None,
        )

    async def stop(self, grace_s: float, last_s: float) -> None:
        """Accept no more; let answers under way be finished, then tell them to stop, and close all connections."""
        self.stops = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self.connections):
            connection.retire()
        if self.tasks:
            await asyncio.wait(tuple(self.tasks), timeout=grace_s)
        self.hasten()
        if self.tasks:
            await asyncio.wait(tuple(self.tasks), timeout=last_s)
        for connection in tuple(self.connections):
            connection.abort()

    def hasten(self) -> None:
        """Tell answers under way to stop."""
        for task in tuple(self.tasks):
            task.cancel()


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, server: Server) -> None:
        self.deadline = NEVER
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._phase = _IDLE
        self._timed = _IDLE  # the phase that the deadline is about
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_size = self._fields = 0
        self._refusal: ApiError | None = None  # why what came in is not served
        self._reading: Incoming | None = None  # its body is on its way
        self._answering: Incoming | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[Incoming] = deque()
        self._retires = False  # no further request is taken
        self._lingers = 0  # bytes that are still dropped before the connection is cut
        self._upgrades = False
        self._drained: asyncio.Future[None] | None = None  # set while the client takes too little

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; beyond the limit of connections, say so and end."""
        self._transport = cast("asyncio.Transport", transport)
        server = self._server
        server.connections.add(self)
        server.deadlines.watch(self)
        self._peer = _peer(transport)
        self.deadline = self._loop.time() + server.head_s
        if len(server.connections) > server.limits.connections:
            message = "too many connections at the same time"
            self._refuse(invalid("overloaded", message, status=503, **{"retry-after": "1"}))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Tell who answers that nobody hears it."""
        server = self._server
        server.connections.discard(self)
        server.deadlines.forget(self)
        self._waiting.clear()
        if self._answering is not None and self._task is not None and not self._answering.ends:
            self._answering.gone = True
            self._task.cancel()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Take note that the client takes too little of its answer."""
        self._drained = self._loop.create_future()
        self.deadline = self._loop.time() + self._server.body_s

    def resume_writing(self) -> None:
        """Take note that it goes on."""
        drained, self._drained = self._drained, None
        if drained is not None:
            self.deadline, self._timed = NEVER, _IDLE
            self._time()  # what it is in the middle of sending has its time again
            if not drained.done():
                drained.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request, of several, or what is none."""
        if self._lingers:
            self._lingers -= len(data)
            if self._lingers <= 0:
                self.abort()
            return
        if self._retires and self._phase != _BODY:
            return
        began = self._phase
        try:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                self._decline(offer, data)
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or _malformed(error))
            return
        if self._phase == _HEAD == began:
            self._head_size += len(data)
            if self._head_size > self._server.limits.header_bytes:
                self._refuse(_too_long_headers(self._server.limits.header_bytes))
                return
        self._time()

    def expire(self) -> None:
        """Give up a client that is too slow, or close what is idle."""
        if self._drained is not None or self._lingers:
            self.abort()
        elif self._phase == _BODY and self._reading is not None:
            self._reading.fail(invalid("request_timeout", "the body did not arrive in time", status=408))
            self._retires = True
        elif self._phase == _HEAD:
            self._refuse(invalid("request_timeout", "the headers did not arrive in time", status=408))
        elif self._answering is None:
            self._transport.close()

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._phase, self._timed = _HEAD, _IDLE
        self._url, self._headers = b"", {}
        self._head_size = self._fields = 0

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the target."""
        self._url += url
        if len(self._url) > _TARGET_LIMIT:
            self._fail("target_too_long", f"the target is longer than {_TARGET_LIMIT} bytes", 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a field; those of a trailer are dropped."""
        if self._phase != _HEAD:
            return
        self._fields += 1
        self._head_size += len(name) + len(value)
        limit = self._server.limits.header_bytes
        if self._fields > _FIELD_LIMIT or self._head_size > limit:
            self._refusal = _too_long_headers(limit)
            raise ValueError
        key, headers = name.lower(), self._headers
        if key not in headers:
            headers[key] = value
        elif key == b"host":
            self._fail("invalid_request", "there is more than one Host", 400)
        else:
            headers[key] = b"%b, %b" % (headers[key], value)

    def on_headers_complete(self) -> None:
        """Take the request on, while its body is still on its way."""
        parser, headers = self._parser, self._headers
        method, version = parser.get_method().decode(), parser.get_http_version()
        self._check(method, version)
        incoming = Incoming(self, method, *_target(self._url), headers, self._peer, version)
        incoming.closes = not parser.should_keep_alive()
        self._upgrades = parser.should_upgrade()
        limit = self._server.limits.body_bytes
        if int(headers.get(b"content-length", b"0")) > limit:
            incoming.fail(_too_large(limit))
        self._phase, self._reading = _BODY, incoming
        if self._answering is None:
            self._begin(incoming)
        else:
            self._waiting.append(incoming)
            self._transport.pause_reading()

    def on_body(self, piece: bytes) -> None:
        """Take in a piece of a body."""
        if self._reading is not None:
            limit = self._server.limits.body_bytes
            if self._reading.feed(piece) > limit:
                self._reading.fail(_too_large(limit))

    def on_message_complete(self) -> None:
        """End a request, unless the parser took what follows its head for another protocol."""
        if self._reading is not None and not self._upgrades:
            self._reading.complete()
            self._phase, self._reading = _IDLE, None

    # What an answer is written to.

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them until they can be sent."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def writable(self) -> None:
        """Return when the client has taken enough of what was written."""
        if self._drained is not None:
            with client():
                await self._drained

    def retire(self) -> None:
        """Take no further request; close when none is under way."""
        self._retires = True
        if self._answering is None and not self._lingers:
            self._transport.close()
        elif self._answering is not None:
            self._answering.closes = True

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _begin(self, incoming: Incoming) -> None:
        self._answering = incoming
        if self._drained is None:
            self.deadline = NEVER  # an answer takes what it takes; what limits it is the handler's to say
        self._task = self._loop.create_task(self._answer(incoming))
        self._server.tasks.add(self._task)

    async def _answer(self, incoming: Incoming) -> None:
        try:
            await self._server.answer(incoming)
        finally:
            if self._task is not None:
                self._server.tasks.discard(self._task)
            self._answering = self._task = None
            self._conclude(incoming)

    def _conclude(self, incoming: Incoming) -> None:
        """Go on to the next request, or close the connection."""
        if not incoming.ends:  # what the client has of the answer is not to be taken for all of it
            self.abort()
        elif not incoming.is_read:
            self._linger()
        elif incoming.closes or self._server.stops:
            self._transport.close()
        elif self._waiting:
            self._begin(self._waiting.popleft())
            if not self._waiting:
                self._transport.resume_reading()
                self._timed = _IDLE
                self._time()
        elif self._retires:
            self._transport.close()
        elif self._phase == _IDLE:
            self.deadline = self._loop.time() + self._server.idle_s

    def _linger(self) -> None:
        """Let a client that still sends read its answer: closing at once could take it back (RFC 9112 clause 9.6)."""
        self._lingers = _LINGER_BYTES
        self.deadline = self._loop.time() + _LINGER_S
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _refuse(self, error: ApiError) -> None:
        """Answer what is no request, after which nothing more is read."""
        self._retires = True
        if self._reading is not None:
            self._reading.fail(error)
        if self._answering is not None:
            return
        refused = Incoming(self, "", "", b"", {}, self._peer, "1.1")
        fields = b"".join(f"{name}: {text}\r\n".encode() for name, text in error.headers.items())
        refused.respond(error.status, b"content-type: application/json\r\n" + fields, error_body(error))
        self._linger()

    def _fail(self, code: str, message: str, status: int) -> None:
        """Stop the parser: the request is refused."""
        self._refusal = invalid(code, message, status=status)
        raise ValueError

    def _check(self, method: str, version: str) -> None:
        """Refuse what the parser accepts and a server of models need not."""
        headers = self._headers
        coding = headers.get(b"transfer-encoding")
        if version not in {"1.1", "1.0"}:
            self._fail("unsupported_version", "this port speaks HTTP/1.1", 505)
        if version == "1.1" and b"host" not in headers:
            self._fail("invalid_request", "there is no Host", 400)
        if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
            self._fail("unsupported_coding", "chunked is the one transfer coding that is taken, of HTTP/1.1", 501)
        if headers.get(b"expect", b"100-continue").lower() != b"100-continue":
            self._fail("unsupported_expectation", "100-continue is the one expectation that is met", 417)
        if method == "CONNECT":
            self._fail("unsupported_method", "this is no proxy", 501)

    def _decline(self, offer: httptools.HttpParserUpgrade, data: bytes) -> None:
        """Serve what offers another protocol without it (RFC 9110 clause 7.8); raises HttpParserError.

        The parser takes all that follows such a head for that protocol, so another one is told how long the body is.
        """
        reading, self._upgrades = self._reading, False
        if reading is None:
            raise offer
        reading.closes = True
        framing = [name for name in (b"content-length", b"transfer-encoding") if name in reading.headers]
        lines = [b"POST / HTTP/1.1", b"host: -", *(b"%b: %b" % (name, reading.headers[name]) for name in framing)]
        callbacks = SimpleNamespace(on_body=self.on_body, on_message_complete=self.on_message_complete)
        self._parser = httptools.HttpRequestParser(callbacks)
        self._parser.feed_data(b"\r\n".join([*lines, b"", data[offer.args[0] :]]))

    def _time(self) -> None:
        """Set the deadline of the phase that has begun; none while a client has to wait for its turn."""
        if self._phase != self._timed:
            self._timed = self._phase
            wait_s = {_IDLE: NEVER, _HEAD: self._server.head_s, _BODY: self._server.body_s}[self._phase]
            self.deadline = NEVER if self._waiting else self._loop.time() + wait_s


def _target(url: bytes) -> tuple[str, bytes]:
    """Return path and query of a target in origin, absolute or asterisk form (RFC 9112 clause 3.2)."""
    if url[:1] in {b"/", b"*"}:
        path, _, query = url.partition(b"?")
    else:
        parts = httptools.parse_url(url)
        path, query = parts.path or b"/", parts.query or b""
    text = path.decode("latin-1")
    return (unquote(text) if "%" in text else text), query


def _peer(transport: asyncio.BaseTransport) -> Peer:
    """Return the address of a client, and the names in the certificate of one that showed one."""
    address = transport.get_extra_info("peername")
    secured = transport.get_extra_info("ssl_object")
    shown = secured.getpeercert() if secured is not None else None
    names = [f"{kind}:{name}" for kind, name in shown.get("subjectAltName", ())] if shown else []
    names += [f"{_SHORT.get(kind, kind)}={name}" for part in (shown or {}).get("subject", ()) for kind, name in part]
    return Peer(address[0] if address else None, tuple(names))


def _malformed(error: httptools.HttpParserError) -> ApiError:
    reason = str(error)
    if "Invalid HTTP version" in reason or "PRI" in reason:
        return invalid("unsupported_version", "this port speaks HTTP/1.1", status=505)
    return invalid("invalid_request", f"the request is not HTTP/1.1: {reason}")


def _too_large(limit: int) -> ApiError:
    return invalid("request_too_large", f"the body is longer than {limit} bytes", status=413)


def _too_long_headers(limit: int) -> ApiError:
    message = f"the headers are longer than {limit} bytes, or more than {_FIELD_LIMIT}"
    return invalid("headers_too_large", message, status=431)
