"""A PostgreSQL server of the tests' own, on loopback, gone when they end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ABSENT = "SKIPPED LOUDLY: there is no PostgreSQL server below /usr/lib/postgresql"
_SHARE = Path("/usr/share/postgresql")


def has_vectors() -> bool:
    """Return whether the server that is run knows vectors."""
    return (_SHARE / _programs().parent.name / "extension/vector.control").is_file() if _installed() else False


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run a server; give its URL. Skips where none is installed."""
    pytest.importorskip("pg8000", reason=ABSENT)
    if not _installed():
        pytest.skip(ABSENT)
    folder = tempfile.mkdtemp(prefix="pg")
    who = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if who:
        shutil.chown(folder, who)
    try:
        data = f"{folder}/data"
        made = [_programs() / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N"]
        subprocess.run(made, user=who, check=True, capture_output=True, timeout=60)
        control = [_programs() / "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-k {folder} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off"
        subprocess.run([*control, "-o", options, "start"], user=who, check=True, capture_output=True, timeout=60)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"], user=who, capture_output=True, check=False, timeout=60
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _installed() -> list[Path]:
    return [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]


def _programs() -> Path:
    """Return the folder of the newest version's programs."""
    return _installed()[-1]
