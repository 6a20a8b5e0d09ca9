"""The Alibaba GPU cluster trace of 2023 ("openb") as arrays and as Cellwright's machines and shapes.

Nodes: `sn,cpu_milli,memory_mib,gpu,model`. Pods: `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,...`, where
`gpu_spec` lists the models a pod may use, with "|" between them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.estate.model import Arch, Control, Demand, Gpus, Location, Node, OnCall, Operations, Site, Tier
from cellwright.placement.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

MILLI = 1000


@dataclass(frozen=True, slots=True)
class Machine:
    """One node of the trace."""

    name: str
    cpu: int  # thousandths of a core
    memory: int  # MiB
    gpus: int
    model: str


@dataclass(frozen=True, slots=True)
class Pod:
    """What one pod asks for; equal pods are of one kind."""

    cpu: int  # thousandths of a core
    memory: int  # MiB
    gpus: int
    milli: int  # thousandths of each GPU
    models: frozenset[str]  # empty: any

    @property
    def total(self) -> int:
        """Thousandths of GPUs altogether."""
        return self.gpus * self.milli


def read_machines(path: Path) -> list[Machine]:
    """Return the nodes that have GPUs, by name."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    found = [
        Machine(row["sn"], int(row["cpu_milli"]), int(row["memory_mib"]), int(row["gpu"]), row["model"])
        for row in rows
        if int(row["gpu"])
    ]
    return sorted(found, key=lambda machine: machine.name)


def read_pods(path: Path) -> list[Pod]:
    """Return the pods, by name."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: row["name"])
    return [_pod(row) for row in rows]


def _pod(row: dict[str, str]) -> Pod:
    gpus = int(row["num_gpu"])
    models = frozenset(row["gpu_spec"].split("|")) - {""} if gpus else frozenset()
    return Pod(int(row["cpu_milli"]), int(row["memory_mib"]), gpus, int(row["gpu_milli"] or 0) if gpus else 0, models)


def arrivals(pods: Sequence[Pod], capacity: int, ratio: float, rng: np.random.Generator) -> list[Pod]:
    """Return the pods in random order, cut or drawn again at random until they ask for `ratio` of `capacity`.

    So the published experiments inflate the trace: all of it shuffled, then pods drawn with replacement. `capacity` is
    in thousandths of a GPU.
    """
    found = [pods[index] for index in rng.permutation(len(pods)).tolist()]
    asked = sum(pod.total for pod in found)
    while asked > ratio * capacity:
        asked -= found.pop().total
    while True:
        pod = pods[int(rng.integers(len(pods)))]
        if asked + pod.total > ratio * capacity:
            return found
        asked += pod.total
        found.append(pod)


def site_of(machines: Sequence[Machine]) -> Site:
    """Return one site with the machines in the order given; a core of the estate stands for a thousandth of one."""
    nodes = [
        Node(
            each.name,
            1,
            Arch.X86_64,
            each.cpu,
            each.memory / 1024,
            Gpus(each.model, each.gpus, 0.0),
            unified_memory=False,
        )
        for each in machines
    ]
    operations = Operations(managed=True, skills=frozenset(), on_call=OnCall.ALWAYS)
    return Site(
        "openb",
        Tier.REGION,
        "ZZ",
        Control.OPERATOR,
        isolated=True,
        location=Location(0.0, 0.0),
        operations=operations,
        nodes=tuple(nodes),
    )


def shape_of(pod: Pod) -> Shape:
    """Return what a pod asks for as a shape."""
    share = pod.milli / MILLI if pod.gpus == 1 else 1.0
    return Shape(
        Demand(
            pod.cpu, pod.memory / 1024, pod.gpus, 0.0, frozenset({Arch.X86_64}), gpu_share=share, gpu_models=pod.models
        )
    )
