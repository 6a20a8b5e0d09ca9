"""From a captured frame to the UDP datagram in it: link layers, IPv4, IPv6, UDP.

Sources: the LINKTYPE_ registry of tcpdump.org; IEEE 802.1Q; RFC 791 clause 3.1; RFC 8200 clauses 3 and 4; RFC 4302
clause 2; RFC 768. Fragments are put together elsewhere: `pcap_fragments`.
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
_MAY_HOLD_UDP: Final = frozenset({_UDP, _HOP_BY_HOP, _ROUTING, _AUTHENTICATION, _OPTIONS})
_LARGEST: Final = 65_535  # octets of a packet's content
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


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of an IP packet that carries UDP, or a header behind which UDP may come."""

    us: int
    of: tuple[bytes, int, int]  # addresses, identification, protocol: the same in all fragments of a packet
    source: str
    start: int  # octets of the packet's content before it
    content: bytes
    is_last: bool
    frame: bytes

    @property
    def end(self) -> int:
        """Return the octets of the packet's content up to its end."""
        return self.start + len(self.content)


def dissect(us: int, link_type: int | None, frame: bytes) -> Datagram | Fragment | Skipped:
    """Return the datagram in a frame, the part of one, or why there is none."""
    try:
        protocol, packet = _unlinked(link_type, frame)
        if protocol == _IPV6:
            return _over_ipv6(us, packet, frame)
        if protocol == _IPV4:
            return _over_ipv4(us, packet, frame)
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


def whole(us: int, fragment: Fragment, content: bytes) -> Datagram | Skipped:
    """Return the datagram in the content of a packet that is whole again; `fragment` is any of it."""
    try:
        found = _behind(us, fragment.source, fragment.of[2], content, fragment.frame)
    except _SkipError as skip:
        return Skipped(skip.code, skip.reason, fragment.frame, skip.is_lost)
    except (struct.error, IndexError):
        found = None
    if isinstance(found, Datagram):
        return found
    return Skipped("packet-malformed", "expected a UDP datagram in the fragments", fragment.frame, is_lost=True)


def _over_ipv4(us: int, packet: bytes, frame: bytes) -> Datagram | Fragment:
    header = (packet[0] & 15) * 4
    total, number, fragment, protocol = struct.unpack_from(">2xHHHxB", packet)
    if packet[0] >> 4 != 4 or header < 20:  # noqa: PLR2004 - RFC 791, 3.1
        raise _SkipError("packet-malformed", "expected an IPv4 header")
    if protocol != _UDP:
        raise _SkipError("not-udp", "the packet carries another protocol than UDP", is_lost=False)
    source = "{}.{}.{}.{}".format(*packet[12:16])
    content, size = packet[header : total or None], (total or len(packet)) - header
    if fragment & 0x3FFF:  # more fragments, or not the first
        of = (packet[12:20], number, protocol)
        start, is_last = (fragment & 0x1FFF) * 8, not fragment & 0x2000
        return _fragment(Fragment(us, of, source, start, content, is_last, frame), size)
    return _udp(us, source, content, size)


def _over_ipv6(us: int, packet: bytes, frame: bytes) -> Datagram | Fragment:
    size, following = struct.unpack_from(">4xHB", packet)
    if packet[0] >> 4 != 6 or len(packet) < 40:  # noqa: PLR2004 - RFC 8200, 3
        raise _SkipError("packet-malformed", "expected an IPv6 header")
    content = packet[40 : 40 + size]
    return _behind(us, _ipv6_text(packet[8:24]), following, content, frame, addresses=packet[8:40], size=size)


def _behind(  # noqa: PLR0913 - what the IP header says
    us: int,
    source: str,
    following: int,
    content: bytes,
    frame: bytes,
    *,
    addresses: bytes = b"",
    size: int | None = None,
) -> Datagram | Fragment:
    """Return what stands behind the extension headers, the first of which is `following` (RFC 8200, 4)."""
    at, end = 0, len(content) if size is None else size
    for _ in range(_EXTENSIONS):
        if following == _FRAGMENT:
            following, offset, number = struct.unpack_from(">BxHI", content, at)
            at += 8
            if offset & 0xFFF9:  # an offset, or more fragments (RFC 6946: else whole)
                if following not in _MAY_HOLD_UDP:
                    break
                part = Fragment(
                    us, (addresses, number, following), source, offset & 0xFFF8, content[at:], not offset & 1, frame
                )
                return _fragment(part, end - at)
        elif following in {_HOP_BY_HOP, _ROUTING, _OPTIONS}:
            following, at = content[at], at + 8 + content[at + 1] * 8
        elif following == _AUTHENTICATION:
            following, at = content[at], at + 8 + content[at + 1] * 4
        else:
            break
    if following != _UDP:
        raise _SkipError("not-udp", "the packet carries another protocol than UDP", is_lost=False)
    return _udp(us, source, content[at:], end - at)


def _fragment(fragment: Fragment, size: int) -> Fragment:
    """Return a fragment that is all there; the IP header says that its content has `size` octets."""
    if len(fragment.content) < size:
        raise _SkipError("packet-truncated", "the capture holds a part of the packet")
    if size <= 0 or fragment.end > _LARGEST or (size % 8 and not fragment.is_last):
        raise _SkipError("packet-malformed", "expected a fragment of eight octets or more within a packet")
    return fragment


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
