"""A writer killed at every request to a store loses nothing, stores nothing twice, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("crashing_writer.py")
LEAST_REQUESTS = 30

pytestmark = pytest.mark.integration


def test_a_kill_at_any_request_loses_nothing_stored_and_stores_nothing_twice(tmp_path: Path) -> None:
    pytest.importorskip("obstore", reason="the extra `store` is not installed")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    lives = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lives) > LEAST_REQUESTS
    for life in lives:
        assert set(life["told"]) <= set(life["seen"]), life
        assert life["whole"], life
        assert (life["files"], life["rows"], life["kept"]) == (3, 6, 0), life
        assert life["balanced"], life  # no part is left that is not listed
    assert lives[-1]["told"] == ["a", "b", "c"]
