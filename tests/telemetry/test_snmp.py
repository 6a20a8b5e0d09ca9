from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from capture_kit import T0, integer, octets, oid, pcap, pcapng, scoped, tlv, trap_pdu, udp, v1, v2c, v3, v5, varbinds
from format_kit import Outcome, Trickle, check_conservation, mutated, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.snmp import Snmp
from cellwright.telemetry.formats.snmp_ber import BerError, Cursor, read_integer, read_oid, value_text
from cellwright.telemetry.formats.snmp_messages import UnreadError, is_message, read_notification
from cellwright.telemetry.formats.snmp_names import name_of

LINK_DOWN, LINK_UP, COLD_START = (f"1.3.6.1.6.3.1.1.5.{number}" for number in (3, 4, 1))
VENDOR = "1.3.6.1.4.1.99999.0.7"
IF = "1.3.6.1.2.1.2.2.1"
RECEIVED = datetime.fromtimestamp(T0, UTC) + timedelta(seconds=0.25)
INTERFACE = ((f"{IF}.1.5", integer(5)), (f"{IF}.7.5", integer(1)), (f"{IF}.8.5", integer(2)))


def outcome_of(*payloads: bytes, ports: tuple[int, int] = (40000, 162)) -> Outcome:
    return check_conservation(Snmp(), pcap([udp(payload, ports=ports) for payload in payloads]))


def row_of(payload: bytes, table: str) -> dict[str, Any]:
    (row,) = outcome_of(payload).only(table)
    return {name: value for name, value in row.items() if value is not None}


def codes(*payloads: bytes) -> list[str]:
    return [item.code for item in outcome_of(*payloads).quarantined]


def test_a_link_going_down_raises_an_alarm() -> None:
    assert row_of(v2c(trap_pdu(LINK_DOWN, *INTERFACE)), "alarm_events") == {
        "alarm_id": "192.0.2.1/linkDown/5",
        "notification_type": "notifyNewAlarm",
        "event_ts": RECEIVED,
        "raised_ts": RECEIVED,
        "event_type": "COMMUNICATIONS_ALARM",
        "probable_cause": "communicationsSubsystemFailure",
        "perceived_severity": "INDETERMINATE",
        "specific_problem": "linkDown",
        "object_dn": "ManagedElement=192.0.2.1,interface=5",
        "additional": [
            ("snmp.version", "2c"),
            ("snmp.trap", "linkDown"),
            ("snmp.sysUpTime", "4200"),
            ("ifIndex.5", "5"),
            ("ifAdminStatus.5", "1"),
            ("ifOperStatus.5", "2"),
        ],
        "ordinal": 0,
        "dq_flags": ["receipt-time"],
    }


def test_a_link_coming_up_clears_the_same_alarm() -> None:
    down, up = outcome_of(v2c(trap_pdu(LINK_DOWN, *INTERFACE)), v2c(trap_pdu(LINK_UP, *INTERFACE))).only("alarm_events")
    assert (up["alarm_id"], up["object_dn"]) == (down["alarm_id"], down["object_dn"])
    assert (up["notification_type"], up["perceived_severity"]) == ("notifyClearedAlarm", "CLEARED")
    assert (up["raised_ts"], up["cleared_ts"]) == (None, RECEIVED + timedelta(seconds=1))


def test_the_interface_is_told_by_any_object_of_it_or_flagged() -> None:
    assert row_of(v2c(trap_pdu(LINK_DOWN, (f"{IF}.2.8", octets(b"eth8")))), "alarm_events")["alarm_id"].endswith("/8")
    row = row_of(v2c(trap_pdu(LINK_DOWN)), "alarm_events")
    assert (row["alarm_id"], row["dq_flags"]) == ("192.0.2.1/linkDown", ["receipt-time", "no-index"])


@pytest.mark.parametrize(
    ("trap", "event_type", "cause"),
    [
        (COLD_START, "PROCESSING_ERROR_ALARM", "lossOfRealTime"),
        ("1.3.6.1.6.3.1.1.5.2", "PROCESSING_ERROR_ALARM", "lossOfRealTime"),
        ("1.3.6.1.6.3.1.1.5.5", "SECURITY_SERVICE_OR_MECHANISM_VIOLATION", "authenticationFailure"),
    ],
)
def test_restarts_and_failed_authentications_are_alarms(trap: str, event_type: str, cause: str) -> None:
    row = row_of(v2c(trap_pdu(trap)), "alarm_events")
    assert (row["event_type"], row["probable_cause"], row["perceived_severity"]) == (event_type, cause, "WARNING")
    assert row["notification_type"] == "notifyNewAlarm"


