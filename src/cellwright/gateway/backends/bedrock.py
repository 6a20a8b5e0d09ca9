"""Amazon Bedrock's Converse API: chat requests translated to it, its answers and binary streams back.

Shapes: the Amazon Bedrock API reference, Converse and ConverseStream.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from cellwright.errors import UsageError
from cellwright.gateway.aws_credentials import NoCredentialsError, open_access
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.event_stream import MessageReader
from cellwright.gateway.forms.conversation import (
    File,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    UnfitError,
    read_conversation,
)
from cellwright.gateway.forms.options import read_options
from cellwright.gateway.forms.pieces import Pieces, said_call, said_message
from cellwright.gateway.model import AwsAccess
from cellwright.gateway.remote import REFUSED_KEY, said
from cellwright.gateway.sigv4 import Scope, sign
from cellwright.gateway.translated import TranslatedBackend
from cellwright.gateway.wire import Usage, completion, message_texts, split_usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from cellwright.gateway.aws_credentials import Access
    from cellwright.gateway.backend import Backend, Supplies
    from cellwright.gateway.event_stream import Message
    from cellwright.gateway.forms.conversation import Conversation, Part
    from cellwright.gateway.forms.options import Options, Tool
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.sigv4 import Credentials
    from cellwright.gateway.upstream import Response, Sign
    from cellwright.gateway.wire import JsonObject, ModelRequest

_REGION: Final = re.compile(r"//(?:[\w.-]+\.)?bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_JSON: Final = {"content-type": "application/json"}
_HOTTEST: Final = 1.0
_OWN: Final = ("thinking", "cache_control")
_FORMATS: Final = {
    "image": {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
    "document": {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
    },
}
_CHOICES: Final = {"auto": "auto", "required": "any", "function": "tool"}
_FINISHES: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_PASSING: Final = {
    "throttlingException": "upstream_rate_limited",
    "serviceUnavailableException": "upstream_unavailable",
    "modelTimeoutException": "upstream_timeout",
}
_COUNTS: Final = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")


def open_backend(spec: BackendSpec, supplies: Supplies) -> Backend:
    """Return the backend of a specification; raise UsageError where it has no address, region or credentials."""
    if spec.base_url is None:
        raise UsageError.of(
            "missing-address",
            f"backend {spec.name} has no baseUrl",
            expected="the address of the service, such as https://bedrock-runtime.eu-central-1.amazonaws.com",
        )
    if supplies.api_key:
        return BedrockBackend(spec, supplies, spec.base_url, {"authorization": f"Bearer {supplies.api_key}"})
    return BedrockBackend(spec, supplies, spec.base_url, {}, _signing(spec, supplies, spec.base_url))


def _signing(spec: BackendSpec, supplies: Supplies, address: str) -> _Signing:
    """Return what signs; raise UsageError."""
    access = spec.aws or AwsAccess()
    region = access.region or next(iter(_REGION.findall(address)), None)
    if region is None:
        raise UsageError.of(
            "missing-region",
            f"backend {spec.name} has an address that names no region",
            expected="spec.backends.aws.region, such as eu-central-1",
        )
    return _Signing(open_access(spec, access, supplies), Scope(region, "bedrock"))


class _Signing(NamedTuple):
    """Signs requests with the credentials that hold at the moment."""

    access: Access
    scope: Scope

    def to(self, url: str, credentials: Credentials) -> Sign:
        """Return what signs for a URL."""
        return lambda body: sign(credentials, self.scope, "POST", url, _JSON, body, datetime.now(UTC))


class BedrockBackend(TranslatedBackend):
    """Asks the Converse API."""

    def __init__(
        self,
        spec: BackendSpec,
        supplies: Supplies,
        address: str,
        headers: JsonObject,
        signing: _Signing | None = None,
    ) -> None:
        super().__init__(spec, supplies)
        self._headers = _JSON | headers
        url = f"{address}/model/{quote(spec.model, safe='')}"
        self._urls = {False: f"{url}/converse", True: f"{url}/converse-stream"}
        self._signing = signing

    async def _respond(self, request: ModelRequest) -> Response:
        """Return a response that began well; where credentials are refused, others sign once more."""
        with self._remote.fitting():
            body = write_request(request.body, self._spec.max_output)
        url, signing = self._urls[request.stream], self._signing
        if signing is None:
            return await self._remote.post(url, self._headers, body)
        credentials = await self._credentials(signing)
        try:
            return await self._remote.post(url, self._headers, body, signing.to(url, credentials))
        except BackendError as error:
            if error.code != REFUSED_KEY or not await signing.access.renew(credentials):
                raise
        others = await self._credentials(signing)
        return await self._remote.post(url, self._headers, body, signing.to(url, others))

    async def _credentials(self, signing: _Signing) -> Credentials:
        try:
            return await signing.access.current()
        except NoCredentialsError as error:
            words = f"cannot be asked: {error} gives no credentials that hold"
            raise self._remote.error("upstream_no_credentials", words) from None

    def _whole(self, request: ModelRequest, body: Any) -> Chunk:  # noqa: ANN401 - JSON as the server wrote it
        match body:
            case {"output": {"message": {"content": list(blocks)}}}:
                message, usage = read_message(blocks), read_usage(body)
            case _:
                raise self._remote.error("upstream_garbled", "sent an answer without content", spent=True)
        choice = {"message": message, "finish_reason": _FINISHES.get(str(body.get("stopReason")), "stop")}
        answer = completion(request, self._spec.model, None, choice, usage)
        return Chunk(answer, "".join(message_texts(message)), usage)

    async def _chunks(self, request: ModelRequest, response: Response) -> AsyncGenerator[Chunk, None]:
        if "amazon.eventstream" not in response.headers.get("content-type", ""):
            raise self._remote.error("upstream_not_streaming", "did not stream its answer", spent=True)
        reader, stream = MessageReader(), Stream(Pieces(request, self._spec.model))
        async for piece in response.pieces():
            for message in reader.feed(piece):
                if message.headers.get(":message-type") != "event":
                    raise self._failed(message)
                for chunk in stream.take(message.headers.get(":event-type", ""), orjson.loads(message.payload)):
                    yield chunk
        if not stream.ended or reader.amid:
            raise self._remote.error("upstream_broke_off", "broke off its answer", spent=True)

    def _failed(self, message: Message) -> BackendError:
        """Return what an exception in a stream means."""
        kind = message.headers.get(":exception-type", message.headers.get(":error-code", ""))
        body = orjson.loads(message.payload) if message.payload else {}
        words = f"failed: {said(body if isinstance(body, dict) else {})}"
        return self._remote.error(_PASSING.get(kind, "upstream_failed"), words, spent=True)


class Stream:
    """Turns events of a stream into chunks."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self.ended = False

    def take(self, kind: str, event: Any) -> Iterator[Chunk]:  # noqa: ANN401 - JSON as the server wrote it
        """Yield what an event says; what later versions add says nothing."""
        match kind, event:
            case "contentBlockStart", {"start": {"toolUse": {"toolUseId": str(call_id), "name": str(name)}}}:
                yield self._pieces.call(call_id, name)
            case "contentBlockDelta", {"delta": {"text": str(text)}}:
                yield self._pieces.text(text)
            case "contentBlockDelta", {"delta": {"toolUse": {"input": str(arguments)}}}:
                yield self._pieces.arguments(arguments)
            case "contentBlockDelta", {"delta": {"reasoningContent": {"text": str(text)}}}:
                yield self._pieces.thought(text)
            case "contentBlockDelta", {"delta": {"reasoningContent": {"signature": str(signature)}}}:
                yield self._pieces.thought_block({"type": "thinking", "signature": signature})
            case "contentBlockDelta", {"delta": {"reasoningContent": {"redactedContent": str(data)}}}:
                yield self._pieces.thought_block({"type": "redacted_thinking", "data": data})
            case "messageStop", {"stopReason": reason}:
                self.ended = True
                yield self._pieces.finish({"finish_reason": _FINISHES.get(str(reason), "stop")})
            case "metadata", dict():
                if usage := read_usage(event):
                    yield self._pieces.usage(usage)


