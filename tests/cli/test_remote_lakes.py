"""The commands about a lake that lies in an object store, and a collector that writes one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwright.cli.main import run
from cellwright.lake.delta_lake import open_lake
from cellwright.lake.staged import Commit
from cellwright.telemetry.collector_document import CollectorConfig, KeepSpec
from cellwright.telemetry.listener import ListenerSpec
from cellwright.wiring.collecting import build
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.settings import read_settings

sys.path.append(str(Path(__file__).parents[1] / "lake"))

from fake_s3 import BUCKET, FakeS3, fake_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

LAKE = f"s3://{BUCKET}/prod"
LISTENER = ListenerSpec("syslog-udp", "syslog-udp", "127.0.0.1", 0)


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    pytest.importorskip("obstore", reason="the extra `store` is not installed")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "CELLWRIGHT_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    with fake_s3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "in" / "one.log"
    path.parent.mkdir()
    path.write_bytes(b"<13>1 2026-03-01T12:00:00Z h a - - - one\n<13>1 2026-03-01T12:00:00Z h a - - - two\n")
    return str(path)


def test_every_command_about_a_lake_takes_its_address(
    s3: FakeS3, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mediate", source, "--lake", LAKE]) == 0
    assert run(["mediate", source, "--lake", LAKE + "/"]) == 0  # the same lake: the file is known
    assert len(s3.names("prod/tables")) == 1
    capsys.readouterr()
    assert run(["lake", "query", LAKE, "SELECT count(*) AS n FROM logs", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": [{"n": 2}]}
    for command in (
        ["lake", "ls", LAKE],
        ["lake", "verify", LAKE],
        ["lake", "quality", LAKE],
        ["lake", "compact", LAKE],
        ["lake", "export", LAKE, "--out", str(tmp_path / "alarms.json")],
        ["lake", "expire", LAKE, "--quarantine-older-than", "1d"],
        ["digest", LAKE],
        ["anonymise", LAKE, "--k", "2", "--out", str(tmp_path / "copy")],
        ["lake", "expire", LAKE, "--older-than", "1ms"],
    ):
        assert run(command) == 0, command
    assert s3.names("prod/tables") == []
    assert (tmp_path / ".cache" / "cellwright" / "lakes").is_dir()


def test_a_lake_at_an_address_is_published_to_delta_tables_at_another(
    s3: FakeS3, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deltalake", reason="the extra `delta` is not installed")
    assert run(["mediate", source, "--lake", LAKE]) == 0
    for told in ("1 files with 2 rows added", "1 were there before"):
        assert run(["lake", "publish", LAKE, "--to", f"s3://{BUCKET}/delta"]) == 0
        assert told in capsys.readouterr().out
    assert run(["lake", "verify", f"s3://{BUCKET}/delta"]) == 0
    assert s3.names("delta/files/_delta_log")


@pytest.mark.parametrize(
    ("address", "code", "told"),
    [
        ("s3://nowhere/prod", 1, "no-bucket"),
        (f"s3://{BUCKET}/none", 1, "no-lake"),
        ("s3//x", 1, "no-lake"),
        ("ftp://host/x", 64, "unsupported-store"),
        ("s3://AKID:topsecret@b/x", 64, "secret-in-address"),
    ],
)
def test_an_address_that_holds_no_lake_is_told(
    s3: FakeS3, address: str, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lake", "ls", address]) == code
    assert f"error[{told}]" in (said := capsys.readouterr().err)
    assert "topsecret" not in said
    assert s3.objects == {}


def test_a_store_that_refuses_ends_a_run_with_one_line_and_nothing_stored(
    s3: FakeS3, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.refuses = 403, "InvalidAccessKeyId"
    assert run(["mediate", source, "--lake", LAKE]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "error[store-denied]" in said.err
    assert "AKID" not in said.err + said.out
    assert s3.objects == {}


@contextmanager
def failing(s3: FakeS3) -> Iterator[None]:
    s3.refuses = 503, "SlowDown"
    yield
    s3.refuses = ()


@pytest.mark.parametrize("commit", Commit)
def test_a_collector_releases_what_it_received_when_the_store_has_it(
    s3: FakeS3, tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    if commit is Commit.DELTA:
        pytest.importorskip("deltalake", reason="the extra `delta` is not installed")
    monkeypatch.setattr("cellwright.lake.bucket._RETRIES", {"max_retries": 0})
    monkeypatch.setattr("cellwright.lake.delta._PATIENCE", {"max_retries": "0"})
    settings = replace(read_settings(os.environ, tmp_path), key_file=tmp_path / "key")
    config = CollectorConfig(
        "edge", LAKE, "spool", 10**9, 1.0, (), (LISTENER,), (), KeepSpec(quarantine_ms=1.0, every_s=0.0), commit
    )

    async def collect() -> list[int]:
        collector, waiting = build(config, tmp_path, settings), []
        for number in range(3):
            await collector._intakes[0].keep([b"<13>1 2026-03-01T12:00:00Z h a - - - line %d" % number])
            with failing(s3), pytest.raises(Exception, match="store"):
                await collector.flush()
            waiting.append(len(list((tmp_path / "spool").rglob("*.ready"))))
            await collector.flush()
            waiting.append(len(list((tmp_path / "spool").rglob("*.ready"))))
        await collector.close()
        return waiting

    assert asyncio.run(collect()) == [1, 0] * 3
    with open_lake(lake_at(LAKE, settings)) as lake:
        assert sorted(lake.read("logs", ["body"])["body"].to_pylist()) == ["line 0", "line 1", "line 2"]
        assert all(balance.ok for balance in lake.verify())
        assert len(lake.files()) == 3
