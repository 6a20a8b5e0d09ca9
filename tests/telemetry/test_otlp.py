from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from format_kit import Outcome, Trickle, check_conservation, mutated, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.otlp import Otlp
from cellwright.telemetry.formats.otlp_count import count_documents

CASES = sorted((Path(__file__).parent.parent / "cases" / "telemetry" / "otlp").glob("*.*json"))
SEEDS = [path.read_bytes() for path in CASES if ".expected" not in path.name]
FRAGMENTS = [
    b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[',
    b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[',
    b'{"resourceSpans":[',
    b'"bucketCounts":["1",2]',
    b'"sum":null',
    b'"zeroCount":"1"',
    b"{}",
    b"\n{",
    b"}",
    b"]",
    b"[",
    b'"',
    b"\\",
    b"NaN",
    b"1e999",
    b"[" * 80,
    b"9" * 5000,
    b"\\ud800",
    b"\xff",
    b"null",
    b",",
    b":",
]
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(FRAGMENTS)), max_size=4)
LOG = {"timeUnixNano": "1772323200000000001", "severityNumber": 9, "body": {"stringValue": "up"}}
POINT = {"timeUnixNano": "1772323200000000000", "asInt": "7"}


def _logs(*records: object, **around: object) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}], **around}]}


def _metrics(*metrics: object) -> dict[str, Any]:
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": list(metrics)}]}]}


def _read(*documents: object) -> Outcome:
    return check_conservation(Otlp(), "\n".join(json.dumps(document) for document in documents).encode())


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SEEDS), EDITS, st.integers(0, 10**6))
def test_damaged_files_conserve_every_fact(seed: bytes, edits: list[tuple[int, int, bytes]], cut: int) -> None:
    damaged = mutated(seed, edits)
    check_conservation(Otlp(), damaged if edits else damaged[: cut % (len(damaged) + 1)])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=30))
def test_any_bytes_conserve_every_fact(pieces: list[bytes]) -> None:
    check_conservation(Otlp(), b"".join(pieces))


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.builds(lambda v: {"stringValue": v}, st.text(st.characters(blacklist_categories=["Cs"]), max_size=5)),
        st.builds(lambda v: {"intValue": str(v)}, st.integers(-(2**63), 2**63 - 1)),
        st.builds(lambda v: {"boolValue": v}, st.booleans()),
        st.builds(lambda v: {"doubleValue": v}, st.floats(allow_nan=False, allow_infinity=False)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda v: {"arrayValue": {"values": v}}, st.lists(inner, max_size=3)),
        st.builds(lambda v: {"kvlistValue": {"values": [{"key": "k", "value": v}]}}, inner),
    ),
    max_leaves=4,
)
POINTS = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(0, 9),
        "sum": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.just("NaN"), st.just([1])),
        "min": st.sampled_from([1, None, "x", {}]),
        "max": st.sampled_from([1, None]),
        "zeroCount": st.sampled_from([1, "2", None]),
        "bucketCounts": st.lists(st.sampled_from([1, "2"]), max_size=3),
        "explicitBounds": st.lists(st.floats(0, 9), max_size=2),
        "positive": st.sampled_from([None, {"bucketCounts": ["1", 2]}, {"bucketCounts": []}, []]),
        "quantileValues": st.lists(st.sampled_from([{"quantile": 0.5, "value": 1}, {}, 3]), max_size=2),
        "attributes": st.lists(st.builds(lambda v: {"key": "a", "value": v}, VALUES), max_size=2),
        "asInt": st.sampled_from([1, "2", None, 2**70]),
        "asDouble": st.sampled_from([1.5, "NaN", None]),
        "flags": st.sampled_from([0, 1]),
    },
)
METRICS = st.builds(
    lambda kind, points: {"name": "m", kind: {"dataPoints": points}},
    st.sampled_from(["gauge", "sum", "histogram", "exponentialHistogram", "summary", "other"]),
    st.lists(st.one_of(POINTS, st.sampled_from([1, None, []])), max_size=4),
)
BODIES = st.builds(lambda value: LOG | {"body": value}, VALUES)
RECORDS = st.lists(st.one_of(BODIES, st.sampled_from([1, {}, None])), max_size=4)


