from __future__ import annotations

import io
import json
import struct
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from capture_kit import T0, flow_set, ipfix, ipfix_options, pcap, template, udp, v5, v9, v9_options
from format_kit import Outcome, Trickle, check_conservation, mutated, public_data, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats import netflow_limits
from cellwright.telemetry.formats.ipfix_elements import ELEMENTS, element
from cellwright.telemetry.formats.netflow import NetFlow, is_flow_message
from cellwright.telemetry.formats.netflow_recall import Recall
from cellwright.telemetry.formats.netflow_values import octets_text, text_of

# sourceIPv4Address, destinationIPv4Address, octetDeltaCount
SIMPLE = ((8, 4), (12, 4), (1, 4))
FLOW = bytes([10, 0, 0, 1, 10, 0, 0, 2]) + (500).to_bytes(4)


def outcome_of(*payloads: bytes, **more: Any) -> Outcome:  # noqa: ANN401 - of `udp`
    return check_conservation(NetFlow(), pcap([udp(payload, **more) for payload in payloads]))


def rows_of(*payloads: bytes) -> list[dict[str, Any]]:
    return outcome_of(*payloads).only("flows")


def reasons(outcome: Outcome) -> list[tuple[str, int]]:
    return [(item.reason, item.facts) for item in outcome.filtered]


def one(*pairs: tuple[int, ...], record: bytes) -> dict[str, Any]:
    """The one row of an IPFIX record with these fields."""
    (row,) = rows_of(ipfix(flow_set(2, template(256, *pairs)), flow_set(256, record)))
    return row


def time(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0, UTC) + timedelta(seconds=seconds)


def test_a_v5_flow_has_the_names_of_ipfix() -> None:
    (row,) = rows_of(v5([{"packets": 3, "octets": 1500}], sequence=9, sampling=0x4000 | 100))
    shown = {name: value for name, value in row.items() if value not in (None, [])}
    assert shown == {
        "export_ts": time(0.5),
        "exporter": "192.0.2.1",
        "domain": 0x0102,
        "sequence": 9,
        "sampling_rate": 100,
        "protocolIdentifier": 6,
        "sourceIPv4Address": "10.0.0.1",
        "destinationIPv4Address": "10.0.0.2",
        "sourceTransportPort": 1234,
        "destinationTransportPort": 443,
        "ipClassOfService": 0xB8,
        "tcpControlBits": 0x12,
        "ingressInterface": 3,
        "egressInterface": 4,
        "bgpSourceAsNumber": 64512,
        "bgpDestinationAsNumber": 64513,
        "ipNextHopIPv4Address": "10.0.0.254",
        "octetDeltaCount": 1500,
        "packetDeltaCount": 3,
        "flowStartMicroseconds": time(0.5 - 59),
        "flowEndMicroseconds": time(0.5 - 58),
        "elements": [("sourceIPv4PrefixLength", "24"), ("destinationIPv4PrefixLength", "16")],
        "ordinal": 0,
    }


@pytest.mark.parametrize(
    ("uptime", "first", "behind_s"), [(60_000, 59_000, 1.0), (500, (1 << 32) - 500, 1.0), (1000, 3000, -2.0)]
)
def test_uptimes_are_read_across_their_wrap(uptime: int, first: int, behind_s: float) -> None:
    (row,) = rows_of(v5([{"first": first, "last": first}], uptime=uptime))
    assert row["flowStartMicroseconds"] == time(0.5 - behind_s)


def test_a_v5_message_that_lacks_records_keeps_those_it_has() -> None:
    outcome = outcome_of(v5([{}, {}], count=5))
    assert len(outcome.only("flows")) == 2
    assert outcome.codes() == [("message-truncated", 1, None)]
    assert outcome_of(v5([{}])[:40]).codes() == [("message-truncated", 1, None)]
    assert outcome_of(v5([{}]) + b"x").codes() == [("trailing-bytes", 1, None)]
    assert reasons(outcome_of(v5([]))) == [("empty-message", 1)]
    assert outcome_of(v5([])[:20]).codes() == [("message-truncated", 1, None)]


def test_a_v9_flow_is_read_by_its_template_in_the_same_message() -> None:
    outcome = outcome_of(
        v9(flow_set(0, template(256, *SIMPLE, (22, 4))), flow_set(256, FLOW + struct.pack(">I", 59_000)))
    )
    (row,) = outcome.only("flows")
    assert (row["sourceIPv4Address"], row["octetDeltaCount"], row["domain"]) == ("10.0.0.1", 500, 7)
    assert row["flowStartMicroseconds"] == time(-1)
    assert row["elements"] == []
    assert reasons(outcome) == [("flow-template", 1)]


def test_padding_is_no_record() -> None:
    outcome = outcome_of(
        v9(flow_set(0, template(256, *SIMPLE), padding=3), flow_set(256, FLOW * 2, padding=3)) + bytes(6)
    )
    assert (len(outcome.only("flows")), outcome.codes()) == (2, [])


