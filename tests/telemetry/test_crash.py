"""A collector killed at every step at which something becomes durable loses nothing and stores nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("crashing_collector.py")
LEAST_STEPS = 40

pytestmark = pytest.mark.integration


def test_a_kill_at_any_step_loses_nothing_acknowledged_and_stores_nothing_twice(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    lives = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lives) > LEAST_STEPS
    for life in lives:
        rows = life["rows"]
        assert set(life["acknowledged"]) <= set(rows), life
        assert len(rows) == len(set(rows)), life
        assert len(rows) <= len(life["acknowledged"]) + 1, life  # one message was on its way
        assert life["balanced"], life
        assert life["spooled"] == 0, life
        assert life["unlisted"] == [], life
    assert lives[-1]["acknowledged"] == list(range(4))
