"""SNMPv3 messages of the user-based security model: read, checked and decrypted with the keys of known users.

Sources: RFC 3412 clause 6 (the message), RFC 3414 clauses 2.4 (security parameters) and 3.2 (what is checked, in which
order).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats import snmp_ber as ber

if TYPE_CHECKING:
    from cellwright.telemetry.snmp_keys import Keys

AUTHENTICATED, ENCRYPTED, REPORTABLE = 1, 2, 4
WINDOW_S: Final = 150
"""A message that is older was sent before, RFC 3414 clause 2.2.3."""
_USM: Final = 3
_LARGEST: Final = (1 << 31) - 1  # of boots and time
_ENGINES: Final = 4096  # that are remembered; of further ones no message is known to be old


class UsmError(Exception):
    """A message that its user's keys do not open: a code, and a reason that quotes nothing."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class SecuredMessage:
    """A version 3 message; `scoped` is encrypted where the level says so."""

    number: int
    level: int
    engine: bytes
    boots: int
    time_s: int
    user: bytes = field(repr=False)
    digest_at: int  # in the datagram
    digest: bytes
    salt: bytes
    scoped: bytes = field(repr=False)
    whole: bytes = field(repr=False)

    @property
    def is_authenticated(self) -> bool:
        """Return whether the message says that it is signed."""
        return bool(self.level & AUTHENTICATED)

    @property
    def is_encrypted(self) -> bool:
        """Return whether the message says that it is encrypted."""
        return bool(self.level & ENCRYPTED)

    def check(self, keys: Keys) -> None:
        """Raise UsmError unless the message is signed with the keys."""
        end = self.digest_at + len(self.digest)
        unsigned = self.whole[: self.digest_at] + bytes(len(self.digest)) + self.whole[end:]
        if not hmac.compare_digest(keys.digest(unsigned), self.digest):
            raise UsmError("snmp-wrong-digest", "the digest is not the one that the user's key makes")

    def opened(self, keys: Keys) -> bytes:
        """Return the scoped data unit in the clear; raise UsmError when the keys do not decrypt it."""
        if not self.is_encrypted:
            return self.scoped
        clear = keys.decrypt(self.scoped, self.salt, self.boots, self.time_s)
        if clear is None or clear[:1] != bytes([ber.SEQUENCE]):
            raise UsmError("snmp-wrong-key", "what the user's privacy key makes of it is no message")
        return clear


def read_secured(payload: bytes) -> SecuredMessage:
    """Return the version 3 message at the start of a datagram; raise BerError, and UsmError for other models."""
    message = ber.Cursor(payload)
    outer = message.inside(ber.SEQUENCE)
    outer.integer()
    header = outer.inside(ber.SEQUENCE)
    number = header.integer()
    header.integer()
    said = header.contents(ber.OCTETS)
    if header.integer() != _USM:
        raise UsmError("snmp-security-model", "expected the user-based security model")
    level = said[0] if len(said) == 1 else ENCRYPTED
    if level & (AUTHENTICATED | ENCRYPTED) == ENCRYPTED:
        ber.fail("expected the flags of a security level")
    parameters = outer.contents(ber.OCTETS)
    base = outer.at - len(parameters)
    security = ber.Cursor(parameters).inside(ber.SEQUENCE)
    engine, boots, time_s, user = security.contents(ber.OCTETS), *_clock(security), security.contents(ber.OCTETS)
    digest = security.contents(ber.OCTETS)
    digest_at = base + security.at - len(digest)
    salt = security.contents(ber.OCTETS)
    start = outer.at
    if level & ENCRYPTED:
        scoped = outer.contents(ber.OCTETS)
    else:
        outer.inside(ber.SEQUENCE)
        scoped = payload[start : outer.at]
    whole = payload[: message.at]
    return SecuredMessage(number, level, engine, boots, time_s, user, digest_at, digest, salt, scoped, whole)


def _clock(security: ber.Cursor) -> tuple[int, int]:
    boots, time_s = security.integer(), security.integer()
    if not (0 <= boots <= _LARGEST and 0 <= time_s <= _LARGEST):
        ber.fail("expected boots and time of 31 bits")
    return boots, time_s


class EngineClocks:
    """The latest time that each engine signed, by which a message is known to be older (RFC 3414, 3.2, step 7b)."""

    def __init__(self) -> None:
        self._latest: dict[bytes, tuple[int, int]] = {}

    def is_old(self, message: SecuredMessage) -> bool:
        """Note the time of a message whose digest is right, and return whether it lies outside the window."""
        boots, time_s = self._latest.get(message.engine, (0, 0))
        if (message.boots, message.time_s) >= (boots, time_s):
            if message.engine in self._latest or len(self._latest) < _ENGINES:
                self._latest[message.engine] = message.boots, message.time_s
            return False
        return message.boots < boots or message.time_s < time_s - WINDOW_S
