"""What a demand takes of a machine, as a bill counts it: hardware threads, memory, GPUs, and its dominant share.

The dominant share is the largest of the shares of threads, memory and GPUs (Ghodsi et al., "Dominant Resource
Fairness", NSDI 2011). It is our rule for who pays for an owned machine: whoever takes nine tenths of the memory leaves
room for nobody else, however few cores he takes. Shares of workloads that complement each other may add up to more than
the whole, never to less than the fullest resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.estate.mig import geometry

if TYPE_CHECKING:
    from cellwright.estate.model import Demand, Node


def threads_taken(demand: Demand, node: Node) -> int:
    """Return the hardware threads that a replica takes: whole physical cores where it is pinned."""
    grain = node.threads_per_core if demand.pinned else 1
    return -(-demand.cores // grain) * grain


def memory_taken_gib(demand: Demand) -> float:
    """Return the memory that a replica takes, its hugepages included, GiB."""
    return demand.memory_gib + demand.hugepages_gib


def takes_gpus(demand: Demand) -> bool:
    """Return whether a replica takes GPUs, a share of one or a MIG instance."""
    return demand.gpus > 0 or demand.mig_profile is not None


def gpus_taken(demand: Demand, model: str | None) -> float | None:
    """Return how many GPUs of a model a replica takes; None where the model is unknown or has no such MIG profile.

    A MIG instance counts as the memory slices it takes: two thirds of the slices of a GPU are two thirds of its price.
    """
    if demand.mig_profile is None:
        return demand.gpus * demand.gpu_share if model or not demand.gpus else None
    cut = geometry(model) if model else None
    profile = cut.profiles.get(demand.mig_profile) if cut else None
    return profile.memory_slices / cut.memory_slices if cut and profile else None


def dominant_share(demand: Demand, node: Node) -> float | None:
    """Return the largest share of threads, memory and GPUs of one machine; None where it has none of what is taken."""
    shares = [threads_taken(demand, node) / node.threads]
    unified = demand.gpus * demand.gpu_memory_gib if node.unified_memory else 0.0
    memory_gib = memory_taken_gib(demand) + unified
    if memory_gib:
        if not node.memory_gib:
            return None
        shares.append(memory_gib / node.memory_gib)
    if takes_gpus(demand):
        gpus = gpus_taken(demand, node.gpus.model if node.gpus else None)
        if gpus is None or node.gpus is None:
            return None
        shares.append(gpus / node.gpus.count)
    return max(shares)
