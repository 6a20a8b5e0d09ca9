"""Keys of SNMPv3 users and what they do: made from passwords, bound to an engine, to sign and to encrypt.

Sources: RFC 3414 clauses 6.3, 7.3 and 8.1 (HMAC-MD5-96, HMAC-SHA-96, DES-CBC) and appendix A.2 (keys from passwords);
RFC 7860 clauses 4 and 9.3 (HMAC-SHA-2); RFC 3826 clause 3 (AES-128). No RFC has longer AES keys:
draft-blumenthal-aes-usm-04 clause 3.1.2.1 lengthens a key with digests of itself (AES-192, AES-256),
draft-reeder-snmpv3-usm-3desede-00 clause 2.1 with the key made of it as a password, which Cisco took for AES
(AES-192-C, AES-256-C, as Net-SNMP calls them).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXPANDED: Final = 1 << 20  # octets that a password is repeated to, RFC 3414 A.2
_BLOCK: Final = 8  # octets of DES
_AES_BLOCK: Final = 16
SALT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class _Digest:
    name: str  # as hashlib calls it
    size: int  # octets of it that a message carries


AUTHENTICATIONS: Final = MappingProxyType(
    {
        "MD5": _Digest("md5", 12),
        "SHA": _Digest("sha1", 12),
        "SHA-224": _Digest("sha224", 16),
        "SHA-256": _Digest("sha256", 24),
        "SHA-384": _Digest("sha384", 32),
        "SHA-512": _Digest("sha512", 48),
    }
)
"""Ways to sign a message."""


@dataclass(frozen=True, slots=True)
class _Privacy:
    key_bytes: int
    is_des: bool = False
    reuses_password: bool = False  # how a digest that is too short becomes a key


PRIVACIES: Final = MappingProxyType(
    {
        "DES": _Privacy(16, is_des=True),
        "AES": _Privacy(16),
        "AES-192": _Privacy(24),
        "AES-256": _Privacy(32),
        "AES-192-C": _Privacy(24, reuses_password=True),
        "AES-256-C": _Privacy(32, reuses_password=True),
    }
)
"""Ways to encrypt a message."""


@lru_cache(maxsize=256)
def key_of(password: bytes, digest: str) -> bytes:
    """Return the key that a password of at least one octet stands for (RFC 3414, A.2); cost: a digest of 1 MiB."""
    repeated = password * (_EXPANDED // len(password) + 1)
    return _hashed(digest, repeated[:_EXPANDED])


def localised(key: bytes, engine: bytes, digest: str) -> bytes:
    """Return a key as one engine has it (RFC 3414, 2.6)."""
    return _hashed(digest, key + engine + key)


def _hashed(digest: str, data: bytes) -> bytes:
    return hashlib.new(digest, data, usedforsecurity=False).digest()  # MD5 and SHA-1 are what the RFC asks for


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one user at one engine; `privacy` is None where the user has none."""

    authentication: str
    signing: bytes = field(repr=False)
    privacy: str | None = None
    secret: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, engine: bytes, authentication: tuple[str, bytes], privacy: tuple[str, bytes] | None) -> Keys:
        """Return the keys that (protocol, password) of each kind make."""
        digest = AUTHENTICATIONS[authentication[0]].name
        signing = localised(key_of(authentication[1], digest), engine, digest)
        if privacy is None:
            return cls(authentication[0], signing)
        secret = localised(key_of(privacy[1], digest), engine, digest)
        kind = PRIVACIES[privacy[0]]
        while len(secret) < kind.key_bytes:
            more = (
                localised(key_of(secret, digest), engine, digest) if kind.reuses_password else _hashed(digest, secret)
            )
            secret += more
        return cls(authentication[0], signing, privacy[0], secret[: kind.key_bytes])

    @property
    def digest_bytes(self) -> int:
        """Return the octets of a message's digest."""
        return AUTHENTICATIONS[self.authentication].size

    def digest(self, message: bytes) -> bytes:
        """Return the digest of a message in which zeros stand for it."""
        kind = AUTHENTICATIONS[self.authentication]
        return hmac.digest(self.signing, message, kind.name)[: kind.size]

    def decrypt(self, data: bytes, salt: bytes, boots: int, time_s: int) -> bytes | None:
        """Return what was encrypted, with any padding behind it, None where it has no length that could be."""
        if len(salt) != SALT_BYTES or self.privacy is None:
            return None
        if not PRIVACIES[self.privacy].is_des:
            return self._feedback(data, _vector(salt, boots, time_s), decrypts=True)
        if not data or len(data) % _BLOCK:
            return None
        decryptor = self._des(salt).decryptor()
        return decryptor.update(data) + decryptor.finalize()

    def encrypt(self, data: bytes, salt: bytes, boots: int, time_s: int) -> bytes:
        """Return data encrypted for a user that has privacy."""
        if self.privacy is None or not PRIVACIES[self.privacy].is_des:
            return self._feedback(data, _vector(salt, boots, time_s), decrypts=False)
        encryptor = self._des(salt).encryptor()
        return encryptor.update(data + bytes(-len(data) % _BLOCK)) + encryptor.finalize()

    def _des(self, salt: bytes) -> Cipher[CBC]:
        """Return DES, as triple DES with one key; the secret's second half makes the vector (RFC 3414, 8.1.1)."""
        vector = bytes(one ^ other for one, other in zip(self.secret[_BLOCK:], salt, strict=True))
        return Cipher(TripleDES(self.secret[:_BLOCK] * 3), CBC(vector))

    def _feedback(self, data: bytes, vector: bytes, *, decrypts: bool) -> bytes:
        """Return data in cipher feedback mode of whole blocks (RFC 3826, 3.1.3), each masked by what came before it."""
        encryptor = Cipher(AES(self.secret), ECB()).encryptor()  # noqa: S305 - feedback is made of it here
        pieces, before = [], vector
        for at in range(0, len(data), _AES_BLOCK):
            block = data[at : at + _AES_BLOCK]
            mask = encryptor.update(before)
            piece = bytes(one ^ other for one, other in zip(block, mask, strict=False))
            pieces.append(piece)
            before = block if decrypts else piece
        return b"".join(pieces)


def _vector(salt: bytes, boots: int, time_s: int) -> bytes:
    return boots.to_bytes(4) + time_s.to_bytes(4) + salt


@dataclass(frozen=True, slots=True)
class UsmUser:
    """A user: (protocol, password) of each kind, as `snmp_keys` names protocols; `engine` None: at all engines."""

    name: bytes = field(repr=False)
    authentication: tuple[str, bytes] = field(repr=False)
    privacy: tuple[str, bytes] | None = field(default=None, repr=False)
    engine: bytes | None = field(default=None, repr=False)


class Usm:
    """The users whose keys are known."""

    def __init__(self, users: Iterable[UsmUser] = ()) -> None:
        self._users = {(user.name, user.engine): user for user in users}

    def keys(self, name: bytes, engine: bytes) -> Keys | None:
        """Return the keys of a user at an engine, None when the user is not known there."""
        user = self._users.get((name, engine)) or self._users.get((name, None))
        return _keys(engine, user.authentication, user.privacy) if user else None


_keys = lru_cache(maxsize=4096)(Keys.of)