def test_templates_belong_to_exporter_domain_and_version() -> None:
    known = ipfix(flow_set(2, template(256, *SIMPLE)))
    data = flow_set(256, FLOW)
    assert outcome_of(known, ipfix(data, domain=8)).codes() == [("no-template", 1, None)]
    assert outcome_of(known, v9(data)).codes() == [("no-template", 1, None)]
    others = pcap([udp(known), udp(ipfix(data), source="2001:db8::1")])
    assert check_conservation(NetFlow(), others).codes() == [("no-template", 1, None)]
    assert len(rows_of(known, ipfix(data))) == 1


def test_a_template_defined_again_holds_from_there_on() -> None:
    first, second = template(256, *SIMPLE), template(256, (1, 4), (8, 4), (12, 4))
    data = flow_set(256, FLOW)
    rows = rows_of(ipfix(flow_set(2, first), data, flow_set(2, second), data))
    assert [row["sourceIPv4Address"] for row in rows] == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("gone", [(256, 0), (2, 0)])
def test_a_template_withdrawn_is_known_no_longer(gone: tuple[int, int]) -> None:
    known, data = flow_set(2, template(256, *SIMPLE)), flow_set(256, FLOW)
    outcome = outcome_of(ipfix(known, data), ipfix(flow_set(2, struct.pack(">HH", *gone)), data))
    assert (len(outcome.only("flows")), outcome.codes()) == (1, [("no-template", 1, None)])


def test_withdrawing_all_templates_spares_those_of_options() -> None:
    options = flow_set(3, ipfix_options(257, [(302, 4)], [(34, 4)]))
    all_gone = flow_set(2, struct.pack(">HH", 2, 0))
    outcome = outcome_of(ipfix(options, all_gone, flow_set(257, struct.pack(">II", 1, 10))))
    assert reasons(outcome) == [("flow-template", 2), ("flow-options", 1)]
    options_gone = flow_set(3, struct.pack(">HH", 3, 0))
    outcome = outcome_of(ipfix(options, options_gone, flow_set(257, struct.pack(">II", 1, 10))))
    assert outcome.codes() == [("no-template", 1, None)]


def test_data_that_come_before_their_template_are_read_when_it_comes() -> None:
    outcome = outcome_of(
        ipfix(flow_set(256, FLOW * 3), sequence=4), ipfix(flow_set(2, template(256, *SIMPLE)), sequence=7)
    )
    rows = outcome.only("flows")
    assert [(row["sequence"], row["dq_flags"], row["ordinal"]) for row in rows] == [
        (4, ["template-late"], ordinal) for ordinal in (1, 2, 3)
    ]


def test_many_sets_that_waited_come_in_batches() -> None:
    """What one template lets be read at last must not be held at once."""
    waiting = [udp(ipfix(flow_set(256, bytes(60_000)))) for _ in range(4)]
    data = pcap([*waiting, udp(ipfix(flow_set(2, template(256, (4, 1)))))])
    sizes = [batch.tables["flows"].num_rows for batch in NetFlow().parse(io.BytesIO(data))]
    assert sizes == [60_000] * 4


def test_data_whose_template_never_comes_are_set_aside_at_the_end() -> None:
    outcome = outcome_of(v9(flow_set(256, FLOW)), v9(flow_set(0, template(257, *SIMPLE)), flow_set(257, FLOW)))
    assert outcome.codes() == [("no-template", 1, None)]
    assert outcome.quarantined[0].raw == flow_set(256, FLOW)
    assert (outcome.quarantined[0].ordinal, outcome.facts) == (2, 3)


def test_elements_without_a_column_go_by_name_or_number() -> None:
    record = bytes([64]) + b"\0\0\1\2" + (77).to_bytes(4) + bytes.fromhex("00005e005301")
    record += b"Gi0/1\0\0\0" + bytes([1, 0, 0]) + b"\0\7"
    row = one((89, 1), (12235, 4, 9), (1, 4, 29305), (56, 6), (82, 8), (89, 1), (210, 2), (600, 2), record=record)
    assert row["elements"] == [
        ("forwardingStatus", "64"),
        ("9:12235", "0.0.1.2"),
        ("reverseOctetDeltaCount", "77"),
        ("sourceMacAddress", "00:00:5e:00:53:01"),
        ("interfaceName", "Gi0/1"),
        ("forwardingStatus#2", "1"),
        ("0:600", "7"),
    ]


@pytest.mark.parametrize("text", [b"eth0", b"x" * 254, b"y" * 300, b""])
def test_values_of_variable_length_are_read(text: bytes) -> None:
    length = bytes([len(text)]) if len(text) < 255 else b"\xff" + len(text).to_bytes(2)
    rows = rows_of(ipfix(flow_set(2, template(256, (82, 65535), (1, 2))), flow_set(256, (length + text + b"\1\0") * 2)))
    assert [(row["elements"], row["octetDeltaCount"]) for row in rows] == [
        ([("interfaceName", text.decode())], 256)
    ] * 2


