"""Commands about privacy: audit, policies, the vault, anonymise."""

from __future__ import annotations

import dataclasses
import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.places import LakeArgument, place_of
from cellwright.cli.plans import number
from cellwright.errors import ExitCode, UsageError, nearest
from cellwright.privacy.identifiers import Kind
from cellwright.wiring.anonymising import Order, anonymise_lake, recount
from cellwright.wiring.audits import audit_folder
from cellwright.wiring.pseudonyms import looks, policy_of, reveal
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from cellwright.wiring.anonymising import Certificate
    from cellwright.wiring.audits import Audit

CopyArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that anonymise wrote.")]
OutOption = Annotated[Path, typer.Option(metavar="DIR", help="The folder to write; it must not exist.")]
SpecOption = Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="Which columns to keep, and how.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of any files, or one file.")]
PolicyArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A document of kind PrivacyPolicy.")]
_MOST_ROWS: Final = 40

privacy = typer.Typer(help="Prove that what you hold names nobody.", no_args_is_help=True)
app.add_typer(privacy, name="privacy")


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


@privacy.command("recount")
def recount_copy(folder: CopyArgument, output: OutputOption = Output.TABLE) -> None:
    """Recount the smallest class of each anonymised table from what was written; exit 1 if one is below k."""
    k, found = recount(folder)
    if output is Output.JSON:
        console.say_json({"k": k, "smallest": found})
    else:
        rows = [(name, number(rows, 0)) for name, rows in found.items()]
        console.table(None, ("table", "smallest class"), rows, ("smallest class",))
    if any(0 < rows < k for rows in found.values()):
        raise console.Finish(ExitCode.ERROR)


@privacy.command("check")
def check_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A document of kind PrivacyPolicy.")],
) -> None:
    """Check a privacy policy; exit 64 with every problem and its place."""
    policy_of(dataclasses.replace(read_settings(os.environ, Path.home()), privacy_policy=file))
    console.say(f"{file} is a privacy policy without problems")


@privacy.command("reveal")
def reveal_one(
    pseudonym: Annotated[str, typer.Argument(metavar="PSEUDONYM", help="Such as imsi~...")],
    why: Annotated[str, typer.Option(help="The case or ticket that needs it; it is logged, with who asks.")],
) -> None:
    """Print the identifier behind a pseudonym from the vault CELLWRIGHT_VAULT; exit 1 where it has none."""
    found = reveal(read_settings(os.environ, Path.home()), pseudonym, getpass.getuser(), why)
    if found is None:
        console.note("the vault does not know this pseudonym; the look was logged")
        raise console.Finish(ExitCode.ERROR)
    console.say(found)


@privacy.command("looks")
def list_looks(output: OutputOption = Output.TABLE) -> None:
    """List who looked into the vault, when and why."""
    found = looks(read_settings(os.environ, Path.home()))
    if output is Output.JSON:
        console.say_json({"looks": [each._asdict() for each in found]})
    else:
        rows = [(each.at, each.who, each.pseudonym, each.outcome, each.why) for each in found]
        console.table(None, ("at", "who", "pseudonym", "outcome", "why"), rows)


@app.command()
def anonymise(  # noqa: PLR0913, PLR0917 - options of a command
    lake: LakeArgument,
    out: OutOption,
    k: Annotated[int, typer.Option("--k", help="The fewest subjects of a class.")] = 20,
    spec: SpecOption = None,
    l_diversity: Annotated[
        list[str] | None,
        typer.Option("--l", metavar="COLUMN=N", help="A class has N values or more of this column; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The name of the new dataset in the estate.")] = None,
    derived_from: Annotated[str | None, typer.Option(help="The dataset in the estate that the lake holds.")] = None,
    home: Annotated[str | None, typer.Option(help="The site that the new dataset lives at.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write a copy of a lake in which everybody is one of k, with a certificate and a Dataset document."""
    order = Order(k, tuple(map(_diverse, l_diversity or ())), spec, name, derived_from, home)
    certificate = anonymise_lake(place_of(lake), out, order, console.progress_bar)
    if output is Output.JSON:
        console.say_json(certificate)
    else:
        _print_certificate(certificate, out)


def _diverse(text: str) -> tuple[str, int]:
    column, _, least = text.partition("=")
    if not column or not least.isascii() or not least.isdecimal():
        raise UsageError.of("wrong-l", f"{text!r} is no column with a number", expected="such as probable_cause=2")
    return column, int(least)


def _print_certificate(certificate: Certificate, out: Path) -> None:
    rows = [
        (
            name,
            number(table["rows"], 0),
            number(table["written"], 0),
            number(table["suppressed"], 0),
            number(table["classes"]["count"], 0),
            table["unit"],
            ", ".join(f"{each['column']}: {each['meaning']}" for each in table["quasi"]),
        )
        for name, table in certificate["tables"].items()
    ]
    counts = ("rows", "written", "suppressed", "classes")
    console.table(None, ("table", *counts, "of k", "made coarser to"), rows, counts)
    console.say(f"wrote {out}: {certificate['guarantee']}")
    for limit in certificate["limits"]:
        console.note(f"limit: {limit}")


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
