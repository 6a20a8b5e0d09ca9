"""One request as its handler sees it, and its reply."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from cellwright.gateway.wire import error_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cellwright.gateway.http.incoming import Headers, Incoming
    from cellwright.gateway.wire import ApiError

_JSON: Final = b"application/json"
_STREAM: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\n"
    b"x-accel-buffering: no\r\n"  # proxies would hold the stream back
)


class Call(NamedTuple):
    """One request as its handler sees it."""

    incoming: Incoming
    reply: Reply
    parameters: Mapping[str, str] = MappingProxyType({})  # that the path names

    @property
    def client(self) -> str | None:
        """The address that the connection comes from."""
        return self.incoming.peer.address

    @property
    def path(self) -> str:
        """The path that was asked for."""
        return self.incoming.path

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters behind the path; of those named twice the last counts."""
        return dict(parse_qsl(self.incoming.query.decode("latin-1")))

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the certificate of the client."""
        return self.incoming.peer.names

    @property
    def headers(self) -> Headers:
        """The fields of the head by their names in lower case."""
        return self.incoming.headers

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header by its lower-case name."""
        return self.incoming.headers.get(name)

    def body(self) -> Awaitable[bytes]:
        """Return the body; raise ApiError where it is too long (413) or too slow (408)."""
        return self.incoming.body()


class Reply:
    """The response to one request; `status` is what the client was told, None before."""

    errors: Callable[[ApiError], bytes] = staticmethod(error_body)  # how the client expects a whole answer to say it

    def __init__(self, incoming: Incoming, request_id: str) -> None:
        self._incoming = incoming
        self._fail_stream: Callable[[ApiError], bytes] | None = None
        self._labels = ""
        self.more = ""  # header lines besides
        self.request_id = request_id
        self.status: int | None = None

    def label(self, labels: Mapping[str, str | None]) -> None:
        """Say in the headers which tier, route or backend answers; None is left out."""
        self._labels = _labelled(tuple(labels.items()))

    def json(self, body: bytes, status: int = 200) -> Awaitable[None]:
        """Send a whole JSON answer."""
        return self.whole(body, _JSON, status)

    async def whole(self, body: bytes, content_type: bytes, status: int = 200) -> None:
        """Send a whole answer."""
        self._incoming.respond(status, b"content-type: %b\r\n%b" % (content_type, self._fields(status)), body)

    async def empty(self, **fields: str) -> None:
        """Send an answer without content that says all in its headers."""
        self._incoming.respond(200, self._fields(200, _lines(fields)), b"")

    async def start_stream(self, fail: Callable[[ApiError], bytes]) -> None:
        """Send the head of a stream of events; `fail` writes the event for an error."""
        self._fail_stream = fail
        self._incoming.start(200, _STREAM + self._fields(200))

    async def write(self, events: bytes) -> None:
        """Send server-sent events; return when the client can take more."""
        await self._incoming.send(events)

    async def end_stream(self, events: bytes) -> None:
        """Send the last events of a whole stream."""
        self._incoming.finish(events)

    async def fail(self, error: ApiError) -> None:
        """Send an error: as a whole answer, or as the last event of a stream that then lacks its regular end."""
        if self.status is None:
            fields = b"content-type: %b\r\n%b" % (_JSON, self._fields(error.status, _lines(error.headers)))
            self._incoming.respond(error.status, fields, self.errors(error))
        elif self._fail_stream is not None:
            self._incoming.finish(self._fail_stream(error))

    def _fields(self, status: int, fields: str = "") -> bytes:
        self.status = status
        identity = self.request_id
        named = f"{fields}x-cellwright-request-id: {identity}\r\nx-request-id: {identity}\r\n{self._labels}{self.more}"
        return named.encode("ascii")


def _lines(fields: Mapping[str, str]) -> str:
    """Return header lines; what is not printable ASCII is escaped, so that no value ends its line."""
    return "".join([f"{name}: {text if _plain(text) else _escaped(text)}\r\n" for name, text in fields.items()])


@functools.lru_cache(maxsize=1024)  # most say the same of one request after another
def _labelled(labels: tuple[tuple[str, str | None], ...]) -> str:
    return _lines({f"x-cellwright-{name}": value for name, value in labels if value is not None})


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
