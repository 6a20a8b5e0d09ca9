"""The containers of captures: classic pcap and pcapng, as frames in file order.

Sources: draft-ietf-opsawg-pcap (file and record header, magic numbers), draft-ietf-opsawg-pcapng clauses 4.1 to 4.4
(section header, interface description, enhanced and simple packet block) and appendix A (the obsolete packet block).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LARGEST_FRAME: Final = 1 << 18
"""Longer captured frames are damage: 262,144 bytes is the largest snapshot length that capture programs use."""
LARGEST_BLOCK: Final = LARGEST_FRAME + (1 << 16)
CLASSIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
"""Byte order, and parts of a second, by magic number."""
SECTION: Final = b"\x0a\x0d\x0d\x0a"
ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
PACKET_BLOCKS: Final = (2, 3, 6)  # obsolete, simple, enhanced
_INTERFACE: Final = 1
_SIMPLE: Final = 3
_TIME_RESOLUTION: Final = 9
_TIME_OFFSET: Final = 14
_KEPT: Final = 16 << 20  # bytes of a damaged rest that are kept
_INTERFACES: Final = 4096  # of a section; more are not kept


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured packet: microseconds since 1970, the link type (None: not declared), its bytes."""

    us: int
    link_type: int | None
    data: bytes
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Damage:
    """The rest of a file from where it cannot be read on."""

    raw: bytes


def frames(stream: BinaryIO) -> Iterator[Frame | Damage]:
    """Yield the frames of a capture; whatever is damaged ends them with the rest as one `Damage`."""
    magic = read_up_to(stream, 4)
    if magic in CLASSIC:
        yield from _classic(stream, magic)
    elif magic == SECTION:
        yield from _blocks(stream)
    elif magic:
        yield Damage(magic + read_up_to(stream, _KEPT))


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Return `size` bytes, fewer only at the end, whatever the stream hands out at a time."""
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    pieces, missing = [data], size - len(data)
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _classic(stream: BinaryIO, magic: bytes) -> Iterator[Frame | Damage]:
    order, parts = CLASSIC[magic]
    header = read_up_to(stream, 20)
    if len(header) < 20:  # noqa: PLR2004 - the file header has 24 bytes
        yield Damage(magic + header)
        return
    link_type = struct.unpack_from(f"{order}I", header, 16)[0] & 0xFFFF  # the rest speaks of frame check sequences
    layout = struct.Struct(f"{order}IIII")
    while head := read_up_to(stream, layout.size):
        data = b""
        if len(head) == layout.size:
            seconds, fraction, captured, original = layout.unpack(head)
            data = read_up_to(stream, min(captured, _KEPT))
            if captured <= LARGEST_FRAME and len(data) == captured:
                us = seconds * 1_000_000 + fraction * 1_000_000 // parts
                yield Frame(us, link_type, data, captured >= original)
                continue
        yield Damage(head + data)
        return


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    units: int  # of time in a second
    offset_s: int


@dataclass(slots=True)
class _Section:
    order: str = "<"
    interfaces: list[_Interface] = field(default_factory=list)


def _blocks(stream: BinaryIO) -> Iterator[Frame | Damage]:
    section = _Section()
    kind = SECTION
    while kind:
        head = kind + read_up_to(stream, 8)
        body = _block(stream, section, head)
        if isinstance(body, Damage):
            yield body
            return
        number = struct.unpack(f"{section.order}I", kind)[0]
        if number == _INTERFACE and len(section.interfaces) < _INTERFACES:
            section.interfaces.append(_interface(section.order, body))
        elif number in PACKET_BLOCKS:
            yield _packet(section, number, body)
        kind = read_up_to(stream, 4)


def _block(stream: BinaryIO, section: _Section, head: bytes) -> bytes | Damage:
    """Return the body of a block whose first 12 bytes were read; a section header sets the byte order."""
    if len(head) < 12:  # noqa: PLR2004 - no block is shorter
        return Damage(head)
    if head.startswith(SECTION):
        if head[8:] not in ORDERS:
            return Damage(head + read_up_to(stream, _KEPT))
        section.order, section.interfaces = ORDERS[head[8:]], []
    size = struct.unpack_from(f"{section.order}I", head, 4)[0]
    if size % 4 or not 12 <= size <= LARGEST_BLOCK:  # noqa: PLR2004 - as above
        return Damage(head + read_up_to(stream, _KEPT))
    data = head + read_up_to(stream, size - len(head))
    if len(data) < size or data[-4:] != data[4:8]:
        return Damage(data + read_up_to(stream, _KEPT))
    return data[8:-4]


def _interface(order: str, body: bytes) -> _Interface:
    """Return what an interface description says; options are read as far as they go."""
    if len(body) < 8:  # noqa: PLR2004 - link type, reserved, snapshot length
        return _Interface(-1, 1_000_000, 0)
    units, offset_s, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == _TIME_RESOLUTION and len(value) == 1:
            units = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _TIME_OFFSET and len(value) == 8:  # noqa: PLR2004 - a 64-bit integer
            offset_s = struct.unpack(f"{order}q", value)[0]
        at += 4 + size + -size % 4
    return _Interface(struct.unpack_from(f"{order}H", body)[0], units, offset_s)


def _packet(section: _Section, number: int, body: bytes) -> Frame:
    """Return the frame of a packet block; one that is too short or names no interface has no link type."""
    order, index, ticks, fixed = section.order, 0, 0, 4
    if number != _SIMPLE:
        fixed = 20
    if len(body) < fixed:
        return Frame(0, None, body, is_whole=False)
    if number == _SIMPLE:  # it has no time, and is as long as the block or as the packet
        original = struct.unpack_from(f"{order}I", body)[0]
        captured = min(original, len(body) - fixed)
    else:
        first, high, low, captured, original = struct.unpack_from(f"{order}IIIII", body)
        index = first if number == 6 else struct.unpack_from(f"{order}H", body)[0]  # noqa: PLR2004 - enhanced
        ticks = high << 32 | low
    if index >= len(section.interfaces):
        return Frame(0, None, body, is_whole=False)
    interface = section.interfaces[index]
    data = body[fixed : fixed + captured]
    us = ticks * 1_000_000 // interface.units + interface.offset_s * 1_000_000
    return Frame(us, interface.link_type, data, len(data) == captured >= original)
