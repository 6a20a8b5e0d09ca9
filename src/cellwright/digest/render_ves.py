"""The raw baseline: an incident as the minified VES fault batch a collector would receive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.tokens import TokenCounter

# VES Event Listener 7.2.1 (schema 30.2.1), domain fault: all required fields, and of the optional ones those for
# which the row has a value. `faultFieldsVersion` stands last so that every event ends in the same characters.
_HEAD: Final = '{"eventList":[{"'
_SEAM: Final = '"}},{"'
_TAIL: Final = '"}}]}'

# Members of a VES event that have no column of their own are kept in `additional` under this prefix.
_VES: Final = "ves."
_HEADER_TEXTS: Final = (
    "eventName",
    "eventType",
    "priority",
    "sourceId",
    "reportingEntityName",
    "reportingEntityId",
    "nfNamingCode",
    "nfcNamingCode",
)

# VES severities have no INDETERMINATE and call a cleared alarm NORMAL; a required field cannot be unknown.
_SEVERITY: Final = {"CRITICAL": "CRITICAL", "MAJOR": "MAJOR", "MINOR": "MINOR", "WARNING": "WARNING"}
_PRIORITY: Final = {"CRITICAL": "High", "MAJOR": "High", "MINOR": "Medium"}


def render_ves(alarms: Sequence[Alarm]) -> str:
    """Return the events as one VES batch, `{"eventList":[...]}`, minified."""
    return _HEAD[:-2] + ",".join(_event(alarm) for alarm in alarms) + "]}"


def ves_tokens(alarm: Alarm, count: TokenCounter) -> int:
    """Return what one more event adds to the tokens of a VES batch.

    Events meet at a run of signs between a digit and a letter, where the tokenizer always cuts: with `batch_tokens`
    these sum to exactly the tokens of the rendered batch for the exact counter and the estimate alike.
    """
    return count.count(_event(alarm)[2:] + ',{"')


def batch_tokens(count: TokenCounter) -> int:
    """Return the tokens that a VES batch has beyond those of its events (see `ves_tokens`)."""
    return count.count(_HEAD) + count.count(_TAIL) - count.count(_SEAM)


def _event(alarm: Alarm) -> str:
    additional = {key: value for key, value in alarm.additional or () if value is not None}
    return orjson.dumps(
        {"commonEventHeader": _header(alarm, additional), "faultFields": _fault(alarm, additional)}
    ).decode()


def _header(alarm: Alarm, additional: Mapping[str, str]) -> dict[str, str | int]:
    start = alarm.ts if alarm.raised_ts is None else alarm.raised_ts
    last = alarm.ts if alarm.cleared_ts is None else alarm.cleared_ts
    return {
        "version": "4.1",
        "vesEventListenerVersion": "7.2.1",
        "domain": "fault",
        "eventName": f"Fault_{alarm.alarm_type}",
        "eventId": alarm.alarm_id or str(alarm.ordinal),
        "sequence": 0,  # "or 0 if not needed"
        "priority": _PRIORITY.get(alarm.severity or "", "Normal"),
        "reportingEntityName": alarm.source,
        "sourceName": alarm.element,
        **_known("eventType", alarm.event_type),
        **_known("nfVendorName", alarm.vendor),
        **_known("startEpochMicrosec", start),
        **_known("lastEpochMicrosec", last),
        **_known("timeZoneOffset", _zone(alarm.utc_offset_s)),
        **{name: additional[_VES + name] for name in _HEADER_TEXTS if _VES + name in additional},
    }


def _fault(alarm: Alarm, additional: Mapping[str, str]) -> dict[str, object]:
    rest = {key: value for key, value in additional.items() if not key.startswith(_VES)}
    return {
        "alarmCondition": alarm.probable_cause or alarm.alarm_type,
        "specificProblem": alarm.specific_problem or alarm.alarm_type,
        "eventSeverity": "NORMAL" if alarm.clears else _SEVERITY.get(alarm.severity or "", "WARNING"),
        "eventSourceType": additional.get(f"{_VES}eventSourceType", "other"),
        "vfStatus": additional.get(f"{_VES}vfStatus", "Active"),
        **({"alarmAdditionalInformation": rest} if rest else {}),
        "faultFieldsVersion": "4.0",
    }


def _known(name: str, value: str | int | None) -> dict[str, str | int]:
    return {} if value is None else {name: value}


def _zone(offset_s: int | None) -> str | None:
    """Return the offset as VES writes it, `UTC+05:30`; nothing for UTC itself."""
    if not offset_s:
        return None
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    return f"UTC{'-' if offset_s < 0 else '+'}{hours:02}:{minutes:02}"
