"""Builds captures, flow messages and SNMP messages octet by octet: an encoder that shares nothing with the readers."""

from __future__ import annotations

import ipaddress
import itertools
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.telemetry.snmp_keys import Keys

SECOND = 1_000_000
ENGINE = b"\x80\x00\x1f\x88\x01"
USER = b"s3cretuser"
T0 = 1_700_000_000  # 2023-11-14T22:13:20Z


def udp(payload: bytes, *, source: str = "192.0.2.1", ports: tuple[int, int] = (50000, 2055)) -> bytes:
    """An IP packet from `source` to a neighbour."""
    sender = ipaddress.ip_address(source)
    segment = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    if sender.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(segment), 17, 64) + sender.packed + (sender + 1).packed + segment
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 17, 0)
    return head + sender.packed + (sender + 1).packed + segment


def fragments(packet: bytes, *sizes: int, number: int = 9) -> list[bytes]:
    """An IP packet of `udp` as fragments: each of so many octets, the last one of what is left."""
    is_v6 = packet[0] >> 4 == 6
    head, content = (packet[:40], packet[40:]) if is_v6 else (packet[:20], packet[20:])
    cuts = [0, *(sum(sizes[: place + 1]) for place in range(len(sizes))), len(content)]
    pieces = []
    for start, end in itertools.pairwise(cuts):
        more, piece = end < len(content), content[start:end]
        if is_v6:
            extension = struct.pack(">BBHI", packet[6], 0, start | more, number)
            pieces.append(head[:4] + struct.pack(">HB", 8 + len(piece), 44) + head[7:] + extension + piece)
        else:
            field = struct.pack(">HHH", 20 + len(piece), number, start >> 3 | 0x2000 * more)
            pieces.append(head[:2] + field + head[8:] + piece)
    return pieces


def ethernet(packet: bytes, *tags: int) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return bytes(12) + b"".join(struct.pack(">HH", tag, 7) for tag in tags) + struct.pack(">H", kind) + packet


def pcap(frames: list[bytes], *, link: int = 101, order: str = ">", nano: bool = False, at: int = T0) -> bytes:
    """A classic capture; frame n comes n seconds and a quarter after `at`."""
    data = struct.pack(f"{order}IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    quarter = 250_000_000 if nano else 250_000
    for number, frame in enumerate(frames):
        data += struct.pack(f"{order}IIII", at + number, quarter, len(frame), len(frame)) + frame
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def pcapng(
    frames: list[bytes], *, link: int = 101, order: str = "<", options: bytes = b"", units: int = SECOND
) -> bytes:
    data = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    data += block(1, struct.pack(f"{order}HHI", link, 0, 0) + options, order)
    for number, frame in enumerate(frames):
        ticks = (T0 + number) * units + units // 4
        fixed = struct.pack(f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        data += block(6, fixed + frame, order)
    return data


# Flow messages ------------------------------------------------------------------------------------------------------


def v5(
    flows: list[dict[str, int]],
    *,
    sequence: int = 0,
    uptime: int = 60_000,
    sampling: int = 0,
    count: int | None = None,
) -> bytes:
    said = len(flows) if count is None else count
    data = struct.pack(">HHIIIIBBH", 5, said, uptime, T0, 500_000_000, sequence, 1, 2, sampling)
    for flow in flows:
        data += struct.pack(">IIIHH", 0x0A000001, 0x0A000002, 0x0A0000FE, 3, 4)
        data += struct.pack(">II", flow.get("packets", 1), flow.get("octets", 64))
        data += struct.pack(">II", flow.get("first", 1000), flow.get("last", 2000))
        data += struct.pack(">HHBBBBHHBBH", flow.get("port", 1234), 443, 0, 0x12, 6, 0xB8, 64512, 64513, 24, 16, 0)
    return data


def v9(*sets: bytes, sequence: int = 0, uptime: int = 60_000, domain: int = 7) -> bytes:
    return struct.pack(">HHIIII", 9, len(sets), uptime, T0, sequence, domain) + b"".join(sets)


def ipfix(*sets: bytes, sequence: int = 0, domain: int = 7) -> bytes:
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), T0, sequence, domain) + body


