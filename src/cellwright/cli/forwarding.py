"""The commands that bring the lakes of sites into the lake of a centre."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.errors import ExitCode
from cellwright.telemetry.forward_link import Proofs
from cellwright.wiring.forwarding import forward as forward_lake
from cellwright.wiring.forwarding import read_access
from cellwright.wiring.forwarding import receive as receive_into
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.errors import CellwrightError
    from cellwright.telemetry.forward_link import Access

_URL: Final = "nats://HOST:PORT or kafka://HOST:PORT; with TLS tls:// or kafka+tls://."
OnceOption = Annotated[bool, typer.Option("--once", help="End when there is nothing more to do.")]


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """The options of every command with a link."""

    subject: Annotated[str, typer.Option(metavar="PREFIX", help="Under which subjects or topics the messages travel.")]
    credentials: Annotated[
        Path | None, typer.Option(metavar="FILE", help="NATS credentials (.creds), or properties of a Kafka client.")
    ]
    tls_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Who signed the server's certificate.")]
    tls_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="Our own certificate.")]
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")]

    def access(self, address: str) -> Access:
        """Return how to reach an address; a link that others can read is told."""
        proofs = Proofs(self.credentials, self.tls_ca, self.tls_certificate, self.tls_key)
        access = read_access(address, proofs, os.environ)
        if not access.uses_tls and not access.address.is_loopback:
            console.note(f"warning[plain-link]: {access.address} is not encrypted")
        return access


_DEFAULTS: Final[dict[str, object]] = {"subject": "cellwright"}


def linked(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the options of a link one by one where `command` takes them as `link`."""
    options = inspect.signature(LinkOptions, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True).parameters.values()

    @functools.wraps(command)
    def run(**given: object) -> None:
        link = {name: given.pop(name) for name in options}
        command(**given, link=LinkOptions(**link))  # type: ignore[arg-type]

    parameters = [
        *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own if each.name != "link"),
        *(
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(each.name))
            for each in options.values()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


@app.command()
@linked
def forward(  # noqa: PLR0913 - the options of a command
    lake: Annotated[Path, typer.Argument(metavar="LAKE", help="The site's lake.")],
    to: Annotated[str, typer.Option(metavar="URL", help=_URL)],
    link: LinkOptions,
    output: OutputOption = Output.TABLE,
    *,
    once: OnceOption = False,
    again: Annotated[bool, typer.Option("--again", help="Send everything again, also what was forwarded.")] = False,
) -> None:
    """Send what a site's lake holds to a centre, over a link that may be cut; exit 5 if a damaged file was left out."""
    sent = forward_lake(lake, link.access(to), link.subject, _tell, once=once, again=again)
    if output is Output.JSON:
        console.say_json(dataclasses.asdict(sent))
    else:
        size = f"{number(sent.messages, 0)} messages, {number(sent.bytes, 0)} bytes"
        console.say(f"{number(sent.files, 0)} files with {number(sent.rows, 0)} rows forwarded ({size})")
    if sent.refused:
        raise console.Finish(ExitCode.PARTIAL)


@app.command()
@linked
def receive(
    source: Annotated[str, typer.Option("--from", metavar="URL", help=_URL)],
    lake: Annotated[Path, typer.Option(metavar="DIR", help="The centre's lake, made when absent.")],
    link: LinkOptions,
    output: OutputOption = Output.TABLE,
    *,
    once: OnceOption = False,
) -> None:
    """Store what sites forward in the lake of a centre, each file once; exit 5 if files are not complete yet."""
    settings = read_settings(os.environ, Path.home())
    ended = receive_into(lake, link.access(source), link.subject, settings, _tell, once=once)
    found = ended.received
    if output is Output.JSON:
        console.say_json(dataclasses.asdict(found) | {"unfinished": ended.unfinished})
    else:
        console.say(f"{number(found.files, 0)} files with {number(found.rows, 0)} rows stored")
        console.say(f"{number(found.duplicates, 0)} were known, {number(ended.unfinished, 0)} are not complete")
    if once and (ended.unfinished or found.missed):
        raise console.Finish(ExitCode.PARTIAL)


def _tell(error: CellwrightError) -> None:
    console.tell(error.diagnostics)
