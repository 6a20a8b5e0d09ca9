"""Alarm resources of TM Forum's Alarm Management API (TMF642, version 4) from the alarm events of a lake."""

from __future__ import annotations

import re
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cellwright.lake.folder import Lake

_KEY: Final = ("tenant", "source", "object_dn", "alarm_id")
_EVENTS: Final = f"SELECT * FROM alarm_events ORDER BY {', '.join(_KEY)}, event_ts, file_id, ordinal"  # noqa: S608 - constants
# Event types of ITU-T X.733 and X.736 in the spelling of TMF642's AlarmType; others are no type to it.
_TYPES: Final = MappingProxyType(
    {
        "communications": "communicationsAlarm",
        "processingerror": "processingErrorAlarm",
        "environmental": "environmentalAlarm",
        "qualityofservice": "qualityOfServiceAlarm",
        "equipment": "equipmentAlarm",
        "integrityviolation": "integrityViolation",
        "operationalviolation": "operationalViolation",
        "physicalviolation": "physicalViolation",
        "securityserviceormechanismviolation": "securityService",
        "timedomainviolation": "timeDomainViolation",
    }
)
_SEVERITIES: Final = frozenset({"critical", "major", "minor", "warning", "indeterminate"})
_CLEARED: Final = frozenset({"cleared", "normal"})
_LEAST_EVENTS: Final = 1


def documents(lake: Lake) -> Iterator[str]:
    """Yield the pieces of a JSON array of alarms: one alarm from its raising to its clearing.

    Memory: all alarm events of the lake, sorted.
    """
    yield "["
    separator = "\n"
    for alarm in alarms(lake):
        yield separator + orjson.dumps(alarm).decode()
        separator = ",\n"
    yield "\n]\n"


def alarms(lake: Lake) -> Iterator[dict[str, Any]]:
    """Yield the alarms of a lake by tenant, source, object and time; an id that comes back after a clear is another."""
    table = lake.query(_EVENTS)
    rows = (row for batch in table.to_batches() for row in batch.to_pylist())
    for _, events in groupby(rows, key=lambda row: [row[name] for name in _KEY]):
        life, number = list[dict[str, Any]](), 1
        for event in events:
            if life and _clears(life[-1]) and not _clears(event):
                yield _alarm(life, number)
                life, number = [], number + 1
            life.append(event)
        yield _alarm(life, number)


def _alarm(events: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """Return one alarm: what its events say, the latest to say it first; what nobody says is left out."""
    first, last = events[0], events[-1]
    cleared = _clears(last)
    said = {name: next((row[name] for row in reversed(events) if row[name] is not None), None) for name in last}
    graded = [severity for row in events if (severity := (row["perceived_severity"] or "").lower()) in _SEVERITIES]
    number_of = f".{number}" if number > 1 else ""
    fields = {
        "@type": "Alarm",
        "id": ":".join(filter(None, (first["tenant"], first["source"], first["object_dn"], first["alarm_id"])))
        + number_of,
        "externalAlarmId": first["alarm_id"],
        "state": "cleared" if cleared else "updated" if len(events) > _LEAST_EVENTS else "raised",
        "perceivedSeverity": "cleared" if cleared else graded[-1] if graded else "indeterminate",
        "alarmType": _TYPES.get(re.sub("alarm$|[^a-z]", "", (said["event_type"] or "").lower())),
        "probableCause": said["probable_cause"],
        "specificProblem": said["specific_problem"],
        "alarmRaisedTime": _time(first["raised_ts"] or first["event_ts"]),
        "alarmChangedTime": _time(last["event_ts"]) if len(events) > _LEAST_EVENTS else None,
        "alarmClearedTime": _time(last["cleared_ts"] or last["event_ts"]) if cleared else None,
        "alarmReportingTime": _time(first["ingest_ts"]),
        "alarmedObject": {"id": first["object_dn"]} if first["object_dn"] else None,
        "isRootCause": said["root_cause"],
        "correlatedAlarm": [{"id": each} for each in said["correlated_ids"] or ()] or None,
        "ackState": _acknowledged(said["ack_state"]),
        "sourceSystemId": first["source"],
        "reportingSystemId": "cellwright",
        "alarmDetails": _details(said["additional"], said["event_type"]),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _clears(event: dict[str, Any]) -> bool:
    """Return whether an event ends its alarm: it says so, or it tells of raising and clearing at once."""
    severity, kind = (event["perceived_severity"] or "").lower(), (event["notification_type"] or "").lower()
    return severity in _CLEARED or "cleared" in kind or event["cleared_ts"] is not None


def _acknowledged(state: str | None) -> str | None:
    """Return the acknowledgement in TMF642's words (AckState of TS 28.532: ACKNOWLEDGED, UNACKNOWLEDGED)."""
    word = (state or "").lower()
    return word if word in {"acknowledged", "unacknowledged"} else None


def _details(additional: list[tuple[str, str | None]] | None, event_type: str | None) -> str | None:
    pairs = [*(additional or ()), *([("eventType", event_type)] if event_type else [])]
    return "; ".join(f"{name}={value}" for name, value in pairs if value is not None) or None


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
