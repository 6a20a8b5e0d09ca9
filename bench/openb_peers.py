"""Three published policies for GPU clusters, reproduced: FGD, BestFit and Packing.

FGD is Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023; BestFit and Packing are baselines of the same paper. As in its experiments a score is a whole number
from 0 to 100 and the lowest name wins a tie, where names are given to the nodes in random order; FGD expects the most
frequent kinds of pods, as many as make up 95 % of the trace.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from openb_trace import MILLI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openb_trace import Machine, Pod

POPULAR = 0.95  # of the pods are of kinds that FGD expects
_LARGEST_CPU = 128_000
_LARGEST_GPU = 8_000
_NEVER = -1


class Cluster:
    """What is free on the machines, in the order in which ties are broken."""

    def __init__(self, machines: Sequence[Machine]) -> None:
        self.cpu = np.array([machine.cpu for machine in machines])
        self.memory = np.array([machine.memory for machine in machines])
        self.gpus = np.zeros((len(machines), max(machine.gpus for machine in machines)), dtype=np.int64)
        for row, machine in zip(self.gpus, machines, strict=True):
            row[: machine.gpus] = MILLI
        self.count = np.array([machine.gpus for machine in machines])
        self.models = np.array([machine.model for machine in machines])

    def room(self, pod: Pod, where: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of some machines have room for a pod, (m,) bool."""
        room = (self.cpu[where] >= pod.cpu) & (self.memory[where] >= pod.memory)
        if pod.gpus:
            room &= (self.gpus[where] >= pod.milli).sum(axis=1) >= pod.gpus
            if pod.models:
                room &= np.isin(self.models[where], list(pod.models))
        return room

    def take(self, pod: Pod, machine: int, gpu: int) -> None:
        """Take what a pod asks for; `gpu` is the one it shares."""
        self.cpu[machine] -= pod.cpu
        self.memory[machine] -= pod.memory
        if pod.gpus == 1 and pod.milli < MILLI:
            self.gpus[machine, gpu] -= pod.milli
        elif pod.gpus:
            self.gpus[machine, np.flatnonzero(self.gpus[machine] == MILLI)[: pod.gpus]] = 0


