"""Events read by the column say what they say when each is read alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from format_kit import mutated, public_data
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ves_kit import EDITIONS, event_of, read_both_ways

from cellwright.telemetry.formats.ves_plain import plain_document, plain_events

CASES = sorted(
    path
    for path in (Path(__file__).parent.parent / "cases" / "telemetry" / "ves").glob("*.json")
    if ".expected" not in path.name
)
HEADER = {
    "version": "4.1",
    "vesEventListenerVersion": "7.2.1",
    "domain": "fault",
    "eventName": "Fault_x",
    "eventId": "1",
    "sequence": 0,
    "priority": "High",
    "reportingEntityName": "oam",
    "sourceName": "gnb-1",
    "startEpochMicrosec": 1_772_323_200_000_000,
    "lastEpochMicrosec": 1.7723232e15,
}
FAULT = {
    "faultFieldsVersion": "4.0",
    "alarmCondition": "LinkDown",
    "eventSourceType": "port",
    "specificProblem": "Loss of signal",
    "eventSeverity": "MAJOR",
    "vfStatus": "Active",
}
CROSSING = {
    "thresholdCrossingFieldsVersion": "4.0",
    "additionalParameters": [{"criticality": "MAJ", "thresholdCrossed": "cpu", "hashMap": {"percent": "91", "a": "b"}}],
    "alertAction": "SET",
    "alertDescription": "hot",
    "alertType": "CARD-ANOMALY",
    "collectionTimestamp": "now",
    "eventSeverity": "MINOR",
    "eventStartTimestamp": "then",
}
LOG = {"syslogFieldsVersion": "4.0", "eventSourceType": "host", "syslogMsg": "text", "syslogTag": "tag"}
NUMBERS = {"measurementFieldsVersion": "4.0", "measurementInterval": 60}
BLOCKS = {
    "fault": ("faultFields", FAULT),
    "thresholdCrossingAlert": ("thresholdCrossingAlertFields", CROSSING),
    "syslog": ("syslogFields", LOG),
    "measurement": ("measurementFields", NUMBERS),
    "heartbeat": ("heartbeatFields", {"heartbeatFieldsVersion": "3.0", "heartbeatInterval": 20}),
    "stndDefined": (
        "stndDefinedFields",
        {"stndDefinedFieldsVersion": "1.0", "data": {"notificationType": "notifyNewAlarm"}},
    ),
    "other": ("otherFields", {"otherFieldsVersion": "3.0"}),
}
VALUES: list[Any] = [
    [{"diskIdentifier": "d", "n": 2**63}],
    None,
    True,
    "x",
    "",
    "12",
    "é\u2028",
    'q"',
    "\\",
    5,
    -1,
    2**63,
    -(2**63),
    2**80,
    0.5,
    1e300,
    2.0,
    [],
    {},
    [1, 2],
    {"a": "1"},
    {"a": 1},
    {"hashMap": {"a": "1", "b": "1e5", "c": "x", "d": "9" * 30, "e": "1e999"}},
    [{"name": "n", "hashMap": {"a": "2"}}],
    [{"cpuIdentifier": "c", "percentUsage": 1.5}, {"cpuIdentifier": "", "percentUsage": 2, "x": None}],
    [
        {"nicIdentifier": "a=b", "valuesAreSuspect": "true", "n": 3, "deep": {"er": [1, {"z": 2}]}},
        {"nicIdentifier": "a,b", "valuesAreSuspect": "false"},
    ],
    [{"diskIdentifier": "d", "hashMap": "7", "m": True}, 4, {"diskIdentifier": "e", "n": 1}],
    [[[[1]]]],
    [[]] * 70,
    "UTC+02:00",
    "UTC-99",
    "3GPP-FaultSupervision",
    "NORMAL",
    "CLEAR",
    {"ves.eventName": "mine", "k": "v"},
    {"syslog.ts": "mine"},
    {"k": "v", "cpu.percent": "2"},
    3.0,
    "4.0",
    "5.4.1",
    [{"name": "n", "value": "12"}, {"name": "n", "value": "x"}],
    [{"name": "7", "value": 3, "more": [{"name": "m", "value": "1"}]}, "5", 6, {"value": {"a": "1", "b": 2}}],
    [{"name": "a", "arrayOfFields": [{"name": "b", "value": "1e3"}, {"value": "2", "hashMap": {"c": "4"}}]}],
    [{"criticality": "MAJ", "thresholdCrossed": "t", "name": "n", "value": "1", "hashMap": {}}],
]
NAMES = [
    "timeZoneOffset",
    "nfVendorName",
    "sourceName",
    "internalHeaderFields",
    "sequence",
    "startEpochMicrosec",
    "eventType",
    "domain",
    "alarmAdditionalInformation",
    "alarmInterfaceA",
    "eventCategory",
    "eventSeverity",
    "alertAction",
    "additionalFields",
    "associatedAlertIdList",
    "interfaceName",
    "elementType",
    "syslogSev",
    "syslogFacility",
    "syslogPri",
    "syslogProcId",
    "syslogProc",
    "syslogSData",
    "syslogMsgHost",
    "cpuUsageArray",
    "nicPerformanceArray",
    "diskUsageArray",
    "additionalMeasurements",
    "additionalObjects",
    "concurrentSessions",
    "featureUsageArray",
    "measurementInterval",
    "ipmi",
    "requestRate",
    "data",
    "stndDefinedNamespace",
    "unknown",
    "version",
    "vesEventListenerVersion",
    "faultFieldsVersion",
    "additionalParameters",
    "vNicPerformanceArray",
    "measurementsForVfScalingFields",
    "measurementFields",
]
members = st.tuples(st.sampled_from(["header", "block", "event"]), st.sampled_from(NAMES), st.sampled_from(VALUES))
edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=3)), max_size=2)


def _event(domain: str, changes: list[tuple[str, str, Any]]) -> dict[str, Any]:
    name, block = BLOCKS[domain]
    event: dict[str, Any] = {"commonEventHeader": HEADER | {"domain": domain}, name: dict(block)}
    where = {"header": event["commonEventHeader"], "block": event[name], "event": event}
    for place, member, value in changes:
        where[place][member] = value
    return event


def _changed(edition: str, domain: str, changes: list[tuple[str, str, Any]]) -> dict[str, Any]:
    event = event_of(edition, domain)
    header, block = event.values()
    for place, member, value in changes:
        {"header": header, "block": block, "event": event}[place][member] = value
    return event


events = st.builds(_event, st.sampled_from([*BLOCKS]), st.lists(members, max_size=3)) | st.builds(
    _changed,
    st.sampled_from(EDITIONS),
    st.sampled_from(["fault", "thresholdCrossingAlert", "syslog", "measurement", "heartbeat", "other"]),
    st.lists(members, max_size=2),
)
spelt = st.tuples(events, st.booleans(), st.sampled_from([None, (",", ":")]), st.sampled_from([None, 1]))


def _spell(event: object, ascii_only: bool, separators: tuple[str, str] | None, indent: int | None) -> str:  # noqa: FBT001 - drawn
    return json.dumps(event, ensure_ascii=ascii_only, separators=separators, indent=indent)


@settings(deadline=None, max_examples=250)
@given(st.lists(spelt, max_size=5), st.sampled_from(["lines", "list", "list", "array"]), edits)
@example([(_event("fault", []), True, None, None)] * 3, "list", [])
def test_many_events_say_what_each_says_alone(
    drawn: list[tuple[object, bool, Any, int | None]], form: str, changes: list[tuple[int, int, bytes]]
) -> None:
    texts = [_spell(*one) for one in drawn]
    if form == "list":
        data = '{"eventList": [' + " ,\n".join(texts) + "\n]}"
    else:
        documents = [f'{{"event":{text}}}' for text in texts]
        data = "\n".join(documents) if form == "lines" else "[" + ",\n".join(documents) + "]"
    read_both_ways(mutated(data.encode("utf-8", "surrogatepass"), changes))


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(CASES), edits)
def test_damaged_files_say_what_each_event_says_alone(path: Path, changes: list[tuple[int, int, bytes]]) -> None:
    read_both_ways(mutated(path.read_bytes(), changes))


@pytest.mark.parametrize(
    ("plain", "spoilt"),
    [
        ('"eventId": "1"', '"eventId": "1", "eventId": "1"'),
        ('"eventId": "1"', '"eventId": "1", "\\u0065ventId": "1"'),
        ('"eventId": "1"', '"eventId": "\\u0022\\u0022", "eventId": "1"'),
        ('"eventId": "1"', '"eventId": "\\ud800"'),
        ('"eventId": "1"', '"eventId": "a\tb"'),
        ('"eventId": "1"', '"eventId": "1", "internalHeaderFields": ' + '{"a":' * 70 + "1" + "}" * 70),
        ('"sequence": 0', '"sequence": ' + "9" * 5000),
        ('"sequence": 0', '"sequence": NaN'),
        ('"sequence": 0', '"sequence": 0, "nfVendorName": null'),
        ('"sequence": 0', '"sequence": 1.0'),
        ('"event":', '"event":{},"event":'),
        ('"event":', '"extra":{},"event":'),
        ('"event":', '"extra":' + "[" * 300 + "]" * 300 + ',"event":'),
    ],
)
def test_what_json_leaves_open_is_not_plain(plain: str, spoilt: str) -> None:
    text = json.dumps({"event": _event("fault", [])})
    assert plain in text
    read_both_ways(f"{text}\n{text.replace(plain, spoilt, 1)}\n{text}".encode())
    batch = json.dumps({"eventList": [_event("fault", []), _event("measurement", [])] * 2})
    read_both_ways(batch.replace(plain, spoilt, 1).encode())
    read_both_ways(f'{batch.replace(plain, spoilt, 1)}\n{text}"'.encode())


@pytest.mark.parametrize("domain", [name for name in BLOCKS if name != "other"])
def test_common_events_need_no_second_look(domain: str) -> None:
    event = json.dumps(_event(domain, [])).encode()
    for text in (b'{"event":%b}', b'{"x":"v7","event":%b},\n', b'{"eventList":[%b]}'):
        document = plain_document(text % event)
        assert document is not None
        assert [bytes(one) for one in document.events] == [event]
        assert None not in [*plain_events([document])]


@pytest.mark.parametrize("domain", BLOCKS)
def test_an_event_with_any_member_says_what_it_says_alone(domain: str) -> None:
    events = [
        _event(domain, [(place, name, value)]) for place in ("header", "block") for name in NAMES for value in VALUES
    ]
    read_both_ways(json.dumps({"eventList": events}).encode())


def test_an_invalid_event_in_a_batch_is_found_on_its_line() -> None:
    good, bad = _event("fault", []), _event("fault", [("header", "sequence", "x")])
    data = json.dumps({"eventList": [good, good, bad, good, bad, good]}, indent=1)
    outcome = read_both_ways(data.encode())
    assert [line for _, _, line in outcome.codes()] == [3 + 2 * 23, 3 + 4 * 23]
    assert [row["ordinal"] for row in outcome.only("alarm_events")] == [0, 1, 3, 5]


def test_batches_end_where_they_would_without_columns() -> None:
    events = [_event(domain, []) for domain in ("measurement", "fault", "heartbeat", "heartbeat", "syslog")] * 4_000
    data = json.dumps({"eventList": events}).encode()
    assert read_both_ways(data).ordinals() == list(range(20_000))


@pytest.mark.data
def test_public_events_say_what_each_says_alone() -> None:
    for path in sorted(public_data("ves").glob("*.json")):
        read_both_ways(path.read_bytes())


@pytest.mark.parametrize("interval", [2**60 + 1, 10**400])
def test_an_interval_beyond_real_numbers_is_no_failure(interval: int) -> None:
    read_both_ways(
        json.dumps(
            {"event": _event("measurement", [("block", "measurementInterval", interval), ("block", "requestRate", 1)])}
        ).encode()
    )
