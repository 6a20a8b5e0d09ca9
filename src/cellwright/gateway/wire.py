"""The OpenAI chat-completions protocol: requests read, answers and errors written.

Shapes: the OpenAI API reference (chat, models, errors), version 1 of the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from cellwright.errors import CellwrightError, Diagnostic, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.estate.model import Boundary

JsonObject = dict[str, Any]  # JSON as others wrote it: passed on whole, trusted in nothing
Choices = list[tuple[JsonObject, JsonObject]]  # of a completion or of a chunk, each with its message or delta

CLASS_HEADER: Final = "x-cellwright-data-class"  # of a request: ours
DONE: Final = b"data: [DONE]\n\n"
_SAYING: Final = ("reasoning_content", "reasoning", "content", "refusal")  # members of a message
_MOST_TOKENS: Final = 1_000_000_000  # of one request: no model takes or gives a thousandth of that


class ApiError(CellwrightError):
    """A request was not answered; `status` and `kind` are what an OpenAI client tells its caller."""

    def __init__(
        self,
        *diagnostics: Diagnostic,
        status: int,
        kind: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(*diagnostics)
        self.status = status
        self.kind = kind
        self.param = param
        self.headers = headers or {}

    @property
    def code(self) -> str:
        """What a program tells errors apart by."""
        return self.diagnostics[0].code


class Usage(NamedTuple):
    """Tokens of one request; estimated where the backend did not say."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int = 0  # of those in
    estimated: bool = False


class Operation(StrEnum):
    """What a model is asked to do."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What somebody asked of a model, in the common form: that of chat completions or of embeddings."""

    id: str
    created_s: int  # since 1970
    model: str
    body: JsonObject
    stream: bool
    wants_usage: bool  # at the end of a stream
    operation: Operation = Operation.CHAT
    marked: bool = False  # the messages hold marks, which only some backends know
    echo: JsonObject = field(default_factory=dict, repr=False)  # what the answer repeats of the request
    fit: Callable[[Boundary], ModelRequest] | None = None  # what may go where a backend stands; None: this
    _known: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def characters(self) -> int:
        """How long the prompt is; counted once."""
        found = self._known.get("characters")
        if found is None:
            found = self._known["characters"] = len(self.prompt)
        return found

    @property
    def prompt(self) -> str:
        """All text of the messages or inputs, one a line."""
        if self.operation is Operation.EMBEDDINGS:
            return "\n".join(item for item in self.inputs if isinstance(item, str))
        return "\n".join([text for message in self.body["messages"] for text in message_texts(message)])

    @property
    def inputs(self) -> list[str | list[int]]:
        """What embeddings are asked for: texts, or lists of tokens."""
        given = self.body["input"]
        return [given] if isinstance(given, str) or isinstance(given[0], int) else given

    @property
    def tokens_given(self) -> int:
        """How many tokens come as numbers instead of as text."""
        if self.operation is Operation.EMBEDDINGS:
            return sum(len(item) for item in self.inputs if isinstance(item, list))
        return 0

    def count(self, counter: TokenCounter) -> int:
        """Return what the prompt is in tokens."""
        return counter.count(self.prompt) + self.tokens_given

    @property
    def last_user_text(self) -> str:
        """The text of the last message of the user; empty when there is none."""
        messages = (message for message in reversed(self.body["messages"]) if message["role"] == "user")
        return "\n".join(message_texts(next(messages, {})))


def invalid(code: str, message: str, param: str | None = None, status: int = 400, **headers: str) -> ApiError:
    """Return the error for a request that cannot be understood; `headers` go with it."""
    diagnostic = Diagnostic(code, message)
    return ApiError(diagnostic, status=status, kind="invalid_request_error", param=param, headers=headers)


def unknown_model(model: str, known: Iterable[str]) -> ApiError:
    """Return the error for a model that no route has."""
    known = tuple(known)
    hint = nearest(model, known) or f"known are {', '.join(known)}"
    return invalid("model_not_found", f"there is no such model; {hint}", "model", status=404)