def test_a_value_that_runs_over_its_set_is_damage_and_the_next_set_is_read() -> None:
    known = flow_set(2, template(256, (82, 65535), (1, 2)) + template(257, *SIMPLE))
    outcome = outcome_of(ipfix(known, flow_set(256, b"\1a\0\5" + b"\x90b\0\6"), flow_set(257, FLOW)))
    assert [row["octetDeltaCount"] for row in outcome.only("flows")] == [5, 500]
    assert outcome.codes() == [("bad-record", 1, None)]
    assert outcome.quarantined[0].raw == b"\x90b\0\6"


def test_a_record_one_octet_too_long_is_damage() -> None:
    known = flow_set(2, template(256, (1, 2), (82, 65535)))
    outcome = outcome_of(ipfix(known, flow_set(256, b"\0\5\3abc" + b"\0\6\3ab")))
    assert (len(outcome.only("flows")), outcome.codes()) == (1, [("bad-record", 1, None)])


def test_enterprise_elements_take_their_place_among_several_records() -> None:
    rows = rows_of(ipfix(flow_set(2, template(256, (1, 2, 9), (2, 2), (3, 1, 9))), flow_set(256, b"\0\1\0\2\3" * 3)))
    assert [(row["packetDeltaCount"], dict(row["elements"])["9:3"]) for row in rows] == [(2, "3")] * 3


def test_integers_may_be_shorter_than_their_type() -> None:
    row = one((1, 3), (2, 1), (10, 2), (16, 4), record=b"\1\0\0" + b"\2" + b"\0\3" + b"\xff\xff\xff\xff")
    assert (row["octetDeltaCount"], row["packetDeltaCount"], row["ingressInterface"]) == (65536, 2, 3)
    assert row["bgpSourceAsNumber"] == (1 << 32) - 1


@pytest.mark.parametrize(
    ("number", "size", "flag", "name"),
    [(1, 8, "beyond-int64", "octetDeltaCount"), (7, 4, "beyond-int32", "sourceTransportPort")],
)
def test_a_number_beyond_its_column_is_kept_as_text(number: int, size: int, flag: str, name: str) -> None:
    large = one((number, size), record=b"\xff" * size)
    assert (large[name], large["dq_flags"]) == (None, [flag])
    assert large["elements"] == [(name, str((1 << 8 * size) - 1))]
    most = one((number, size), record=b"\x7f" + b"\xff" * (size - 1))
    assert (most[name], most["dq_flags"]) == ((1 << 8 * size - 1) - 1, [])


def test_an_address_of_another_length_is_kept_as_octets() -> None:
    row = one((8, 2), (27, 16), record=b"\1\2" + bytes(15) + b"\1")
    assert (row["sourceIPv4Address"], row["sourceIPv6Address"]) == (None, "::1")
    assert (row["elements"], row["dq_flags"]) == ([("sourceIPv4Address", "0x0102")], ["unreadable-address"])


NTP = struct.pack(">II", T0 + 2_208_988_800, 1 << 30)


@pytest.mark.parametrize(
    ("number", "raw", "offset_s"),
    [
        (150, T0.to_bytes(4), 0),
        (152, (T0 * 1000 + 250).to_bytes(8), 0.25),
        (154, NTP, 0.25),
        (156, NTP, 0.25),
        (158, (250_000).to_bytes(4), -0.25),
    ],
)
def test_every_form_of_absolute_time_is_read(number: int, raw: bytes, offset_s: float) -> None:
    row = one((number, len(raw)), (number + 1, len(raw)), record=raw + raw)
    assert row["flowStartMicroseconds"] == row["flowEndMicroseconds"] == time(offset_s)
    assert (row["elements"], row["dq_flags"]) == ([], [])


def test_an_uptime_in_ipfix_needs_the_time_of_the_start() -> None:
    up = (5000).to_bytes(4)
    row = one((22, 4), record=up)
    assert (row["flowStartMicroseconds"], row["dq_flags"]) == (None, ["no-absolute-time"])
    assert row["elements"] == [("flowStartSysUpTime", "5000")]
    start = (T0 * 1000).to_bytes(8)
    assert one((160, 8), (22, 4), record=start + up)["flowStartMicroseconds"] == time(5)
    options = ipfix(flow_set(3, ipfix_options(257, [(149, 4)], [(160, 8)])), flow_set(257, bytes(4) + start))
    flows = ipfix(flow_set(2, template(256, (22, 4))), flow_set(256, up), sequence=1)
    assert rows_of(options, flows)[0]["flowStartMicroseconds"] == time(5)


def test_a_time_that_no_date_can_say_and_an_end_before_the_start_are_flagged() -> None:
    row = one((152, 8), record=b"\xff" * 8)
    assert (row["flowStartMicroseconds"], row["dq_flags"]) == (None, ["unreadable-time"])
    row = one((150, 4), (151, 4), record=T0.to_bytes(4) + (T0 - 1).to_bytes(4))
    assert row["dq_flags"] == ["ends-before-start"]


