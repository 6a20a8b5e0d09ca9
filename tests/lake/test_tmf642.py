"""Alarm events as TMF642 alarms: one alarm from its raising to its clearing."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from lake_rows import KEY, NOON

from cellwright.lake.folder import Lake
from cellwright.lake.record import identity
from cellwright.lake.schema import TABLES
from cellwright.lake.tmf642 import alarms, documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RAISED = {"notification_type": "notifyNewAlarm", "perceived_severity": "MAJOR", "raised_ts": NOON}
CLEARED = {"notification_type": "notifyClearedAlarm", "perceived_severity": "CLEARED"}


def event(minutes: int, alarm_id: str = "7", **values: object) -> dict[str, Any]:
    return {
        "alarm_id": alarm_id,
        "object_dn": "ManagedElement=1",
        "event_ts": NOON + timedelta(minutes=minutes),
        **values,
    }


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path, create=True) as opened:
        yield opened


def stored(lake: Lake, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Store events in one file and return the alarms."""
    envelope = {"dq_flags": [], "tenant": "t", "source": "s", "ingest_ts": NOON}
    digest = hashlib.sha256(repr(events).encode()).hexdigest()
    file_id = identity("t", digest)
    rows = [{**envelope, "file_id": file_id, "ordinal": number, **each} for number, each in enumerate(events)]
    with lake.writer(KEY) as writer, writer.file(file_id) as draft:
        draft.raw = len(rows)
        draft.append("alarm_events", pa.RecordBatch.from_pylist(rows, schema=TABLES["alarm_events"]))
        draft.commit(tenant="t", source="s", format_name="f", vendor=None, sha256=digest, size=1, ingested=NOON)
    return list(alarms(lake))


def test_raising_changing_and_clearing_are_one_alarm(lake: Lake) -> None:
    changed = {"notification_type": "notifyChangedAlarm", "perceived_severity": "CRITICAL"}
    (alarm,) = stored(
        lake,
        event(0, **RAISED, event_type="COMMUNICATIONS_ALARM", probable_cause="LinkFailure", additional=[("slot", "4")]),
        event(1, **changed, ack_state="ACKNOWLEDGED"),
        event(2, **CLEARED),
    )
    assert alarm == {
        "@type": "Alarm",
        "id": "t:s:ManagedElement=1:7",
        "externalAlarmId": "7",
        "state": "cleared",
        "perceivedSeverity": "cleared",
        "alarmType": "communicationsAlarm",
        "probableCause": "LinkFailure",
        "alarmRaisedTime": "2026-03-01T12:00:00Z",
        "alarmChangedTime": "2026-03-01T12:02:00Z",
        "alarmClearedTime": "2026-03-01T12:02:00Z",
        "alarmReportingTime": "2026-03-01T12:00:00Z",
        "alarmedObject": {"id": "ManagedElement=1"},
        "ackState": "acknowledged",
        "sourceSystemId": "s",
        "reportingSystemId": "cellwright",
        "alarmDetails": "slot=4; eventType=COMMUNICATIONS_ALARM",
    }


def test_an_id_that_comes_back_after_a_clear_is_another_alarm(lake: Lake) -> None:
    found = stored(lake, event(0, **RAISED), event(1, **CLEARED), event(2, **RAISED), event(0, "8", **RAISED))
    assert [(each["id"][-3:], each["state"]) for each in found] == [
        ("1:7", "cleared"),
        ("7.2", "raised"),
        ("1:8", "raised"),
    ]


def test_the_latest_severity_holds_until_the_clear(lake: Lake) -> None:
    (alarm,) = stored(lake, event(0, **RAISED), event(1, perceived_severity="minor"), event(2))
    assert (alarm["state"], alarm["perceivedSeverity"]) == ("updated", "minor")


def test_a_type_that_the_standard_does_not_know_stays_in_the_details_alone(lake: Lake) -> None:
    (alarm,) = stored(lake, event(0, **RAISED, event_type="FANCY"))
    assert "alarmType" not in alarm
    assert alarm["alarmDetails"] == "eventType=FANCY"


def test_the_document_is_an_array_even_of_nothing(lake: Lake) -> None:
    assert json.loads("".join(documents(lake))) == []
    stored(lake, event(0, **RAISED), event(0, "8", **RAISED))
    assert len(json.loads("".join(documents(lake)))) == 2
