"""Databases that are damaged, locked or read-only are told with what to do about it, at the start and later."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from test_gateway_meter import ROW

from cellwright.errors import StorageError
from cellwright.gateway.allowance import SqlAllowances, Take
from cellwright.gateway.batches.store import BatchStore
from cellwright.gateway.knowledge.stores.embedded import EmbeddedStore
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.model import BatchSettings
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GARBAGE = b"no database at all, but some text that is long enough to be looked at, " * 20
OPENERS: dict[str, Callable[[Path], object]] = {
    "meter": lambda path: Meter(sqlite_url(str(path))),
    "batches": lambda path: BatchStore(sqlite_url(str(path)), BatchSettings()),
    "allowances": lambda path: SqlAllowances(sqlite_url(str(path))),
    "collections": EmbeddedStore,
}


def hint(error: StorageError) -> str:
    return str(error.diagnostics[0].hint)


@pytest.mark.parametrize("kind", OPENERS)
def test_a_file_that_is_none_is_told_as_damaged(tmp_path: Path, kind: str) -> None:
    (path := tmp_path / "x.db").write_bytes(GARBAGE)
    with pytest.raises(StorageError) as refused:
        OPENERS[kind](path)
    assert "move it away" in hint(refused.value)
    assert path.read_bytes() == GARBAGE


@pytest.mark.parametrize("kind", OPENERS)
def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path, kind: str) -> None:
    (path := tmp_path / "x.db").mkdir()
    with pytest.raises(StorageError) as refused:
        OPENERS[kind](path)
    assert "folder" in hint(refused.value)
    assert "writable" in hint(refused.value)


def damage(path: Path) -> None:
    """Spoil all of a file of SQLite but its first page, so that it opens."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(each ^ 0x5A for each in whole[4096:]))


def test_a_meter_that_is_damaged_later_is_told_when_it_is_read_and_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "meter.db"
    with Meter(sqlite_url(str(path))) as meter:
        meter.record(ROW)
    damage(path)
    meter = Meter(sqlite_url(str(path)))
    with pytest.raises(StorageError) as refused:
        list(meter.rows())
    assert "move it away" in hint(refused.value)
    with caplog.at_level(logging.ERROR, "cellwright.gateway"):
        meter.record(ROW)
        meter.flush()
    assert "the file is damaged" in caplog.text
    assert not meter.healthy
    with pytest.raises(StorageError):
        meter.close()


def test_allowances_and_batches_that_are_damaged_later_are_told(tmp_path: Path) -> None:
    path = tmp_path / "both.db"
    url = sqlite_url(str(path))
    SqlAllowances(url).close()
    BatchStore(url, BatchSettings()).close()
    damage(path)
    for ask in (
        lambda: SqlAllowances(url).take([Take("a", 1, 1, 1, 1.0)]),
        lambda: BatchStore(url, BatchSettings()).files("a"),
    ):
        with pytest.raises(StorageError) as refused:
            ask()
        assert "move it away" in hint(refused.value)


HOLDS = "import duckdb, sys; kept = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.mark.integration
def test_collections_that_another_process_has_open_are_told_as_that(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.duckdb"
    EmbeddedStore(path).close()
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError) as refused:
            EmbeddedStore(path)
        holder.communicate("")
    assert "another process has the file open" in hint(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="SKIPPED LOUDLY: the superuser may write everywhere")
def test_a_file_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    SqlAllowances(sqlite_url(str(path))).close()
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError) as refused:
            SqlAllowances(sqlite_url(str(path))).take([Take("a", 1, 1, 1, 1.0)])
    finally:
        tmp_path.chmod(0o700)
    assert "writ" in hint(refused.value)
