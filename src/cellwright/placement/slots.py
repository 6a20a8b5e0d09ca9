"""Where on a machine a replica sits: exactly what it takes, so that it can be given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.placement.shape import Shape


@dataclass(frozen=True, slots=True)
class Draw:
    """What comes out of one NUMA cell."""

    threads: int = 0
    memory_kib: int = 0  # with unified memory, that of the GPUs too
    small_pages: int = 0  # of 2 MiB
    large_pages: int = 0  # of 1 GiB
    functions: int = 0  # SR-IOV virtual functions


@dataclass(frozen=True, slots=True)
class Seating:
    """What a replica takes of a machine; the same in each period in which it runs."""

    cells: tuple[int, ...]  # NUMA cells it draws from, ascending
    draws: tuple[Draw, ...]  # one for each cell
    gpus: tuple[int, ...]  # GPUs that are its own, or the one it has a share of
    instances: tuple[tuple[int, int], ...]  # MIG: GPU and first memory slice


@dataclass(frozen=True, slots=True)
class Slot:
    """A replica's place in a pool."""

    machine: int
    shape: Shape
    seating: Seating

    @property
    def cells(self) -> tuple[int, ...]:
        """NUMA cells it draws from, ascending."""
        return self.seating.cells

    @property
    def gpus(self) -> tuple[int, ...]:
        """GPUs that are its own, or the one it has a share of."""
        return self.seating.gpus

    @property
    def instances(self) -> tuple[tuple[int, int], ...]:
        """MIG instances: GPU and first memory slice."""
        return self.seating.instances
