"""The command that proposes what data reveals: classify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.errors import ExitCode
from cellwright.privacy.audit import masked
from cellwright.wiring.discovery import discover, write_datasets
from cellwright.wiring.telemetry import known_formats

if TYPE_CHECKING:
    from cellwright.wiring.discovery import Discovery

_MOST_ROWS: Final = 60


@app.command()
def classify(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files, folders or archives.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write datasets.yaml here, for people to confirm.")
    ] = None,
    mappings: Annotated[
        list[Path] | None, typer.Option("--mapping", help="A column mapping for tables, or a folder of them.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Propose a sensitivity class for every field of any tables, with evidence; exit 5 if a file could not be read."""
    found = discover(sources, known_formats(mappings or ()), console.progress_bar)
    if output is Output.JSON:
        console.say_json(_json(found))
    else:
        _print(found)
    if out is not None and found.tables:
        path = write_datasets(found.tables, out)
        console.note(f"wrote {path}: fill in the homes, confirm the classes, then cellwright check")
    if found.unread:
        raise console.Finish(ExitCode.PARTIAL)


def _json(found: Discovery) -> dict[str, object]:
    tables = []
    for each in found.tables:
        proposal = each.proposal()
        fields = [
            {
                "field": masked(field.name),
                "class": field.sensitivity.value,
                "confidence": field.confidence,
                "needs_review": field.needs_review,
                "evidence": list(field.evidence),
            }
            for field in proposal.fields
        ]
        tables.append(
            {
                "dataset": each.name,
                "class": proposal.sensitivity.value,
                "needs_review": proposal.needs_review,
                "sources": each.sources,
                "bytes": each.bytes,
                "rows_looked_at": each.rows.rows,
                "fields": fields,
            }
        )
    return {"datasets": tables, "unread": [{"file": name, "code": code} for name, code in found.unread]}


def _print(found: Discovery) -> None:
    lines = [
        (
            each.name,
            masked(field.name),
            field.sensitivity.value,
            number(field.confidence),
            "review" if field.needs_review else "",
            "; ".join(field.evidence[:2]),
        )
        for each in found.tables
        for field in each.proposal().fields
    ]
    console.table(None, ("dataset", "field", "class", "confidence", "", "because"), lines[:_MOST_ROWS], ("confidence",))
    if len(lines) > _MOST_ROWS:
        console.note(f"and {len(lines) - _MOST_ROWS:,} more fields; -o json lists all")
    for name, code in found.unread[:_MOST_ROWS]:
        console.note(f"warning[{code}]: {name} was not classified, or not to its end")
    for each in found.tables:
        proposal = each.proposal()
        review = ", needs a legal review" if proposal.needs_review else ""
        files = f"{len(each.sources)} file" + ("s" if len(each.sources) > 1 else "")
        console.say(f"{each.name}: {proposal.sensitivity.value}{review} ({files}, {number(each.rows.rows, 0)} rows)")
