"""What the common form carries beyond chat completions, for backends that know of it; others are sent it without.

A request that came in by the Messages API marks what is worth caching, which tool failed, and what was thought, signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cellwright.gateway.wire import JsonObject

CACHE: Final = "cache_control"  # of the request, a part, a tool call, a tool or a tool's message
ERROR: Final = "is_error"  # of a tool's message
THINKING: Final = "thinking_blocks"  # of a message of the assistant, or of what a stream adds to it
_OF_MESSAGES: Final = (CACHE, ERROR, THINKING)


def unmarked(body: JsonObject) -> JsonObject:
    """Return a chat request without marks; what is handed in stays as it is."""
    messages = [_unmarked_message(message) for message in body["messages"]]
    tools = {"tools": [_without(tool, CACHE) for tool in body["tools"]]} if "tools" in body else {}
    return _without(body, CACHE) | {"messages": messages} | tools


def _unmarked_message(message: JsonObject) -> JsonObject:
    plain = _without(message, *_OF_MESSAGES)
    for key in ("content", "tool_calls"):
        if isinstance(plain.get(key), list):
            plain[key] = [_without(item, CACHE) for item in plain[key]]
    return plain


def _without(item: JsonObject, *keys: str) -> JsonObject:
    return {key: value for key, value in item.items() if key not in keys}
