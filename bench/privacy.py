"""How fast identifiers are found and replaced, beside `re` a line, `hmac` a row and Presidio.

Data: log files given as arguments, their lines repeated under other times and numbers so that none is twice; and lines
generated from a seed, of which a stated share name a subscriber, a device or an address. All figures are per second of
processor time of this process, all threads together. Identifiers are counted as whole columns of distinct texts, and
then replaced by pseudonyms; the column of identifiers has 5 % distinct values. Memory is what Arrow's pool and Python's
allocator hold at the peak, beyond the input. Presidio needs an interpreter that has `presidio-analyzer`
(`--peers-python`); without one it is left out, loudly. It runs its pattern recognisers on a blank spaCy pipeline.
"""

from __future__ import annotations

import argparse
import hmac
import json
import math
import platform
import random
import re
import statistics
import subprocess
import sys
import time
import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cellwright.privacy.columns import scan_column
from cellwright.privacy.identifiers import scan
from cellwright.privacy.pseudonymise import Pseudonymiser
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KEY: Final = bytes(range(32))
SHARES: Final = (0.0, 0.05, 0.5)
DISTINCT: Final = 0.05
SIZES: Final = (50_000, 200_000, 800_000)
QUICK: Final = (5_000, 10_000, 20_000)
SAMPLE: Final = 3_000  # lines that the slow ones are given
PEER_SAMPLE: Final = 500
REPEATS: Final = 3
# What a first attempt would look for; it finds far less than we do.
NAIVE: Final = re.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b\d{14,16}\b|\+\d{8,15}\b|\b(?:imsi|imei|msisdn|suci|supi)[-=: ]+\S+"
    r"|\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b|\b(?:[0-9a-f]{1,4}:){2,7}:?[0-9a-f]{1,4}\b",
    re.IGNORECASE,
)
PEER: Final = """
import json, sys, time
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine
import spacy
class Blank(SpacyNlpEngine):
    def __init__(self):
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}
lines = json.load(sys.stdin)
engine = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])
engine.analyze(text=lines[0], language="en")
started = time.process_time()
found = sum(bool(engine.analyze(text=line, language="en")) for line in lines)
print(json.dumps({"seconds": time.process_time() - started, "found": found}))
"""


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="*", type=Path, help="text files, a line an entry")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--peers-python", default="", help="an interpreter that has presidio-analyzer")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} lines and one seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = QUICK if options.quick else SIZES
    seeds = range(options.first_seed, options.first_seed + (1 if options.quick else options.seeds))
    if not options.peers_python:
        print("Presidio is LEFT OUT: name an interpreter that has it with --peers-python", file=sys.stderr)
    rows = list(columns(sizes, seeds))
    for share in SHARES:
        rows += texts(f"generated, {share:.0%}", [generated(sizes[1], share, seed) for seed in seeds], options)
    if options.logs:
        rows += texts("logs given", [repeated(options.logs, sizes[1], seed) for seed in seeds], options)
    rows += growth(sizes, options.first_seed)
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        ratio = "" if row.ratio is None else f"ratio {row.ratio:.4g}"
        print(f"{row.case:22} {row.figure:34} {row.ours:>11.4g} {row.unit:8} {ratio:12} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, pyarrow {pa.__version__}, CPU time"
        print(json.dumps({"bench": "privacy", "machine": machine, "rows": [asdict(row) for row in rows]}))


def line(chance: random.Random, share: float) -> str:
    """Return a line of a core network's log; with the probability `share` it names somebody."""
    who = f"ue {named(chance)}" if chance.random() < share else f"session {chance.randrange(10**6)}"
    clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}.{chance.randrange(1000):03}"
    return (
        f"2026-03-{chance.randrange(1, 29):02}T{clock}Z amf-{chance.randrange(9)} [{chance.randrange(30_000)}] INFO:"
        f" registration of {who} accepted, cell {chance.randrange(999)}, load {chance.random():.3f}"
    )


def named(chance: random.Random) -> str:
    """Return an identifier in one of the forms that logs write."""
    subscriber = chance.randrange(10**10)
    octets = ".".join(str(chance.randrange(256)) for _ in range(3))
    return chance.choice(
        (
            f"imsi-26201{subscriber:010}",
            f"26201{subscriber:010}",
            f"10.{octets}",
            f"msisdn=4917{subscriber:010}"[:19],
            f"+4917{subscriber:010}"[:13],
            f"2001:db8:{subscriber % 0xFFFF:x}::{subscriber % 0xFFF + 1:x}",
        )
    )


def generated(count: int, share: float, seed: int) -> list[str]:
    """Return so many lines of a seed."""
    chance = random.Random(seed)  # noqa: S311 - test data
    return [line(chance, share) for _ in range(count)]


def repeated(files: Sequence[Path], count: int, seed: int) -> list[str]:
    """Return so many lines from files, in the order of chance, each made unlike the others by a number behind it."""
    chance = random.Random(seed)  # noqa: S311 - test data
    lines = [text for file in files for text in file.read_text(errors="replace").splitlines()]
    return [f"{chance.choice(lines)} #{number}" for number in range(count)]


