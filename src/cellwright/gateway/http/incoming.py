"""One request of a client, and the way its answer goes out."""

from __future__ import annotations

import asyncio
import functools
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.gateway.wire import ApiError

    Headers = Mapping[bytes, bytes]

_STATUS_LINES: Final = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Peer(NamedTuple):
    """Who is at the other end."""

    address: str | None = None
    names: tuple[str, ...] = ()  # in the certificate, such as DNS:noc.example and CN=noc


class Wire(Protocol):
    """What an answer is written to."""

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them until they can be sent."""
        ...

    async def writable(self) -> None:
        """Return when the client has taken enough of what was written."""
        ...


class Incoming:
    """A request whose headers are there; fields of one name are joined by commas (RFC 9110 clause 5.3)."""

    __slots__ = (
        "_body", "_chunks", "_error", "_expects", "_size", "_waiter", "_wire",
        "closes", "ends", "gone", "headers", "is_read", "method", "path", "peer", "query",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917 - what a request is made of
        self, wire: Wire, method: str, path: str, query: bytes, headers: Headers, peer: Peer, version: str
    ) -> None:
        self.method, self.path, self.query, self.headers = method, path, query, headers
        self.peer = peer
        self.closes = False  # the connection ends with the answer
        self.is_read = False  # the body is there
        self.ends = False  # the answer is whole
        self.gone = False  # the client hung up
        self._wire = wire
        self._chunks = version != "1.0"
        self._expects = self._chunks and b"expect" in headers
        self._body: list[bytes] = []
        self._size = 0
        self._error: ApiError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def body(self) -> bytes:
        """Return the body; raise ApiError where it is too long (413) or too slow (408)."""
        if not self.is_read and self._error is None:
            if self._expects:
                self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._error is not None:
            raise self._error
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def forget(self) -> None:
        """Let go of the body: whoever answers has read it."""
        self._body.clear()

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """Send a whole answer; `fields` are header lines, each with its end."""
        head = self._head(status, fields, b"content-length: %d\r\n" % len(body))
        self._wire.write(head if self.method == "HEAD" else head + body)
        self.ends = True

    def start(self, status: int, fields: bytes) -> None:
        """Send the head of an answer that comes in pieces."""
        self.closes = self.closes or not self._chunks
        self._wire.write(self._head(status, fields, _CHUNKED if self._chunks else b""))

    async def send(self, piece: bytes) -> None:
        """Send a piece; return when the client can take more."""
        self._wire.write(self._chunk(piece))
        await self._wire.writable()

    def finish(self, piece: bytes) -> None:
        """Send the last piece."""
        self._wire.write(self._chunk(piece) + (_LAST_CHUNK if self._chunks else b""))
        self.ends = True

    def feed(self, piece: bytes) -> int:
        """Take in a piece of the body, unless it was refused; return how many bytes are there."""
        if self._error is None:
            self._body.append(piece)
            self._size += len(piece)
        return self._size

    def complete(self) -> None:
        """Take note that the body is there."""
        self.is_read = True
        self._wake()

    def fail(self, error: ApiError) -> None:
        """Refuse the body."""
        self._error = error
        self._body.clear()
        self._size = 0
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _chunk(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunks and piece else piece

    def _head(self, status: int, fields: bytes, framing: bytes) -> bytes:
        self.closes = self.closes or not self.is_read
        connection = b"connection: close\r\n" if self.closes else b"" if self._chunks else b"connection: keep-alive\r\n"
        return b"".join((_STATUS_LINES[status], fields, framing, _date(int(time.time())), connection, b"\r\n"))


@functools.lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    """Return the Date field of a second since 1970 (RFC 9110 clause 6.6.1)."""
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode()
