"""Rows of `alarm_events` from VES faults, threshold crossings and 3GPP fault notifications."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats import fault_notifications_rows as standard
from cellwright.telemetry.formats.fault_notifications_rows import pairs
from cellwright.telemetry.formats.names import join_dn, rdn
from cellwright.telemetry.formats.ves_header import element_dn, header_row, header_texts

if TYPE_CHECKING:
    from cellwright.telemetry.formats.ves_model import Fault, Header, StandardDefined, ThresholdCrossingAlert

FAULT_NAMESPACE: Final = "3GPP-FaultSupervision"
CLEARED: Final = "CLEARED"
NEW_ALARM: Final = "notifyNewAlarm"
_CHANGED: Final = "notifyChangedAlarm"
CLEARED_ALARM: Final = "notifyClearedAlarm"
ACTIONS: Final = MappingProxyType({"SET": NEW_ALARM, "CONT": _CHANGED, "CLEAR": CLEARED_ALARM})


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
        "additional": pairs(fault.alarm_additional_information, extra, header_texts(header)),
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
        "additional": pairs(crossed, alert.additional_fields, described, header_texts(header)),
    }


def notification_row(header: Header, fields: StandardDefined) -> dict[str, object]:
    """Return the row of a 3GPP fault notification; what it does not say comes from the VES header."""
    outer, said = header_row(header), standard.notification_row(fields.data)
    own = {name: value for name, value in said.items() if value is not None and name != "utc_offset_s"}
    event_us = own.get("event_ts", int(header.last_epoch_microsec))
    return (
        outer
        | {"alarm_id": header.event_id, "event_ts": event_us, "object_dn": element_dn(header)}
        | {"raised_ts": int(header.start_epoch_microsec)}
        | ({"cleared_ts": event_us} if said["perceived_severity"] == CLEARED else {})
        | own
        | {
            "dq_flags": [*outer["dq_flags"], *said["dq_flags"]],
            "additional": pairs(dict(said["additional"]), header_texts(header)),
        }
    )
