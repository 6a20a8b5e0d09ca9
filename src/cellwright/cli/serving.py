"""The command that runs a factory: up."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console, job
from cellwright.cli.app import app
from cellwright.cli.topologies import TopologyOption, topology_of
from cellwright.errors import ExitCode
from cellwright.wiring.cloud import open_gateway
from cellwright.wiring.factory import RunningFactory
from cellwright.wiring.settings import read_settings
from cellwright.wiring.surfaces import reserved_port, serve_portal

if TYPE_CHECKING:
    import socket

PORTAL_PORT: Final = 8780
GATEWAY_PORT: Final = 8781


@app.command()
def up(  # noqa: PLR0913 - the options of a command
    estate: Annotated[Path, typer.Argument(metavar="ESTATE", help="A YAML file, or a folder of them.")],
    *,
    once: Annotated[bool, typer.Option("--once", help="Do the main job and exit instead of serving.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where lake, meters and report go.")] = None,
    mappings: Annotated[list[Path] | None, typer.Option("--mapping", help="Column mappings for tables.")] = None,
    topology: TopologyOption = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated network.")] = 1,
    answers: Annotated[
        int | None, typer.Option(min=1, help="Most storms to send; all to the embedded reasoner, else 20.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the portal on 127.0.0.1.")] = PORTAL_PORT,
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway on 127.0.0.1.")] = GATEWAY_PORT,
) -> None:
    """Run the whole factory on this machine: check, plan, mediate, digest, answer, report; then serve the portal."""
    settings = read_settings(os.environ, Path.home())
    beside = topology_of(topology)
    folder = out or settings.state / estate.resolve().name
    with contextlib.ExitStack() as stack:
        bound: socket.socket | None = None if once else stack.enter_context(reserved_port(port))
        work = job.Job(estate, folder, tuple(mappings or ()), seed, settings, answers, beside)
        loaded, plan, found = job.prepare(work)
        gateway = stack.enter_context(open_gateway(loaded, settings, folder, 0 if once else gateway_port))
        report, failed = job.conclude(work, loaded, plan, found, gateway)
        if bound is not None:
            console.say(f"portal   http://127.0.0.1:{bound.getsockname()[1]}/")
            console.say(f"gateway  {gateway.base_url} (key in {gateway.key_file}); Ctrl-C stops both")
            serve_portal(RunningFactory(loaded, report), bound)
    if failed or not plan.feasible:
        raise console.Finish(ExitCode.PARTIAL if plan.feasible else ExitCode.INFEASIBLE)
