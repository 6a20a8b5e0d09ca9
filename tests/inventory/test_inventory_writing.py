"""What an import leaves on the disk: a whole estate or what was there before."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellwright.cli.main import run
from cellwright.errors import EstateError, ExitCode, StorageError, UsageError
from cellwright.estate.parsing import parse
from cellwright.inventory.model import Imported, Options, Role, Source
from cellwright.wiring import inventories as wiring
from cellwright.wiring.inventories import import_estate, read_columns, read_source, write_estate

if TYPE_CHECKING:
    from pathlib import Path

SITES = "name,lat,lon,country\nMilano,45.5,9.2,IT\nRoma,41.9,12.5,IT\n"
LINKS = "a,b,rtt_ms,bandwidth_gbps\nMilano,Roma,9,100\n"


@pytest.fixture
def imported() -> Imported:
    texts = [Source("s.csv", SITES.encode(), Role.SITES), Source("l.csv", LINKS.encode(), Role.LINKS)]
    return import_estate("csv", texts, Options())


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


def test_a_new_folder_holds_sites_and_links_and_passes_the_check(imported: Imported, tmp_path: Path) -> None:
    written = write_estate(tmp_path / "a/estate", imported, "heading", force=False)
    files = everything(tmp_path)
    assert sorted(files) == ["a/estate/links.yaml", "a/estate/sites.yaml"]
    assert [path.name for path in written] == ["sites.yaml", "links.yaml"]
    assert parse(list(files.items())).diagnostics == ()


def test_a_name_that_ends_in_yaml_becomes_one_file(imported: Imported, tmp_path: Path) -> None:
    write_estate(tmp_path / "estate.yaml", imported, "heading", force=False)
    assert list(everything(tmp_path)) == ["estate.yaml"]


@pytest.mark.parametrize("name", ["estate", "estate.yaml"])
def test_what_is_there_is_not_overwritten_without_force(imported: Imported, tmp_path: Path, name: str) -> None:
    write_estate(tmp_path / name, imported, "first", force=False)
    before = everything(tmp_path)
    with pytest.raises(StorageError, match="target-exists"):
        write_estate(tmp_path / name, imported, "second", force=False)
    assert everything(tmp_path) == before


def test_force_replaces_an_import_and_keeps_other_files(imported: Imported, tmp_path: Path) -> None:
    write_estate(tmp_path / "e", imported, "first", force=False)
    (tmp_path / "e/workloads.yaml").write_text("# mine\n")
    write_estate(tmp_path / "e", imported, "second", force=True)
    files = everything(tmp_path)
    assert sorted(files) == ["e/links.yaml", "e/sites.yaml", "e/workloads.yaml"]
    assert all(text.startswith(("# second", "# mine")) for text in files.values())


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("before", [False, True])
def test_a_full_disk_or_an_interruption_leaves_what_was_there(
    imported: Imported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, *, before: bool
) -> None:
    if before:
        write_estate(tmp_path / "e", imported, "first", force=False)
    known = everything(tmp_path)
    real = wiring.write_atomically

    def failing(path: Path, text: str) -> None:
        if path.name == "links.yaml":
            raise failure
        real(path, text)

    monkeypatch.setattr(wiring, "write_atomically", failing)
    with pytest.raises(type(failure)):
        write_estate(tmp_path / "e", imported, "second", force=True)
    assert everything(tmp_path) == known
    assert (tmp_path / "e").exists() == before


def test_a_file_that_is_too_large_is_refused_before_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "FILE_LIMIT", 10)
    (tmp_path / "x.csv").write_text("x" * 11)
    with pytest.raises(StorageError, match="too-large"):
        read_source(tmp_path / "x.csv", Role.SITES)


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_what_is_no_file_is_told_in_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError):
        read_source(tmp_path / name, Role.SITES)


def test_columns_come_from_pairs_and_from_yaml_files(tmp_path: Path) -> None:
    (tmp_path / "columns.yaml").write_text("site: Standort\nnodes.cores: Kerne\n")
    assert read_columns([str(tmp_path / "columns.yaml"), "lat=B"]) == {
        "site": "Standort",
        "nodes.cores": "Kerne",
        "lat": "B",
    }
    with pytest.raises(UsageError, match="bad-columns"):
        read_columns(["Standort"])


def test_the_command_writes_and_says_what_it_assumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.csv").write_text(SITES)
    out = tmp_path / "estate"
    command = ["import", "csv", "--sites", str(tmp_path / "s.csv"), "--out", str(out), "--control", "operator"]
    assert run(command) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "wrote 2 sites with 0 machines and 0 links" in told
    assert "control: operator (--control)" in told
    assert run(command) == ExitCode.ERROR
    assert "target-exists" in capsys.readouterr().err
    assert run([*command, "--force", "-o", "json"]) == ExitCode.DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sites"], answer["links"], answer["diagnostics"]) == (2, 0, [])
    assert {each["kind"] for each in answer["remarks"]} == {"assumed"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["cvs"], ExitCode.USAGE, "did you mean 'csv'?"),
        (["csv"], ExitCode.USAGE, "no-site-table"),
        (["graphml"], ExitCode.USAGE, "one-topology"),
        (["kubernetes"], ExitCode.USAGE, "no-input"),
        (["netbox"], ExitCode.USAGE, "no-input"),
        (["csv", "--url", "http://x"], ExitCode.USAGE, "unused-option"),
        (["csv", "--jurisdiction", "EU"], ExitCode.USAGE, "bad-jurisdiction"),
        (["csv", "--location", "91,0"], ExitCode.USAGE, "bad-location"),
        (["csv", "--bandwidth", "10"], ExitCode.USAGE, "bad-bandwidth"),
        (["csv", "--tier-by", "type=core:metropolis"], ExitCode.USAGE, "did you mean 'metro'?"),
        (["csv", "--tier-by", "core"], ExitCode.USAGE, "bad-tier-rule"),
        (["csv", "--tier", "core"], ExitCode.USAGE, "far_edge"),
    ],
)
def test_a_wrong_command_line_is_told_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert run(["import", *arguments, "--out", str(tmp_path / "e")]) == code
    assert words in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


def test_problems_of_the_input_are_told_with_their_place() -> None:
    texts = [Source("s.csv", b"name,lat,lon\nA,99,1\n", Role.SITES)]
    with pytest.raises(EstateError, match=r"s\.csv:2:1"):
        import_estate("csv", texts, Options(jurisdiction="IT"))


def test_an_interrupted_command_leaves_no_folder(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cellwright", "import", "kubernetes", "-", "--out", str(tmp_path / "e")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write("[" + " " * 300_000)  # more than a pipe holds: once it is written, the command is reading
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted" in told
    assert list(tmp_path.iterdir()) == []
