"""What all tests share: the flag that rewrites golden files, a warning for absent public data, a simulated lake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cellwright.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(os.environ.get("CELLWRIGHT_DATA") or Path(__file__).parents[2] / "shared/data")

# No property fails for being slow on a busy machine. CI tries the same examples each time, a developer new ones.
settings.register_profile(
    "house",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite golden files instead of comparing with them")


def pytest_report_header() -> str | None:
    return None if DATA.is_dir() else f"SKIPPING every test marked `data`: no public data at {DATA} (CELLWRIGHT_DATA)"


@pytest.fixture(scope="session")
def simulated_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lake of a simulated network with faults; it is read, not written."""
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLWRIGHT_KEY_FILE", str(folder / "key"))
        assert run(["simulate", "--out", str(folder / "sim"), "--seed", "7"]) == 0
        assert run(["mediate", str(folder / "sim/telemetry"), "--lake", str(folder / "lake")]) == 0
    return folder / "lake"


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return what runs a command in this process: code, standard output, standard error."""

    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_it
