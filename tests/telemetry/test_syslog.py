from __future__ import annotations

import pytest
from format_kit import check_conservation, public_data
from hypothesis import given
from hypothesis import strategies as st

from cellwright.telemetry.formats.severities import split_priority
from cellwright.telemetry.formats.syslog import Syslog, read_line


@pytest.mark.parametrize(("severity", "number"), [*enumerate([21, 19, 18, 17, 13, 10, 9, 5])])
def test_severities_are_those_of_opentelemetry(severity: int, number: int) -> None:
    assert split_priority(20 * 8 + severity) == (20, number)


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters='"\\]\n\r\0')))
def test_what_structured_data_says_comes_back(value: str) -> None:
    row = read_line(f'<14>1 2026-03-01T00:00:00Z h a p m [x@1 k="{value}"] body'.encode())
    assert row is not None
    assert row["attributes"] == [("x@1.k", value)]
    assert row["body"] == "body"


def test_a_file_whose_first_line_is_damaged_is_known_by_the_next() -> None:
    data = b"14:15 h su: the end of a line\n<34>Oct 11 22:14:15 h su: whole\n"
    assert Syslog().detects(data, "messages")
    assert check_conservation(Syslog(), data).codes() == [("not-syslog", 1, 1)]


@given(st.binary())
def test_any_line_is_a_record_or_none(raw: bytes) -> None:
    row = read_line(raw)
    assert row is None or "body" in row


def test_a_long_line_of_brackets_is_answered_at_once() -> None:
    """The pattern of an element must not try every way to read it."""
    assert read_line(b'<14>1 2026-03-01T00:00:00Z h a p m [x@1 k="' + b'\\"' * 100_000) is None


@pytest.mark.data
@pytest.mark.parametrize(("name", "records"), [("Linux_2k", 2000), ("OpenSSH_2k", 2000), ("OpenStack_2k", 0)])
def test_public_logs_are_read_where_they_are_syslog(name: str, records: int) -> None:
    data = public_data(f"logs/{name}.log").read_bytes()
    outcome = check_conservation(Syslog(), data)
    assert (len(outcome.only("logs")), outcome.facts) == (records, 2000)
    assert Syslog().detects(data[: 1 << 16], name) == bool(records)
