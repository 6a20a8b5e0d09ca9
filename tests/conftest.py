"""What all tests share: the flag that rewrites golden files, and a warning for absent public data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import pytest

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
