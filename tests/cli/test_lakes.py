"""The commands about a lake, as their users meet them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from cellwright.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

EVENT = (
    b"<13>1 2026-03-01T12:00:00Z amf-1 amfd 812 HO - Handover complete\n"
    b"<11>1 2026-03-01T12:00:01+01:00 amf-1 amfd 812 HO - Handover failed\n"
)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / f"{name}.log").write_bytes(EVENT + name.encode().join([b"<13>1 - h ", b" - - - x\n"]))
        assert run(["mediate", str(tmp_path / f"{name}.log"), "--lake", str(tmp_path / "lake")]) == 0
    return str(tmp_path / "lake")


def test_a_query_is_printed_as_table_json_and_csv(
    lake: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "SELECT severity_number, count(*) AS n, max(ts) AS last, sum(ordinal) AS s FROM logs GROUP BY 1 ORDER BY 1"
    capsys.readouterr()
    assert run(["lake", "query", lake, sql, "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["n"], row["last"], row["s"]) for row in rows] == [
        (4, "2026-03-01T12:00:00+00:00", 4),
        (2, "2026-03-01T11:00:01+00:00", 2),
    ]
    assert run(["lake", "query", lake, sql, "-o", "csv"]) == 0
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))["n"] == "4"
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["lake", "query", lake, "SELECT * FROM logs LIMIT 1"]) == 0
    wide = capsys.readouterr().out  # too wide for a table: a column a line
    assert "body             Handover complete\n" in wide
    assert run(["lake", "query", lake, "SELECT body, app FROM logs LIMIT 1"]) == 0
    assert capsys.readouterr().out.split() == ["body", "app", "Handover", "complete", "amfd"]


def test_a_wrong_query_is_a_usage_error(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lake", "query", lake, "SELECT * FROM log"]) == 64
    assert "did you mean 'logs'" in capsys.readouterr().err


def test_parts_become_few_and_nothing_else_changes(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lake", "compact", lake]) == 0
    assert "2 parts became 1" in capsys.readouterr().out
    assert run(["lake", "verify", lake]) == 0
    assert "all 2 files balance" in capsys.readouterr().out


def test_what_is_old_goes_and_what_is_young_stays(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lake", "expire", lake, "--older-than", "90d", "--quarantine-older-than", "30d"]) == 0
    assert "0 files with 0 rows deleted" in capsys.readouterr().out
    assert run(["lake", "expire", lake, "--older-than", "0s", "-o", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 2
    assert run(["lake", "verify", lake]) == 0


@pytest.mark.parametrize(("arguments", "words"), [((), "--older-than AGE"), (("--older-than", "9"), "such as '4 ms'")])
def test_an_age_is_needed_with_its_unit(
    lake: str, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lake", "expire", lake, *arguments]) == 64
    assert words in capsys.readouterr().err


def test_alarms_leave_as_a_document_of_another_system(lake: str, tmp_path: Path) -> None:
    assert run(["lake", "export", lake, "--as", "tmf642", "--out", str(tmp_path / "alarms.json")]) == 0
    assert json.loads((tmp_path / "alarms.json").read_text(encoding="utf-8")) == []
    assert run(["lake", "export", lake, "--as", "tmf64", "--out", str(tmp_path / "none.json")]) == 64
    assert not (tmp_path / "none.json").exists()