@pytest.mark.parametrize(
    ("elements", "raw", "rate"),
    [
        ([(34, 4)], struct.pack(">I", 512), 512),
        ([(50, 4)], struct.pack(">I", 64), 64),
        ([(305, 4), (306, 4)], struct.pack(">II", 1, 255), 256),
        ([(305, 4), (306, 4)], struct.pack(">II", 2, 3), 3),
        ([(309, 4), (310, 4)], struct.pack(">II", 1, 100), 100),
        ([(311, 8)], struct.pack(">d", 0.001), 1000),
        ([(311, 8)], struct.pack(">d", float("nan")), None),
        ([(305, 4)], struct.pack(">I", 7), None),
        ([(34, 4)], struct.pack(">I", 0), None),
    ],
)
def test_sampling_that_options_tell_holds_for_the_flows_that_follow(
    elements: list[tuple[int, int]], raw: bytes, rate: int | None
) -> None:
    known = flow_set(3, ipfix_options(257, [(149, 4)], elements)) + flow_set(2, template(256, *SIMPLE))
    data = flow_set(256, FLOW)
    before = ipfix(known, data)
    rows = rows_of(before, ipfix(flow_set(257, bytes(4) + raw), sequence=1), ipfix(data, sequence=2))
    assert [row["sampling_rate"] for row in rows] == [None, rate]


def test_sampling_goes_by_sampler_and_by_interface() -> None:
    options = v9(
        flow_set(1, v9_options(258, [(1, 4)], [(48, 1), (50, 4)])),
        flow_set(258, bytes(4) + b"\1" + (10).to_bytes(4) + bytes(4) + b"\2" + (20).to_bytes(4)),
        flow_set(1, v9_options(259, [(2, 4)], [(34, 4)])),
        flow_set(259, struct.pack(">II", 5, 30)),
    )
    known = flow_set(0, template(256, (48, 1), (10, 2)))
    records = [b"\1\0\0", b"\2\0\0", b"\0\0\5", b"\0\0\0"]
    outcome = outcome_of(options, v9(known, flow_set(256, b"".join(records)), sequence=1))
    rows = outcome.only("flows")
    assert [row["sampling_rate"] for row in rows] == [10, 20, 30, None]
    assert [row["dq_flags"] for row in rows] == [[], [], [], ["sampling-ambiguous"]]
    assert reasons(outcome)[1] == ("flow-options", 2)


def test_options_of_the_whole_system_hold_for_all_its_domains_that_say_nothing_themselves() -> None:
    options = flow_set(1, v9_options(258, [(1, 4)], [(34, 4)]) + v9_options(259, [(2, 4)], [(34, 4)]))
    known = flow_set(0, template(256, *SIMPLE))
    system, interface = flow_set(258, struct.pack(">II", 0, 50)), flow_set(259, struct.pack(">II", 1, 60))
    data = flow_set(256, FLOW)
    assert rows_of(v9(options, system), v9(known, data, domain=8))[0]["sampling_rate"] == 50
    assert rows_of(v9(options, interface), v9(known, data, domain=8))[0]["sampling_rate"] is None
    bare = v9(flow_set(1, v9_options(258, [(1, 0)], [(34, 4)])), flow_set(258, struct.pack(">I", 50)))
    assert rows_of(bare, v9(known, data, domain=8))[0]["sampling_rate"] == 50
    own = v9(options, flow_set(258, struct.pack(">II", 0, 70)), domain=8)
    assert (
        rows_of(own, v9(options, system, sequence=1), v9(known, data, domain=8, sequence=1))[0]["sampling_rate"] == 70
    )


def test_a_flow_that_tells_its_own_rate_has_it() -> None:
    assert one((34, 4), (1, 4), record=struct.pack(">II", 9, 1))["sampling_rate"] == 9


GAP = ["sequence-gap", "lost-before:4"]


def test_v5_counts_flows() -> None:
    rows = rows_of(v5([{}, {}], sequence=10), v5([{}], sequence=12), v5([{}, {}], sequence=17))
    assert [row["dq_flags"] for row in rows] == [[], [], [], GAP, []]


def test_v9_counts_packets() -> None:
    known, data = flow_set(0, template(256, *SIMPLE)), flow_set(256, FLOW * 2)
    rows = rows_of(v9(known, data, sequence=0xFFFFFFFF), v9(data, sequence=0), v9(sequence=5), v9(data, sequence=6))
    assert [row["dq_flags"] for row in rows] == [[], [], [], [], GAP, []]


def test_ipfix_counts_data_records_of_flows_and_options() -> None:
    known = flow_set(2, template(256, *SIMPLE)) + flow_set(3, ipfix_options(257, [(149, 4)], [(34, 4)]))
    data, options = flow_set(256, FLOW * 2), flow_set(257, bytes(8))
    rows = rows_of(ipfix(known, data, options, sequence=10), ipfix(data, sequence=13), ipfix(data, sequence=19))
    assert [row["dq_flags"] for row in rows] == [[], [], [], [], GAP, []]


