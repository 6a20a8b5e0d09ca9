"""What it takes to keep every reason against every site, and to read them out.

Planning is timed in two parts: finding the seats, which judges every site on the way, and telling of each replica where
it is, why, and what stands against every other site. The second part, without the estate's fingerprint that a plan
would carry anyhow and that is timed by itself, is what explanations cost. Then some placements
are read out in full: every other site has to have a reason, or the run counts it as unexplained.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.identity import fingerprint
from cellwright.placement.encode import to_json
from cellwright.placement.garbage import uncollected
from cellwright.placement.planning import told
from cellwright.placement.solve import solve
from cellwright.placement.terrain import Terrain
from estates import Size, grown_estate
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.estate.model import Estate

SIZES: Final = tuple(Size(sites, 2 * sites, 5 * sites, 5 * sites) for sites in (100, 200, 400, 800))
SEEDS: Final = 3
READ: Final = 200  # placements that are read out


@dataclass(frozen=True, slots=True)
class Run:
    """What one estate measured."""

    size: Size
    solve_s: float
    tell_s: float
    read: int  # rejections read out
    read_s: float
    unexplained: int  # other sites without a reason
    reasons: int
    json_mib: float


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="the three smaller sizes and one seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes, seeds = (SIZES[:-1], 1) if options.quick else (SIZES, options.seeds)
    rows = list(figures([measured(size, seed) for size in sizes for seed in range(seeds)]))
    for row in rows:
        print(f"{row.case:56} {row.figure:46} {row.ours:>10.4g} {row.unit:12} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
        print(json.dumps({"bench": "explanations", "machine": machine, "rows": [asdict(row) for row in rows]}))


def measured(size: Size, seed: int) -> Run:
    """Return what planning and reading one estate takes."""
    estate = grown_estate(size, seed)
    start = time.perf_counter()
    with uncollected():  # as `planning.plan` does
        solution = solve(Terrain(estate))
        solved = time.perf_counter()
        plan = told(solution)
    ended = time.perf_counter()
    step = max(1, len(plan.placements) // READ)
    rejections = [rejection for each in plan.placements[::step] for rejection in each.rejections]
    seconds = time.perf_counter() - ended
    identity_s = seconds_of_fingerprint(estate)
    return Run(
        size,
        solved - start + identity_s,
        ended - solved - identity_s,
        len(rejections),
        seconds,
        sum(not each.violations for each in rejections),
        sum(len(each.violations) for each in rejections),
        len(to_json(plan)) / 2**20,
    )


def seconds_of_fingerprint(estate: Estate) -> float:
    """Return what it takes to tell one estate from another."""
    start = time.perf_counter()
    fingerprint(estate)
    return time.perf_counter() - start


def figures(runs: Sequence[Run]) -> Iterator[Row]:
    """Yield what was measured at each size, medians over the seeds, and how it grows."""
    for size in dict.fromkeys(run.size for run in runs):
        same = [run for run in runs if run.size == size]
        shares = [100 * run.tell_s / (run.solve_s + run.tell_s) for run in same]
        spread = f"{min(shares):.3g} to {max(shares):.3g} over {len(shares)} seeds"
        yield Row(
            size.name,
            "explanations, of planning",
            "% of time",
            statistics.median(shares),
            higher_is_better=False,
            spread=spread,
        )
        rate = statistics.median(run.read / run.read_s for run in same)
        reasons = sum(run.reasons for run in same) / sum(run.read for run in same)
        yield Row(size.name, "rejections read out", "a second", rate, spread=f"{reasons:.3g} reasons each")
        unexplained = sum(run.unexplained for run in same)
        spread = f"of {sum(run.read for run in same)} read"
        yield Row(
            size.name, "other sites without a reason", "sites", unexplained, higher_is_better=False, spread=spread
        )
        written = statistics.median(run.json_mib for run in same)
        yield Row(size.name, "the whole plan as JSON", "MiB", written, higher_is_better=False)
    pairs = [math.log(run.size.workloads * run.size.sites) for run in runs]
    slope = statistics.linear_regression(pairs, [math.log(run.tell_s) for run in runs]).slope
    spread = "over workloads x sites"
    yield Row("all sizes", "log-log slope of telling", "", slope, higher_is_better=False, spread=spread)


if __name__ == "__main__":
    main()