@settings(deadline=None, max_examples=200)
@given(st.lists(METRICS, max_size=3), RECORDS, st.sampled_from([None, 1]))
def test_the_count_of_valid_json_needs_no_quarantine_of_the_rest(
    metrics: list[Any], records: list[Any], indent: int | None
) -> None:
    documents = [_metrics(*metrics), _logs(*records), _metrics(*metrics) | _logs(*records)]
    data = "\n".join(json.dumps(document, indent=indent) for document in documents).encode()
    outcome = check_conservation(Otlp(), data)
    assert "malformed-json" not in [code for code, _, _ in outcome.codes()]


def test_what_is_read_does_not_depend_on_how_the_bytes_arrive() -> None:
    for seed in SEEDS:
        assert repr(read(Otlp(), seed, Trickle)) == repr(read(Otlp(), seed))


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8))
def test_integers_of_64_bits_come_back_whether_text_or_number(numbers: list[int]) -> None:
    as_text = [POINT | {"asInt": str(number)} for number in numbers]
    as_number = [POINT | {"asInt": number} for number in numbers]
    for points in (as_text, as_number):
        rows = _read(_metrics({"name": "m", "gauge": {"dataPoints": points}})).rows.get("telemetry", [])
        assert [row["value_i64"] for row in rows] == numbers


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_buckets_are_counted_up_to_their_bound(counts: list[int]) -> None:
    bounds = [float(bound) for bound in range(len(counts) - 1)]
    point = {"count": sum(counts), "bucketCounts": [str(count) for count in counts], "explicitBounds": bounds}
    rows = _read(_metrics({"name": "m", "histogram": {"dataPoints": [point]}})).only("telemetry")
    buckets = [(dict(row["keys"])["le"], row["value_i64"]) for row in rows if row["path"] == "m_bucket"]
    assert buckets[-1] == ("+Inf", rows[0]["value_i64"])
    assert [value for _, value in buckets] == [sum(counts[: place + 1]) for place in range(len(counts))]


@pytest.mark.parametrize(
    ("given_severity", "number"),
    [
        ({"severityNumber": 17}, 17),
        ({"severityNumber": "SEVERITY_NUMBER_ERROR"}, 17),
        ({"severityNumber": 0, "severityText": "WARN2"}, 14),
        ({"severityText": "notice"}, None),
        ({"severityNumber": "24"}, 24),
    ],
)
def test_severities_are_opentelemetry_numbers(given_severity: dict[str, object], number: int | None) -> None:
    record = {key: value for key, value in LOG.items() if key != "severityNumber"}
    (row,) = _read(_logs(record | given_severity)).only("logs")
    assert row["severity_number"] == number


def test_a_document_cut_anywhere_keeps_every_complete_record() -> None:
    whole = json.dumps(_logs(*(LOG | {"eventName": str(number)} for number in range(4)))).encode()
    kept = [len(check_conservation(Otlp(), whole[:cut]).rows.get("logs", [])) for cut in range(0, len(whole), 31)]
    assert kept == sorted(kept)
    assert kept[-1] >= 3


def test_a_damaged_line_does_not_reach_the_next() -> None:
    line = json.dumps(_logs(LOG)).encode()
    outcome = check_conservation(Otlp(), b"\n".join([line, line[:90], line, b"}{", line]))
    assert len(outcome.only("logs")) == 3
    assert [line for _, _, line in outcome.codes()] == [2, 4]


def test_the_count_does_not_come_from_the_parser() -> None:
    assert count_documents(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{},{"a":[1,2]},5') == 4
    point = b'{"count":"3","sum":1,"min":null,"bucketCounts":["1","2"]}'
    around = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":['
    assert count_documents(around + point) == 4


def test_only_files_of_the_protocol_are_detected() -> None:
    assert Otlp().detects(b' [\n{"resourceLogs":[', "x")
    assert not Otlp().detects(b'{"event":{"resourceLogs":[]}}', "x")
    assert not Otlp().detects(b'"resourceLogs"', "x")


@pytest.mark.parametrize("piece", [b'"\\', b'{"a":"\\"', b'{"resourceLogs":[\n', b"5 ", b"[{", b'"a":'])
def test_the_time_to_refuse_a_hostile_file_grows_with_its_length_only(piece: bytes) -> None:
    """A quadratic pattern would run into the time limit of the tests."""
    data = piece * 30_000
    assert not check_conservation(Otlp(), data).rows
    assert not Otlp().detects(b"[" + data[: 1 << 16], "x") or b"resourceLogs" in piece
