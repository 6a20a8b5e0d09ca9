"""Commands about a lake: what it holds, whether it balances, SQL over it, smaller and younger, out of it."""

from __future__ import annotations

import csv
import dataclasses
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.counts import print_counts
from cellwright.cli.places import LakeArgument, place_of
from cellwright.cli.plans import number
from cellwright.errors import ExitCode, UsageError
from cellwright.lake.delta_lake import open_lake
from cellwright.lake.values import plain, rows
from cellwright.telemetry.quality import Span
from cellwright.units import DURATION
from cellwright.wiring.lakes import (
    export_lake,
    forget_before,
    moment_before,
    publish_lake,
    quality_of,
    verify_lake,
)
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from cellwright.lake.verify import Balance
    from cellwright.telemetry.quality import Score

AgeOption = Annotated[str | None, typer.Option(metavar="AGE", help="An age since ingestion, such as 90d.")]
_MOST_ROWS: Final = 40

commands = typer.Typer(help="Look into a lake, keep it small, and prove that nothing was lost.", no_args_is_help=True)
app.add_typer(commands, name="lake")


class Shape(StrEnum):
    """How the rows of a query are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@commands.command("ls")
def list_tables(lake: LakeArgument, output: OutputOption = Output.TABLE) -> None:
    """List the tables of a lake with their rows."""
    with open_lake(place_of(lake)) as opened:
        tables = opened.tables()
    if output is Output.JSON:
        console.say_json({"tables": [dataclasses.asdict(table) for table in tables]})
        return
    rows = [(table.name, number(table.rows, 0), number(table.parts, 0)) for table in tables]
    console.table(None, ("table", "rows", "parts"), rows, ("rows", "parts"))


@commands.command("verify")
def verify(lake: LakeArgument, output: OutputOption = Output.TABLE) -> None:
    """Recount every file of a lake: raw = rows + quarantined + filtered; exit 1 if one does not balance."""
    balances = verify_lake(place_of(lake))
    wrong = [balance for balance in balances if not balance.ok]
    if output is Output.JSON:
        console.say_json({"ok": not wrong, "files": [dataclasses.asdict(balance) for balance in balances]})
    else:
        _print_balances(balances, wrong)
    if wrong:
        raise console.Finish(ExitCode.ERROR)


@commands.command("query")
def query(
    lake: LakeArgument,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over the lake's tables.")],
    output: Annotated[Shape, typer.Option("--output", "-o", help="How to print the rows.")] = Shape.TABLE,
) -> None:
    """Answer one SELECT over the tables of a lake; it can read nothing else."""
    with open_lake(place_of(lake)) as opened:
        found = opened.query(sql)
    if output is Shape.JSON:
        console.say_json({"rows": [*rows(found)]})
    elif output is Shape.CSV:
        _print_csv(found)
    else:
        shown = [tuple(map(_cell, row.values())) for row in rows(found.slice(0, _MOST_ROWS))]
        console.records(tuple(found.schema.names), shown)
        if found.num_rows > len(shown):
            console.note(f"and {found.num_rows - len(shown):,} more rows; -o json or -o csv prints all")


@commands.command("quality")
def quality(
    lake: LakeArgument,
    span: Annotated[Span, typer.Option(help="What one score is of.")] = Span.DAY,
    alarm_below: Annotated[
        float | None, typer.Option(min=0, max=100, help="Write an alarm into the lake for each score below.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Score every source over time: missing, doubled, late, reset, silent, impossible; exit 2 if alarms were raised."""
    settings = read_settings(os.environ, Path.home())
    found, raised = quality_of(place_of(lake), span, alarm_below, settings)
    if output is Output.JSON:
        scored = [{**dataclasses.asdict(each), "start": each.start.isoformat()} for each in found]
        console.say_json({"scores": [plain(each) for each in scored], "alarms": raised})
    else:
        rows = [
            (each.source, f"{each.start:%Y-%m-%d %H:%M}", number(each.rows, 0), f"{each.score:.1f}", _issues(each))
            for each in sorted(found, key=lambda each: (each.score, each.source, each.start))[:_MOST_ROWS]
        ]
        console.table(None, ("source", span.value, "rows", "score", "what is wrong"), rows, ("rows", "score"))
        if len(found) > len(rows):
            console.say(f"and {len(found) - len(rows)} better ones; -o json lists all")
        if alarm_below is not None:
            console.say(f"{number(raised, 0)} alarms raised")
    if raised:
        raise console.Finish(ExitCode.CHANGES)


@commands.command("compact")
def compact(lake: LakeArgument, output: OutputOption = Output.TABLE) -> None:
    """Merge the small parts of a lake into few large ones; what it says stays the same."""
    with open_lake(place_of(lake)) as opened:
        before, after = opened.compact()
    if output is Output.JSON:
        console.say_json({"parts_before": before, "parts_after": after})
    else:
        console.say(f"{number(before, 0)} parts became {number(after, 0)}")


@commands.command("expire")
def expire(
    lake: LakeArgument,
    older_than: AgeOption = None,
    quarantine_older_than: AgeOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete what was ingested long ago: whole files, or only the raw input that quarantine keeps."""
    if older_than is None and quarantine_older_than is None:
        raise UsageError.of(
            "no-age", "nothing to expire was named", expected="--older-than AGE or --quarantine-older-than AGE"
        )
    files, pieces = forget_before(place_of(lake), _age(older_than), _age(quarantine_older_than))
    if output is Output.JSON:
        console.say_json({"files": [each.file_id for each in files], "quarantined_pieces": pieces})
        return
    rows = number(sum(each.rows for each in files), 0)
    console.say(
        f"{number(len(files), 0)} files with {rows} rows deleted, {number(pieces, 0)} quarantined pieces emptied"
    )


@commands.command("export")
def export(
    lake: LakeArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    form: Annotated[str, typer.Option("--as", metavar="FORMAT", help="tmf642, or an installed one.")] = "tmf642",
) -> None:
    """Write what a lake holds in the format of another system."""
    export_lake(place_of(lake), form, out)
    console.say(f"wrote {out}")


@commands.command("publish")
def publish(
    lake: LakeArgument,
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="A folder, or s3://, gs:// or abfss:// address.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Add what is new in a lake to Delta tables that many machines write, each file once."""
    done = publish_lake(place_of(lake), place_of(to))
    if output is Output.JSON:
        console.say_json(dataclasses.asdict(done))
    else:
        told = f"{number(done.files, 0)} files with {number(done.rows, 0)} rows added"
        console.say(f"{told}, {number(done.known, 0)} were there before")


def _issues(score: Score) -> str:
    worst = sorted(score.issues, key=lambda each: -each.share)
    return ", ".join(f"{each.check} {number(each.wrong, 0)} of {number(each.of, 0)}" for each in worst)


def _age(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return moment_before(DURATION.parse(text))
    except ValueError as error:
        raise UsageError.of("wrong-age", str(error)) from error


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _print_csv(found: pa.Table) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(found.schema.names)
    writer.writerows(map(_cell, row.values()) for row in rows(found))


def _print_balances(balances: tuple[Balance, ...], wrong: list[Balance]) -> None:
    print_counts((balance.source, "", balance) for balance in balances)
    for balance in wrong:
        for finding in balance.findings:
            console.note(f"error[{finding.check}]: {balance.source}: {finding.message}")
    verdict = f"{len(wrong)} of {len(balances)} files do not balance" if wrong else f"all {len(balances)} files balance"
    console.say(f"{verdict}: raw = rows + quarantined + filtered")
