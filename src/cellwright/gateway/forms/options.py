"""What a chat request asks for beside its messages, for backends that speak another protocol.

Shapes and defaults: the OpenAI API reference (chat).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cellwright.gateway.forms.conversation import UnfitError
from cellwright.gateway.forms.fields import one_of, value, wrong
from cellwright.gateway.forms.marks import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.gateway.wire import JsonObject

_READ: Final = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "top_k", "stop", "tools", "tool_choice", "parallel_tool_calls"),
    *("response_format", "reasoning_effort"),
}
_HINTS: Final = {  # change nothing in what is said
    *("metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    *("prediction", "service_tier"),
}
_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {  # values that ask for what happens anyway
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "store": (False,),
    "verbosity": ("medium",),
    "modalities": (["text"],),
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may ask for."""

    name: str
    description: str | None
    schema: JsonObject
    strict: bool | None = None
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a tool is used: as the model likes, one of them, none, or the one named."""

    kind: Literal["auto", "required", "none", "function"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What a request asks for; None and empty: nothing was said."""

    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    stop: tuple[str, ...]
    tools: tuple[Tool, ...]
    choice: Choice | None
    parallel: bool
    schema: JsonObject | None  # of the answer
    effort: str | None


def read_options(body: JsonObject, also: Iterable[str] = ()) -> Options:
    """Return what a chat request asks for; raise UnfitError for what is neither read here nor among `also`.

    Raises ApiError for values that are none.
    """
    unknown = [key for key in body if key not in _READ and key not in _HINTS and key not in also]
    asked = [key for key in unknown if body[key] is not None and body[key] not in _NEUTRAL.get(key, ())]
    if asked:
        raise UnfitError(", ".join(asked))
    limit = value(body, "max_completion_tokens", int, "1 or more") or value(body, "max_tokens", int, "1 or more")
    choice = _choice(body.get("tool_choice"))
    return Options(
        max_tokens=limit,
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        top_k=value(body, "top_k", int, "1 or more"),
        stop=tuple(_stop(body.get("stop"))),
        tools=tuple(_tools(body)),
        choice=choice,
        parallel=value(body, "parallel_tool_calls", bool, "true or false") is not False,
        schema=_schema(value(body, "response_format", dict, "an object with a type")),
        effort=value(body, "reasoning_effort", str, "a text"),
    )


def _number(body: JsonObject, key: str) -> float | None:
    found = body.get(key)
    if found is not None and (not isinstance(found, int | float) or isinstance(found, bool)):
        raise wrong(key, "a number")
    return found


def _stop(given: object) -> Iterator[str]:
    for item in given if isinstance(given, list) else [given] if given is not None else []:
        if not isinstance(item, str):
            raise wrong("stop", "a text or a list of texts")
        yield item


def _tools(body: JsonObject) -> Iterator[Tool]:
    for index, tool in enumerate(value(body, "tools", list, "a list") or ()):
        place = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise wrong(place, "an object with a type")
        if tool.get("type") != "function":
            msg = f"{place}: a tool that is no function"
            raise UnfitError(msg)
        function = value(tool, "function", dict, "an object with a name", f"{place}.") or {}
        name = value(function, "name", str, "a text", f"{place}.function.")
        if not name:
            where = f"{place}.function.name"
            raise wrong(where, "the name of the function")
        yield Tool(
            name=name,
            description=value(function, "description", str, "a text", f"{place}.function."),
            schema=value(function, "parameters", dict, "a JSON schema", f"{place}.function.")
            or {"type": "object", "properties": {}},
            strict=value(function, "strict", bool, "true or false", f"{place}.function."),
            cache=tool.get(CACHE),
        )


def _choice(given: object) -> Choice | None:
    if given is None:
        return None
    if isinstance(given, str):
        match one_of(given, ("auto", "required", "none"), "tool_choice"):
            case "auto":
                return Choice("auto")
            case "required":
                return Choice("required")
            case _:
                return Choice("none")
    function = given.get("function") if isinstance(given, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        msg = "tool_choice of this kind"
        raise UnfitError(msg)
    return Choice("function", name)


def _schema(form: JsonObject | None) -> JsonObject | None:
    """Return the schema the answer is to keep to, None where any text will do."""
    match form and form.get("type"):
        case None | "text":
            return None
        case "json_schema":
            described = value(form or {}, "json_schema", dict, "an object with a schema", "response_format.") or {}
            schema = value(described, "schema", dict, "a JSON schema", "response_format.json_schema.")
            return schema or {"type": "object"}
        case _:
            msg = "response_format of this type"
            raise UnfitError(msg)
