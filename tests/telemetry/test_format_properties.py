"""No bytes whatever make a format raise, and none of their facts is lost or counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from format_kit import Trickle, check_conservation, mutated, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping
from cellwright.telemetry.formats.pm_xml import PmXml
from cellwright.telemetry.formats.syslog import Syslog
from cellwright.telemetry.formats.ves import Ves

CASES = Path(__file__).parent.parent / "cases" / "telemetry"
MAPPING = load_mapping((CASES / "delimited" / "mapping.yaml").read_text(encoding="utf-8"), "mapping.yaml")
FORMATS = {"ves": Ves(), "pm-xml": PmXml(), "syslog": Syslog(), "delimited": Delimited(MAPPING)}
SEEDS = {
    name: [
        path.read_bytes()
        for path in sorted((CASES / name).iterdir())
        if path.suffix in {".json", ".xml", ".csv", ".log"}
    ]
    for name in FORMATS
}
FRAGMENTS = {
    "ves": [
        b'{"event":',
        b'"eventList":[',
        b'"commonEventHeader":{"domain":"measurement"}',
        b"\n{",
        b"}",
        b"]",
        b'"',
        b"\\",
        b"NaN",
        b"1e999",
        b'"hashMap":{"a":"1"}',
        b"[" * 80,
        b"9" * 400,
        b"\\ud800",
        b"\xff",
        b"null",
        b",",
    ],
    "pm-xml": [
        b"<r p='1'>",
        b"</r>",
        b"<r/>",
        b"<measResults>1 2 ",
        b"</measResults>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?",
        b"?>",
        b"&#32;",
        b"&amp;",
        b"&x;",
        b"<!DOCTYPE a [",
        b"]>",
        b"<x:r>",
        b"<",
        b">",
        b"\xff",
    ],
    "syslog": [b"\n", b"<34>1 ", b"- ", b'[a b="', b'"]', b"\\", b"\r\n", b"\0", b"Feb 29 10:00:00 h a: ", b"\xff"],
    "delimited": [b"\n", b",", b'"', b'""', b"\r\n", b"1", b"9" * 400, b"\0", b"\xff", b"nan", b"\xe2\x80\xa8"],
}

edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_damaged_files_conserve_every_fact(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    fragments = FRAGMENTS[name]
    chosen = [(at, length, fragments[which % len(fragments)]) for at, length, which in data.draw(edits)]
    check_conservation(FORMATS[name], mutated(seed, chosen))


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_files_cut_short_conserve_every_fact(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    check_conservation(FORMATS[name], seed[: data.draw(st.integers(0, len(seed)))])


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_any_bytes_conserve_every_fact(name: str, data: st.DataObject) -> None:
    pieces = st.one_of(st.sampled_from(FRAGMENTS[name]), st.binary(max_size=6))
    check_conservation(FORMATS[name], b"".join(data.draw(st.lists(pieces, max_size=30))))


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_read_does_not_depend_on_how_the_bytes_arrive(name: str) -> None:
    for seed in SEEDS[name]:
        assert read(FORMATS[name], seed, Trickle) == read(FORMATS[name], seed)


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_file_holds_nothing(name: str) -> None:
    assert check_conservation(FORMATS[name], b"").facts == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_detects_its_own_files_and_no_others(name: str) -> None:
    detected = {
        other: [FORMATS[name].detects(seed[: 1 << 16], "file") for seed in SEEDS[other] if seed.strip()]
        for other in FORMATS
    }
    assert any(detected.pop(name))
    assert not any(answer for answers in detected.values() for answer in answers)
