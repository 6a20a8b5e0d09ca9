"""Every worker reads a changed document anew, on SIGHUP to their parent and by itself, and no request fails."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY
from test_gateway_workers import PROMPT, pytestmark, served  # noqa: F401 - the marks hold for these tests too

from cellwright.gateway.client import ask_all

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.gateway.client import Answer

OTHER = "{name: edge-2, type: reasoner, model: n, tier: onprem, boundary: premises}"
ENOUGH = 5  # rounds of eight connections
OFTEN = """
from functools import partial
from cellwright.cli import main
from cellwright.wiring import gateway
gateway.Reloading = partial(gateway.Reloading, every_s=0.02)
main()
"""
"""Begins a gateway that looks at its document fifty times a second."""
LONGEST_S = 60.0  # bounds a test that would never see what it waits for


def change(document: Path, old: str, new: str) -> None:
    """Replace the document in one step, as careful editors do."""
    text = document.read_text()
    assert old in text
    beside = document.with_suffix(".new")
    beside.write_text(text.replace(old, new))
    beside.replace(document)


def answers_until(url: str, model: str, backend: str) -> list[Answer]:
    """Ask until forty connections in a row are answered by a backend, whichever worker takes them."""
    seen: list[Answer] = []
    alone = 0
    end_s = time.monotonic() + LONGEST_S
    while time.monotonic() < end_s:
        seen += (found := asyncio.run(ask_all(url, KEY, model, [PROMPT] * 8, concurrency=8)))
        alone = alone + 1 if {answer.headers.get("x-cellwright-backend") for answer in found} == {backend} else 0
        if alone == ENOUGH:
            return seen
    pytest.fail(f"{backend} does not answer alone: {[answer.error for answer in seen[-8:]]}")


@pytest.mark.parametrize("told", [True, False])
def test_workers_change_their_policy_and_no_request_fails(tmp_path: Path, *, told: bool) -> None:
    with served(tmp_path, 2, ("-c", OFTEN)) as (process, url, _):
        document = tmp_path / "gateway.yaml"
        change(document, "premises}]", f"premises}}, {OTHER}]\n  routes: [{{name: auto, backends: [edge, edge-2]}}]")
        if told:
            os.kill(process.pid, signal.SIGHUP)
        first = [answer for answer in answers_until(url, "auto", "edge") if answer.status != 404]
        change(document, "[edge, edge-2]", "[edge-2, edge]")
        if told:
            os.kill(process.pid, signal.SIGHUP)
        second = answers_until(url, "auto", "edge-2")
        change(document, "[edge-2, edge]", "[edge-2, egde]")
        third = asyncio.run(ask_all(url, KEY, "auto", [PROMPT] * 40, concurrency=8))
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    assert [answer.error for answer in (*first, *second, *third) if answer.error] == []
    assert {answer.headers["x-cellwright-backend"] for answer in third} == {"edge-2"}