class Policy:
    """A policy by the score of each machine; a score is known until something changes on the machine."""

    def __init__(self, machines: Sequence[Machine], pods: Sequence[Pod]) -> None:
        del pods
        self.cluster = Cluster(machines)
        self._scores: dict[Pod, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._seen: dict[Pod, int] = {}
        self._changed: list[int] = []

    def place(self, pod: Pod) -> bool:
        """Place a pod and return whether there was room."""
        scores, gpus = self._scores.setdefault(pod, self._blank())
        stale = self._changed[self._seen[pod] :] if pod in self._seen else range(len(scores))
        where = np.array(sorted(set(stale)), dtype=np.intp)
        self._seen[pod] = len(self._changed)
        if len(where):
            room = self.cluster.room(pod, where)
            scores[where] = _NEVER
            scores[where[room]], gpus[where[room]] = self.score(pod, where[room])
        machine = int(scores.argmax())
        if scores[machine] == _NEVER:
            return False
        self.cluster.take(pod, machine, int(gpus[machine]))
        self._changed.append(machine)
        return True

    def _blank(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        size = len(self.cluster.cpu)
        return np.full(size, _NEVER, dtype=np.int64), np.zeros(size, dtype=np.int64)

    def score(self, pod: Pod, where: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the score of some machines, which have room, and the GPU that a pod would share, (m,) int64 each."""
        raise NotImplementedError

    def tightest(self, pod: Pod, where: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the GPU with the least left that a pod can share, (m,) int64."""
        free = self.cluster.gpus[where]
        return np.where(free >= pod.milli, free, MILLI + 1).argmin(axis=1)


class BestFit(Policy):
    """Least left of processors and GPUs, each as a share of the largest node."""

    def score(self, pod: Pod, where: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return 100 less the mean share that is left."""
        cpu = (self.cluster.cpu[where] - pod.cpu) / _LARGEST_CPU
        gpu = (self.cluster.gpus[where].sum(axis=1) - pod.total) / _LARGEST_GPU
        return ((1 - (cpu + gpu) / 2) * 100).astype(np.int64), self.tightest(pod, where)


class Packing(Policy):
    """Shared GPUs first, then idle GPUs of nodes in use, then idle nodes."""

    def score(self, pod: Pod, where: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return up to 33 on an idle node, up to 50 where idle GPUs are needed, otherwise up to 100."""
        free = self.cluster.gpus[where]
        if not pod.gpus:
            return np.zeros(len(where), dtype=np.int64), np.zeros(len(where), dtype=np.int64)
        idle = (free == MILLI).sum(axis=1)
        usable = np.sort(np.where(free >= pod.milli, free, MILLI + 1), axis=1)[:, : pod.gpus]
        fresh = (usable == MILLI).sum(axis=1)
        on_shared = np.maximum(100 - (usable * 100 // MILLI).sum(axis=1) // 10, 50)
        scores = np.where(fresh > 0, np.maximum(50 - fresh, 33), on_shared)
        scores = np.where(idle == self.cluster.count[where], np.maximum(33 - idle, idle), scores)
        return scores, self.tightest(pod, where)


class Fgd(Policy):
    """The steepest descent of fragmentation: the free GPUs that an expected pod could not use."""

    def __init__(self, machines: Sequence[Machine], pods: Sequence[Pod]) -> None:
        super().__init__(machines, pods)
        counts = Counter((pod.cpu, pod.milli, pod.gpus, pod.models) for pod in pods)
        known = sorted(counts.items(), key=lambda item: (item[1], *item[0][:3], sorted(item[0][3])), reverse=True)
        passed = np.cumsum([count for _, count in known])
        popular = known[: int(np.searchsorted(passed, POPULAR * len(pods))) + 1]
        self._weight = np.array([count for _, count in popular]) / sum(count for _, count in popular)
        self._cpu = np.array([key[0] for key, _ in popular])
        self._milli = np.array([key[1] for key, _ in popular])
        self._gpus = np.array([key[2] for key, _ in popular])
        models = [key[3] for key, _ in popular]
        names = self.cluster.models
        suits = {name: np.array([not each or name in each for each in models]) for name in np.unique(names).tolist()}
        self._suits = np.array([suits[name] for name in names.tolist()])

    def score(self, pod: Pod, where: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return 100 times the sigmoid of how many GPUs less are fragmented."""
        cluster, gpus = self.cluster, self.cluster.gpus[where]
        before, cpu = self._fragments(where, cluster.cpu[where], gpus), cluster.cpu[where] - pod.cpu
        if pod.gpus == 1 and pod.milli < MILLI:
            scores = np.full(gpus.shape, _NEVER, dtype=np.int64)
            for gpu in range(gpus.shape[1]):
                usable = np.flatnonzero(gpus[:, gpu] >= pod.milli)
                after = gpus[usable]
                after[:, gpu] -= pod.milli
                gain = before[usable] - self._fragments(where[usable], cpu[usable], after)
                scores[usable, gpu] = _hundredths(gain)
            best = scores.argmax(axis=1)
            return scores[np.arange(len(where)), best], best
        whole = gpus == MILLI
        after = np.where(whole & (whole.cumsum(axis=1) <= pod.gpus), 0, gpus)
        return _hundredths(before - self._fragments(where, cpu, after)), np.zeros(len(where), dtype=np.int64)

    def _fragments(
        self, where: NDArray[np.intp], cpu: NDArray[np.int64], gpus: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the expected GPUs that a pod could not use, (m,) float64 in thousandths."""
        free = gpus[:, None, :]
        large = free >= self._milli[:, None]
        suits = self._suits[where] & (cpu[:, None] >= self._cpu) & (large.sum(axis=2) >= self._gpus) & (self._milli > 0)
        usable = np.where(suits, np.where(large, free, 0).sum(axis=2), 0)
        return gpus.sum(axis=1) - (usable * self._weight).sum(axis=1)


def _hundredths(gain: NDArray[np.float64]) -> NDArray[np.int64]:
    return (100 / (1 + np.exp(-gain / MILLI))).astype(np.int64)
