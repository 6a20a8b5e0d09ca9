from __future__ import annotations

import io
import ipaddress
import json
from typing import TYPE_CHECKING, Any

import pytest
from format_kit import Outcome, check_conservation, public_data

from cellwright.telemetry.formats.ves import Ves
from cellwright.telemetry.formats.ves_count import count_documents
from cellwright.telemetry.formats.ves_documents import split_pieces
from cellwright.telemetry.formats.ves_header import read_offset_s

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def _event(**changes: object) -> dict[str, Any]:
    return {"commonEventHeader": HEADER | changes, "faultFields": FAULT}


def _measurement(**fields: object) -> dict[str, Any]:
    block = {"measurementFieldsVersion": "4.0", "measurementInterval": 60}
    return {"commonEventHeader": HEADER | {"domain": "measurement"}, "measurementFields": block | fields}


def _read(*documents: object) -> Outcome:
    return check_conservation(Ves(), "\n".join(json.dumps(document) for document in documents).encode())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("UTC-05:30", -19_800),
        ("+0100", 3600),
        ("UTC+2", 7200),
        ("UTC", 0),
        ("UTC+05:00", 18_000),
        ("UTC+99", None),
        ("Europe/Berlin", None),
    ],
)
def test_offsets_of_the_header_are_read(text: str, seconds: int | None) -> None:
    assert read_offset_s(text) == seconds


def test_batches_singles_and_lines_say_the_same() -> None:
    events = [_event(eventId=str(number)) for number in range(3)]
    single = [row["alarm_id"] for row in _read(*({"event": event} for event in events)).only("alarm_events")]
    batch = [row["alarm_id"] for row in _read({"eventList": events}).only("alarm_events")]
    array = [row["alarm_id"] for row in _read([{"event": event} for event in events]).only("alarm_events")]
    assert single == batch == array == ["0", "1", "2"]


def test_a_batch_cut_anywhere_keeps_every_complete_event() -> None:
    whole = json.dumps({"eventList": [_event(eventId=str(number)) for number in range(4)]}).encode()
    kept = [
        len(check_conservation(Ves(), whole[:cut]).rows.get("alarm_events", [])) for cut in range(0, len(whole), 97)
    ]
    assert kept == sorted(kept)
    assert kept[-1] >= 3


def test_a_batch_without_its_end_is_reported_though_no_event_is_missing() -> None:
    outcome = check_conservation(Ves(), json.dumps({"eventList": [_event()]}).encode()[:-2])
    assert len(outcome.only("alarm_events")) == 1
    assert outcome.codes() == [("malformed-json", 0, 1)]


def test_a_damaged_line_does_not_reach_the_next() -> None:
    line = json.dumps({"event": _event()}).encode()
    outcome = check_conservation(Ves(), b"\n".join([line, line[:200], line, b"}{", line]))
    assert len(outcome.only("alarm_events")) == 3
    assert [code for code, _, _ in outcome.codes()] == ["malformed-json", "malformed-json"]


def test_every_number_of_a_measurement_is_a_fact() -> None:
    outcome = _read(
        {"event": _measurement(concurrentSessions=3, cpuUsageArray=[{"cpuIdentifier": "1", "percentUsage": 2.5}])}
    )
    assert outcome.facts == 3
    assert {row["counter"]: row["value_i64"] or row["value_f64"] for row in outcome.only("pm_counters")} == {
        "concurrentSessions": 3,
        "cpuUsageArray.percentUsage": 2.5,
    }


def test_an_invalid_measurement_keeps_its_number_of_facts() -> None:
    event = _measurement(cpuUsageArray=[{"cpuIdle": 1, "cpuWait": 2}])
    assert [facts for _, facts, _ in _read({"eventList": [event]}).codes()] == [3]


def test_integers_beyond_64_bits_are_flagged_and_beyond_floats_are_null() -> None:
    rows = _read({"event": _measurement(concurrentSessions=2**64, additionalFields={"x": "1e999"})}).only("pm_counters")
    assert [(row["value_f64"], row["dq_flags"], row["null_reason"]) for row in rows] == [
        (2.0**64, ["beyond-int64"], None),
        (None, [], "beyond-range"),
    ]


@pytest.mark.parametrize("moment", [10**18, 10**400, -1, True, "1", None, 1e300])
def test_a_time_that_no_calendar_has_is_refused(moment: object) -> None:
    assert _read({"event": _event(startEpochMicrosec=moment)}).codes()[0][0] in {"wrong-type", "wrong-value"}


