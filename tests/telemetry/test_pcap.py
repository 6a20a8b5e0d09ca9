from __future__ import annotations

import io
import struct

import pytest
from capture_kit import SECOND, T0, block, ethernet, pcap, pcapng, udp
from format_kit import Trickle
from hypothesis import given
from hypothesis import strategies as st

from cellwright.telemetry.formats.pcap import (
    Datagram,
    Skipped,
    capture_header,
    capture_record,
    count_packets,
    packets,
)

V4 = udp(b"four")
V6 = udp(b"six", source="2001:db8::1")
US = T0 * SECOND + SECOND // 4


def read(data: bytes) -> list[Datagram | Skipped]:
    found = list(packets(io.BytesIO(data)))
    assert count_packets(io.BytesIO(data)) == len(found)
    assert list(packets(Trickle(data))) == found
    assert count_packets(Trickle(data)) == len(found)
    return found


def payloads(data: bytes) -> list[bytes | str]:
    return [packet.payload if isinstance(packet, Datagram) else packet.code for packet in read(data)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_a_capture_of_either_byte_order_and_resolution_is_read(order: str, nano: bool) -> None:  # noqa: FBT001 - a case
    found = read(pcap([V4, V6], order=order, nano=nano))
    assert found[0] == Datagram(US, "192.0.2.1", 50000, 2055, b"four")
    assert found[1] == Datagram(US + SECOND, "2001:db8::1", 50000, 2055, b"six")


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(V4)),
        (1, ethernet(V4) + bytes(18)),
        (1, ethernet(V4, 0x8100)),
        (1, ethernet(V4, 0x88A8, 0x8100)),
        (12, V4),
        (101, V4),
        (228, V4),
        (0, struct.pack("<I", 2) + V4),
        (0, struct.pack(">I", 2) + V4),
        (108, struct.pack(">I", 2) + V4),
        (113, struct.pack(">HHH8sH", 0, 1, 6, b"", 0x0800) + V4),
        (113, struct.pack(">HHH8sHHH", 0, 1, 6, b"", 0x8100, 7, 0x0800) + V4),
        (276, struct.pack(">HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, b"") + V4),
    ],
)
def test_every_link_type_gives_the_datagram(link: int, frame: bytes) -> None:
    assert payloads(pcap([frame], link=link)) == [b"four"]


@pytest.mark.parametrize(
    ("link", "frame"),
    [(1, ethernet(V6)), (229, V6), (0, struct.pack("<I", 30) + V6), (108, struct.pack(">I", 24) + V6)],
)
def test_every_link_type_gives_a_datagram_over_ipv6(link: int, frame: bytes) -> None:
    assert payloads(pcap([frame], link=link)) == [b"six"]


def v6(following: int, rest: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(rest), following, 64) + bytes(32) + rest


def test_extension_headers_are_walked() -> None:
    segment = V6[40:]
    hop_by_hop, options = bytes([60, 0]) + bytes(6), bytes([17, 1]) + bytes(14)
    atomic = bytes([17, 0, 0, 0, 0, 0, 0, 9])
    assert payloads(pcap([v6(0, hop_by_hop + options + segment), v6(44, atomic + segment)])) == [b"six", b"six"]


def test_what_is_no_whole_udp_datagram_is_one_packet_with_its_reason() -> None:
    tcp = bytearray(V4)
    tcp[9] = 6
    fragment = bytearray(V4)
    fragment[6] = 0x20
    later = bytes([17, 0, 0, 9]) + bytes(4)
    frames = [bytes(tcp), bytes(fragment), v6(44, later + V6[40:]), V4[:-1], V4[:24], b"", v6(58, b"ping"), b"\x45"]
    assert payloads(pcap(frames)) == [
        "not-udp",
        "packet-malformed",
        "packet-malformed",
        "packet-truncated",
        "packet-truncated",
        "packet-malformed",
        "not-udp",
        "packet-malformed",
    ]
    assert payloads(pcap([ethernet(V4)[:12] + b"\x08\x06" + bytes(28)], link=1)) == ["not-ip"]
    assert payloads(pcap([V4], link=147)) == ["link-type"]


def test_a_frame_of_which_the_capture_keeps_a_part_is_truncated() -> None:
    data = bytearray(pcap([V4]))
    data[24 + 12 : 24 + 16] = struct.pack(">I", len(V4) + 1)
    assert payloads(bytes(data)) == ["packet-truncated"]


@pytest.mark.parametrize("cut", [5, 23, 24 + 8, 24 + 16 + 3])
def test_a_capture_cut_short_ends_in_one_damaged_rest(cut: int) -> None:
    assert payloads(pcap([V4])[:cut]) == ["capture-damaged"]


