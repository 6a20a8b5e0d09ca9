from __future__ import annotations

import pyarrow as pa
import pytest
from alarm_tables import ENVELOPE, at
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.ledger import Reference
from cellwright.digest.logs import Level, lines_of, read_lines
from cellwright.lake.schema import TABLES

SCHEMA = TABLES["logs"]


def log_table(rows: list[dict[str, object]]) -> pa.Table:
    full = [{**dict.fromkeys(SCHEMA.names), **ENVELOPE, "ordinal": place, **row} for place, row in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=SCHEMA)


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-01-05T12:00:00.123Z ",
        "2026-01-05 12:00:00,123 ",
        "2026-01-05 12:00:00.123+01:00 ",
        "Jan  5 12:00:00 ",
        "[Mon Jan 05 12:00:00 2026] ",
        "26/01/05 12:00:00 ",
        "05/Jan/2026 12:00:00 - ",
        "[12:00:00] ",
        "10:00:00 PM ",
        "[ 3449.257924] ",
        "<189>12: Jan  5 12:00:00.123: ",
        "",
    ],
)
def test_stamps_are_no_part_of_what_a_line_says(stamp: str) -> None:
    assert read_lines(f"{stamp}link 7 is down").texts == ("link 7 is down",)


@pytest.mark.parametrize("text", ["5 failed, 20 passed", "10.0.0.1 is gone", "3:4 error", "12 of 20:30", "[7] job"])
def test_other_numbers_are(text: str) -> None:
    assert read_lines(text).texts == (text,)


def test_terminal_codes_progress_and_blank_lines_are_left_out_and_ordinals_count_all_lines() -> None:
    lines = read_lines("\x1b[31mred\x1b[0m\n\n  \n10%\r100%\r\nlast\x00\n", "f1")
    assert lines.texts == ("red", "10%", "100%", "last")
    assert lines.references == (Reference("f1", 0), Reference("f1", 3), Reference("f1", 3), Reference("f1", 4))


def test_rows_of_the_lake_come_by_time_with_level_and_application() -> None:
    lines = lines_of(
        log_table(
            [
                {"ts": at(2), "body": "late", "severity_number": 17},
                {"body": "untimed", "severity_number": 24},
                {"ts": at(1), "body": "early\n  at once ", "app": "smf", "severity_number": 13},
                {"ts": at(3), "body": "amf: said", "app": "amf", "severity_number": 9},
                {"ts": at(4), "body": None, "app": "amf"},
            ]
        )
    )
    assert lines.texts == ("smf: early", "at once", "late", "amf: said", "untimed")
    assert lines.instants == (at(1), at(1), at(2), at(3), None)
    assert lines.levels == (Level.WARNING, Level.WARNING, Level.ERROR, Level.NONE, Level.FATAL)
    assert [each.ordinal for each in lines.references] == [2, 2, 0, 3, 1]


@given(st.text())
def test_any_text_reads_and_no_line_holds_a_break_or_a_blank_at_its_ends(text: str) -> None:
    for said in read_lines(text).texts:
        assert said
        assert said == said.strip()
        assert not set(said) & set("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x1b")


def test_no_lines_are_no_lines() -> None:
    assert len(read_lines("")) == len(lines_of(log_table([]))) == 0
