"""POST /v1/messages: Anthropic's Messages API, so that its clients work unchanged with every backend.

Shapes: the Anthropic API reference, Messages, streaming and errors, version 2023-06-01.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.gateway.forms.fields import model_name, read_object, streams, wrong
from cellwright.gateway.forms.marks import THINKING
from cellwright.gateway.forms.messages import read_messages
from cellwright.gateway.wire import ModelRequest, named_event, read_choices, restart_mark, tool_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.wire import ApiError, JsonObject, Usage

_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class Messages:
    """The endpoint of messages."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body as a chat request; raise ApiError."""
        body = read_object(raw)
        model, stream = model_name(body), streams(body)
        if body.get("max_tokens") is None:
            raise wrong("max_tokens", "1 or more")
        chat = read_messages(body) | ({"stream": True} if stream else {})
        return ModelRequest(request_id, created_s, model, chat, stream, wants_usage=False, marked=True)

    def whole(self, request: ModelRequest, answer: Chunk, usage: Callable[[], Usage]) -> bytes:
        """Return a whole answer as a message."""
        body = orjson.loads(answer.body)
        choice, said = next(iter(read_choices(body)), ({}, {}))
        message = _head(request, str(body.get("model", request.model)), answer.usage or usage())
        content = list(_blocks(said))
        return orjson.dumps(message | {"content": content} | _stop(choice))

    def stream(self, request: ModelRequest) -> MessageStream:
        """Return what writes the stream."""
        return MessageStream(request)


class TokenCount:
    """The endpoint that counts the tokens of a message before it is sent."""

    def __init__(self, callers: Callers, counter: TokenCounter) -> None:
        self._callers = callers
        self._counter = counter

    async def answer(self, call: Call) -> None:
        """Answer with the tokens of a request as they are counted here."""
        await self._callers.identify(call.headers, call.names)
        body = read_object(await call.body())
        model_name(body)
        request = ModelRequest("", 0, "", read_messages(body), stream=False, wants_usage=False)
        tools = orjson.dumps(request.body.get("tools", [])).decode() if request.body.get("tools") else ""
        count = request.count(self._counter) + self._counter.count(tools)
        await call.reply.json(orjson.dumps({"input_tokens": count, "estimated": True}))


