"""What a replica draws of the power of its machine: the larger of the shares of threads and GPUs that it takes.

The dominant share (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011) of what computes: a machine draws by what it
computes, not by what it stores. An estimate in proportion to the power at full load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.economics.shares import gpus_taken, threads_taken

if TYPE_CHECKING:
    from cellwright.estate.model import Demand, Node

_DIGITS: Final = 9  # of a kilowatt


def compute_share(node: Node, demand: Demand) -> float:
    """Return the larger of the shares of the machine's threads and of its GPUs that `demand` takes, at most 1."""
    share = threads_taken(demand, node) / node.threads
    if node.gpus and (demand.gpus or demand.mig_profile):
        taken = gpus_taken(demand, node.gpus.model)
        share = max(share, 1.0 if taken is None else taken / node.gpus.count)
    return min(1.0, share)


def draw_kw(node: Node, demand: Demand) -> float | None:
    """Return the kilowatts that `demand` draws on a machine of `node`; None where its power is unknown."""
    return None if node.power_kw is None else round(node.power_kw * compute_share(node, demand), _DIGITS)