def test_a_message_of_unknown_size_makes_no_gap() -> None:
    known, data = flow_set(2, template(256, *SIMPLE)), flow_set(256, FLOW)
    rows = rows_of(ipfix(known, data), ipfix(flow_set(300, FLOW), sequence=1), ipfix(data, sequence=4))
    assert [row["dq_flags"] for row in rows] == [[], []]


def test_a_late_message_is_no_gap_and_a_restart_is_noticed_once() -> None:
    def flags(*numbers: int) -> list[list[str]]:
        return [row["dq_flags"] for row in rows_of(*(v5([{}], sequence=number) for number in numbers))]

    assert flags(10, 12, 11, 13) == [[], ["sequence-gap", "lost-before:1"], ["sequence-back"], []]
    assert flags(1000, 0, 1, 2) == [[], ["sequence-back"], [], []]


def test_processes_of_one_exporter_number_their_messages_on_their_own() -> None:
    frames = [udp(v5([{}], sequence=n), ports=(port, 2055)) for n, port in [(5, 1), (900, 2), (6, 1), (901, 2)]]
    outcome = check_conservation(NetFlow(), pcap(frames))
    assert all(row["dq_flags"] == [] for row in outcome.only("flows"))


def test_a_damaged_set_header_ends_its_datagram_and_no_other() -> None:
    known, data = flow_set(2, template(256, *SIMPLE)), flow_set(256, FLOW)
    broken = data[:2] + b"\0\3" + data[4:]
    outcome = outcome_of(ipfix(known, data, broken, data), ipfix(data, sequence=9))
    assert len(outcome.only("flows")) == 2
    assert outcome.codes() == [("bad-set", 1, None)]
    assert outcome.quarantined[0].raw == broken + data


def test_a_message_longer_or_shorter_than_its_datagram_is_read_as_far_as_it_goes() -> None:
    known, data = flow_set(2, template(256, *SIMPLE)), flow_set(256, FLOW)
    outcome = outcome_of(ipfix(known, data, data)[:-5])
    assert (len(outcome.only("flows")), outcome.codes()) == (1, [("message-truncated", 1, None)])
    outcome = outcome_of(ipfix(known, data) + b"more")
    assert (len(outcome.only("flows")), outcome.codes()) == (1, [("trailing-bytes", 1, None)])
    assert outcome_of(b"\0\x0a\0\4" + bytes(12)).codes() == [("bad-length", 1, None)]
    assert outcome_of(ipfix()[:12], v9()[:12]).codes() == [("message-truncated", 1, None)] * 2
    assert reasons(outcome_of(ipfix(), v9())) == [("empty-message", 2)]


@pytest.mark.parametrize(
    "body",
    [
        template(255, *SIMPLE),
        template(256, (8, 0)),
        template(256, (8, 4), (12, 4))[:-2],
        struct.pack(">HH", 256, 2000) + bytes(100),
        template(256, *[(8, 1)] * (netflow_limits.LARGEST_TEMPLATE_FIELDS + 1)),
    ],
)
def test_a_bad_template_is_set_aside_with_its_set_and_the_good_ones_before_it_are_kept(body: bytes) -> None:
    known = flow_set(2, template(300, *SIMPLE) + body)
    outcome = outcome_of(ipfix(known, flow_set(300, FLOW)))
    assert (len(outcome.only("flows")), outcome.codes()) == (1, [("bad-template", 1, None)])


@pytest.mark.parametrize(
    "payload",
    [
        v9(flow_set(1, struct.pack(">HHH", 256, 3, 4) + bytes(8))),
        v9(flow_set(1, struct.pack(">HHH", 256, 0, 0))),
        v9(flow_set(0, struct.pack(">HH", 256, 0))),
        ipfix(flow_set(3, ipfix_options(256, [], [(34, 4)]))),
        ipfix(flow_set(3, struct.pack(">HHH", 256, 1, 2) + bytes(8))),
        ipfix(flow_set(3, struct.pack(">HH", 256, 1))),
    ],
)
def test_a_bad_options_template_is_set_aside(payload: bytes) -> None:
    assert outcome_of(payload).codes() == [("bad-template", 1, None)]


def test_reserved_and_empty_sets_are_one_fact_each() -> None:
    outcome = outcome_of(ipfix(flow_set(4, b"1234"), flow_set(2, template(256, *SIMPLE)), flow_set(256, b"123")))
    assert outcome.codes() == [("reserved-set", 1, None)]
    assert reasons(outcome) == [("flow-template", 1), ("empty-set", 1)]


def test_datagrams_of_other_protocols_are_left_out() -> None:
    outcome = outcome_of(b"", b"\0", b"\0\7hello", v5([{}]))
    assert (len(outcome.only("flows")), reasons(outcome)) == (1, [("other-protocol", 3)])


