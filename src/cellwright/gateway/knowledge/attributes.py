"""Filters on the attributes of documents, in the form of the OpenAI API (vector store search). Pure."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from cellwright.gateway.wire import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.knowledge.store import Attributes

    Matches = Callable[[Attributes], bool]

_ORDERED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_KNOWN: Final = ("eq", "ne", *_ORDERED, "in", "nin", "and", "or")
_DEEPEST: Final = 8
_MOST: Final = 64  # filters in a compound, or values in a list
_MOST_ATTRIBUTES: Final = 16
_LONGEST_KEY: Final = 64
_LONGEST_TEXT: Final = 512


def read_filter(given: object, depth: int = 0) -> Matches:
    """Return whether attributes match a filter; raise ApiError (400) for what is none."""
    if not isinstance(given, dict) or given.get("type") not in _KNOWN or depth > _DEEPEST:
        raise invalid("invalid_filter", f"a filter has a type, one of {', '.join(_KNOWN)}", "filters")
    kind = str(given["type"])
    if kind in {"and", "or"}:
        parts = given.get("filters")
        if not isinstance(parts, list) or not parts or len(parts) > _MOST:
            raise invalid("invalid_filter", f"filters of {kind!r} are a list of 1 to {_MOST}", "filters")
        read = [read_filter(part, depth + 1) for part in parts]
        every = all if kind == "and" else any
        return lambda attributes: every(matches(attributes) for matches in read)
    return _comparison(kind, given.get("key"), given.get("value"))


def read_attributes(given: object) -> dict[str, str | float | bool]:
    """Return the attributes of a document; raise ApiError (400) for what cannot be one."""
    if given is None:
        return {}
    good = isinstance(given, dict) and len(given) <= _MOST_ATTRIBUTES
    if not isinstance(given, dict) or not good or not all(_is_attribute(*item) for item in given.items()):
        words = (
            f"attributes are up to {_MOST_ATTRIBUTES} texts, numbers or booleans, "
            f"keys of {_LONGEST_KEY} characters and texts of {_LONGEST_TEXT} at most"
        )
        raise invalid("invalid_attributes", words, "attributes")
    return given


def _is_attribute(key: object, value: object) -> bool:
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
        return False
    return len(value) <= _LONGEST_TEXT if isinstance(value, str) else isinstance(value, int | float)


def _comparison(kind: str, key: object, value: object) -> Matches:
    if not isinstance(key, str):
        raise invalid("invalid_filter", "a comparison has the key of an attribute", "filters")
    if kind in {"in", "nin"}:
        if not isinstance(value, list) or len(value) > _MOST:
            raise invalid("invalid_filter", f"the value of {kind!r} is a list of {_MOST} at most", "filters")
        return lambda attributes: (attributes.get(key) in value) is (kind == "in")
    if not isinstance(value, str | int | float):
        raise invalid("invalid_filter", f"the value of {kind!r} is a text, a number or a boolean", "filters")
    if kind in {"eq", "ne"}:
        return lambda attributes: (attributes.get(key) == value) is (kind == "eq")
    compare = _ORDERED[kind]
    return lambda attributes: _alike(attributes.get(key), value) and compare(attributes.get(key), value)


def _alike(one: object, other: object) -> bool:
    """Return whether two values have an order."""
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return isinstance(one, int | float)
