"""Rows of `alarm_events` from 3GPP fault notifications (TS 28.532, 11.2.1), with the columns' meaning as in VES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.instants import read_instant
from cellwright.telemetry.formats.json_values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.telemetry.formats.instants import Instant

_CLEARED: Final = "notifyClearedAlarm"
_NEW: Final = frozenset(("notifyNewAlarm", "notifyNewSecAlarm"))
ALARM_NOTIFICATIONS: Final = _NEW | {
    "notifyAckStateChanged",
    "notifyChangedAlarm",
    "notifyChangedAlarmGeneral",
    _CLEARED,
    "notifyCorrelatedNotificationChanged",
}
"""Notifications that say how one alarm stands; others manage the list or speak of something else."""
_TAKEN: Final = frozenset(
    (
        "ackState",
        "additionalInformation",
        "alarmClearedTime",
        "alarmId",
        "alarmRaisedTime",
        "alarmType",
        "correlatedNotifications",
        "eventTime",
        "notificationType",
        "objectInstance",
        "perceivedSeverity",
        "probableCause",
        "rootCauseIndicator",
        "specificProblem",
    )
)


def notification_row(data: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a notification; a time that cannot be read is null and flagged."""
    kind = str(data["notificationType"])
    event, raised, cleared = (_instant(data, key) for key in ("eventTime", "alarmRaisedTime", "alarmClearedTime"))
    severity = text_of(data.get("perceivedSeverity"))
    is_cleared = kind == _CLEARED
    return {
        "alarm_id": text_of(data.get("alarmId")),
        "notification_type": kind,
        "event_ts": event.us if event else None,
        "utc_offset_s": event.offset_s if event else None,
        "raised_ts": _raised(kind, event, raised),
        "cleared_ts": _us(cleared or event) if is_cleared else None,
        "event_type": text_of(data.get("alarmType")),
        "probable_cause": text_of(data.get("probableCause")),
        "perceived_severity": "CLEARED" if is_cleared else severity.upper() if severity else None,
        "specific_problem": text_of(data.get("specificProblem")),
        "object_dn": _object_dn(data),
        "root_cause": data["rootCauseIndicator"] if isinstance(data.get("rootCauseIndicator"), bool) else None,
        "correlated_ids": _correlated(data.get("correlatedNotifications")),
        "ack_state": text_of(data.get("ackState")),
        "additional": pairs(
            _flat(data.get("additionalInformation")),
            {
                f"3gpp.{name}": value if type(value) is str else text_of(value)
                for name, value in data.items()
                if name not in _TAKEN
            },
        ),
        "dq_flags": _flags(data, event),
    }


def _raised(kind: str, event: Instant | None, raised: Instant | None) -> int | None:
    """Return when the alarm was raised: of a new one the time of the event, where nothing else is said."""
    return _us(raised or (event if kind in _NEW else None))


def _us(instant: Instant | None) -> int | None:
    return instant.us if instant else None


def _flags(data: dict[str, Any], event: Instant | None) -> list[str]:
    unread = [name for name in ("alarmRaisedTime", "alarmClearedTime") if data.get(name) and not _instant(data, name)]
    return ([] if event else ["unreadable-event-time"]) + (["unreadable-time"] if unread else [])


def _instant(data: dict[str, Any], key: str) -> Instant | None:
    value = data.get(key)
    return read_instant(value) if isinstance(value, str) else None


def pairs(*mappings: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Return the entries of all mappings; the first to name a key keeps it."""
    merged: dict[str, str] = {}
    for mapping in mappings:
        for name, text in mapping.items():
            if text is not None:
                merged.setdefault(name, text)
    return list(merged.items())


def text_of(value: object) -> str | None:
    """Return a value as text, JSON where it is none."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return shown(value)


def _flat(value: object) -> dict[str, str | None]:
    """Return additional information by name: an object, or a list of names with values as AttributeNameValuePairSet."""
    if isinstance(value, dict):
        return {str(name): text_of(item) for name, item in value.items()}
    return {"additionalInformation": text_of(value)}


def _object_dn(data: dict[str, Any]) -> str | None:
    """Return the name of the object, which an href says as the end of its path (TS 32.158)."""
    for key in ("objectInstance", "href"):
        named = data.get(key)
        if isinstance(named, str) and "=" in named:
            is_path = named.startswith("/") or "://" in named
            return ",".join(part for part in named.split("/") if "=" in part) if is_path else named
    return None


def _correlated(value: object) -> list[str]:
    """Return the notification ids that CorrelatedNotification objects list, or plain ids as text."""
    ids: list[str] = []
    for entry in value if isinstance(value, list) else []:
        listed = entry.get("notificationIds", []) if isinstance(entry, dict) else [entry]
        ids += [text for item in (listed if isinstance(listed, list) else [listed]) if (text := text_of(item))]
    return ids