def modelled(trap: str, state: int) -> bytes:
    entry = "1.3.6.1.2.1.118.1.2.2.1"
    model = (f"{entry}.13.0.8.1.2.3", oid(f"1.3.6.1.2.1.118.1.1.2.1.3.0.12.{state}"))
    return v2c(trap_pdu(trap, model, (f"{entry}.10.0.8.1.2.3", oid(f"{IF}.1.5"))))


def test_alarms_of_the_alarm_mib_have_the_severity_of_their_model() -> None:
    raised = row_of(modelled("1.3.6.1.2.1.118.0.2", 5), "alarm_events")
    cleared = row_of(modelled("1.3.6.1.2.1.118.0.3", 1), "alarm_events")
    assert raised["alarm_id"] == cleared["alarm_id"] == "192.0.2.1/alarmModel-0-12/ifIndex.5"
    assert (raised["perceived_severity"], cleared["perceived_severity"]) == ("MAJOR", "CLEARED")
    assert cleared["notification_type"] == "notifyClearedAlarm"
    bare = row_of(v2c(trap_pdu("1.3.6.1.2.1.118.0.2")), "alarm_events")
    assert (bare["alarm_id"], bare["perceived_severity"]) == ("192.0.2.1/alarmActiveState", "INDETERMINATE")


def test_sessions_and_thresholds_raise_and_clear() -> None:
    bgp = ("1.3.6.1.2.1.15.3.1.2.10.9.8.7", integer(1))
    down, up = outcome_of(*(v2c(trap_pdu(f"1.3.6.1.2.1.15.0.{number}", bgp)) for number in (2, 1))).only("alarm_events")
    assert down["alarm_id"] == up["alarm_id"] == "192.0.2.1/bgpBackwardTransNotification/10.9.8.7"
    assert up["notification_type"] == "notifyClearedAlarm"
    rmon = ("1.3.6.1.2.1.16.3.1.1.1.4", integer(4))
    rising, falling = outcome_of(*(v2c(trap_pdu(f"1.3.6.1.2.1.16.0.{number}", rmon)) for number in (1, 2))).only(
        "alarm_events"
    )
    assert rising["alarm_id"] == falling["alarm_id"] == "192.0.2.1/risingAlarm/4"
    assert (rising["object_dn"], falling["cleared_ts"] is None) == ("ManagedElement=192.0.2.1", False)


def test_any_other_notification_is_a_log_record_with_its_variables() -> None:
    pairs = (
        ("1.3.6.1.4.1.99999.1.1", octets(b"fan 3 stopped")),
        ("1.3.6.1.4.1.99999.1.1", octets(b"\x00\xff")),
        ("1.3.6.1.4.1.99999.1.2", integer((1 << 64) - 1, 0x46)),
        ("1.3.6.1.4.1.99999.1.3", tlv(0x40, bytes([192, 0, 2, 9]))),
        ("1.3.6.1.4.1.99999.1.4", tlv(0x81)),
        ("1.3.6.1.4.1.99999.1.5", tlv(5)),
        ("1.3.6.1.4.1.99999.1.6", oid("2.999.3")),
    )
    row = row_of(v2c(trap_pdu(VENDOR, *pairs)), "logs")
    assert (row["ts"], row["body"], row["msgid"], row["host"]) == (RECEIVED, VENDOR, VENDOR, "192.0.2.1")
    assert row["attributes"][3:] == [
        ("1.3.6.1.4.1.99999.1.1", "fan 3 stopped"),
        ("1.3.6.1.4.1.99999.1.1#2", "0x00ff"),
        ("1.3.6.1.4.1.99999.1.2", str((1 << 64) - 1)),
        ("1.3.6.1.4.1.99999.1.3", "192.0.2.9"),
        ("1.3.6.1.4.1.99999.1.4", "noSuchInstance"),
        ("1.3.6.1.4.1.99999.1.5", "null"),
        ("1.3.6.1.4.1.99999.1.6", "2.999.3"),
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (bytes.fromhex("00005e005301"), "00:00:5e:00:53:01"),
        (bytes([10, 0, 0, 7]), "10.0.0.7"),
        (bytes.fromhex("20010db8") + bytes(11) + b"\1", "2001:db8::1"),
        (bytes([7, 231, 11, 14, 22, 13, 20, 0]), "0x07e70b0e160d1400"),
        (b"fan\0", "fan"),
        ("Tür".encode(), "Tür"),
        (b"", ""),
    ],
)
def test_octets_that_may_be_an_address_have_its_form(raw: bytes, text: str) -> None:
    """Only in it does the pseudonymiser find them."""
    assert value_text(4, raw) == text


