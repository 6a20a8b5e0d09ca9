"""How estates, plans and explanations look in a terminal."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cellwright.cli import console
from cellwright.placement.plan import Dimension
from cellwright.placement.summary import total_per_hour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.estate.model import Estate
    from cellwright.placement.comparison import Comparison
    from cellwright.placement.diff import Difference
    from cellwright.placement.plan import Placement, Plan
    from cellwright.placement.proving import PlanProof
    from cellwright.placement.shadow import ShadowPrice
    from cellwright.placement.verify import Breach

_DIMENSIONS: Final = tuple(Dimension)[:-1]  # cost ranks, it eliminates nothing
_SHORT: Final = ("sov", "lat", "grav", "ops", "hw", "quota", "aff", "cap")
_COLUMNS: Final = ("workload", "tier", "site", "cost/h", "P99", "decided by", *_SHORT)
_DURATIONS: Final = (("h", 3.6e6), ("min", 6e4), ("s", 1e3), ("ms", 1.0))
_MOST_ROWS: Final = 10  # so that a plan, with its comparison, prints in at most 25 lines
_MOST_MOVES: Final = 20


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
        (estate.measurements, "measurements"),
    )
    return "valid: " + ", ".join(f"{len(items)} {name if len(items) != 1 else name[:-1]}" for items, name in parts)


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
    """Print where each workload goes, cost, latency, what decided and what each dimension eliminated."""
    groups = [list(alike) for _, alike in groupby(plan.placements, key=lambda placement: placement.workload)]
    console.table(
        f"{_counted(plan, len(groups))} over {len(plan.sites)} sites; cost in {plan.currency}/h; "
        f"sites eliminated first by {', '.join(_DIMENSIONS)}",
        _COLUMNS,
        (_row(group) for group in groups[:_MOST_ROWS]),
        right=("cost/h", "P99", *_SHORT),
    )
    rest = len(groups) - _MOST_ROWS
    if rest > 0:
        console.say(f"and {rest} more; -o json prints all")
    console.say(_total(plan))


def print_comparison(found: Comparison) -> None:
    """Print latency, backhaul, sovereignty, energy and cost of a plan beside those of all-cloud and all-edge."""
    rows = found.rows()
    console.table(None, ("what it means", "this plan", "all-cloud", "all-edge"), rows)


def print_shadow_prices(prices: Sequence[ShadowPrice]) -> None:
    """Print which constraints cost most."""
    for price in prices:
        console.say(f"dearest constraint: {price.sentence()}")


def print_proof(proven: PlanProof, currency: str) -> None:
    """Print how far the plan can be from the best there is."""
    console.say(proven.sentence(currency))


def print_difference(found: Difference) -> None:
    """Print who moves where and what that costs or saves."""
    console.say(_difference_sentence(found))
    rows = [
        (move.label, move.before or "nowhere", move.after or "nowhere", number(move.cost_after), move.because)
        for move in found.moves[:_MOST_MOVES]
    ]
    if rows:
        console.table(None, ("replica", "from", "to", "cost/h", "because"), rows, right=("cost/h",))
    if len(found.moves) > _MOST_MOVES:
        console.say(f"and {len(found.moves) - _MOST_MOVES} more; -o json prints all")


def difference_json(found: Difference) -> dict[str, object]:
    """Return a difference as JSON values."""
    return {
        "currency": found.currency,
        "cost_before": found.cost_before,
        "cost_after": found.cost_after,
        "moved": [asdict(move) for move in found.moved],
        "lost": [asdict(move) for move in found.lost],
        "found": [asdict(move) for move in found.found],
    }


def print_breaches(breaches: Sequence[Breach]) -> None:
    """Print every rule that a plan breaks, or that it breaks none."""
    for breach in breaches:
        console.note(f"error[{breach.code}]: {breach.message}")
    if not breaches:
        console.say("sound: every replica is where every rule allows it, within what machines, tenants and sites have")


def _difference_sentence(found: Difference) -> str:
    before, after = number(found.cost_before), number(found.cost_after)
    if not found.moves:
        return f"nothing moves; {after} {found.currency}/h"
    return (
        f"{len(found.moved)} moved, {len(found.lost)} lost their place, {len(found.found)} found one; "
        f"{before} → {after} {found.currency}/h"
    )


def _counted(plan: Plan, workloads: int) -> str:
    replicas = len(plan.placements)
    return f"{workloads} workloads" + (f" ({replicas} replicas)" if replicas != workloads else "")


def _row(group: Sequence[Placement]) -> tuple[str, ...]:
    """Return the line of one workload: of its one replica, or of all together."""
    placed = [placement for placement in group if placement.site is not None]
    first = placed[0] if placed else group[0]
    sites, tiers = {each.site for each in placed}, {each.tier for each in placed}
    costs = [each.cost_per_hour for each in placed]
    known = [cost for cost in costs if cost is not None]
    lates = [each.latency_p99_ms for each in placed if each.latency_p99_ms is not None]
    return (
        group[0].workload if len(group) == 1 else f"{group[0].workload} ({len(group)})",
        str(first.tier or "-") if len(tiers) < 2 else f"{len(tiers)} tiers",  # noqa: PLR2004 - one tier has a name
        _where(group, placed, sites),
        number(math.fsum(known) if known and len(known) == len(costs) else None),
        duration(max(lates, default=None)),
        first.decided_by,
        *(str(first.eliminated.get(dimension, 0)) for dimension in _DIMENSIONS),
    )


def _where(group: Sequence[Placement], placed: Sequence[Placement], sites: set[str | None]) -> str:
    if not placed:
        return "no feasible site"
    where = str(placed[0].site) if len(sites) == 1 else f"{len(sites)} sites"
    lost = len(group) - len(placed)
    return where + (f", {lost} nowhere" if lost else "")


def _total(plan: Plan) -> str:
    total = total_per_hour(plan)
    until = plan.valid_until or "?"
    return f"total {number(total)} {plan.currency}/h; valid until {until}; estate {plan.estate_sha256[:12]}"
