"""Captures as UDP datagrams, their independent count, and the bytes of a capture that holds given datagrams.

The writer makes classic pcap files of raw IP (link type 101) in network byte order, the form in which received
datagrams are kept.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.pcap_files import (
    CLASSIC,
    LARGEST_BLOCK,
    LARGEST_FRAME,
    ORDERS,
    PACKET_BLOCKS,
    SECTION,
    Damage,
    frames,
    read_up_to,
)
from cellwright.telemetry.formats.pcap_fragments import Fragments
from cellwright.telemetry.formats.pcap_packets import Datagram, Fragment, Skipped, dissect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["Datagram", "Skipped", "capture_header", "capture_record", "count_packets", "packets"]

LARGEST_PAYLOAD: Final = 65_507
"""Bytes in the largest UDP datagram over IPv4 (RFC 768, RFC 791); over IPv6 without jumbograms there are 20 more."""
_IPV6_MORE: Final = 20
_RAW_IP: Final = 101
_UDP: Final = 17
_RECORD: Final = 16  # bytes of the header of a packet


def packets(stream: BinaryIO) -> Iterator[Datagram | Skipped]:
    """Yield every packet of a capture: the datagram in it, or why there is none; a damaged rest is one `Skipped`.

    Of the fragments of a datagram the one that completes it yields the datagram; the others come before it.
    """
    fragments = Fragments()
    for frame in frames(stream):
        if isinstance(frame, Damage):
            yield Skipped("capture-damaged", "the capture cannot be read from here on", frame.raw, is_lost=True)
        elif not frame.is_whole:
            yield Skipped("packet-truncated", "the capture holds a part of the packet", frame.data, is_lost=True)
        else:
            found = dissect(frame.us, frame.link_type, frame.data)
            if isinstance(found, Fragment):
                yield from fragments.add(found)
            else:
                yield found
    yield from fragments.rest()


def count_packets(stream: BinaryIO) -> int:
    """Return the number of packets, and one more for a damaged rest, from the lengths in the container alone."""
    magic = read_up_to(stream, 4)
    if magic in CLASSIC:
        return _count_records(stream, CLASSIC[magic][0])
    return _count_blocks(stream) if magic == SECTION else int(magic != b"")


def _count_records(stream: BinaryIO, order: str) -> int:
    count = 0
    if len(read_up_to(stream, 20)) < 20:  # noqa: PLR2004 - the file header has 24 bytes
        return 1
    while head := read_up_to(stream, _RECORD):
        count += 1
        size = struct.unpack_from(f"{order}I", head, 8)[0] if len(head) == _RECORD else LARGEST_FRAME + 1
        if size > LARGEST_FRAME or len(read_up_to(stream, size)) < size:
            break
    return count


def _count_blocks(stream: BinaryIO) -> int:
    count, kind, order = 0, SECTION, "<"
    while kind:
        head = read_up_to(stream, 8)
        if kind == SECTION:
            order = ORDERS.get(head[4:], "")
        if len(kind + head) < 12 or not order:  # noqa: PLR2004 - no block is shorter
            return count + 1
        size = struct.unpack(f"{order}I", head[:4])[0]
        if size % 4 or not 12 <= size <= LARGEST_BLOCK:  # noqa: PLR2004 - as above
            return count + 1
        rest = head + read_up_to(stream, size - 12)
        if len(rest) < size - 4 or rest[-4:] != head[:4]:
            return count + 1
        count += struct.unpack(f"{order}I", kind)[0] in PACKET_BLOCKS
        kind = read_up_to(stream, 4)
    return count


def capture_header() -> bytes:
    """Return the beginning of a pcap file whose packets are raw IP."""
    return struct.pack(">IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, LARGEST_FRAME, _RAW_IP)


def capture_record(us: int, source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """Return the pcap record of one datagram between two (address, port), received `us` microseconds after 1970.

    Both addresses are IPv4 or both IPv6, without zone; raises ValueError for others and for more than a datagram can
    hold (`LARGEST_PAYLOAD`). The checksum that IPv6 requires is there; over IPv4 it is 0, which says there is none.
    """
    sender, receiver = ip_address(source[0]), ip_address(destination[0])
    largest = LARGEST_PAYLOAD + (_IPV6_MORE if sender.version == 6 else 0)  # noqa: PLR2004 - the version says itself
    if sender.version != receiver.version or len(payload) > largest:
        msg = f"a datagram has two addresses of one kind and at most {largest} bytes"
        raise ValueError(msg)
    size = 8 + len(payload)
    ports = struct.pack(">HHH", source[1], destination[1], size)
    if isinstance(sender, IPv4Address) and isinstance(receiver, IPv4Address):
        head = struct.pack(">BBHHHBB", 0x45, 0, 20 + size, 0, 0, 64, _UDP)
        addresses = sender.packed + receiver.packed
        packet = head + struct.pack(">H", _checksum(head + addresses)) + addresses + ports + bytes(2) + payload
    else:
        packet = _ipv6_packet(sender.packed + receiver.packed, ports, payload)
    return struct.pack(">IIII", us // 1_000_000, us % 1_000_000, len(packet), len(packet)) + packet


def _ipv6_packet(addresses: bytes, ports: bytes, payload: bytes) -> bytes:
    size = 8 + len(payload)
    pseudo = addresses + struct.pack(">II", size, _UDP) + ports + bytes(2) + payload  # RFC 8200, 8.1
    checksum = struct.pack(">H", _checksum(pseudo) or 0xFFFF)
    return struct.pack(">IHBB", 6 << 28, size, _UDP, 64) + addresses + ports + checksum + payload


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071): a number is, modulo 65,535, the sum of its 16-bit words."""
    return -(int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF) % 0xFFFF
