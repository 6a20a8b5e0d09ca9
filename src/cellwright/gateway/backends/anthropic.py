"""Anthropic's Messages API: chat requests translated to it, its answers and streams back.

Shapes: the Anthropic API reference, Messages and streaming, version 2023-06-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.gateway.backend import Chunk
from cellwright.gateway.forms.conversation import File, Text, ToolCall, ToolResult, UnfitError, read_conversation
from cellwright.gateway.forms.marks import CACHE
from cellwright.gateway.forms.options import read_options
from cellwright.gateway.forms.pieces import Pieces, said_call, said_message
from cellwright.gateway.remote import said
from cellwright.gateway.sse import EventReader
from cellwright.gateway.translated import TranslatedBackend
from cellwright.gateway.wire import Usage, completion, message_texts, split_usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from cellwright.gateway.backend import Backend, BackendError, Supplies
    from cellwright.gateway.forms.conversation import Part
    from cellwright.gateway.forms.options import Options, Tool
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.upstream import Response
    from cellwright.gateway.wire import JsonObject, ModelRequest

_ADDRESS: Final = "https://api.anthropic.com/v1"
_VERSION: Final = "2023-06-01"
_MAX_TOKENS: Final = 8192  # the API wants a limit; this one is within what every current model can do
_HOTTEST: Final = 1.0
_OWN: Final = ("thinking", CACHE)  # passed on as they are
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none", "function": "tool"}
_FINISHES: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_PASSING: Final = {"overloaded_error": "upstream_unavailable", "rate_limit_error": "upstream_rate_limited"}
_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def open_backend(spec: BackendSpec, supplies: Supplies) -> Backend:
    """Return the backend of a specification; without an address it asks Anthropic's own."""
    return AnthropicBackend(spec, supplies)


class AnthropicBackend(TranslatedBackend):
    """Asks a server that speaks the Messages API."""

    def __init__(self, spec: BackendSpec, supplies: Supplies) -> None:
        super().__init__(spec, supplies)
        self._url = f"{spec.base_url or _ADDRESS}/messages"
        self._headers = {"anthropic-version": _VERSION} | ({"x-api-key": supplies.api_key} if supplies.api_key else {})

    async def _respond(self, request: ModelRequest) -> Response:
        with self._remote.fitting():
            body = write_request(request.body, self._spec.model, self._spec.max_output)
        return await self._remote.post(self._url, self._headers, body | {"stream": request.stream})

    def _whole(self, request: ModelRequest, body: Any) -> Chunk:  # noqa: ANN401 - JSON as the server wrote it
        if not isinstance(body, dict) or not isinstance(body.get("content"), list):
            raise self._remote.error("upstream_garbled", "sent an answer without content", spent=True)
        message, usage = read_message(body["content"]), read_usage(body)
        choice = {"message": message, **_finish(body)}
        answer = completion(request, self._spec.model, None, choice, usage)
        return Chunk(answer, "".join(message_texts(message)), usage)

    async def _chunks(self, request: ModelRequest, response: Response) -> AsyncGenerator[Chunk, None]:
        if "/event-stream" not in response.headers.get("content-type", ""):
            raise self._remote.error("upstream_not_streaming", "did not stream its answer", spent=True)
        reader, stream = EventReader(), _Stream(Pieces(request, self._spec.model))
        async for piece in response.pieces():
            for data in reader.feed(piece):
                event = orjson.loads(data)
                kind = event.get("type") if isinstance(event, dict) else None
                if kind == "error":
                    raise self._failed(event)
                for chunk in stream.take(kind, event):
                    yield chunk
                if kind == "message_stop":
                    await response.drain()
                    return
        raise self._remote.error("upstream_broke_off", "broke off its answer", spent=True)

    def _failed(self, event: JsonObject) -> BackendError:
        """Return what an error in a stream means."""
        error = event.get("error")
        code = _PASSING.get(str(error.get("type")) if isinstance(error, dict) else "", "upstream_failed")
        return self._remote.error(code, f"failed: {said(event)}", spent=True)


