"""What a digest saves, and what it keeps, on real alarm lists; beside cutting the raw text to size.

Data: alarm lists (`alarm_id,device_id,start_timestamp,end_timestamp`) as CSV, in a folder or inside tar.gz; where it
also holds the experts' cause graph between alarm types (`DAG.npy`), the ranking of roots is compared with it. Peers in
the same run: the same storms as minified VES JSON and as compact CSV, whole and cut to the tokens that the digest used.
Nothing is drawn by chance.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from alarm_sets import read
from cellwright.digest.compose import BUDGET_TOKENS, digest_incident, digests
from cellwright.digest.fold import fold
from cellwright.digest.rank import rank
from cellwright.digest.render_csv import render_csv
from cellwright.digest.render_ves import render_ves
from cellwright.digest.storms import incidents, is_storm
from cellwright.digest.text import decode
from cellwright.digest.tokens import token_counter
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alarm_sets import AlarmSet
    from cellwright.digest.compose import Digest
    from cellwright.digest.fold import Facts
    from cellwright.digest.storms import Incident
    from cellwright.digest.tokens import TokenCounter

QUICK_EVENTS: Final = 8_000
GROWTH_PARTS: Final = (8, 4, 2, 1)  # of the events


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="alarm lists: .csv, .tar.gz, or a folder")
    parser.add_argument("--budget", type=int, default=BUDGET_TOKENS)
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_EVENTS} events of each list")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = token_counter()
    lists = [each for path in options.files for each in read(path, QUICK_EVENTS if options.quick else None)]
    rows = [row for each in lists for row in measure(each, options.budget, count)]
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:24} {row.figure:58} {row.ours:>10.4g} {row.unit:8} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, tokens by {count.name}"
        print(json.dumps({"bench": "storms", "machine": machine, "rows": [asdict(row) for row in rows]}))


def measure(alarms: AlarmSet, budget: int, count: TokenCounter) -> Iterator[Row]:
    """Yield all figures of one list."""
    storms = [each for each in incidents(alarms.table, count) if is_storm(each)]
    if not storms:
        yield Row(alarms.name, "storms of 15,000 to 25,000 VES tokens", "storms", 0)
        return
    roots = [rank(fold(each.alarms, ""))[0].alarm_type for each in storms]
    made = [
        digest_incident(each, budget=budget, count=count, root=root) for each, root in zip(storms, roots, strict=True)
    ]
    yield Row(alarms.name, "storms of 15,000 to 25,000 VES tokens", "storms", len(storms))
    yield from _sizes(alarms.name, made, budget)
    yield _kept(alarms.name, storms, made, count)
    if alarms.causes is not None:
        yield from _causes(alarms.name, [decode(digest.text) for digest in made], alarms.causes)
    yield from _growth(alarms, budget, count)


def _sizes(case: str, made: Sequence[Digest], budget: int) -> Iterator[Row]:
    within = 100 * sum(digest.tokens <= budget for digest in made) / len(made)
    ves, csv = ([getattr(digest, size) for digest in made] for size in ("ves_tokens", "csv_tokens"))
    tokens = [digest.tokens for digest in made]
    peers = {"VES JSON": statistics.median(ves), "compact CSV": statistics.median(csv)}
    yield Row(case, f"storms within {budget} tokens", "%", within)
    yield Row(case, "events of a storm, median", "events", statistics.median(digest.events for digest in made))
    median = statistics.median(tokens)
    ratio = median / peers["compact CSV"]
    yield Row(
        case, "tokens of a storm, median", "tokens", median, peers, ratio, higher_is_better=False, spread=_range(tokens)
    )
    for name, raw in (("VES JSON", ves), ("compact CSV", csv)):
        saved = [100 * (1 - mine / theirs) for mine, theirs in zip(tokens, raw, strict=True)]
        yield Row(case, f"tokens saved against {name}, median", "%", statistics.median(saved), spread=_range(saved))


def _kept(case: str, storms: Sequence[Incident], made: Sequence[Digest], count: TokenCounter) -> Row:
    """Return the share of distinct (element, alarm type) that survive, beside raw text cut to the same tokens."""
    shares: dict[str, list[float]] = {"ours": [], "VES cut": [], "CSV cut": [], "CSV tail": []}
    for storm, digest in zip(storms, made, strict=True):
        pairs = {(alarm.element, alarm.alarm_type) for alarm in storm.alarms}
        shares["ours"].append(len(pairs & set(decode(digest.text).pairs())) / len(pairs))
        for name, render, step in (
            ("VES cut", render_ves, 1),
            ("CSV cut", render_csv, 1),
            ("CSV tail", render_csv, -1),
        ):
            alarms = _cut(storm, render, step, digest.tokens, count)
            shares[name].append(len({(alarm.element, alarm.alarm_type) for alarm in alarms}) / len(pairs))
    means = {name: 100 * statistics.mean(values) for name, values in shares.items()}
    ours = means.pop("ours")
    return Row(
        case, "distinct (element, type) kept in as many tokens, mean", "%", ours, means, ours / max(means.values())
    )


def _cut(storm: Incident, render: object, step: int, budget: int, count: TokenCounter) -> Sequence[object]:
    """Return the most events, from the start or (step -1) the end, whose text is within `budget` tokens."""
    low, high = 0, len(storm.alarms)
    chosen = storm.alarms[::step]
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count.count(render(chosen[:middle][::step])) <= budget else (low, middle - 1)
    return chosen[:low]


def _causes(case: str, incidents_facts: Sequence[Facts], causes: np.ndarray) -> Iterator[Row]:
    """Yield how much of each storm the experts' graph derives from the type that is ranked first."""
    reach = causes.astype(bool)
    for middle in range(len(reach)):
        reach = reach | np.outer(reach[:, middle], reach[middle])
    explained: dict[str, list[float]] = {}
    roots: dict[str, list[float]] = {}
    for facts in incidents_facts:
        present = [_number(kind.name) for kind in facts.types]
        for name, picks in _picks(facts).items():
            others = [[other for other in present if other != pick] for pick in picks]
            explained.setdefault(name, []).append(
                statistics.mean(
                    reach[pick, rest].mean() if rest else 1 for pick, rest in zip(picks, others, strict=True)
                )
            )
            roots.setdefault(name, []).append(
                statistics.mean(not causes[rest, pick].any() for pick, rest in zip(picks, others, strict=True))
            )
    for figure, shares in (
        ("other types it causes, by the experts' graph", explained),
        ("has no cause present", roots),
    ):
        means = {name: 100 * statistics.mean(values) for name, values in shares.items()}
        ours = means.pop("ours")
        yield Row(case, f"first candidate: {figure}, mean", "%", ours, means, ours / max(*means.values(), 1e-9))