def test_an_inform_is_read_as_a_trap() -> None:
    row = row_of(v2c(trap_pdu(VENDOR, tag=0xA6)), "logs")
    assert ("snmp.inform", "true") in row["attributes"]


def test_a_v1_trap_is_read_as_rfc_3584_converts_it() -> None:
    row = row_of(v1("1.3.6.1.4.1.99999", 2, 0, *INTERFACE), "alarm_events")
    assert (row["alarm_id"], row["specific_problem"]) == ("198.51.100.9/linkDown/5", "linkDown")
    assert ("snmpTrapEnterprise.0", "1.3.6.1.4.1.99999") in row["additional"]
    row = row_of(v1("1.3.6.1.4.1.99999", 6, 7, agent="0.0.0.0"), "logs")  # noqa: S104 - no address
    assert (row["msgid"], row["host"]) == (VENDOR, "192.0.2.1")
    assert codes(v1("1.3.6.1.4.1.99999", 7, 0)) == ["bad-ber"]


def test_a_trap_that_a_proxy_passes_on_names_its_agent() -> None:
    address = ("1.3.6.1.6.3.18.1.3.0", tlv(0x40, bytes([198, 51, 100, 4])))
    assert row_of(v2c(trap_pdu(COLD_START, address)), "alarm_events")["alarm_id"] == "198.51.100.4/coldStart"


def test_communities_and_users_are_never_told() -> None:
    pairs = (
        ("1.3.6.1.6.3.18.1.4.0", octets(b"another secret")),
        ("1.3.6.1.6.3.15.1.2.2.1.6.3.1.2.3", octets(b"a key")),
        ("1.3.6.1.4.1.99999.1.1", octets(b"denied: s3cretcomm or s3cretuser")),
        ("1.3.6.1.4.1.99999.1.2", octets(b"s3cretcomm")),
    )
    outcome = outcome_of(
        v2c(trap_pdu(VENDOR, *pairs)),
        v3(scoped(trap_pdu(VENDOR, *pairs))),
        v1("1.3.6.1.4.1.99999", 6, 7, *pairs),
        v2c(trap_pdu(VENDOR)[:-3]),
    )
    rows = outcome.only("logs")
    assert [row["dq_flags"] for row in rows] == [["receipt-time", "secret-withheld"]] * 3
    told = [dict(row["attributes"])["1.3.6.1.4.1.99999.1.1"] for row in rows]
    assert "s3cretcomm" not in told[0]
    assert "s3cretuser" not in told[1]
    assert dict(rows[0]["attributes"])["1.3.6.1.4.1.99999.1.2"] == "(withheld)"
    shown = repr([row["attributes"] for row in rows])
    assert "another secret" not in shown
    assert "a key" not in shown
    assert not any("s3cret" in item.reason for item in outcome.quarantined)


def test_v3_is_read_as_far_as_its_keys_are_not_needed() -> None:
    plain = scoped(trap_pdu(LINK_DOWN, *INTERFACE))
    assert row_of(v3(plain), "alarm_events")["dq_flags"] == ["receipt-time"]
    assert row_of(v3(plain, flags=1), "alarm_events")["dq_flags"] == ["receipt-time", "unauthenticated"]
    assert row_of(v3(plain, flags=5), "alarm_events")["dq_flags"] == ["receipt-time", "unauthenticated"]
    assert codes(v3(octets(b"\x07" * 40), flags=3)) == ["snmp-encrypted"]
    assert codes(v3(plain, flags=2)) == ["bad-ber"]
    assert codes(v3(plain, model=2)) == ["snmp-security-model"]