def test_packets_without_datagram_are_left_out_or_set_aside() -> None:
    tcp = bytearray(udp(b""))
    tcp[9] = 6
    outcome = check_conservation(NetFlow(), pcap([bytes(tcp), udp(v5([{}]))[:-1], udp(v5([{}]))]) + b"rest")
    assert (reasons(outcome), len(outcome.only("flows"))) == ([("not-udp", 1)], 1)
    assert outcome.codes() == [("packet-truncated", 1, None), ("capture-damaged", 1, None)]


def test_templates_and_waiting_sets_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("netflow_templates", "netflow_count"):
        monkeypatch.setattr(f"cellwright.telemetry.formats.{module}.TEMPLATES_KEPT", 2)
        monkeypatch.setattr(f"cellwright.telemetry.formats.{module}.FIELDS_KEPT", 7)
    for module in ("netflow_messages", "netflow_count"):
        monkeypatch.setattr(f"cellwright.telemetry.formats.{module}.WAITING_SETS", 1)
    three = flow_set(2, b"".join(template(number, *SIMPLE) for number in (256, 257, 258)))
    outcome = outcome_of(ipfix(three, *(flow_set(number, FLOW) for number in (256, 257, 258, 259))))
    assert outcome.codes() == [("too-many-templates", 1, None), ("no-template", 1, None), ("no-template", 1, None)]
    assert len(outcome.only("flows")) == 2
    room = ipfix(flow_set(2, struct.pack(">HH", 256, 0) + template(258, *SIMPLE)), flow_set(258, FLOW))
    assert outcome_of(ipfix(three), room).codes() == [("too-many-templates", 1, None)]
    wide = ipfix(flow_set(2, template(256, *SIMPLE, *SIMPLE) + template(257, *SIMPLE)))
    assert outcome_of(wide).codes() == [("too-many-templates", 1, None)]


def test_templates_of_many_empty_fields_do_not_fill_the_memory() -> None:
    """A datagram of one-octet records, each of a thousand empty values, must not become millions of texts."""
    wide = template(256, *[(82, 0)] * 1000, (4, 1))
    rows = rows_of(ipfix(flow_set(2, wide)), ipfix(flow_set(256, b"\6" * 30_000)))
    assert (len(rows), rows[0]["elements"]) == (30_000, [])


def test_every_known_element_has_one_name() -> None:
    assert len({known.name for known in ELEMENTS.values()}) == len(ELEMENTS)
    assert element(0, 8).name == "sourceIPv4Address"
    assert element(29305, 9999).name == "29305:9999"


@given(st.sampled_from(sorted({known.kind for known in ELEMENTS.values()})), st.binary(max_size=40))
def test_any_octets_of_any_type_have_a_text(kind: str, raw: bytes) -> None:
    assert isinstance(text_of(kind)(raw), str)


@pytest.mark.parametrize(
    ("kind", "raw", "text"),
    [
        ("signed32", b"\xff\xff", "-1"),
        ("float64", struct.pack(">d", 0.5), "0.5"),
        ("float64", struct.pack(">f", 0.5), "0.5"),
        ("float64", b"123", "0x313233"),
        ("boolean", b"\1", "true"),
        ("boolean", b"\2", "false"),
        ("boolean", b"\3", "0x03"),
        ("dateTimeSeconds", T0.to_bytes(4), "2023-11-14T22:13:20Z"),
        ("dateTimeMicroseconds", struct.pack(">II", 0, 0), "2036-02-07T06:28:16Z"),
        ("dateTimeMilliseconds", b"\xff" * 8, "0xffffffffffffffff"),
        ("string", b"caf\xc3\xa9\0", "café"),
        ("macAddress", b"12", "0x3132"),
        ("unsigned8", b"\xff" * 33, "0x" + "ff" * 33),
        ("octetArray", b"user@example", "user@example"),
        ("octetArray", b"\0\1\2\3", "0x00010203"),
        ("unknown", b"001010123456789", "001010123456789"),
        ("unknown", (1010123456789).to_bytes(8), "1010123456789"),
        ("unknown", bytes([10, 0, 0, 7]), "10.0.0.7"),
        ("unknown", bytes.fromhex("00005e005301"), "00:00:5e:00:53:01"),
        ("unknown", bytes(15) + b"\1", "::1"),
        ("unknown", bytes(9), "0x" + "00" * 9),
    ],
)
def test_values_have_the_text_of_their_type(kind: str, raw: bytes, text: str) -> None:
    assert text_of(kind)(raw) == text


@pytest.mark.parametrize("field", [(313, 4), (314, 4), (291, 4), (314, 4, 29305)])
def test_parts_of_packets_and_lists_are_not_told(field: tuple[int, ...]) -> None:
    row = one(field, record=bytes([10, 0, 0, 7]))
    assert (row["elements"][0][1], row["dq_flags"]) == ("(4 octets)", ["content-withheld"])


def test_octets_are_text_only_when_all_of_them_are() -> None:
    assert octets_text(b"\0\1\2\3") == "0x00010203"
    assert octets_text(b"abcd") == "0x61626364"


