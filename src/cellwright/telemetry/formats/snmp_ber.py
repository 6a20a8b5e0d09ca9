"""A small strict reader of BER as SNMP uses it: one-octet tags, definite lengths, no nesting that it follows by itself.

Sources: ITU-T X.690 clauses 8.1 (lengths), 8.3 (integers), 8.19 (object identifiers); RFC 2578 clauses 3.5 and 7.1.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIME_TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
_LONG_TAG: Final = 0x1F
_LONG_LENGTH: Final = 0x80
_MOST_LENGTH_BYTES: Final = 4
_MOST_INTEGER_BYTES: Final = 9  # of Counter64 with its leading zero
_MOST_ARCS: Final = 128  # RFC 2578, 3.5
_LARGEST_ARC: Final = (1 << 32) - 1
_IP_BYTES: Final = 4
_MAC_BYTES: Final = 6
_IPV6_BYTES: Final = 16


class BerError(Exception):
    """The octets are not what was expected; the message says what was, and quotes nothing."""


def fail(message: str) -> NoReturn:
    """Raise BerError; the message says what was expected."""
    raise BerError(message)


class Cursor:
    """Reads values one after another out of a stretch of octets."""

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self.at = start
        self.end = len(data) if end is None else end

    def more(self) -> bool:
        """Return whether octets are left."""
        return self.at < self.end

    def peek(self) -> int:
        """Return the tag of the next value, 0 when there is none."""
        return self._data[self.at] if self.more() else 0

    def value(self) -> tuple[int, bytes]:
        """Return (tag, contents) of the next value."""
        tag, start, end = self._next()
        return tag, self._data[start:end]

    def inside(self, *tags: int) -> Cursor:
        """Return a cursor over the contents of the next value, which has one of the tags."""
        tag, start, end = self._next()
        if tag not in tags:
            fail("expected a constructed value of another type")
        return Cursor(self._data, start, end)

    def contents(self, tag: int) -> bytes:
        """Return the contents of the next value, which has the tag."""
        found, contents = self.value()
        if found != tag:
            fail("expected a value of another type")
        return contents

    def integer(self, tag: int = INTEGER) -> int:
        """Return the next value, a number."""
        return read_integer(self.contents(tag))

    def oid(self) -> str:
        """Return the next value, an object identifier, with points between its arcs."""
        return read_oid(self.contents(OID))

    def _next(self) -> tuple[int, int, int]:
        """Return (tag, start, end) of the next value and step over it."""
        at = self.at
        if self.end - at < 2:  # noqa: PLR2004 - a tag and a length
            fail("expected another value")
        tag, length = self._data[at], self._data[at + 1]
        at += 2
        if tag & _LONG_TAG == _LONG_TAG:
            fail("expected a tag of one octet")
        if length >= _LONG_LENGTH:
            size = length - _LONG_LENGTH
            if not 0 < size <= _MOST_LENGTH_BYTES or at + size > self.end:
                fail("expected a definite length of at most four octets")
            length = int.from_bytes(self._data[at : at + size])
            at += size
        if length > self.end - at:
            fail("a value is longer than what holds it")
        self.at = at + length
        return tag, at, self.at


def read_integer(contents: bytes) -> int:
    """Return the number that contents of INTEGER or a type made of it say."""
    if not 0 < len(contents) <= _MOST_INTEGER_BYTES:
        fail("expected an integer of one to nine octets")
    return int.from_bytes(contents, signed=True)


def read_oid(contents: bytes) -> str:
    """Return an object identifier with points between its arcs; without contents it is 0.0."""
    arcs = list(_arcs(contents))
    if not arcs:
        return "0.0"
    if len(arcs) >= _MOST_ARCS:
        fail("expected an object identifier of at most 128 arcs")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def _arcs(contents: bytes) -> Iterator[int]:
    arc = 0
    is_open = False
    for octet in contents:
        if not is_open and octet == 0x80:  # noqa: PLR2004 - X.690, 8.19.2
            fail("expected an arc without leading zeros")
        arc = arc << 7 | octet & 0x7F
        is_open = octet >= 0x80  # noqa: PLR2004 - the bit that says that more follows
        if arc > _LARGEST_ARC + 80:
            fail("expected arcs below 2^32")
        if not is_open:
            yield arc
            arc = 0
    if is_open:
        fail("expected the end of an arc")


def value_text(tag: int, contents: bytes) -> str:
    """Return the text of a variable's value (RFC 3416, 3): printable octets as they are, others as hexadecimal."""
    if tag == OID:
        return read_oid(contents)
    if tag in {INTEGER, COUNTER32, GAUGE32, TIME_TICKS, COUNTER64}:
        return str(read_integer(contents))
    if tag == IP_ADDRESS and len(contents) == _IP_BYTES:
        return "{}.{}.{}.{}".format(*contents)
    if tag == OCTETS:
        return _octets_text(contents)
    return _EXCEPTIONS.get(tag) or f"0x{contents.hex()}"


_EXCEPTIONS: Final = {0x80: "noSuchObject", 0x81: "noSuchInstance", 0x82: "endOfMibView", NULL: "null"}


def _octets_text(contents: bytes) -> str:
    """Return text as it is, other octets as an address of that length or as hexadecimal.

    A MAC address, or an address of RFC 4001, is found and replaced by the pseudonymiser only in its usual form.
    """
    text = contents.rstrip(b"\0").decode("utf-8", "replace")
    if "\ufffd" not in text and all(letter.isprintable() or letter in "\t\r\n" for letter in text):
        return text
    if len(contents) == _MAC_BYTES:
        return contents.hex(":")
    if len(contents) == _IPV6_BYTES:
        return str(IPv6Address(contents))
    return "{}.{}.{}.{}".format(*contents) if len(contents) == _IP_BYTES else f"0x{contents.hex()}"
