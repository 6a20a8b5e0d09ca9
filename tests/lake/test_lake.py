from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from lake_rows import KEY, NOON, FailingDisk, log_rows, store

from cellwright.errors import StorageError, UsageError
from cellwright.lake.disk import Disk
from cellwright.lake.folder import Lake
from cellwright.lake.ledger import Ledger
from cellwright.lake.record import FileState, TableRecord, identity
from cellwright.lake.schema import ENCODED, TABLES
from cellwright.lake.tenant_rows import TenantRows

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", create=True) as opened:
        yield opened


def test_a_folder_without_a_ledger_is_no_lake(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no-lake"):
        Lake.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_rows_come_back_by_part_and_ordinal(lake: Lake) -> None:
    with lake.writer(KEY) as writer:
        store(writer, "b", [2, 0, 1], 3)
        store(writer, "a", [0, 1], 2)
    rows = lake.read("logs")
    assert rows["ordinal"].to_pylist() == [0, 1, 2, 0, 1]
    assert rows["file_id"].to_pylist()[0] != rows["file_id"].to_pylist()[-1]
    assert lake.tables() == (TableRecord("logs", 2, 5),)
    assert [file.source for file in lake.files()] == ["a", "b"]


def test_columns_and_filter_select(lake: Lake) -> None:
    with lake.writer(KEY) as writer:
        store(writer, "a", [1, 0, 2], 3)
    assert lake.read("logs", ["body"], pc.field("ordinal") > 0).to_pydict() == {"body": ["line 1", "line 2"]}
    assert lake.read("alarm_events", ["alarm_id"]).num_rows == 0
    with pytest.raises(UsageError, match="did you mean 'logs'"):
        lake.read("log")
    with pytest.raises(UsageError, match="did you mean 'body'"):
        lake.read("logs", ["bodi"])


def test_what_is_kept_of_the_rows_is_asked_part_by_part(lake: Lake) -> None:
    with lake.writer(KEY) as writer:
        store(writer, "b", [2, 0, 1], 3)
        store(writer, "a", [0, 1], 2)
    asked: list[int] = []

    def last(rows: pa.Table) -> pa.Table:
        asked.append(rows.num_rows)
        return rows.slice(max(rows.num_rows - 1, 0))

    assert lake.read("logs", ["ordinal"], pc.field("ordinal") < 2, last).to_pydict() == {"ordinal": [1, 1]}
    assert asked == [2, 2]
    assert TenantRows(lake, "t").read("logs", ["ordinal"], None, last).to_pydict() == {"ordinal": [2, 1]}
    assert TenantRows(lake, "other").read("logs", ["ordinal"], None, last).num_rows == 0


def test_strings_held_once_are_strings_again_even_where_one_stands_twice_among_them(lake: Lake) -> None:
    plain = log_rows("f", range(6))
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None, 0], pa.int32()), ["a", "b", "a", None])
    at = plain.schema.get_field_index("app")
    held = plain.set_column(at, plain.schema.field(at).with_type(ENCODED), twice)
    other = held.set_column(at, held.schema.field(at), pa.array(["c", "a"] * 3).dictionary_encode())
    place = plain.schema.get_field_index("ordinal")
    with lake.writer(KEY) as writer, writer.file("f") as draft:
        draft.raw = 18
        for start, rows in enumerate((held, other, plain)):
            ordinals = pa.array(range(6 * start, 6 * start + 6))
            draft.append("logs", rows.set_column(place, rows.schema.field(place), ordinals))
        draft.commit(tenant="t", source="s", format_name="lines", vendor=None, sha256="", size=9, ingested=NOON)
    rows = lake.read("logs")
    assert rows.schema.equals(TABLES["logs"])
    assert rows["app"].to_pylist() == ["a", "b", "a", None, None, "a", *["c", "a"] * 3, *[None] * 6]
    assert lake.query("SELECT app FROM logs ORDER BY ordinal")["app"].to_pylist() == rows["app"].to_pylist()
    assert lake.compact() == (1, 1)


def test_a_file_is_what_its_counts_say(lake: Lake) -> None:
    with lake.writer(KEY) as writer:
        record = store(writer, "a", [0, 1], 5, quarantined=[3])
        assert writer.known(record.file_id) == record
    assert (record.raw, record.rows, record.quarantined, record.filtered) == (5, 2, 1, 2)
    assert record.reasons == {"bad-line": 1, "not-wanted": 2}
    assert record.state is FileState.PARTIAL
    assert lake.files() == (record,)
    assert [balance.ok for balance in lake.verify()] == [True]


def test_quarantine_lists_without_content_and_opens_with_the_key_alone(lake: Lake) -> None:
    with lake.writer(KEY) as writer:
        record = store(writer, "a", [], 1, quarantined=[0])
    (listed,) = lake.quarantine()
    assert (listed.source, listed.ordinal, listed.line, listed.code, listed.size) == ("a", 0, 1, "bad-line", 8)
    assert record.state is FileState.QUARANTINED
    assert lake.quarantined_payloads(record.file_id, 0, KEY) == (b"raw line",)
    with pytest.raises(StorageError, match="quarantine-sealed"):
        lake.quarantined_payloads(record.file_id, 0, bytes([1] * 32))


def test_the_cost_of_a_file_does_not_grow_with_the_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    monkeypatch.setattr("cellwright.lake.place.Folder.unlisted", lambda folder, _: looks.append(folder) or [])
    with lake.writer(KEY) as writer:
        for name in "abc":
            store(writer, name, [0], 1)
    assert len(looks) == 1


