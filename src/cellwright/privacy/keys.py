"""The key of the pseudonyms in a file of its owner's alone; it never lives in the lake."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
_FOR_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def load_or_create_key(path: Path) -> bytes:
    """Return the 32 bytes in `path`, which is created with mode 0600 when absent.

    Two processes that create it at once get the same key. Raises StorageError when the file cannot be read or created,
    has another length, or grants anything to group or world.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unavailable(path, error, "read") from error
    try:
        _create(path)
        return _load(path)
    except OSError as error:
        raise _unavailable(path, error, "created") from error


def derive_key(key: bytes, purpose: str) -> bytes:
    """Return 32 bytes for a purpose that do not reveal the key (HKDF-SHA256, RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - takes 7 MiB, and few derive a key
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - as above

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"cellwright {purpose} 1".encode()).derive(key)


def scoped_key(key: bytes, *, tenant: str = "", epoch: str = "") -> bytes:
    """Return the key of the pseudonyms of a tenant in an epoch such as 2026-03; the key itself where neither is named.

    Who holds a scoped key learns nothing of the others.
    """
    if not tenant and not epoch:
        return key
    return derive_key(key, f"pseudonym key {len(tenant)}:{tenant}:{epoch}")


def _load(path: Path) -> bytes:
    with path.open("rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        key = stream.read(KEY_BYTES + 1)
    if mode & _FOR_OTHERS:
        raise StorageError.of(
            "key-file-shared",
            f"the key file {path} can be used by others than its owner (mode {stat.S_IMODE(mode):04o})",
            expected="mode 0600",
            hint=f"chmod 600 {path}",
        )
    if len(key) != KEY_BYTES:
        raise StorageError.of(
            "key-file-damaged",
            f"the key file {path} does not hold a key",
            expected=f"exactly {KEY_BYTES} bytes",
            hint="restore it from a backup; with another key, new pseudonyms no longer match those in the lake",
        )
    return key


def _create(path: Path) -> None:
    """Put a new key at `path` in one step, or leave the one that another process put there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)


def _unavailable(path: Path, error: OSError, action: str) -> StorageError:
    return StorageError.of(
        "key-file-unavailable",
        f"the key file {path} cannot be {action}",
        cause=error.strerror or type(error).__name__,
        hint="name another with CELLWRIGHT_KEY_FILE, or mend the permissions of its folder",
    )
