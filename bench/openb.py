"""How full GPU machines get on the Alibaba trace of 2023, beside FGD, BestFit and Packing.

Online: all policies get the same pods one at a time in random order; a pod once placed stays, one that finds no room is
lost. They know how often each kind of pod comes, as FGD does; "learning" knows only what has arrived so far. Repaired:
pods for 100 % of the GPUs, placed online, then at most `--moves` of them move so that lost ones find room; a row of its
own. Machines and arrivals are drawn with the seeds 1 to `--seeds`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellwright.placement.pool import Pool
from cellwright.placement.repair import repair
from openb_peers import BestFit, Fgd, Packing
from openb_trace import arrivals, read_machines, read_pods, shape_of, site_of
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.placement.shape import Shape
    from cellwright.placement.slots import Slot
    from openb_trace import Machine, Pod

FULL, INFLATED = 1.0, 1.3  # GPUs asked for, of the GPUs there are
QUICK = 6
RELEARN = 1.5  # a learning policy looks again when this many times as many pods have arrived
PEERS = {"FGD": Fgd, "BestFit": BestFit, "Packing": Packing}


@dataclass(frozen=True, slots=True)
class Draw:
    """One seed's machines and arrivals."""

    machines: list[Machine]
    pods: list[Pod]
    capacity: int  # thousandths of a GPU


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=Path, required=True, help="CSV of nodes")
    parser.add_argument("--pods", type=Path, required=True, nargs="+", help="CSV of pods; several: one case each")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help=f"one seed and one machine in {QUICK}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    machines, rows = read_machines(options.nodes)[:: QUICK if options.quick else 1], []
    for path in options.pods:
        seeds = 1 if options.quick else options.seeds
        for row in measure(path.stem, machines, read_pods(path), range(1, seeds + 1), options.moves):
            rows.append(row)
            peers = ", ".join(f"{name} {value:.2f}" for name, value in row.peers.items())
            print(
                f"{row.case:28} {row.figure:58} {row.ours:8.2f} {row.unit:8} {peers}  {row.spread}".rstrip(), flush=True
            )
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        print(json.dumps({"bench": "openb", "machine": machine, "rows": [asdict(row) for row in rows]}))


def measure(
    case: str, machines: Sequence[Machine], pods: Sequence[Pod], seeds: Sequence[int], moves: int
) -> Iterator[Row]:
    """Yield all figures of one list of pods."""
    online: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    repaired: dict[str, list[float]] = {}
    for seed in seeds:
        drawn = draw(machines, pods, INFLATED, seed)
        for name, policy in PEERS.items():
            start = time.perf_counter()
            online.setdefault(name, []).append(run_peer(policy, drawn, pods))
            seconds.setdefault(name, []).append(time.perf_counter() - start)
        for name, learning in (("ours", False), ("learning", True)):
            start = time.perf_counter()
            placed = Placed(drawn, () if learning else pods)
            placed.run(learning=learning)
            online.setdefault(name, []).append(placed.allocation)
            seconds.setdefault(name, []).append((time.perf_counter() - start) / len(drawn.pods) * 1e6)
        full = draw(machines, pods, FULL, seed)
        repaired.setdefault("FGD", []).append(run_peer(Fgd, full, pods))
        _repaired(full, pods, moves, repaired)
    yield _row(case, "online, 130 % demand: GPUs allocated", "ours", online, tuple(PEERS))
    yield _row(case, "online, 130 %, learning from arrivals: GPUs allocated", "learning", online, tuple(PEERS))
    yield _row(case, "online, 100 % demand: GPUs allocated", "before", repaired, ("FGD",))
    yield _row(case, f"repaired, 100 %, at most {moves} moves: GPUs allocated", "after", repaired, ("FGD",))
    yield Row(case, "moves", "moves", statistics.mean(repaired["moves"]), higher_is_better=False)
    yield Row(
        case,
        "time to place one pod",
        "us",
        statistics.mean(seconds["ours"]),
        higher_is_better=False,
        spread=f"repair {statistics.mean(repaired['seconds']):.2f} s",
    )


def draw(machines: Sequence[Machine], pods: Sequence[Pod], ratio: float, seed: int) -> Draw:
    """Return the machines in random order and the arrivals of a seed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(machines)).tolist()
    capacity = 1000 * sum(machine.gpus for machine in machines)
    return Draw([machines[index] for index in order], arrivals(pods, capacity, ratio, rng), capacity)


def run_peer(policy: type[Fgd | BestFit | Packing], drawn: Draw, pods: Sequence[Pod]) -> float:
    """Return the GPUs that a peer allocates, per cent."""
    peer = policy(drawn.machines, pods)
    return 100 * sum(pod.total for pod in drawn.pods if peer.place(pod)) / drawn.capacity


class Placed:
    """Arrivals in our pool."""

    def __init__(self, drawn: Draw, known: Sequence[Pod]) -> None:
        self._drawn = drawn
        self.pool = Pool([site_of(drawn.machines)], targets=_targets(known))
        self.shapes: dict[Pod, Shape] = {}
        self.seats: list[tuple[Pod, Slot]] = []
        self.lost: list[Pod] = []

    def run(self, *, learning: bool) -> None:
        """Place each pod in turn."""
        look = 1.0
        for count, pod in enumerate(self._drawn.pods):
            if learning and count >= look:
                look = count * RELEARN
                self.pool.aim(_targets(self._drawn.pods[:count]))
            slot = self.pool.choose(self.shape(pod))
            if slot is None:
                self.lost.append(pod)
            else:
                self.pool.take(slot)
                self.seats.append((pod, slot))

    def shape(self, pod: Pod) -> Shape:
        """Return the shape of a pod, one object for all pods that are alike."""
        return self.shapes.setdefault(pod, shape_of(pod))

    @property
    def allocation(self) -> float:
        """GPUs allocated, per cent."""
        return 100 * sum(pod.total for pod, _ in self.seats) / self._drawn.capacity


def _targets(pods: Sequence[Pod]) -> list[tuple[Shape, float]]:
    return [(shape_of(pod), float(count)) for pod, count in Counter(pods).items()]


def _repaired(drawn: Draw, pods: Sequence[Pod], moves: int, figures: dict[str, list[float]]) -> None:
    """Add what a repair after all arrivals reaches."""
    placed = Placed(drawn, pods)
    placed.run(learning=False)
    waiting = sorted(placed.lost, key=lambda pod: -pod.total)
    start = time.perf_counter()
    done = repair(
        placed.pool, [(slot, None) for _, slot in placed.seats], [(placed.shape(pod), None) for pod in waiting], moves
    )
    gained = 100 * sum(waiting[index].total for index, _ in done.placed) / drawn.capacity
    found = {
        "before": placed.allocation,
        "after": placed.allocation + gained,
        "moves": float(len(done.moves)),
        "seconds": time.perf_counter() - start,
    }
    for name, value in found.items():
        figures.setdefault(name, []).append(value)


def _row(case: str, figure: str, ours: str, values: dict[str, list[float]], peers: Sequence[str]) -> Row:
    means = {name: statistics.mean(values[name]) for name in peers}
    mine = values[ours]
    deviation = statistics.stdev(mine) if len(mine) > 1 else 0.0
    spread = f"sd {deviation:.2f}, {min(mine):.2f} to {max(mine):.2f}, {len(mine)} seeds"
    return Row(
        case, figure, "%", statistics.mean(mine), means, statistics.mean(mine) / max(means.values()), spread=spread
    )


if __name__ == "__main__":
    main()
