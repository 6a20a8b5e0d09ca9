"""The report's page: one HTML document that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cellwright.estate.model import Tier
from cellwright.placement.summary import total_per_hour
from cellwright.report import text
from cellwright.report.costs import COST_KINDS, cost_bars, costs
from cellwright.report.decisions import ELIMINATING, decisions, works
from cellwright.report.map import site_map
from cellwright.report.marks import definitions, sample
from cellwright.report.measured import balances, cost_pairs, latencies, storm_bars, totals
from cellwright.report.stations import busiest, stations
from cellwright.report.stories import stories
from cellwright.report.summary import figures, lede
from cellwright.report.svg import key

if TYPE_CHECKING:
    from cellwright.report.model import FactoryReport

_WIDE_PX: Final = 640
_NARROW_PX: Final = 330


def render(report: FactoryReport) -> str:
    """Return the self-contained page: style and pictures inline, no script, nothing loaded from anywhere.

    The same report gives the same bytes. The page carries a policy that forbids browsers to load or run anything.
    """
    template = environment("cellwright.report").get_template("page.html")
    return template.render(view(report), stylesheet=Markup(stylesheet()), policy=policy())  # noqa: S704 - our own file


def view(report: FactoryReport) -> dict[str, object]:
    """Return what the templates of this room show, by name; the portal renders the same parts with it."""
    plan = report.plan
    tiers = Counter(site.tier for site in plan.sites)
    every, used = works(plan), stations(plan)
    told, listed = decisions(plan, every), busiest(used)
    return {
        "report": report,
        "ask": "",  # where a page answers questions about a workload; a file cannot
        "expanded": False,
        "plan": plan,
        "currency": plan.currency,
        "lede": lede(plan),
        "figures": figures(report),
        "map_wide": site_map(plan, _WIDE_PX, workload_lines=3),
        "map_narrow": site_map(plan, _NARROW_PX, workload_lines=0),
        "stations": listed,
        "more_stations": len(used) - len(listed),
        "tiers": [(tier, tiers[tier]) for tier in Tier if tiers[tier]],
        "works": every,
        "decisions": told.shown,
        "rest": told.rest,
        "dimensions": ELIMINATING,
        "cost_bars": cost_bars(costs(every), plan.currency),
        "cost_kinds": COST_KINDS,
        "total_cost": total_per_hour(plan),
        "balances": balances(report.mediation),
        "balance_total": totals(report.mediation) if report.mediation else None,
        "storms": storm_bars(report.incidents),
        "stories": stories(report.incidents),
        "cost_pairs": cost_pairs(report.token_costs),
        "latencies": latencies(report.answers) if report.answers else (),
    }


def environment(*packages: str) -> Environment:
    """Return the template environment over the `templates` folders of these packages, everything escaped."""
    loader = ChoiceLoader([PackageLoader(package) for package in packages])
    built = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    built.globals["marks"] = definitions
    built.filters |= {
        "amount": text.amount,
        "breakable": text.breakable,
        "count": text.count,
        "hourly": text.hourly,
        "key": key,
        "listed": text.listed,
        "measure": text.measure,
        "duration": text.duration,
        "number": text.number,
        "percent": text.percent,
        "phrase": text.phrase,
        "plural": text.plural,
        "sample": sample,
        "seconds": text.seconds,
        "words": text.title,
    }
    return built


@cache
def stylesheet() -> str:
    """Return the style of the page, the same in the portal."""
    loader = PackageLoader("cellwright.report")
    source, _, _ = loader.get_source(Environment(autoescape=True), "style.css")
    return source


def policy() -> str:
    """Return the content security policy of the page."""
    return policy_of(stylesheet())


def policy_of(style: str) -> str:
    """Return a content security policy: that one style by its hash (CSP level 3, 2.3.1), nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
