"""How estates, plans and explanations look in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from cellwright.cli import console
from cellwright.placement.plan import Dimension
from cellwright.placement.summary import total_per_hour

if TYPE_CHECKING:
    from cellwright.errors import Diagnostic
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Placement, Plan

_DIMENSIONS: Final = (
    Dimension.SOVEREIGNTY,
    Dimension.LATENCY,
    Dimension.GRAVITY,
    Dimension.OPERATIONS,
    Dimension.CAPACITY,
)
_COLUMNS: Final = ("workload", "tier", "site", "cost/h", "P99", "decided by", "sov", "lat", "grav", "ops", "cap")
_DURATIONS: Final = (("h", 3.6e6), ("min", 6e4), ("s", 1e3), ("ms", 1.0))
_MOST_ROWS: Final = 20  # so that a plan prints in at most 25 lines


def diagnostic_json(item: Diagnostic) -> dict[str, object]:
    """Return a diagnostic as JSON values."""
    place = {"file": item.mark.file, "line": item.mark.line, "column": item.mark.column} if item.mark else None
    return {
        "severity": item.severity.value,
        "code": item.code,
        "message": item.message,
        "place": place,
        "expected": item.expected,
        "hint": item.hint,
        "cause": item.cause,
    }


def estate_sentence(estate: Estate) -> str:
    """Return what an estate holds, in one line."""
    parts = (
        (estate.sites, "sites"),
        (estate.links, "links"),
        (estate.datasets, "datasets"),
        (estate.regulations, "regulations"),
        (estate.workloads, "workloads"),
        (estate.tenants, "tenants"),
        (estate.price_books, "price books"),
    )
    return "valid: " + ", ".join(f"{len(items)} {name}" for items, name in parts)


def number(value: float | None, digits: int = 2) -> str:
    """Return a figure for a table; the unknown is `?`."""
    return "?" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def duration(ms: float | None) -> str:
    """Return a duration in the unit a person would use; the unknown is `?`."""
    if ms is None:
        return "?"
    unit, factor = next((item for item in _DURATIONS if ms >= item[1]), _DURATIONS[-1])
    return f"{ms / factor:,.1f} {unit}"


def print_plan(plan: Plan) -> None:
    """Print a plan in at most 25 lines: where, cost, latency, what decided and what each dimension eliminated."""
    shown = plan.placements[:_MOST_ROWS]
    console.table(
        f"{len(plan.placements)} workloads over {len(plan.sites)} sites; cost in {plan.currency}/h; "
        "sites eliminated first by sovereignty, latency, gravity, operations, capacity",
        _COLUMNS,
        (_row(placement) for placement in shown),
        right=("cost/h", "P99", "sov", "lat", "grav", "ops", "cap"),
    )
    rest = len(plan.placements) - len(shown)
    if rest:
        console.say(f"and {rest} more; -o json prints all")
    console.say(_total(plan))


def _row(placement: Placement) -> tuple[str, ...]:
    return (
        placement.workload,
        placement.tier or "-",
        placement.site or "no feasible site",
        number(placement.cost_per_hour),
        duration(placement.latency_p99_ms),
        placement.decided_by,
        *(str(placement.eliminated.get(dimension, 0)) for dimension in _DIMENSIONS),
    )


def _total(plan: Plan) -> str:
    total = total_per_hour(plan)
    until = plan.valid_until or "?"
    return f"total {number(total)} {plan.currency}/h; valid until {until}; estate {plan.estate_sha256[:12]}"
