"""Rows that cannot be true are marked, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from cellwright.lake.schema import FACTS
from cellwright.telemetry.quality_flags import flagged

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def rows(table: str, *values: dict[str, Any]) -> pa.RecordBatch:
    common = {"ordinal": 0, "dq_flags": [], "counter": "c", "path": "p", "origin": "o"}
    return pa.RecordBatch.from_pylist([common | each for each in values], schema=FACTS[table])


def flags(table: str, *values: dict[str, Any]) -> list[list[str]]:
    return flagged(table, rows(table, *values), NOON)["dq_flags"].to_pylist()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("pm_counters", "end_ts"),
        ("alarm_events", "event_ts"),
        ("logs", "ts"),
        ("flows", "export_ts"),
        ("telemetry", "ts"),
    ],
)
def test_a_time_to_come_is_marked_beyond_what_clocks_differ(table: str, column: str) -> None:
    within, beyond = NOON + timedelta(minutes=5), NOON + timedelta(minutes=5, microseconds=1)
    assert flags(table, {column: within}, {column: beyond}, {column: None}) == [[], ["future-time"], []]


def test_a_period_that_does_not_last_is_marked() -> None:
    assert flags(
        "pm_counters",
        {"begin_ts": NOON - QUARTER, "end_ts": NOON},
        {"begin_ts": NOON, "end_ts": NOON},
        {"begin_ts": NOON, "end_ts": None},
    ) == [[], ["period-reversed"], []]
    assert flags(
        "flows",
        {"flowStartMicroseconds": NOON, "flowEndMicroseconds": NOON},
        {"flowStartMicroseconds": NOON, "flowEndMicroseconds": NOON - QUARTER},
    ) == [[], ["period-reversed"]]


@pytest.mark.parametrize("table", ["pm_counters", "telemetry"])
def test_values_beyond_their_unit_are_marked(table: str) -> None:
    assert flags(
        table,
        {"value_f64": 100.0, "unit": "%"},
        {"value_f64": 100.5, "unit": "%"},
        {"value_i64": -1, "unit": "%"},
        {"value_i64": 101, "unit": "1"},
        {"value_f64": float("nan")},
        {"value_f64": float("-inf"), "unit": "dBm"},
        {"value_f64": -90.0, "unit": "dBm"},
        {},
    ) == [[], ["beyond-percent"], ["beyond-percent"], [], ["not-finite"], ["not-finite"], [], []]


def test_a_flow_has_at_least_a_header_for_each_packet() -> None:
    assert flags(
        "flows",
        {"octetDeltaCount": 40, "packetDeltaCount": 2},
        {"octetDeltaCount": 39, "packetDeltaCount": 2},
        {"octetDeltaCount": 39},
    ) == [[], ["too-few-octets"], []]


def test_marks_are_added_to_those_a_format_gave_and_nothing_else_changes() -> None:
    batch = rows("logs", {"dq_flags": ["latin-1-assumed"], "ts": NOON + QUARTER, "body": "b"}, {"body": "c"})
    marked = flagged("logs", batch, NOON)
    assert marked["dq_flags"].to_pylist() == [["latin-1-assumed", "future-time"], []]
    assert marked.drop_columns("dq_flags") == batch.drop_columns("dq_flags")
    assert marked.schema == batch.schema


def test_a_batch_in_which_nothing_is_odd_is_the_same_object() -> None:
    batch = rows("logs", {"ts": NOON})
    assert flagged("logs", batch, NOON) is batch