def _picks(facts: Facts) -> dict[str, list[int]]:
    times = {_number(kind.name): sum(each.times or 0 for each in kind.occurrences) for kind in facts.types}
    return {
        "ours": [_number(rank(facts)[0].alarm_type)],
        "earliest": [_number(facts.types[0].name)],
        "most frequent": [max(times, key=times.__getitem__)],
        "any (expected)": list(times),
    }


def _number(alarm_type: str) -> int:
    return int(alarm_type.rpartition("=")[2])


def _growth(alarms: AlarmSet, budget: int, count: TokenCounter) -> Iterator[Row]:
    """Yield the time and memory of segmenting and digesting all events, and how both grow with their number."""
    sizes, seconds, peaks = [], [], []
    for part in GROWTH_PARTS:
        table = alarms.table.slice(0, alarms.table.num_rows // part)
        start = time.perf_counter()
        list(digests(table, budget=budget, count=count))
        seconds.append(time.perf_counter() - start)
        tracemalloc.start()
        for _ in digests(table, budget=budget, count=count):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
        sizes.append(table.num_rows)
    events = f"over {', '.join(map(str, sizes))} events"
    yield Row(
        alarms.name, "all incidents segmented and digested", "s", seconds[-1], higher_is_better=False, spread=events
    )
    yield Row(alarms.name, "log-log slope of time", "", _slope(sizes, seconds), higher_is_better=False, spread=events)
    yield Row(alarms.name, "peak memory", "MiB", peaks[-1], higher_is_better=False, spread=events)
    yield Row(alarms.name, "log-log slope of memory", "", _slope(sizes, peaks), higher_is_better=False, spread=events)


def _slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    return statistics.linear_regression([*map(math.log, sizes)], [*map(math.log, costs)]).slope


def _range(values: Sequence[float]) -> str:
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return f"quartiles {quartiles[0]:.4g} to {quartiles[2]:.4g}, all {min(values):.4g} to {max(values):.4g}"


if __name__ == "__main__":
    main()