def test_requests_and_responses_are_left_out() -> None:
    pdu = tlv(0xA0, integer(1), integer(0), integer(0), varbinds((f"{IF}.1.5", tlv(5))))
    outcome = outcome_of(v2c(pdu), v3(scoped(tlv(0xA8, integer(1), integer(0), integer(0), varbinds()))))
    assert [(item.reason, item.facts) for item in outcome.filtered] == [("not-a-notification", 2)]
    encrypted = v3(octets(b"\x07" * 40), flags=3)
    polled = outcome_of(encrypted, ports=(161, 40000))
    assert [(item.reason, item.facts) for item in polled.filtered] == [("not-a-notification", 1)]
    assert [item.code for item in outcome_of(encrypted, ports=(161, 162)).quarantined] == ["snmp-encrypted"]


def test_datagrams_of_other_protocols_are_left_out_and_garbage_for_the_trap_port_is_set_aside() -> None:
    other = outcome_of(b"hello", v5([{}]), b"", ports=(1, 2055))
    assert [(item.reason, item.facts) for item in other.filtered] == [("other-protocol", 3)]
    assert codes(b"hello") == ["bad-ber"]
    assert [item.reason for item in outcome_of(b"").filtered] == ["other-protocol"]
    assert len(outcome_of(v2c(trap_pdu(COLD_START)), ports=(1, 9162)).only("alarm_events")) == 1


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (tlv(0x30, integer(2), octets(b"c"), trap_pdu(VENDOR)), "snmp-version"),
        (tlv(0x30, integer(1), octets(b"c"), tlv(0xA7, integer(1), integer(0), integer(0), varbinds())), "no-trap-oid"),
        (tlv(0x30, integer(0), octets(b"c"), trap_pdu(VENDOR)), "bad-ber"),
        (v2c(tlv(0x31)), "bad-ber"),
        (v2c(b""), "bad-ber"),
        (b"\x30\x80\x02\x01\x01\x00\x00", "bad-ber"),
        (b"\x30\x84\xff\xff\xff\xff\x02\x01\x01", "bad-ber"),
        (b"\x30\x89" + b"\xff" * 9, "bad-ber"),
        (b"\x3f\x81\x01\x00", "bad-ber"),
        (b"\x30\x82" * 2000, "bad-ber"),
        (
            v2c(tlv(0xA7, integer(1), integer(0), integer(0), tlv(0x30, b"\x30\x09" + oid("1.3.6") + b"\4\0"))),
            "bad-ber",
        ),
        (tlv(0x30, integer(1), b"\4\x04c", trap_pdu(VENDOR)) + bytes(9), "bad-ber"),
        (
            v2c(tlv(0xA7, integer(1), integer(0), integer(0), tlv(0x30, tlv(0x30, b"\6\7\x2b", tlv(4, b"12345"))))),
            "bad-ber",
        ),
        (tlv(0x30, *[b"\x30\x81\xff"] * 3000), "bad-ber"),
    ],
)
def test_what_cannot_be_read_is_set_aside_whole(payload: bytes, code: str) -> None:
    outcome = outcome_of(payload, v2c(trap_pdu(COLD_START)))
    assert [(item.code, item.raw) for item in outcome.quarantined] == [(code, payload)]
    assert len(outcome.only("alarm_events")) == 1


def test_deep_nesting_costs_nothing() -> None:
    bomb = b""
    for _ in range(5000):
        bomb = tlv(0x30, bomb)
    value = ("1.3.6.1.4.1.99999.1.1", bomb)
    assert codes(bomb) == ["bad-ber"]
    assert row_of(v2c(trap_pdu(VENDOR, value)), "logs")["attributes"][3][1].startswith("0x30")


def test_variables_out_of_order_and_bytes_behind_the_message_are_flagged() -> None:
    pairs = varbinds(("1.3.6.1.6.3.1.1.4.1.0", oid(VENDOR)), ("1.3.6.1.2.1.1.3.0", integer(7, 0x43)))
    payload = v2c(tlv(0xA7, integer(1), integer(0), integer(0), pairs)) + b"\0"
    row = row_of(payload, "logs")
    assert row["dq_flags"] == ["receipt-time", "trailing-bytes", "variables-out-of-order"]
    assert ("snmp.sysUpTime", "7") in row["attributes"]


@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=20), st.integers(0, 2), st.integers(0, 39))
def test_object_identifiers_come_back(rest: list[int], first: int, second: int) -> None:
    text = ".".join(map(str, [first, second, *rest]))
    assert read_oid(Cursor(oid(text)).contents(6)) == text


