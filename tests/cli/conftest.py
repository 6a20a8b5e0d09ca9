"""What several tests of commands look into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwright.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def simulated_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lake of a simulated network with faults; it is read, not written."""
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLWRIGHT_KEY_FILE", str(folder / "key"))
        assert run(["simulate", "--out", str(folder / "sim"), "--seed", "7"]) == 0
        assert run(["mediate", str(folder / "sim/telemetry"), "--lake", str(folder / "lake")]) == 0
    return folder / "lake"
