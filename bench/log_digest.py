"""How many of the signals that matter survive in the digest of a log, beside simple ways and drain3.

Data: folders as arguments, each with cases: a folder with `raw.log` and `ground_truth.json`, which names the signals of
the case as strings. It may be a list of strings, or of objects that say one under text, signal, string, value, pattern
or message; or an object of such lists, nested as it may be (under a name that says `signal`, an object of strings too).
Where the names of some say `critical`, those alone are taken, else those that say `signal`, else all.

A signal is recalled when it occurs in the text, letter for letter; beside it, blind to case, runs of blanks and
terminal codes. Recall is the mean over cases of the share of their signals. The digest is its first part where it
has several: never above the budget. Peers get the same log without terminal codes: the last 200 lines, whatever they
take; within the budget, the last lines, half first and half last ones, lines with the words of errors from the start,
and the first line of each of drain3's clusters, the rarest and of equals the latest first (`--peers-python`, an
interpreter that has it; without it, left out loudly). Time is of a processor, from text to digest; growth its slope in
log-log over three sizes.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import re
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.digest.compose import BUDGET_TOKENS
from cellwright.digest.logs import read_lines
from cellwright.digest.logs_compose import digest_log
from cellwright.digest.tokens import token_counter
from rows import Row
from templates import peer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.digest.tokens import TokenCounter

QUICK: Final = 20  # cases
TAIL: Final = 200  # lines
SIZES: Final = (4_000, 16_000, 64_000)  # lines, for growth
ROUNDS: Final = 3
ERRORS: Final = re.compile("error|fail|exception|fatal|panic|traceback", re.IGNORECASE)
TERMINAL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
SAYS: Final = ("text", "signal", "string", "value", "pattern", "message")


@dataclass(slots=True)
class Results:
    """What one way recalls, case by case."""

    exact: list[float] = field(default_factory=list)
    loose: list[float] = field(default_factory=list)
    pooled: list[bool] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def add(self, text: str, signals: Sequence[str], tokens: int) -> None:
        """Judge a text."""
        found = [signal in text for signal in signals]
        normal = normalised(text)
        self.exact.append(statistics.mean(found))
        self.loose.append(statistics.mean(normalised(signal) in normal for signal in signals))
        self.pooled += found
        self.tokens.append(tokens)


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--budget", type=int, default=BUDGET_TOKENS)
    parser.add_argument("--peers-python", help="an interpreter with drain3")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK} cases of a folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.peers_python:
        print("drain3 is LEFT OUT: name an interpreter that has it with --peers-python", file=sys.stderr)
    count = token_counter()
    rows: list[Row] = []
    for folder in options.folders:
        cases = list(read(folder))[: QUICK if options.quick else None]
        if not cases:
            parser.error(f"{folder} has no case: expected */raw.log beside */ground_truth.json")
        rows += judge(folder.name, cases, options.budget, options.peers_python, count)
    rows.append(growth([text for folder in options.folders for text, _ in list(read(folder))[:QUICK]], count))
    for row in rows:
        peers = ", ".join(f"{name} {value:,.4g}" for name, value in row.peers.items())
        ratio = f"x{row.ratio:.3g}" if row.ratio else ""
        print(f"{row.case:12} {row.figure:34} {row.ours:>9,.4g} {row.unit:8} {peers} {ratio} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, tokens by {count.name}"
        print(json.dumps({"bench": "log_digest", "machine": machine, "rows": [asdict(row) for row in rows]}))


def read(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the text and the signals of each case, by name; tell of those that have no signals."""
    for path in sorted(folder.glob("*/raw.log")):
        truth = path.with_name("ground_truth.json")
        signals = list(dict.fromkeys(signals_of(json.loads(truth.read_bytes())))) if truth.is_file() else []
        if signals:
            yield path.read_bytes().decode("utf-8", "replace"), signals
        else:
            print(f"{path.parent} is LEFT OUT: no signals", file=sys.stderr)


def signals_of(truth: object) -> list[str]:
    """Return the strings that name signals: of lists whose names say `critical`, else `signal`, else of all."""
    found = list(_lists(truth, ""))
    for word in ("critical", "signal", ""):
        if chosen := [text for name, texts in found if word in name.casefold() for text in texts]:
            return chosen
    return []


