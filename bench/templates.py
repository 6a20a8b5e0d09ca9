"""How fast log lines are put to templates and how well they are grouped, beside drain3.

Data: log files as arguments. Where `LOG_structured.csv` lies beside one, as loghub has it, its columns Content and
EventId are the messages and the truth. Grouping accuracy is the share of lines whose group is exactly the truth's (Zhu
et al., ICSE-SEIP 2019), of messages and of whole lines as they stand in the file, with the same settings for all
files. For speed, lines are drawn from the file and their digits drawn anew, so that hardly two are the same; at first
sight are the file's own lines, once. All speeds are per second of processor time, ours from Python strings.

drain3 runs under `--peers-python`, an interpreter that has it: with its defaults, with three masks (addresses,
hexadecimal and other numbers), and with what logparser's benchmark sets for each set of logs, for sets it knows by the
file's name (`Linux_2k.log`). Without the option it is left out, loudly. Growth is the slope in log-log of time, and of
the most memory that a fresh process takes beyond that of one line, over three sizes.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cellwright.digest.templates import mine
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

LINES: Final = 200_000
QUICK: Final = (50_000, 1)  # lines, seeds
PEER_SHARE: Final = 10  # of the lines, one in so many goes to peers, whose speed does not depend on how many there are
ROUNDS: Final = 3
PEERS: Final = Path(__file__).with_name("templates_peers.py")
KINDS: Final = {"default": "drain3", "masked": "drain3, masks", "tuned": "drain3, tuned to the set"}
DIGIT: Final = re.compile(r"[0-9]")
PEAK: Final = (
    "import re, sys; from cellwright.digest.templates import mine\n"
    "mine(open(sys.argv[1], encoding='utf-8').read().split('\\n'))\n"
    "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
)


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers-python", help="an interpreter with drain3")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[0]:,} lines, {QUICK[1]} seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines, seeds = QUICK if options.quick else (options.lines, options.seeds)
    if not options.peers_python:
        print("drain3 is LEFT OUT: name an interpreter that has it with --peers-python", file=sys.stderr)
    rows: list[Row] = []
    mine(["what loads at the first use is no matter of speed 1"])
    for path in options.logs:
        rows += judge(path, lines, seeds, options.peers_python)
    rows += summary(rows)
    rows += growth(read(options.logs[0])[0], lines)
    for row in rows:
        peers = ", ".join(f"{name} {value:,.4g}" for name, value in row.peers.items())
        ratio = f"x{row.ratio:.3g}" if row.ratio else ""
        print(f"{row.case:16} {row.figure:34} {row.ours:>10,.4g} {row.unit:8} {peers} {ratio} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, pyarrow {pa.__version__}, one thread"
        print(json.dumps({"bench": "templates", "machine": machine, "rows": [asdict(row) for row in rows]}))


def read(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Return the whole lines of a log, its messages (the lines where there is no truth), and the truth or nothing."""
    lines = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
    truth = path.with_name(f"{path.name}_structured.csv")
    if not truth.is_file():
        return lines, lines, []
    with truth.open(encoding="utf-8", errors="replace", newline="") as stream:
        told = [(row["Content"], row["EventId"]) for row in csv.DictReader(stream)]
    return lines, [content for content, _ in told], [event for _, event in told]


def judge(path: Path, lines: int, seeds: int, peers_python: str | None) -> Iterator[Row]:
    """Yield accuracy where the truth is known, and speed."""
    name = path.stem.removesuffix("_2k")
    whole, messages, truth = read(path)
    if truth:
        for figure, texts in (("grouping accuracy, messages", messages), ("grouping accuracy, whole lines", whole)):
            if len(texts) != len(truth):
                print(f"{path}: {len(texts)} lines, {len(truth)} in its truth: {figure} is LEFT OUT", file=sys.stderr)
                continue
            mined = mine(texts)
            peers = {
                label: grouping_accuracy(codes, truth)
                for kind, label in KINDS.items()
                if peers_python and (codes := peer(peers_python, name, texts, kind)[0])
            }
            note = f"{len(mined.templates)} templates for {len(set(truth))}"
            yield Row(name, figure, "share", grouping_accuracy(mined.codes.tolist(), truth), peers, spread=note)
    yield speed(name, messages, lines, seeds, peers_python)
    once = [least(messages, ROUNDS) for _ in range(seeds)]
    yield Row(name, "lines at first sight", "lines/s", len(messages) / min(once), spread=f"{len(messages)} lines")


