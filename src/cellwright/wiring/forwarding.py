"""Both ends of a link put together: a site's lake and its outbox, a centre's lake and its inbox, a server between."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cellwright.errors import UsageError
from cellwright.lake import Lake
from cellwright.telemetry.forward import Forwarder
from cellwright.telemetry.forward_centre import Receiver
from cellwright.telemetry.forward_inbox import Inbox
from cellwright.telemetry.forward_nats import Access, open_inlet, open_outlet
from cellwright.telemetry.forward_outbox import Outbox
from cellwright.telemetry.forward_session import ATTEMPTS, Patience, forward_while, receive_while
from cellwright.telemetry.forward_source import SiteLake
from cellwright.wiring.pseudonyms import quarantine_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwright.telemetry.forward import Sent, Tell
    from cellwright.telemetry.forward_centre import Received
    from cellwright.wiring.settings import Settings

TOKEN: Final = "CELLWRIGHT_NATS_TOKEN"  # noqa: S105 - the name of the variable
EVERY_S: Final = 5.0
_SCHEMES: Final = ("nats", "tls")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Proofs:
    """Files that prove who one is, and who the other is."""

    credentials: Path | None = None
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What a receiver did, and how many files still wait for messages."""

    received: Received
    unfinished: int


def read_access(address: str, proofs: Proofs, environ: Mapping[str, str]) -> Access:
    """Return how to reach a server; raise UsageError for an address, file or mix of them that cannot be."""
    url = _checked(address)
    for path in (proofs.credentials, proofs.authority, proofs.certificate, proofs.key):
        if path is not None and not path.is_file():
            raise UsageError.of("no-file", f"there is no file {path}", expected="a file that this user may read")
    if (proofs.certificate is None) != (proofs.key is None):
        raise UsageError.of(
            "half-a-certificate", "a certificate needs its key", expected="--tls-certificate and --tls-key"
        )
    token = environ.get(TOKEN) or None
    access = Access(url, proofs.credentials, token, proofs.authority, proofs.certificate, proofs.key)
    if token and not access.uses_tls and not is_loopback(url):
        raise UsageError.of(
            "token-in-the-clear",
            f"{TOKEN} is set, but {url} is not encrypted: anybody on the way could read the token",
            expected="tls://HOST:PORT, or --tls-ca FILE",
        )
    return access


def is_loopback(url: str) -> bool:
    """Return whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def forward(  # noqa: PLR0913 - what one end needs
    lake: Path, access: Access, prefix: str, tell: Tell, *, once: bool, again: bool
) -> Sent:
    """Forward a site's lake until Ctrl-C or SIGTERM, or once; return what was sent.

    `again` forgets what was sent before. Raises UnavailableError after too many attempts of a single run.
    """
    _check_prefix(prefix)
    with SiteLake(lake) as site:
        outbox = Outbox(lake, f"{access.url}/{prefix}")
        try:
            if again:
                outbox.forget()
            forwarder = Forwarder(site, outbox, tell)
            asyncio.run(_forward(forwarder, access, prefix, tell, once=once))
        finally:
            outbox.close()
    return forwarder.sent


def receive(lake: Path, access: Access, prefix: str, settings: Settings, tell: Tell, *, once: bool) -> Ended:  # noqa: PLR0913 - as above
    """Receive files into a lake, made when absent, until Ctrl-C or SIGTERM, or once; return what was received."""
    _check_prefix(prefix)
    key = quarantine_key(settings)
    Lake.open(lake, create=True).close()
    with Inbox(lake) as inbox:
        receiver = Receiver(lake, key, inbox, tell)
        asyncio.run(_receive(receiver, access, prefix, tell, once=once))
        return Ended(receiver.received, receiver.unfinished)


async def _forward(forwarder: Forwarder, access: Access, prefix: str, tell: Tell, *, once: bool) -> None:
    patience = Patience(_stop(), tell, attempts=ATTEMPTS if once else None)
    await forward_while(forwarder, partial(open_outlet, access, prefix), patience, None if once else EVERY_S)


async def _receive(receiver: Receiver, access: Access, prefix: str, tell: Tell, *, once: bool) -> None:
    patience = Patience(_stop(), tell, attempts=ATTEMPTS if once else None)
    await receive_while(receiver, partial(open_inlet, access, prefix), patience, once=once)


def _stop() -> asyncio.Event:
    """Return what is set when the process is asked to end."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns whenever a client's TLS ends, which says nothing
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _checked(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 4222
    except ValueError:
        parts, host, port = urlsplit(""), None, 0
    if parts.scheme and parts.scheme not in _SCHEMES:
        raise UsageError.of(
            "unsupported-link",
            f"files cannot be forwarded over {parts.scheme}://",
            expected="nats://HOST:PORT or tls://HOST:PORT, a NATS server with JetStream",
        )
    if "@" in address:
        raise UsageError.of(
            "secret-in-address",
            "the address holds a user or password, which others could read in the list of processes",
            expected=f"--credentials FILE, or a token in {TOKEN}",
        )
    if not parts.scheme or not host or parts.path.strip("/") or parts.query:
        raise UsageError.of("wrong-address", "the address of the link cannot be read", expected="nats://HOST:PORT")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _check_prefix(prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        raise UsageError.of(
            "wrong-subject",
            f"{prefix!r} is no subject prefix",
            expected="words of letters, digits, - and _, with dots between",
        )
