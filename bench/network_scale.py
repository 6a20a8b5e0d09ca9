"""How time and memory of planning grow with the network, all reasons against all sites kept.

Three families of estates from a seed: many distinct workloads with demands in flavours, the same with no two demands
alike, and many replicas of few workloads. Each size is planned in a process of its own: peak memory is what the process
grew by after the estate was built. Every plan is checked by the verifier, which is not timed. With --topology the sites
and links are those of published networks instead, one family a file.

Beside the placements per second stands what HashiCorp published for Nomad ("The Two Million Container Challenge", 2020:
2 million containers on 6,100 hosts, about 1,500 a second at best): another machine and a task without law, latency,
data or prices, so a point of reference and no peer.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.placement.garbage import uncollected
from cellwright.placement.planning import told
from cellwright.placement.solve import solve
from cellwright.placement.terrain import Terrain
from cellwright.placement.verify import verify
from estates import Size, from_topology, grown_estate, populated
from explanations import seconds_of_fingerprint
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.estate.model import Estate

NOMAD_PER_S: Final = 1500.0
DISTINCT: Final = tuple(Size(sites, 2 * sites, 5 * sites, 5 * sites) for sites in (500, 1000, 2000))
UNLIKE: Final = tuple(Size(each.sites, each.machines, each.workloads, each.replicas, False) for each in DISTINCT)  # noqa: FBT003 - a field
REPLICAS: Final = tuple(Size(450 * part, 5000 * part, 250 * part, 25_000 * part) for part in (1, 2, 4))
FAMILIES: Final = {"distinct workloads": DISTINCT, "every demand different": UNLIKE, "replicas": REPLICAS}
QUICK: Final = 10  # so much smaller


@dataclass(frozen=True, slots=True)
class Run:
    """What one process measured."""

    size: Size
    seed: int
    solve_s: float
    tell_s: float
    cpu_s: float  # of planning, all threads
    peak_mib: float
    placed: int
    breaches: int
    verify_s: float

    @property
    def plan_s(self) -> float:
        """Seconds of planning, from the estate to the plan."""
        return self.solve_s + self.tell_s


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topology", type=Path, nargs="*", default=[], help="GML or GraphML files to build on")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="only these; all by default")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"everything {QUICK} times smaller")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own is told
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(measured(**json.loads(options.one)))))
        return
    rows = []
    for family, sizes, topology in families(options):
        runs = [in_process(size, seed, topology) for size in sizes for seed in range(options.seeds)]
        found = [*figures(family, runs), *growth(family, runs)]
        rows += found
        for row in found:
            peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
            print(f"{row.case:62} {row.figure:44} {row.ours:>10.4g} {row.unit:13} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
        print(json.dumps({"bench": "network_scale", "machine": machine, "rows": [asdict(row) for row in rows]}))


def families(options: argparse.Namespace) -> Iterator[tuple[str, tuple[Size, ...], Path | None]]:
    """Yield what is to be measured: a name, its sizes, and the topology to build on."""
    part = QUICK if options.quick else 1
    if options.topology:
        for path in options.topology:
            sites = len(from_topology(path)[0])
            yield path.stem, tuple(Size(sites, 4 * sites, each * sites, 10 * each * sites) for each in (1, 2, 4)), path
        return
    for name in options.family or FAMILIES:
        yield name, tuple(smaller(size, part) for size in FAMILIES[name]), None


def smaller(size: Size, part: int) -> Size:
    """Return a size `part` times smaller in everything."""
    return Size(size.sites // part, size.machines // part, size.workloads // part, size.replicas // part, size.flavours)


def in_process(size: Size, seed: int, topology: Path | None) -> Run:
    """Return what a process of its own measures."""
    task = {"size": asdict(size), "seed": seed, "topology": str(topology) if topology else None}
    command = [sys.executable, __file__, "--one", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{size.name}, seed {seed}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Run(**{**found, "size": Size(**found["size"])})


def measured(size: dict[str, int], seed: int, topology: str | None) -> Run:
    """Return what planning one estate takes in this process."""
    wanted = Size(**size)
    estate = estate_of(wanted, seed, topology)
    before = _resident_mib()
    start, before_s = time.perf_counter(), time.process_time()
    with uncollected():  # as `planning.plan` does
        solution = solve(Terrain(estate))
        solved = time.perf_counter()
        plan = told(solution)
    ended, cpu_s = time.perf_counter(), time.process_time() - before_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    del solution
    breaches = verify(estate, plan)
    for breach in breaches[:5]:
        print(breach.message, file=sys.stderr)
    placed = sum(each.site is not None for each in plan.placements)
    verified = time.perf_counter() - ended
    identity_s = seconds_of_fingerprint(estate)  # a plan without explanations has it too
    return Run(
        wanted,
        seed,
        solved - start + identity_s,
        ended - solved - identity_s,
        cpu_s,
        peak,
        placed,
        len(breaches),
        verified,
    )


def estate_of(size: Size, seed: int, topology: str | None) -> Estate:
    """Return the estate to plan."""
    return populated(*from_topology(Path(topology)), size, seed) if topology else grown_estate(size, seed)


def _resident_mib() -> float:
    """Return what this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def figures(family: str, runs: Sequence[Run]) -> Iterator[Row]:
    """Yield what was measured at each size, medians over the seeds."""
    by_size: dict[Size, list[Run]] = defaultdict(list)
    for run in runs:
        by_size[run.size].append(run)
    for size, same in by_size.items():
        case = f"{family}: {size.name}"
        seconds = [run.plan_s for run in same]
        yield Row(
            case,
            "plan, all reasons kept",
            "s",
            statistics.median(seconds),
            higher_is_better=False,
            spread=f"{statistics.median(run.cpu_s for run in same):.4g} s of processor time {_range(seconds)}".strip(),
        )
        peaks = [run.peak_mib for run in same]
        yield Row(
            case,
            "peak memory of planning",
            "MiB",
            statistics.median(peaks),
            higher_is_better=False,
            spread=_range(peaks),
        )
        shares = [100 * run.tell_s / run.plan_s for run in same]
        yield Row(
            case, "of it: keeping all explanations", "% of time", statistics.median(shares), higher_is_better=False
        )
        rate = statistics.median(run.placed / run.plan_s for run in same)
        peers = {"Nomad C2M, published": NOMAD_PER_S}
        yield Row(case, "placements", "a second", rate, peers, rate / NOMAD_PER_S)
        share = statistics.median(100 * run.placed / size.replicas for run in same)
        yield Row(case, "replicas with a site", "%", share)
        breaches = sum(run.breaches for run in same)
        checked = f"all {size.replicas} replicas of {len(same)} plans, {max(run.verify_s for run in same):.3g} s each"
        yield Row(case, "rules broken, by the verifier", "rules", breaches, higher_is_better=False, spread=checked)


def growth(family: str, runs: Sequence[Run]) -> Iterator[Row]:
    """Yield the log-log slopes over pairs of cohort and site, and over replicas where these are what grows."""
    by_replicas = runs[0].size.replicas > runs[0].size.workloads
    units = [run.size.replicas if by_replicas else run.size.workloads * run.size.sites for run in runs]
    what = "replicas" if by_replicas else "workloads x sites"
    spread = f"over {', '.join(f'{unit:,}' for unit in sorted(set(units)))} {what}"
    for figure, costs in (("time", [run.plan_s for run in runs]), ("peak memory", [run.peak_mib for run in runs])):
        slope = statistics.linear_regression(
            [*map(math.log, units)], [math.log(max(cost, 1e-9)) for cost in costs]
        ).slope
        yield Row(family, f"log-log slope of {figure}", "", slope, higher_is_better=False, spread=spread)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.4g} to {max(values):.4g} over {len(values)} seeds" if len(values) > 1 else ""


if __name__ == "__main__":
    main()
