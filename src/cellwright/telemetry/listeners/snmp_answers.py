"""What a receiver of SNMP informs answers: that it has them, and to version 3 senders who it is and what went wrong.

Sources: RFC 3416 clause 4.2.7 (an inform is answered by a response with its own request id and variables); RFC 3412
clause 7.1 and RFC 3414 clauses 3.2 and 4 (who receives an inform is the authoritative engine: it tells its id, boots
and time in reports); RFC 3411 clause 5 (engine ids); RFC 5343 (enterprise number 0 in an engine id).
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats import snmp_ber as ber
from cellwright.telemetry.formats.snmp_messages import INFORM, TRAP, scoped_pdu
from cellwright.telemetry.formats.snmp_usm import AUTHENTICATED, ENCRYPTED, REPORTABLE, WINDOW_S, UsmError, read_secured
from cellwright.telemetry.snmp_keys import SALT_BYTES, Usm

if TYPE_CHECKING:
    from cellwright.telemetry.formats.snmp_usm import SecuredMessage
    from cellwright.telemetry.snmp_keys import Keys

_RESPONSE, _REPORT = 0xA2, 0xA8
_PDU_TAGS: Final = range(0xA0, 0xA9)
_V2C, _V3 = 1, 3
_USM: Final = 3
_LARGEST_MESSAGE: Final = 65_507
_COUNTERS: Final = "1.3.6.1.6.3.15.1.1"  # usmStats, RFC 3414, 5
_NOT_IN_TIME, _UNKNOWN_USER, _UNKNOWN_ENGINE, _WRONG_DIGEST, _DECRYPTION = 2, 3, 4, 5, 6
_LEVEL: Final = 1
_REFUSALS: Final = {
    _LEVEL: "refused-security-level",
    _NOT_IN_TIME: "told-the-time",
    _UNKNOWN_USER: "refused-unknown-user",
    _UNKNOWN_ENGINE: "told-the-engine",
    _WRONG_DIGEST: "refused-wrong-digest",
    _DECRYPTION: "refused-wrong-key",
}
_REMEMBERED: Final = 4096  # informs that were answered, by which a repeated one is known
_ENGINE_PREFIX: Final = b"\x80\x00\x00\x00\x05"  # enterprise 0, octets that the administrator chose
_STATE: Final = 4 + len(_ENGINE_PREFIX) + SALT_BYTES


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a datagram: whether it is kept, what its sender is told once it is, and what is counted."""

    keeps: bool
    reply: bytes | None = None
    counted: str | None = None
    mark: bytes = b""  # the same for an inform that is sent again


_TAKEN: Final = Answer(keeps=True)


@dataclass(frozen=True, slots=True)
class Engine:
    """This receiver as an authoritative engine: its id, and how often it began."""

    id: bytes
    boots: int

    @classmethod
    def after(cls, note: bytes) -> Engine:
        """Return the engine that noted itself before, begun once more, or a new one."""
        if len(note) != _STATE:
            return cls(_ENGINE_PREFIX + secrets.token_bytes(SALT_BYTES), 1)
        return cls(note[4:], int.from_bytes(note[:4]) + 1)

    def note(self) -> bytes:
        """Return what to keep over restarts."""
        return self.boots.to_bytes(4) + self.id


class _RefusedError(Exception):
    """A message that is answered with a counter; `keys` sign the report where its sender has to believe it."""

    def __init__(self, counter: int, keys: Keys | None = None) -> None:
        super().__init__()
        self.counter, self.keys = counter, keys