@pytest.mark.parametrize("depth", [100, 900, 5_000, 200_000])
def test_deep_nesting_is_refused_without_a_stack_overflow(depth: int) -> None:
    deep = '{"event":{"commonEventHeader":' + "[" * depth + "]" * depth + "}}"
    good = json.dumps({"event": _event()})
    outcome = check_conservation(Ves(), f"{deep}\n{good}".encode())
    assert (outcome.facts, len(outcome.only("alarm_events"))) == (2, 1)


def test_lines_are_cut_the_same_however_the_stream_arrives() -> None:
    data = b"\n".join(json.dumps({"event": _event(eventId=str(number))}).encode() for number in range(9))

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 5, 5))

    assert [*split_pieces(Slow(data))] == [*split_pieces(io.BytesIO(data))]
    assert len([*split_pieces(io.BytesIO(data))]) == 9


def test_escaped_names_are_the_same_names() -> None:
    text = json.dumps({"event": _measurement()}).replace("measurementFields", "measurement\\u0046ields").encode()
    assert count_documents(text) == check_conservation(Ves(), text).facts == 1


def _accepts(schema: dict[str, Any], value: object, definitions: dict[str, Any]) -> bool:
    """Answer for the part of JSON Schema draft 4 that the ONAP schema uses."""
    if "$ref" in schema:
        return _accepts(definitions[schema["$ref"].rpartition("/")[2]], value, definitions)
    if "oneOf" in schema:
        return sum(_accepts(option, value, definitions) for option in schema["oneOf"]) == 1
    types = {"string": str, "object": dict, "array": list, "integer": int, "number": (int, float)}
    if "type" in schema and (not isinstance(value, types[schema["type"]]) or isinstance(value, bool)):
        return False
    if value not in schema.get("enum", [value]):
        return False
    if isinstance(value, str) and schema.get("format") in {"ipv4", "ipv6"}:
        return _is_address(value, schema["format"])
    return all(_accepts(part, item, definitions) for part, item in _parts(schema, value))


def _parts(schema: dict[str, Any], value: object) -> Iterator[tuple[dict[str, Any], object]]:
    """Yield (schema, value) of what stands inside a list or an object; `nothing` accepts no value."""
    if isinstance(value, list):
        yield from ((schema.get("items", {}), item) for item in value)
    if isinstance(value, dict):
        nothing: dict[str, Any] = {"enum": []}
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties", {})
        for name, item in value.items():
            yield properties.get(name, nothing if extra is False else extra), item
        yield from ((nothing, None) for name in schema.get("required", []) if name not in value)


def _is_address(text: str, family: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == int(family[-1])
    except ValueError:
        return False


@pytest.mark.data
def test_events_are_accepted_and_refused_as_the_schema_of_onap_does() -> None:
    schema = json.loads(public_data("ves/CommonEventFormat_30.2.1_ONAP.json").read_text(encoding="utf-8"))
    files = [
        path for path in sorted(public_data("ves").glob("*.json")) if not path.name.startswith("CommonEventFormat")
    ]
    assert files
    for path in files:
        outcome = check_conservation(Ves(), path.read_bytes())
        document = json.loads(path.read_text(encoding="utf-8"))
        assert (not outcome.quarantined) == _accepts(schema, document, schema["definitions"]), path.name


@pytest.mark.data
@pytest.mark.parametrize(
    "change",
    [
        {"sequence": "1"},
        {"sequence": 1.5},
        {"priority": "high"},
        {"version": "3.0"},
        {"vesEventListenerVersion": "5.4"},
        {"unknown": 1},
        {"eventId": 5},
        {"domain": "faults"},
        {"startEpochMicrosec": "1"},
        {"internalHeaderFields": {"a": 1}},
        {"timeZoneOffset": 1},
        {"nfVendorName": "x"},
    ],
)
def test_headers_are_accepted_and_refused_as_the_schema_of_onap_does(change: dict[str, Any]) -> None:
    schema = json.loads(public_data("ves/CommonEventFormat_30.2.1_ONAP.json").read_text(encoding="utf-8"))
    document = {"event": _event(**change)}
    assert (not _read(document).quarantined) == _accepts(schema, document, schema["definitions"])


@pytest.mark.parametrize("hostile", [b"[", b'["a",', b'{"a":[', b'{"', b'["a\\"",', b'{"hashMap":{"a":'])
def test_what_never_ends_is_counted_in_one_go(hostile: bytes) -> None:
    assert Ves().count_facts(io.BytesIO(b'{"event":{"measurementFields":' + hostile * 50_000)) == 1


def test_an_unterminated_text_is_counted_in_one_go() -> None:
    assert Ves().count_facts(io.BytesIO(b'"\\' * 300_000)) == 1
