"""Counters break where they leave what is usual for them, and nowhere else."""

from __future__ import annotations

import math
import random
import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.counters import LEAST_PERIODS, Break, breaks
from cellwright.lake.schema import TABLES

PERIOD_US = 900_000_000
DAY = 96  # periods


def rows(series: dict[str, list[float | None]]) -> pa.Table:
    """Return rows of one counter by object, a value each quarter of an hour."""
    read = [
        {
            "tenant": "t",
            "source": "s",
            "file_id": "f",
            "ingest_ts": 0,
            "dq_flags": [],
            "ordinal": at,
            "ne_dn": "SubNetwork=1,ManagedElement=g",
            "obj_ldn": name,
            "counter": "DRB.UEThpDl",
            "gran_s": 900.0,
            "begin_ts": at * PERIOD_US,
            "value_f64": value,
        }
        for name, values in series.items()
        for at, value in enumerate(values)
    ]
    return pa.Table.from_pylist(read, schema=TABLES["pm_counters"])


def swing(periods: int, seed: int = 0) -> list[float]:
    """Return a daily swing that scatters by a tenth."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [
        600 * (0.55 - 0.4 * math.cos(2 * math.pi * (at / 4 - 3) / 24)) * chance.uniform(0.9, 1.1)
        for at in range(periods)
    ]


def test_a_daily_swing_is_no_break() -> None:
    assert breaks(rows({f"Cell={seed}": swing(3 * DAY, seed) for seed in range(40)})) == ()


@pytest.mark.parametrize("share", [0.0, 0.2, 3.0])
def test_periods_unlike_those_around_them_are_one_break_with_what_was_usual(share: float) -> None:
    values = swing(DAY)
    usual = values[40]
    values[40] *= share
    values[41] *= share
    (found,) = breaks(rows({"Cell=1": values}))
    assert (found.element, found.counter) == ("SubNetwork=1,ManagedElement=g,Cell=1", "DRB.UEThpDl")
    assert (found.at_us, found.periods, found.rises) == (40 * PERIOD_US, 2, share > 1)
    assert found.usual == pytest.approx(usual, rel=0.25)
    assert found.seen in values[40:42]


@pytest.mark.parametrize("share", [0.4, 2.5])
def test_a_level_that_stays_is_a_break_without_end_and_has_no_echo_on_later_days(share: float) -> None:
    values = swing(4 * DAY)
    at = 2 * DAY + 30
    values[at:] = [value * share for value in values[at:]]
    (found,) = breaks(rows({"Cell=1": values}))
    assert abs(found.at_us - at * PERIOD_US) <= PERIOD_US
    assert (found.periods, found.rises) == (None, share > 1)
    assert found.seen / found.usual == pytest.approx(share, rel=0.4)


def test_counters_that_are_constant_or_rare_break_when_they_move() -> None:
    few = [0.0, 1.0, 0.0, 2.0] * 12
    assert breaks(rows({"Cell=1": few})) == ()
    (found,) = breaks(rows({"Cell=1": [*few, 400.0, *few]}))
    assert (found.at_us, found.seen) == (48 * PERIOD_US, 400.0)
    (found,) = breaks(rows({"Cell=1": [100.0] * 40 + [55.0] + [100.0] * 10}))
    assert (found.at_us, found.periods, found.usual, found.seen) == (40 * PERIOD_US, 1, 100.0, 55.0)
    assert breaks(rows({"Cell=1": [7.0] * 60})) == ()


def test_what_may_be_negative_is_judged_by_differences() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    values = [-95 + chance.gauss(0, 1) for _ in range(DAY)]
    assert breaks(rows({"Cell=1": values})) == ()
    values[50] = -60
    (found,) = breaks(rows({"Cell=1": values}))
    assert (found.at_us, found.seen, found.rises) == (50 * PERIOD_US, -60, True)


def test_the_most_unusual_comes_first_and_series_do_not_mix() -> None:
    faint, strong = swing(DAY, 1), swing(DAY, 2)
    faint[30] *= 0.3
    strong[60] = 0.0
    found = breaks(rows({"Cell=1": faint, "Cell=2": strong, "Cell=3": swing(DAY, 3)}))
    assert [each.element.rpartition(",")[2] for each in found] == ["Cell=2", "Cell=1"]
    assert found[0].score > found[1].score


def test_missing_and_suspect_periods_and_short_series_are_no_breaks() -> None:
    values: list[float | None] = [*swing(DAY)]
    values[20:24] = [None] * 4
    assert breaks(rows({"Cell=1": values})) == ()
    spoiled = swing(DAY)
    spoiled[50] = 0.0
    table = rows({"Cell=1": spoiled})
    suspect = pa.array([at == 50 for at in range(DAY)])
    assert breaks(table.set_column(table.schema.get_field_index("suspect"), "suspect", suspect)) == ()
    assert breaks(rows({"Cell=1": [0.0] * (LEAST_PERIODS - 2) + [1e9]})) == ()
    assert breaks(rows({})) == ()


def test_rows_in_any_order_and_twice_change_nothing() -> None:
    values = swing(DAY)
    values[40] = 0.0
    table = rows({"Cell=1": values, "Cell=2": swing(DAY, 5)})
    order = list(range(table.num_rows)) * 2
    random.Random(3).shuffle(order)  # noqa: S311 - no secret
    assert breaks(table.take(order)) == breaks(table)


def test_series_that_begin_at_other_instants_take_no_more_room_together() -> None:
    apart = [rows({f"Cell={number}": swing(DAY, number)}) for number in range(300)]
    moved = [
        table.set_column(
            table.schema.get_field_index("begin_ts"),
            "begin_ts",
            pa.array([at * PERIOD_US + number for at in range(DAY)], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        )
        for number, table in enumerate(apart)
    ]
    tracemalloc.start()
    try:
        assert breaks(pa.concat_tables(moved)) == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20  # a table of all instants and series would take 66 MiB


def test_an_object_named_from_its_element_on_is_named_once() -> None:
    values = swing(DAY)
    values[40] = 0.0
    (found,) = breaks(rows({"ManagedElement=g,Cell=1": values}))
    assert found.element == "SubNetwork=1,ManagedElement=g,Cell=1"
    (found,) = breaks(rows({"ManagedElement=g2": values}))
    assert found.element == "SubNetwork=1,ManagedElement=g,ManagedElement=g2"


@given(st.lists(st.none() | st.floats(-1e300, 1e300) | st.sampled_from([0.0, 1.0]), max_size=40))
def test_any_values_are_judged_without_failure(values: list[float | None]) -> None:
    for found in breaks(rows({"Cell=1": values})):
        assert isinstance(found, Break)
        assert math.isfinite(found.usual)
        assert math.isfinite(found.seen)
        assert found.score >= 0
