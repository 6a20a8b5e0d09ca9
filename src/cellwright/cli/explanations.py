"""How explanations look in a terminal and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.cli import console
from cellwright.cli.app import Output
from cellwright.cli.plans import duration, number
from cellwright.placement.explain_json import explanation_json, why_not_json

if TYPE_CHECKING:
    from cellwright.placement.explain import Explanation, WhyNot

_MOST_ALTERNATIVES: Final = 5


def print_explanation(explanation: Explanation, output: Output) -> None:
    """Print why a workload is where it is."""
    if output is Output.JSON:
        console.say_json(explanation_json(explanation))
        return
    placement = explanation.placement
    where = f"{placement.site} ({placement.tier})" if placement.site else "no feasible site"
    console.say(f"{placement.workload} → {where}")
    console.say(f"decided by {placement.decided_by}: {placement.decided_because}")
    console.say(f"P99 {duration(placement.latency_p99_ms)}, P50 {duration(placement.latency_p50_ms)}")
    steps = [(step.dimension, str(step.eliminated), str(step.remaining)) for step in explanation.steps]
    console.table("sites, dimension by dimension", ("dimension", "eliminated", "left"), steps, ("eliminated", "left"))
    costs = [(item.label, number(item.amount, 4), item.source) for item in placement.cost_items]
    console.table(f"cost, {explanation.currency}/h", ("part", "amount", "source"), costs, ("amount",))
    if not explanation.alternatives:
        console.say("no other site would do")
        return
    others = explanation.alternatives[:_MOST_ALTERNATIVES]
    rows = [(item.site, item.tier, number(item.cost_per_hour), number(item.difference)) for item in others]
    console.table("runners-up", ("site", "tier", "cost/h", "dearer by"), rows, ("cost/h", "dearer by"))


def print_why_not(answer: WhyNot, output: Output) -> None:
    """Print all that keeps a workload from a site, and the smallest change that would admit it."""
    if output is Output.JSON:
        console.say_json(why_not_json(answer))
        return
    if answer.chosen == answer.site:
        console.say(f"{answer.workload} is at {answer.site}: nothing stands against it")
        return
    console.say(f"why is {answer.workload} not at {answer.site} ({answer.tier})? it is at {answer.chosen or 'no site'}")
    for violation in answer.violations:
        console.say(f"  {violation.code}: {violation.message}")
        console.say(
            f"    measured {_value(violation.measured)}, limit {_value(violation.limit)} {violation.unit}".rstrip()
        )
        console.say(f"    source: {violation.source}")
    if not answer.violations:
        console.say(f"  only its cost: dearer by {number(answer.cost_difference)} {answer.currency}/h")
    _print_changes(answer)


def _print_changes(answer: WhyNot) -> None:
    if answer.changes:
        console.say("the smallest change that would admit it:")
    for change in answer.changes:
        console.say(f"  {change.text}")
    console.say(f"tried out: {answer.outcome}" if answer.changes else answer.outcome)
    if answer.cost_per_hour is not None:
        console.say(f"it would cost {number(answer.cost_per_hour)} {answer.currency}/h there{_more(answer)}")


def _more(answer: WhyNot) -> str:
    if answer.cost_difference is None:
        return ""
    return f", {number(abs(answer.cost_difference))} {'more' if answer.cost_difference > 0 else 'less'} than now"


def _value(value: float | str | None) -> str:
    return "?" if value is None else value if isinstance(value, str) else f"{value:,.6g}"
