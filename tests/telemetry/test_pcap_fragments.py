"""Fragments of IP packets: datagrams that are whole again, and what is refused or missing, counted to the packet."""

from __future__ import annotations

import io
import struct

import pytest
from capture_kit import T0, ethernet, flow_set, fragments, ipfix, octets, pcap, template, trap_pdu, udp, v2c
from format_kit import check_conservation
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.netflow import NetFlow
from cellwright.telemetry.formats.pcap import Datagram, count_packets, packets
from cellwright.telemetry.formats.pcap_fragments import Fragments
from cellwright.telemetry.formats.pcap_packets import Fragment, Skipped
from cellwright.telemetry.formats.snmp import Snmp

V4, V6 = "192.0.2.1", "2001:db8::1"
PAYLOAD = bytes(range(256)) * 12


def found(data: bytes) -> list[bytes | str]:
    """What the packets of a capture are: payloads, or why there are none."""
    read = list(packets(io.BytesIO(data)))
    assert len(read) == count_packets(io.BytesIO(data))
    return [each.payload if isinstance(each, Datagram) else each.code for each in read]


def pieces(source: str, *sizes: int, number: int = 9, payload: bytes = PAYLOAD) -> list[bytes]:
    return fragments(udp(payload, source=source), *sizes, number=number)


@pytest.mark.parametrize("source", [V4, V6])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_fragments_become_the_datagram_in_whatever_order_they_come(source: str, order: tuple[int, ...]) -> None:
    parts = pieces(source, 1480, 1024)
    data = pcap([ethernet(parts[place]) for place in order], link=1)
    assert found(data) == ["ip-fragment", "ip-fragment", PAYLOAD]
    datagram = list(packets(io.BytesIO(data)))[-1]
    assert isinstance(datagram, Datagram)
    assert (datagram.source, datagram.source_port, datagram.destination_port) == (source, 50000, 2055)
    assert datagram.us == (T0 + 2) * 1_000_000 + 250_000  # when it was whole


def test_headers_behind_the_fragment_header_are_walked() -> None:
    packet = bytearray(udp(PAYLOAD, source=V6))
    packet[6:7] = b"\x3c"
    optional = bytes(packet[:40]) + bytes([17, 0, 1, 4, 0, 0, 0, 0]) + bytes(packet[40:])
    assert found(pcap(fragments(optional, 1024))) == ["ip-fragment", PAYLOAD]


def test_fragments_of_several_packets_are_kept_apart() -> None:
    one, other, third = pieces(V4, 1480), pieces(V4, 1480, number=10), pieces(V6, 1480)
    data = pcap([one[0], other[0], third[0], other[1], one[1], third[1]])
    assert found(data) == ["ip-fragment", PAYLOAD] * 3


def test_what_is_missing_or_comes_too_late_is_set_aside() -> None:
    first, last = pieces(V4, 1480)
    assert found(pcap([first])) == ["ip-fragments-incomplete"]
    assert found(pcap([last])) == ["ip-fragments-incomplete"]
    assert found(pcap([first]) + pcap([last], at=T0 + 61)[24:]) == ["ip-fragments-incomplete"] * 2
    assert found(pcap([first]) + pcap([last], at=T0 + 59)[24:]) == ["ip-fragment", PAYLOAD]
    lost = [each for each in packets(io.BytesIO(pcap([first]))) if isinstance(each, Skipped)]
    assert [(each.is_lost, each.raw) for each in lost] == [(True, first)]


@pytest.mark.parametrize("source", [V4, V6])
def test_fragments_that_overlap_are_refused_with_all_of_their_packet(source: str) -> None:
    one, two, three = pieces(source, 1024, 1024)
    shifted = pieces(source, 1032, 8)[1]
    assert found(pcap([one, shifted, two, three])) == ["ip-fragments-overlap"] * 4
    assert found(pcap([one, three, pieces(source, 1024)[1]])) == ["ip-fragments-overlap"] * 3
    beyond = pieces(source, 1024, 2048, payload=PAYLOAD * 2)[1:]
    assert found(pcap([one, three, *beyond])) == ["ip-fragments-overlap"] * 4
    changed = bytes([*two[:-1], two[-1] ^ 1])
    assert found(pcap([two, changed, one, three])) == ["ip-fragments-overlap"] * 4


