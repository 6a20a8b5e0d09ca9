"""Several processes on one port: exact together, replaced when they die, gone when they are told to go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY

from cellwright.gateway.client import ask_all
from cellwright.gateway.keys import hash_key
from cellwright.gateway.metering.meter import Meter
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc").is_dir(), reason="SKIPPED LOUDLY: no fork here"),
]
DOCUMENT = """apiVersion: cellwright.io/v1alpha1
kind: Gateway
metadata: {{name: x}}
spec:
  keys: [{{name: tests, tenant: operator, sha256: '{key}'}}]
  dataClass: anonymised
  backends: [{{name: edge, type: reasoner, model: m, tier: onprem, boundary: premises}}]
  meter: {{file: '{meter}'}}
"""
PROMPT = [{"role": "user", "content": "one two three"}]


@contextlib.contextmanager
def served(
    folder: Path, workers: int, run: tuple[str, str] = ("-m", "cellwright")
) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    meter = folder / "meter.db"
    document = folder / "gateway.yaml"
    document.write_text(DOCUMENT.format(key=hash_key(KEY), meter=meter))
    command = [sys.executable, *run, "gateway", "--config", str(document), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith("serving http://127.0.0.1:"), process.communicate()
            yield process, line.split()[1].rstrip(";"), meter
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_for_end(pid: int) -> None:
    """Return when a process that somebody else began has ended."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            select.select([process], [], [])
        finally:
            os.close(process)


def ask(url: str, count: int) -> list[str | None]:
    return [
        answer.error for answer in asyncio.run(ask_all(url, KEY, "m", [PROMPT] * count, concurrency=16, keeps_on=True))
    ]


def test_workers_meter_exactly_together(tmp_path: Path) -> None:
    with served(tmp_path, 3) as (process, url, meter):
        assert ask(url, 60) == [None] * 60
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    with Meter(sqlite_url(str(meter))) as opened:
        ids = {row.request_id for row in opened.rows()}
        (total,) = opened.totals()
    assert len(ids) == total.requests == 60
    assert len({name[:16] for name in ids}) > 1  # named by the process that answered


def test_what_a_gateway_writes_is_its_users_alone(tmp_path: Path) -> None:
    with served(tmp_path, 1) as (_, url, _meter):
        assert ask(url, 1) == [None]
        written = [*tmp_path.glob("meter.db*")]
        assert len(written) == 3  # with its write-ahead log
        assert {path.stat().st_mode & 0o077 for path in written} == {0}


def test_a_dead_worker_is_replaced_and_none_is_left_at_the_end(tmp_path: Path) -> None:
    with served(tmp_path, 2) as (process, _, _):
        before = set(children(process))
        os.kill(min(before), signal.SIGKILL)
        assert process.stderr is not None
        assert f"worker {min(before)} of the gateway ended with -9" in process.stderr.readline()
        while len(set(children(process)) - before) != 1:
            os.sched_yield()
        workers = before | set(children(process))
        os.kill(process.pid, signal.SIGHUP)  # the document is read anew, and nobody stops
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_workers_go_when_their_parent_is_killed(tmp_path: Path) -> None:
    with served(tmp_path, 2) as (process, _, _):
        workers = children(process)
        process.kill()
        process.wait(30)
        for pid in workers:
            wait_for_end(pid)


SCRIPT = """
import sys
from cellwright.errors import UnavailableError, UsageError
from cellwright.gateway.workers import Workers
def work(lifeline, ready):
    {work}
try:
    Workers(2, work).run(lambda: print("ready", flush=True))
except UnavailableError as error:
    print(error.diagnostics[0].code)
"""


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("ready(); sys.exit(3)", ["ready", "workers-die"]),
        ("raise UsageError.of('no-such', 'nothing')", ["gateway-not-started"]),
    ],
)
def test_workers_that_die_as_fast_as_they_are_replaced_end_the_gateway(work: str, said: list[str]) -> None:
    script = SCRIPT.format(work=work)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.split() == said
    assert ("no-such" in found.stderr) == (said == ["gateway-not-started"])


TWO_AT_ONCE = """
import os
from cellwright.errors import UnavailableError
from cellwright.gateway import workers
workers._DEATHS = 1
running = workers.Workers(2, lambda lifeline, ready: ready())
def ready():
    for pid in running._running:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
try:
    running.run(ready)
except UnavailableError as error:
    print(error.diagnostics[0].code)
"""


def test_workers_that_ended_at_once_are_all_taken_note_of() -> None:
    found = subprocess.run([sys.executable, "-c", TWO_AT_ONCE], capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.split() == ["workers-die"], found.stderr
