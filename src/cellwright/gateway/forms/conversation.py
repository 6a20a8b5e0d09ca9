"""A chat request taken apart, for backends that speak another protocol than that of chat completions.

What a protocol cannot say is refused by name, never dropped: another backend may be able to say it.
Shapes: the OpenAI API reference (chat); `cache_control`, `thinking_blocks` and `is_error` are ours, see `marks`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from cellwright.gateway.forms.fields import shortened, value, wrong
from cellwright.gateway.forms.marks import CACHE, ERROR, THINKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.gateway.wire import JsonObject

    Role = Literal["user", "assistant"]

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,([A-Za-z0-9+/=\s]+)")
_SYSTEM: Final = ("system", "developer")


class UnfitError(Exception):
    """A request holds what a protocol cannot say; the message names it."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words. `cache`: the prompt up to here is worth keeping, in the words of the Messages API."""

    text: str
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A picture or a document: its bytes in base64, or where they are."""

    kind: Literal["image", "document"]
    media_type: str = ""
    data: str = ""
    url: str = ""
    name: str = ""
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool."""

    id: str
    name: str
    arguments: JsonObject
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool said."""

    call_id: str
    content: tuple[Text | File, ...]
    failed: bool = False
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """A block of thinking, as the Messages API wrote it."""

    block: JsonObject


Part = Text | File | ToolCall | ToolResult | Thought


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says until the other has its say."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of a request, the turns of one side joined."""

    system: tuple[Text, ...]
    turns: tuple[Turn, ...]


def read_conversation(body: JsonObject) -> Conversation:
    """Return the messages of a chat request; raise UnfitError, or ApiError where they are none."""
    system: list[Text] = []
    turns: list[tuple[Role, list[Part]]] = []
    for index, message in enumerate(body["messages"]):
        place = f"messages[{index}]"
        if message["role"] in _SYSTEM:
            if turns:
                msg = f"{place}: a system message after the first turn"
                raise UnfitError(msg)
            system.extend(part for part in _content(message.get("content"), place) if isinstance(part, Text))
            continue
        role, parts = _said(message, place)
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    return Conversation(tuple(system), tuple(Turn(role, tuple(parts)) for role, parts in turns if parts))


def _said(message: JsonObject, place: str) -> tuple[Role, list[Part]]:
    """Return who speaks in a message, and what they say."""
    match message["role"]:
        case "user":
            if message.get("name"):
                msg = f"{place}.name"
                raise UnfitError(msg)
            return "user", list(_content(message.get("content"), place))
        case "assistant":
            return "assistant", list(_assistant(message, place))
        case "tool":
            return "user", [_result(message, place)]
        case _:
            msg = f"{place}: a message of this role"
            raise UnfitError(msg)


def _assistant(message: JsonObject, place: str) -> Iterator[Part]:
    for key in ("function_call", "audio"):
        if message.get(key):
            msg = f"{place}.{key}"
            raise UnfitError(msg)
    for index, block in enumerate(value(message, THINKING, list, "a list", f"{place}.") or ()):
        if not isinstance(block, dict):
            where = f"{place}.{THINKING}[{index}]"
            raise wrong(where, "an object with a type")
        yield Thought(block)
    yield from _content(message.get("content"), place)
    if refusal := value(message, "refusal", str, "a text", f"{place}."):
        yield Text(refusal)
    for index, call in enumerate(value(message, "tool_calls", list, "a list", f"{place}.") or ()):
        yield _call(call, f"{place}.tool_calls[{index}]")


def _call(call: Any, place: str) -> ToolCall:  # noqa: ANN401 - JSON as a client wrote it
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise wrong(place, "the call of a function")
    arguments = value(function, "arguments", str, "JSON in a text", f"{place}.function.") or "{}"
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        where = f"{place}.function.arguments"
        raise wrong(where, "an object as JSON in a text")
    name = value(function, "name", str, "a text", f"{place}.function.") or ""
    return ToolCall(value(call, "id", str, "a text", f"{place}.") or "", name, given, call.get(CACHE))


def _result(message: JsonObject, place: str) -> ToolResult:
    call_id = value(message, "tool_call_id", str, "a text", f"{place}.")
    if call_id is None:
        where = f"{place}.tool_call_id"
        raise wrong(where, "the id of the call it answers")
    content = tuple(_content(message.get("content"), place))
    return ToolResult(call_id, content, bool(message.get(ERROR)), message.get(CACHE))


def _content(content: object, place: str) -> Iterator[Text | File]:
    """Yield the parts of a message's content; what is empty says nothing."""
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    if not isinstance(content, list | None):
        where = f"{place}.content"
        raise wrong(where, "a text or a list of parts")
    for index, part in enumerate(content or ()):
        where = f"{place}.content[{index}]"
        if not isinstance(part, dict):
            raise wrong(where, "an object with a type")
        match part.get("type"):
            case "text" | "refusal" as kind:
                if text := value(part, kind, str, "a text", f"{where}."):
                    yield Text(text, part.get(CACHE))
            case "image_url":
                yield _image(part, where)
            case "file":
                yield _document(part, where)
            case kind:
                named = f"of type {shortened(kind)}" if isinstance(kind, str) else "without a type"
                msg = f"{where}: content {named}"
                raise UnfitError(msg)


def _image(part: JsonObject, place: str) -> File:
    address = value(part, "image_url", dict, "an object with a url", f"{place}.") or {}
    url = value(address, "url", str, "an address", f"{place}.image_url.")
    if not url:
        where = f"{place}.image_url.url"
        raise wrong(where, "an address")
    if found := _DATA_URL.fullmatch(url):
        return File("image", found[1], "".join(found[2].split()), cache=part.get(CACHE))
    if url.startswith("data:"):
        where = f"{place}.image_url.url"
        raise wrong(where, "an https address or a data address in base64")
    return File("image", url=url, cache=part.get(CACHE))


def _document(part: JsonObject, place: str) -> File:
    given = value(part, "file", dict, "an object with file_data", f"{place}.") or {}
    data = value(given, "file_data", str, "a data address in base64", f"{place}.file.")
    if data is None:
        msg = f"{place}: a file by its id"
        raise UnfitError(msg)
    found = _DATA_URL.fullmatch(data)
    if found is None:
        where = f"{place}.file.file_data"
        raise wrong(where, "a data address in base64")
    name = value(given, "filename", str, "a text", f"{place}.file.") or ""
    return File("document", found[1], "".join(found[2].split()), name=name, cache=part.get(CACHE))
