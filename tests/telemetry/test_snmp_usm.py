"""SNMPv3 notifications of known users: checked, decrypted, and set aside where that fails."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest
from capture_kit import ENGINE, USER, integer, octets, pcap, scoped, secured, tlv, trap_pdu, udp, v3
from format_kit import Outcome, check_conservation
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.snmp import Snmp
from cellwright.telemetry.formats.snmp_messages import Notification, read_notification
from cellwright.telemetry.snmp_keys import AUTHENTICATIONS, PRIVACIES, Keys, Usm, UsmUser, key_of, localised

LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
INTERFACE = ("1.3.6.1.2.1.2.2.1.1.5", integer(5))
DATA = scoped(trap_pdu(LINK_DOWN, INTERFACE))
SIGNING, PRIVATE = ("SHA-256", b"authpass99"), ("AES", b"privpass99")
KEYS = Keys.of(ENGINE, SIGNING, PRIVATE)
USM = Usm([UsmUser(USER, SIGNING, PRIVATE)])

# What snmptrap of Net-SNMP 5.9.3 sent: -e 0x8000000001020304 -u nms -A authpass99 -X privpass99, a linkDown of port 5.
SENT = [
    (
        "MD5",
        "DES",
        (
            "3081ab020103301102042b69be7e020300ffe30401030201030431302f04088000000001020304020101020344bf4d04"
            "036e6d73040c1c5b52cb6ff9ece56778acd604080000002b2d259b3f04600d94abdbf6630c40e1e5935ee412a8e29ee0"
            "0f649decd11ad322fb7d6e901144bfbf551adf20b5ec4b5f693bd2a1a6e52954c0e54e389695aa0bc48c20317ce7c2f9"
            "5155456495e501f5024cf3ad37f2e34b72e9da48430b1390f6f4dffdcfc6"
        ),
    ),
    (
        "SHA",
        "AES",
        (
            "3081ab0201033011020454c46b73020300ffe30401030201030431302f04088000000001020304020101020344bf4e04"
            "036e6d73040c2885a5cc61811daa2f9a4371040880055d0e0d67d9c004602255a492bdd33b9bf1c20ee1070577bbcb01"
            "4bb51270000d4d0f756bce3b1ec4d1e5e405ab7d009d93a5fc51f1c79c8d5bf33ff06ab534feaff063c78f47c616e13a"
            "192c04082b60767bdbbd03f85db2b7c078bb6388e70c43b5718f27ff194c"
        ),
    ),
    (
        "SHA-224",
        "AES-192",
        (
            "3081af02010330110204469d30eb020300ffe30401030201030435303304088000000001020304020101020344bf5004"
            "036e6d7304102daa010b0569ba818faf9d7de090df710408f97188a1661cfd5304603ff91b252f48c2ef291d394194a8"
            "561fe8c24393eab0a50ecfe2fa14ba5e1e1788b09c6d34178acbb69db693231cb9e5ec73ad448dd10e1c7c60528143bc"
            "2a04759c8a0a33f461db31ade731a83ac3d1713489b7b8ae990ba9f5f3af55cac4fb"
        ),
    ),
    (
        "SHA-256",
        "AES-256",
        (
            "3081b70201033011020408e344e4020300ffe3040103020103043d303b04088000000001020304020101020344bf5104"
            "036e6d73041887f486d1a52ec79bc0f9162dd88b040f10f141dc9d1a0e2e04082c3917664d3bb3ed046032598c8a7fe2"
            "17d133d321d8f16d04b2b01d79fe7ae87170294418e7b87616e1555c278ed4bb4c9e0e8450a3d7c15308fc55e8c8f44f"
            "5cab45b84c1c370699a1276c5a8773af90251d0b83738dd1f7bf3e0888c49e7bbcada3d687c3df6d75d1"
        ),
    ),
    (
        "SHA",
        "AES-192-C",
        (
            "3081ab0201033011020412b176a4020300ffe30401030201030431302f04088000000001020304020101020344bf5204"
            "036e6d73040ce5e2eebd567f56772003b59104089e203949b795e28b0460f951ac20070d4870239438e9f5120ce84748"
            "30141f3540385d573de8e82308446453212adc19fb48631cfced85c008ae7abcce7e14764685d80851e0d87bb7fcdeb0"
            "5c9ea235abea8375cdf7136f9d88e266aa70f60fe591e33246363d6a18e2"
        ),
    ),
    (
        "SHA",
        "AES-256-C",
        (
            "3081ab020103301102046e1e8578020300ffe30401030201030431302f04088000000001020304020101020344bf5304"
            "036e6d73040cd89e97917df849449c51122d0408ec40f63483883b98046084327bbd12e0c16b33d8177052edf317880e"
            "4eb89fd0af148089e7aafa27e51177e695bf22b05efda24e0e853b7f2d50b4979103cbccbc4289ce105a89bad69956fc"
            "1edf469f3b39264b5dc51d49a89f2a0c88b541a1cd4aff41109562b4e359"
        ),
    ),
    (
        "SHA-384",
        "DES",
        (
            "3081bf020103301102046d5bcba7020300ffe30401030201030445304304088000000001020304020101020344bf5504"
            "036e6d73042062e0dcebc71d5c606555d6ea02f6f9b218a2a196fecdfbd36d785f28c2a573a6040800000031d72e2f1b"
            "0460b2312658ba619f78a8055e8373dd770556d96110b29eb440849cd4558e79464268edb0555f42f80aa843e2999fcd"
            "6f791e92cee8d7a7ba76be9e3aa525d736f13859ff70a4f5df5a34d85b603d8982b74d2669a81787e638b4922fd0f8b3"
            "10d4"
        ),
    ),
    (
        "SHA-512",
        "AES",
        (
            "3081cf020103301102045255c266020300ffe30401030201030455305304088000000001020304020101020344bf5604"
            "036e6d730430bd3705049b4c7b59fe42fd91f2087b1b8e2bac03281e6b7f9d13ec03066b2c8c61a0313e5ebff96316ab"
            "3ec571478b9204081614be5eccb79760046024d6bcd795854482d166854bd6ade171d824d54e64a7af1a1ba6f2da8bee"
            "e89024f089f341b0196dfade2b2a5e93737a92917b8f66378848c0d2aaab8c90dbaac813fbdeb364ea0c40be26d6c2e3"
            "c53afd9c50750df145677a45250d7dae9ec5"
        ),
    ),
]


def outcome_of(*payloads: bytes, usm: Usm | None = USM, ports: tuple[int, int] = (40000, 162)) -> Outcome:
    return check_conservation(Snmp(usm), pcap([udp(payload, ports=ports) for payload in payloads]))


def codes(*payloads: bytes, usm: Usm | None = USM) -> list[str]:
    return [item.code for item in outcome_of(*payloads, usm=usm).quarantined]


@pytest.mark.parametrize(
    ("digest", "key", "local"),
    [
        ("md5", "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
        ("sha1", "9fb5cc0381497b3793528939ff788d5d79145211", "6695febc9288e36282235fc7151f128497b38f3f"),
    ],
)
def test_passwords_become_the_keys_of_rfc_3414_appendix_a_3(digest: str, key: str, local: str) -> None:
    made = key_of(b"maplesyrup", digest)
    assert made.hex() == key
    assert localised(made, bytes(11) + b"\2", digest).hex() == local


def read_sent(datagram: bytes, authentication: str, privacy: str | None) -> Notification:
    private = (privacy, b"privpass99") if privacy else None
    return read_notification(datagram, Usm([UsmUser(b"nms", (authentication, b"authpass99"), private)]))


@pytest.mark.parametrize(("authentication", "privacy", "datagram"), SENT)
def test_what_net_snmp_sent_is_read(authentication: str, privacy: str, datagram: str) -> None:
    read = read_sent(bytes.fromhex(datagram), authentication, privacy)
    assert (read.version, read.trap, read.uptime, read.flags) == ("3", LINK_DOWN, "42", ())
    assert read.variables == ((INTERFACE[0], "5"),)


@pytest.mark.skipif(shutil.which("snmptrap") is None, reason="snmptrap of Net-SNMP is not installed")
@pytest.mark.parametrize("authentication", AUTHENTICATIONS)
@pytest.mark.parametrize("privacy", [None, *PRIVACIES])
def test_what_net_snmp_sends_now_is_read(authentication: str, privacy: str | None) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        secret = ["-l", "authPriv", "-x", privacy, "-X", "privpass99"] if privacy else ["-l", "authNoPriv"]
        user = ["-v3", "-e", "0x8000000001020304", "-u", "nms", "-a", authentication, "-A", "authpass99", *secret]
        to = f"127.0.0.1:{receiver.getsockname()[1]}"
        trap = ["snmptrap", *user, to, "42", LINK_DOWN, INTERFACE[0], "i", "5"]
        subprocess.run(trap, check=True, timeout=10)
        datagram = receiver.recv(65_535)
    assert read_sent(datagram, authentication, privacy).variables == ((INTERFACE[0], "5"),)


def test_what_known_users_signed_and_encrypted_is_a_row_without_a_mark() -> None:
    outcome = outcome_of(secured(DATA, KEYS))
    (row,) = outcome.only("alarm_events")
    assert (row["alarm_id"], row["dq_flags"]) == ("192.0.2.1/linkDown/5", ["receipt-time"])
    signed = Usm([UsmUser(USER, SIGNING, engine=ENGINE)])
    (row,) = outcome_of(secured(DATA, KEYS, flags=1), usm=signed).only("alarm_events")
    assert row["dq_flags"] == ["receipt-time"]


def test_who_is_not_known_is_read_as_far_as_no_key_is_needed() -> None:
    elsewhere = Usm([UsmUser(USER, SIGNING, PRIVATE, engine=b"\x80\0\0\0\1")])
    assert codes(secured(DATA, KEYS), usm=elsewhere) == ["snmp-encrypted"]
    (row,) = outcome_of(secured(DATA, KEYS, flags=1), usm=elsewhere).only("alarm_events")
    assert row["dq_flags"] == ["receipt-time", "unauthenticated"]


def test_an_engine_of_its_own_has_its_own_keys() -> None:
    other = UsmUser(USER, ("MD5", b"other password"))
    both = Usm([other, UsmUser(USER, SIGNING, PRIVATE, engine=ENGINE)])
    assert len(outcome_of(secured(DATA, KEYS), usm=both).only("alarm_events")) == 1


def test_what_was_changed_or_signed_with_another_key_is_set_aside() -> None:
    message = bytearray(secured(DATA, KEYS))
    message[-1] ^= 1
    assert codes(bytes(message)) == ["snmp-wrong-digest"]
    assert codes(secured(DATA, Keys.of(ENGINE, ("SHA-256", b"another one"), PRIVATE))) == ["snmp-wrong-digest"]
    assert codes(v3(DATA, flags=1)) == ["snmp-wrong-digest"]


def test_what_was_encrypted_with_another_key_is_set_aside() -> None:
    assert codes(secured(DATA, Keys.of(ENGINE, SIGNING, ("AES", b"another one")))) == ["snmp-wrong-key"]
    assert codes(secured(DATA, KEYS), usm=Usm([UsmUser(USER, SIGNING, ("DES", PRIVATE[1]))])) == ["snmp-wrong-key"]
    assert codes(secured(DATA, KEYS), usm=Usm([UsmUser(USER, SIGNING)])) == ["snmp-wrong-key"]


def test_a_user_who_is_less_protected_than_the_keys_allow_is_not_believed() -> None:
    assert codes(v3(DATA)) == ["snmp-security-level"]
    assert codes(secured(DATA, KEYS, flags=1)) == ["snmp-security-level"]


def test_what_polls_is_left_out_whether_it_opens_or_not() -> None:
    request = scoped(tlv(0xA0, integer(1), integer(0), integer(0), tlv(0x30)))
    foreign = Keys.of(ENGINE, ("SHA-256", b"another one"), PRIVATE)
    outcome = outcome_of(secured(request, KEYS), secured(request, foreign), v3(request), ports=(40000, 161))
    assert [(item.reason, item.facts) for item in outcome.filtered] == [("not-a-notification", 3)]


def test_a_message_sent_again_later_is_marked() -> None:
    clocks = [(3, 500), (3, 700), (3, 551), (3, 549), (4, 5), (3, 9000), (4, 1)]
    rows = outcome_of(*(secured(DATA, KEYS, clock=clock) for clock in clocks)).only("alarm_events")
    marked = [clock for clock, row in zip(clocks, rows, strict=True) if "outside-time-window" in row["dq_flags"]]
    assert marked == [(3, 549), (3, 9000)]


def test_a_forged_time_is_not_believed() -> None:
    forged = v3(DATA, flags=1).replace(integer(500), integer(30_000))
    outcome = outcome_of(forged, secured(DATA, KEYS))
    assert [item.code for item in outcome.quarantined] == ["snmp-wrong-digest"]
    assert outcome.only("alarm_events")[0]["dq_flags"] == ["receipt-time"]


def test_secrets_show_in_no_representation() -> None:
    shown = repr([UsmUser(USER, SIGNING, PRIVATE), KEYS])
    assert not any(word in shown for word in ("authpass99", "privpass99", "s3cretuser", repr(KEYS.signing)))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_messages_conserve_every_fact_and_never_pass_for_another(edits: list[tuple[int, int]]) -> None:
    whole = secured(DATA, KEYS)
    payload = bytearray(whole)
    for at, octet in edits:
        payload[at % len(payload)] = octet
    outcome = outcome_of(bytes(payload))
    assert outcome.facts == 1
    if payload != whole:
        assert not outcome.rows
    assert not any("s3cret" in item.reason for item in outcome.quarantined)


@given(st.sampled_from(sorted(AUTHENTICATIONS)), st.sampled_from(sorted(PRIVACIES)), st.binary(max_size=90))
@settings(max_examples=60, deadline=None)
def test_what_is_encrypted_comes_back(authentication: str, privacy: str, data: bytes) -> None:
    keys = Keys.of(ENGINE, (authentication, b"authpass99"), (privacy, b"privpass99"))
    sealed = keys.encrypt(octets(data), bytes(range(8)), 1, 2)
    assert (keys.decrypt(sealed, bytes(range(8)), 1, 2) or b"").startswith(octets(data))
    assert keys.decrypt(sealed, b"short", 1, 2) is None
