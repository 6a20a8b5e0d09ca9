"""Commands about estates and plans: check, plan, explain, report, schema."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from cellwright import estate as estates
from cellwright.cli import console, explanations, plans
from cellwright.cli.app import Output, OutputOption, app
from cellwright.errors import ExitCode, Severity
from cellwright.placement import encode, explain
from cellwright.placement.planning import plan as make_plan
from cellwright.report import render
from cellwright.report.model import FactoryReport
from cellwright.wiring.estates import check_estate, load_estate, load_plan
from cellwright.wiring.files import write_atomically

if TYPE_CHECKING:
    from cellwright.estate.model import Estate

EstateArgument = Annotated[Path, typer.Argument(metavar="ESTATE", help="A YAML file, or a folder of them.")]


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def _today() -> datetime:
    return datetime.now(tz=UTC)


def _load(path: Path) -> Estate:
    return load_estate(path, _today().date())


@app.command()
def check(estate: EstateArgument, output: OutputOption = Output.TABLE) -> None:
    """Report every problem of an estate with file, line and column; exit 1 if there is an error."""
    found, diagnostics = check_estate(estate, _today().date())
    if output is Output.JSON:
        console.say_json(
            {"valid": found is not None, "diagnostics": [plans.diagnostic_json(item) for item in diagnostics]}
        )
    else:
        console.tell(diagnostics)
    if found is None:
        errors = sum(item.severity is Severity.ERROR for item in diagnostics)
        console.note(f"{errors} error(s) in {estate}; nothing was written")
        raise console.Finish(ExitCode.ERROR)
    if output is Output.TABLE:
        console.say(plans.estate_sentence(found))


@app.command()
def plan(
    estate: EstateArgument,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print the plan.")] = PlanOutput.TABLE,
    out: Annotated[Path | None, typer.Option(help="Also write the plan as JSON to this file.")] = None,
) -> None:
    """Place every workload; exit 3 if one has no feasible site."""
    made = make_plan(_load(estate))
    text = encode.to_json(made)
    if out is not None:
        write_atomically(out, text)
    if output is PlanOutput.JSON:
        typer.echo(text, nl=False)
    elif output is PlanOutput.YAML:
        typer.echo(yaml.safe_dump(encode.to_builtins(made), sort_keys=False, allow_unicode=True), nl=False)
    else:
        plans.print_plan(made)
    if not made.feasible:
        raise console.Finish(ExitCode.INFEASIBLE)


@app.command(name="explain")
def explain_workload(
    estate: EstateArgument,
    workload: Annotated[str, typer.Argument(help="The workload to explain.")],
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


@app.command()
def schema() -> None:
    """Print the JSON Schema of the estate documents, for editors."""
    console.say_json(estates.json_schema())
