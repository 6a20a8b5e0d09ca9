"""Commands about telemetry: simulate, mediate, lake."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.errors import ExitCode
from cellwright.lake import Lake
from cellwright.wiring.settings import read_settings
from cellwright.wiring.simulation import simulate_into
from cellwright.wiring.telemetry import known_formats, mediate_into, pick_format, verify_lake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.lake import Balance
    from cellwright.telemetry.outcome import MediationResult

LakeArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The lake's folder.")]
_COUNTS: Final = ("raw", "rows", "quarantined", "filtered")
_MOST_ROWS: Final = 40

lake = typer.Typer(help="Look into a lake and prove that nothing was lost.", no_args_is_help=True)
app.add_typer(lake, name="lake")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The folder to write telemetry/ and truth.json to.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
) -> None:
    """Write the telemetry of a 5G network with injected faults, and beside it the truth about them."""
    console.say(simulate_into(out, seed))


@app.command()
def mediate(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files, folders or archives.")],
    lake: Annotated[Path, typer.Option("--lake", metavar="DIR", help="The lake to write to; made when absent.")],
    mappings: Annotated[
        list[Path] | None, typer.Option("--mapping", help="A column mapping for tables, or a folder of them.")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="F", help="Read every file as this format.")] = "auto",
    output: OutputOption = Output.TABLE,
) -> None:
    """Turn raw telemetry into clean records; exit 5 if something had to be quarantined."""
    settings = read_settings(os.environ, Path.home())
    formats = known_formats(mappings or ())
    chosen = formats if form == "auto" else pick_format(formats, form)
    result = mediate_into(lake, sources, chosen, settings, console.progress_bar)
    _print_result(result, output)
    if result.partial:
        raise console.Finish(ExitCode.PARTIAL)


@lake.command("ls")
def list_tables(folder: LakeArgument, output: OutputOption = Output.TABLE) -> None:
    """List the tables of a lake with their rows."""
    with Lake.open(folder) as opened:
        tables = opened.tables()
    if output is Output.JSON:
        console.say_json({"tables": [dataclasses.asdict(table) for table in tables]})
        return
    rows = [(table.name, number(table.rows, 0), number(table.parts, 0)) for table in tables]
    console.table(None, ("table", "rows", "parts"), rows, ("rows", "parts"))


@lake.command("verify")
def verify(folder: LakeArgument, output: OutputOption = Output.TABLE) -> None:
    """Recount every file of a lake: raw = rows + quarantined + filtered; exit 1 if one does not balance."""
    balances = verify_lake(folder)
    wrong = [balance for balance in balances if not balance.ok]
    if output is Output.JSON:
        console.say_json({"ok": not wrong, "files": [dataclasses.asdict(balance) for balance in balances]})
    else:
        _print_balances(balances, wrong)
    if wrong:
        raise console.Finish(ExitCode.ERROR)


def _print_balances(balances: tuple[Balance, ...], wrong: list[Balance]) -> None:
    _print_counts((balance.source, "", balance) for balance in balances)
    for balance in wrong:
        for finding in balance.findings:
            console.note(f"error[{finding.check}]: {balance.source}: {finding.message}")
    verdict = f"{len(wrong)} of {len(balances)} files do not balance" if wrong else f"all {len(balances)} files balance"
    console.say(f"{verdict}: raw = rows + quarantined + filtered")


def _print_result(result: MediationResult, output: Output) -> None:
    if output is Output.JSON:
        files = [dataclasses.asdict(outcome) for outcome in result.outcomes]
        console.say_json({"partial": result.partial, "files": files})
        return
    _print_counts((outcome.source, outcome.format or "unknown", outcome) for outcome in result.outcomes)
    new = [outcome for outcome in result.outcomes if not outcome.duplicate]
    counts = ", ".join(f"{number(sum(getattr(outcome, name) for outcome in new), 0)} {name}" for name in _COUNTS)
    console.say(f"{len(new)} files stored: {counts}")
    if len(new) < len(result.outcomes):
        console.say(f"{len(result.outcomes) - len(new)} files were in the lake before and not stored again")


def _print_counts(items: Iterable[tuple[str, str, object]]) -> None:
    """Print a line for each file, the largest first."""
    ranked = sorted(items, key=lambda item: (-getattr(item[2], "raw"), item[0]))  # noqa: B009 - two types of record
    rows = [
        (name, form, *(number(getattr(item, count), 0) for count in _COUNTS), _reasons(item))
        for name, form, item in ranked[:_MOST_ROWS]
    ]
    console.table(None, ("file", "format", *_COUNTS, "why"), rows, _COUNTS)
    if len(ranked) > len(rows):
        console.say(f"and {len(ranked) - len(rows)} smaller files; -o json lists all")


def _reasons(item: object) -> str:
    reasons: dict[str, int] = getattr(item, "reasons", {})
    return ", ".join(reasons)
