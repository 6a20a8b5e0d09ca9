"""A stream in the common form, written piece by piece for backends whose own form is another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from cellwright.gateway.backend import Chunk
from cellwright.gateway.forms.marks import THINKING
from cellwright.gateway.wire import chunk, usage_chunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.gateway.wire import JsonObject, ModelRequest, Usage

_ROLE: Final = {"role": "assistant"}


class Pieces:
    """Writes the chunks of one stream; the first one says who speaks: nothing is sent before there is a word."""

    def __init__(self, request: ModelRequest, model: str) -> None:
        self._request = request
        self._model = model
        self._begun = False
        self._calls = 0

    def text(self, text: str) -> Chunk:
        """Return a piece of what is said."""
        return self._delta({"content": text}, text)

    def thought(self, text: str) -> Chunk:
        """Return a piece of what is thought."""
        return self._delta({"reasoning_content": text}, text)

    def thought_block(self, block: JsonObject) -> Chunk:
        """Return what only the protocol of the backend knows of a block of thinking: its signature, or its cipher."""
        return self._delta({THINKING: [block]}, "")

    def call(self, call_id: str, name: str) -> Chunk:
        """Return the beginning of a call of a tool."""
        self._calls += 1
        function = {"name": name, "arguments": ""}
        return self._call({"id": call_id, "type": "function", "function": function}, name)

    def arguments(self, text: str) -> Chunk:
        """Return a piece of the arguments of the call that began last."""
        return self._call({"function": {"arguments": text}}, text)

    def finish(self, choice: JsonObject) -> Chunk:
        """Return why the answer ends, as the fields of a choice."""
        return self._chunk({"delta": self._begin()} | choice, "")

    def usage(self, usage: Usage) -> Chunk:
        """Return what the stream used."""
        return Chunk(usage_chunk(self._request, self._model, usage), "", usage, closing=True)

    def _call(self, call: JsonObject, said: str) -> Chunk:
        return self._delta({"tool_calls": [{"index": self._calls - 1, **call}]}, said)

    def _delta(self, delta: JsonObject, said: str) -> Chunk:
        return self._chunk({"delta": self._begin() | delta}, said)

    def _chunk(self, choice: JsonObject, said: str) -> Chunk:
        return Chunk(chunk(self._request, self._model, None, choice), said)

    def _begin(self) -> JsonObject:
        if self._begun:
            return {}
        self._begun = True
        return dict(_ROLE)


def said_call(call_id: str, name: str, arguments: JsonObject) -> JsonObject:
    """Return a call of a tool as a whole message holds it."""
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    return {"id": call_id, "type": "function", "function": function}


def said_message(texts: Iterable[str], thoughts: list[JsonObject], calls: list[JsonObject]) -> JsonObject:
    """Return a whole message of the assistant; `thoughts` are blocks of thinking."""
    said = "".join(texts)
    thought = "".join(block["thinking"] for block in thoughts if isinstance(block.get("thinking"), str))
    return (
        {"role": "assistant", "content": said if said or not calls else None}
        | ({"reasoning_content": thought} if thought else {})
        | ({THINKING: thoughts} if thoughts else {})
        | ({"tool_calls": calls} if calls else {})
    )
