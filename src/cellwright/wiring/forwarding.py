"""Both ends of a link put together: a site's lake and its outbox, a centre's lake and its inbox, a server between."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError
from cellwright.lake.folder import Lake
from cellwright.plugins import PluginSet
from cellwright.telemetry import forward_link
from cellwright.telemetry.forward import Forwarder
from cellwright.telemetry.forward_centre import Receiver
from cellwright.telemetry.forward_inbox import Inbox
from cellwright.telemetry.forward_outbox import Outbox
from cellwright.telemetry.forward_session import ATTEMPTS, Patience, forward_while, receive_while
from cellwright.telemetry.forward_source import SiteLake
from cellwright.wiring.pseudonyms import quarantine_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from cellwright.telemetry.forward import Outlet, Sent, Tell
    from cellwright.telemetry.forward_centre import Received
    from cellwright.telemetry.forward_link import Access, Carrier, Proofs
    from cellwright.telemetry.forward_session import Inlet
    from cellwright.wiring.settings import Settings

EVERY_S: Final = 5.0
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a receiver did, and how many files still wait for messages."""

    received: Received
    unfinished: int


def read_access(address: str, proofs: Proofs, environ: Mapping[str, str]) -> Access:
    """Return how to reach a server; raise UsageError for an address, file or mix of them that cannot be."""
    carriers: PluginSet[Carrier] = PluginSet("links")
    return forward_link.read_access(address, proofs, environ, carriers)


def forward(  # noqa: PLR0913 - what one end needs
    lake: Path, access: Access, prefix: str, tell: Tell, *, once: bool, again: bool
) -> Sent:
    """Forward a site's lake until Ctrl-C or SIGTERM, or once; return what was sent.

    `again` forgets what was sent before. Raises UnavailableError after too many attempts of a single run.
    """
    _check_prefix(prefix)
    with SiteLake(lake) as site:
        outbox = Outbox(lake, f"{access.address}/{prefix}")
        try:
            if again:
                outbox.forget()
            forwarder = Forwarder(site, outbox, tell)
            connect = partial(access.outlet, prefix, outbox.site())
            asyncio.run(_forward(forwarder, connect, tell, once=once))
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
        asyncio.run(_receive(receiver, partial(access.inlet, prefix), tell, once=once))
        return Ended(receiver.received, receiver.unfinished)


async def _forward(
    forwarder: Forwarder, connect: Callable[[], AbstractAsyncContextManager[Outlet]], tell: Tell, *, once: bool
) -> None:
    patience = Patience(_stop(), tell, attempts=ATTEMPTS if once else None)
    await forward_while(forwarder, connect, patience, None if once else EVERY_S)


async def _receive(
    receiver: Receiver, connect: Callable[[], AbstractAsyncContextManager[Inlet]], tell: Tell, *, once: bool
) -> None:
    patience = Patience(_stop(), tell, attempts=ATTEMPTS if once else None)
    await receive_while(receiver, connect, patience, once=once)


def _stop() -> asyncio.Event:
    """Return what is set when the process is asked to end."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns whenever a client's TLS ends, which says nothing
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _check_prefix(prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        raise UsageError.of(
            "wrong-subject",
            f"{prefix!r} is no subject prefix",
            expected="words of letters, digits, - and _, with dots between",
        )