def test_captures_of_flow_messages_are_detected_and_others_are_not() -> None:
    def detects(*payloads: bytes) -> bool:
        return NetFlow().detects(pcap([udp(payload) for payload in payloads]), "x.pcap")

    assert detects(b"other", v5([{}]))
    assert detects(v9(flow_set(0, template(256, *SIMPLE))))
    assert detects(ipfix(flow_set(256, FLOW)))
    assert not detects(b"\0\5" + bytes(60))
    assert not detects(b"\0\x0a" + bytes(60))
    assert not detects(ipfix())
    assert not NetFlow().detects(b"", "x.pcap")
    assert not NetFlow().detects(b"<34>1 - - - - - -\n", "x.log")
    assert NetFlow().detects(pcap([udp(v5([{}]))] * 3)[:200], "cut.pcap")


SEEDS = [
    pcap([udp(v5([{}, {}])), udp(v9(flow_set(0, template(256, *SIMPLE)), flow_set(256, FLOW * 2)))]),
    pcap(
        [
            udp(ipfix(flow_set(2, template(256, (82, 65535), (1, 8), (12235, 4, 9))))),
            udp(ipfix(flow_set(256, (b"\3abc" + bytes(12)) * 2), flow_set(257, bytes(16)))),
            udp(ipfix(flow_set(3, ipfix_options(257, [(302, 4)], [(34, 4)])), flow_set(2, struct.pack(">HH", 256, 0)))),
            udp(ipfix(flow_set(256, b"\3abc" + bytes(12)))),
        ]
    ),
    pcap([udp(v9(flow_set(1, v9_options(258, [(1, 4)], [(48, 1), (50, 4)])), flow_set(258, bytes(18))))]),
]
WORDS = [0, 1, 2, 3, 4, 8, 9, 255, 256, 257, 258, 0xFFFF, 0x8000]


@settings(max_examples=300)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(WORDS)), max_size=6),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 6), st.binary(max_size=6)), max_size=2),
)
def test_damaged_captures_conserve_every_fact(
    seed: bytes, words: list[tuple[int, int]], edits: list[tuple[int, int, bytes]]
) -> None:
    data = bytearray(seed)
    for place, word in words:
        at = place % (len(data) // 2) * 2
        data[at : at + 2] = word.to_bytes(2)
    check_conservation(NetFlow(), mutated(bytes(data), edits))


templates = st.builds(
    template,
    st.integers(254, 259),
    *[
        st.tuples(st.sampled_from([1, 7, 8, 22, 34, 82, 154]), st.sampled_from([0, 1, 2, 4, 8, 65535]))
        | st.tuples(st.just(1), st.sampled_from([1, 4, 65535]), st.just(9))
    ]
    * 2,
)
option_templates = st.builds(
    ipfix_options, st.integers(254, 259), st.just([(302, 2)]), st.just([(34, 2), (160, 65535)])
) | st.builds(v9_options, st.integers(254, 259), st.just([(2, 2)]), st.just([(34, 2)]))
withdrawals = st.builds(struct.Struct(">HH").pack, st.sampled_from([2, 3, 256, 257, 258]), st.just(0))
set_bodies = templates | option_templates | withdrawals | st.binary(max_size=40)
sets = st.builds(
    flow_set,
    st.sampled_from([0, 1, 2, 3, 4, 256, 257, 258]),
    st.lists(set_bodies, max_size=3).map(b"".join),
    padding=st.integers(0, 3),
)
messages = st.builds(
    lambda make, parts, sequence, tail: make(*parts, sequence=sequence) + tail,
    st.sampled_from([v9, ipfix]),
    st.lists(sets, max_size=5),
    st.integers(0, 9),
    st.sampled_from([b"", b"", b"", bytes(3), b"x", bytes(9)]),
)


@settings(max_examples=400)
@given(st.lists(messages, max_size=6))
def test_any_sets_conserve_every_fact(payloads: list[bytes]) -> None:
    outcome_of(*payloads)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([b"\0\5", b"\0\x09", b"\0\x0a", b""]), st.binary(max_size=90)), max_size=4))
def test_any_datagrams_conserve_every_fact(payloads: list[tuple[bytes, bytes]]) -> None:
    outcome_of(*(start + rest for start, rest in payloads))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_flow_message_or_not(payload: bytes) -> None:
    assert isinstance(is_flow_message(payload), bool)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_read_does_not_depend_on_how_the_bytes_arrive(seed: bytes) -> None:
    assert read(NetFlow(), seed, Trickle) == read(NetFlow(), seed)


PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "vrrp": 112}
KEYS = ("iface_in", "iface_out", "ip_src", "ip_dst", "port_src", "port_dst", "ip_proto", "tos")


