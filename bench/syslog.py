# ruff: noqa: A005 - a script, no module: it is named for what it measures
"""How fast syslog files become Arrow rows, beside rsyslog and a plain regular expression.

Data: log files as arguments, each repeated to the number of lines; beside them RFC 5424 lines made from a seed, without
and with structured data in one of five. All speeds are per second of processor time. rsyslog is a program of its own,
which gets the lines over a local socket, parses them and writes one JSON object a line, with a queue without threads
and with its own; the faster counts, and its start is not counted. Where it is not installed it is left out, loudly. The
regular expression reads the same parts into a list. Growth is the slope in log-log of time and of the most memory a
fresh process takes beyond that of one line, over three sizes.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import platform
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cellwright.telemetry.formats.syslog import Syslog
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

QUICK: Final = (50_000, 1)  # lines, seeds
ROUNDS: Final = 3
STRUCTURED_SHARE: Final = 0.2
PATTERN: Final = re.compile(
    rb"(?:<(\d{1,3})>)?(?:1 )?(\d{4}-\S+|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\S+) "
    rb"(?:(\S+) (\S+) (\S+) (-|\[.*?\]) |([^\s:\[]+)(?:\[(\d+)\])?: )?(.*)"
)
RSYSLOG: Final = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imptcp")
{queue}
template(name="json" type="list" option.jsonf="on") {{
 property(outname="ts" name="timereported" dateFormat="rfc3339" format="jsonf")
 property(outname="pri" name="pri" format="jsonf")
 property(outname="host" name="hostname" format="jsonf")
 property(outname="app" name="programname" format="jsonf")
 property(outname="procid" name="procid" format="jsonf")
 property(outname="msgid" name="msgid" format="jsonf")
 property(outname="attributes" name="structured-data" format="jsonf")
 property(outname="body" name="msg" format="jsonf")
}}
input(type="imptcp" path="{folder}/in")
action(type="omfile" file="{folder}/out" template="json" ioBufferSize="1m" flushOnTXEnd="off")
"""
QUEUES: Final = ('main_queue(queue.type="Direct")', "")
PEAK: Final = (
    "import re, sys; from cellwright.telemetry.formats.syslog import Syslog\n"
    "with open(sys.argv[1], 'rb') as stream:\n"
    "    for _ in Syslog().parse(stream): pass\n"
    "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
)


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="log files")
    parser.add_argument("--lines", type=int, default=400_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rsyslogd", default=shutil.which("rsyslogd") or "", help="the program, empty: none")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[0]:,} lines, {QUICK[1]} seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines, seeds = QUICK if options.quick else (options.lines, options.seeds)
    if not options.rsyslogd:
        print("rsyslog is LEFT OUT: install it, or name it with --rsyslogd", file=sys.stderr)
    rows: list[Row] = []
    for path in options.files:
        rows += judge(path.stem, [repeated(path.read_bytes(), lines, seed) for seed in range(seeds)], options.rsyslogd)
    for case, share in (("RFC 5424", 0.0), ("RFC 5424, data", STRUCTURED_SHARE)):
        rows += judge(case, [made(lines, seed, share) for seed in range(seeds)], options.rsyslogd)
    rows += growth(lines)
    for row in rows:
        peers = ", ".join(f"{name} {value:,.0f}" for name, value in row.peers.items())
        ratio = f"x{row.ratio:.1f}" if row.ratio else ""
        print(f"{row.case:16} {row.figure:32} {row.ours:>12,.6g} {row.unit:8} {peers} {ratio} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, pyarrow {pa.__version__}, one thread"
        print(json.dumps({"bench": "syslog", "machine": machine, "rows": [asdict(row) for row in rows]}))


def repeated(data: bytes, lines: int, seed: int) -> bytes:
    """Return the lines of a file drawn again and again until there are `lines`."""
    every = [line for line in data.splitlines(keepends=False) if line.strip()]
    return b"\n".join(random.Random(seed).choices(every, k=lines)) + b"\n"  # noqa: S311 - no secret


def made(lines: int, seed: int, structured_share: float = 0.0) -> bytes:
    """Return RFC 5424 lines of many hosts and functions."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return "".join(_line(chance, number, structured_share) for number in range(lines)).encode()


def _line(chance: random.Random, number: int, structured_share: float) -> str:
    is_structured = chance.random() < structured_share
    data = f'[meta@32473 sequenceId="{number}" ip="10.0.{chance.randrange(256)}.7"]' if is_structured else "-"
    day = f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    hour = f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
    stamp = f"{day}T{hour}.{chance.randrange(10**6):06d}{chance.choice(['Z', '+01:00', '-05:30'])}"
    names = f"host-{chance.randrange(500)} {chance.choice(['amf', 'smf', 'upf', 'sshd'])} {chance.randrange(1, 40_000)}"
    text = (
        f"session {chance.randrange(10**9)} of 10.1.{chance.randrange(256)}.9 released in {chance.randrange(9999)} ms"
    )
    return f"<{chance.randrange(192)}>1 {stamp} {names} ID{chance.randrange(99)} {data} {text}\n"


def judge(case: str, files: Sequence[bytes], rsyslogd: str) -> Iterator[Row]:
    """Yield the speed of reading and of counting."""
    read_ours([files[0][: 1 << 16]])  # what loads at the first use is no matter of speed
    ours, counted = [], []
    peers: dict[str, list[float]] = {"re": []}
    for data in files:
        lines = data.count(b"\n")
        ours.append(lines / least(read_ours, [data]))
        counted.append(lines / least(count_ours, [data]))
        peers["re"].append(lines / least(read_pattern, [data]))
        if rsyslogd:
            peers.setdefault("rsyslog", []).append(lines / min(rsyslog_s(rsyslogd, data, queue) for queue in QUEUES))
    speeds = {name: statistics.mean(values) for name, values in peers.items()}
    ratios = [ours_one / peer for ours_one, peer in zip(ours, peers.get("rsyslog", peers["re"]), strict=True)]
    spread = f"{_spread(ours)}; times {'rsyslog' if rsyslogd else 're'} {_spread(ratios)}"
    yield Row(
        case, "lines to Arrow rows", "lines/s", statistics.mean(ours), speeds, statistics.mean(ratios), spread=spread
    )
    yield Row(case, "lines counted", "lines/s", statistics.mean(counted), spread=_spread(counted))


def least(work: Callable[[list[bytes]], object], arguments: list[bytes]) -> float:
    """Return the least processor time of some rounds."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work(arguments)
        times.append(time.process_time() - started)
    return min(times)


def read_ours(files: list[bytes]) -> int:
    """Return the number of rows."""
    batches = (batch for data in files for batch in Syslog().parse(io.BytesIO(data)))
    return sum(batch.tables["logs"].num_rows for batch in batches if "logs" in batch.tables)


def count_ours(files: list[bytes]) -> int:
    """Return the number of facts."""
    return sum(Syslog().count_facts(io.BytesIO(data)) for data in files)


def read_pattern(files: list[bytes]) -> int:
    """Return the number of lines whose parts a regular expression finds."""
    matches = (PATTERN.fullmatch(line) for data in files for line in data.splitlines())
    return len([match.groups() for match in matches if match])


def rsyslog_s(program: str, data: bytes, queue: str) -> float:
    """Return the processor time that rsyslog takes for the lines, without what it takes for one."""
    first = data[: data.index(b"\n") + 1]
    return max(1e-9, _rsyslog_s(program, data, queue) - _rsyslog_s(program, first, queue))


def _rsyslog_s(program: str, data: bytes, queue: str) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "settings"
        settings.write_text(RSYSLOG.format(folder=folder, queue=queue), encoding="utf-8")
        child = subprocess.Popen(
            [program, "-n", "-f", str(settings), "-i", str(folder / "pid")], stderr=subprocess.DEVNULL
        )
        try:
            _until((folder / "in").exists)
            with socket.socket(socket.AF_UNIX) as way:
                way.connect(str(folder / "in"))
                way.sendall(data)
            _until(lambda: _is_drained(child.pid))
        finally:
            child.terminate()
            _, _, usage = os.wait4(child.pid, 0)
            child.returncode = 0
        written = (folder / "out").read_bytes().count(b"\n")
        sent = data.count(b"\n")
        if written < sent:
            print(f"rsyslog wrote {written:,} of {sent:,} lines", file=sys.stderr)
        return usage.ru_utime + usage.ru_stime


def _until(is_done: Callable[[], bool], limit_s: float = 120.0) -> None:
    end = time.monotonic() + limit_s
    while not is_done():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


def _is_drained(pid: int, wait_s: float = 0.2) -> bool:
    """Return whether a process has used no processor time for a while."""
    before = _ticks(pid)
    time.sleep(wait_s)
    return _ticks(pid) == before


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def growth(lines: int) -> Iterator[Row]:
    """Yield the slopes of time and memory over three sizes, the largest the one given."""
    sizes, times, peaks = [], [], []
    floor = peak_kib(made(1, 0))
    for share in (4, 2, 1):
        data = made(lines // share, 0, STRUCTURED_SHARE)
        sizes.append(math.log(lines // share))
        times.append(math.log(least(read_ours, [data])))
        peaks.append(math.log(max(1, peak_kib(data) - floor)))
    for figure, values in (("growth of time with lines", times), ("growth of memory with lines", peaks)):
        slope = statistics.linear_regression(sizes, values).slope
        yield Row(f"up to {lines:,}", figure, "", slope, higher_is_better=False, spread="3 sizes, log-log")


def peak_kib(data: bytes) -> int:
    """Return the most memory a process takes that reads the lines from a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return int(subprocess.run([sys.executable, "-c", PEAK, file.name], capture_output=True, check=True).stdout)


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):,.4g} to {max(values):,.4g} over {len(values)} seeds"


if __name__ == "__main__":
    main()
