"""The picture as the command writes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

OPERATOR = Path(__file__).parents[2] / "examples/operator"


def show(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "cellwright", "estate", "show", *map(str, arguments)],
        cwd=folder,
        env={**kept, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_example_becomes_one_page_by_default(tmp_path: Path) -> None:
    done = show(tmp_path, OPERATOR)
    assert done.returncode == 0, done.stderr
    assert "218 sites: 2 region, 3 metro, 12 on-premises, 1 AI factory and 200 far edge." in done.stdout
    assert "wrote estate.html" in done.stdout
    assert (tmp_path / "estate.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_name_that_ends_in_svg_gets_a_drawing_of_what_is_in_focus(tmp_path: Path) -> None:
    done = show(tmp_path, OPERATOR, "--out", "filter.svg", "--focus", "alarm-filter")
    assert done.returncode == 0, done.stderr
    drawing = (tmp_path / "filter.svg").read_text(encoding="utf-8")
    assert drawing.startswith("<svg")
    assert "operator: alarm-filter" in drawing


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((OPERATOR, "--out", "x.png"), 64, "neither an SVG nor an HTML file"),
        ((OPERATOR, "--focus", "alarm-fitler"), 64, "did you mean 'alarm-filter'?"),
        (("nowhere",), 1, "there is no estate at nowhere"),
    ],
)
def test_a_wrong_request_ends_in_a_sentence_and_draws_nothing(
    tmp_path: Path, arguments: tuple[str | Path, ...], code: int, told: str
) -> None:
    done = show(tmp_path, *arguments)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
