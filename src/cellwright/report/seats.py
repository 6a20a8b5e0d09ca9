"""What replicas take of machines: NUMA cells, GPUs and MIG instances of a few, the rest counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.placement.plan import Placement

_MOST_SEATS: Final = 2  # replicas at one site whose seats are spelt out
_MOST_NUMBERS: Final = 8  # of GPUs or cells in a row


@dataclass(frozen=True, slots=True)
class Machines:
    """The seats of replicas at one site."""

    seats: tuple[str, ...]
    more: int  # replicas whose seats are not spelt out
    machines: int  # different ones, all replicas counted


def machines(placements: Sequence[Placement]) -> Machines:
    """Return where on which machines replicas at one site sit."""
    seated = [each for each in placements if each.node is not None]
    shown = tuple(_seat(each) for each in seated[:_MOST_SEATS])
    return Machines(shown, max(0, len(seated) - _MOST_SEATS), len({each.node for each in seated}))


def _seat(placement: Placement) -> str:
    """Return a machine and what is taken of it, such as "gpu#1: NUMA cell 0, GPUs 0 to 3"."""
    instances = [f"{gpu} from slice {start}" for gpu, start in placement.instances]
    parts = (
        _counted("NUMA cell", list(map(str, placement.cells))),
        _counted("GPU", [] if instances else list(map(str, placement.gpus))),
        f"MIG on GPU {'; '.join(instances)}" if instances else "",
    )
    taken = ", ".join(part for part in parts if part)
    who = f"#{placement.replica} " if placement.replicas > 1 else ""
    return f"{who}{placement.node}: {taken}" if taken else f"{who}{placement.node}"


def _counted(noun: str, numbers: list[str]) -> str:
    if not numbers:
        return ""
    if len(numbers) > _MOST_NUMBERS:
        return plural(len(numbers), noun)
    return f"{noun}{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