class Answers:
    """Decides what is answered to each datagram; sockets and disk are elsewhere."""

    def __init__(self, engine: Engine, usm: Usm | None) -> None:
        self._engine, self._usm = engine, usm or Usm()
        self._counters: dict[int, int] = {}
        self._salt = int.from_bytes(secrets.token_bytes(SALT_BYTES))
        self._done: OrderedDict[bytes, None] = OrderedDict()

    def to(self, sender: str, payload: bytes, now_s: int) -> Answer:
        """Return what becomes of a datagram, `now_s` seconds after this engine began."""
        try:
            outer = ber.Cursor(payload).inside(ber.SEQUENCE)
            version = outer.integer()
            if version == _V2C:
                outer.contents(ber.OCTETS)
                return self._plain(sender, payload, outer)
            return self._secured(sender, read_secured(payload), now_s) if version == _V3 else _TAKEN
        except (ber.BerError, UsmError):
            return _TAKEN  # mediation sets it aside with a reason

    def was_kept(self, answer: Answer) -> None:
        """Note that an inform is durable: when it comes again, it is answered and not kept again."""
        if answer.mark:
            self._done[answer.mark] = None
            while len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)

    def _plain(self, sender: str, payload: bytes, outer: ber.Cursor) -> Answer:
        if outer.peek() != INFORM:
            return _TAKEN
        at = outer.at
        outer.inside(INFORM)
        return self._received(sender, payload[at : outer.at], payload[:at] + bytes([_RESPONSE]) + payload[at + 1 :])

    def _secured(self, sender: str, message: SecuredMessage, now_s: int) -> Answer:
        """Answer what was sent to this engine; traps are their senders' own, whatever their flags say."""
        if not message.level & REPORTABLE or self._is_trap(message):
            return _TAKEN
        try:
            scoped, keys = self._opened(message, now_s)
        except _RefusedError as refusal:
            return self._report(message, refusal.counter, now_s, refusal.keys)
        inside = scoped_pdu(scoped)
        if inside.peek() != INFORM:
            return _TAKEN
        at = inside.at
        inside.inside(INFORM)
        response = scoped[:at] + bytes([_RESPONSE]) + scoped[at + 1 : inside.at]
        reply = self._message(message, response, now_s, keys, message.level & (AUTHENTICATED | ENCRYPTED))
        return self._received(sender, scoped[at : inside.at], reply)

    def _is_trap(self, message: SecuredMessage) -> bool:
        """Return whether another engine's message is a trap, as far as it can be looked into (RFC 3412, 6.4)."""
        keys = self._usm.keys(message.user, message.engine)
        if not message.engine or message.engine == self._engine.id or (message.is_encrypted and keys is None):
            return False
        try:
            return scoped_pdu(message.opened(keys) if keys else message.scoped).peek() == TRAP
        except (UsmError, ber.BerError):
            return False

    def _opened(self, message: SecuredMessage, now_s: int) -> tuple[bytes, Keys]:
        """Return the scoped data unit of a message and its user's keys; checks are in the order of RFC 3414, 3.2."""
        if message.engine != self._engine.id:
            raise _RefusedError(_UNKNOWN_ENGINE)
        keys = self._usm.keys(message.user, message.engine)
        if keys is None:
            raise _RefusedError(_UNKNOWN_USER)
        if (message.is_authenticated, message.is_encrypted) != (True, keys.privacy is not None):
            raise _RefusedError(_LEVEL)
        try:
            message.check(keys)
        except UsmError:
            raise _RefusedError(_WRONG_DIGEST) from None
        if message.boots != self._engine.boots or abs(message.time_s - now_s) > WINDOW_S:
            raise _RefusedError(_NOT_IN_TIME, keys)
        try:
            scoped = message.opened(keys)
            scoped_pdu(scoped)
        except (UsmError, ber.BerError):
            raise _RefusedError(_DECRYPTION) from None
        return scoped, keys

    def _received(self, sender: str, pdu: bytes, reply: bytes) -> Answer:
        mark = hashlib.sha256(sender.encode() + b"\0" + pdu).digest()
        if mark in self._done:
            return Answer(keeps=False, reply=reply, counted="informs-repeated")
        return Answer(keeps=True, reply=reply, counted="informs-answered", mark=mark)

    def _report(self, message: SecuredMessage, what: int, now_s: int, keys: Keys | None = None) -> Answer:
        """Return the report of a usmStats counter; signed where the sender has to believe the time in it."""
        self._counters[what] = self._counters.get(what, 0) + 1
        binding = _tlv(ber.SEQUENCE, _oid(f"{_COUNTERS}.{what}.0"), _number(self._counters[what], ber.COUNTER32))
        number = _request_id(message)
        pdu = _tlv(_REPORT, _number(number), _number(0), _number(0), _tlv(ber.SEQUENCE, binding))
        scoped = _tlv(ber.SEQUENCE, _tlv(ber.OCTETS, self._engine.id), _tlv(ber.OCTETS), pdu)
        level = AUTHENTICATED if keys else 0
        return Answer(keeps=False, reply=self._message(message, scoped, now_s, keys, level), counted=_REFUSALS[what])

    def _message(self, to: SecuredMessage, scoped: bytes, now_s: int, keys: Keys | None, level: int) -> bytes:
        """Return a version 3 message that answers another."""
        salt = b""
        if keys and level & ENCRYPTED:
            self._salt = (self._salt + 1) % (1 << 8 * SALT_BYTES)
            salt = self._salt.to_bytes(SALT_BYTES)
            scoped = _tlv(ber.OCTETS, keys.encrypt(scoped, salt, self._engine.boots, now_s))
        unsigned = bytes(keys.digest_bytes) if keys and level & AUTHENTICATED else b""
        head = _tlv(
            ber.SEQUENCE, _number(to.number), _number(_LARGEST_MESSAGE), _tlv(ber.OCTETS, bytes([level])), _number(_USM)
        )
        clock = _tlv(ber.OCTETS, self._engine.id), _number(self._engine.boots), _number(now_s)
        user = _tlv(ber.OCTETS, to.user)

        def signed(digest: bytes) -> bytes:
            parameters = _tlv(ber.SEQUENCE, *clock, user, _tlv(ber.OCTETS, digest), _tlv(ber.OCTETS, salt))
            return _tlv(ber.SEQUENCE, _number(_V3), head, _tlv(ber.OCTETS, parameters), scoped)

        return signed(keys.digest(signed(unsigned))) if keys and unsigned else signed(b"")


def _request_id(message: SecuredMessage) -> int:
    """Return the number of the request that a message carries, 0 where it cannot be read (RFC 3412, 7.1.3)."""
    try:
        inside = scoped_pdu(message.scoped) if not message.is_encrypted else None
        return inside.inside(*_PDU_TAGS).integer() if inside else 0
    except ber.BerError:
        return 0


def _tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:  # noqa: PLR2004 - X.690, 8.1.3
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(size)]) + size + body


def _number(value: int, tag: int = ber.INTEGER) -> bytes:
    return _tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def _oid(text: str) -> bytes:
    """Return an object identifier of arcs below 128."""
    first, second, *rest = map(int, text.split("."))
    return _tlv(ber.OID, bytes([first * 40 + second, *rest]))
