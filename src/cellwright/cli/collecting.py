"""The command that receives telemetry."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import console
from cellwright.cli.app import app
from cellwright.cli.plans import number
from cellwright.errors import CellwrightError, UsageError
from cellwright.telemetry.listeners.passwords import hashed
from cellwright.wiring.collecting import collect as collect_into
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.telemetry.collect import Collector


@app.command()
def collect(
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A document of kind Collector.")] = None,
    *,
    hash_password: Annotated[
        bool, typer.Option("--hash-password", help="Ask for a password and print the hash for a listener's users.")
    ] = False,
) -> None:
    """Receive VES, syslog, NetFlow, IPFIX, SNMP, OTLP and dropped files, and bring them into a lake until stopped."""
    if hash_password:
        typer.echo(hashed(getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")))
        return
    if config is None:
        raise UsageError.of("no-config", "what to collect was not said", expected="--config FILE")
    settings = read_settings(os.environ, Path.home())
    _print_counts(collect_into(config, settings, _announce, _tell))


def _announce(addresses: Mapping[str, str]) -> None:
    for name, address in addresses.items():
        console.say(f"{name} listens on {address}")
    console.say("collecting; Ctrl-C stops it and keeps what was received")
    sys.stdout.flush()


def _tell(error: Exception) -> None:
    if isinstance(error, CellwrightError):
        console.tell(error.diagnostics)
    else:
        console.note(f"error[collect]: {type(error).__name__}; what was received stays in the spool and is tried again")


def _print_counts(collector: Collector) -> None:
    for name, counts in collector.counts().items():
        told = ", ".join(f"{number(count, 0)} {what}" for what, count in sorted(counts.items()) if count)
        console.say(f"{name}: {told or 'nothing received'}")
    facts = ", ".join(f"{number(count, 0)} {what}" for what, count in collector.progress.facts.items())
    if facts:
        console.say(f"in the lake: {facts}")
    for feed in collector.waiting():
        console.note(f"the spool holds input of {feed!r}, which no listener of this collector reads")
