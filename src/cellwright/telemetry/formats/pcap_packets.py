"""From a captured frame to the UDP datagram in it: link layers, IPv4, IPv6, UDP.

Sources: the LINKTYPE_ registry of tcpdump.org; IEEE 802.1Q; RFC 791 clause 3.1; RFC 8200 clauses 3 and 4; RFC 4302
clause 2; RFC 768.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_TAGS: Final = (0x8100, 0x88A8, 0x9100)  # 802.1Q, 802.1ad, and what came before it
_FAMILIES: Final = {2: _IPV4, 10: _IPV6, 24: _IPV6, 28: _IPV6, 30: _IPV6}  # AF_INET, AF_INET6 of several systems
_RAW: Final = (12, 14, 101, 228, 229)  # as DLT_RAW is numbered here and there, LINKTYPE_RAW, _IPV4, _IPV6
_NULL, _ETHERNET, _LOOP, _COOKED, _COOKED2 = 0, 1, 108, 113, 276
_UDP: Final = 17
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _OPTIONS = 0, 43, 44, 51, 60
_EXTENSIONS: Final = 16  # headers that are walked


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram and when it was captured, microseconds since 1970."""

    us: int
    source: str
    source_port: int
    destination_port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    """A packet, or a file's damaged rest, that holds no datagram to read; `is_lost`: it may have held one."""

    code: str
    reason: str
    raw: bytes
    is_lost: bool


class _SkipError(Exception):
    """A packet that is passed over, and whether it may have held a datagram."""

    def __init__(self, code: str, reason: str, *, is_lost: bool = True) -> None:
        super().__init__(reason)
        self.code, self.reason, self.is_lost = code, reason, is_lost


def dissect(us: int, link_type: int | None, frame: bytes) -> Datagram | Skipped:
    """Return the datagram in a frame, or why there is none."""
    try:
        protocol, packet = _unlinked(link_type, frame)
        if protocol == _IPV6:
            return _over_ipv6(us, packet)
        if protocol == _IPV4:
            return _over_ipv4(us, packet)
    except _SkipError as skip:
        return Skipped(skip.code, skip.reason, frame, skip.is_lost)
    except (struct.error, IndexError):
        return Skipped("packet-malformed", "a header is longer than the packet", frame, is_lost=True)
    return Skipped("not-ip", "the frame carries another protocol than IP", frame, is_lost=False)


def _unlinked(link_type: int | None, frame: bytes) -> tuple[int, bytes]:
    """Return (EtherType, packet) of a frame."""
    if link_type == _ETHERNET:
        return _tagged(frame, 12)
    if link_type in _RAW:
        return (_IPV6 if frame[0] >> 4 == 6 else _IPV4), frame  # noqa: PLR2004 - the version
    if link_type in {_NULL, _LOOP}:
        family = max(frame[0], frame[3])  # in the byte order of the capturing machine, or of the network
        return _FAMILIES.get(family, 0), frame[4:]
    if link_type == _COOKED:
        return _tagged(frame, 14)
    if link_type == _COOKED2:
        return struct.unpack_from(">H", frame)[0], frame[20:]
    raise _SkipError("link-type", "the link type of the capture is not known")


def _tagged(frame: bytes, at: int) -> tuple[int, bytes]:
    """Return (EtherType, packet) behind any VLAN tags; the type stands at `at`."""
    protocol = struct.unpack_from(">H", frame, at)[0]
    while protocol in _TAGS:
        at += 4
        protocol = struct.unpack_from(">H", frame, at)[0]
    return protocol, frame[at + 2 :]


def _over_ipv4(us: int, packet: bytes) -> Datagram:
    header = (packet[0] & 15) * 4
    total, fragment, protocol = struct.unpack_from(">2xH2xHxB", packet)
    if packet[0] >> 4 != 4 or header < 20:  # noqa: PLR2004 - RFC 791, 3.1
        raise _SkipError("packet-malformed", "expected an IPv4 header")
    if protocol != _UDP:
        raise _SkipError("not-udp", "the packet carries another protocol than UDP", is_lost=False)
    if fragment & 0x3FFF:  # more fragments, or not the first
        raise _SkipError("ip-fragment", "the packet is a fragment")
    source = "{}.{}.{}.{}".format(*packet[12:16])
    return _udp(us, source, packet[header : total or None], (total or len(packet)) - header)


def _over_ipv6(us: int, packet: bytes) -> Datagram:
    size, following = struct.unpack_from(">4xHB", packet)
    if packet[0] >> 4 != 6 or len(packet) < 40:  # noqa: PLR2004 - RFC 8200, 3
        raise _SkipError("packet-malformed", "expected an IPv6 header")
    at, end = 40, 40 + size
    for _ in range(_EXTENSIONS):
        if following == _FRAGMENT:
            if (
                struct.unpack_from(">2xH", packet, at)[0] & 0xFFF9
            ):  # an offset, or more fragments (RFC 6946: else whole)
                raise _SkipError("ip-fragment", "the packet is a fragment")
            following, at = packet[at], at + 8
        elif following in {_HOP_BY_HOP, _ROUTING, _OPTIONS}:
            following, at = packet[at], at + 8 + packet[at + 1] * 8
        elif following == _AUTHENTICATION:
            following, at = packet[at], at + 8 + packet[at + 1] * 4
        else:
            break
    if following != _UDP:
        raise _SkipError("not-udp", "the packet carries another protocol than UDP", is_lost=False)
    return _udp(us, _ipv6_text(packet[8:24]), packet[at:end], end - at)


def _udp(us: int, source: str, segment: bytes, size: int) -> Datagram:
    """Return the datagram in `segment`, which the IP header says has `size` bytes."""
    if len(segment) < size:
        raise _SkipError("packet-truncated", "the capture holds a part of the packet")
    source_port, destination_port, length = struct.unpack_from(">HHH", segment)
    if not 8 <= length <= len(segment):  # noqa: PLR2004 - RFC 768: the header and the data
        raise _SkipError("packet-malformed", "the UDP length is not that of the packet")
    return Datagram(us, source, source_port, destination_port, segment[8:length])


@lru_cache(maxsize=4096)
def _ipv6_text(address: bytes) -> str:
    return str(IPv6Address(address))
