from __future__ import annotations

import json
from pathlib import Path

import pytest
from format_kit import Outcome, Trickle, check_conservation, mutated, public_data, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.fault_notifications import FaultNotifications
from cellwright.telemetry.formats.ves import Ves

CASES = sorted((Path(__file__).parent.parent / "cases" / "telemetry" / "fault-notifications").glob("*.*json"))
SEEDS = [path.read_bytes() for path in CASES if ".expected" not in path.name]
FRAGMENTS = [
    b'{"notificationType":"notifyNewAlarm","alarmId":"1"}',
    b'"alarmId":',
    b"{}",
    b"\n{",
    b"}",
    b"]",
    b"[",
    b'"',
    b'"a":',
    b"\\",
    b"NaN",
    b"5 ",
    b"[" * 80,
    b"9" * 5000,
    b"\\ud800",
    b"\xff",
    b"null",
    b",",
    b":",
]
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(FRAGMENTS)), max_size=4)
ALARM = {
    "notificationType": "notifyNewAlarm",
    "eventTime": "2026-03-01T00:00:00Z",
    "alarmId": "1",
    "perceivedSeverity": "MAJOR",
    "objectInstance": "ManagedElement=1",
}


def _read(*documents: object) -> Outcome:
    return check_conservation(FaultNotifications(), "\n".join(json.dumps(each) for each in documents).encode())


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SEEDS), EDITS, st.integers(0, 10**6))
def test_damaged_files_conserve_every_fact(seed: bytes, edits: list[tuple[int, int, bytes]], cut: int) -> None:
    damaged = mutated(seed, edits)
    check_conservation(FaultNotifications(), damaged if edits else damaged[: cut % (len(damaged) + 1)])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=30))
def test_any_bytes_conserve_every_fact(pieces: list[bytes]) -> None:
    check_conservation(FaultNotifications(), b"".join(pieces))


def test_what_is_read_does_not_depend_on_how_the_bytes_arrive() -> None:
    for seed in SEEDS:
        assert read(FaultNotifications(), seed, Trickle) == read(FaultNotifications(), seed)


def test_lines_arrays_and_indented_documents_say_the_same() -> None:
    alarms = [ALARM | {"alarmId": str(number)} for number in range(3)]
    indented = "\n".join(json.dumps(alarm, indent=2) for alarm in alarms).encode()
    lines = [row["alarm_id"] for row in _read(*alarms).only("alarm_events")]
    array = [row["alarm_id"] for row in _read(alarms).only("alarm_events")]
    spread = [row["alarm_id"] for row in check_conservation(FaultNotifications(), indented).only("alarm_events")]
    assert lines == array == spread == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("named", "dn"),
    [
        ({"objectInstance": "SubNetwork=1,ManagedElement=2"}, "SubNetwork=1,ManagedElement=2"),
        ({"href": "https://h/ProvMnS/v1700/SubNetwork=1/ManagedElement=2"}, "SubNetwork=1,ManagedElement=2"),
        ({"href": "/SubNetwork=1/ManagedElement=2"}, "SubNetwork=1,ManagedElement=2"),
        ({"href": "https://h/alarms/1", "systemDN": "ManagementNode=1"}, None),
    ],
)
def test_the_object_is_what_the_notification_names(named: dict[str, str], dn: str | None) -> None:
    alarm = {key: value for key, value in ALARM.items() if key != "objectInstance"}
    (row,) = _read(alarm | named).only("alarm_events")
    assert row["object_dn"] == dn


@pytest.mark.data
def test_a_notification_within_ves_says_the_same_on_its_own() -> None:
    data = public_data("ves/ves_stdnDefined_3GPP-FaultSupervision.json").read_bytes()
    notification = json.loads(data)["event"]["stndDefinedFields"]["data"]
    (wrapped,) = check_conservation(Ves(), data).only("alarm_events")
    (alone,) = _read(notification).only("alarm_events")
    same = ("alarm_id", "notification_type", "event_type", "probable_cause", "perceived_severity")
    assert {key: alone[key] for key in same} == {key: wrapped[key] for key in same}
    assert not FaultNotifications().detects(data, "x")