def test_a_length_that_no_capture_program_writes_is_damage() -> None:
    data = pcap([V4]) + struct.pack(">IIII", 0, 0, 1 << 31, 1 << 31) + bytes(64)
    assert payloads(data) == [b"four", "capture-damaged"]


def test_what_is_no_capture_is_one_damaged_rest() -> None:
    assert payloads(b"<34>1 - - - - - -") == ["capture-damaged"]
    assert payloads(b"") == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_file_is_read(order: str) -> None:
    assert read(pcapng([V4, V6], order=order))[0] == Datagram(US, "192.0.2.1", 50000, 2055, b"four")


@pytest.mark.parametrize(("code", "units"), [(9, 10**9), (0x80 | 10, 1 << 10)])
def test_the_resolution_of_a_pcapng_interface_counts(code: int, units: int) -> None:
    options = struct.pack("<HHB3xHHqHH", 9, 1, code, 14, 8, 3600, 0, 0)
    (found,) = read(pcapng([V4], options=options, units=units))
    assert isinstance(found, Datagram)
    assert found.us == US + 3600 * SECOND


def test_the_other_blocks_of_pcapng_count_as_they_should() -> None:
    start = pcapng([])
    simple = block(3, struct.pack("<I", len(V4)) + V4)
    obsolete = block(2, struct.pack("<HHIIII", 0, 0, 0, 0, len(V4), len(V4)) + V4)
    nameless = block(6, struct.pack("<IIIII", 5, 0, 0, 4, 4) + V4[:4])
    short = block(6, b"1234")
    statistics = block(5, bytes(8))
    assert payloads(start + simple + statistics + obsolete) == [b"four", b"four"]
    assert payloads(start + nameless + short) == ["packet-truncated", "packet-truncated"]
    assert payloads(start + pcapng([V6], order=">")) == [b"six"]
    assert payloads(start + simple[:-2]) == ["capture-damaged"]
    assert payloads(start + b"\3\0\0\0\7\0\0\0" + bytes(9)) == ["capture-damaged"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, (1 << 32) * SECOND - 1),
            st.sampled_from([("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "::1")]),
            st.integers(0, 65535),
            st.binary(max_size=64),
        ),
        max_size=4,
    )
)
def test_datagrams_written_are_read_again(sent: list[tuple[int, tuple[str, str], int, bytes]]) -> None:
    data = capture_header()
    for us, (source, destination), port, payload in sent:
        data += capture_record(us, (source, port), (destination, 162), payload)
    assert read(data) == [Datagram(us, source, port, 162, payload) for us, (source, _), port, payload in sent]


def ones_sum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(max_size=65))
def test_checksums_written_are_right(payload: bytes) -> None:
    v4 = capture_record(0, ("192.0.2.1", 1), ("192.0.2.2", 2), payload)[16:]
    assert ones_sum(v4[:20]) == 0xFFFF
    v6_packet = capture_record(0, ("2001:db8::1", 1), ("::1", 2), payload)[16:]
    pseudo = v6_packet[8:40] + struct.pack(">II", 8 + len(payload), 17) + v6_packet[40:]
    assert ones_sum(pseudo + bytes(len(pseudo) % 2)) == 0xFFFF


def test_a_checksum_of_zero_is_written_as_ones_over_ipv6() -> None:
    """There zero says that there is none (RFC 8200, 8.1)."""
    spare = capture_record(0, ("2001:db8::1", 1), ("::1", 2), bytes(2))[16 + 46 : 16 + 48]
    assert capture_record(0, ("2001:db8::1", 1), ("::1", 2), spare)[16 + 46 : 16 + 48] == b"\xff\xff"


def test_a_record_of_mixed_addresses_or_too_many_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="two addresses"):
        capture_record(0, ("192.0.2.1", 1), ("::1", 2), b"")
    for address, largest in (("192.0.2.1", 65_507), ("::1", 65_527)):
        data = capture_header() + capture_record(0, (address, 1), (address, 2), bytes(largest))
        assert payloads(data) == [bytes(largest)]
        with pytest.raises(ValueError, match=str(largest)):
            capture_record(0, (address, 1), (address, 2), bytes(largest + 1))


SEEDS = [pcap([ethernet(V4), ethernet(V6, 0x8100)], link=1), pcapng([V4, V6]), pcap([V4, V6], order="<", nano=True)]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4)), max_size=4))
def test_damaged_captures_have_as_many_packets_as_are_counted(seed: bytes, edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(seed)
    for at, piece in edits:
        data[at % len(data) : at % len(data) + len(piece)] = piece
    read(bytes(data))


@given(st.sampled_from([b"", b"\xa1\xb2\xc3\xd4", b"\x0a\x0d\x0d\x0a"]), st.binary(max_size=80))
def test_any_bytes_have_as_many_packets_as_are_counted(start: bytes, data: bytes) -> None:
    read(start + data)