def test_the_same_fragment_twice_is_no_overlap() -> None:
    one, two = pieces(V4, 1024)
    assert found(pcap([one, one, two])) == ["ip-fragment-repeated", "ip-fragment", PAYLOAD]


def test_what_is_no_fragment_of_a_datagram_is_told() -> None:
    other, (first, last) = bytearray(pieces(V6, 1024)[0]), pieces(V4, 1024)
    other[40] = 58
    odd = bytearray(pieces(V4, 1020)[0])
    far = bytearray(last)
    far[6:8] = struct.pack(">H", 0x1FFF)
    assert found(pcap([bytes(other), first[:-1], bytes(odd), bytes(far)])) == [
        "not-udp",
        "packet-truncated",
        "packet-malformed",
        "packet-malformed",
    ]


def test_a_fragment_within_fragments_is_refused() -> None:
    packet = bytearray(udp(b"x" * 40, source=V6))
    packet[6:7] = b"\x3c"
    inner = bytes([44, 0, 1, 4, 0, 0, 0, 0]) + struct.pack(">BBHI", 17, 0, 1, 7)
    assert found(pcap(fragments(bytes(packet[:40]) + inner + bytes(packet[40:]), 16))) == [
        "ip-fragment",
        "packet-malformed",
    ]


def test_a_flood_of_first_fragments_is_held_within_bounds() -> None:
    def first(number: int, size: int) -> Fragment:
        return Fragment(0, (b"", number, 17), V4, 0, bytes(size), is_last=False, frame=bytes(size))

    held = Fragments()
    parts = [first(number, 4096) for number in range(9000)]
    settled = [each for part in parts for each in held.add(part)]
    rest = list(held.rest())
    assert len(settled) + len(rest) == len(parts)
    assert len(rest) == 2048
    small = [first(number, 8) for number in range(9000)]
    assert len([each for part in small for each in held.add(part)]) == 9000 - 4096


def test_flows_and_traps_in_fragments_are_read_and_every_packet_counts() -> None:
    flows = ipfix(flow_set(2, template(256, (1, 4))), flow_set(256, bytes(400)))
    outcome = check_conservation(NetFlow(), pcap(fragments(udp(flows), 104, 104)))
    assert (len(outcome.only("flows")), outcome.facts) == (100, 103)
    assert [(each.reason, each.facts) for each in outcome.filtered] == [("ip-fragment", 2), ("flow-template", 1)]
    trap = v2c(trap_pdu("1.3.6.1.4.1.99999.0.7", ("1.3.6.1.4.1.99999.1.1", octets(b"x" * 3000))))
    whole = fragments(udp(trap, ports=(1, 162)), 1480, 1480)
    outcome = check_conservation(Snmp(), pcap([*whole, whole[0]]))
    assert (len(outcome.only("logs")), outcome.codes()) == (1, [("ip-fragments-incomplete", 1, None)])


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 20), max_size=6),
    st.sampled_from([V4, V6]),
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
)
def test_any_fragments_are_as_many_packets_as_are_counted(
    sizes: list[int], source: str, chance: object, edits: list[tuple[int, int]]
) -> None:
    whole = udp(v2c(trap_pdu("1.3.6.1.4.1.99999.0.7")) + bytes(1000), source=source, ports=(1, 162))
    parts = fragments(whole, *(8 * size for size in sizes))
    chance.shuffle(parts)  # type: ignore[attr-defined]
    data = bytearray(pcap(parts))
    if not edits:
        assert found(bytes(data))[-1] == whole[-len(v2c(trap_pdu("1.3.6.1.4.1.99999.0.7"))) - 1000 :]
    for at, octet in edits:
        data[at % len(data)] = octet
    outcome = check_conservation(Snmp(), bytes(data))
    assert outcome.facts == count_packets(io.BytesIO(bytes(data)))
