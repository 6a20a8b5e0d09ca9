"""Rows of `alarm_events` from VES faults, threshold crossings and 3GPP fault notifications."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.instants import LAST_US, read_instant
from cellwright.telemetry.formats.names import join_dn, rdn
from cellwright.telemetry.formats.ves_header import element_dn, header_row, header_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.telemetry.formats.ves_model import Fault, Header, StandardDefined, ThresholdCrossingAlert

FAULT_NAMESPACE: Final = "3GPP-FaultSupervision"
CLEARED: Final = "CLEARED"
NEW_ALARM: Final = "notifyNewAlarm"
_CHANGED: Final = "notifyChangedAlarm"
CLEARED_ALARM: Final = "notifyClearedAlarm"
ALARM_NOTIFICATIONS: Final = frozenset(
    (
        NEW_ALARM,
        _CHANGED,
        "notifyChangedAlarmGeneral",
        CLEARED_ALARM,
        "notifyAckStateChanged",
        "notifyCorrelatedNotificationChanged",
    )
)
"""Notifications of TS 28.532 (11.2) that speak of one alarm; others manage the list."""
ACTIONS: Final = MappingProxyType({"SET": NEW_ALARM, "CONT": _CHANGED, "CLEAR": CLEARED_ALARM})
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


def fault_row(header: Header, fault: Fault) -> dict[str, object]:
    """Return the row of a fault. VES clears an alarm by the severity NORMAL under the same eventId."""
    cleared = fault.event_severity == "NORMAL"
    part = rdn(fault.event_source_type, fault.alarm_interface_a) if fault.alarm_interface_a else None
    extra = {"ves.eventSourceType": fault.event_source_type, "ves.vfStatus": fault.vf_status}
    if fault.event_category is not None:
        extra["ves.eventCategory"] = fault.event_category
    return header_row(header) | {
        "alarm_id": header.event_id,
        "notification_type": CLEARED_ALARM if cleared else NEW_ALARM,
        "event_ts": int(header.last_epoch_microsec),
        "raised_ts": int(header.start_epoch_microsec),
        "cleared_ts": int(header.last_epoch_microsec) if cleared else None,
        "probable_cause": fault.alarm_condition,
        "perceived_severity": CLEARED if cleared else fault.event_severity,
        "specific_problem": fault.specific_problem,
        "object_dn": join_dn(element_dn(header), part),
        "additional": _pairs(fault.alarm_additional_information, extra, header_texts(header)),
    }


def crossing_row(header: Header, alert: ThresholdCrossingAlert) -> dict[str, object]:
    """Return the row of a threshold crossing alert."""
    cleared = alert.alert_action == "CLEAR" or alert.event_severity == "NORMAL"
    part = rdn("interface", alert.interface_name) if alert.interface_name else None
    crossed = {
        f"{crossing.threshold_crossed}.{name}": text
        for crossing in alert.additional_parameters
        for name, text in crossing.hash_map.items()
    }
    described = {
        "ves.alertType": alert.alert_type,
        "ves.alertValue": alert.alert_value,
        "ves.collectionTimestamp": alert.collection_timestamp,
        "ves.elementType": alert.element_type,
        "ves.networkService": alert.network_service,
        "ves.possibleRootCause": alert.possible_root_cause,
    }
    return header_row(header) | {
        "alarm_id": header.event_id,
        "notification_type": CLEARED_ALARM if cleared else ACTIONS[alert.alert_action],
        "event_ts": int(header.last_epoch_microsec),
        "raised_ts": int(header.start_epoch_microsec),
        "cleared_ts": int(header.last_epoch_microsec) if cleared else None,
        "event_type": "QUALITY_OF_SERVICE_ALARM",
        "probable_cause": "thresholdCrossed",  # ITU-T X.733, 8.1.2.1
        "perceived_severity": CLEARED if cleared else alert.event_severity,
        "specific_problem": alert.alert_description,
        "object_dn": join_dn(element_dn(header), part),
        "correlated_ids": alert.associated_alert_id_list,
        "additional": _pairs(crossed, alert.additional_fields, described, header_texts(header)),
    }


def notification_row(header: Header, fields: StandardDefined) -> dict[str, object]:
    """Return the row of a 3GPP fault notification (TS 28.532, 11.2); times it lacks come from the VES header."""
    data = fields.data
    event_us = _us(data.get("eventTime"))
    raised_us = _us(data.get("alarmRaisedTime"))
    cleared = data.get("notificationType") == CLEARED_ALARM
    cleared_us = _us(data.get("alarmClearedTime"))
    given = event_us if event_us is not None else int(header.last_epoch_microsec)
    row = header_row(header)
    flags = [] if event_us is not None else ["unreadable-event-time"]
    severity = _text(data.get("perceivedSeverity"))
    return row | {
        "dq_flags": [*_flags(row), *flags],
        "alarm_id": _text(data.get("alarmId")) or header.event_id,
        "notification_type": _text(data.get("notificationType")),
        "event_ts": given,
        "raised_ts": raised_us if raised_us is not None else int(header.start_epoch_microsec),
        "cleared_ts": (cleared_us if cleared_us is not None else given) if cleared else None,
        "event_type": _text(data.get("alarmType")),
        "probable_cause": _text(data.get("probableCause")),
        "perceived_severity": CLEARED if cleared else severity.upper() if severity else None,
        "specific_problem": _text(data.get("specificProblem")),
        "object_dn": _object_dn(header, data),
        "root_cause": data["rootCauseIndicator"] if isinstance(data.get("rootCauseIndicator"), bool) else None,
        "correlated_ids": _correlated(data.get("correlatedNotifications")),
        "ack_state": _text(data.get("ackState")),
        "additional": _pairs(
            _flat(data.get("additionalInformation")),
            {f"3gpp.{name}": _text(value) for name, value in data.items() if name not in _TAKEN},
            header_texts(header),
        ),
    }


def _flags(row: Mapping[str, object]) -> tuple[str, ...]:
    flags = row.get("dq_flags")
    return tuple(flags) if isinstance(flags, list | tuple) else ()


def _pairs(*mappings: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Return the entries of all mappings; the first to name a key keeps it."""
    merged: dict[str, str] = {}
    for mapping in mappings:
        for name, text in mapping.items():
            if text is not None:
                merged.setdefault(name, text)
    return list(merged.items())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _flat(value: object) -> dict[str, str | None]:
    if isinstance(value, dict):
        return {str(name): _text(item) for name, item in value.items()}
    return {"additionalInformation": _text(value)}


def _us(value: object) -> int | None:
    instant = read_instant(value) if isinstance(value, str) else None
    return instant.us if instant and 0 <= instant.us <= LAST_US else None


def _object_dn(header: Header, data: dict[str, Any]) -> str | None:
    named = data.get("objectInstance") or data.get("href")
    return named if isinstance(named, str) and "=" in named else element_dn(header)


def _correlated(value: object) -> list[str]:
    """Return the notification ids that TS 28.532 CorrelatedNotification objects list, or plain ids as text."""
    ids: list[str] = []
    for entry in value if isinstance(value, list) else []:
        listed = entry.get("notificationIds", []) if isinstance(entry, dict) else [entry]
        ids += [text for item in (listed if isinstance(listed, list) else [listed]) if (text := _text(item))]
    return ids
