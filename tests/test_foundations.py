"""Errors, units, plugins and the store."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from cellwright import units
from cellwright.errors import CellwrightError, Diagnostic, ExitCode, Mark, StorageError, UsageError, nearest
from cellwright.plugins import PluginSet, load_extra
from cellwright.store import open_store, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

DIMENSIONS = [units.DURATION, units.MEMORY, units.VOLUME, units.DATA_RATE, units.BANDWIDTH, units.POWER]


def test_a_diagnostic_says_where_what_expected_and_how_to_mend_it() -> None:
    diagnostic = Diagnostic(
        "wrong-unit", "no unit in '4'", Mark("a.yaml", 3, 7), expected="a duration", hint="write 4 ms"
    )
    assert str(diagnostic) == "a.yaml:3:7: error[wrong-unit]: no unit in '4'; expected a duration; hint: write 4 ms"


def test_an_error_carries_its_exit_code_and_every_diagnostic() -> None:
    error = UsageError(Diagnostic("a", "first"), Diagnostic("b", "second"))
    assert error.exit_code is ExitCode.USAGE
    assert str(error).splitlines() == ["error[a]: first", "error[b]: second"]
    assert isinstance(error, CellwrightError)


def test_the_nearest_name_is_offered_only_when_it_is_near() -> None:
    assert nearest("regoin", ["region", "metro"]) == "did you mean 'region'?"
    assert nearest("zzz", ["region", "metro"]) is None


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (units.DURATION, "4 ms", 4.0),
        (units.DURATION, "1.5s", 1500.0),
        (units.DURATION, "6 h", 21_600_000.0),
        (units.MEMORY, "1 TiB", 1024.0),
        (units.VOLUME, "2 TB", 2000.0),
        (units.DATA_RATE, "24 GB/d", 1.0),
        (units.BANDWIDTH, "100 Mbit/s", 0.1),
        (units.POWER, "500 W", 0.5),
    ],
)
def test_quantities_are_read_into_their_canonical_unit(dimension: units.Dimension, text: str, value: float) -> None:
    assert dimension.parse(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["4", "ms", "4 parsec", "-1 ms", "1e999 ms", "", "4 ms 5"])
def test_a_quantity_that_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration") as caught:
        units.DURATION.parse(text)
    assert "4 ms" in str(caught.value)


@given(st.sampled_from(DIMENSIONS), st.floats(min_value=0, max_value=1e12))
def test_printing_and_reading_a_quantity_returns_it(dimension: units.Dimension, value: float) -> None:
    assert dimension.parse(dimension.format(value, digits=17)) == pytest.approx(value)


@given(st.sampled_from(DIMENSIONS), st.text())
def test_reading_any_text_gives_a_value_or_a_value_error(dimension: units.Dimension, text: str) -> None:
    with contextlib.suppress(ValueError):
        assert math.isfinite(dimension.parse(text))


def test_the_unknown_prints_as_a_question_mark() -> None:
    assert units.MEMORY.format(None) == "?"


def test_transfer_time_follows_volume_and_bandwidth() -> None:
    assert units.transfer_s(450, 1.0) == 3600
    assert units.transfer_s(1, 0) == math.inf


def test_an_unknown_plugin_names_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="no formats named"):
        PluginSet[object]("formats").get("vess")


def test_a_store_keeps_what_was_committed(tmp_path: Path) -> None:
    tables = MetaData()
    numbers = Table("numbers", tables, Column("n", Integer))
    url = sqlite_url(str(tmp_path / "x.db"))
    writer = open_store(url, tables)
    with writer.begin() as connection:
        connection.execute(insert(numbers).values(n=7))
    writer.dispose()
    engine = open_store(url, tables)
    with engine.connect() as connection:
        assert connection.execute(select(numbers.c.n)).scalars().all() == [7]
    engine.dispose()


def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        open_store(sqlite_url(str(tmp_path / "missing" / "x.db")), MetaData())


def test_a_database_whose_driver_is_absent_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pg8000", None)
    with pytest.raises(
        StorageError, match=r"^error\[extra-missing\]: the database db/x needs .*pg8000.*\[postgresql\]"
    ):
        open_store("postgresql://user:secret@db/x", MetaData())


def test_a_package_that_is_absent_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_extra("any", "this needs", "json", "decoder") is json
    monkeypatch.setitem(sys.modules, "json.decoder", None)
    with pytest.raises(UsageError, match=r"error\[extra-missing\]: this needs the package json; .*'cellwright\[any\]'"):
        load_extra("any", "this needs", "json", "decoder")