def flow_set(number: int, body: bytes, *, padding: int = 0) -> bytes:
    return struct.pack(">HH", number, 4 + len(body) + padding) + body + bytes(padding)


def fields(*pairs: tuple[int, ...]) -> bytes:
    """(element, length) or (element, length, enterprise) each."""
    data = b""
    for element, length, *enterprise in pairs:
        data += struct.pack(">HH", element | 0x8000 * bool(enterprise), length)
        data += struct.pack(">I", enterprise[0]) if enterprise else b""
    return data


def template(number: int, *pairs: tuple[int, ...]) -> bytes:
    return struct.pack(">HH", number, len(pairs)) + fields(*pairs)


def v9_options(number: int, scopes: list[tuple[int, int]], options: list[tuple[int, int]]) -> bytes:
    return struct.pack(">HHH", number, 4 * len(scopes), 4 * len(options)) + fields(*scopes, *options)


def ipfix_options(number: int, scopes: list[tuple[int, ...]], options: list[tuple[int, ...]]) -> bytes:
    return struct.pack(">HHH", number, len(scopes) + len(options), len(scopes)) + fields(*scopes, *options)


# SNMP ---------------------------------------------------------------------------------------------------------------


def tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, 128 + len(size))) + size + body


def integer(value: int, tag: int = 2) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def octets(value: bytes) -> bytes:
    return tlv(4, value)


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    body = b""
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return tlv(6, body)


def varbinds(*pairs: tuple[str, bytes]) -> bytes:
    return tlv(0x30, *(tlv(0x30, oid(name), value) for name, value in pairs))


def trap_pdu(trap: str, *pairs: tuple[str, bytes], tag: int = 0xA7, uptime: int = 4200) -> bytes:
    first = [("1.3.6.1.2.1.1.3.0", integer(uptime, 0x43)), ("1.3.6.1.6.3.1.1.4.1.0", oid(trap))]
    return tlv(tag, integer(99), integer(0), integer(0), varbinds(*first, *pairs))


def v2c(pdu: bytes, community: bytes = b"s3cretcomm") -> bytes:
    return tlv(0x30, integer(1), octets(community), pdu)


def v1(enterprise: str, generic: int, specific: int, *pairs: tuple[str, bytes], agent: str = "198.51.100.9") -> bytes:
    address = tlv(0x40, ipaddress.IPv4Address(agent).packed)
    body = [oid(enterprise), address, integer(generic), integer(specific), integer(4200, 0x43), varbinds(*pairs)]
    return tlv(0x30, integer(0), octets(b"s3cretcomm"), tlv(0xA4, *body))


def v3(data: bytes, *, flags: int = 0, model: int = 3) -> bytes:
    header = tlv(0x30, integer(5), integer(65507), octets(bytes((flags,))), integer(model))
    security = tlv(0x30, octets(ENGINE), integer(3), integer(500), octets(USER), octets(b""), octets(b""))
    return tlv(0x30, integer(3), header, octets(security), data)


def scoped(pdu: bytes) -> bytes:
    return tlv(0x30, octets(ENGINE), octets(b""), pdu)


def secured(
    data: bytes, keys: Keys, *, clock: tuple[int, int] = (3, 500), flags: int = 3, engine: bytes = ENGINE
) -> bytes:
    """A version 3 message of the user of `v3`, signed, and encrypted where the flags say so."""
    boots, time_s = clock
    header = tlv(0x30, integer(5), integer(65507), octets(bytes((flags,))), integer(3))
    salt = bytes(range(8)) if flags & 2 else b""
    body = octets(keys.encrypt(data, salt, boots, time_s)) if flags & 2 else data
    fixed = (octets(engine), integer(boots), integer(time_s), octets(USER))
    messages = []
    for digest in (bytes(keys.digest_bytes), b""):
        signed = digest or keys.digest(messages[0])
        security = tlv(0x30, *fixed, octets(signed), octets(salt))
        messages.append(tlv(0x30, integer(3), header, octets(security), body))
    return messages[1]
