from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from lake_rows import KEY, store

from cellwright.errors import StorageError
from cellwright.lake.folder import Lake

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.lake.verify import Balance


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Lake.open(tmp_path, create=True) as lake, lake.writer(KEY) as writer:
        store(writer, "a", [0, 1, 2, 3], 7, quarantined=[4])
        store(writer, "b", [0, 1], 2)
    return tmp_path


def failed(folder: Path) -> dict[str, dict[str, int]]:
    """Return by how much each check failed, by source."""
    with Lake.open(folder) as lake:
        return {balance.source: _differences(balance) for balance in lake.verify() if not balance.ok}


def _differences(balance: Balance) -> dict[str, int]:
    return {finding.check: finding.difference for finding in balance.findings}


def first_part(folder: Path) -> Path:
    return folder / "tables/logs/part-00000001.parquet"


def edit(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "ledger.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_untouched_lake_balances(folder: Path) -> None:
    assert failed(folder) == {}


def test_a_row_removed_by_hand_is_missed(folder: Path) -> None:
    rows = pq.read_table(first_part(folder), partitioning=None)
    pq.write_table(rows.slice(1), first_part(folder))
    assert failed(folder) == {
        "a": {
            "part-digest": 1,
            "part-rows": -1,
            "rows-recount": -1,
            "conservation": -1,
            "table-recount": -1,
            "ordinals-missing": -1,
        }
    }


def test_a_row_removed_and_the_ledger_mended_is_still_missed(folder: Path) -> None:
    rows = pq.read_table(first_part(folder), partitioning=None)
    pq.write_table(rows.slice(0, 3), first_part(folder))
    edit(
        folder,
        "UPDATE files SET rows = 3, rows_by_table = '{\"logs\": 3}' WHERE source = 'a'",
        "UPDATE parts SET rows = 3 WHERE number = 1",
    )
    assert failed(folder) == {"a": {"part-digest": 1, "conservation": -1, "ordinals-missing": -1}}


def test_a_row_replaced_by_its_neighbour_is_seen_by_its_ordinal(folder: Path) -> None:
    rows = pq.read_table(first_part(folder), partitioning=None)
    pq.write_table(rows.take([0, 1, 2, 2]), first_part(folder))
    assert failed(folder) == {"a": {"part-digest": 1, "ordinals-missing": -1, "ordinals-twice": 1}}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE files SET raw = 8 WHERE source = 'a'", {"conservation": -1, "ordinals-missing": -1}),
        ("UPDATE files SET raw = 6 WHERE source = 'a'", {"conservation": 1, "ordinals-beyond": 1}),
        ("UPDATE files SET quarantined = 0 WHERE source = 'a'", {"quarantined-recount": 1}),
        ("UPDATE files SET filtered = 9 WHERE source = 'a'", {"filtered-recount": -7}),
        (
            "DELETE FROM quarantine",
            {"quarantined-recount": -1, "conservation": -1, "ordinals-missing": -1},
        ),
        ("UPDATE filtered SET ordinal = 4", {"ordinals-missing": -1, "ordinals-twice": 1}),
        ("UPDATE parts SET sha256 = '' WHERE number = 1", {"part-digest": 1}),
    ],
)
def test_an_edited_ledger_is_seen(folder: Path, statement: str, expected: dict[str, int]) -> None:
    edit(folder, statement)
    assert failed(folder) == {"a": expected}


def test_a_deleted_part_is_missed_and_reading_says_so(folder: Path) -> None:
    first_part(folder).unlink()
    found = failed(folder)["a"]
    assert (found["part-missing"], found["rows-recount"], found["ordinals-missing"]) == (-1, -4, -4)
    with Lake.open(folder) as lake, pytest.raises(StorageError, match="cellwright lake verify"):
        lake.read("logs")


def test_a_damaged_part_is_named(folder: Path) -> None:
    first_part(folder).write_bytes(b"PAR1")
    found = failed(folder)["a"]
    assert (found["part-unreadable"], found["rows-recount"]) == (-4, -4)
    with Lake.open(folder) as lake, pytest.raises(StorageError, match="cellwright lake verify"):
        lake.read("logs")


def test_a_part_struck_from_the_ledger_is_missed_and_found_unlisted(folder: Path) -> None:
    edit(folder, "DELETE FROM parts WHERE number = 1")
    found = failed(folder)
    assert found["a"]["rows-recount"] == -4
    assert found["the lake"] == {"part-unlisted": 1}


def test_a_file_struck_from_the_ledger_leaves_rows_of_no_file(folder: Path) -> None:
    edit(folder, "DELETE FROM files WHERE source = 'a'")
    assert failed(folder) == {"the lake": {"rows-of-no-file": 1}}


def test_the_file_being_written_is_no_finding(folder: Path) -> None:
    with Lake.open(folder) as lake, lake.writer(KEY):
        first_part(folder).with_name(".part-00000009.parquet.tmp").touch()
        assert all(balance.ok for balance in lake.verify())
