"""Rows of `logs` from OTLP log records (opentelemetry.proto.logs.v1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.json_values import shown
from cellwright.telemetry.formats.otlp_values import (
    UINT64,
    InvalidError,
    integer,
    plain,
    read_attributes,
    time_us,
)

if TYPE_CHECKING:
    from cellwright.telemetry.formats.otlp_values import Speaker

_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_LARGEST_SEVERITY: Final = 24
_RANGES: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# OpenTelemetry logs data model, "Displaying Severity": TRACE is 1, TRACE2 is 2, DEBUG is 5, FATAL4 is 24.
_SHORT_NAMES: Final = {
    name + suffix: 4 * place + offset
    for place, name in enumerate(_RANGES)
    for offset, suffix in enumerate(("", "2", "3", "4"), start=1)
}


def log_row(record: dict[str, Any], speaker: Speaker) -> dict[str, object]:
    """Return the row of a log record; raise InvalidError."""
    attributes = read_attributes(record.get("attributes"))
    flags: list[str] = []
    ts, observed = time_us(record.get("timeUnixNano")), time_us(record.get("observedTimeUnixNano"))
    if ts is None:
        flags.append("no-time" if observed is None else "observed-time")
    body = plain(record.get("body"))
    severity = _severity(record)
    named = {
        "severity_text": _text(record, "severityText"),
        "trace_id": _identifier(record, "traceId", 32, flags),
        "span_id": _identifier(record, "spanId", 16, flags),
    }
    return {
        "ts": observed if ts is None else ts,
        "severity_number": severity,
        "body": None if body is None else shown(body),
        "host": speaker.resource.get("host.name"),
        "app": speaker.resource.get("service.name"),
        "procid": speaker.resource.get("process.pid"),
        "msgid": _text(record, "eventName") or None,
        "attributes": list((attributes | {k: v for k, v in named.items() if v} | speaker.named).items()),
        "dq_flags": flags,
    }


def _text(record: dict[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        msg = f"expected a {key} that is text"
        raise InvalidError(msg)
    return value


def _severity(record: dict[str, Any]) -> int | None:
    """Return the number of a severity; where it is unspecified, that of a text that is one of the short names."""
    number = record.get("severityNumber") or 0
    if isinstance(number, str) and not number.isdigit():  # an enumeration's name, which ProtoJSON allows
        number = _SHORT_NAMES.get(number.removeprefix("SEVERITY_NUMBER_"), 0)
    number = integer(number, UINT64)
    if number > _LARGEST_SEVERITY:
        msg = "expected a severityNumber from 0 to 24"
        raise InvalidError(msg)
    return number or _SHORT_NAMES.get(_text(record, "severityText") or "")


def _identifier(record: dict[str, Any], key: str, length: int, flags: list[str]) -> str | None:
    """Return a trace or span id, in hexadecimal as OTLP has it; all zeros mean none."""
    value = _text(record, key)
    if not value:
        return None
    if len(value) != length or not _HEX.fullmatch(value):
        flags.append("unreadable-id")
        return None
    return value.lower() if value.strip("0") else None
