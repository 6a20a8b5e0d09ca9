"""What the interactive charts draw, as JSON that `static/charts.js` reads; colours are names of style variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from cellwright.report.costs import COST_KINDS, costs
from cellwright.report.decisions import works
from cellwright.report.measured import DIGEST_BUDGET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.placement.plan import Plan
    from cellwright.report.model import FactoryReport

_KIND_COLOURS: Final = ("--region", "--metro", "--latency", "--ai_factory", "--capacity")


def charts(report: FactoryReport) -> dict[str, str | None]:
    """Return the charts by name; None where there is nothing to draw."""
    return {"cost_chart": _costs(report.plan), "token_chart": _tokens(report)}


def _chart(
    unit: str, categories: Sequence[str], series: Sequence[tuple[str, str, list[float]]], *, stacked: bool
) -> str | None:
    """Return a bar chart; `series` are name, colour and one value for each category."""
    if not categories:
        return None
    drawn = [{"name": name, "colour": colour, "values": values} for name, colour, values in series if any(values)]
    return orjson.dumps({"unit": unit, "categories": categories, "series": drawn, "stacked": stacked}).decode()


def _costs(plan: Plan) -> str | None:
    found = costs(works(plan))
    columns = zip(COST_KINDS, _KIND_COLOURS, zip(*(each.kinds for each in found), strict=True), strict=False)
    series = [(kind, colour, list(values)) for kind, colour, values in columns]
    return _chart(f"{plan.currency}/h", [each.workload for each in found], series, stacked=True)


def _tokens(report: FactoryReport) -> str | None:
    views = report.incidents
    series = [
        ("VES JSON", "--capacity", [float(view.ves_tokens) for view in views]),
        ("compact CSV", "--operations", [float(view.csv_tokens) for view in views]),
        (f"digest, at most {DIGEST_BUDGET:,}", "--remaining", [float(view.digest_tokens) for view in views]),
    ]
    return _chart("tokens", [view.incident for view in views], series, stacked=False)
