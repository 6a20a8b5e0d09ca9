"""A lake of Delta tables that many machines write at once: every row once, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest
from fake_s3 import BUCKET, FakeS3
from lake_rows import KEY, LATER, store

from cellwright.cli.main import run
from cellwright.errors import ExitCode, StorageError, UsageError
from cellwright.lake.address import Address
from cellwright.lake.delta import DeltaTables
from cellwright.lake.delta_lake import open_lake
from cellwright.lake.folder import Lake
from cellwright.lake.record import FileState, TableRecord
from cellwright.lake.sealing import fingerprint
from cellwright.lake.staged import StagedLake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

deltalake = pytest.importorskip("deltalake", reason="the extra `delta` is not installed")

LINES = {"a.log": 7, "b.log": 3, "shared.log": 5, "c.log": 4}


def staged(folder: Path, to: Path | Address, key: bytes = KEY) -> StagedLake:
    return StagedLake.stage(folder, DeltaTables(to, fingerprint(key)))


def filled(folder: Path, to: Path | Address, *names: str) -> None:
    with staged(folder, to) as lake, lake.writer(KEY) as writer:
        for name in names:
            store(writer, name, range(3), 5, quarantined=[3])


@pytest.fixture(params=["folder", "address"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Address:
    if request.param == "folder":
        return tmp_path / "delta"
    request.getfixturevalue("s3")
    address = Address.read(f"s3://{BUCKET}/delta", tmp_path / "cache")
    assert address
    return address


def test_rows_go_to_the_tables_and_the_ledger_stays(tmp_path: Path, to: Path | Address) -> None:
    filled(tmp_path / "one", to, "a", "b")
    with Lake.open(tmp_path / "one") as mine:
        assert len(mine.files()) == len(mine.quarantine()) == 2
        assert mine.tables() == ()
        assert not list((tmp_path / "one" / "tables").rglob("*.parquet"))
        with open_lake(to) as lake:
            assert lake.files() == mine.files()
            assert lake.key() == mine.key()
            assert lake.tables() == (TableRecord("logs", 1, 6),)
            assert lake.read("logs", ["ordinal"])["ordinal"].to_pylist() == [0, 1, 2] * 2
            odd = lake.read(
                "logs", ["body"], pc.field("ordinal") > 0, lambda rows: rows.filter(pc.field("ordinal") < 2)
            )
            assert odd.to_pydict() == {"body": ["line 1"] * 2}
            assert lake.query("SELECT count(*) AS n FROM logs WHERE ordinal > 0").to_pylist() == [{"n": 4}]
            assert lake.query("SELECT count(*) AS n FROM alarm_events").to_pylist() == [{"n": 0}]
            assert [(each.raw, each.rows, each.quarantined, each.filtered, each.ok) for each in lake.verify()] == [
                (5, 3, 1, 1, True)
            ] * 2


def test_many_machines_bring_every_row_once(tmp_path: Path, to: Path | Address) -> None:
    for machine, names in (("one", "ab"), ("two", "bc"), ("one", "abd"), ("three", "a")):
        filled(tmp_path / machine, to, *names)
    with open_lake(to) as lake:
        assert [file.source for file in lake.files()] == list("abcd")
        assert lake.read("logs").num_rows == 12
        assert all(balance.ok for balance in lake.verify())
        before, after = lake.compact()
        assert (before > after, lake.read("logs").num_rows) == (True, 12)


def test_the_rows_of_chosen_files_are_read(tmp_path: Path, to: Path | Address) -> None:
    filled(tmp_path / "a", to, "one", "two")
    with open_lake(to) as lake:
        chosen = lake.files()[0].file_id
        assert set(lake.read_of("logs", {chosen})["file_id"].to_pylist()) == {chosen}
        assert lake.read_of("logs", set()).num_rows == 0


@pytest.mark.parametrize("after", ["ledger", "rows", "list"])
def test_what_a_machine_had_not_brought_when_it_died_its_next_writer_brings(
    tmp_path: Path, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "delta"
    filled(tmp_path / "one", to, "a")
    with monkeypatch.context() as cut:
        if after == "ledger":
            cut.setattr(DeltaTables, "add", _interrupt)
        elif after == "rows":
            cut.setattr("cellwright.lake.delta._records", _interrupt)
        else:
            cut.setattr("cellwright.lake.staged.StagedLedger.published", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            filled(tmp_path / "one", to, "b")
    with open_lake(to) as lake:
        assert len(lake.files()) == (2 if after == "list" else 1)
        assert lake.read("logs").num_rows == len(lake.files()) * 3
    with staged(tmp_path / "one", to) as again, again.writer(KEY):
        pass
    with open_lake(to) as lake:
        assert len(lake.files()) == 2
        assert all(balance.ok for balance in lake.verify())
    assert not list((tmp_path / "one" / "tables").rglob("*.parquet"))


def test_tables_that_cannot_be_written_leave_the_rows_waiting(
    tmp_path: Path, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellwright.lake.delta._PATIENCE", {"max_retries": "0"})
    address = Address.read(f"s3://{BUCKET}/delta", tmp_path / "cache")
    assert address
    with staged(tmp_path / "one", address) as lake:
        s3.refuses = 403, "AccessDenied"
        with pytest.raises(StorageError) as told, lake.writer(KEY) as writer:
            store(writer, "a", range(3), 5)
        assert "AKID" not in str(told.value)
        assert "store-denied" in str(told.value)
        s3.refuses = ()
        with lake.writer(KEY):
            pass
    with open_lake(address) as lake:
        assert lake.read("logs").num_rows == 3


def test_all_machines_have_to_use_one_key(tmp_path: Path) -> None:
    filled(tmp_path / "one", tmp_path / "delta", "a")
    with pytest.raises(StorageError, match="another-key"):
        staged(tmp_path / "two", tmp_path / "delta", bytes([1] * 32))


@pytest.mark.parametrize(
    "work",
    [
        lambda lake: lake.writer(KEY).__enter__(),
        lambda lake: lake.expire(LATER),
        lambda lake: lake.forget_payloads(LATER),
    ],
)
def test_what_one_machine_cannot_do_to_all_is_refused(tmp_path: Path, work: Callable[[Lake], object]) -> None:
    filled(tmp_path / "one", tmp_path / "delta", "a")
    with open_lake(tmp_path / "delta") as lake, pytest.raises(UsageError, match="delta-lake"):
        work(lake)


def test_a_place_holds_one_kind_of_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.log"
    source.write_text("<13>1 2026-03-01T12:00:00Z h a - - - hello\n", encoding="utf-8")
    for first, second in (("ledger", "delta"), ("delta", "ledger")):
        lake = ["--lake", str(tmp_path / first)]
        assert run(["mediate", str(source), *lake, "--commit", first]) == ExitCode.DONE
        assert run(["mediate", str(source), *lake, "--commit", second]) == ExitCode.ERROR
        assert "error[another-commit]" in capsys.readouterr().err


@pytest.mark.integration
def test_processes_that_mediate_overlapping_files_at_once_store_every_row_once(
    tmp_path: Path, to: Path | Address, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = {name: tmp_path / "in" / name for name in LINES}
    (tmp_path / "in").mkdir()
    for name, path in sources.items():
        lines = (f"<13>1 2026-03-01T12:00:00Z h a - - - {name} {number}\n" for number in range(LINES[name]))
        path.write_text("".join(lines), encoding="utf-8")
    machines = [("a.log", "shared.log"), ("b.log", "shared.log", "c.log"), ("shared.log", "a.log")]
    options = ["--lake", str(to), "--commit", "delta"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "cellwright", "mediate", *(sources[name] for name in names), *options],
            env={**os.environ, "HOME": str(tmp_path / str(number)), "CELLWRIGHT_KEY_FILE": str(tmp_path / "key")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, names in enumerate(machines)
    ]
    for process in started:
        _, err = process.communicate(timeout=120)
        assert process.returncode == ExitCode.DONE, err
    sql = "SELECT split_part(body, ' ', 1) AS name, count(*) AS n, count(DISTINCT body) AS d FROM logs GROUP BY name"
    assert run(["lake", "query", str(to), sql, "-o", "json"]) == ExitCode.DONE
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["name"]: (row["n"], row["d"]) for row in rows} == {name: (n, n) for name, n in LINES.items()}
    assert run(["lake", "verify", str(to)]) == ExitCode.DONE
    assert "all 4 files balance" in capsys.readouterr().out


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_tables_that_an_earlier_version_made_are_read_and_get_the_columns_they_lack(tmp_path: Path) -> None:
    to = tmp_path / "delta"
    filled(tmp_path / "one", to, "a")
    listed = deltalake.DeltaTable(str(to / "files"))
    earlier = listed.to_pyarrow_table().drop_columns(["state", "reasons", "rows_by_table"])
    deltalake.write_deltalake(listed, earlier, mode="overwrite", schema_mode="overwrite")
    with open_lake(to) as lake:
        assert [(file.state, dict(file.rows_by_table)) for file in lake.files()] == [(FileState.PARTIAL, {"logs": 3})]
    filled(tmp_path / "two", to, "b")
    with open_lake(to) as lake:
        assert lake.tables() == (TableRecord("logs", 2, 6),)
        assert [dict(file.rows_by_table) for file in lake.files()] == [{"logs": 3}] * 2
        assert all(balance.ok for balance in lake.verify())
