"""Pseudonyms: letters of a keyed hash over a canonical form."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cellwright.privacy.patterns import PSEUDONYM_LENGTH, PSEUDONYM_LETTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.privacy.identifiers import Kind

_DOMAIN: Final = b"cellwright pseudonym 1\0"
_LETTERS: Final = bytes.maketrans(b"0123456789abcdef", PSEUDONYM_LETTERS.encode())
_BLOCK: Final = 64  # bytes of SHA-256, to which RFC 2104 pads a key


class Tokens:
    """HMAC-SHA256 (RFC 2104) under one key: both paddings are hashed once, not for each message."""

    def __init__(self, key: bytes) -> None:
        padded = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + _DOMAIN)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def of(self, named: Sequence[tuple[Kind, str]]) -> list[str]:
        """Return `kind~letters` for kinds with canonical forms."""
        inner, outer = self._inner.copy, self._outer.copy
        digests = []
        for _, canonical in named:
            message, tag = inner(), outer()
            message.update(canonical.encode(errors="surrogatepass"))
            tag.update(message.digest())
            digests.append(tag.digest()[: PSEUDONYM_LENGTH // 2])
        letters = b"".join(digests).hex().encode().translate(_LETTERS).decode()
        return [
            kind + "~" + letters[at : at + PSEUDONYM_LENGTH]  # a text itself, which joins faster than it formats
            for (kind, _), at in zip(named, range(0, len(letters), PSEUDONYM_LENGTH), strict=True)
        ]
