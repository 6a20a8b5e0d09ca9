"""Informs: who sends one hears that it is durable, and hears it again when the first answer was lost."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from capture_kit import ENGINE, USER, integer, scoped, secured, tlv, trap_pdu, v2c, v3
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.snmp_ber import SEQUENCE, Cursor
from cellwright.telemetry.formats.snmp_messages import scoped_pdu
from cellwright.telemetry.formats.snmp_usm import SecuredMessage, read_secured
from cellwright.telemetry.listener import Gate, Intake, ListenerSpec
from cellwright.telemetry.listeners.datagrams import SnmpListener
from cellwright.telemetry.listeners.snmp_answers import Answer, Answers, Engine
from cellwright.telemetry.snmp_keys import Keys, Usm, UsmUser
from cellwright.telemetry.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
INTERFACE = ("1.3.6.1.2.1.2.2.1.1.5", integer(5))
INFORM = trap_pdu(LINK_DOWN, INTERFACE, tag=0xA6)
TRAP = trap_pdu(LINK_DOWN, INTERFACE)
SIGNING, PRIVATE = ("SHA-256", b"authpass99"), ("AES", b"privpass99")
USM = Usm([UsmUser(USER, SIGNING, PRIVATE)])
HERE = Engine(b"\x80\0\0\0\5receiver", 7)
KEYS = Keys.of(HERE.id, SIGNING, PRIVATE)
NOW_S = 100


def answers(usm: Usm | None = USM) -> Answers:
    return Answers(HERE, usm)


def inform(data: bytes = scoped(INFORM), keys: Keys = KEYS, *, now_s: int = NOW_S, flags: int = 7) -> bytes:
    return secured(data, keys, clock=(HERE.boots, now_s), flags=flags, engine=HERE.id)


def counter(reply: bytes | None) -> tuple[SecuredMessage, str]:
    """The report in a reply that is not encrypted, and the counter it tells."""
    message = read_secured(reply or b"")
    pdu = scoped_pdu(message.scoped).inside(0xA8)
    for _ in range(3):
        pdu.integer()
    return message, pdu.inside(SEQUENCE).inside(SEQUENCE).oid()


def test_a_v2c_inform_is_answered_with_its_own_variables() -> None:
    answer = answers(None).to("192.0.2.1", v2c(INFORM), NOW_S)
    assert answer.keeps
    assert answer.reply == v2c(tlv(0xA2, INFORM[2:]))


def test_a_trap_is_kept_and_not_answered() -> None:
    for payload in (v2c(TRAP), v3(scoped(TRAP)), b"", b"\x30", v2c(b"")):
        assert answers().to("192.0.2.1", payload, NOW_S) == Answer(keeps=True)


def test_a_v3_sender_learns_engine_and_time_and_is_answered_in_its_own_keys() -> None:
    here = answers()
    discovery = here.to("192.0.2.1", v3(scoped(tlv(0xA0, INFORM[2:])), flags=4).replace(ENGINE, b"\0" * 5), NOW_S)
    told, oid = counter(discovery.reply)
    assert (told.engine, told.boots, told.time_s, oid) == (HERE.id, 7, NOW_S, "1.3.6.1.6.3.15.1.1.4.0")
    assert not discovery.keeps
    stale = secured(scoped(INFORM), KEYS, clock=(0, 0), flags=7, engine=HERE.id)
    told, oid = counter(here.to("192.0.2.1", stale, NOW_S).reply)
    assert oid == "1.3.6.1.6.3.15.1.1.2.0"
    told.check(KEYS)  # the sender believes the time only if it is signed
    answer = here.to("192.0.2.1", inform(now_s=told.time_s), NOW_S)
    assert (answer.keeps, answer.counted) == (True, "informs-answered")
    response = read_secured(answer.reply or b"")
    response.check(KEYS)
    clear = response.opened(KEYS)
    assert scoped_pdu(clear).value() == (0xA2, Cursor(INFORM).contents(0xA6))


@pytest.mark.parametrize(
    ("payload", "number", "counted"),
    [
        (inform(now_s=NOW_S + 151), 2, "told-the-time"),
        (inform(now_s=0, data=scoped(TRAP)), None, None),
        (inform().replace(USER, b"s3cretother"[:10]), 3, "refused-unknown-user"),
        (secured(scoped(INFORM), KEYS, flags=7), 4, "told-the-engine"),
        (inform(keys=Keys.of(HERE.id, ("SHA-256", b"another one"), PRIVATE)), 5, "refused-wrong-digest"),
        (inform(keys=Keys.of(HERE.id, SIGNING, ("AES", b"another one"))), 6, "refused-wrong-key"),
        (inform(flags=5), 1, "refused-security-level"),
    ],
)
def test_what_is_wrong_is_told_and_not_kept(payload: bytes, number: int | None, counted: str | None) -> None:
    answer = answers().to("192.0.2.1", payload, NOW_S)
    assert (answer.keeps, answer.counted) == (number is None, counted)
    if number is not None:
        assert counter(answer.reply)[1] == f"1.3.6.1.6.3.15.1.1.{number}.0"


def test_a_trap_whose_flags_ask_for_a_report_is_kept_all_the_same() -> None:
    there = Keys.of(ENGINE, SIGNING, PRIVATE)
    assert answers().to("192.0.2.1", secured(scoped(TRAP), there, flags=7), NOW_S) == Answer(keeps=True)
    assert not answers().to("192.0.2.1", secured(scoped(INFORM), there, flags=7), NOW_S).keeps


def test_an_inform_that_comes_again_is_answered_and_not_kept_again() -> None:
    here = answers()
    first = here.to("192.0.2.1", inform(), NOW_S)
    here.was_kept(first)
    again = here.to("192.0.2.1", inform(now_s=NOW_S + 5), NOW_S + 5)
    assert (again.keeps, again.counted, again.reply is None) == (False, "informs-repeated", False)
    assert here.to("192.0.2.2", inform(), NOW_S).keeps  # another sender's own


def test_the_engine_stays_the_same_and_begins_anew() -> None:
    first = Engine.after(b"")
    assert Engine.after(first.note()) == Engine(first.id, 2)
    assert first.id[0] & 0x80
    assert Engine.after(b"torn").id != first.id


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    st.sampled_from([v2c(INFORM), inform()]),
)
def test_any_octets_are_answered_or_kept(edits: list[tuple[int, int]], whole: bytes) -> None:
    payload = bytearray(whole)
    for at, octet in edits:
        payload[at % len(payload)] = octet
    answer = answers().to("192.0.2.1", bytes(payload), NOW_S)
    assert answer.keeps or answer.reply


def listening(
    folder: Path, send: Callable[[tuple[str, int]], None], gate: Gate | None = None
) -> tuple[Spool, SnmpListener]:
    """Run a listener while `send` runs in a thread, and close it."""
    spool = Spool(folder, bytes(32))

    async def run() -> SnmpListener:
        with ThreadPoolExecutor(1) as disk:
            intake = Intake(spool.feed("traps"), gate or Gate(0, 10**9), disk)
            listener = SnmpListener(ListenerSpec("traps", "snmp", "127.0.0.1", 0, usm=USM), intake)
            address = await listener.open()
            await asyncio.to_thread(send, ("127.0.0.1", int(address.rpartition(":")[2])))
            await listener.close()
            await intake.settled()
            return listener

    listener = asyncio.run(run())
    spool.close_segments()
    return spool, listener


def test_the_answer_comes_when_the_inform_is_durable_and_once_for_all_that_repeat_it(tmp_path: Path) -> None:
    replies: list[bytes] = []

    def send(to: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(10)
            for _ in range(2):
                sender.sendto(v2c(INFORM), to)
                replies.append(sender.recv(65_535))
                assert list(tmp_path.glob("spool/traps/*.open"))

    spool, listener = listening(tmp_path / "spool", send)
    assert replies == [v2c(tlv(0xA2, INFORM[2:]))] * 2
    (segment,) = spool.ready()
    (record,) = spool.read(segment).records
    assert v2c(INFORM) in record
    counts = listener.counts()
    assert (counts["received"], counts["informs-answered"], counts["informs-repeated"]) == (1, 1, 1)


def test_what_cannot_be_kept_is_not_answered(tmp_path: Path) -> None:
    def send(to: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # noqa: FBT003 - the standard library's own
            sender.sendto(v2c(INFORM), to)

    spool, listener = listening(tmp_path / "spool", send, Gate(5, 5))
    assert spool.ready() == []
    counts = listener.counts()
    assert (counts["turned-away"], counts["informs-answered"]) == (1, 0)


@pytest.mark.skipif(shutil.which("snmpinform") is None, reason="snmpinform of Net-SNMP is not installed")
def test_net_snmp_hears_that_its_informs_arrived(tmp_path: Path) -> None:
    said: list[subprocess.CompletedProcess[str]] = []

    def send(to: tuple[str, int]) -> None:
        user = ["-v3", "-l", "authPriv", "-u", USER.decode(), "-a", "SHA-256", "-A", "authpass99", "-x", "AES", "-X"]
        for sender in (["-v2c", "-c", "public"], [*user, "privpass99"], [*user, "another one"]):
            call = ["snmpinform", *sender, "-r", "0", "-t", "10", f"{to[0]}:{to[1]}", "42", LINK_DOWN]
            said.append(subprocess.run(call, check=False, timeout=30, capture_output=True, text=True))

    spool, _ = listening(tmp_path / "spool", send)
    assert [(each.returncode, each.stderr.strip()) for each in said] == [
        (0, ""),
        (0, ""),
        (1, "snmpinform: Decryption error"),
    ]
    assert [len(spool.read(segment).records) for segment in spool.ready()] == [2]
