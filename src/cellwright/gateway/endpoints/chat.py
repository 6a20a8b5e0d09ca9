"""POST /v1/chat/completions: the common form itself, so that requests and answers pass as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.gateway.forms.fields import model_name, read_object, streams, value, wrong
from cellwright.gateway.wire import DONE, ModelRequest, error_body, restart_chunk, sse, usage_chunk, with_usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import ApiError, Usage


class ChatCompletions:
    """The endpoint of chat completions."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body; raise ApiError. Fields the gateway does not know are kept for the backend."""
        body = read_object(raw)
        model, stream = model_name(body), streams(body)
        _check_messages(body.get("messages"))
        options = value(body, "stream_options", dict, "an object") or {}
        return ModelRequest(request_id, created_s, model, body, stream, bool(options.get("include_usage")))

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


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "a list of one message or more")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            place = f"messages[{index}]"
            raise wrong(place, "an object with a role and content")
