"""Quarantined input at rest: AES-256-GCM under a key that the lake does not hold."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cellwright.errors import StorageError

_NONCE_BYTES: Final = 12  # NIST SP 800-38D clause 8.2.2


def fingerprint(key: bytes) -> str:
    """Return what tells a key from others and reveals nothing of it."""
    return hashlib.sha256(b"cellwright lake key 1\0" + key).hexdigest()


def seal(key: bytes, payload: bytes, about: str) -> bytes:
    """Return nonce and ciphertext; `about` is bound to it, so that it opens nowhere else."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, payload, about.encode())


def unseal(key: bytes, sealed: bytes, about: str) -> bytes:
    """Return the payload; raise StorageError for another key, place or content."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
    except InvalidTag as error:
        raise StorageError.of(
            "quarantine-sealed",
            "the quarantined piece cannot be opened",
            expected="the key that was in use when it was stored",
            hint="name the right key file with CELLWRIGHT_KEY_FILE",
        ) from error
