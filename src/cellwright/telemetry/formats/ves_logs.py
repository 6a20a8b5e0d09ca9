"""Rows of `logs` from VES syslog events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.severities import SEVERITY_NUMBERS, split_priority
from cellwright.telemetry.formats.ves_header import header_row, header_texts

if TYPE_CHECKING:
    from cellwright.telemetry.formats.ves_model import Header, Syslog

_WORDS: Final = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug")


def log_row(header: Header, log: Syslog) -> dict[str, object]:
    """Return the row of a log record; priority and severity words mean the same, the word wins."""
    pri = split_priority(log.syslog_pri) if log.syslog_pri is not None else None
    facility, severity = pri or (None, None)
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
        "severity_number": SEVERITY_NUMBERS[_WORDS.index(log.syslog_sev)] if log.syslog_sev else severity,
        "body": log.syslog_msg,
        "facility": log.syslog_facility if _is_facility(log.syslog_facility) else facility,
        "host": log.syslog_msg_host or log.event_source_host or header.source_name,
        "app": log.syslog_proc or log.syslog_tag,
        "procid": None if log.syslog_proc_id is None else str(log.syslog_proc_id),
        "msgid": log.syslog_tag,
        "attributes": [(name, text) for name, text in named.items() if text is not None],
    }


def _is_facility(number: int | None) -> bool:
    return number is not None and 0 <= number < 24  # noqa: PLR2004 - RFC 5424, 6.2.1
