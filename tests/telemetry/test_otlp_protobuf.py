"""OTLP in protobuf becomes the JSON that OTLP has for it; damaged bytes are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.telemetry.listeners.otlp_protobuf import MalformedError, as_json

# Made with the protocol's own Python classes (opentelemetry-proto), an encoder that is not ours.
LOGS = bytes.fromhex(
    "0aaa010a290a150a0c736572766963652e6e616d6512050a03616d660a100a016e120b18fbffffffffffffffff01127a0a060a01731201"
    "311270090180d6b3d9b5981810111a054552524f522a21321f0a1d0a016112182a160a0921000000000000f83f0a0210010a053a037879"
    "7a320c0a016b12070a05636166c3a945010000004a10000102030405060708090a0b0c0d0e0f52080001020304050607590280d6b3d9b5"
    "98186201651a0175"
)
METRICS = bytes.fromhex(
    "0abc020a0012b7020a030a016d123b0a01671a0242792a320a1c1905000000000000002100000000000004403a080a017812030a01790a"
    "1219060000000000000031f9ffffffffffffff12260a01733a210a1b110100000000000000190500000000000000310900000000000000"
    "1002180112620a01684a5d0a59190500000000000000210600000000000000290000000000001e40321801000000000000000200000000"
    "00000003000000000000003a10000000000000e03f000000000000f03f599a9999999999b93f6100000000000008401001122f0a016552"
    "2a0a26190500000000000000210600000000000000300339010000000000000042070805120301c801100212360a01715a310a2f190500"
    "00000000000021060000000000000029000000000000f03f321209000000000000e03f110000000000000040"
)
KINDS = {"ExportLogsServiceRequest": LOGS, "ExportMetricsServiceRequest": METRICS}


def test_logs_come_out_with_ids_in_hexadecimal_and_long_numbers_as_text() -> None:
    ((resource,),) = as_json("ExportLogsServiceRequest", LOGS).values()
    (scope,) = resource["scopeLogs"]
    (record,) = scope["logRecords"]
    assert resource["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "amf"}},
        {"key": "n", "value": {"intValue": "-5"}},
    ]
    assert (record["timeUnixNano"], record["severityNumber"], record["severityText"]) == (
        "1772366400000000001",
        17,
        "ERROR",
    )
    assert (record["traceId"], record["spanId"]) == ("000102030405060708090a0b0c0d0e0f", "0001020304050607")
    array = record["body"]["kvlistValue"]["values"][0]["value"]["arrayValue"]["values"]
    assert array == [{"doubleValue": 1.5}, {"boolValue": True}, {"bytesValue": "eHl6"}]


def test_metrics_of_all_kinds_come_out() -> None:
    ((resource,),) = as_json("ExportMetricsServiceRequest", METRICS).values()
    found = {metric["name"]: metric for metric in resource["scopeMetrics"][0]["metrics"]}
    assert [point.get("asDouble", point.get("asInt")) for point in found["g"]["gauge"]["dataPoints"]] == [2.5, "-7"]
    assert found["s"]["sum"]["isMonotonic"] is True
    histogram = found["h"]["histogram"]["dataPoints"][0]
    assert (histogram["bucketCounts"], histogram["explicitBounds"]) == (["1", "2", "3"], [0.5, 1.0])
    exponential = found["e"]["exponentialHistogram"]["dataPoints"][0]
    assert (exponential["scale"], exponential["positive"]) == (-2, {"offset": -3, "bucketCounts": ["1", "200"]})
    assert found["q"]["summary"]["dataPoints"][0]["quantileValues"] == [{"quantile": 0.5, "value": 2.0}]


def test_what_is_no_number_is_written_as_the_mapping_says() -> None:
    nan = b"\x21" + bytes.fromhex("000000000000f87f")
    infinite = b"\x21" + bytes.fromhex("000000000000f0ff")
    gauges = [b"\x2a" + bytes([len(point) + 2]) + b"\x0a" + bytes([len(point)]) + point for point in (nan, infinite)]
    metrics = b"".join(b"\x12" + bytes([len(gauge)]) + gauge for gauge in gauges)
    scope = b"\x12" + bytes([len(metrics)]) + metrics
    request = b"\x0a" + bytes([len(scope)]) + scope
    ((resource,),) = as_json("ExportMetricsServiceRequest", request).values()
    points = [metric["gauge"]["dataPoints"][0]["asDouble"] for metric in resource["scopeMetrics"][0]["metrics"]]
    assert points == ["NaN", "-Infinity"]


def test_unknown_fields_are_skipped() -> None:
    assert as_json("Resource", b"\x18\x05" + b"\xaa\x06\x02hi" + b"\x10\x07") == {"droppedAttributesCount": 7}


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_damaged_bytes_are_refused_or_read_and_never_anything_else(kind: str, data: st.DataObject) -> None:
    raw = bytearray(KINDS[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for bytes_ in (bytes(raw), bytes(raw[:cut])):
        try:
            json.dumps(as_json(kind, bytes_), allow_nan=False)
        except MalformedError:
            continue


def test_values_within_values_have_an_end() -> None:
    value = b"\x0a\x01x"
    for _ in range(60):
        array = b"\x0a" + _length(value) + value
        value = b"\x2a" + _length(array) + array
    with pytest.raises(MalformedError):
        as_json("AnyValue", value)


def _length(data: bytes) -> bytes:
    size, out = len(data), bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])