def test_a_second_writer_is_told_who_holds_the_lake(lake: Lake) -> None:
    with lake.writer(KEY), pytest.raises(StorageError, match=r"written by process \d+"), lake.writer(KEY):
        pass
    with lake.writer(KEY) as writer:
        assert stat.S_IMODE(writer.spool.stat().st_mode) == 0o700
    assert not writer.spool.exists()


def test_equal_content_of_two_tenants_is_two_files() -> None:
    assert identity("a", "0") != identity("b", "0") != identity("b", "0", "archive-truncated")


def test_the_same_files_give_the_same_parts(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with Lake.open(tmp_path / name, create=True) as lake:
            with lake.writer(KEY) as writer:
                store(writer, "a", [0, 1, 2], 3)
            found.append([path.read_bytes() for path in sorted(lake.path.rglob("*.parquet"))])
    assert found[0] == found[1] != []


def _lake_with_one_file(path: Path) -> None:
    with Lake.open(path, create=True) as lake, lake.writer(KEY) as writer:
        store(writer, "first", [0, 1], 2)


@pytest.mark.parametrize("step", range(1, 5))
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_a_failure_at_any_step_leaves_no_trace_of_the_file(tmp_path: Path, step: int, error: BaseException) -> None:
    _lake_with_one_file(tmp_path)
    disk = FailingDisk(step, error)
    expected = StorageError if isinstance(error, OSError) else KeyboardInterrupt
    with Lake.open(tmp_path, disk=disk) as lake:
        with pytest.raises(expected) as failed, lake.writer(KEY) as writer:
            store(writer, "second", range(9), 9)
        assert lake.read("logs").num_rows == 2
        assert [balance.ok for balance in lake.verify()] == [True]
        assert len([path for path in (tmp_path / "tables").rglob("*") if path.is_file()]) == 1
        if expected is StorageError:
            assert "free some space" in str(failed.value)
    with Lake.open(tmp_path) as lake, lake.writer(KEY) as writer:
        store(writer, "second", range(9), 9)
        assert lake.read("logs").num_rows == 11


class _FullDisk(Disk):
    def create(self, path: Path):  # noqa: ANN202 - as inherited
        super().create(path).close()
        return Path("/dev/full").open("wb")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with Lake.open(tmp_path, create=True, disk=_FullDisk()) as lake:
        with pytest.raises(StorageError, match=r"No space left.*free some space"), lake.writer(KEY) as writer:
            store(writer, "a", range(100_000), 100_000)
        assert [path for path in (tmp_path / "tables").rglob("*") if path.is_file()] == []
        assert lake.files() == ()


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot be created.*Not a directory"):
        Lake.open(tmp_path / "file" / "lake", create=True)


def test_the_steps_of_a_commit_are_those_the_test_above_fails(tmp_path: Path) -> None:
    _lake_with_one_file(tmp_path)
    disk = FailingDisk(0, OSError())
    with Lake.open(tmp_path, disk=disk) as lake, lake.writer(KEY) as writer:
        store(writer, "second", range(9), 9)
    assert disk.steps == 4


def test_a_failure_of_the_ledger_leaves_no_trace_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _lake_with_one_file(tmp_path)
    monkeypatch.setattr(Ledger, "commit", _interrupt)
    with Lake.open(tmp_path) as lake:
        with pytest.raises(KeyboardInterrupt), lake.writer(KEY) as writer:
            store(writer, "second", range(9), 9)
        assert lake.read("logs").num_rows == 2
        assert [balance.ok for balance in lake.verify()] == [True]


def test_an_interruption_after_the_ledger_keeps_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _lake_with_one_file(tmp_path)
    commit = Ledger.commit
    monkeypatch.setattr(Ledger, "commit", lambda *what: (commit(*what), _interrupt()))
    with Lake.open(tmp_path) as lake:
        with pytest.raises(KeyboardInterrupt), lake.writer(KEY) as writer:
            store(writer, "second", range(9), 9)
        assert lake.read("logs").num_rows == 11
        assert [balance.ok for balance in lake.verify()] == [True, True]


def test_what_a_killed_writer_left_is_invisible_and_removed_by_the_next(tmp_path: Path) -> None:
    _lake_with_one_file(tmp_path)
    part = next(tmp_path.rglob("*.parquet"))
    for name in ("part-00000002.parquet", ".part-00000003.parquet.tmp"):
        part.with_name(name).write_bytes(part.read_bytes())
    (tmp_path / ".spool").mkdir()
    (tmp_path / ".spool" / "raw").touch()
    with Lake.open(tmp_path) as lake:
        assert lake.read("logs").num_rows == 2
        with lake.writer(KEY):
            assert sorted(path.name for path in part.parent.iterdir()) == [part.name]
        assert not (tmp_path / ".spool").exists()


def _interrupt(*_what: object) -> None:
    raise KeyboardInterrupt


def test_only_the_rows_of_chosen_files_are_read(tmp_path: Path) -> None:
    with Lake.open(tmp_path, create=True) as lake:
        with lake.writer(KEY) as writer:
            first, second, third = (store(writer, name, range(2), 2) for name in ("one", "two", "three"))
        for compacted in (False, True):
            if compacted:
                lake.compact()
            rows = lake.read_of("logs", {first.file_id, third.file_id})
            assert sorted(set(rows["file_id"].to_pylist())) == sorted([first.file_id, third.file_id])
            assert (rows.num_rows, rows.schema) == (4, lake.read("logs").schema)
        assert second.file_id in lake.read("logs")["file_id"].to_pylist()
        assert lake.read_of("logs", set()).num_rows == lake.read_of("alarm_events", {first.file_id}).num_rows == 0