def write_request(body: JsonObject, most: int | None = None) -> JsonObject:
    """Return a chat request as Converse wants it; raise UnfitError for what it cannot say.

    `most` tokens are asked for where the request names no limit.
    """
    talk, options = read_conversation(body), read_options(body, _OWN)
    if options.temperature is not None and options.temperature > _HOTTEST:
        msg = f"a temperature above {_HOTTEST:g}"
        raise UnfitError(msg)
    inference = {
        "maxTokens": options.max_tokens or most,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": list(options.stop) or None,
    }
    further = {"top_k": options.top_k, "thinking": body.get("thinking")}
    written = {
        "messages": [{"role": turn.role, "content": list(_blocks(turn.parts))} for turn in talk.turns],
        "system": list(_blocks(talk.system)),
        "inferenceConfig": _said(inference),
        "toolConfig": _tools(options, talk),
        "outputConfig": _output(options),
        "additionalModelRequestFields": _said(further),
    }
    return {key: item for key, item in written.items() if item}


def _said(fields: JsonObject) -> JsonObject:
    return {key: item for key, item in fields.items() if item is not None}


def _blocks(parts: Iterable[Part]) -> Iterator[JsonObject]:
    """Yield blocks of content; a mark of what is worth keeping is a block of its own behind what it marks."""
    for part in parts:
        yield _block(part)
        if getattr(part, "cache", None):
            yield {"cachePoint": {"type": "default"}}


