"""Rows of `logs` from VES syslog events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.severities import SEVERITY_NUMBERS, split_priority
from cellwright.telemetry.formats.ves_header import header_row, header_texts

if TYPE_CHECKING:
    from cellwright.telemetry.formats.ves_model import Header, Syslog

WORDS: Final = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug")


def log_row(header: Header, log: Syslog) -> dict[str, object]:
    """Return the row of a log record; priority and severity words mean the same, the word wins."""
    priority = priority_of(log.syslog_pri)
    attributes = {
        "ves.eventId": header.event_id,
        "ves.sourceName": header.source_name,
        "ves.eventSourceType": log.event_source_type,
        "syslog.sdId": log.syslog_sd_id,
        "syslog.sData": log.syslog_s_data,
        "syslog.ts": log.syslog_ts,
    }
    named = {**log.additional_fields, **attributes, **header_texts(header)}
    return header_row(header) | {
        "ts": int(header.last_epoch_microsec),
        "severity_number": SEVERITY_NUMBERS[WORDS.index(log.syslog_sev)] if log.syslog_sev else priority[1],
        "body": log.syslog_msg,
        "facility": facility_of(log.syslog_facility, priority),
        "host": log.syslog_msg_host or log.event_source_host or header.source_name,
        "app": log.syslog_proc or log.syslog_tag,
        "procid": None if log.syslog_proc_id is None else str(log.syslog_proc_id),
        "msgid": log.syslog_tag,
        "attributes": [(name, text) for name, text in named.items() if text is not None],
    }


def priority_of(pri: int | None) -> tuple[int, int] | tuple[None, None]:
    """Return facility and OpenTelemetry severity number of a priority, none of either where it says none."""
    return (None if pri is None else split_priority(pri)) or (None, None)


def facility_of(number: int | None, priority: tuple[int, int] | tuple[None, None]) -> int | None:
    """Return the facility an event names, or that of its priority."""
    return number if number is not None and 0 <= number < 24 else priority[0]  # noqa: PLR2004 - RFC 5424, 6.2.1
