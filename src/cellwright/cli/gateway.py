"""Commands about a gateway: serve it, check its document, explain what it does with a request."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.metering import commands
from cellwright.errors import ExitCode, UsageError
from cellwright.estate.model import SensitivityClass
from cellwright.wiring.gateway import (
    Documents,
    Question,
    absent,
    difficulty_error,
    explain_request,
    read_config,
    serve_gateway,
    unanswerable,
)

if TYPE_CHECKING:
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.routing.explain import Explanation

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A document of kind Gateway.")]
PlanOption = Annotated[
    Path | None, typer.Option(metavar="PLAN", help="Take backends, routes and rules from this plan too.")
]
EstateOption = Annotated[Path | None, typer.Option(metavar="ESTATE", help="The estate that --plan was made of.")]
ClassOption = Annotated[
    SensitivityClass | None, typer.Option(help="The class that the request names; else its route's.")
]
_STRONGEST: Final = 6  # contributions that are printed

app.add_typer(commands, name="gateway")


@commands.callback(invoke_without_command=True)
def gateway(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="A document of kind Gateway.")] = None,
    plan: PlanOption = None,
    estate: EstateOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve the port.")] = 1,
) -> None:
    """Serve an OpenAI-compatible, policy-routed, metered gateway until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise UsageError.of("no-config", "nothing says what the gateway serves", expected="--config FILE")
    documents = Documents(config, plan, estate)
    serve_gateway(documents, os.environ, _announce, _remark, workers)


@commands.command("check")
def check(
    config: FileArgument, plan: PlanOption = None, estate: EstateOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Report every problem of a gateway's document with file, line and column; exit 1 if there is one."""
    try:
        found, remarks = read_config(Documents(config, plan, estate))
    except UsageError as error:
        if output is Output.JSON:
            told = [console.diagnostic_json(item) for item in error.diagnostics]
            console.say_json({"valid": False, "diagnostics": told, "remarks": []})
        else:
            console.tell(error.diagnostics)
            console.note(f"{len(error.diagnostics)} error(s) in {config}")
        raise console.Finish(ExitCode.ERROR) from None
    remarks = (*remarks, *unanswerable(found), *absent(found, config.parent))
    if output is Output.JSON:
        console.say_json({"valid": True, "diagnostics": [], "remarks": remarks})
        return
    for remark in remarks:
        _remark(remark)
    console.say(_contents(found))


@commands.command("explain")
def explain(  # noqa: PLR0913, PLR0917 - one parameter an option
    config: FileArgument,
    model: Annotated[str | None, typer.Option(help="The model or route that is asked for.")] = None,
    data_class: ClassOption = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Tokens in, for the price. [default: 1000]")] = None,
    tokens_out: Annotated[int | None, typer.Option(min=1, help="Tokens out, for the price. [default: 256]")] = None,
    stream: Annotated[
        bool | None, typer.Option("--stream/--whole", help="Whether it streams; else as the request says.")
    ] = None,
    request: Annotated[Path | None, typer.Option(help="A file with the JSON of a chat completion.")] = None,
    plan: PlanOption = None,
    estate: EstateOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which backends may answer a request, in which order, and why not the others."""
    question = Question(model, data_class, tokens, tokens_out, stream, request)
    found, _ = read_config(Documents(config, plan, estate))
    explanation = explain_request(found, question)
    if output is Output.JSON:
        console.say_json(asdict(explanation))
    else:
        _print(explanation)
    if not any(verdict.may_answer for verdict in explanation.verdicts):
        raise console.Finish(ExitCode.DENIED)


def _announce(address: str) -> None:
    console.say(f"serving {address}; Ctrl-C stops it")


def _remark(text: str) -> None:
    console.note(f"remark: {text}")


def _contents(config: GatewayConfig) -> str:
    parts = (
        (config.keys, "key"),
        (config.backends, "backend"),
        (config.routes, "route"),
        (config.rules, "rule"),
    )
    return "valid: " + ", ".join(f"{len(items)} {name}{'s' if len(items) != 1 else ''}" for items, name in parts)


def _print(explanation: Explanation) -> None:
    console.say(
        f"route {explanation.route}, data of class {explanation.data_class} (rules: {explanation.rules}); "
        "backends as if idle, as fast as configured"
    )
    rows = [
        (str(verdict.place or "-"), verdict.backend, verdict.decided_by, verdict.sentence)
        for verdict in explanation.verdicts
    ]
    console.table(None, ("", "backend", "decided by", "because"), rows)
    if explanation.difficulty is not None:
        strongest = ", ".join(f"{name} {value:+.2f}" for name, value in explanation.contributions[:_STRONGEST] if value)
        console.say(f"difficulty {explanation.difficulty:.2f}: {strongest}; {difficulty_error()}")
