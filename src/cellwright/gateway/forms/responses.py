"""Requests of the Responses API as chat requests; what the common form cannot say is refused by name.

Shapes: the OpenAI API reference (responses). Nothing is stored here, so nothing can be referred to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cellwright.gateway.forms.fields import needed, one_of, refused, value, wrong
from cellwright.gateway.wire import chat_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.gateway.wire import JsonObject

_SAME: Final = (  # go on as they are
    *("temperature", "top_p", "parallel_tool_calls", "user", "service_tier"),
    *("safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
)
_READ: Final = {
    *("model", "input", "instructions", "max_output_tokens", "stream", "stream_options", "tools", "tool_choice"),
    *("text", "reasoning", "store", "truncation", "include", "max_tool_calls", "background", "metadata", *_SAME),
}
_NOTHING_STORED: Final = "nothing is stored here: send the whole conversation as input"
_STATEFUL: Final = ("previous_response_id", "conversation", "prompt")
_ROLES: Final = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


def read_responses(body: JsonObject) -> JsonObject:
    """Return the chat request that a request of the Responses API is; raise ApiError."""
    _refuse(body)
    instructions = value(body, "instructions", str, "a text")
    text = value(body, "text", dict, "an object") or {}
    reasoning = value(body, "reasoning", dict, "an object") or {}
    return chat_request(
        model=body["model"],
        messages=([{"role": "system", "content": instructions}] if instructions else []) + _input(body.get("input")),
        max_completion_tokens=_limit(body),
        tools=[_tool(tool, f"tools[{index}]") for index, tool in enumerate(_list(body, "tools"))],
        tool_choice=_tool_choice(body.get("tool_choice")),
        response_format=_format(value(text, "format", dict, "an object with a type", "text.")),
        verbosity=value(text, "verbosity", str, "a text", "text."),
        reasoning_effort=value(reasoning, "effort", str, "a text", "reasoning."),
        **{key: body.get(key) for key in _SAME},
    )


def _refuse(body: JsonObject) -> None:
    """Raise ApiError for what would change the answer and cannot be done."""
    for key in _STATEFUL:
        if body.get(key) is not None:
            raise refused(key, _NOTHING_STORED)
    if value(body, "store", bool, "true or false"):
        raise refused("store", "nothing is stored here: leave it out or send false")
    if value(body, "background", bool, "true or false"):
        raise refused("background", "answers are not kept for later")
    if body.get("truncation") not in (None, "disabled"):
        raise refused("truncation", "nothing is left out of a conversation here")
    if any(item != "reasoning.encrypted_content" for item in _list(body, "include")):  # of that there is none
        raise refused("include", "the gateway has nothing of this to add")
    for key in body.keys() - _READ:
        if body[key] not in (None, 0):
            raise refused(key, "the gateway cannot pass it on")


def _limit(body: JsonObject) -> int | None:
    limit = value(body, "max_output_tokens", int, "1 or more")
    if limit is not None and limit < 1:
        raise wrong("max_output_tokens", "1 or more")
    return limit


def _list(body: JsonObject, key: str) -> list[Any]:
    return value(body, key, list, "a list") or []


def _input(given: object) -> list[JsonObject]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise wrong("input", "a text, or a list of one item or more")
    messages: list[JsonObject] = []
    for index, item in enumerate(given):
        place = f"input[{index}]"
        if not isinstance(item, dict):
            raise wrong(place, "an object with a type")
        _take(messages, item, place)
    return messages


def _take(messages: list[JsonObject], item: JsonObject, place: str) -> None:
    """Add an item to the messages; what one side says and asks of tools in a row is one message."""
    match item.get("type", "message"):
        case "message":
            role = _ROLES[one_of(item.get("role"), _ROLES, f"{place}.role")]
            content = _content(item.get("content"), f"{place}.content")
            if role == "assistant":
                _assistant(messages, "content", "tool_calls")["content"] = content
            else:
                messages.append({"role": role, "content": content})
        case "reasoning":
            if thought := "".join(_thoughts(item, place)):
                _assistant(messages, "reasoning_content", "content", "tool_calls")["reasoning_content"] = thought
        case "function_call":
            _assistant(messages).setdefault("tool_calls", []).append(_call(item, place))
        case "function_call_output":
            call_id, output = needed(item, "call_id", str, "the id of the call it answers", place), item.get("output")
            messages.append({"role": "tool", "tool_call_id": call_id, "content": _content(output, f"{place}.output")})
        case "item_reference":
            raise refused(place, _NOTHING_STORED)
        case kind:
            where = f"{place}.type"
            raise refused(where, f"the gateway cannot pass on items of type {kind}")


def _assistant(messages: list[JsonObject], *before: str) -> JsonObject:
    """Return the message that the assistant is in the midst of, a new one where it has said one of `before` already."""
    if not messages or messages[-1]["role"] != "assistant" or any(messages[-1].get(key) for key in before):
        messages.append({"role": "assistant", "content": None})
    return messages[-1]


def _thoughts(item: JsonObject, place: str) -> Iterator[str]:
    for index, part in enumerate(value(item, "content", list, "a list", f"{place}.") or ()):
        where = f"{place}.content[{index}]"
        if not isinstance(part, dict):
            raise wrong(where, "an object with a text")
        yield needed(part, "text", str, "a text", where)


def _call(item: JsonObject, place: str) -> JsonObject:
    function = {
        "name": needed(item, "name", str, "a name", place),
        "arguments": needed(item, "arguments", str, "JSON in a text", place),
    }
    return {"id": needed(item, "call_id", str, "an id", place), "type": "function", "function": function}


def _content(given: object, place: str) -> str | list[JsonObject]:
    if isinstance(given, str):
        return given
    if not isinstance(given, list):
        raise wrong(place, "a text or a list of parts")
    return [_part(part, f"{place}[{index}]") for index, part in enumerate(given)]


def _part(part: object, place: str) -> JsonObject:
    if not isinstance(part, dict):
        raise wrong(place, "an object with a type")
    match part.get("type"):
        case "input_text" | "output_text":
            return {"type": "text", "text": needed(part, "text", str, "a text", place)}
        case "refusal":
            return {"type": "refusal", "refusal": needed(part, "refusal", str, "a text", place)}
        case "input_image" if part.get("image_url") is not None:
            detail = value(part, "detail", str, "a text", f"{place}.")
            image = {"url": needed(part, "image_url", str, "an address", place)}
            return {"type": "image_url", "image_url": image | ({"detail": detail} if detail else {})}
        case "input_file" if part.get("file_data") is not None:
            name = value(part, "filename", str, "a text", f"{place}.")
            data = {"file_data": needed(part, "file_data", str, "a data address", place)}
            return {"type": "file", "file": data | ({"filename": name} if name else {})}
        case kind:
            raise refused(place, f"the gateway cannot pass on {kind} of this form")


def _tool(tool: object, place: str) -> JsonObject:
    if not isinstance(tool, dict):
        raise wrong(place, "an object with a type")
    if tool.get("type") == "file_search":
        return tool  # the same here and there
    if tool.get("type") != "function":
        where = f"{place}.type"
        raise refused(where, "only functions, which the client runs itself, and file_search can be asked for")
    function = {
        "name": needed(tool, "name", str, "a name", place),
        "description": value(tool, "description", str, "a text", f"{place}."),
        "parameters": value(tool, "parameters", dict, "a JSON schema", f"{place}."),
        "strict": value(tool, "strict", bool, "true or false", f"{place}."),
    }
    return {"type": "function", "function": {key: item for key, item in function.items() if item is not None}}


def _tool_choice(given: object) -> str | JsonObject | None:
    if given is None:
        return None
    if isinstance(given, dict) and given.get("type") == "function":
        return {"type": "function", "function": {"name": needed(given, "name", str, "a name", "tool_choice")}}
    if not isinstance(given, str):
        raise refused("tool_choice", "only auto, required, none or one function can be passed on")
    return one_of(given, ("auto", "required", "none"), "tool_choice")


def _format(form: JsonObject | None) -> JsonObject | None:
    if form is None:
        return None
    kind = one_of(form.get("type"), ("text", "json_object", "json_schema"), "text.format.type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": kind}
    needed(form, "schema", dict, "a JSON schema", "text.format")
    return {"type": kind, "json_schema": {key: item for key, item in form.items() if key != "type"}}
