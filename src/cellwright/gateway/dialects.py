"""Where servers that speak the chat-completions protocol depart from it, put right so that every client reads it.

Seen in: Text Generation Inference (why an answer ends; arguments of calls as objects; calls without an id), Ollama
(arguments as objects, calls without an index), vLLM before 0.10 and llama.cpp (errors in a stream of status 200).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from cellwright.gateway.wire import tool_calls

if TYPE_CHECKING:
    from cellwright.gateway.wire import Choices, JsonObject

_ENDS: Final = {"eos_token": "stop", "eos": "stop", "stop_sequence": "stop", "end_turn": "stop", "max_tokens": "length"}


def is_error(body: JsonObject) -> bool:
    """Return whether an answer of status 200 is an error."""
    return bool(body.get("error")) or body.get("object") == "error"


def put_right(choices: Choices, answer_id: str) -> bool:
    """Put right the choices of a completion, or of a chunk of one, in place; return whether any was wrong."""
    changed = False
    for choice, said in choices:
        end = choice.get("finish_reason")
        if isinstance(end, str) and end in _ENDS:
            choice["finish_reason"], changed = _ENDS[end], True
        if "tool_calls" in said:
            changed |= _put_right_calls(said, answer_id, streamed="delta" in choice)
    return changed


def _put_right_calls(said: JsonObject, answer_id: str, *, streamed: bool) -> bool:
    changed = False
    for place, (call, function) in enumerate(tool_calls(said)):
        if isinstance(function.get("arguments"), dict):
            function["arguments"], changed = orjson.dumps(function["arguments"]).decode(), True
        index = call.get("index", place)
        if streamed and "index" not in call:
            call["index"], changed = place, True
        if function.get("name") and not call.get("id"):  # a call begins
            call["id"], call["type"], changed = f"call_{answer_id[:16]}_{index}", "function", True
    return changed
