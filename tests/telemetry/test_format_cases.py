"""Small files of every format, and the rows, quarantine and filter they become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from format_kit import check_conservation

from cellwright.plugins import PluginSet
from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping

CASES = Path(__file__).parent.parent / "cases" / "telemetry"
INPUTS = sorted(
    path
    for path in CASES.rglob("*")
    if path.suffix in {".json", ".xml", ".log", ".csv", ".ndjson", ".parquet", ".pcap", ".prom"} and ".expected" not in path.name
)


def _format(path: Path):  # noqa: ANN202 - a Format of any class
    if path.parent.name != "delimited":
        return PluginSet("formats").get(path.parent.name)()
    mapping = path.with_name("mapping.yaml")
    return Delimited(load_mapping(mapping.read_text(encoding="utf-8"), mapping.name))


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
