"""Values of gNMI (TypedValue, gNMI specification 2.2.3) and of JSON by RFC 7951 as columns of `telemetry`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.gnmi_count import decode_base64
from cellwright.telemetry.formats.gnmi_paths import InvalidError
from cellwright.telemetry.formats.instants import LAST_US
from cellwright.telemetry.formats.json_values import BrokenError, decode_whole, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.formats.gnmi_paths import Place

_INT64: Final = range(-(1 << 63), 1 << 63)
_UINT64: Final = range(1 << 64)
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d{0,19})", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9]\d{0,18})\.\d{1,18}", re.ASCII)
_NOT_FINITE: Final = frozenset(("NaN", "Infinity", "-Infinity"))
_JSON: Final = frozenset(("jsonVal", "jsonIetfVal"))
_LARGEST_PRECISION: Final = 18  # of a decimal64, RFC 7950 9.3.4
_KEY_LEAVES: Final = ("name", "id", "index", "key")
_UNDERSCORE: Final = re.compile(r"_([a-z])")


def leaves(place: Place, value: object) -> Iterator[tuple[Place, object]]:
    """Yield every text, number, truth and null of JSON by RFC 7951 with its place; those of a leaf-list share theirs.

    JSON does not say which members are the keys of a list. In OpenConfig's style they are the only members of an entry
    that are no containers; entries without containers are told apart by a member called name, id, index or key, or by
    their position.
    """
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(place.step(name), member)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            inside = _entry(place, member, position) if isinstance(member, dict | list) else place
            yield from leaves(inside, member)
    else:
        yield place, value


def _entry(place: Place, entry: dict[str, Any] | list[Any], position: int) -> Place:
    keys: dict[str, str] = {}
    if isinstance(entry, dict):
        bare = {name.rpartition(":")[2]: shown(value) for name, value in entry.items() if not _is_nested(value)}
        if any(map(_is_container, entry.values())):
            keys = bare
        else:
            keys = {name: bare[name] for name in _KEY_LEAVES if name in bare}
            keys = dict(list(keys.items())[:1])
    for name, value in (keys or {"position": str(position)}).items():
        place = place.with_key(name, value)
    return place


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list)


def _is_container(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def leaf_columns(value: object) -> dict[str, object]:
    """Return the columns of a leaf in JSON; RFC 7951 (6.1) writes 64-bit integers and decimals as text, kept beside."""
    if isinstance(value, str):
        number: object = None
        if _INTEGER.fullmatch(value):
            number = int(value)
        elif _DECIMAL.fullmatch(value):
            number = float(value)
        columns: dict[str, object] = _number(number) if isinstance(number, int | float) else {"kind": "state"}
        return columns | {"value_text": value}
    if isinstance(value, bool):
        return {"value_text": "true" if value else "false", "kind": "state"}
    if isinstance(value, int | float):
        return _number(value)
    return {"dq_flags": ["empty-leaf"]}


def _number(value: float) -> dict[str, object]:
    if isinstance(value, float):
        return {"value_f64": value}
    if value in _INT64:
        return {"value_i64": value}
    try:
        return {"value_f64": float(value), "dq_flags": ["beyond-int64"]}
    except OverflowError:
        return {"value_text": str(value), "dq_flags": ["beyond-float64"]}


def typed_leaves(place: Place, typed: object) -> Iterator[tuple[Place, dict[str, object]]]:
    """Yield (place, columns) of every leaf of a TypedValue; raise InvalidError."""
    if not isinstance(typed, dict) or len(typed) != 1:
        msg = "expected a val with one member"
        raise InvalidError(msg)
    ((name, content),) = typed.items()
    kind = _UNDERSCORE.sub(lambda match: match[1].upper(), name)
    if kind not in _JSON:
        yield place, _typed(kind, content)
        return
    if isinstance(content, str) and (raw := decode_base64(content)) is not None:
        try:
            content = decode_whole(raw)
        except BrokenError as broken:
            raise InvalidError(broken.reason) from None
    for inside, value in leaves(place, content):
        yield inside, leaf_columns(value)


def _typed(kind: str, content: object) -> dict[str, object]:
    match kind:
        case "intVal" | "uintVal":
            return _number(integer(content, _INT64 if kind == "intVal" else _UINT64))
        case "floatVal" | "doubleVal":
            return {"value_f64": _double(content)}
        case "decimalVal" if isinstance(content, dict):
            return _decimal(content)
        case "boolVal" if isinstance(content, bool):
            return leaf_columns(content)
        case "stringVal" | "asciiVal" | "bytesVal" | "protoBytes" if isinstance(content, str):
            return {"value_text": content, "kind": "state"}
        case "leaflistVal" | "anyVal" if isinstance(content, dict):
            return {"value_text": shown(_plain_list(content) if kind == "leaflistVal" else content), "kind": "state"}
    msg = "expected a val of a known kind"
    raise InvalidError(msg)


def _plain_list(content: dict[str, Any]) -> object:
    elements = content.get("element", [])
    if not isinstance(elements, list):
        msg = "expected a leaflistVal with an array"
        raise InvalidError(msg)
    return [next(iter(each.values())) if isinstance(each, dict) and len(each) == 1 else each for each in elements]


def _decimal(content: dict[str, Any]) -> dict[str, object]:
    digits = integer(content.get("digits", 0), _INT64)
    precision = integer(content.get("precision", 0), range(_LARGEST_PRECISION + 1))
    return {"value_f64": digits / 10**precision}


def _double(value: object) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "expected a number"
        raise InvalidError(msg)
    try:
        return float(value)
    except OverflowError:
        msg = "expected a number that a double holds"
        raise InvalidError(msg) from None


def integer(value: object, allowed: range) -> int:
    """Return an integer, as a number or as text, which is how ProtoJSON writes 64 bits; raise InvalidError."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        msg = "expected an integer of 64 bits"
        raise InvalidError(msg)
    return value


def time_us(value: object) -> int | None:
    """Return microseconds of nanoseconds since 1970, None where the time is not said; raise InvalidError."""
    if value is None:
        return None
    us = integer(value, _UINT64) // 1000
    if us > LAST_US:
        msg = "expected a time before the year 10000"
        raise InvalidError(msg)
    return us or None
