"""How good and how fast the assignment of replicas to sites is, beside HiGHS, CP-SAT and the greedy choice.

Data: none to give; each seed makes a problem (see `assignment_instances.py`). The gap is to the best proven lower
bound there is, ours or a peer's, so nothing is said to be better than it is. Times are of one run each on one thread;
the cost of growth is the slope of time, and of the memory beyond the problem itself, in log-log over the cells of the
price matrix. CP-SAT needs an interpreter with `ortools` (`--cpsat-python`); without one it is left out, loudly.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
import time
import tracemalloc
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from assignment_instances import SHAPES
from assignment_peers import Answer, cp_sat, greedy, highs, refusal_of
from cellwright.placement.assignment import assign_sites
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.placement.assignment import Problem

QUICK: Final = (300, 75, 1)  # workloads, sites, seeds
OTHERS: Final = (  # shape, rows and sites as shares of those given, how tight
    ("network", 1.0, 1.0, 0.5),
    ("network", 1.0, 1.0, 0.95),
    ("alike", 1.0, 0.1, 0.8),
    ("even", 1.0, 0.1, 0.95),
    ("even", 0.5, 0.01, 0.98),
    ("planted", 1.0, 0.1, 0.95),
    ("even", 1.0, 0.1, 1.2),
    ("classes", 0.1, 1.0, 0.5),
)


class Trial(NamedTuple):
    """One problem: what we and the peers found, the best lower bound with refusals, and our peak of memory."""

    ours: Answer
    peers: dict[str, Answer]
    refusal: float
    peak_mib: float

    @property
    def bound(self) -> float:
        """The best bound anybody proved."""
        return max(self.ours.bound, *(peer.bound for peer in self.peers.values()))

    def gap(self, answer: Answer) -> float:
        """How far an answer is above the best bound, in per cent, refusals included."""
        return 100 * ((answer.cost + self.refusal * answer.unplaced) / self.bound - 1)


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=int, default=2_000)
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tight", type=float, default=0.8, help="demand over capacity of the whole network")
    parser.add_argument("--highs-seconds", type=float, default=120.0)
    parser.add_argument("--cpsat-seconds", type=float, default=60.0)
    parser.add_argument("--cpsat-python", default="", help="an interpreter that has ortools")
    parser.add_argument("--no-peers", action="store_true", help="only ours and greedy, for sizes where no peer ends")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[0]} workloads, {QUICK[1]} sites, {QUICK[2]} seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    workloads, sites, seeds = QUICK if options.quick else (options.workloads, options.sites, options.seeds)
    if not options.cpsat_python and not options.no_peers:
        print("CP-SAT is LEFT OUT: name an interpreter that has ortools with --cpsat-python", file=sys.stderr)
    chosen = range(options.first_seed, options.first_seed + seeds)
    share = 0.1 if options.quick else 1.0
    limit = {"HiGHS": share * options.highs_seconds, "CP-SAT": share * options.cpsat_seconds}
    python = None if options.no_peers else options.cpsat_python
    trials = [judge(SHAPES["network"](workloads, sites, seed, options.tight), python, limit) for seed in chosen]
    rows = [*figures(f"{workloads:,} by {sites:,}", trials), *shapes(workloads, sites, chosen)]
    rows += growth(workloads, sites, options.first_seed, options.tight)
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:34} {row.figure:32} {row.ours:>9.4g} {row.unit:5} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, one thread"
        print(json.dumps({"bench": "assignment", "machine": machine, "rows": [asdict(row) for row in rows]}))


def ours(problem: Problem) -> Answer:
    """Return our answer; its bound holds for plans that place as many, and is made one with refusals."""
    started = time.perf_counter()
    plan = assign_sites(problem)
    seconds = time.perf_counter() - started
    unplaced = int(plan.unplaced.sum())
    return Answer(plan.cost, unplaced, plan.bound if not unplaced else -math.inf, seconds)


def peak_mib(problem: Problem) -> float:
    """Return the most memory the assignment takes beyond the problem itself, MiB."""
    tracemalloc.start()
    assign_sites(problem)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def judge(problem: Problem, python: str | None, limit: dict[str, float]) -> Trial:
    """Return what all find; `python` None: no peers but greedy, empty: no CP-SAT."""
    peers = {"greedy": greedy(problem)}
    if python is not None:
        peers["HiGHS"] = highs(problem, limit["HiGHS"])
    if python:
        peers["CP-SAT"] = cp_sat(problem, limit["CP-SAT"], python)
    return Trial(ours(problem), peers, refusal_of(problem), peak_mib(problem))


def figures(case: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Yield gap, replicas without a site, time, how many times faster, and memory."""
    names = list(trials[0].peers)
    ended = [name for name in names if all(math.isfinite(trial.peers[name].cost) for trial in trials)]
    without = "".join(f"; {name} found no plan at every seed" for name in names if name not in ended)
    gaps = [trial.gap(trial.ours) for trial in trials]
    yield Row(
        case,
        "above the best proven bound",
        "%",
        statistics.mean(gaps),
        {name: statistics.mean(trial.gap(trial.peers[name]) for trial in trials) for name in ended},
        higher_is_better=False,
        spread=_spread(gaps) + without,
    )
    left = [float(trial.ours.unplaced) for trial in trials]
    by_peer = {name: statistics.mean(trial.peers[name].unplaced for trial in trials) for name in ended}
    yield Row(case, "without a site", "", statistics.mean(left), by_peer, higher_is_better=False, spread=_spread(left))
    times = [trial.ours.seconds for trial in trials]
    seconds = {name: statistics.mean(trial.peers[name].seconds for trial in trials) for name in names}
    yield Row(case, "time", "s", statistics.mean(times), seconds, higher_is_better=False, spread=_spread(times))
    for name in names[1:]:
        ratios = [trial.peers[name].seconds / trial.ours.seconds for trial in trials]
        yield Row(case, f"times faster than {name}", "", statistics.mean(ratios), spread=_spread(ratios))
    peaks = [trial.peak_mib for trial in trials]
    yield Row(case, "memory", "MiB", statistics.mean(peaks), higher_is_better=False, spread=_spread(peaks))


