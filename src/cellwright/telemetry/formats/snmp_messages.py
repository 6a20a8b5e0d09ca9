"""From a datagram to the notification in it: SNMP v1, v2c and v3.

Sources: RFC 1157 clause 4 (v1), RFC 3584 clause 3.1 (v1 traps as v2), RFC 3416 clauses 3 and 4.2.6 (v2), RFC 3412
clause 6 and RFC 3414 clause 2.4 (v3). Of v3 users whose keys are not known, what is encrypted stays unread, and what is
authenticated is read and flagged, since nobody checked its digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cellwright.telemetry.formats import snmp_ber as ber
from cellwright.telemetry.formats.snmp_names import SECRETS
from cellwright.telemetry.formats.snmp_usm import EngineClocks, UsmError, read_secured
from cellwright.telemetry.snmp_keys import Usm

UPTIME: Final = "1.3.6.1.2.1.1.3.0"
TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
TRAP_ADDRESS: Final = "1.3.6.1.6.3.18.1.3.0"
ENTERPRISE: Final = "1.3.6.1.6.3.1.1.4.3.0"
WITHHELD: Final = "(withheld)"
_STANDARD_TRAPS: Final = "1.3.6.1.6.3.1.1.5"
_TRAP_V1, INFORM, TRAP = 0xA4, 0xA6, 0xA7
_PDUS: Final = range(0xA0, 0xA9)
_VERSIONS: Final = {0: "1", 1: "2c", 3: "3"}
_ENTERPRISE_SPECIFIC: Final = 6
_NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - what an agent says that does not know its address
_SHORTEST_SECRET: Final = 4  # octets that are looked for within values


class UnreadError(Exception):
    """A datagram that becomes no row: a code, a reason that quotes nothing, and whether it is left out on purpose."""

    def __init__(self, code: str, reason: str, *, is_left_out: bool = False) -> None:
        super().__init__(reason)
        self.code, self.reason, self.is_left_out = code, reason, is_left_out


@dataclass(frozen=True, slots=True)
class Notification:
    """A trap or inform, as RFC 3416 has it, whatever version carried it."""

    version: str
    trap: str
    uptime: str | None  # hundredths of a second
    agent: str | None  # where it says another address than that of the sender
    variables: tuple[tuple[str, str], ...]
    is_inform: bool
    flags: tuple[str, ...]


def is_message(payload: bytes) -> bool:
    """Return whether a datagram has the shape of an SNMP message: a sequence that starts with a version."""
    try:
        outer = ber.Cursor(payload).inside(ber.SEQUENCE)
        version = outer.integer()
        expected = ber.SEQUENCE if version == 3 else ber.OCTETS  # noqa: PLR2004 - the version says itself
        return version in _VERSIONS and outer.peek() == expected
    except ber.BerError:
        return False


def read_notification(payload: bytes, usm: Usm | None = None, clocks: EngineClocks | None = None) -> Notification:
    """Return the notification in a datagram; raises UnreadError when there is none or it cannot be read.

    `usm` knows the keys of users, `clocks` what their engines sent before: what is older than that is flagged.
    """
    try:
        message = ber.Cursor(payload)
        outer = message.inside(ber.SEQUENCE)
        flags = ("trailing-bytes",) if message.more() else ()
        version = outer.integer()
        if version == 3:  # noqa: PLR2004 - the version says itself
            return _v3(payload, usm or Usm(), clocks or EngineClocks(), flags)
        if version not in _VERSIONS:
            raise UnreadError("snmp-version", "expected version 1, 2c or 3")
        community = outer.contents(ber.OCTETS)
        return _pdu(outer, _VERSIONS[version], community, flags)
    except ber.BerError as error:
        raise UnreadError("bad-ber", str(error)) from None
    except UsmError as error:
        raise UnreadError(error.code, error.reason) from None


def _v3(payload: bytes, usm: Usm, clocks: EngineClocks, flags: tuple[str, ...]) -> Notification:
    secured = read_secured(payload)
    keys = usm.keys(secured.user, secured.engine)
    scoped = secured.scoped
    if secured.is_authenticated and keys:
        secured.check(keys)
        scoped = secured.opened(keys)
        flags = (*flags, "outside-time-window") if clocks.is_old(secured) else flags
    elif secured.is_encrypted:
        raise UnreadError("snmp-encrypted", "the message is encrypted, and its key is not known")
    elif secured.is_authenticated:
        flags = (*flags, "unauthenticated")
    try:
        notification = _pdu(scoped_pdu(scoped), "3", secured.user, flags)
    except ber.BerError:
        if not secured.is_encrypted:
            raise
        raise UsmError("snmp-wrong-key", "what the user's privacy key makes of it is no message") from None
    if keys and (not secured.is_authenticated or (keys.privacy and not secured.is_encrypted)):
        raise UnreadError("snmp-security-level", "the message is less protected than its user's keys allow")
    return notification


def scoped_pdu(scoped: bytes) -> ber.Cursor:
    """Return a cursor at the protocol data unit of a scoped one (RFC 3412, 6.8)."""
    inside = ber.Cursor(scoped).inside(ber.SEQUENCE)
    inside.contents(ber.OCTETS)
    inside.contents(ber.OCTETS)
    return inside


def _pdu(outer: ber.Cursor, version: str, secret: bytes, flags: tuple[str, ...]) -> Notification:
    """Return the notification of a PDU; `secret` is the community or user that its values must not tell."""
    kind = outer.peek()
    if kind not in {_TRAP_V1, INFORM, TRAP}:
        if kind in _PDUS:
            raise UnreadError("not-a-notification", "the message is a request or a response", is_left_out=True)
        raise UnreadError("bad-ber", "expected a protocol data unit")
    if (kind == _TRAP_V1) != (version == "1"):
        raise UnreadError("bad-ber", "expected a protocol data unit of the version")
    pdu = outer.inside(kind)
    if kind == _TRAP_V1:
        return _trap_v1(pdu, secret, flags)
    for _ in range(3):  # request id, error status, error index
        pdu.integer()
    variables = _variables(pdu, secret)
    found = dict(reversed(variables))  # the first of a name counts
    if TRAP_OID not in found:
        raise UnreadError("no-trap-oid", "no variable says what the notification is")
    if [name for name, _ in variables[:2]] != [UPTIME, TRAP_OID]:
        flags = (*flags, "variables-out-of-order")
    others = [pair for pair in variables if pair[0] not in {UPTIME, TRAP_OID, TRAP_ADDRESS}]
    return Notification(
        version,
        found[TRAP_OID],
        found.get(UPTIME),
        found.get(TRAP_ADDRESS),
        *_kept(others, flags, is_inform=kind == INFORM),
    )


def _trap_v1(pdu: ber.Cursor, secret: bytes, flags: tuple[str, ...]) -> Notification:
    enterprise = pdu.oid()
    agent = ber.value_text(ber.IP_ADDRESS, pdu.contents(ber.IP_ADDRESS))
    generic, specific = pdu.integer(), pdu.integer()
    uptime = pdu.integer(ber.TIME_TICKS)
    if not 0 <= generic <= _ENTERPRISE_SPECIFIC:
        raise UnreadError("bad-ber", "expected a generic trap from 0 to 6")
    is_specific = generic == _ENTERPRISE_SPECIFIC
    trap = f"{enterprise}.0.{specific}" if is_specific else f"{_STANDARD_TRAPS}.{generic + 1}"
    variables = _variables(pdu, secret)
    if not any(name == ENTERPRISE for name, _ in variables):
        variables.append((ENTERPRISE, enterprise))
    known = agent if agent != _NO_ADDRESS else None
    return Notification("1", trap, str(uptime), known, *_kept(variables, flags, is_inform=False))


def _kept(
    variables: list[tuple[str, str]], flags: tuple[str, ...], *, is_inform: bool
) -> tuple[tuple[tuple[str, str], ...], bool, tuple[str, ...]]:
    """Return the variables without those that tell secrets, and the flags that say so."""
    kept = tuple(pair for pair in variables if not pair[0].startswith(SECRETS))
    is_withheld = len(kept) < len(variables) or any(WITHHELD in text for _, text in kept)
    return kept, is_inform, (*flags, "secret-withheld") if is_withheld else flags


def _variables(pdu: ber.Cursor, secret: bytes) -> list[tuple[str, str]]:
    variables = []
    bindings = pdu.inside(ber.SEQUENCE)
    while bindings.more():
        binding = bindings.inside(ber.SEQUENCE)
        name = binding.oid()
        tag, contents = binding.value()
        if tag in {ber.OCTETS, ber.OPAQUE}:
            contents = _without(contents, secret)
        variables.append((name, ber.value_text(tag, contents)))
    return variables


def _without(contents: bytes, secret: bytes) -> bytes:
    if secret and contents == secret:
        return WITHHELD.encode()
    return contents.replace(secret, WITHHELD.encode()) if len(secret) >= _SHORTEST_SECRET else contents
