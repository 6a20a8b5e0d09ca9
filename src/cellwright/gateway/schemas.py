"""What the description of the API says of each path: JSON schemas of requests, as they are read, and of answers.

Fields that a schema does not name are passed on to the backend or refused, as the endpoint says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.gateway.paths import About

if TYPE_CHECKING:
    from cellwright.gateway.wire import JsonObject

_MODEL: Final[JsonObject] = {"type": "string", "minLength": 1, "description": "a model or route, as /v1/models lists"}
_WORDS: Final[JsonObject] = {"type": "string", "minLength": 1}
_FLAG: Final[JsonObject] = {"type": ["boolean", "null"]}
_TEXT: Final[JsonObject] = {"type": ["string", "null"]}
_COUNT: Final[JsonObject] = {"type": ["integer", "null"], "minimum": 1}
_OBJECT: Final[JsonObject] = {"type": ["object", "null"]}
_TOKENS: Final[JsonObject] = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}}
_TEXTS: Final[JsonObject] = {"type": "array", "minItems": 1, "items": _WORDS}
_STREAM: Final[JsonObject] = {"stream": _FLAG}


def _request(required: tuple[str, ...], **properties: JsonObject) -> JsonObject:
    fields = {"model": _MODEL, **properties}
    return {"type": "object", "required": ["model", *required], "properties": fields}


def _answer(*required: str, **constants: str) -> JsonObject:
    return {"type": "object", "required": list(required), "properties": {k: {"const": v} for k, v in constants.items()}}


def _messages(item: JsonObject) -> JsonObject:
    return {"type": "array", "minItems": 1, "items": item}


_TURN: Final[JsonObject] = {"type": "object", "required": ["role"], "properties": {"role": {"type": "string"}}}
_FUNCTION: Final[JsonObject] = {
    "type": "object",
    "required": ["type", "name"],
    "properties": {
        "type": {"const": "function"},
        "name": {"type": "string"},
        "description": _TEXT,
        "parameters": _OBJECT,
        "strict": _FLAG,
    },
}
_FILE_SEARCH: Final[JsonObject] = {
    "type": "object",
    "required": ["type", "vector_store_ids"],
    "properties": {"type": {"const": "file_search"}, "vector_store_ids": _messages(_WORDS)},
}
_ITEM: Final[JsonObject] = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "type": {"const": "message"},
        "role": {"enum": ["user", "assistant", "system", "developer"]},
        "content": {"type": "string"},
    },
}
_SAID: Final[JsonObject] = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {"role": {"enum": ["user", "assistant"]}, "content": {"type": "string"}},
}
_ASKED: Final[JsonObject] = {
    "messages": _messages(_SAID),
    "system": _TEXT,
    "stop_sequences": {"type": ["array", "null"], "items": {"type": "string"}},
    "tools": {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "required": ["name", "input_schema"],
            "properties": {
                "type": {"enum": ["custom", None]},
                "name": {"type": "string"},
                "description": _TEXT,
                "input_schema": {"type": "object"},
                "strict": _FLAG,
            },
        },
    },
    "temperature": {"type": ["number", "null"]},
}

CHAT: Final = About(
    "Answer a conversation",
    _request(("messages",), messages=_messages(_TURN), stream_options=_OBJECT, **_STREAM),
    _answer("choices"),
    streams=True,
)
COMPLETIONS: Final = About(
    "Answer a prompt, as a turn of a conversation",
    _request(
        ("prompt",),
        prompt={"anyOf": [_WORDS, _TEXTS | {"maxItems": 128}]},
        stream_options=_OBJECT,
        suffix={"enum": ["", None]},
        echo={"enum": [False, None]},
        logprobs={"type": "null"},
        best_of={"enum": [1, None]},
        **_STREAM,
    ),
    _answer("choices", "usage", object="text_completion"),
    streams=True,
)
EMBEDDINGS: Final = About(
    "Turn texts into vectors",
    _request(
        ("input",),
        input={"anyOf": [_WORDS, _TEXTS, _TOKENS, {"type": "array", "minItems": 1, "items": _TOKENS}]},
        encoding_format={"enum": ["float", "base64", None]},
        dimensions=_COUNT,
        stream={"enum": [False, None]},
    ),
    _answer("data"),
)
RESPONSES: Final = About(
    "Answer a conversation, item by item; nothing is stored",
    _request(
        ("input",),
        input={"anyOf": [{"type": "string"}, _messages(_ITEM)]},
        instructions=_TEXT,
        max_output_tokens=_COUNT,
        tools={"type": ["array", "null"], "items": {"anyOf": [_FUNCTION, _FILE_SEARCH]}},
        tool_choice={"enum": ["auto", "required", "none", None]},
        store={"enum": [False, None]},
        temperature={"type": ["number", "null"]},
        **_STREAM,
    ),
    _answer("id", "output", "status", "usage", object="response"),
    streams=True,
)
MESSAGES: Final = About(
    "Answer a conversation, by Anthropic's Messages API",
    _request(("messages", "max_tokens"), max_tokens={"type": "integer", "minimum": 1}, **_ASKED, **_STREAM),
    _answer("id", "content", "stop_reason", "usage", type="message", role="assistant"),
    streams=True,
)
COUNT_TOKENS: Final = About(
    "Count the tokens of a conversation, by Anthropic's Messages API",
    _request(("messages",), **_ASKED),
    {"type": "object", "required": ["input_tokens"], "properties": {"input_tokens": {"type": "integer", "minimum": 0}}},
)
MODELS: Final = About("List the models and routes that may be asked", answer=_answer("data", object="list"))
MODEL: Final = About("Tell of one model or route", answer=_answer("id", "created", object="model"))
HEALTH: Final = About("Tell whether the gateway can do its work", answer=_answer("status"), keyed=False)
METRICS: Final = About("Tell what requests added up to", answer={"type": "string"}, kind="text/plain", keyed=False)
