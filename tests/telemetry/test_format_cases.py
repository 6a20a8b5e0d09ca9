"""Small files of every format, and the rows, quarantine and filter they become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from format_kit import check_conservation, public_data

from cellwright.plugins import PluginSet
from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping
from cellwright.telemetry.formats.table_ndjson import NdjsonTable
from cellwright.telemetry.formats.table_parquet import ParquetTable

if TYPE_CHECKING:
    from cellwright.telemetry.format import Format

CASES = Path(__file__).parent.parent / "cases" / "telemetry"
INPUTS = sorted(
    path
    for path in CASES.rglob("*")
    if path.suffix in {".json", ".xml", ".log", ".csv", ".ndjson", ".parquet", ".pcap", ".prom", ".txt"}
    and ".expected" not in path.name
)
UNKNOWN = {"wrong_header", "another"}  # a table of another header, XML of another kind


TABLES = {"delimited": Delimited, "ndjson": NdjsonTable, "parquet": ParquetTable}


def _formats() -> dict[str, Format]:
    """Return every installed format by name, and the tables by what they are written in."""
    plugins = PluginSet[type["Format"]]("formats")
    return {kind: _table(kind) for kind in TABLES} | {name: plugins.get(name)() for name in plugins.names()}


def _format(path: Path) -> Format:
    kind = path.parent.name
    return _table(kind) if kind in TABLES else PluginSet[type["Format"]]("formats").get(kind)()


def _table(kind: str) -> Format:
    text = (CASES / kind / "mapping.yaml").read_text(encoding="utf-8")
    return TABLES[kind](load_mapping(text, "mapping.yaml"))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_becomes_exactly_these_facts(path: Path, request: pytest.FixtureRequest) -> None:
    outcome = check_conservation(_format(path), path.read_bytes())
    expected = path.with_suffix(".expected.json")
    shown = json.dumps(outcome.golden(), indent=1, ensure_ascii=False) + "\n"
    if request.config.getoption("--update", default=False):
        expected.write_text(shown, encoding="utf-8")
    assert json.loads(expected.read_text(encoding="utf-8")) == json.loads(shown)


def test_no_reason_quotes_the_content() -> None:
    for path in INPUTS:
        for item in check_conservation(_format(path), path.read_bytes()).quarantined:
            assert "secret" not in item.reason


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_is_detected_by_its_own_format_and_by_no_other(path: Path) -> None:
    """Files that show their damage in the first lines may be known to none, never to another."""
    head = path.read_bytes()[: 1 << 16]
    detected = [name for name, each in _formats().items() if each.detects(head, path.name)]
    assert detected in ([path.parent.name], [])
    assert detected or path.stem in UNKNOWN


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "suffix", "name"),
    [("ves", "ves*.json", "ves"), ("pm", "*.ranpm.json", "ves"), ("pm", "*.xml", "pm-xml")],
)
def test_public_files_are_detected_by_one_format(folder: str, suffix: str, name: str) -> None:
    for path in sorted(public_data(folder).glob(suffix)):
        head = path.read_bytes()[: 1 << 16]
        assert [each for each, form in _formats().items() if form.detects(head, path.name)] == [name]


@pytest.mark.data
@pytest.mark.parametrize("suffix", ["csv", "gml", "yaml", "npz", "expected.json", "md", "gz"])
def test_public_files_of_other_kinds_are_not_detected(suffix: str) -> None:
    paths = sorted(path for path in public_data("README.md").parent.rglob(f"*.{suffix}"))
    assert paths
    for path in paths:
        head = path.read_bytes()[: 1 << 16]
        assert not [name for name, form in _formats().items() if form.detects(head, path.name)], path.name
