"""SQL over a lake: every table is there, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lake_rows import KEY, store

from cellwright.errors import StorageError, UsageError
from cellwright.lake.folder import Lake
from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path, create=True) as opened:
        with opened.writer(KEY) as writer:
            store(writer, "a", range(3), 3)
            store(writer, "b", range(5), 5)
        yield opened


def test_a_select_reads_columns_and_rows_of_all_parts(lake: Lake) -> None:
    found = lake.query("SELECT file_id, count(*) AS n, max(ordinal) AS last FROM logs GROUP BY file_id ORDER BY n")
    assert [(row["n"], row["last"]) for row in found.to_pylist()] == [(3, 2), (5, 4)]


def test_every_table_can_be_asked_even_an_empty_one(lake: Lake) -> None:
    for table in TABLES:
        assert lake.query(f"FROM {table}").schema.names == TABLES[table].names


def test_what_was_compacted_answers_the_same(lake: Lake) -> None:
    sql = "SELECT ordinal, body FROM logs ORDER BY file_id, ordinal"
    before = lake.query(sql)
    lake.compact()
    assert lake.query(sql) == before


def test_parts_that_are_merged_while_a_query_begins_are_read_all_the_same(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, merged = Lake.dataset, []

    def listed_before(self: Lake, table: str) -> object:
        found = dataset(self, table)
        if table == "telemetry" and not merged:
            merged.append(self.compact())
        return found

    monkeypatch.setattr(Lake, "dataset", listed_before)
    assert lake.query("SELECT count(*) AS n, sum(length(body)) > 0 AS some FROM logs").to_pylist()[0]["n"] == 8
    assert merged == [(2, 1)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{path}')",
        "SELECT * FROM read_parquet('{path}')",
        "SELECT * FROM read_text('{path}')",
        "SELECT * FROM '{path}'",
        "COPY logs TO '{path}'",
        "ATTACH '{path}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW logs",
        "PRAGMA database_list",
        "SELECT getenv('HOME')",
        "",
    ],
)
def test_no_file_no_network_and_no_setting_is_within_reach(lake: Lake, sql: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nopensesame\n", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        lake.query(sql.format(path=secret))
    assert "opensesame" not in str(refused.value)
    assert secret.read_text(encoding="utf-8") == "word\nopensesame\n"
    assert lake.query("SELECT count(*) AS n FROM logs").to_pylist() == [{"n": 8}]


def test_an_unknown_table_is_told_with_the_nearest(lake: Lake) -> None:
    with pytest.raises(UsageError, match=r"lgos does not exist.*did you mean 'logs'"):
        lake.query("SELECT * FROM lgos")


def test_a_missing_part_is_told_as_such(lake: Lake) -> None:
    next((lake.path / "tables/logs").iterdir()).unlink()
    with pytest.raises(StorageError, match="lacks a part"):
        lake.query("SELECT * FROM logs")
