"""POST /v1/responses: the Responses API over chat backends; it stores nothing.

Shapes and events: the OpenAI API reference (responses, streaming events).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.gateway.forms.fields import model_name, read_object, streams
from cellwright.gateway.forms.responses import read_responses
from cellwright.gateway.wire import ModelRequest, named_event, read_choices, restart_mark, tool_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import ApiError, JsonObject, Usage

_ECHOED: Final[JsonObject] = {  # what an answer repeats of its request, and what holds where that says nothing
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "user": None,
}
_PREFIXES: Final = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_TEXT: Final = ("output_text", "text", "response.output_text")
_REFUSAL: Final = ("refusal", "refusal", "response.refusal")
_THOUGHT: Final = ("reasoning_text", "text", "response.reasoning_text")


class Responses:
    """The endpoint of responses."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body as a chat request; raise ApiError."""
        body = read_object(raw)
        model, stream = model_name(body), streams(body)
        chat = read_responses(body) | ({"stream": True} if stream else {})
        echo = {key: default if body.get(key) is None else body[key] for key, default in _ECHOED.items()}
        return ModelRequest(request_id, created_s, model, chat, stream, wants_usage=False, echo=echo)

    def whole(self, request: ModelRequest, answer: Chunk, usage: Callable[[], Usage]) -> bytes:
        """Return a whole answer: all that its stream would have said, at once."""
        told = _Told(request)
        told.hear(orjson.loads(answer.body))
        told.close()
        return orjson.dumps(told.response(answer.usage or usage()))

    def stream(self, request: ModelRequest) -> ResponseStream:
        """Return what writes the stream."""
        return ResponseStream(request)


class ResponseStream:
    """Writes the events of one response, numbered."""

    def __init__(self, request: ModelRequest) -> None:
        self._told = _Told(request)

    @property
    def restart(self) -> Callable[[str], bytes] | None:
        """Return what writes the event after which an answer begins anew; None once a function is called."""
        return None if self._told.calls else self._restart

    def piece(self, chunk: Chunk) -> bytes:
        """Return the events for a piece of the answer."""
        return b"".join(map(named_event, self._told.hear(orjson.loads(chunk.body))))

    def _restart(self, backend: str) -> bytes:
        return b"".join(map(named_event, self._told.again(backend)))

    def end(self, model: str, usage: Callable[[], Usage]) -> bytes:
        """Return the events that close the response."""
        events = [*self._told.begin(model), *self._told.close(), self._told.last(usage())]
        return b"".join(map(named_event, events))

    def fail(self, error: ApiError) -> bytes:
        """Return the events for an error."""
        return b"".join(map(named_event, self._told.failed(error)))


