"""The protocol every endpoint that a model answers implements: its wire format to the common form, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import ApiError, ModelRequest, Usage


class Endpoint(Protocol):
    """Reads requests and writes answers; everything between is the pipeline's."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body, in the common form; raise ApiError."""
        ...

    def whole(self, request: ModelRequest, answer: Chunk, usage: Callable[[], Usage]) -> bytes:
        """Return a whole answer; `usage` gives what it used, counted here where the backend did not say."""
        ...

    def stream(self, request: ModelRequest) -> StreamWriter:
        """Return what writes the stream of one request."""
        ...


class StreamWriter(Protocol):
    """Writes the stream of one request as server-sent events."""

    @property
    def restart(self) -> Callable[[str], bytes] | None:
        """Return what writes the event that a backend begins anew and all before is void; None: too late for that.

        A client may have acted on it, as on the call of a tool.
        """
        ...

    def piece(self, chunk: Chunk) -> bytes:
        """Return the events for a piece of the answer; empty where it says nothing to this client."""
        ...

    def end(self, model: str, usage: Callable[[], Usage]) -> bytes:
        """Return the events that close a whole stream of a model."""
        ...

    def fail(self, error: ApiError) -> bytes:
        """Return the event for an error, after which nothing comes."""
        ...
