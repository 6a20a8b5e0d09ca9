"""Requests of Anthropic's Messages API as chat requests; what the common form cannot say is refused by name.

Shapes: the Anthropic API reference, Messages, version 2023-06-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.gateway.forms.fields import needed, one_of, refused, value, wrong
from cellwright.gateway.forms.marks import CACHE, ERROR, THINKING
from cellwright.gateway.wire import chat_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.gateway.wire import JsonObject

_SAME: Final = ("temperature", "top_p", "top_k", "thinking", CACHE)  # go on as they are
_HINTS: Final = ("service_tier", "inference_geo")
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
_READ: Final = {
    *("model", "messages", "max_tokens", "system", "stop_sequences", "stream", "tools", "tool_choice"),
    *("metadata", "output_config", *_SAME, *_HINTS),
}
_BLOCKS: Final = "an object with a type"


def read_messages(body: JsonObject) -> JsonObject:
    """Return the chat request that a request of the Messages API is; raise ApiError."""
    for key in body:
        if key not in _READ and body[key] is not None:
            raise refused(key, "the gateway cannot pass it on")
    return chat_request(
        model=body["model"],
        messages=[*_system(body.get("system")), *_messages(body.get("messages"))],
        max_tokens=_limit(body),
        stop=_stop(body),
        tools=[_tool(tool, f"tools[{index}]") for index, tool in enumerate(_list(body, "tools"))],
        **_tool_choice(value(body, "tool_choice", dict, _BLOCKS)),
        **_output(value(body, "output_config", dict, "an object") or {}),
        user=value(value(body, "metadata", dict, "an object") or {}, "user_id", str, "a text", "metadata."),
        **{key: body.get(key) for key in _SAME},
    )


def _limit(body: JsonObject) -> int | None:
    """Return the most tokens wanted; to count tokens needs none."""
    limit = value(body, "max_tokens", int, "1 or more")
    if limit is not None and limit < 1:
        raise wrong("max_tokens", "1 or more")
    return limit


def _stop(body: JsonObject) -> list[str] | None:
    given = _list(body, "stop_sequences")
    if not all(isinstance(item, str) for item in given):
        raise wrong("stop_sequences", "a list of texts")
    return given or None


def _list(body: JsonObject, key: str) -> list[Any]:
    return value(body, key, list, "a list") or []


def _system(given: object) -> Iterator[JsonObject]:
    if given is None or given == "":
        return
    content = given if isinstance(given, str) else [_text(block, place) for block, place in _blocks(given, "system")]
    if content:
        yield {"role": "system", "content": content}


def _messages(given: object) -> Iterator[JsonObject]:
    if not isinstance(given, list) or not given:
        raise wrong("messages", "a list of one message or more")
    for index, message in enumerate(given):
        place = f"messages[{index}]"
        if not isinstance(message, dict):
            raise wrong(place, "an object with a role and content")
        role, content = one_of(message.get("role"), ("user", "assistant"), f"{place}.role"), message.get("content")
        if isinstance(content, str):
            yield {"role": role, "content": content}
        elif role == "user":
            yield from _from_user(_blocks(content, f"{place}.content"))
        else:
            yield _from_assistant(_blocks(content, f"{place}.content"))


def _blocks(given: object, place: str) -> Iterator[tuple[JsonObject, str]]:
    """Yield the blocks of content, each with its place."""
    if not isinstance(given, list):
        raise wrong(place, "a text or a list of blocks")
    for index, block in enumerate(given):
        where = f"{place}[{index}]"
        if not isinstance(block, dict):
            raise wrong(where, _BLOCKS)
        yield block, where


def _from_user(blocks: Iterable[tuple[JsonObject, str]]) -> Iterator[JsonObject]:
    """Yield what a user says and what tools said, in their order: the latter are messages of their own."""
    said: list[JsonObject] = []
    for block, place in blocks:
        if block.get("type") != "tool_result":
            said.append(_part(block, place))
            continue
        if said:
            yield {"role": "user", "content": said}
            said = []
        yield _tool_result(block, place)
    if said:
        yield {"role": "user", "content": said}


def _tool_result(block: JsonObject, place: str) -> JsonObject:
    call_id = needed(block, "tool_use_id", str, "the id of the call it answers", place)
    content = block.get("content") or ""
    if not isinstance(content, str):
        content = [_part(item, where) for item, where in _blocks(content, f"{place}.content")]
    failed = {ERROR: True} if block.get("is_error") else {}
    return {"role": "tool", "tool_call_id": call_id, "content": content, **failed} | _marked(block)


def _from_assistant(blocks: Iterable[tuple[JsonObject, str]]) -> JsonObject:
    said: list[JsonObject] = []
    calls: list[JsonObject] = []
    thoughts: list[JsonObject] = []
    for block, place in blocks:
        match block.get("type"):
            case "tool_use":
                calls.append(_call(block, place))
            case "thinking" | "redacted_thinking":
                thoughts.append(block)
            case _:
                said.append(_part(block, place))
    message: JsonObject = {"role": "assistant", "content": said or None}
    return message | ({"tool_calls": calls} if calls else {}) | ({THINKING: thoughts} if thoughts else {})


def _call(block: JsonObject, place: str) -> JsonObject:
    given = needed(block, "input", dict, "an object", place)
    function = {"name": needed(block, "name", str, "a name", place), "arguments": orjson.dumps(given).decode()}
    return {"id": needed(block, "id", str, "an id", place), "type": "function", "function": function} | _marked(block)


def _part(block: JsonObject, place: str) -> JsonObject:
    """Return a block of text, an image or a document as a part of a message."""
    match block.get("type"):
        case "text":
            return _text(block, place)
        case "image":
            return {"type": "image_url", "image_url": {"url": _address(block, place)}} | _marked(block)
        case "document":
            title = value(block, "title", str, "a text", f"{place}.")
            named = {"filename": title} if title else {}
            for key in ("context", "citations"):
                if block.get(key):
                    where = f"{place}.{key}"
                    raise refused(where, "the gateway cannot pass it on")
            if (text := _plain(block, place)) is not None:
                return {"type": "text", "text": f"{title}\n\n{text}" if title else text} | _marked(block)
            return {"type": "file", "file": {"file_data": _address(block, place), **named}} | _marked(block)
        case kind:
            where = f"{place}.type"
            raise refused(where, f"the gateway cannot pass on blocks of type {kind}")


def _text(block: JsonObject, place: str) -> JsonObject:
    if block.get("type") != "text":
        where = f"{place}.type"
        raise wrong(where, "text")
    return {"type": "text", "text": needed(block, "text", str, "a text", place)} | _marked(block)


def _plain(block: JsonObject, place: str) -> str | None:
    """Return the text of a document that is given as such, None for any other."""
    source = needed(block, "source", dict, _BLOCKS, place)
    return needed(source, "data", str, "a text", f"{place}.source") if source.get("type") == "text" else None


def _address(block: JsonObject, place: str) -> str:
    """Return the address of an image or document, a data address where its bytes are given."""
    source = needed(block, "source", dict, _BLOCKS, place)
    place += ".source"
    match source.get("type"):
        case "base64":
            kind = needed(source, "media_type", str, "a media type", place)
            return f"data:{kind};base64,{needed(source, 'data', str, 'base64', place)}"
        case "url" if block.get("type") == "image":
            return str(needed(source, "url", str, "an address", place))
        case _:
            where = f"{place}.type"
            raise refused(where, "the gateway passes on texts, bytes in base64 and addresses of images")


def _tool(tool: object, place: str) -> JsonObject:
    if not isinstance(tool, dict):
        raise wrong(place, "an object with a name and an input_schema")
    if tool.get("type") not in (None, "custom"):
        where = f"{place}.type"
        raise refused(where, "tools that the model's provider runs cannot be passed on")
    function = {
        "name": needed(tool, "name", str, "a name", place),
        "description": value(tool, "description", str, "a text", f"{place}."),
        "parameters": needed(tool, "input_schema", dict, "a JSON schema", place),
        "strict": value(tool, "strict", bool, "true or false", f"{place}."),
    }
    kept = {key: item for key, item in function.items() if item is not None}
    return {"type": "function", "function": kept} | _marked(tool)


def _tool_choice(given: JsonObject | None) -> JsonObject:
    if given is None:
        return {}
    kind = one_of(given.get("type"), (*_CHOICES, "tool"), "tool_choice.type")
    single = {"parallel_tool_calls": False} if given.get("disable_parallel_tool_use") else {}
    if kind != "tool":
        return {"tool_choice": _CHOICES[kind]} | single
    name = needed(given, "name", str, "the name of a tool", "tool_choice")
    return {"tool_choice": {"type": "function", "function": {"name": name}}} | single


def _output(given: JsonObject) -> JsonObject:
    effort = value(given, "effort", str, "a text", "output_config.")
    form = value(given, "format", dict, "an object with a schema", "output_config.")
    if form is None:
        return {"reasoning_effort": effort}
    schema = needed(form, "schema", dict, "a JSON schema", "output_config.format")
    described = {"name": "answer", "schema": schema, "strict": True}
    return {"reasoning_effort": effort, "response_format": {"type": "json_schema", "json_schema": described}}


def _marked(block: JsonObject) -> JsonObject:
    mark = block.get(CACHE)
    return {CACHE: mark} if isinstance(mark, dict) else {}
