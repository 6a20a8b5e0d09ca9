from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from typing import Any

import pytest
from format_kit import check_conservation, public_data, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.instants import read_duration_s, read_instant
from cellwright.telemetry.formats.names import class_of, join_dn, rdn, split_counter
from cellwright.telemetry.formats.pm_count import ValueCounter
from cellwright.telemetry.formats.pm_values import Value, read_value
from cellwright.telemetry.formats.pm_xml import PmXml

MARKUP = [
    b"<r>",
    b"<a:r p='1'/>",
    b"<rr>",
    b"<measResults>",
    b"</measResults>",
    b"<measResults a='>'>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?",
    b"?>",
    b" 12 ",
    b"&#32;",
    b"x",
    b"<",
    b">",
    b"-",
    b"]",
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Value(i64=0)),
        (" -7 ", Value(i64=-7)),
        ("+7", Value(i64=7)),
        ("007", Value(i64=7)),
        ("9223372036854775807", Value(i64=2**63 - 1)),
        ("9223372036854775808", Value(f64=2.0**63, flag="beyond-int64")),
        ("1.5", Value(f64=1.5)),
        (".5e-3", Value(f64=0.0005)),
        ("1,2,3", Value(vec=(1, 2, 3))),
        (" , 4 ,", Value(vec=(None, 4, None))),
        ("", Value(null_reason="blank")),
        ("\n ", Value(null_reason="blank")),
        ("NIL", Value(null_reason="nil")),
        ("null", Value(null_reason="nil")),
        ("NaN", Value(null_reason="nan")),
        ("1,x", None),
        ("1,2.5", None),
        ("1e999", None),
        ("9" * 5000, None),
        ("1_000", None),
        ("\u0661", None),
        ("0x10", None),
        ("inf", None),
    ],
)
def test_a_value_is_read_as_what_it_says(text: str, value: Value | None) -> None:
    assert read_value(text) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_of_64_bits_survives(number: int) -> None:
    assert read_value(str(number)) == Value(i64=number)


@given(st.text())
def test_any_text_is_a_value_or_none(text: str) -> None:
    value = read_value(text)
    assert value is None or sum(part is not None for part in value[:4]) == 1


@pytest.mark.parametrize(
    ("text", "us", "offset_s"),
    [
        ("2022-04-18T19:15:00+00:00", 1_650_309_300_000_000, 0),
        ("2022-04-18T19:15:00Z", 1_650_309_300_000_000, 0),
        ("2022-04-18T20:15:00+0100", 1_650_309_300_000_000, 3600),
        ("2022-04-18T14:45:00.5-04:30", 1_650_309_300_500_000, -16_200),
        ("2022-04-18T19:15:00", 1_650_309_300_000_000, None),
        ("2022-04-18T24:00:00+02:00", 1_650_319_200_000_000, 7200),
    ],
)
def test_offsets_with_and_without_colon_are_read(text: str, us: int, offset_s: int | None) -> None:
    assert read_instant(text) == (us, offset_s)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xyz",
        "2022-04-18",
        "9999-12-31T24:00:00Z",
        "2022-04-18T24:00:01Z",
        "2022-13-01T00:00:00Z",
        "2022-04-18T19:15:00+99:00",
        "0001-01-01T00:00:00+05:00",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read_instant(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT900S", 900),
        ("PT15M", 900),
        ("PT1H30M", 5400),
        ("P1DT1S", 86_401),
        ("PT0.5S", 0.5),
        ("P0Y0M0DT0H15M0.000S", 900),
        ("P1M", None),
        ("", None),
        ("P", None),
        ("PT", None),
        ("PT0S", None),
        ("900", None),
        ("PT" + "9" * 400 + "S", None),
    ],
)
def test_durations_are_seconds(text: str, seconds: float | None) -> None:
    assert read_duration_s(text) == seconds


def test_names_are_joined_split_and_escaped() -> None:
    assert join_dn("SubNetwork=1", "", "ManagedElement=2") == "SubNetwork=1,ManagedElement=2"
    assert join_dn("", None) is None
    assert rdn("port", "a,b") == r"port=a\,b"
    assert rdn("port", "Port=1") == "Port=1"
    assert class_of(r"A=1,B=x\,C=2") == "B"
    assert class_of("nothing") is None
    assert split_counter("DRB.AirIfDelayDl.01") == ("DRB.AirIfDelayDl", "01")
    assert split_counter("L.Thrp.bits.DL") == ("L.Thrp.bits.DL", None)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MARKUP), max_size=25), st.integers(4, 9))
