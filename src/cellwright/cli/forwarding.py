"""The commands that bring the lakes of sites into the lake of a centre."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.cli.plans import number
from cellwright.errors import ExitCode
from cellwright.wiring.forwarding import Proofs, is_loopback, read_access
from cellwright.wiring.forwarding import forward as forward_lake
from cellwright.wiring.forwarding import receive as receive_into
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from cellwright.errors import CellwrightError
    from cellwright.telemetry.forward_nats import Access

SubjectOption = Annotated[str, typer.Option(metavar="PREFIX", help="Under which subjects the messages travel.")]
OnceOption = Annotated[bool, typer.Option("--once", help="End when there is nothing more to do.")]
CredentialsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="NATS credentials (.creds).")]
AuthorityOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Who signed the server's certificate.")]
CertificateOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Our own certificate.")]
KeyOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")]


@app.command()
def forward(  # noqa: PLR0913, PLR0917 - the options of a command
    lake: Annotated[Path, typer.Argument(metavar="LAKE", help="The site's lake.")],
    to: Annotated[str, typer.Option(metavar="URL", help="nats://HOST:PORT or tls://HOST:PORT.")],
    subject: SubjectOption = "cellwright",
    credentials: CredentialsOption = None,
    tls_ca: AuthorityOption = None,
    tls_certificate: CertificateOption = None,
    tls_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
    *,
    once: OnceOption = False,
    again: Annotated[bool, typer.Option("--again", help="Send everything again, also what was forwarded.")] = False,
) -> None:
    """Send what a site's lake holds to a centre, over a link that may be cut; exit 5 if a damaged file was left out."""
    access = _access(to, Proofs(credentials, tls_ca, tls_certificate, tls_key))
    sent = forward_lake(lake, access, subject, _tell, once=once, again=again)
    if output is Output.JSON:
        console.say_json(dataclasses.asdict(sent))
    else:
        size = f"{number(sent.messages, 0)} messages, {number(sent.bytes, 0)} bytes"
        console.say(f"{number(sent.files, 0)} files with {number(sent.rows, 0)} rows forwarded ({size})")
    if sent.refused:
        raise console.Finish(ExitCode.PARTIAL)


@app.command()
def receive(  # noqa: PLR0913, PLR0917 - as above
    source: Annotated[str, typer.Option("--from", metavar="URL", help="nats://HOST:PORT or tls://HOST:PORT.")],
    lake: Annotated[Path, typer.Option(metavar="DIR", help="The centre's lake, made when absent.")],
    subject: SubjectOption = "cellwright",
    credentials: CredentialsOption = None,
    tls_ca: AuthorityOption = None,
    tls_certificate: CertificateOption = None,
    tls_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
    *,
    once: OnceOption = False,
) -> None:
    """Store what sites forward in the lake of a centre, each file once; exit 5 if files are not complete yet."""
    access = _access(source, Proofs(credentials, tls_ca, tls_certificate, tls_key))
    ended = receive_into(lake, access, subject, read_settings(os.environ, Path.home()), _tell, once=once)
    found = ended.received
    if output is Output.JSON:
        console.say_json(dataclasses.asdict(found) | {"unfinished": ended.unfinished})
    else:
        console.say(f"{number(found.files, 0)} files with {number(found.rows, 0)} rows stored")
        console.say(f"{number(found.duplicates, 0)} were known, {number(ended.unfinished, 0)} are not complete")
    if once and ended.unfinished:
        raise console.Finish(ExitCode.PARTIAL)


def _access(address: str, proofs: Proofs) -> Access:
    access = read_access(address, proofs, os.environ)
    if not access.uses_tls and not is_loopback(access.url):
        console.note(f"warning[plain-link]: {access.url} is not encrypted; tls:// is")
    return access


def _tell(error: CellwrightError) -> None:
    console.tell(error.diagnostics)
