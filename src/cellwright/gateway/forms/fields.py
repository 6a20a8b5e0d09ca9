"""Values in the JSON body of a request, each read with an error that names its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.gateway.wire import JsonObject

T = TypeVar("T")
_GZIP: Final = b"\x1f\x8b"
_REPEATED: Final = 200  # characters
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # behind an even number of backslashes


def read_object(raw: bytes) -> JsonObject:
    """Return the object in a body; raise ApiError."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        why = "it is compressed" if raw.startswith(_GZIP) else error.msg
        raise invalid("invalid_json", f"the body is not JSON in UTF-8: it breaks at {place}: {why}") from None
    if not isinstance(body, dict):
        raise invalid("invalid_type", "the body is not a JSON object")
    return body


def read_storable(raw: bytes) -> JsonObject:
    """Return the object in a body that is kept in a database, of which some keep no NUL; raise ApiError."""
    body = read_object(raw)
    if b"\\u0000" in raw and _NUL.search(raw):
        raise invalid("invalid_value", "a text in the body holds the character NUL (\\u0000), which is not kept")
    return body


def model_name(body: JsonObject) -> str:
    """Return the model or route that a body names; raise ApiError."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("invalid_type", "model must be the name of a model or route, such as 'auto'", "model")
    return model


def value(body: JsonObject, key: str, kind: type[T], expected: str, place: str = "") -> T | None:
    """Return a value of a type, None where it is absent or null; raise ApiError. `place` is the path to the body."""
    found = body.get(key)
    if found is None:
        return None
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        where = place + key
        raise wrong(where, expected)
    return found


def needed(body: JsonObject, key: str, kind: type[T], expected: str, place: str) -> T:
    """Return a value that has to be there; raise ApiError. `place` is that of the object it stands in."""
    found = value(body, key, kind, expected, f"{place}.")
    if found is None:
        where = f"{place}.{key}"
        raise wrong(where, expected)
    return found


def streams(body: JsonObject) -> bool:
    """Return whether a body asks for a stream; raise ApiError."""
    return value(body, "stream", bool, "true or false") or False


def wrong(place: str, expected: str) -> ApiError:
    """Return the error for a value that is not what is expected."""
    return invalid("invalid_type", f"{place} must be {expected}", place)


def refused(place: str, why: str) -> ApiError:
    """Return the error for something that the protocol has and this gateway has not."""
    return invalid("unsupported_parameter", f"{place} is not supported: {shortened(why)}", place)


def shortened(text: str) -> str:
    """Return what a client wrote as an error may repeat it."""
    return text if len(text) <= _REPEATED else f"{text[:_REPEATED]}…"


def one_of(found: object, known: Iterable[str], place: str) -> str:
    """Return a value that is one of those known; raise ApiError."""
    known = tuple(known)
    if not isinstance(found, str) or found not in known:
        raise invalid("invalid_value", f"{place} must be one of {', '.join(known)}", place)
    return found
