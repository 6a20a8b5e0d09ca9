"""OTLP requests in protobuf as the JSON that the protocol's JSON encoding has for them.

Field numbers: opentelemetry-proto 1.x (common, resource, logs and metrics v1). Wire format: Protocol Buffers, chapter
"Encoding". Fields that are not known are skipped, as the format asks. JSON: the mapping of proto3, with trace and span
ids in hexadecimal, as OTLP/JSON has them.
"""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_DEEPEST: Final = 32  # messages within messages; OTLP's own go to ten, values may nest
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class MalformedError(Exception):
    """The bytes are no such message."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: its JSON name, what reads a value of its wire type, and how many there are."""

    name: str
    wire: int
    read: Callable[[Any], Any] | None  # None: a message
    message: str = ""
    repeated: bool = False


def as_json(kind: str, data: bytes) -> dict[str, Any]:
    """Return the JSON of a message; raise MalformedError.

    Kinds are ExportLogsServiceRequest and ExportMetricsServiceRequest.
    """
    return _message(kind, data, 0)


def _message(kind: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise MalformedError
    fields, found = _MESSAGES[kind], dict[str, Any]()
    for number, wire, raw in _parts(data):
        field = fields.get(number)
        if field is None:
            continue
        for value in _values(field, wire, raw, depth):
            if field.repeated:
                found.setdefault(field.name, []).append(value)
            else:
                found[field.name] = value
    return found


def _values(field: _Field, wire: int, raw: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401 - as the wire type has it
    """Yield the values of one part: of a packed field there are several."""
    if field.read is None:
        if wire != _BYTES:
            raise MalformedError
        yield _message(field.message, raw, depth + 1)
    elif wire == field.wire:
        yield field.read(raw)
    elif wire == _BYTES and field.repeated:
        yield from map(field.read, _packed(field.wire, raw))
    else:
        raise MalformedError


def _parts(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Yield number, wire type and raw value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
        else:  # groups are not used, and anything else is no wire type
            raise MalformedError
        if at + size > len(data):
            raise MalformedError
        yield key >> 3, wire, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:  # noqa: PLR2004 - bits
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - no further byte
            return value & (1 << 64) - 1, at
        shift += 7
    raise MalformedError


def _packed(wire: int, data: bytes) -> Iterator[Any]:
    if wire == _VARINT:
        at = 0
        while at < len(data):
            value, at = _varint(data, at)
            yield value
        return
    size = 8 if wire == _FIXED64 else 4
    if wire == _BYTES or len(data) % size:
        raise MalformedError
    for at in range(0, len(data), size):
        yield data[at : at + size]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedError from None


def _double(raw: bytes) -> float | str:
    value: float = struct.unpack("<d", raw)[0]
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _unsigned(raw: bytes) -> str:
    return str(int.from_bytes(raw, "little"))


def _signed(raw: bytes) -> str:
    return str(int.from_bytes(raw, "little", signed=True))


def _int64(raw: int) -> str:
    return str(raw - (1 << 64) if raw >> 63 else raw)


def _zigzag(raw: int) -> int:
    return (raw >> 1) ^ -(raw & 1)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _string(name: str) -> _Field:
    return _Field(name, _BYTES, _text)


def _number(name: str, *, repeated: bool = False) -> _Field:
    return _Field(name, _VARINT, int, repeated=repeated)


def _fixed(name: str, read: Callable[[bytes], Any] = _unsigned, *, repeated: bool = False) -> _Field:
    return _Field(name, _FIXED64, read, repeated=repeated)


def _one(name: str, message: str) -> _Field:
    return _Field(name, _BYTES, None, message)


def _many(name: str, message: str) -> _Field:
    return _Field(name, _BYTES, None, message, repeated=True)


_TIMES: Final = {2: _fixed("startTimeUnixNano"), 3: _fixed("timeUnixNano")}
_FLAG: Final = "isMonotonic"
_MESSAGES: Final[Mapping[str, Mapping[int, _Field]]] = {
    "ExportLogsServiceRequest": {1: _many("resourceLogs", "ResourceLogs")},
    "ResourceLogs": {1: _one("resource", "Resource"), 2: _many("scopeLogs", "ScopeLogs"), 3: _string("schemaUrl")},
    "ScopeLogs": {1: _one("scope", "Scope"), 2: _many("logRecords", "LogRecord"), 3: _string("schemaUrl")},
    "LogRecord": {
        1: _fixed("timeUnixNano"),
        2: _number("severityNumber"),
        3: _string("severityText"),
        5: _one("body", "AnyValue"),
        6: _many("attributes", "KeyValue"),
        7: _number("droppedAttributesCount"),
        8: _Field("flags", _FIXED32, lambda raw: int.from_bytes(raw, "little")),
        9: _Field("traceId", _BYTES, bytes.hex),
        10: _Field("spanId", _BYTES, bytes.hex),
        11: _fixed("observedTimeUnixNano"),
        12: _string("eventName"),
    },
    "Resource": {1: _many("attributes", "KeyValue"), 2: _number("droppedAttributesCount")},
    "Scope": {1: _string("name"), 2: _string("version"), 3: _many("attributes", "KeyValue")},
    "KeyValue": {1: _string("key"), 2: _one("value", "AnyValue")},
    "AnyValue": {
        1: _string("stringValue"),
        2: _Field("boolValue", _VARINT, bool),
        3: _Field("intValue", _VARINT, _int64),
        4: _fixed("doubleValue", _double),
        5: _one("arrayValue", "ArrayValue"),
        6: _one("kvlistValue", "KeyValueList"),
        7: _Field("bytesValue", _BYTES, _base64),
    },
    "ArrayValue": {1: _many("values", "AnyValue")},
    "KeyValueList": {1: _many("values", "KeyValue")},
    "ExportMetricsServiceRequest": {1: _many("resourceMetrics", "ResourceMetrics")},
    "ResourceMetrics": {
        1: _one("resource", "Resource"),
        2: _many("scopeMetrics", "ScopeMetrics"),
        3: _string("schemaUrl"),
    },
    "ScopeMetrics": {1: _one("scope", "Scope"), 2: _many("metrics", "Metric"), 3: _string("schemaUrl")},
    "Metric": {
        1: _string("name"),
        2: _string("description"),
        3: _string("unit"),
        5: _one("gauge", "Gauge"),
        7: _one("sum", "Sum"),
        9: _one("histogram", "Histogram"),
        10: _one("exponentialHistogram", "ExponentialHistogram"),
        11: _one("summary", "Summary"),
        12: _many("metadata", "KeyValue"),
    },
    "Gauge": {1: _many("dataPoints", "NumberDataPoint")},
    "Sum": {
        1: _many("dataPoints", "NumberDataPoint"),
        2: _number("aggregationTemporality"),
        3: _Field(_FLAG, _VARINT, bool),
    },
    "Histogram": {1: _many("dataPoints", "HistogramDataPoint"), 2: _number("aggregationTemporality")},
    "ExponentialHistogram": {1: _many("dataPoints", "ExponentialDataPoint"), 2: _number("aggregationTemporality")},
    "Summary": {1: _many("dataPoints", "SummaryDataPoint")},
    "NumberDataPoint": {
        **_TIMES,
        4: _fixed("asDouble", _double),
        5: _many("exemplars", "Exemplar"),
        6: _fixed("asInt", _signed),
        7: _many("attributes", "KeyValue"),
        8: _number("flags"),
    },
    "HistogramDataPoint": {
        **_TIMES,
        4: _fixed("count"),
        5: _fixed("sum", _double),
        6: _fixed("bucketCounts", repeated=True),
        7: _fixed("explicitBounds", _double, repeated=True),
        8: _many("exemplars", "Exemplar"),
        9: _many("attributes", "KeyValue"),
        10: _number("flags"),
        11: _fixed("min", _double),
        12: _fixed("max", _double),
    },
    "ExponentialDataPoint": {
        1: _many("attributes", "KeyValue"),
        **_TIMES,
        4: _fixed("count"),
        5: _fixed("sum", _double),
        6: _Field("scale", _VARINT, _zigzag),
        7: _fixed("zeroCount"),
        8: _one("positive", "Buckets"),
        9: _one("negative", "Buckets"),
        10: _number("flags"),
        11: _many("exemplars", "Exemplar"),
        12: _fixed("min", _double),
        13: _fixed("max", _double),
        14: _fixed("zeroThreshold", _double),
    },
    "Buckets": {1: _Field("offset", _VARINT, _zigzag), 2: _Field("bucketCounts", _VARINT, str, repeated=True)},
    "SummaryDataPoint": {
        **_TIMES,
        4: _fixed("count"),
        5: _fixed("sum", _double),
        6: _many("quantileValues", "ValueAtQuantile"),
        7: _many("attributes", "KeyValue"),
        8: _number("flags"),
    },
    "ValueAtQuantile": {1: _fixed("quantile", _double), 2: _fixed("value", _double)},
    "Exemplar": {
        2: _fixed("timeUnixNano"),
        3: _fixed("asDouble", _double),
        4: _Field("spanId", _BYTES, bytes.hex),
        5: _Field("traceId", _BYTES, bytes.hex),
        6: _fixed("asInt", _signed),
        7: _many("filteredAttributes", "KeyValue"),
    },
}
