from __future__ import annotations

from datetime import date

import pytest
from estate_texts import CASES

from cellwright.estate.parsing import parse
from cellwright.estate.warnings import warnings_at

NAMES = sorted(path.stem for path in CASES.glob("*.yaml"))
DOUBTFUL = sorted(path.stem for path in CASES.glob("warnings/*.yaml"))
TODAY = date(2026, 6, 1)


@pytest.mark.parametrize("name", NAMES)
def test_each_case_reports_exactly_its_problems(name: str, request: pytest.FixtureRequest) -> None:
    source, golden = CASES / f"{name}.yaml", CASES / f"{name}.txt"
    parsed = parse([(source.name, source.read_text(encoding="utf-8"))])
    told = "".join(f"{diagnostic}\n" for diagnostic in parsed.diagnostics)
    if request.config.getoption("--update", default=False):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    assert (parsed.estate is None) == bool(told)


@pytest.mark.parametrize("name", DOUBTFUL)
def test_each_doubtful_case_is_sound_and_reports_exactly_its_warnings(
    name: str, request: pytest.FixtureRequest
) -> None:
    source, golden = CASES / f"warnings/{name}.yaml", CASES / f"warnings/{name}.txt"
    parsed = parse([(source.name, source.read_text(encoding="utf-8"))])
    assert parsed.diagnostics == ()
    told = "".join(f"{diagnostic}\n" for diagnostic in warnings_at(parsed, TODAY))
    if request.config.getoption("--update", default=False):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_every_golden_text_has_its_case() -> None:
    assert sorted(path.stem for path in CASES.glob("*.txt")) == NAMES
    assert sorted(path.stem for path in CASES.glob("warnings/*.txt")) == DOUBTFUL