def _lists(node: object, name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every list of strings, and the strings of every object, with the names on the way to it."""
    if isinstance(node, dict):
        if "signal" in name.casefold() and not name.endswith("[]"):
            yield name, [value.strip() for value in node.values() if isinstance(value, str) and value.strip()]
        for key, value in node.items():
            yield from _lists(value, f"{name}.{key}")
    elif isinstance(node, list):
        yield name, [text for each in node if (text := _text(each))]
        for each in node:
            if not _text(each):
                yield from _lists(each, f"{name}[]")


def _text(node: object) -> str:
    if isinstance(node, dict):
        node = next((node[key] for key in SAYS if isinstance(node.get(key), str)), "")
    return node.strip() if isinstance(node, str) else ""


def judge(
    name: str, cases: Sequence[tuple[str, list[str]]], budget: int, peers_python: str | None, count: TokenCounter
) -> Iterator[Row]:
    """Yield the figures of one folder."""
    ways: dict[str, Results] = {}
    lines, seconds, over = 0, 0.0, 0
    for raw, signals in cases:
        started = time.process_time()
        digest = digest_log(read_lines(raw), budget=budget, count=count)
        seconds += time.process_time() - started
        over += digest.over_budget
        plain = TERMINAL.sub("", raw).splitlines()
        lines += len(plain)
        texts = {"ours": digest.parts[0], **simple(plain, budget, count)}
        if peers_python:
            texts["drain3 clusters"] = clusters(plain, budget, count, peers_python)
        for way, text in texts.items():
            ways.setdefault(way, Results()).add(text, signals, count.count(text))
    yield from figures(name, ways)
    yield Row(name, "cases over budget, split", "", over, higher_is_better=False, spread=f"{len(cases)} cases")
    yield Row(name, "speed", "lines/s", lines / seconds, spread=f"{lines:,} lines, one run")


def figures(name: str, ways: dict[str, Results]) -> Iterator[Row]:
    """Yield recall and tokens of all ways."""
    ours = ways.pop("ours")
    quartiles = statistics.quantiles(ours.exact, n=4) if len(ours.exact) > 1 else ours.exact * 3
    spread = f"quartiles {quartiles[0]:.2f} to {quartiles[2]:.2f} over {len(ours.exact)} cases"
    for figure, pick in (
        ("recall of critical signals", lambda each: statistics.mean(each.exact)),
        ("the same, blind to case and blanks", lambda each: statistics.mean(each.loose)),
        ("the same, all signals pooled", lambda each: statistics.mean(each.pooled)),
    ):
        peers = {way: pick(results) for way, results in ways.items()}
        note = f"{len(ours.pooled)} signals" if "pooled" in figure else spread
        yield Row(name, figure, "share", pick(ours), peers, pick(ours) / max(*peers.values(), 1e-9), spread=note)
    means = {way: statistics.mean(results.tokens) for way, results in ways.items()}
    note = f"largest {max(ours.tokens):,}"
    yield Row(name, "tokens", "", statistics.mean(ours.tokens), means, higher_is_better=False, spread=note)


def normalised(text: str) -> str:
    """Return a text in small letters with single blanks and no terminal codes."""
    return " ".join(TERMINAL.sub("", text).casefold().split())


def simple(lines: Sequence[str], budget: int, count: TokenCounter) -> dict[str, str]:
    """Return what simple ways make of a log."""
    half = fitting(lines, budget // 2, count)
    rest = fitting(reversed(lines[len(half) :]), budget // 2, count)
    return {
        f"tail-{TAIL}": "\n".join(lines[-TAIL:]),
        "tail": "\n".join(reversed(fitting(reversed(lines), budget, count))),
        "head and tail": "\n".join((*half, *reversed(rest))),
        "grep": "\n".join(fitting(filter(ERRORS.search, lines), budget, count)),
    }


def clusters(lines: Sequence[str], budget: int, count: TokenCounter, python: str) -> str:
    """Return the first line of each of drain3's clusters, rarest and latest first, within the budget."""
    said = [(place, line) for place, line in enumerate(lines) if line.strip()]
    codes, _ = peer(python, "", [line for _, line in said], "masked")
    sizes = Counter(codes or [])
    firsts: dict[int, tuple[int, str]] = {}
    for code, one in zip(codes or [], said, strict=True):
        firsts.setdefault(code, one)
    rarest = [one for _, one in sorted(firsts.items(), key=lambda item: (sizes[item[0]], -item[1][0]))]
    kept = set(fitting((line for _, line in rarest), budget, count))
    return "\n".join(line for _, line in sorted(rarest) if line in kept)


def fitting(lines: Iterable[str], budget: int, count: TokenCounter) -> list[str]:
    """Return the lines, in turn, that fit the budget; those too long for what is left of it are passed over."""
    kept, used = [], 0
    for line in lines:
        tokens = count.count(f"{line}\n")
        if used + tokens <= budget:
            kept.append(line)
            used += tokens
        elif used >= budget - 1:
            break
    return kept


def growth(texts: Sequence[str], count: TokenCounter) -> Row:
    """Return the slope of time over three sizes of logs put one after the other."""
    lines = "\n".join(texts).splitlines()
    lines *= math.ceil(SIZES[-1] / len(lines))
    sizes, times = [], []
    for size in SIZES:
        text = "\n".join(lines[:size])
        rounds = []
        for _ in range(ROUNDS):
            started = time.process_time()
            digest_log(read_lines(text), count=count)
            rounds.append(time.process_time() - started)
        sizes.append(math.log(size))
        times.append(math.log(min(rounds)))
    slope = statistics.linear_regression(sizes, times).slope
    note = f"{len(SIZES)} sizes to {SIZES[-1]:,} lines, log-log"
    return Row("all", "growth of time with lines", "", slope, higher_is_better=False, spread=note)


if __name__ == "__main__":
    main()
