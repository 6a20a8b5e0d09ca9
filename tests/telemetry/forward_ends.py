"""The two ends as processes of their own, and as a test of what is told plays them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cellwright.errors import CellwrightError
from cellwright.telemetry.forward import Forwarder
from cellwright.telemetry.forward_link import Proofs
from cellwright.telemetry.forward_outbox import Outbox
from cellwright.telemetry.forward_session import Patience, forward_while
from cellwright.telemetry.forward_source import SiteLake
from cellwright.wiring.forwarding import read_access

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.telemetry.forward_link import Access

PROBES = """
import os, signal, sys
from cellwright.cli import main
from cellwright.lake.ledger import Ledger
from cellwright.telemetry.forward_outbox import Outbox

left = int(sys.argv[1])

def passed():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    call = getattr(owner, name)
    def stepped(*arguments, **more):
        passed()
        result = call(*arguments, **more)
        passed()
        return result
    setattr(owner, name, stepped)

around(Outbox, "add")
around(Outbox, "done")
around(Ledger, "commit")
del sys.argv[1]
"""
"""Begins a script that kills itself at the step that its first argument names; what it probes besides follows."""


def cellwright(*arguments: object, folder: Path, script: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    key = folder / "key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(bytes(32))
    plain = {"PATH": os.environ["PATH"], "HOME": str(folder), "CELLWRIGHT_KEY_FILE": str(key)}
    return subprocess.run(
        [sys.executable, *(["-c", script] if script else ["-m", "cellwright"]), *map(str, arguments)],
        env=plain | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def access_to(url: str, proofs: Proofs | None = None, **environ: str) -> Access:
    return read_access(url, proofs or Proofs(), environ)


def told_by_forwarding(access: Access, site: Path, attempts: int = 1) -> CellwrightError:
    """Return the error that ends so many attempts to forward."""

    async def play() -> None:
        with SiteLake(site) as opened, contextlib.closing(Outbox(site, "x")) as outbox:
            patience = Patience(asyncio.Event(), lambda _: None, attempts=attempts)
            connect = partial(access.outlet, "cellwright", "site")
            await forward_while(Forwarder(opened, outbox, lambda _: None), connect, patience, None)

    with pytest.raises(CellwrightError) as caught:
        asyncio.run(play())
    return caught.value


def made_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate that signs itself, for 127.0.0.1, and its key."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-nodes", "-days", "2"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *named]
    try:
        subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("SKIPPED LOUDLY: openssl is not installed")
    return certificate, key