class _Told:
    """A response as far as it is told, item by item."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._number = -1
        self._model = request.model
        self._finish: str | None = None
        self._output: list[JsonObject] = []
        self._void = 0  # items of it, the first ones, that an answer which broke off leaves
        self._open: object = None  # what the item that is open is about
        self._part: tuple[str, str, str] | None = None  # the kind of the part that is open in it

    def begin(self, model: str) -> list[JsonObject]:
        """Return the events that open the response, once."""
        self._model = model
        if self._number >= 0:
            return []
        kinds = ("response.created", "response.in_progress")
        return [self._numbered(kind, response=self.response(None, "in_progress")) for kind in kinds]

    @property
    def calls(self) -> bool:
        """Whether any function is called."""
        return any(item["type"] == "function_call" for item in self._output)

    def again(self, backend: str) -> list[JsonObject]:
        """Return the events after which the answer begins anew, with an item of the next number; those before are void.

        Official clients refuse a response with an item that is never done, so the one that is open is: incomplete.
        """
        closing = self._close("incomplete")
        self._void, self._finish = len(self._output), None
        return [*closing, self._numbered("cellwright.restart", **restart_mark(backend))]

    def hear(self, body: JsonObject) -> list[JsonObject]:
        """Return the events for a completion or a chunk of one."""
        events = self.begin(str(body.get("model", self._request.model)))
        for choice, said in read_choices(body):
            thought = said.get("reasoning_content") or said.get("reasoning")
            events += self._say("reasoning", _THOUGHT, thought)
            events += self._say("message", _TEXT, said.get("content"))
            events += self._say("message", _REFUSAL, said.get("refusal"))
            for index, (call, function) in enumerate(tool_calls(said)):
                events += self._call(call.get("index", index), call, function)
            end = choice.get("finish_reason")
            self._finish = end if isinstance(end, str) and end else self._finish
        return events

    def close(self) -> list[JsonObject]:
        """Return the events that close the item that is open."""
        return self._close("incomplete" if self._finish in _INCOMPLETE else "completed")

    def _close(self, status: str) -> list[JsonObject]:
        if self._open is None:
            return []
        events, item = self._close_part(), self._output[-1]
        if item["type"] == "function_call":
            done = {"arguments": item["arguments"], "name": item["name"]}
            events.append(self._at("response.function_call_arguments.done", **done))
        self._open = None
        item["status"] = status
        return [*events, self._numbered("response.output_item.done", output_index=len(self._output) - 1, item=item)]

    def last(self, usage: Usage) -> JsonObject:
        """Return the event that ends the stream."""
        response = self.response(usage)
        return self._numbered(f"response.{response['status']}", response=response)

    def failed(self, error: ApiError) -> Iterator[JsonObject]:
        """Yield the events that end a stream which broke."""
        message = error.diagnostics[0].message
        yield self._numbered("error", code=error.code, message=message, param=error.param)
        response = self.response(None, "failed") | {"error": {"code": "server_error", "message": message}}
        yield self._numbered("response.failed", response=response)

    def response(self, usage: Usage | None, status: str | None = None) -> JsonObject:
        """Return the response as it stands; `status` None: as its answer ended."""
        reason = _INCOMPLETE.get(self._finish or "")
        return {
            "id": f"resp_{self._request.id}",
            "object": "response",
            "created_at": self._request.created_s,
            "status": status or ("incomplete" if reason else "completed"),
            "background": False,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._model,
            "output": self._output[self._void :],
            "previous_response_id": None,
            "store": False,
            "truncation": "disabled",
            "usage": _usage(usage) if usage else None,
            **self._request.echo,
        }

    def _say(self, kind: str, part: tuple[str, str, str], text: Any) -> list[JsonObject]:  # noqa: ANN401 - JSON
        """Return the events for words of a kind of item."""
        if not isinstance(text, str) or not text:
            return []
        events: list[JsonObject] = []
        if self._open != kind:
            item: JsonObject = {"role": "assistant"} if kind == "message" else {"summary": []}
            events += self._open_item(kind, kind, item | {"content": []})
        parts = self._output[-1]["content"]
        name, field, event = part
        if self._part != part:
            events += self._close_part()
            parts.append({"type": name, field: "", **({"annotations": []} if part is _TEXT else {}), **_odds(part)})
            self._part = part
            events.append(self._at("response.content_part.added", part=dict(parts[-1]), content_index=len(parts) - 1))
        parts[-1][field] += text
        return [*events, self._at(f"{event}.delta", content_index=len(parts) - 1, delta=text, **_odds(part))]

    def _call(self, index: object, call: JsonObject, function: JsonObject) -> list[JsonObject]:
        """Return the events for a piece of the call of a function."""
        events: list[JsonObject] = []
        if self._open != ("call", index):
            item = {"call_id": call.get("id"), "name": function.get("name"), "arguments": ""}
            events += self._open_item(("call", index), "function_call", item)
        arguments = function.get("arguments")
        if isinstance(arguments, str) and arguments:
            self._output[-1]["arguments"] += arguments
            events.append(self._at("response.function_call_arguments.delta", delta=arguments))
        return events

    def _open_item(self, about: object, kind: str, item: JsonObject) -> list[JsonObject]:
        events = self.close()
        self._open = about
        place = len(self._output)
        self._output.append(
            {"id": f"{_PREFIXES[kind]}_{self._request.id}_{place}", "type": kind, "status": "in_progress", **item}
        )
        opened = self._output[-1] | ({"content": []} if "content" in item else {})
        return [*events, self._numbered("response.output_item.added", output_index=place, item=opened)]

    def _close_part(self) -> list[JsonObject]:
        if self._part is None:
            return []
        (_, field, event), parts, odds = self._part, self._output[-1]["content"], _odds(self._part)
        self._part = None
        where = {"content_index": len(parts) - 1}
        done = self._at(f"{event}.done", **where, **{field: parts[-1][field]}, **odds)
        return [done, self._at("response.content_part.done", **where, part=parts[-1])]

    def _at(self, kind: str, **details: object) -> JsonObject:
        """Return an event about the item that is open."""
        place = len(self._output) - 1
        return self._numbered(kind, item_id=self._output[place]["id"], output_index=place, **details)

    def _numbered(self, kind: str, **details: object) -> JsonObject:
        self._number += 1
        return {"type": kind, "sequence_number": self._number, **details}


def _odds(part: tuple[str, str, str]) -> JsonObject:
    """Return the field of probabilities, which text has and which is empty here."""
    return {"logprobs": []} if part is _TEXT else {}


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.tokens_in,
        "input_tokens_details": {"cached_tokens": usage.tokens_cached},
        "output_tokens": usage.tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.tokens_in + usage.tokens_out,
    } | ({"estimated": True} if usage.estimated else {})
