"""POST /v1/chat/completions: the common form itself, so that requests and answers pass as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.gateway.wire import DONE, error_body, read_chat, restart_chunk, sse, usage_chunk, with_usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import ApiError, ModelRequest, Usage


class ChatCompletions:
    """The endpoint of chat completions."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body; raise ApiError."""
        return read_chat(raw, request_id, created_s)

    def whole(self, request: ModelRequest, answer: Chunk, usage: Callable[[], Usage]) -> bytes:  # noqa: ARG002 - Endpoint
        """Return the answer as it came, with usage where it lacks it."""
        return answer.body if answer.usage else with_usage(answer.body, usage())

    def stream(self, request: ModelRequest) -> ChatStream:
        """Return what writes the stream."""
        return ChatStream(request)


class ChatStream:
    """Passes a stream on piece by piece; usage comes last and only to those who asked for it."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._owed = request.wants_usage

    def piece(self, chunk: Chunk) -> bytes:
        """Return a piece of the answer as an event."""
        if not chunk.closing:
            return sse(chunk.body)
        self._owed = False
        return sse(chunk.body) if self._request.wants_usage else b""

    def restart(self, backend: str) -> bytes:
        """Return the event after which an answer begins anew: what came before it is void."""
        return sse(restart_chunk(self._request, backend))

    def end(self, model: str, usage: Callable[[], Usage]) -> bytes:
        """Return what closes a whole stream."""
        return (sse(usage_chunk(self._request, model, usage())) if self._owed else b"") + DONE

    def fail(self, error: ApiError) -> bytes:
        """Return the error as the last event of a stream that lacks its regular end."""
        return sse(error_body(error))