def collected(row: dict[str, Any]) -> dict[str, Any]:
    """Our row by the names of the other collector, which counts what was sampled as often as it stands for."""
    protocols = {number: name for name, number in PROTOCOLS.items()}
    is_v6 = row["sourceIPv4Address"] in {None, "0.0.0.0"} and row["sourceIPv6Address"] is not None  # noqa: S104
    rate = row["sampling_rate"] or 1
    return {
        "iface_in": row["ingressInterface"],
        "iface_out": row["egressInterface"],
        "ip_src": row["sourceIPv6Address" if is_v6 else "sourceIPv4Address"],
        "ip_dst": row["destinationIPv6Address" if is_v6 else "destinationIPv4Address"],
        "port_src": row["sourceTransportPort"],
        "port_dst": row["destinationTransportPort"],
        "ip_proto": protocols.get(row["protocolIdentifier"], str(row["protocolIdentifier"])),
        "tos": row["ipClassOfService"],
        "packets": row["packetDeltaCount"] * rate,
        "bytes": row["octetDeltaCount"] * rate,
    }


def totals(flows: list[dict[str, Any]], keys: list[str]) -> Counter[tuple[str, ...]]:
    """Packets, bytes and nothing else, by the keys that the other collector grouped by."""
    sums: Counter[tuple[str, ...]] = Counter()
    for flow in flows:
        for counted in ("packets", "bytes"):
            sums[(counted, *(str(flow[key]) for key in keys))] += flow[counted]
    return sums


@pytest.mark.data
def test_public_captures_hold_the_flows_that_another_collector_reads() -> None:
    captures = sorted(public_data("flows").glob("*.pcap"))
    assert captures
    for capture in captures:
        expected = [
            json.loads(line)
            for line in capture.with_suffix(".expected.json").read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
        data = capture.read_bytes()
        outcome = check_conservation(NetFlow(), data)
        assert NetFlow().detects(data[: 1 << 16], capture.name)
        assert outcome.codes() == []
        keys = [key for key in KEYS if all(key in flow for flow in expected)]
        assert keys
        assert totals([collected(row) for row in outcome.only("flows")], keys) == totals(expected, keys)


def spool(payloads: list[bytes], recall: Recall) -> Outcome:
    """Read one file of a capture that begins with what was noted in those before it."""
    frames = [udp(message, source=source, ports=(0, 2055)) for source, message in recall.messages()]
    for payload in payloads:
        recall.note("192.0.2.1", payload)
    return check_conservation(NetFlow(), pcap(frames + [udp(payload) for payload in payloads]))


def test_a_capture_cut_into_files_is_read_as_if_it_were_whole() -> None:
    known = ipfix(flow_set(2, template(256, *SIMPLE)), flow_set(3, ipfix_options(300, [(302, 4)], [(34, 4)])))
    known9 = v9(flow_set(0, template(256, (1, 4), (8, 4))), flow_set(256, b"\0\0\0\x63\1\2\3\4"))
    sampled = ipfix(flow_set(300, struct.pack(">II", 1, 10)))
    again = ipfix(flow_set(2, template(256, (1, 4), (8, 4), (12, 4))), sequence=2)
    data, data9 = ipfix(flow_set(256, FLOW), sequence=1), v9(flow_set(256, b"\0\0\0\x64\1\2\3\4"), sequence=1)
    payloads = [known, known9, sampled, data, again, ipfix(flow_set(256, FLOW), sequence=2), data9, b"other"]
    whole = [row | {"ordinal": 0} for row in rows_of(*payloads)]
    for cut in range(len(payloads) + 1):
        recall = Recall()
        parts = [spool(payloads[:cut], recall), spool(payloads[cut:], recall)]
        assert [row | {"ordinal": 0} for part in parts for row in part.only("flows")] == whole
        assert [item for part in parts for item in part.quarantined] == []


def test_what_was_withdrawn_is_not_recalled() -> None:
    recall = Recall()
    recall.note("192.0.2.1", ipfix(flow_set(2, template(256, *SIMPLE)), flow_set(2, template(257, *SIMPLE))))
    recall.note("192.0.2.1", ipfix(flow_set(2, struct.pack(">HH", 256, 0))))
    assert spool([ipfix(flow_set(256, FLOW), flow_set(257, FLOW))], recall).codes() == [("no-template", 1, None)]
    recall.note("192.0.2.1", ipfix(flow_set(2, struct.pack(">HH", 2, 0))))
    assert list(recall.messages()) == []


def test_what_is_recalled_of_a_domain_fits_one_datagram() -> None:
    recall = Recall()
    for number in range(256, 1256):
        recall.note("192.0.2.1", v9(flow_set(0, template(number, *[(82, 1)] * 100))))
    ((_, message),) = recall.messages()
    assert len(message) <= 65_507
    assert spool([v9(flow_set(1255, bytes(100)))], recall).codes() == []


@given(st.lists(messages, max_size=6))
def test_any_messages_can_be_recalled(payloads: list[bytes]) -> None:
    recall = Recall()
    for payload in payloads:
        recall.note("192.0.2.1", payload)
    outcome = check_conservation(NetFlow(), pcap([udp(message) for _, message in recall.messages()]))
    assert {item.code for item in outcome.quarantined} <= {"too-many-templates", "bad-record", "no-template"}
