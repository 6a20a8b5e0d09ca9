"""Commands about privacy: privacy audit, anonymise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.errors import ExitCode, UsageError, nearest
from cellwright.privacy import Kind
from cellwright.wiring.audits import audit_folder

if TYPE_CHECKING:
    from cellwright.wiring.audits import Audit

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of any files, or one file.")]
_MOST_ROWS: Final = 40

privacy = typer.Typer(help="Prove that what you hold names nobody.", no_args_is_help=True)
app.add_typer(privacy, name="privacy")


@privacy.callback()
def _group() -> None:
    """Prove that what you hold names nobody."""


@privacy.command("audit")
def audit(
    folder: FolderArgument,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="A kind that may stay, such as ip; may be repeated.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Find the identifiers that survive in any files; exit 1 if there are some, 5 if a file could not be read."""
    found = audit_folder(folder, frozenset(map(_kind, allow or ())), console.progress_bar)
    if output is Output.JSON:
        console.say_json(_audit_json(found))
    else:
        _print_audit(found)
    if found.survivors:
        raise console.Finish(ExitCode.ERROR)
    if found.unread:
        raise console.Finish(ExitCode.PARTIAL)


def _kind(name: str) -> Kind:
    names = [kind.value for kind in Kind]
    if name not in names:
        raise UsageError.of(
            "unknown-kind",
            f"there is no kind of identifier called {name!r}",
            expected="one of " + ", ".join(names),
            hint=nearest(name, names),
        )
    return Kind(name)


def _audit_json(found: Audit) -> dict[str, object]:
    return {
        "clean": not found.survivors and not found.unread,
        "files": found.files,
        "bytes": found.bytes,
        "survivors": [
            {"file": each.file, "kind": mine.kind.value, "count": mine.count, "places": [str(at) for at in mine.places]}
            for each in found.survivors
            for mine in each.found
        ],
        "allowed": {kind.value: count for kind, count in found.allowed.items()},
        "unread": [{"file": each.file, "code": each.code} for each in found.unread],
    }


def _print_audit(found: Audit) -> None:
    lines = [(each.file, mine) for each in found.survivors for mine in each.found]
    rows = [
        (name, mine.kind.value, number(mine.count, 0), "; ".join(str(place) for place in mine.places[:2]))
        for name, mine in lines[:_MOST_ROWS]
    ]
    if rows:
        console.table(None, ("file", "kind", "count", "first places"), rows, ("count",))
    if len(lines) > len(rows):
        console.note(f"and {len(lines) - len(rows):,} more lines; -o json lists all")
    for each in found.unread:
        console.note(f"warning[{each.code}]: {each.file} was not looked into, or not to its end")
    for kind, count in sorted(found.allowed.items()):
        console.note(f"{number(count, 0)} of kind {kind.value} were allowed")
    names = f"{number(found.files, 0)} files, {number(found.bytes, 0)} bytes"
    if found.survivors:
        console.say(f"{number(found.count, 0)} identifiers survive in {len(found.survivors)} of {names}")
    else:
        rest = f", but {len(found.unread)} could not be read" if found.unread else ""
        console.say(f"no identifier survives in {names}{rest}")
