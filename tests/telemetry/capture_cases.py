"""Writes the captures in tests/cases/telemetry/netflow and snmp: run as a program after the builder changes."""

from __future__ import annotations

import struct
from pathlib import Path

from capture_kit import (
    T0,
    ethernet,
    flow_set,
    integer,
    ipfix,
    ipfix_options,
    octets,
    oid,
    pcap,
    pcapng,
    scoped,
    template,
    tlv,
    trap_pdu,
    udp,
    v1,
    v2c,
    v3,
    v5,
    v9,
    v9_options,
)

CASES = Path(__file__).parent.parent / "cases" / "telemetry"
FLOW4 = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (1, 4))
FLOW6 = ((27, 16), (28, 16), (1, 4), (154, 8), (155, 8))


def flow4(octet_count: int) -> bytes:
    return bytes([10, 0, 0, 1, 10, 0, 0, 2]) + struct.pack(">HHBII", 4000, 443, 6, 3, octet_count)


def flow6(octet_count: int) -> bytes:
    addresses = bytes.fromhex("20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02")
    ntp = struct.pack(">II", T0 + 2_208_988_800, 1 << 31)
    return addresses + octet_count.to_bytes(4) + ntp + ntp


def flow_captures() -> dict[str, bytes]:
    options9 = flow_set(1, v9_options(300, [(1, 4)], [(48, 1), (50, 4)]))
    sampled = flow_set(300, bytes(4) + b"\1" + (100).to_bytes(4), padding=3)
    known9 = flow_set(0, template(256, *FLOW4, (22, 4), (21, 4)))
    uptimes = struct.pack(">II", 59_000, 59_500)
    known = flow_set(
        2, template(256, *FLOW4) + template(257, *FLOW6) + template(258, (1, 8), (82, 65535), (12235, 4, 9))
    )
    options = flow_set(3, ipfix_options(301, [(302, 4)], [(305, 4), (306, 4)]))
    various = (1 << 63).to_bytes(8) + b"\4eth0" + bytes([0, 0, 1, 2])
    return {
        "v5": pcap([ethernet(udp(v5([{"octets": 1500}, {"octets": 40}], sampling=0x4064)), 0x8100)], link=1),
        "v5_gap": pcap([udp(v5([{}], sequence=1)), udp(v5([{}], sequence=14)), udp(v5([{}], count=2, sequence=15))]),
        "v9_sampled": pcap(
            [udp(v9(options9, sampled)), udp(v9(known9, flow_set(256, flow4(99) + uptimes), sequence=1))]
        ),
        "ipfix": pcapng(
            [
                udp(ipfix(known, options)),
                udp(ipfix(flow_set(301, struct.pack(">III", 1, 1, 255)), flow_set(257, flow6(700)))),
                udp(ipfix(flow_set(258, various), flow_set(256, flow4(50), padding=2), sequence=2)),
            ]
        ),
        "late_and_lost": pcap(
            [
                udp(ipfix(flow_set(256, flow4(1)), flow_set(900, b"lost"))),
                udp(ipfix(flow_set(2, template(256, *FLOW4)))),
                udp(ipfix(flow_set(256, flow4(2)), b"\1\0\0\1")),
                udp(b"not a flow"),
            ],
            order="<",
        ),
    }


def trap_captures() -> dict[str, bytes]:
    interface = [(f"1.3.6.1.2.1.2.2.1.{column}.5", integer(value)) for column, value in ((1, 5), (7, 1), (8, 2))]
    down, up = (trap_pdu(f"1.3.6.1.6.3.1.1.5.{number}", *interface) for number in (3, 4))
    vendor = trap_pdu("1.3.6.1.4.1.99999.0.7", ("1.3.6.1.4.1.99999.1.1", octets(b"fan 3 stopped")), tag=0xA6)
    model = ("1.3.6.1.2.1.118.1.2.2.1.13.0.8.1.2.3", oid("1.3.6.1.2.1.118.1.1.2.1.3.0.12.6"))
    resource = ("1.3.6.1.2.1.118.1.2.2.1.10.0.8.1.2.3", oid("1.3.6.1.2.1.2.2.1.1.5"))
    ports = (40000, 162)
    sent = {
        "link": [v2c(down), v2c(up)],
        "versions": [v1("1.3.6.1.4.1.99999", 0, 0), v1("1.3.6.1.4.1.99999", 6, 7), v2c(vendor), v3(scoped(vendor))],
        "alarm_mib": [v2c(trap_pdu("1.3.6.1.2.1.118.0.2", model, resource))],
        "unread": [v3(octets(bytes(24)), flags=3), v2c(tlv(0xA0, integer(1))), v2c(down)[:-2], b"secret"],
    }
    return {name: pcap([udp(payload, ports=ports) for payload in payloads]) for name, payloads in sent.items()}


if __name__ == "__main__":
    for folder, captures in (("netflow", flow_captures()), ("snmp", trap_captures())):
        for name, data in captures.items():
            (CASES / folder / f"{name}.pcap").write_bytes(data)