def test_values_are_counted_the_same_in_pieces(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    whole, pieces = ValueCounter(), ValueCounter()
    whole.feed(data)
    for start in range(0, len(data), size):
        pieces.feed(data[start : start + size])
    assert pieces.close() == whole.close()


def test_memory_does_not_grow_with_the_file() -> None:
    """A long file is read in batches, and what is settled is let go."""
    value = b'<measValue measObjLdn="A=1">' + b'<r p="1">1</r>' * 100 + b"</measValue>"
    head = b'<measCollecFile><measData><measInfo><measType p="1">X</measType>'
    data = head + value * 2000 + b"</measInfo></measData></measCollecFile>"
    batches = list(PmXml().parse(io.BytesIO(data)))
    assert len(batches) > 2
    assert sum(batch.tables["pm_counters"].num_rows for batch in batches) == 200_000


def test_what_follows_a_break_is_kept_as_it_was() -> None:
    good = b'<measCollecFile><measData><measInfo><measType p="1">X</measType><measValue><r p="1">1</r></measValue>'
    outcome = check_conservation(PmXml(), good + b'<measValue><r p="1">2</r></oops><r p="1">3</r>')
    assert outcome.codes() == [("malformed-xml", 2, 1)]
    assert outcome.quarantined[0].raw.endswith(b'<measValue><r p="1">2</r></oops><r p="1">3</r>')


def _file(types: str, values: str) -> bytes:
    return (
        '<measCollecFile><measData><managedElement localDn="ManagedElement=1"/><measInfo>'
        '<granPeriod duration="P0Y0M0DT0H15M0.000S" endTime="2026-03-01T24:00:00Z"/>'
        f'{types}<measValue measObjLdn="Cell=1">{values}</measValue></measInfo></measData></measCollecFile>'
    ).encode()


@pytest.mark.parametrize(
    ("word", "suspect"),
    [("true", True), (" TRUE\n", True), ("1", True), ("false", False), ("0", False), ("", False), ("maybe", None)],
)
def test_a_doubt_is_read_in_any_case_and_a_word_for_neither_stays_open(word: str, suspect: object) -> None:
    data = _file('<measType p="1">A</measType>', f'<r p="1">5</r><suspect>{word}</suspect>')
    (row,) = check_conservation(PmXml(), data).only("pm_counters")
    assert row["suspect"] is suspect
    assert row["dq_flags"] == (["unreadable-suspect"] if suspect is None else [])


def test_values_of_a_position_with_two_names_are_set_aside_and_the_others_kept() -> None:
    types = '<measType p="1">A</measType><measType p="1">B</measType><measType p="2">C</measType>'
    outcome = check_conservation(PmXml(), _file(types, '<r p="1">5</r><r p="2">6</r>'))
    assert outcome.codes() == [("ambiguous-position", 1, 1)]
    assert [(row["counter"], row["value_i64"]) for row in outcome.only("pm_counters")] == [("C", 6)]
    listed = check_conservation(PmXml(), _file(types, "<measResults>5 6 7</measResults>"))
    assert [code for code, _, _ in listed.codes()] == ["ambiguous-position"] * 3


def test_the_end_of_a_day_and_durations_in_full_are_read() -> None:
    data = _file('<measType p="1">A</measType>', '<r p="1">5</r>')
    (row,) = check_conservation(PmXml(), data).only("pm_counters")
    assert (row["gran_s"], row["end_ts"].isoformat()) == (900, "2026-03-02T00:00:00+00:00")
    assert row["dq_flags"] == []


@pytest.mark.data
def test_an_ericsson_file_has_every_value_vector_blank_and_doubt() -> None:
    data = public_data("pm/A20220418.1900-1915_seliitdus00487.xml").read_bytes()
    rows = check_conservation(PmXml(), data).only("pm_counters")
    assert len(rows) == 2667
    assert sum(row["vec"] is not None for row in rows) == 409
    assert sum(row["null_reason"] == "blank" for row in rows) == 27
    assert len({(row["obj_ldn"], row["meas_info_id"]) for row in rows if row["suspect"]}) == 2
    assert len({row["counter"] for row in rows}) == 810


@pytest.mark.data
def test_another_implementation_reads_the_same_values() -> None:
    rows = check_conservation(PmXml(), public_data("pm/A20230515.0700_0100-0715_0100_GNODEB-0.xml").read_bytes()).only(
        "pm_counters"
    )
    oracle = json.loads(public_data("pm/A20230515.0700_0100-0715_0100_GNODEB-0.ranpm.json").read_text(encoding="utf-8"))
    ours = Counter((row["meas_info_id"], row["obj_ldn"], row["counter"], _text(row)) for row in rows)
    assert ours == Counter(_oracle_values(oracle["event"]["perf3gppFields"]["measDataCollection"]))
    assert {row["utc_offset_s"] for row in rows} == {3600}


def _text(row: dict[str, Any]) -> str:
    if row["vec"] is not None:
        return ",".join("" if member is None else str(member) for member in row["vec"])
    return "" if row["null_reason"] else str(row["value_i64"])


def _oracle_values(collection: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (
            info["measInfoId"]["sMeasInfoId"],
            values["measObjInstId"],
            info["measTypes"]["sMeasTypesList"][result["p"] - 1],
            ",".join(part.strip() for part in result["sValue"].split(",")),
        )
        for info in collection["measInfoList"]
        for values in info["measValuesList"]
        for result in values["measResults"]
    ]


@pytest.mark.data
def test_both_encodings_of_a_nokia_file_are_read_and_its_comments_are_not() -> None:
    data = gzip.decompress(public_data("pm/E_VES_bulkPM_IF_3GPP_3_example_1.xml.gz").read_bytes())
    outcome = check_conservation(PmXml(), data)
    rows = outcome.only("pm_counters")
    assert (len(rows), outcome.quarantined) == (92, [])
    assert [row["value_i64"] for row in rows[:3]] == [1, 2, 3]
    assert {row["ne_dn"] for row in rows} == {None}


@pytest.mark.data
def test_a_file_that_is_not_well_formed_is_set_aside_whole() -> None:
    data = public_data("pm/D20241211.0934_keysight_not_well_formed.xml").read_bytes()
    outcome = check_conservation(PmXml(), data)
    assert outcome.rows == {}
    assert outcome.codes() == [("malformed-xml", data.count(b"<r "), 2)]
    assert outcome.quarantined[0].raw == data


@pytest.mark.data
def test_the_values_of_that_file_are_read_once_its_declaration_stands_first() -> None:
    lines = public_data("pm/D20241211.0934_keysight_not_well_formed.xml").read_bytes().split(b"\n")
    outcome = read(PmXml(), b"\n".join([lines[1].strip(), lines[0].strip(), *lines[2:]]))
    assert len(outcome.only("pm_counters")) + sum(item.facts for item in outcome.quarantined) == outcome.facts
