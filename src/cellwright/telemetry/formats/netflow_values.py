"""The octets of information elements as values and as text.

Sources: RFC 7011 clauses 6.1 (encodings, NTP times) and 6.2 (reduced size); RFC 7012 clause 3.1 (data types).

Text goes through the pseudonymiser, which looks into text but not into hexadecimal. So octets whose meaning is unknown
are written in the form in which an identifier of that length would be found, and what holds packets of users or lists
of addresses is not written at all.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address
from socket import inet_ntoa
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.instants import FIRST_US, LAST_US
from cellwright.telemetry.formats.ipfix_elements import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.telemetry.formats.ipfix_elements import Element

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NTP_EPOCH_S: Final = 2_208_988_800  # from 1900 to 1970
_NTP_ERA_S: Final = 1 << 32
_FLOATS: Final = {4: ">f", 8: ">d"}
_MOST_INTEGER_BYTES: Final = 32  # of unsigned256
_SHORTEST_TEXT: Final = 5
_V4_BYTES, _V6_BYTES, _MAC_BYTES, _NTP_BYTES = 4, 16, 6, 8


def ipv4_text(raw: bytes) -> str | None:
    """Return the dotted address, None when the octets are not four."""
    return inet_ntoa(raw) if len(raw) == _V4_BYTES else None


@lru_cache(maxsize=1 << 16)
def ipv6_text(raw: bytes) -> str | None:
    """Return the address as RFC 5952 writes it, None when the octets are not sixteen."""
    return str(IPv6Address(raw)) if len(raw) == _V6_BYTES else None


def seconds_us(raw: bytes) -> int:
    """Return microseconds since 1970 of a time in seconds."""
    return int.from_bytes(raw) * 1_000_000


def milliseconds_us(raw: bytes) -> int:
    """Return microseconds since 1970 of a time in milliseconds."""
    return int.from_bytes(raw) * 1_000


def ntp_us(raw: bytes) -> int | None:
    """Return microseconds since 1970 of an NTP time, None when it has not eight octets.

    Its seconds count from 1900 and begin anew in 2036: small ones are of the second era (RFC 5905, 6).
    """
    if len(raw) != _NTP_BYTES:
        return None
    seconds, fraction = int.from_bytes(raw[:4]), int.from_bytes(raw[4:])
    era = 0 if seconds >> 31 else _NTP_ERA_S
    return (seconds + era - _NTP_EPOCH_S) * 1_000_000 + (fraction * 1_000_000 >> 32)


def is_readable(us: int) -> bool:
    """Return whether a date can say this time."""
    return FIRST_US <= us <= LAST_US


def is_withheld(element: Element) -> bool:
    """Return whether the values of an element hold parts of packets, or values of other elements, and are not told."""
    name = element.name.removeprefix("reverse").casefold()
    return element.kind in _WITHHELD_KINDS or name in _WITHHELD_NAMES


def writer_of(element: Element) -> Callable[[bytes], str]:
    """Return the function that writes the values of an element."""
    return _size_text if is_withheld(element) else text_of(element.kind)


def text_of(kind: str) -> Callable[[bytes], str]:
    """Return the function that writes values of an abstract data type; what does not fit it is written as octets."""
    return _TEXTS.get(kind, octets_text)


def octets_text(raw: bytes) -> str:
    """Return printable text as it is, so that identifiers in it are found, and other octets as `0x` and hexadecimal."""
    trimmed = raw.rstrip(b"\0")
    if len(trimmed) >= _SHORTEST_TEXT and trimmed.isascii() and trimmed.decode("ascii").isprintable():
        return trimmed.decode("ascii")
    return f"0x{raw.hex()}"


def _size_text(raw: bytes) -> str:
    return f"({len(raw)} octets)"


def _unknown(raw: bytes) -> str:
    """Return octets of any meaning so that an address or a number of a subscriber among them is found."""
    text = octets_text(raw)
    if not text.startswith("0x"):
        return text
    if len(raw) == _MAC_BYTES:
        return _mac(raw)
    if len(raw) == _V6_BYTES:
        return _ipv6(raw)
    return _ipv4(raw) if len(raw) == _V4_BYTES else str(int.from_bytes(raw)) if len(raw) <= _NTP_BYTES else text


def _string(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("utf-8", "replace")  # padded with zeros where the field has a fixed length


def _unsigned(raw: bytes) -> str:
    return str(int.from_bytes(raw)) if len(raw) <= _MOST_INTEGER_BYTES else octets_text(raw)


def _signed(raw: bytes) -> str:
    return str(int.from_bytes(raw, signed=True)) if len(raw) <= _NTP_BYTES else octets_text(raw)


def _float(raw: bytes) -> str:
    layout = _FLOATS.get(len(raw))
    return repr(struct.unpack(layout, raw)[0]) if layout else octets_text(raw)


def _boolean(raw: bytes) -> str:
    return {b"\1": "true", b"\2": "false"}.get(raw) or octets_text(raw)  # RFC 7011, 6.1.5


def _mac(raw: bytes) -> str:
    return raw.hex(":") if len(raw) == _MAC_BYTES else octets_text(raw)


def _ipv4(raw: bytes) -> str:
    return ipv4_text(raw) or octets_text(raw)


def _ipv6(raw: bytes) -> str:
    return ipv6_text(raw) or octets_text(raw)


def _time(read: Callable[[bytes], int | None]) -> Callable[[bytes], str]:
    def text(raw: bytes) -> str:
        us = read(raw) if len(raw) <= _NTP_BYTES else None
        if us is None or not is_readable(us):
            return octets_text(raw)
        return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")

    return text


_WITHHELD_KINDS: Final = ("basicList", "subTemplateList", "subTemplateMultiList")
_WITHHELD_NAMES: Final = frozenset(
    name.casefold()
    for name in (
        "dataLinkFrameSection",
        "icmpHeaderPacketSection",
        "ipHeaderPacketSection",
        "ipPayloadPacketSection",
        "layer2packetSectionData",
        "mibObjectValueOctetString",
        "mibObjectValueRow",
        "mibObjectValueTable",
        "mplsPayloadPacketSection",
        "opaqueOctets",
        "srhIPv6Section",
        "srhSegmentIPv6ListSection",
    )
)
_TEXTS: Final = {
    **{f"unsigned{bits}": _unsigned for bits in (8, 16, 32, 64, 256)},
    **{f"signed{bits}": _signed for bits in (8, 16, 32, 64)},
    "float32": _float,
    "float64": _float,
    "boolean": _boolean,
    "macAddress": _mac,
    UNKNOWN: _unknown,
    "string": _string,
    "ipv4Address": _ipv4,
    "ipv6Address": _ipv6,
    "dateTimeSeconds": _time(seconds_us),
    "dateTimeMilliseconds": _time(milliseconds_us),
    "dateTimeMicroseconds": _time(ntp_us),
    "dateTimeNanoseconds": _time(ntp_us),
}
