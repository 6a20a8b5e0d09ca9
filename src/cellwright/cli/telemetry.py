"""Commands about telemetry: simulate, mediate."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.counts import COUNTS, print_counts
from cellwright.cli.plans import number
from cellwright.errors import ExitCode
from cellwright.lake.record import FileState
from cellwright.lake.staged import Commit
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.settings import read_settings
from cellwright.wiring.simulation import simulate_into
from cellwright.wiring.snmp_users import read_usm
from cellwright.wiring.telemetry import known_formats, mediate_into, pick_format

if TYPE_CHECKING:
    from cellwright.telemetry.outcome import MediationResult


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The folder to write telemetry/, topology.csv and truth.json to.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
) -> None:
    """Write the telemetry of a 5G network with injected faults, and beside it the truth about them."""
    console.say(simulate_into(out, seed))


@app.command()
def mediate(  # noqa: PLR0913, PLR0917 - options of a command
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files, folders or archives.")],
    lake: Annotated[
        str,
        typer.Option(
            "--lake", metavar="LAKE", help="A folder, or an s3://, gs:// or abfss:// address; made when absent."
        ),
    ],
    mappings: Annotated[
        list[Path] | None, typer.Option("--mapping", help="A column mapping for tables, or a folder of them.")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="F", help="Read every file as this format.")] = "auto",
    privacy_policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A PrivacyPolicy: what becomes of each kind of identifier.")
    ] = None,
    data_class: Annotated[
        str | None, typer.Option(metavar="CLASS", help="The sensitivity class whose actions the policy takes.")
    ] = None,
    vault: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the way back from pseudonyms in this sealed file.")
    ] = None,
    snmp_users: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An SnmpUsers: whose SNMPv3 messages are checked and decrypted.")
    ] = None,
    commit: Annotated[
        Commit, typer.Option(help="delta: the lake is Delta tables, which many machines may write at once.")
    ] = Commit.LEDGER,
    output: OutputOption = Output.TABLE,
) -> None:
    """Turn raw telemetry into clean records; exit 5 if something had to be quarantined."""
    settings = read_settings(os.environ, Path.home())
    settings = dataclasses.replace(
        settings,
        privacy_policy=privacy_policy or settings.privacy_policy,
        data_class=data_class or settings.data_class,
        vault=vault or settings.vault,
    )
    formats = known_formats(mappings or (), read_usm(snmp_users, os.environ) if snmp_users else None)
    chosen = formats if form == "auto" else pick_format(formats, form)
    result = mediate_into(lake_at(lake, settings), sources, chosen, settings, console.progress_bar, commit=commit)
    _print_result(result, output)
    if result.partial:
        raise console.Finish(ExitCode.PARTIAL)


_BECAME: Final = MappingProxyType(
    {
        FileState.STORED: "stored",
        FileState.PARTIAL: "stored in part",
        FileState.QUARANTINED: "quarantined",
        FileState.UNBALANCED: "stored with facts that nothing accounts for",
        FileState.SKIPPED: "of no known format and left out",
        FileState.UNREADABLE: "not readable",
    }
)


def _told(states: Counter[FileState]) -> str:
    """Return how many files became what."""
    said = [f"{number(states[state], 0)} {became}" for state, became in _BECAME.items() if states[state]]
    first, *others = said or ["0 stored"]
    return ", ".join([first.replace(" ", " file " if first.startswith("1 ") else " files ", 1), *others])


def _print_result(result: MediationResult, output: Output) -> None:
    if output is Output.JSON:
        files = [dataclasses.asdict(outcome) for outcome in result.outcomes]
        console.say_json({"partial": result.partial, "files": files})
        return
    print_counts((outcome.source, outcome.format or "unknown", outcome) for outcome in result.outcomes)
    new = [outcome for outcome in result.outcomes if not outcome.duplicate]
    counts = ", ".join(f"{number(sum(getattr(outcome, name) for outcome in new), 0)} {name}" for name in COUNTS)
    console.say(f"{_told(Counter(outcome.state for outcome in new))}: {counts}")
    if len(new) < len(result.outcomes):
        console.say(f"{len(result.outcomes) - len(new)} files were in the lake before and not stored again")