def per_second(count: int, work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return how many of `count` are done in a second of processor time, the best of some repetitions."""
    best = math.inf
    for _ in range(repeats):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return count / max(best, 1e-9)


def columns(sizes: Sequence[int], seeds: Sequence[int]) -> Iterator[Row]:
    """Yield how many rows of a column of identifiers are pseudonymised in a second, beside one hash for each row."""
    count = 5 * sizes[1]
    for label, made in (("imsi", lambda number: f"26201{number:010}"), ("ip", address)):
        ours, plain = [], []
        for seed in seeds:
            chance = random.Random(seed)  # noqa: S311 - test data
            distinct = [made(chance.randrange(10**10)) for _ in range(int(DISTINCT * count))]
            values = [chance.choice(distinct) for _ in range(count)]
            array = pa.array(values)
            ours.append(per_second(count, lambda array=array: Pseudonymiser(KEY).array(array)))
            plain.append(per_second(SAMPLE, lambda values=values: [hashed(value) for value in values[:SAMPLE]]))
        case = f"column of {label}, 5 %"
        yield compared(case, "pseudonymised", "rows/s", ours, {"hmac.new a row": plain})


def address(number: int) -> str:
    """Return an address that stands for a number."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def hashed(value: str) -> str:
    """Return what a row becomes by the shortest code there is."""
    return hmac.new(KEY, value.encode(), "sha256").hexdigest()[:20]


def letters(found: re.Match[str]) -> str:
    """Return what a match becomes by the shortest code there is."""
    return hashed(found[0])


def texts(case: str, drawn: Sequence[list[str]], options: argparse.Namespace) -> Iterator[Row]:
    """Yield how many lines are scanned, and rid of identifiers, in a second."""
    found, scanned, replaced, by_text, naive, plainly = [], [], [], [], [], []
    for lines in drawn:
        array = pa.array(lines)
        distinct = array.unique()
        scan_column(distinct[:SAMPLE])  # patterns are compiled once in a process
        scanned.append(per_second(len(distinct), lambda distinct=distinct: scan_column(distinct)))
        replaced.append(per_second(len(lines), lambda array=array: Pseudonymiser(KEY).array(array)))
        sample = lines[:SAMPLE]
        by_text.append(per_second(SAMPLE, lambda sample=sample: [list(scan(text)) for text in sample], 1))
        naive.append(per_second(SAMPLE, lambda sample=sample: [list(NAIVE.finditer(text)) for text in sample]))
        plainly.append(per_second(SAMPLE, lambda sample=sample: [NAIVE.sub(letters, text) for text in sample]))
        found.append(100 * len(set(scan_column(distinct).rows.tolist())) / len(distinct))
    peers = {"a text at a time": by_text, "re a line": naive}
    if options.peers_python:
        peers["Presidio"] = [presidio(options.peers_python, lines[:PEER_SAMPLE]) for lines in drawn[:1]]
    yield compared(case, "scanned", "lines/s", scanned, peers)
    yield compared(case, "replaced", "lines/s", replaced, {"re and hmac.new a line": plainly})
    yield Row(case, "lines with identifiers", "%", statistics.mean(found), spread=spread(found))


def presidio(python: str, lines: list[str]) -> float:
    """Return how many lines Presidio analyses in a second of its process."""
    done = subprocess.run([python, "-c", PEER], input=json.dumps(lines), capture_output=True, text=True, check=True)
    return len(lines) / json.loads(done.stdout.splitlines()[-1])["seconds"]


def growth(sizes: Sequence[int], seed: int) -> Iterator[Row]:
    """Yield time and memory a line at three sizes, and the slope of each in log-log."""
    times, peaks = [], []
    for size in sizes:
        array = pa.array(generated(size, SHARES[1], seed))
        times.append(1 / per_second(1, lambda array=array: Pseudonymiser(KEY).array(array)))
        peaks.append(peak_mib(array))
    for size, seconds, peak in zip(sizes, times, peaks, strict=True):
        yield Row(f"{size:,} lines, 5 %", "replaced in", "s", seconds, higher_is_better=False)
        yield Row(f"{size:,} lines, 5 %", "peak of memory", "MiB", peak, higher_is_better=False)
    for figure, values in (("time", times), ("memory", peaks)):
        yield Row("growth", f"slope of {figure}", "", slope(sizes, values), higher_is_better=False)


def peak_mib(array: pa.Array) -> float:
    """Return the most memory that replacing takes beyond its input, in MiB: Arrow's pool and Python's allocator."""
    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)
    tracemalloc.start()
    pa.set_memory_pool(pool)
    try:
        Pseudonymiser(KEY).array(array)
    finally:
        pa.set_memory_pool(default)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (python + (pool.max_memory() or 0)) / 2**20


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of a straight line through the logarithms."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(value) for value in values]).slope


def compared(case: str, figure: str, unit: str, ours: list[float], peers: dict[str, list[float]]) -> Row:
    """Return a row with the mean of all, and how many times ours is the best peer's."""
    means = {name: statistics.mean(values) for name, values in peers.items()}
    mean = statistics.mean(ours)
    return Row(case, figure, unit, mean, means, mean / max(means.values()), spread=spread(ours))


def spread(values: Sequence[float]) -> str:
    """Return the least and the greatest of several."""
    return f"{min(values):.4g} to {max(values):.4g}" if len(values) > 1 else ""


if __name__ == "__main__":
    main()
