"""What one replica asks of a machine, without whose replica it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.estate.model import Execution

if TYPE_CHECKING:
    from cellwright.estate.model import Demand


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides which machines have room; replicas of one shape are interchangeable to a machine."""

    demand: Demand
    untrusted: bool = False  # only on a machine with a DPU
    execution: Execution = Execution.KUBERNETES
    periods: tuple[int, ...] = (0,)  # of the day, in which it runs
