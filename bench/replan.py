"""How many replicas move when a metro site loses its machines, beside the fewest that have to.

The plan is made, the metro site with most replicas loses all machines (its links, users and data stay), and the estate
is planned again against the first plan. A move is a replica that sits at another site or machine than before. The lower
bound counts the replicas that sat at the lost site and have another home: a site in the new plan, or in a plan of the
changed estate made afresh. Each of them has to move in any plan that keeps it in service, whatever the others do. The
peer is that fresh plan: what a planner moves that does not know where everybody is. Both plans are verified.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Tier
from cellwright.estate.parsing import parse
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify
from estates import Size, from_topology, grown_estate, populated
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan

SEEDS: Final = 5
SIZES: Final = (Size(100, 400, 100, 1000), Size(300, 1600, 200, 4000))


@dataclass(frozen=True, slots=True)
class Loss:
    """What losing one site came to."""

    displaced: int  # replicas that sat there
    bound: int
    moves: int
    fresh: int  # moves of a plan made afresh
    homeless: int  # displaced replicas without a site
    homeless_afresh: int
    breaches: int


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("estates", type=Path, nargs="*", help="folders of estate documents")
    parser.add_argument("--topology", type=Path, nargs="*", default=[], help="GML or GraphML files to build on")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="the smaller size and two seeds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for case, losses in cases(options):
        found = list(figures(case, losses))
        rows += found
        for row in found:
            peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
            print(f"{row.case:62} {row.figure:52} {row.ours:>9.4g} {row.unit:9} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
        print(json.dumps({"bench": "replan", "machine": machine, "rows": [asdict(row) for row in rows]}))


def cases(options: argparse.Namespace) -> Iterator[tuple[str, list[Loss]]]:
    """Yield each case with what was lost, one entry a seed."""
    seeds = range(min(2, options.seeds) if options.quick else options.seeds)
    for folder in options.estates:
        yield folder.name, [loss for loss in (lose_metro(read(folder)),) if loss]
    for path in options.topology:
        places = from_topology(path)
        size = Size(len(places[0]), 4 * len(places[0]), len(places[0]), 10 * len(places[0]))
        yield path.stem, [loss for seed in seeds if (loss := lose_metro(populated(*places, size, seed)))]
    for size in SIZES[: 1 if options.quick else None]:
        yield size.name, [loss for seed in seeds if (loss := lose_metro(grown_estate(size, seed)))]


def read(folder: Path) -> Estate:
    """Return the estate of a folder of documents."""
    files = sorted(folder.glob("*.yaml"))
    parsed = parse([(path.name, path.read_text(encoding="utf-8")) for path in files])
    if parsed.estate is None:
        raise SystemExit("\n".join(str(each) for each in parsed.diagnostics))
    return parsed.estate


def lose_metro(estate: Estate) -> Loss | None:
    """Return what it takes to lose the metro site with most replicas; None where no metro site has any."""
    before = plan(estate)
    there = Counter(each.site for each in before.placements if each.tier is Tier.METRO)
    if not there:
        return None
    lost = min(there, key=lambda site: (-there[site], site))
    sites = {**estate.sites, lost: replace(estate.sites[lost], nodes=())}
    changed = replace(estate, sites=sites)
    after, fresh = plan(changed, against=before), plan(changed)
    was, now, other = seats(before), seats(after), seats(fresh)
    displaced = {replica for replica, (site, _) in was.items() if site == lost}
    return Loss(
        displaced=len(displaced),
        bound=len(displaced & (now.keys() | other.keys())),
        moves=moved(was, now),
        fresh=moved(was, other),
        homeless=len(displaced - now.keys()),
        homeless_afresh=len(displaced - other.keys()),
        breaches=len(verify(estate, before)) + len(verify(changed, after)),
    )


def seats(made: Plan) -> Mapping[tuple[str, int], tuple[str, str | None]]:
    """Return site and machine of every replica that has a site."""
    return {(each.workload, each.replica): (each.site, each.node) for each in made.placements if each.site}


def moved(was: Mapping[tuple[str, int], object], now: Mapping[tuple[str, int], object]) -> int:
    """Return how many replicas that had a seat have another one now."""
    return sum(replica in was and was[replica] != seat for replica, seat in now.items())


def figures(case: str, losses: Sequence[Loss]) -> Iterator[Row]:
    """Yield the figures of one case, medians over the seeds."""
    if not losses:
        yield Row(case, "metro sites with replicas", "sites", 0)
        return
    ratios = [loss.moves / max(loss.bound, 1) for loss in losses]
    afresh = statistics.median(loss.fresh / max(loss.bound, 1) for loss in losses)
    counts = "; ".join(f"{loss.moves} of {loss.bound}" for loss in losses)
    peers = {"planned afresh": afresh}
    yield Row(
        case,
        "moves over the lower bound, worst seed",
        "times",
        max(ratios),
        peers,
        max(ratios) / afresh if afresh else None,
        higher_is_better=False,
        spread=f"moves of bound by seed: {counts}",
    )
    homeless, homeless_afresh = sum(loss.homeless for loss in losses), sum(loss.homeless_afresh for loss in losses)
    yield Row(
        case,
        "displaced replicas without a site",
        "replicas",
        homeless,
        {"planned afresh": homeless_afresh},
        higher_is_better=False,
        spread=f"of {sum(loss.displaced for loss in losses)} displaced",
    )
    yield Row(
        case,
        "rules broken, by the verifier",
        "rules",
        sum(loss.breaches for loss in losses),
        higher_is_better=False,
        spread=f"{2 * len(losses)} plans",
    )


if __name__ == "__main__":
    main()
