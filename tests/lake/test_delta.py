"""Delta tables that many lakes are published to: every file once, whatever happens in between."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from lake_rows import KEY, store

from cellwright.errors import StorageError
from cellwright.lake import delta
from cellwright.lake.delta import Published, publish
from cellwright.lake.folder import Lake

if TYPE_CHECKING:
    from pathlib import Path

deltalake = pytest.importorskip("deltalake", reason="the extra `delta` is not installed")


def filled(path: Path, *names: str) -> Path:
    with Lake.open(path, create=True) as lake, lake.writer(KEY) as writer:
        for name in names:
            store(writer, name, range(3), 5, quarantined=[3])
    return path


def published(lake: Path, to: Path) -> Published:
    with Lake.open(lake) as opened:
        return publish(opened, to)


def rows(to: Path, table: str = "logs") -> list[tuple[str, int]]:
    found = deltalake.DeltaTable(str(to / table)).to_pyarrow_table()
    return sorted(zip(found["file_id"].to_pylist(), found[found.schema.names[1]].to_pylist(), strict=True), key=str)


def test_new_files_are_added_and_known_ones_are_not(tmp_path: Path) -> None:
    lake, to = filled(tmp_path / "lake", "a", "b"), tmp_path / "delta"
    assert published(lake, to) == Published(2, 6, 0)
    assert published(lake, to) == Published(0, 0, 2)
    filled(lake, "c")
    assert published(lake, to) == Published(1, 3, 2)
    assert len(rows(to)) == 9
    files = deltalake.DeltaTable(str(to / "files")).to_pyarrow_table().to_pylist()
    assert {(each["raw"], each["rows"], each["quarantined"], each["filtered"]) for each in files} == {(5, 3, 1, 1)}


def test_compacting_in_between_adds_nothing_twice(tmp_path: Path) -> None:
    lake, to = filled(tmp_path / "lake", "a", "b"), tmp_path / "delta"
    published(lake, to)
    with Lake.open(lake) as opened:
        opened.compact()
    assert published(lake, to) == Published(0, 0, 2)


def test_two_machines_at_once_add_every_file_once(tmp_path: Path) -> None:
    to = tmp_path / "delta"
    lakes = [filled(tmp_path / "one", "a", "b", "shared"), filled(tmp_path / "two", "c", "d", "shared")]
    with ThreadPoolExecutor(2) as machines:
        list(machines.map(lambda lake: published(lake, to), lakes))
    assert len(rows(to)) == 15
    assert len(rows(to, "files")) == 5


@pytest.mark.parametrize("after", range(2))
def test_an_interruption_between_tables_is_made_good_by_the_next(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, to, left = filled(tmp_path / "lake", "a", "b"), tmp_path / "delta", [after]
    add = delta._Table.add

    def interrupted(*what: object) -> int:
        added = add(*what)  # type: ignore[arg-type]
        if added and not left[0]:
            raise KeyboardInterrupt
        left[0] -= bool(added)
        return added

    with monkeypatch.context() as cut:
        cut.setattr(delta._Table, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            published(lake, to)
    published(lake, to)
    assert len(rows(to)) == 6
    assert len(rows(to, "files")) == 2


def test_an_address_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        published(filled(tmp_path / "lake", "a"), tmp_path / "file")


def test_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    lake, to = filled(tmp_path / "lake", "a"), tmp_path / "delta"
    published(lake, to)
    with Lake.open(lake) as opened:
        mine = opened.read("logs")
    theirs = deltalake.DeltaTable(str(to / "logs")).to_pyarrow_table().select(mine.schema.names).sort_by("ordinal")
    assert json.dumps(theirs.to_pylist(), default=str) == json.dumps(mine.to_pylist(), default=str)
