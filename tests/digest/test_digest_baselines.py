from __future__ import annotations

import io
import json

from alarm_tables import TABLES_OF_ROWS, alarm_table, at, simple
from hypothesis import given

from cellwright.digest.alarms import alarms_of
from cellwright.digest.render_csv import render_csv
from cellwright.digest.render_ves import render_ves
from cellwright.telemetry.formats.ves import Ves

# VES 7.2.1, schema 30.2.1: what a commonEventHeader and faultFields must have.
HEADER_REQUIRED = {
    "domain",
    "eventId",
    "eventName",
    "lastEpochMicrosec",
    "priority",
    "reportingEntityName",
    "sequence",
    "sourceName",
    "startEpochMicrosec",
    "version",
    "vesEventListenerVersion",
}
FAULT_REQUIRED = {
    "alarmCondition",
    "eventSeverity",
    "eventSourceType",
    "faultFieldsVersion",
    "specificProblem",
    "vfStatus",
}


def test_a_ves_event_has_the_required_members_and_those_the_row_knows() -> None:
    row = simple(
        0, "Device=7", "LOS", raised_ts=at(0), cleared_ts=at(9), perceived_severity="MAJOR", utc_offset_s=-19800
    )
    event = json.loads(render_ves(alarms_of(alarm_table([row]))))["eventList"][0]
    assert set(event["commonEventHeader"]) == HEADER_REQUIRED | {"timeZoneOffset"}
    assert set(event["faultFields"]) == FAULT_REQUIRED
    assert event["commonEventHeader"]["timeZoneOffset"] == "UTC-05:30"
    assert (
        event["commonEventHeader"]["lastEpochMicrosec"] - event["commonEventHeader"]["startEpochMicrosec"] == 9_000_000
    )


def test_members_kept_from_a_ves_event_go_back_where_they_were() -> None:
    kept = [("ves.reportingEntityName", "ems"), ("ves.vfStatus", "Idle"), ("rack", "7")]
    event = json.loads(render_ves(alarms_of(alarm_table([simple(0, "a", "b", additional=kept)]))))["eventList"][0]
    assert event["commonEventHeader"]["reportingEntityName"] == "ems"
    assert event["faultFields"]["vfStatus"] == "Idle"
    assert event["faultFields"]["alarmAdditionalInformation"] == {"rack": "7"}


@given(TABLES_OF_ROWS)
def test_ves_is_minified_json_with_every_event(table: object) -> None:
    text = render_ves(alarms_of(table))
    batch = json.loads(text)
    assert len(batch["eventList"]) == table.num_rows
    assert text == json.dumps(batch, ensure_ascii=False, separators=(",", ":"))


def test_csv_says_what_is_common_once() -> None:
    rows = [
        simple(0, "Device=7", "AlarmType=3", perceived_severity="MAJOR", cleared_ts=at(2.5)),
        simple(1, "Device=12", 'AlarmType=a "b", c', perceived_severity="MAJOR", cleared_ts=at(1)),
    ]
    assert render_csv(alarms_of(alarm_table(rows))) == (
        's,element Device=,type AlarmType=,cleared_s,severity=major\n0,7,3,2.5\n1,12,"a ""b"", c",0'
    )


@given(TABLES_OF_ROWS)
def test_csv_has_a_line_for_every_event(table: object) -> None:
    alarms = [alarm for alarm in alarms_of(table) if "\n" not in alarm.alarm_type + alarm.element]
    assert len(render_csv(alarms).split("\n")) == len(alarms) + 1


def test_a_rendered_batch_reads_as_ves_again() -> None:
    rows = [
        simple(n, f"Device={n}", f"LOS {n}", raised_ts=at(n), perceived_severity="MAJOR", alarm_id=str(n))
        for n in range(4)
    ]
    batches = list(Ves().parse(io.BytesIO(render_ves(alarms_of(alarm_table(rows))).encode())))
    read = [row for batch in batches for row in batch.tables["alarm_events"].to_pylist()]
    assert [row["specific_problem"] for row in read] == [row["specific_problem"] for row in rows]
    assert not any(batch.quarantined for batch in batches)
