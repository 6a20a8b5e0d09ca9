"""Compaction and expiry: the same rows in fewer parts, and nothing left of what is over."""

from __future__ import annotations

import errno
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from lake_rows import KEY, LATER, NOON, FailingDisk, store

from cellwright.errors import StorageError
from cellwright.lake.folder import Lake
from cellwright.lake.ledger import Ledger
from cellwright.lake.record import FileState

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Lake.open(tmp_path, create=True) as lake, lake.writer(KEY) as writer:
        for number, name in enumerate("abcdef"):
            store(writer, name, range(number + 1), number + 3, quarantined=[number + 1])
    return tmp_path


def rows(lake: Lake) -> list[tuple[str, int]]:
    table = lake.read("logs", ["file_id", "ordinal"])
    return list(zip(table["file_id"].to_pylist(), table["ordinal"].to_pylist(), strict=True))


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "tables").rglob("*") if path.is_file())


def balanced(lake: Lake) -> bool:
    return all(balance.ok for balance in lake.verify())


def test_compacting_keeps_every_row_in_its_order_in_fewer_parts(folder: Path) -> None:
    with Lake.open(folder) as lake:
        before = rows(lake)
        assert lake.compact() == (6, 1)
        assert rows(lake) == before
        assert balanced(lake)
        assert parts(folder) == ["part-00000007.parquet"]
        assert lake.compact() == (1, 1)


def test_compacting_stops_at_the_rows_wanted_and_leaves_large_parts_alone(folder: Path) -> None:
    with Lake.open(folder) as lake:
        before = sorted(rows(lake))
        assert lake.compact(rows=7) == (6, 4)  # 1, 2 and 3 rows become one part; 4, 5 and 6 are not small
        assert sorted(rows(lake)) == before
        assert balanced(lake)


def test_a_compacted_file_is_known_and_what_replaces_it_takes_its_place(folder: Path) -> None:
    with Lake.open(folder) as lake:
        lake.compact()
        known = lake.files()[0]
        with lake.writer(KEY) as writer:
            assert writer.known(known.file_id) == known
            next((folder / "tables/logs").iterdir()).unlink()
            assert writer.known(known.file_id) is None
            for number, name in enumerate("abcdef"):
                store(writer, name, range(number + 1), number + 3, quarantined=[number + 1])
        assert len(rows(lake)) == 21
        assert balanced(lake)


def test_a_damaged_compacted_part_is_a_finding_of_the_lake(folder: Path) -> None:
    with Lake.open(folder) as lake:
        lake.compact()
        next((folder / "tables/logs").iterdir()).write_bytes(b"PAR1")
        checks = {finding.check for balance in lake.verify() if not balance.file_id for finding in balance.findings}
        assert checks == {"part-digest", "part-unreadable"}


def test_expired_files_leave_a_line_and_nothing_else(folder: Path) -> None:
    with Lake.open(folder) as lake:
        with lake.writer(KEY) as writer:
            store(writer, "young", [0, 1], 2)
        lake.compact()
        _age(lake, "young")
        gone = lake.expire(LATER)
        assert [each.source for each in gone] == list("abcdef")
        assert len(rows(lake)) == 2
        assert balanced(lake)
        assert lake.quarantine() == ()
        states = {each.source: (each.state, each.raw, each.filtered, dict(each.reasons)) for each in lake.files()}
        assert states["c"] == (FileState.EXPIRED, 5, 5, {"expired": 5})
        assert states["young"][0] is FileState.STORED
        assert lake.expire(LATER) == ()


def test_files_that_are_not_compacted_expire_without_rewriting_others(folder: Path) -> None:
    with Lake.open(folder) as lake:
        _age(lake, "f")
        untouched = parts(folder)[-1:]
        assert len(lake.expire(LATER)) == 5
        assert parts(folder) == untouched
        assert balanced(lake)


def test_quarantined_input_is_forgotten_while_its_lines_stay(folder: Path) -> None:
    with Lake.open(folder) as lake:
        lines = len(lake.quarantine())
        assert lake.forget_payloads(NOON) == 0
        assert lake.forget_payloads(LATER) == lines == len(lake.quarantine())
        assert {each.kept for each in lake.quarantine()} == {0}
        assert b"raw line" not in (folder / "ledger.db").read_bytes()
        assert balanced(lake)


@pytest.mark.parametrize("step", range(1, 5))
@pytest.mark.parametrize("work", ["compact", "expire"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_a_failure_at_any_step_changes_nothing(folder: Path, work: str, step: int, error: BaseException) -> None:
    _shared_with_a_young_one(folder)
    with Lake.open(folder) as lake:
        before, listed = rows(lake), parts(folder)
    with Lake.open(folder, disk=FailingDisk(step, error)) as lake:
        with pytest.raises(StorageError if isinstance(error, OSError) else KeyboardInterrupt):
            lake.compact() if work == "compact" else lake.expire(LATER)
        assert rows(lake) == before
        assert parts(folder) == listed
        assert balanced(lake)


@pytest.mark.parametrize("work", ["compact", "expire"])
def test_an_interruption_after_the_ledger_keeps_the_new_rows_alone(
    folder: Path, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shared_with_a_young_one(folder)
    rewrite = Ledger.rewrite
    monkeypatch.setattr(Ledger, "rewrite", lambda *what: (rewrite(*what), _interrupt()))
    with Lake.open(folder) as lake:
        with pytest.raises(KeyboardInterrupt):
            lake.compact() if work == "compact" else lake.expire(LATER)
        assert len(rows(lake)) == (26 if work == "compact" else 5)
        assert len(parts(folder)) == (1 if work == "compact" else 2)
        assert balanced(lake)


def test_a_reader_that_listed_parts_before_they_were_merged_reads_them_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lake.open(folder) as reader, Lake.open(folder) as lake:
        stale = reader._ledger.parts("logs")
        lake.compact()
        answers = iter([stale])
        fresh = Ledger.parts
        monkeypatch.setattr(Ledger, "parts", lambda self, table=None: next(answers, None) or fresh(self, table))
        assert reader.read("logs").num_rows == 21


def _shared_with_a_young_one(folder: Path) -> None:
    with Lake.open(folder) as lake:
        lake.compact()
        with lake.writer(KEY) as writer:
            store(writer, "young", [0, 1, 2], 3)
        lake.compact()
        with lake.writer(KEY) as writer:
            store(writer, "youngest", [0, 1], 2)
        _age(lake, "young")
        _age(lake, "youngest")


def _age(lake: Lake, source: str) -> None:
    """Make a file younger than the others."""
    with lake._ledger._engine.begin() as connection:
        later = (NOON + timedelta(days=1)).isoformat()
        connection.exec_driver_sql("UPDATE files SET ingested = ? WHERE source = ?", (later, source))


def _interrupt() -> None:
    raise KeyboardInterrupt
