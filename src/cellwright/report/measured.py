"""What a run measured, as it is read: balances, tokens of storms, token cost, latency of answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.report.model import MediationRow
from cellwright.report.svg import SLIVER, Segment, bar, span
from cellwright.report.text import count, duration, fold, hourly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from cellwright.report.model import AnswerFigures, IncidentView, Percentiles, TokenCost

DIGEST_BUDGET: Final = 2000  # tokens; a digest of a storm stays within it
_MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class Balance:
    """One row of the mediation table with its bar; `gap` is what is not accounted for, 0 where it balances."""

    row: MediationRow
    bar: Markup
    gap: int


@dataclass(frozen=True, slots=True)
class StormBars:
    """The tokens of one incident in its three forms, on one scale over all incidents."""

    incident: IncidentView
    rows: tuple[tuple[str, Markup, int], ...]  # form, bar, tokens


@dataclass(frozen=True, slots=True)
class CostLine:
    """One hourly cost split into what the input and what the output tokens cost."""

    cost: TokenCost
    bar: Markup
    tokens_in_cost: float
    tokens_out_cost: float


@dataclass(frozen=True, slots=True)
class CostPair:
    """An AI function without and with its input filtered."""

    lines: tuple[CostLine, ...]
    token_fold: str
    cost_fold: str


@dataclass(frozen=True, slots=True)
class LatencyLine:
    """Percentiles of one measure on the common scale."""

    name: str
    percentiles: Percentiles
    bar: Markup


def balances(rows: Sequence[MediationRow]) -> tuple[Balance, ...]:
    """Return each row with its bar, which shows shares of the row's own raw count."""
    return tuple(_balance(row) for row in rows)


def totals(rows: Sequence[MediationRow]) -> Balance:
    """Return the sums over all rows; the reasons stay with their sources."""
    total = MediationRow(
        "all sources",
        "",
        sum(row.files for row in rows),
        sum(row.raw for row in rows),
        sum(row.rows for row in rows),
        sum(row.quarantined for row in rows),
        sum(row.filtered for row in rows),
        (),
    )
    return _balance(total)


def storm_bars(incidents: Sequence[IncidentView]) -> tuple[StormBars, ...]:
    """Return three bars for each incident; the line marks the budget of a digest."""
    full = max((max(view.ves_tokens, view.csv_tokens, view.digest_tokens) for view in incidents), default=0)
    return tuple(
        StormBars(view, tuple(_form(view.incident, name, style, tokens, full) for name, style, tokens in _forms(view)))
        for view in incidents
    )


def cost_pairs(costs: Sequence[TokenCost]) -> tuple[CostPair, ...]:
    """Return the costs two by two, unfiltered before filtered; a last single one stands alone."""
    return tuple(_pair(costs[start : start + 2]) for start in range(0, len(costs), 2))


def latencies(answers: AnswerFigures) -> tuple[LatencyLine, ...]:
    """Return the measured percentiles on one scale from zero."""
    measures = (("Time to first token", answers.ttft), ("Round trip", answers.round_trip))
    known = [(name, percentiles) for name, percentiles in measures if percentiles is not None]
    full = max((percentiles.p99_ms for _, percentiles in known), default=0.0)
    return tuple(LatencyLine(name, percentiles, _span(name, percentiles, full)) for name, percentiles in known)


def _balance(row: MediationRow) -> Balance:
    parts = (
        ("rows", row.rows, "m-rows"),
        ("quarantined", row.quarantined, "m-quarantined"),
        ("filtered", row.filtered, "m-filtered"),
    )
    segments = [Segment(f"{name}: {count(number)}", number, style) for name, number, style in parts]
    kept = sum(number for _, number, _ in parts)
    described = f"{row.source}: {', '.join(segment.label for segment in segments)} of {count(row.raw)} facts"
    return Balance(row, bar(segments, max(row.raw, kept), described, least=SLIVER), row.raw - kept)


def _forms(view: IncidentView) -> tuple[tuple[str, str, int], ...]:
    return (
        ("VES JSON", "k-ves", view.ves_tokens),
        ("compact CSV", "k-csv", view.csv_tokens),
        ("digest", "k-digest", view.digest_tokens),
    )


def _form(incident: str, name: str, style: str, tokens: int, full: int) -> tuple[str, Markup, int]:
    described = f"{incident}, {name}: {count(tokens)} tokens"
    return name, bar([Segment(described, tokens, style)], full, described, limit=DIGEST_BUDGET), tokens


def _pair(costs: Sequence[TokenCost]) -> CostPair:
    full = max(cost.cost_per_hour for cost in costs)
    first, last = costs[0], costs[-1]
    return CostPair(
        tuple(_cost_line(cost, full) for cost in costs),
        fold(first.tokens_in, last.tokens_in),
        fold(first.cost_per_hour, last.cost_per_hour),
    )


def _cost_line(cost: TokenCost, full: float) -> CostLine:
    tokens_in = cost.events_per_hour * cost.tokens_in * cost.input_per_million / _MILLION
    tokens_out = cost.events_per_hour * cost.tokens_out * cost.output_per_million / _MILLION
    segments = [
        Segment(f"tokens in: {hourly(tokens_in, cost.currency)}", tokens_in, "k-in"),
        Segment(f"tokens out: {hourly(tokens_out, cost.currency)}", tokens_out, "k-out"),
    ]
    described = f"{cost.label}: {', '.join(segment.label for segment in segments)}"
    return CostLine(cost, bar(segments, full, described), tokens_in, tokens_out)


def _span(name: str, percentiles: Percentiles, full: float) -> Markup:
    points = (("P50", percentiles.p50_ms), ("P95", percentiles.p95_ms), ("P99", percentiles.p99_ms))
    told = [(f"{label} {duration(value)}", value) for label, value in points]
    return span(told, full, f"{name}: {', '.join(label for label, _ in told)}")