def shapes(workloads: int, sites: int, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield how far other shapes of problems are from our own bound, and what greedy leaves without a site."""
    for shape, row_share, site_share, tight in OTHERS:
        n_rows, n_sites = max(2, int(workloads * row_share)), max(2, int(sites * site_share))
        gaps, times, left, simple = [], [], [], []
        for seed in seeds:
            problem = SHAPES[shape](n_rows, n_sites, seed, tight)
            started = time.perf_counter()
            plan = assign_sites(problem)
            times.append(time.perf_counter() - started)
            gaps.append(100 * (plan.cost / plan.bound - 1) if plan.bound > 0 else math.inf)
            left.append(float(plan.unplaced.sum()))
            simple.append(float(greedy(problem).unplaced))
        case = f"{shape} {n_rows:,} by {n_sites:,} tight {tight:g}"
        note = f"{statistics.mean(times):.3g} s; {_spread(gaps)}"
        if not any(left):
            yield Row(case, "above our own bound", "%", statistics.mean(gaps), higher_is_better=False, spread=note)
        peers = {"greedy": statistics.mean(simple)}
        yield Row(
            case, "without a site", "", statistics.mean(left), peers, higher_is_better=False, spread=_spread(left)
        )


def growth(workloads: int, sites: int, seed: int, tight: float) -> Iterator[Row]:
    """Yield the slopes of time and memory over four sizes, the largest the one given."""
    cells, times, peaks = [], [], []
    for share in (8, 4, 2, 1):
        problem = SHAPES["network"](max(8, workloads // share), max(4, sites // share), seed, tight)
        cells.append(math.log(problem.cost.size))
        times.append(math.log(min(ours(problem).seconds for _ in range(2))))
        peaks.append(math.log(peak_mib(problem)))
    for figure, values in (("growth of time with cells", times), ("growth of memory with cells", peaks)):
        slope = statistics.linear_regression(cells, values).slope
        yield Row(
            f"up to {workloads:,} by {sites:,}", figure, "", slope, higher_is_better=False, spread="4 sizes, log-log"
        )


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.4g} to {max(values):.4g} over {len(values)} seeds"


if __name__ == "__main__":
    main()
