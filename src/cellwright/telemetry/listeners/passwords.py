"""Passwords of senders: kept as scrypt hashes (RFC 7914), compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

_COST: Final = 2**14  # interactive logins, RFC 7914 clause 2; a sender is asked once and then remembered
_BLOCK: Final = 8
_SCHEME: Final = "scrypt"


def hashed(password: str) -> str:
    """Return `scrypt$salt$hash` of a password, each time another."""
    salt = secrets.token_bytes(16)
    return f"{_SCHEME}${salt.hex()}${_scrypt(password, salt).hex()}"


def is_hash(text: str) -> bool:
    """Return whether a text has the form of `hashed`."""
    scheme, _, rest = text.partition("$")
    salt, _, digest = rest.partition("$")
    return scheme == _SCHEME and len(salt) == 32 and len(digest) == 64 and _is_hex(salt + digest)  # noqa: PLR2004 - 16 and 32 bytes


class Doorkeeper:
    """Knows who may send by HTTP basic authentication (RFC 7617); who was let in once is remembered by a keyed hash."""

    def __init__(self, users: tuple[tuple[str, str], ...]) -> None:
        self._users = dict(users)
        self._salt = secrets.token_bytes(32)
        self._known: set[bytes] = set()

    def admits(self, header: bytes | None) -> bool:
        """Return whether an Authorization header names a user and the right password; everybody where no user is."""
        if not self._users:
            return True
        scheme, _, credentials = (header or b"").partition(b" ")
        if scheme.lower() != b"basic":
            return False
        mark = hmac.digest(self._salt, credentials, "sha256")
        if mark in self._known:
            return True
        try:
            name, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        kept = self._users.get(name, f"{_SCHEME}${'0' * 32}${'0' * 64}")  # an unknown name takes as long
        _, salt, digest = kept.split("$")
        if not hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), digest):
            return False
        self._known.add(mark)
        return True


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=1, dklen=32)


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in text)
