"""Reads the values that OTLP logs and metrics share: attributes, resources, times and 64-bit integers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from cellwright.telemetry.formats.instants import LAST_US
from cellwright.telemetry.formats.json_values import shown

_INTEGER: Final = re.compile(r"-?\d{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE: Final = frozenset(("NaN", "Infinity", "-Infinity"))  # ProtoJSON writes these doubles as text
_SCALAR_KINDS: Final = frozenset(("stringValue", "bytesValue", "boolValue"))
_TARGETS: Final = ("host.name", "service.instance.id", "service.name")
INT64: Final = range(-(1 << 63), 1 << 63)
UINT64: Final = range(1 << 64)


class InvalidError(Exception):
    """A member is not what the protocol says; the text says what was expected, never what was found."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: attributes of the resource as they are, and these with those of the scope under their own names."""

    resource: dict[str, str]
    named: dict[str, str]

    def target(self) -> str | None:
        """Return the host or the service that speaks."""
        return next((self.resource[name] for name in _TARGETS if self.resource.get(name)), None)


def read_speaker(resource: object, scope: object) -> Speaker:
    """Return who speaks for the records below a resource and a scope; raise InvalidError."""
    attributes = read_attributes(_object(resource).get("attributes"))
    scope = _object(scope)
    named = {f"resource.{name}": text for name, text in attributes.items()}
    for name in ("name", "version"):
        if scope.get(name):
            named[f"scope.{name}"] = shown(scope[name])
    named |= {f"scope.{name}": text for name, text in read_attributes(scope.get("attributes")).items()}
    return Speaker(attributes, named)


def _object(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = "expected a resource and a scope that are objects"
        raise InvalidError(msg)
    return value


def read_attributes(value: object) -> dict[str, str]:
    """Return a list of KeyValue as text by name; members of nested lists of KeyValue are joined with points."""
    found: dict[str, str] = {}
    if value is None:
        return found
    if not isinstance(value, list):
        msg = "expected attributes that are an array"
        raise InvalidError(msg)
    for pair in value:
        if not isinstance(pair, dict) or not isinstance(pair.get("key", ""), str):
            msg = "expected attributes with a key and a value"
            raise InvalidError(msg)
        _flatten(pair.get("key", ""), plain(pair.get("value")), found)
    return found


def _flatten(name: str, value: object, found: dict[str, str]) -> None:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            _flatten(f"{name}.{key}", member, found)
    elif value is not None:
        found.setdefault(name, shown(value))


def plain(value: object) -> object:
    """Return an AnyValue (opentelemetry.proto.common.v1) as plain JSON; bytes stay in base64; raise InvalidError."""
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or len(value) != 1:
        msg = "expected an AnyValue with one member"
        raise InvalidError(msg)
    ((kind, content),) = value.items()
    match kind:
        case "intValue":
            return integer(content, INT64)
        case "doubleValue":
            number = double(content)
            return number if math.isfinite(number) else _not_finite(number)
        case "arrayValue":
            return [plain(member) for member in _members(content)]
        case "kvlistValue":
            return _plain_pairs(_members(content))
    if not isinstance(content, bool if kind == "boolValue" else str) or kind not in _SCALAR_KINDS:
        msg = "expected an AnyValue of a known kind"
        raise InvalidError(msg)
    return content


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _members(content: object) -> list[object]:
    values = content.get("values") if isinstance(content, dict) else content
    if values is None:
        return []
    if not isinstance(values, list) or not isinstance(content, dict):
        msg = "expected an AnyValue with an array of values"
        raise InvalidError(msg)
    return values


def _plain_pairs(pairs: list[object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in pairs:
        if not isinstance(pair, dict) or not isinstance(pair.get("key", ""), str):
            msg = "expected pairs with a key and a value"
            raise InvalidError(msg)
        found.setdefault(pair.get("key", ""), plain(pair.get("value")))
    return found


def integer(value: object, allowed: range) -> int:
    """Return a 64-bit integer, which ProtoJSON writes as text and reads as either; raise InvalidError."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        msg = "expected an integer of 64 bits"
        raise InvalidError(msg)
    return value


def double(value: object) -> float:
    """Return a double, which may be the text NaN, Infinity or -Infinity; raise InvalidError."""
    if isinstance(value, str) and (value in _NOT_FINITE or _NUMBER.fullmatch(value)):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "expected a number"
        raise InvalidError(msg)
    try:
        return float(value)
    except OverflowError:
        msg = "expected a number that a double holds"
        raise InvalidError(msg) from None


def time_us(value: object) -> int | None:
    """Return microseconds of nanoseconds since 1970, None for 0, which means unknown; raise InvalidError."""
    if value is None:
        return None
    ns = integer(value, UINT64)
    if ns // 1000 > LAST_US:
        msg = "expected a time before the year 10000"
        raise InvalidError(msg)
    return ns // 1000 or None