class MessageStream:
    """Writes a stream of events: a message opens, its blocks follow one another, and it closes."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._open: str | None = None  # the kind of the block that is open, with its number where it is a tool's
        self._index = -1
        self._begun = self._calls = False
        self._stop = _stop({})

    def piece(self, chunk: Chunk) -> bytes:
        """Return the events for a piece of the answer."""
        body = orjson.loads(chunk.body)
        events: list[JsonObject] = []
        if not self._begun:
            self._begun = True
            events.append(self._start(str(body.get("model", self._request.model))))
        for choice, delta in read_choices(body):
            events += self._said(delta)
            if choice.get("finish_reason"):
                self._stop = _stop(choice)
        return b"".join(map(named_event, events))

    @property
    def restart(self) -> Callable[[str], bytes] | None:
        """Return what writes the event after which an answer begins anew; None once a tool is called.

        It has the form of what changes a message: official clients tell of no event with a name that they do not know.
        """
        return None if self._calls else self._restart

    def _restart(self, backend: str) -> bytes:
        self._stop = _stop({})
        going_on = {"stop_reason": None, "stop_sequence": None}
        marker = {"type": "message_delta", "delta": going_on, "usage": {"output_tokens": 0}, **restart_mark(backend)}
        return b"".join(map(named_event, [*self._close(), marker]))

    def end(self, model: str, usage: Callable[[], Usage]) -> bytes:
        """Return the events that close the message."""
        events = [] if self._begun else [self._start(model)]
        events += self._close()
        events.append({"type": "message_delta", "delta": self._stop, "usage": _usage(usage())})
        events.append({"type": "message_stop"})
        return b"".join(map(named_event, events))

    def fail(self, error: ApiError) -> bytes:
        """Return the event for an error."""
        return named_event(error_object(error))

    def _start(self, model: str) -> JsonObject:
        head = _head(self._request, model, None)
        return {"type": "message_start", "message": head | {"content": [], "stop_reason": None, "stop_sequence": None}}

    def _said(self, delta: JsonObject) -> Iterator[JsonObject]:
        """Yield the events for what a piece adds."""
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            yield from self._add(
                "thinking", {"thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": thought}
            )
        for block in _thoughts(delta):
            yield from self._thought_block(block)
        for key in ("content", "refusal"):
            if isinstance(delta.get(key), str) and delta[key]:
                yield from self._add("text", {"text": ""}, {"type": "text_delta", "text": delta[key]})
        for call, function in tool_calls(delta):
            yield from self._call(call, function)

    def _thought_block(self, block: JsonObject) -> Iterator[JsonObject]:
        if block.get("type") == "redacted_thinking":
            yield from self._close()
            yield self._opened("redacted_thinking", {"data": block.get("data")})
        elif block.get("signature"):
            added = {"type": "signature_delta", "signature": block["signature"]}
            yield from self._add("thinking", {"thinking": "", "signature": ""}, added)

    def _call(self, call: JsonObject, function: JsonObject) -> Iterator[JsonObject]:
        self._calls = True
        kind = f"tool_use {call.get('index', 0)}"
        if kind != self._open:
            yield from self._close()
            yield self._opened(kind, {"id": call.get("id"), "name": function.get("name"), "input": {}})
        if function.get("arguments"):
            yield self._delta({"type": "input_json_delta", "partial_json": function["arguments"]})

    def _add(self, kind: str, empty: JsonObject, delta: JsonObject) -> Iterator[JsonObject]:
        if kind != self._open:
            yield from self._close()
            yield self._opened(kind, empty)
        yield self._delta(delta)

    def _opened(self, kind: str, block: JsonObject) -> JsonObject:
        self._open = kind
        self._index += 1
        block = {"type": kind.partition(" ")[0], **block}
        return {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, delta: JsonObject) -> JsonObject:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self) -> Iterator[JsonObject]:
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._index}


def error_object(error: ApiError) -> JsonObject:
    """Return an error as clients of the Messages API read it; `code` is ours."""
    kind = _KINDS.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")  # noqa: PLR2004 - of HTTP
    return {"type": "error", "error": {"type": kind, "message": error.diagnostics[0].message, "code": error.code}}


def error_body(error: ApiError) -> bytes:
    """Return an error as a whole answer."""
    return orjson.dumps(error_object(error))


def _head(request: ModelRequest, model: str, usage: Usage | None) -> JsonObject:
    counted = _usage(usage) if usage else {"input_tokens": 0, "output_tokens": 0}  # a stream's are known at its end
    return {"id": f"msg_{request.id}", "type": "message", "role": "assistant", "model": model, "usage": counted}


def _usage(usage: Usage) -> JsonObject:
    """Return usage in the words of the API: tokens read from a cache are not among those in."""
    return {
        "input_tokens": usage.tokens_in - usage.tokens_cached,
        "cache_read_input_tokens": usage.tokens_cached,
        "output_tokens": usage.tokens_out,
    } | ({"estimated": True} if usage.estimated else {})


def _stop(choice: JsonObject) -> JsonObject:
    """Return why an answer ends; a text it was to end at is named where the backend names it."""
    at = choice.get("stop_reason")
    if isinstance(at, str) and choice.get("finish_reason") == "stop":
        return {"stop_reason": "stop_sequence", "stop_sequence": at}
    return {"stop_reason": _STOPS.get(str(choice.get("finish_reason")), "end_turn"), "stop_sequence": None}


def _blocks(message: JsonObject) -> Iterator[JsonObject]:
    """Yield the blocks of content of a whole message."""
    thoughts = _thoughts(message)
    thought = message.get("reasoning_content") or message.get("reasoning")
    if thoughts:
        yield from thoughts
    elif isinstance(thought, str) and thought:
        yield {"type": "thinking", "thinking": thought, "signature": ""}
    for key in ("content", "refusal"):
        if isinstance(message.get(key), str) and message[key]:
            yield {"type": "text", "text": message[key]}
    for call, function in tool_calls(message):
        yield {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": _arguments(function)}


def _thoughts(message: JsonObject) -> list[JsonObject]:
    blocks = message.get(THINKING)
    return [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []


def _arguments(function: JsonObject) -> JsonObject:
    """Return the arguments of a call; what a model wrote that is no object stands under a name of its own."""
    given = function.get("arguments") or "{}"
    with contextlib.suppress(orjson.JSONDecodeError):
        arguments = orjson.loads(given)
        if isinstance(arguments, dict):
            return arguments
    return {"arguments": given}