def _block(part: Part) -> JsonObject:
    match part:
        case Text(text):
            return {"text": text}
        case File():
            return {part.kind: _file(part)}
        case ToolCall(call_id, name, arguments):
            return {"toolUse": {"toolUseId": call_id, "name": name, "input": arguments}}
        case ToolResult(call_id, content, failed):
            said_by = {"toolUseId": call_id, "content": [_block(item) for item in content]}
            return {"toolResult": said_by | ({"status": "error"} if failed else {})}
        case Thought({"type": "redacted_thinking", "data": data}):
            return {"reasoningContent": {"redactedContent": data}}
        case Thought(block):
            told = {"text": block.get("thinking", ""), "signature": block.get("signature")}
            return {"reasoningContent": {"reasoningText": _said(told)}}


def _file(part: File) -> JsonObject:
    if part.url:
        msg = f"an {part.kind} by its address"
        raise UnfitError(msg)
    form = _FORMATS[part.kind].get(part.media_type)
    if form is None:
        msg = f"an {part.kind} of type {part.media_type}"
        raise UnfitError(msg)
    named = {"name": re.sub(r"[^\w\s()\[\]-]", "-", part.name or "document")} if part.kind == "document" else {}
    return {"format": form, **named, "source": {"bytes": part.data}}


def _tools(options: Options, talk: Conversation) -> JsonObject | None:
    if not options.tools:
        return None
    if not options.parallel:
        msg = "parallel_tool_calls"
        raise UnfitError(msg)
    kind = options.choice.kind if options.choice else None
    if kind == "none":
        if any(isinstance(part, ToolCall | ToolResult) for turn in talk.turns for part in turn.parts):
            msg = "tool_choice none where tools were called before"
            raise UnfitError(msg)
        return None
    config: JsonObject = {"tools": [item for tool in options.tools for item in _tool(tool)]}
    if options.choice is not None:
        named = {"name": options.choice.name} if kind == "function" else {}
        config["toolChoice"] = {_CHOICES[options.choice.kind]: named}
    return config


def _tool(tool: Tool) -> Iterator[JsonObject]:
    described = {"description": tool.description or None, "strict": tool.strict or None}
    yield {"toolSpec": {"name": tool.name, **_said(described), "inputSchema": {"json": tool.schema}}}
    if tool.cache:
        yield {"cachePoint": {"type": "default"}}


def _output(options: Options) -> JsonObject:
    effort = {"effort": options.effort} if options.effort else {}
    if options.schema is None:
        return effort
    described = {"name": "answer", "schema": orjson.dumps(options.schema).decode()}
    return effort | {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": described}}}


def read_message(blocks: Iterable[Any]) -> JsonObject:
    """Return the message that blocks of content make; raise ValueError where one is none."""
    texts: list[str] = []
    thoughts: list[JsonObject] = []
    calls: list[JsonObject] = []
    for block in blocks:
        match block:
            case {"text": str(text)}:
                texts.append(text)
            case {"toolUse": {"toolUseId": str(call_id), "name": str(name), "input": dict(arguments)}}:
                calls.append(said_call(call_id, name, arguments))
            case {"reasoningContent": {"reasoningText": {"text": str(text)} as told}}:
                thoughts.append({"type": "thinking", "thinking": text, "signature": told.get("signature") or ""})
            case {"reasoningContent": {"redactedContent": str(data)}}:
                thoughts.append({"type": "redacted_thinking", "data": data})
            case {"text": _} | {"toolUse": _} | None:
                msg = "a block of content does not read"
                raise ValueError(msg)
    return said_message(texts, thoughts, calls)


def read_usage(body: JsonObject) -> Usage | None:
    """Return the usage an answer states; None where it is missing or makes no sense."""
    return split_usage(body.get("usage"), *_COUNTS)
