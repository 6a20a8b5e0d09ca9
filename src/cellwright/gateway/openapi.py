"""The description of the API, OpenAPI 3.1, written from the table of paths that answers requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from cellwright import __version__
from cellwright.gateway.paths import DESCRIPTION, About, Path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.gateway.connection import Call
    from cellwright.gateway.wire import JsonObject

_PARAMETER: Final = re.compile(r"\{(\w+)(?::path)?\}")
_JSON: Final = "application/json"
_STREAM: Final[JsonObject] = {"text/event-stream": {}}
_ERRORS: Final[JsonObject] = {
    status: {"description": text, "content": {_JSON: {"schema": {"type": "object", "required": ["error"]}}}}
    for status, text in (("4XX", "The request is refused; the error says why"), ("5XX", "No backend answered"))
}
_HEADERS: Final[list[JsonObject]] = [
    {
        "name": "x-cellwright-data-class",
        "in": "header",
        "description": "The sensitivity class of what the request holds; the rules decide by it where it may go",
        "schema": {"type": "string"},
    }
]


def described(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths and the one that describes them all, which needs no key."""
    lines = tuple(paths)
    body = orjson.dumps(document(lines))

    async def answer(call: Call) -> None:
        await call.reply.json(body)

    return (*lines, Path("GET", DESCRIPTION, answer))


def document(paths: Iterable[Path]) -> JsonObject:
    """Return the description of paths; those that say nothing of themselves are told by what their handler does."""
    described: JsonObject = {}
    for path in paths:
        operations = described.setdefault(_PARAMETER.sub(r"{\1}", path.template), {})
        operations[path.method.lower()] = _operation(path, path.about or _plainly(path))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cellwright gateway",
            "version": __version__,
            "description": "Inference under policy, by the protocols that clients know. What a protocol has and the "
            "gateway cannot pass on is refused by name.",
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            }
        },
        "paths": described,
    }


def _plainly(path: Path) -> About:
    return About((path.handler.__doc__ or path.template).partition("\n")[0].rstrip("."), kind="*/*")


def _operation(path: Path, about: About) -> JsonObject:
    content = {about.kind: {"schema": about.answer}} | (_STREAM if about.streams else {})
    named: list[JsonObject] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(path.template)
    ]
    operation: JsonObject = {
        "summary": about.summary,
        "operationId": f"{path.method.lower()} {path.template}",
        "parameters": named + (_HEADERS if about.streams else []),
        "responses": {"200" if path.about else "2XX": {"description": "The answer", "content": content}, **_ERRORS},
        "security": [{"bearer": []}, {"key": []}] if about.keyed else [],
    }
    if about.request is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": about.request}}}
    return operation
