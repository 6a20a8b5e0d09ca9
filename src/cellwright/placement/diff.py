"""What differs between two plans: who moves where, who loses or finds a place, and what that costs or saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.placement.summary import total_per_hour

if TYPE_CHECKING:
    from cellwright.placement.plan import Placement, Plan


@dataclass(frozen=True, slots=True)
class Move:
    """A replica that is elsewhere; None: nowhere, or not in that plan at all."""

    label: str
    before: str | None  # site/machine
    after: str | None
    cost_before: float | None
    cost_after: float | None
    because: str  # what decided where it is now


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs; a replica that only sits on other cells or GPUs of its machine has not moved."""

    moves: tuple[Move, ...]  # by workload and replica
    currency: str
    cost_before: float | None
    cost_after: float | None

    @property
    def moved(self) -> tuple[Move, ...]:
        """Those that are somewhere in both plans, and not at the same place."""
        return tuple(move for move in self.moves if move.before and move.after)

    @property
    def lost(self) -> tuple[Move, ...]:
        """Those that had a place and have none."""
        return tuple(move for move in self.moves if move.before and not move.after)

    @property
    def found(self) -> tuple[Move, ...]:
        """Those that had no place and have one."""
        return tuple(move for move in self.moves if move.after and not move.before)


def difference(before: Plan, after: Plan) -> Difference:
    """Return what differs between two plans, of one estate or of two."""
    old = {(each.workload, each.replica): each for each in before.placements}
    new = {(each.workload, each.replica): each for each in after.placements}
    pairs = ((old.get(replica), new.get(replica)) for replica in sorted(old.keys() | new.keys()))
    moves = (_move(first, second) for first, second in pairs if _place(first) != _place(second))
    return Difference(tuple(moves), after.currency, total_per_hour(before), total_per_hour(after))


def _place(placement: Placement | None) -> str | None:
    return f"{placement.site}/{placement.node}" if placement and placement.site else None


def _move(before: Placement | None, after: Placement | None) -> Move:
    known = after or before
    return Move(
        known.label if known else "",
        _place(before),
        _place(after),
        before.cost_per_hour if before else None,
        after.cost_per_hour if after else None,
        after.decided_because if after else "not in the plan any more",
    )