class _Stream:
    """Turns events of a stream into chunks."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._counts: JsonObject = {}

    def take(self, kind: object, event: JsonObject) -> Iterator[Chunk]:
        """Yield what an event says; raises ValueError for one that is none."""
        match kind:
            case "message_start":
                self._counts |= _object(_object(event, "message"), "usage")
            case "content_block_start":
                yield from self._begin(_object(event, "content_block"))
            case "content_block_delta":
                yield from self._go_on(_object(event, "delta"))
            case "message_delta":
                self._counts |= {key: item for key, item in _object(event, "usage").items() if item is not None}
                yield self._pieces.finish(_finish(_object(event, "delta")))
            case "message_stop":
                if usage := read_usage({"usage": self._counts}):
                    yield self._pieces.usage(usage)
            case _:  # a ping, the end of a block, or what later versions add
                return

    def _begin(self, block: JsonObject) -> Iterator[Chunk]:
        match block.get("type"):
            case "tool_use":
                yield self._pieces.call(str(block.get("id")), str(block.get("name")))
            case "text" if block.get("text"):
                yield self._pieces.text(str(block["text"]))
            case "redacted_thinking":
                yield self._pieces.thought_block(block)

    def _go_on(self, delta: JsonObject) -> Iterator[Chunk]:
        match delta.get("type"):
            case "text_delta":
                yield self._pieces.text(_text(delta, "text"))
            case "input_json_delta":
                if arguments := _text(delta, "partial_json"):
                    yield self._pieces.arguments(arguments)
            case "thinking_delta":
                yield self._pieces.thought(_text(delta, "thinking"))
            case "signature_delta":
                yield self._pieces.thought_block({"type": "thinking", "signature": _text(delta, "signature")})


def write_request(body: JsonObject, model: str, most: int | None = None) -> JsonObject:
    """Return a chat request as the Messages API wants it; raise UnfitError for what it cannot say.

    `most` tokens are asked for where the request names no limit.
    """
    talk, options = read_conversation(body), read_options(body, _OWN)
    if options.temperature is not None and options.temperature > _HOTTEST:
        msg = f"a temperature above {_HOTTEST:g}"
        raise UnfitError(msg)
    written = {
        "model": model,
        "max_tokens": options.max_tokens or most or _MAX_TOKENS,
        "system": [_part(text) for text in talk.system],
        "messages": [{"role": turn.role, "content": [_part(part) for part in turn.parts]} for turn in talk.turns],
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "stop_sequences": list(options.stop),
        "tools": [_tool(tool) for tool in options.tools],
        "tool_choice": _choice(options),
        "output_config": _output(options),
        "metadata": {"user_id": body["user"]} if isinstance(body.get("user"), str) else None,
        **{key: body.get(key) for key in _OWN},
    }
    return {key: item for key, item in written.items() if item is not None and item not in ([], {})}


def _part(part: Part) -> JsonObject:
    """Return a block of content."""
    match part:
        case Text(text, cache):
            return {"type": "text", "text": text} | _cached(cache)
        case File():
            return _file(part)
        case ToolCall(call_id, name, arguments, cache):
            return {"type": "tool_use", "id": call_id, "name": name, "input": arguments} | _cached(cache)
        case ToolResult(call_id, content, failed, cache):
            result = {"type": "tool_result", "tool_use_id": call_id, "content": [_part(item) for item in content]}
            return result | ({"is_error": True} if failed else {}) | _cached(cache)
        case _:
            return part.block


def _file(part: File) -> JsonObject:
    if part.url:
        source = {"type": "url", "url": part.url}
    else:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    title = {"title": part.name} if part.name else {}
    return {"type": part.kind, "source": source} | title | _cached(part.cache)


def _cached(mark: JsonObject | None) -> JsonObject:
    return {CACHE: mark} if mark else {}


def _tool(tool: Tool) -> JsonObject:
    described = {"description": tool.description} if tool.description else {}
    strict = {"strict": True} if tool.strict else {}
    return {"name": tool.name, **described, "input_schema": tool.schema, **strict} | _cached(tool.cache)


def _choice(options: Options) -> JsonObject | None:
    if not options.tools or (options.choice is None and options.parallel):
        return None
    kind = options.choice.kind if options.choice else "auto"
    named = {"name": options.choice.name} if options.choice and kind == "function" else {}
    single = {"disable_parallel_tool_use": True} if not options.parallel and kind != "none" else {}
    return {"type": _CHOICES[kind], **named, **single}


def _output(options: Options) -> JsonObject:
    if options.effort is not None and options.effort not in _EFFORTS:
        msg = "reasoning_effort of this value"
        raise UnfitError(msg)
    schema = {"format": {"type": "json_schema", "schema": options.schema}} if options.schema else {}
    return schema | ({"effort": options.effort} if options.effort else {})


def read_message(blocks: Iterable[Any]) -> JsonObject:
    """Return the message that blocks of content make; raise ValueError where one is none."""
    texts: list[str] = []
    thoughts: list[JsonObject] = []
    calls: list[JsonObject] = []
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "tool_use", "id": str(call_id), "name": str(name), "input": dict(arguments)}:
                calls.append(said_call(call_id, name, arguments))
            case {"type": "thinking" | "redacted_thinking"}:
                thoughts.append(block)
            case {"type": "text" | "tool_use"} | None:
                msg = "a block of content does not read"
                raise ValueError(msg)
    return said_message(texts, thoughts, calls)


def read_usage(body: JsonObject) -> Usage | None:
    """Return the usage an answer states; None where it is missing or makes no sense."""
    return split_usage(body.get("usage"), *_COUNTS)


def _finish(said: JsonObject) -> JsonObject:
    """Return why an answer ends; `stop_reason` names the text it was to end at, as vLLM does."""
    reason = _FINISHES.get(str(said.get("stop_reason")), "stop")
    at = said.get("stop_sequence")
    return {"finish_reason": reason} | ({"stop_reason": at} if isinstance(at, str) else {})


def _object(body: JsonObject, key: str) -> JsonObject:
    found = body.get(key)
    if not isinstance(found, dict):
        msg = f"an event has no {key}"
        raise ValueError(msg)  # noqa: TRY004 - what an upstream sent does not read
    return found


def _text(body: JsonObject, key: str) -> str:
    found = body.get(key)
    if not isinstance(found, str):
        msg = f"an event has no {key}"
        raise ValueError(msg)  # noqa: TRY004 - what an upstream sent does not read
    return found