def grouping_accuracy(codes: Sequence[Hashable], truth: Sequence[str]) -> float:
    """Return the share of lines whose group consists of the very lines of the truth's group."""
    groups = {frozenset(group) for group in _groups(truth)}
    return sum(len(group) for group in _groups(codes) if frozenset(group) in groups) / len(truth)


def _groups(codes: Sequence[Hashable]) -> Iterator[list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for place, code in enumerate(codes):
        groups[code].append(place)
    yield from groups.values()


def speed(name: str, messages: Sequence[str], lines: int, seeds: int, peers_python: str | None) -> Row:
    """Return the speed on lines drawn from a log."""
    ours: list[float] = []
    peers: dict[str, list[float]] = defaultdict(list)
    for seed in range(seeds):
        drawn = repeated(messages, lines, seed)
        ours.append(lines / least(drawn))
        for kind, label in KINDS.items():
            some = drawn[:: PEER_SHARE * max(1, lines // LINES)]
            if peers_python and (taken := peer(peers_python, name, some, kind)[1]):
                peers[label].append(len(some) / taken)
    means = {label: statistics.mean(values) for label, values in peers.items()}
    ratio = statistics.mean(ours) / max(means.values()) if means else None
    spread = f"{min(ours):,.4g} to {max(ours):,.4g} over {seeds} seeds"
    return Row(name, "lines to templates", "lines/s", statistics.mean(ours), means, ratio, spread=spread)


def repeated(messages: Sequence[str], lines: int, seed: int) -> list[str]:
    """Return so many lines drawn from some, with other digits."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    digits = "".join(chance.choices("0123456789", k=1 << 16))
    places = iter(lambda: chance.randrange(1 << 15), None)

    def other(text: str) -> str:
        place = next(places)
        return DIGIT.sub(lambda found: digits[(place + found.start()) & 0xFFFF], text)

    return [other(text) for text in chance.choices(messages, k=lines)]


def least(lines: Sequence[str], rounds: int = 1) -> float:
    """Return the least processor time of some rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        mine(lines)
        times.append(time.process_time() - started)
    return min(times)


def peer(python: str, name: str, lines: Sequence[str], kind: str) -> tuple[list[int] | None, float | None]:
    """Return the groups that drain3 finds and its processor time; None where the set has no settings."""
    work = json.dumps({"set": name, "lines": lines, "settings": kind})
    done = subprocess.run([python, str(PEERS)], input=work, capture_output=True, check=True, text=True).stdout
    told = json.loads(done.splitlines()[-1])
    return told["codes"], told["cpu_s"]


def summary(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the mean accuracy over all logs, and on how many of them it is that of a peer or more."""
    for figure in ("grouping accuracy, messages", "grouping accuracy, whole lines"):
        found = [row for row in rows if row.figure == figure]
        if len(found) > 1:
            peers = {
                label: statistics.mean(row.peers[label] for row in found)
                for label in KINDS.values()
                if all(label in row.peers for row in found)
            }
            won = {label: sum(row.ours >= row.peers[label] for row in found) for label in peers}
            notes = [f"as good as {label} or better on {count} of {len(found)}" for label, count in won.items()]
            mean = statistics.mean(row.ours for row in found)
            yield Row("all", figure, "share", mean, peers, spread="; ".join(notes))


def growth(messages: Sequence[str], lines: int) -> Iterator[Row]:
    """Yield the slopes of time and memory over three sizes, the largest the one given."""
    sizes, times, peaks = [], [], []
    floor = peak_kib(["one line"])
    for share in (4, 2, 1):
        drawn = repeated(messages, lines // share, 0)
        sizes.append(math.log(len(drawn)))
        times.append(math.log(least(drawn, ROUNDS)))
        peaks.append(math.log(max(1, peak_kib(drawn) - floor)))
    for figure, values in (("growth of time with lines", times), ("growth of memory with lines", peaks)):
        slope = statistics.linear_regression(sizes, values).slope
        yield Row(f"up to {lines:,}", figure, "", slope, higher_is_better=False, spread="3 sizes, log-log")


def peak_kib(lines: Sequence[str]) -> int:
    """Return the most memory a process takes that reads lines from a file and puts them to templates."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        return int(subprocess.run([sys.executable, "-c", PEAK, file.name], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    main()