@pytest.mark.parametrize("raw", [b"\x80\x01", b"\x2b\x80", b"\x2b\xff\xff\xff\xff\xff\x7f", b"\x2b" * 200])
def test_what_is_no_object_identifier_is_refused(raw: bytes) -> None:
    with pytest.raises(BerError):
        read_oid(raw)


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_integers_come_back(number: int) -> None:
    assert Cursor(integer(number)).integer() == number


@pytest.mark.parametrize("raw", [b"", bytes(10)])
def test_integers_of_no_or_too_many_octets_are_refused(raw: bytes) -> None:
    with pytest.raises(BerError):
        read_integer(raw)


@given(st.integers(0, 255), st.binary(max_size=40))
def test_any_value_has_a_text_or_is_refused(tag: int, contents: bytes) -> None:
    try:
        assert isinstance(value_text(tag, contents), str)
    except BerError:
        assert tag in {2, 6, 0x41, 0x42, 0x43, 0x46}


def test_known_objects_have_names() -> None:
    assert [name_of(text) for text in (LINK_DOWN, f"{IF}.1.5", VENDOR, "0.0")] == [
        "linkDown",
        "ifIndex.5",
        VENDOR,
        "0.0",
    ]


@given(st.binary(max_size=80))
def test_any_octets_are_a_notification_or_unread(payload: bytes) -> None:
    assert isinstance(is_message(payload), bool)
    with suppress(UnreadError):
        assert read_notification(payload).trap


def test_captures_of_notifications_are_detected_and_others_are_not() -> None:
    def detects(*payloads: bytes, ports: tuple[int, int] = (1, 162)) -> bool:
        return Snmp().detects(pcap([udp(payload, ports=ports) for payload in payloads]), "x.pcap")

    assert detects(b"x", v2c(trap_pdu(COLD_START)))
    assert detects(v1("1.3.6.1.4.1.9", 6, 1), ports=(1, 2))
    assert detects(v3(octets(bytes(16)), flags=3))
    assert not detects(v3(octets(bytes(16)), flags=3), ports=(1, 161))
    assert not detects(v5([{}]), b"hello", v2c(tlv(0xA0, integer(1))))
    assert not Snmp().detects(b"<34>1 - - - - - -\n", "x.log")
    assert not Snmp().detects(b"", "x.pcap")


SEEDS = [
    pcap([udp(v2c(trap_pdu(LINK_DOWN, *INTERFACE)), ports=(1, 162)), udp(v1("1.3.6.1.4.1.9", 6, 1), ports=(1, 162))]),
    pcap([udp(v3(scoped(trap_pdu(VENDOR)), flags=1), ports=(1, 162)), udp(v5([{}])), udp(b"")]),
]


@settings(max_examples=300)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=6),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 6), st.binary(max_size=6)), max_size=2),
)
def test_damaged_captures_conserve_every_fact(
    seed: bytes, octet_edits: list[tuple[int, int]], edits: list[tuple[int, int, bytes]]
) -> None:
    data = bytearray(seed)
    for at, octet in octet_edits:
        data[at % len(data)] = octet
    check_conservation(Snmp(), mutated(bytes(data), edits))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4), st.sampled_from(range(3)))
def test_damaged_messages_conserve_every_fact(edits: list[tuple[int, int]], which: int) -> None:
    whole = [v2c(trap_pdu(LINK_DOWN, *INTERFACE)), v1("1.3.6.1.4.1.9", 2, 1, *INTERFACE), v3(scoped(trap_pdu(VENDOR)))]
    payload = bytearray(whole[which])
    for at, octet in edits:
        payload[at % len(payload)] = octet
    outcome = outcome_of(bytes(payload))
    assert outcome.facts == 1
    assert not any("s3cret" in item.reason for item in outcome.quarantined)


def test_times_that_no_date_can_say_are_none() -> None:
    options = struct.pack("<HHBB2xHH", 9, 1, 0, 0, 0, 0)
    data = pcapng([udp(v2c(trap_pdu(COLD_START)), ports=(1, 162))], options=options, units=1 << 32)
    (row,) = check_conservation(Snmp(), data).only("alarm_events")
    assert row["event_ts"] is None


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_read_does_not_depend_on_how_the_bytes_arrive(seed: bytes) -> None:
    assert read(Snmp(), seed, Trickle) == read(Snmp(), seed)