def message_texts(message: JsonObject) -> list[str]:
    """Return what a message or the delta of one says: content, refusal, reasoning, and what it calls tools with."""
    content = message.get("content")
    if type(content) is str and len(message) == 2 and "role" in message:  # noqa: PLR2004 - what most messages are
        return [content]
    found: list[str] = []
    for key in _SAYING:
        content = message.get(key)
        if isinstance(content, str):
            found.append(content)
        elif isinstance(content, list):
            found += [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return found + _called(message) if "tool_calls" in message else found


def _called(message: JsonObject) -> list[str]:
    """Return what a message calls tools with."""
    functions = [function for _, function in tool_calls(message)]
    return [f[key] for f in functions for key in ("name", "arguments") if isinstance(f.get(key), str)]


def tool_calls(message: JsonObject) -> Iterator[tuple[JsonObject, JsonObject]]:
    """Yield the calls of a message or of the delta of one, each with its function."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield call, function


def read_choices(body: JsonObject) -> Choices:
    """Return the choices of a completion or of a chunk."""
    found: Choices = []
    given = body.get("choices")
    for choice in given if isinstance(given, list) else ():
        if isinstance(choice, dict):
            message = choice.get("message") or choice.get("delta")
            found.append((choice, message if isinstance(message, dict) else {}))
    return found


def chat_request(**fields: Any) -> JsonObject:  # noqa: ANN401 - JSON
    """Return a chat request, less the fields that say nothing: nulls, and how to use tools where there are none."""
    body = {key: item for key, item in fields.items() if item is not None}
    if not body.get("tools"):
        for key, idle in (("tools", ([],)), ("parallel_tool_calls", (True, False)), ("tool_choice", ("auto", "none"))):
            if body.get(key) in idle:
                del body[key]
    return body


def answer_text(choices: Choices) -> str:
    """Return what the choices of a completion or of a chunk say."""
    return "".join([text for _, message in choices for text in message_texts(message)])


def read_usage(body: JsonObject) -> Usage | None:
    """Return the usage a backend states; None where it is missing or makes no sense."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    tokens_in, tokens_out = tokens(usage.get("prompt_tokens")), tokens(usage.get("completion_tokens"))
    if tokens_in is None or tokens_out is None:
        return None
    cached = tokens(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(tokens_in, tokens_out, min(cached or 0, tokens_in))


def split_usage(usage: object, fresh: str, out: str, read: str, written: str) -> Usage | None:
    """Return the usage that counts fresh prompt tokens apart from those of the cache; None where it makes no sense.

    The others name its members: fresh tokens, tokens out, tokens read from the cache and written to it.
    """
    if not isinstance(usage, dict):
        return None
    tokens_fresh, tokens_out = tokens(usage.get(fresh)), tokens(usage.get(out))
    if tokens_fresh is None or tokens_out is None:
        return None
    cached, kept = tokens(usage.get(read)) or 0, tokens(usage.get(written)) or 0
    return Usage(tokens_fresh + kept + cached, tokens_out, cached)


def tokens(count: object) -> int | None:
    """Return a count of tokens as others wrote it; None where it is none, or more than any model handles."""
    good = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_TOKENS
    return count if good else None  # type: ignore[return-value]  # an integer


def usage_object(usage: Usage) -> JsonObject:
    """Return the usage as clients read it; `estimated` is ours and stands only where it is true."""
    return {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in + usage.tokens_out,
        "prompt_tokens_details": {"cached_tokens": usage.tokens_cached},
    } | ({"estimated": True} if usage.estimated else {})


def completion(
    request: ModelRequest, model: str, fingerprint: str | None, choice: JsonObject, usage: Usage | None
) -> bytes:
    """Return a whole completion with one choice; without usage where it is unknown."""
    head = _head(request, model, "chat.completion") | _printed(fingerprint)
    counted = {"usage": usage_object(usage)} if usage else {}
    return orjson.dumps(head | {"choices": [{"index": 0, **choice}]} | counted)


def chunk(request: ModelRequest, model: str, fingerprint: str | None, choice: JsonObject) -> bytes:
    """Return a piece of a streamed completion with one choice."""
    head = _head(request, model, "chat.completion.chunk") | _printed(fingerprint)
    return orjson.dumps(head | {"choices": [{"index": 0, "finish_reason": None, **choice}]})


def usage_chunk(request: ModelRequest, model: str, usage: Usage) -> bytes:
    """Return the last piece of a stream, which says what it used and nothing else."""
    return orjson.dumps(_head(request, model, "chat.completion.chunk") | {"choices": [], "usage": usage_object(usage)})


def restart_chunk(request: ModelRequest, backend: str) -> bytes:
    """Return the piece of a stream after which a backend answers anew: clients discard what came before.

    It has no choices, as the piece that says what a stream used has none; `cellwright` is ours.
    """
    head = _head(request, request.model, "chat.completion.chunk")
    return orjson.dumps(head | {"choices": []} | restart_mark(backend))


def restart_mark(backend: str) -> JsonObject:
    """Return what says, in an event of any protocol, that a backend answers anew and all before is void."""
    return {"cellwright": {"restart": {"backend": backend}}}


def with_usage(body: bytes, usage: Usage) -> bytes:
    """Return a completion that lacks usage with it."""
    return orjson.dumps(orjson.loads(body) | {"usage": usage_object(usage)})


def sse(data: bytes) -> bytes:
    """Return data of one line as a server-sent event."""
    return b"data: %b\n\n" % data


def named_event(event: JsonObject) -> bytes:
    """Return an event that is named by its type, as the Messages and Responses APIs have it."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def error_body(error: ApiError) -> bytes:
    """Return the error as OpenAI clients read it."""
    message = error.diagnostics[0].message
    return orjson.dumps({"error": {"message": message, "type": error.kind, "param": error.param, "code": error.code}})


def _head(request: ModelRequest, model: str, kind: str) -> JsonObject:
    return {"id": f"chatcmpl-{request.id}", "object": kind, "created": request.created_s, "model": model}


def _printed(fingerprint: str | None) -> JsonObject:
    return {"system_fingerprint": fingerprint} if fingerprint else {}
