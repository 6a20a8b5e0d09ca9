"""The users of SNMPv3 with their passwords, which stand in files or in the environment."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError, UsageError
from cellwright.telemetry.snmp_keys import Usm, UsmUser
from cellwright.telemetry.snmp_users_document import load_users
from cellwright.wiring.files import read_text, storage_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwright.telemetry.snmp_users_document import Secret

_SHORTEST: Final = 8  # characters, RFC 3414, 11.2
_FOR_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_usm(file: Path, environ: Mapping[str, str]) -> Usm:
    """Return the users that a document names; raise UsageError and StorageError, which never show a password.

    Relative paths start at the document's folder.
    """
    return Usm(
        UsmUser(
            spec.name.encode(),
            _password(spec.authentication, file, environ),
            _password(spec.privacy, file, environ) if spec.privacy else None,
            spec.engine,
        )
        for spec in load_users(read_text(file), str(file))
    )


def _password(secret: Secret, document: Path, environ: Mapping[str, str]) -> tuple[str, bytes]:
    """Return (protocol, password)."""
    if secret.file is not None:
        path = document.parent / secret.file
        place, password = str(path), _read_private(path)
    else:
        place = f"the environment variable {secret.variable}"
        password = environ.get(secret.variable or "", "").encode()
        if not password:
            raise UsageError.of("no-password", f"{place} is not set, which {document} names")
    if len(password) < _SHORTEST:
        raise UsageError.of(
            "password-too-short",
            f"the password in {place} is too short",
            expected=f"at least {_SHORTEST} characters (RFC 3414, 11.2)",
        )
    return secret.protocol, password


def _read_private(path: Path) -> bytes:
    """Return the content of a file without the line end behind it; raise StorageError where others can read it."""
    with storage_errors("read", path), path.open("rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        content = stream.read(4096)
    if mode & _FOR_OTHERS:
        raise StorageError.of(
            "password-file-shared",
            f"the password file {path} can be used by others than its owner (mode {stat.S_IMODE(mode):04o})",
            expected="mode 0600",
            hint=f"chmod 600 {path}",
        )
    return content.rstrip(b"\r\n")
