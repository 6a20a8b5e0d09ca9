"""Commands about plans: plan, plan verify, explain, report."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
import yaml

from cellwright.cli import console, explanations, plans
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.estates import EstateArgument
from cellwright.errors import ExitCode, UsageError, nearest
from cellwright.placement import encode, explain
from cellwright.placement.comparison import compare
from cellwright.placement.conflict import conflicts
from cellwright.placement.diff import difference
from cellwright.placement.focus import focus_csv
from cellwright.placement.planning import plan as make_plan
from cellwright.placement.proving import prove_plan
from cellwright.placement.shadow import shadow_prices
from cellwright.placement.verify import verify
from cellwright.report.model import FactoryReport
from cellwright.report.page import render
from cellwright.wiring.estates import load_estate, load_plan
from cellwright.wiring.files import write_atomically

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan

_PERIOD: Final = timedelta(hours=1)  # what a FOCUS export covers: plans reckon per hour


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def _load(path: Path, supposed: list[str] | None = None) -> Estate:
    return load_estate(path, datetime.now(tz=UTC).date(), supposed or ())


OutputPlanOption = Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print the plan.")]
OutOption = Annotated[Path | None, typer.Option(help="Also write the plan as JSON to this file.")]
AgainstOption = Annotated[
    Path | None, typer.Option(metavar="PLAN", help="Keep replicas where this plan has them, if still allowed.")
]
MaxMovesOption = Annotated[
    int | None, typer.Option(min=0, help="With --against: replicas that may move beside those that must. [default: 0]")
]
ProofOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", min=0.1, help="Search so long with HiGHS, print the gap to the proven bound."),
]
WhatIfOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Suppose a value, such as Workload/NAME/latency.p99='20 ms'; repeatable."),
]
LoseOption = Annotated[
    list[str] | None, typer.Option(metavar="SITE", help="Suppose the machines of a site are gone; repeatable.")
]
FocusOption = Annotated[Path | None, typer.Option(help="Also write the cost of an hour as a FOCUS 1.2 CSV file.")]


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - one parameter an option
    estate: EstateArgument,
    output: OutputPlanOption = PlanOutput.TABLE,
    out: OutOption = None,
    against: AgainstOption = None,
    max_moves: MaxMovesOption = None,
    proof: ProofOption = None,
    what_if: WhatIfOption = None,
    lose: LoseOption = None,
    focus: FocusOption = None,
) -> None:
    """Place every workload; exit 3 if one has no feasible site. --what-if and --lose answer without writing."""
    if what_if or lose:
        _refuse(out=out, against=against, proof=proof, focus=focus)
        _answer(estate, what_if or [], lose or [], output)
        return
    if max_moves is not None and against is None:
        raise UsageError.of("max-moves", "--max-moves counts moves against a plan", expected="--against PLAN")
    loaded = _load(estate)
    previous = load_plan(against) if against else None
    made = make_plan(loaded, previous, max_moves)
    proven = prove_plan(loaded, made, proof) if proof else None
    if proven:
        made = proven.plan
    _write(loaded, made, out, focus)
    _print(made, output)
    if output is PlanOutput.TABLE:
        plans.print_comparison(compare(loaded, made))
        plans.print_shadow_prices(shadow_prices(loaded, made, top=1))
        if proven:
            plans.print_proof(proven, made.currency)
        if previous:
            plans.print_difference(difference(previous, made))
    _finish(loaded, made)


@app.command(name="plan verify")
def plan_verify(
    estate: EstateArgument,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that `cellwright plan --out` wrote.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a plan against its estate with a second, independent reading of every rule; exit 1 if one is broken."""
    breaches = verify(_load(estate), load_plan(plan))
    if output is Output.JSON:
        console.say_json({"sound": not breaches, "breaches": [asdict(breach) for breach in breaches]})
    else:
        plans.print_breaches(breaches)
    if breaches:
        raise console.Finish(ExitCode.ERROR)


@app.command(name="explain")
def explain_workload(
    estate: EstateArgument,
    workload: Annotated[str, typer.Argument(help="The workload to explain; workload#2 for its second replica.")],
    why_not: Annotated[str | None, typer.Option(metavar="SITE", help="Explain why this site was not chosen.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say why a workload is where it is, or what keeps it from a site and what would admit it."""
    loaded = _load(estate)
    made = make_plan(loaded)
    if why_not is None:
        explanations.print_explanation(explain.explain(loaded, made, workload), output)
    else:
        explanations.print_why_not(explain.why_not(loaded, made, workload, why_not), output)


@app.command()
def report(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that `cellwright plan --out` wrote.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
) -> None:
    """Write one self-contained page about a plan."""
    write_atomically(out, render(FactoryReport(title=plan.stem, plan=load_plan(plan))))
    console.say(f"wrote {out}")


def _write(estate: Estate, made: Plan, out: Path | None, focus: Path | None) -> None:
    """Write the plan and its costs where that is asked for."""
    if out is not None:
        write_atomically(out, encode.json_lines(made))
    if focus is not None:
        start = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
        write_atomically(focus, [focus_csv(made, estate, start, start + _PERIOD)])


def _print(made: Plan, output: PlanOutput) -> None:
    if output is PlanOutput.JSON:
        for line in encode.json_lines(made):
            typer.echo(line, nl=False)
    elif output is PlanOutput.YAML:
        typer.echo(yaml.safe_dump(encode.to_builtins(made), sort_keys=False, allow_unicode=True), nl=False)
    else:
        plans.print_plan(made)


def _finish(estate: Estate, made: Plan) -> None:
    """Tell what stands in the way of an infeasible plan, and end with its exit code."""
    if not made.feasible:
        for found in conflicts(estate, made):
            console.note(found.sentence)
        raise console.Finish(ExitCode.INFEASIBLE)


def _answer(path: Path, supposed: list[str], lost: list[str], output: PlanOutput) -> None:
    """Print what would be different, without writing anything."""
    today = _load(path)
    changed = _without(_load(path, supposed), lost)
    before = make_plan(today)
    after = make_plan(changed, before, None if lost else len(before.placements))
    found = difference(before, after)
    if output is PlanOutput.TABLE:
        plans.print_difference(found)
    else:
        told = plans.difference_json(found)
        if output is PlanOutput.JSON:
            console.say_json(told)
        else:
            typer.echo(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), nl=False)
    _finish(changed, after)


def _without(estate: Estate, lost: list[str]) -> Estate:
    """Return the estate in which the machines of some sites are gone; their users, data and links stay."""
    sites = dict(estate.sites)
    for name in lost:
        if name not in sites:
            raise UsageError.of("unknown-site", f"the estate has no site {name!r}", hint=nearest(name, sites))
        sites[name] = replace(sites[name], nodes=())
    return replace(estate, sites=sites)


def _refuse(**options: object) -> None:
    """Refuse options that write, beside questions that do not."""
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        message = f"--what-if and --lose answer without writing; {', '.join(given)} does not go with them"
        raise UsageError.of("what-if-options", message, hint="change the estate, then plan it")
