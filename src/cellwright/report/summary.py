"""The top of the page: what was decided, saved and kept, in one sentence and a few figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.placement.plan import Dimension
from cellwright.placement.summary import total_per_hour
from cellwright.report.measured import balances, cost_pairs, totals
from cellwright.report.text import UNKNOWN, amount, count, listed, number, percent, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.placement.plan import Placement, Plan
    from cellwright.report.model import FactoryReport

_MOST_NAMED: Final = 5  # workloads without a site


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the summary: value, unit, what it is, and where it comes from."""

    value: str
    unit: str
    label: str
    note: str
    alarming: bool = False


def lede(plan: Plan) -> str:
    """Return the outcome of the plan in a sentence or two."""
    if not plan.placements:
        return "The estate asks for no workload."
    decided = Counter(placement.decided_by for placement in plan.placements if placement.site is not None)
    parts = [f"{dimension} {decided[dimension]:,}" for dimension in Dimension if decided[dimension]]
    outcome = _outcome(plan)
    return f"{outcome} Decided by {listed(parts)}." if parts else outcome


def _outcome(plan: Plan) -> str:
    """Return whether everything has a site, and what has none."""
    missing = Counter(placement.workload for placement in plan.placements if placement.site is None)
    workloads = len({placement.workload for placement in plan.placements})
    many = len(plan.placements) > workloads
    if not missing:
        who = "Each of the" if workloads > 1 else "The"
        what = f" with {plural(len(plan.placements), 'replica')}" if many else ""
        return f"{who} {plural(workloads, 'workload')}{what} has a site."
    named = [_homeless(name, number, many=many) for name, number in missing.most_common(_MOST_NAMED)]
    more = len(missing) - len(named)
    named += [plural(more, "other workload")] if more else []
    one = missing.total() == 1
    return f"{listed(named)} {'has' if one else 'have'} no feasible site."


def _homeless(name: str, replicas: int, *, many: bool) -> str:
    return f"{name} ({plural(replicas, 'replica')})" if many else name


def figures(report: FactoryReport) -> tuple[Figure, ...]:
    """Return the figures of the parts that the report has."""
    return (*_plan_figures(report.plan), *_measured_figures(report))


def _plan_figures(plan: Plan) -> Iterator[Figure]:
    placed = [placement for placement in plan.placements if placement.site is not None]
    used = len({placement.site for placement in placed})
    workloads = len({placement.workload for placement in plan.placements})
    noun = "replica" if len(plan.placements) > workloads else "workload"
    of = f"of {plural(workloads, 'workload')} " if noun == "replica" else ""
    yield Figure(
        f"{len(placed):,} of {len(plan.placements):,}",
        f"{noun}s",
        "placements",
        f"{of}on {used:,} of {plural(len(plan.sites), 'site')}",
        alarming=not plan.feasible,
    )
    yield from _sources(placed)
    total = total_per_hour(plan)
    unknown = sum(placement.cost_per_hour is None for placement in placed)
    note = (
        f"{plural(unknown, noun)} without a complete price" if unknown else "all placed workloads, from the price books"
    )
    yield Figure(
        amount(total), "" if total is None else f"{plan.currency}/h", "cost of the plan", note, alarming=total is None
    )


def _sources(placed: Sequence[Placement]) -> Iterator[Figure]:
    """Yield what the latencies of the plan rest on, where a plan says so."""
    measured = sum(placement.latency_source.startswith("measured") for placement in placed)
    estimated = sum("estimated" in placement.latency_source for placement in placed)
    if any(placement.latency_source for placement in placed):
        reckoned = len(placed) - measured - estimated
        note = f"{reckoned:,} reckoned over the estate's links, {estimated:,} over links estimated from distance"
        yield Figure(f"{measured:,} of {len(placed):,}", "measured", "latencies", note)


def _measured_figures(report: FactoryReport) -> Iterator[Figure]:
    if report.mediation:
        yield _balance_figure(report)
    if report.median_saving_ves is not None:
        csv = percent(report.median_saving_csv)
        yield Figure(
            percent(report.median_saving_ves).removesuffix(" %"),
            "%",
            "fewer tokens than VES JSON",
            f"median of {plural(report.storms, 'storm')}; {csv} fewer than compact CSV",
        )
    if report.token_costs:
        yield _token_cost_figure(report)
    if report.answers and report.answers.round_trip:
        answers = report.answers
        yield Figure(
            number(answers.round_trip.p99_ms) if answers.round_trip else UNKNOWN,
            "ms",
            "round trip of an answer, P99",
            f"{plural(answers.requests, 'request')} to {answers.model}",
            alarming=answers.failed > 0,
        )


def _balance_figure(report: FactoryReport) -> Figure:
    total = totals(report.mediation).row
    facts = count(total.raw)
    if any(balance.gap for balance in balances(report.mediation)):
        return Figure(facts, "facts", "telemetry, not in balance", "see telemetry below", alarming=True)
    kept = f"{count(total.rows)} rows + {count(total.quarantined)} quarantined + {count(total.filtered)} filtered"
    return Figure(facts, "facts", "telemetry, all accounted for", f"= {kept}")


def _token_cost_figure(report: FactoryReport) -> Figure:
    pair = cost_pairs(report.token_costs)[-1]
    first, last = pair.lines[0].cost, pair.lines[-1].cost
    return Figure(
        f"{amount(first.cost_per_hour)} → {amount(last.cost_per_hour)}",
        f"{last.currency}/h",
        "cloud model, unfiltered → filtered",
        f"{pair.token_fold} fewer tokens in, {pair.cost_fold} less cost; {last.label}",
    )
