"""A stream of flow messages that is cut into files says what it says uncut, also over a restart."""

from __future__ import annotations

import itertools
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from capture_kit import SECOND, T0, flow_set, ipfix, ipfix_options, template, v5, v9, v9_options
from format_kit import Outcome, check_conservation
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.netflow import NetFlow
from cellwright.telemetry.formats.netflow_carry import Carry
from cellwright.telemetry.formats.pcap import capture_header, capture_record
from cellwright.telemetry.listener import Gate, Intake, ListenerSpec
from cellwright.telemetry.listeners.datagrams import NetFlowListener
from cellwright.telemetry.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

FIXED, VARIABLE = ((1, 4), (2, 4)), ((1, 4), (82, 65535))
KNOWN = flow_set(2, template(256, *FIXED) + template(257, *VARIABLE))
FLOW = flow_set(256, struct.pack(">II", 40, 2))
NAMED = flow_set(257, struct.pack(">IB4s", 50, 4, b"eth0"))


def record(payload: bytes, us: int = T0 * SECOND, source: str = "192.0.2.1", port: int = 50000) -> bytes:
    return capture_record(us, (source, port), (source, 2055), payload)


def files(*parts: list[bytes]) -> list[Outcome]:
    """Read files of packet records one after another; between two, only bytes go on."""
    outcomes, state = [], Carry().state()
    for part in parts:
        carry = Carry.of(state)
        outcomes.append(check_conservation(NetFlow(), carry.next_file(part)))
        state = carry.state()
    return outcomes


def flows(*outcomes: Outcome) -> list[dict[str, Any]]:
    return [row | {"ordinal": 0} for outcome in outcomes for row in outcome.rows.get("flows", [])]


def flags(*parts: list[bytes]) -> list[list[str]]:
    return [row["dq_flags"] for row in flows(*files(*parts))]


def test_a_loss_between_two_files_is_marked_and_no_loss_is_not() -> None:
    def v9_flow(sequence: int) -> bytes:
        return record(v9(flow_set(256, bytes(8)), sequence=sequence))

    known9 = record(v9(flow_set(0, template(256, *FIXED)), sequence=6))
    assert flags([known9, v9_flow(7)], [v9_flow(8)], [v9_flow(11)]) == [[], [], ["sequence-gap", "lost-before:2"]]
    old = [[record(v5([{}, {}], sequence=sequence))] for sequence in (4, 6, 9)]
    assert flags(*old) == [[]] * 4 + [["sequence-gap", "lost-before:1"], []]
    known = record(ipfix(KNOWN, sequence=3))
    parts = [[known, record(ipfix(FLOW, NAMED, sequence=3))], [record(ipfix(NAMED, sequence=5))]]
    assert flags(*parts, [record(ipfix(FLOW, sequence=10))]) == [[], [], [], ["sequence-gap", "lost-before:4"]]


def test_streams_are_told_apart_and_what_is_not_known_is_no_gap() -> None:
    one, other = record(v5([{}], sequence=4)), record(v5([{}], sequence=90), port=50001)
    assert flags([one], [other], [record(v5([{}], sequence=5))]) == [[], [], []]
    unknown = record(ipfix(flow_set(900, bytes(8)), sequence=3))
    assert flags([record(ipfix(KNOWN, sequence=3)), unknown], [record(ipfix(FLOW, sequence=60))]) == [[]]


def test_data_that_came_before_its_template_waits_for_it_over_files() -> None:
    early, known = record(ipfix(FLOW, flow_set(900, b"lost"), sequence=3)), record(ipfix(KNOWN, sequence=5))
    first, second, third = files([early], [record(b"other")], [known, record(ipfix(FLOW, sequence=5))])
    assert [each.codes() for each in (first, second, third)] == [[], [], []]
    assert [(each.reason, each.facts) for each in first.filtered] == [("empty-set", 2)]
    assert [(row["octetDeltaCount"], row["dq_flags"]) for row in flows(third)] == [(40, ["template-late"]), (40, [])]


def test_data_whose_template_never_comes_is_set_aside_after_half_an_hour() -> None:
    early, late = record(v9(flow_set(256, b"lost"))), T0 * SECOND + 1_800 * SECOND
    outcomes = files([early], [record(b"other", late)], [record(b"other", late + 1)], [record(b"other", late + 2)])
    assert [each.codes() for each in outcomes] == [[], [], [("no-template", 1, None)], []]
    assert outcomes[2].quarantined[0].raw.endswith(b"lost")


def test_what_waits_is_bounded() -> None:
    early = [record(v9(flow_set(256, bytes(60_000)), sequence=number)) for number in range(80)]
    (outcome,) = files(early)
    assert 0 < len(outcome.quarantined) < 80
    assert {each.code for each in outcome.quarantined} == {"no-template"}


def test_templates_that_are_no_longer_repeated_are_forgotten_after_a_day() -> None:
    known, day = record(ipfix(KNOWN)), T0 * SECOND + 86_400 * SECOND
    assert len(flows(*files([known], [record(ipfix(FLOW), day)]))) == 1
    assert len(flows(*files([known], [record(b"other", day + 1)], [record(ipfix(FLOW), day + 2)]))) == 0


def test_only_who_sent_something_is_told_again() -> None:
    known = [record(ipfix(KNOWN), source=f"192.0.2.{number}") for number in range(1, 9)]
    assert files(known, [record(ipfix(FLOW), source="192.0.2.5")])[1].facts == 3  # templates, empty message, flow


def test_the_oldest_templates_are_forgotten_where_there_are_too_many() -> None:
    many = flow_set(0, b"".join(template(number, *[(82, 1)] * 100) for number in range(256, 396)))
    told = [record(v9(many, domain=domain), (T0 + domain) * SECOND) for domain in range(45)]
    carry = Carry()
    carry.next_file(told)
    assert len(carry.state()) < 5 << 20
    asked = [record(v9(flow_set(256, bytes(100)), domain=domain)) for domain in (44, 0)]
    found = flows(check_conservation(NetFlow(), Carry.of(carry.state()).next_file(asked)))
    assert [row["domain"] for row in found] == [44]


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b"{}", b'{"told": [[1, "x"]]}', b'{"told": 5}'])
def test_what_is_no_state_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of json or our own
        Carry.of(state)


OPTIONS9, OPTIONS = v9_options(300, [(1, 4)], [(34, 4)]), ipfix_options(300, [(302, 4)], [(34, 4)])
SETS9 = st.sampled_from(
    [
        flow_set(0, template(256, *FIXED)),
        flow_set(1, OPTIONS9),
        flow_set(256, struct.pack(">II", 40, 2) * 2),
        flow_set(300, struct.pack(">II", 0, 10)),
        flow_set(299, b"lost"),
    ]
)
SETS = st.sampled_from(
    [KNOWN, flow_set(3, OPTIONS), FLOW, NAMED, flow_set(300, struct.pack(">II", 0, 10)), flow_set(299, b"lost")]
)
MESSAGES = st.one_of(
    st.tuples(st.just("v5"), st.integers(0, 2)),
    st.tuples(st.just("v9"), st.lists(SETS9, max_size=3)),
    st.tuples(st.just("ipfix"), st.lists(SETS, max_size=3)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(MESSAGES, st.integers(0, 9)), max_size=8), st.sets(st.integers(0, 8), max_size=4))
def test_however_a_stream_is_cut_its_flows_are_the_same(sent: list[tuple[Any, int]], cuts: set[int]) -> None:
    sequence, records = 0, []
    for (kind, body), chance in sent:
        sequence += chance if chance > 6 else 1  # now and then something is lost
        if kind == "v5":
            records.append(record(v5([{}] * body, sequence=sequence)))
        else:
            records.append(record((v9 if kind == "v9" else ipfix)(*body, sequence=sequence)))
    whole = check_conservation(NetFlow(), capture_header() + b"".join(records))
    ends = [0, *sorted(cuts), len(records)]
    parts = files(
        *(records[start:end] for start, end in itertools.pairwise(ends)), [record(b"", ((1 << 32) - 1) * SECOND)]
    )
    assert sorted(map(repr, flows(*parts))) == sorted(map(repr, flows(whole)))
    set_aside = [[each.raw for part in outcomes for each in part.quarantined] for outcomes in (parts, [whole])]
    assert sorted(set_aside[0]) == sorted(set_aside[1])


class Desk:
    """A listener whose captures are read, opened again and again over one spool."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.opened()

    def opened(self) -> None:
        with ThreadPoolExecutor(1) as disk:
            intake = Intake(Spool(self._folder, bytes(32)).feed("flows"), Gate(0, 10**9), disk)
            self.listener = NetFlowListener(ListenerSpec("flows", "netflow", "127.0.0.1", 0), intake)

    def read(self, *payloads: bytes) -> Outcome:
        return check_conservation(NetFlow(), self.listener.content([record(payload) for payload in payloads]))


def test_flows_right_after_a_restart_are_read_and_losses_meanwhile_marked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.read(ipfix(KNOWN, sequence=3))
    desk.opened()
    (row,) = flows(desk.read(ipfix(FLOW, sequence=8)))
    assert (row["octetDeltaCount"], row["dq_flags"]) == (40, ["sequence-gap", "lost-before:5"])


def test_a_capture_that_the_lake_did_not_take_is_the_same_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.read(ipfix(FLOW, sequence=3))
    assert desk.listener.counts()["sets-waiting-for-template"] == 1
    payloads = [ipfix(KNOWN, sequence=4), ipfix(flow_set(901, b"early"), sequence=4)]
    records = [record(payload) for payload in payloads]
    first = desk.listener.content(records)
    assert desk.listener.content(records) == first
    desk.opened()
    assert desk.listener.content(records) == first
    assert len(flows(check_conservation(NetFlow(), first))) == 1
    assert desk.listener.counts()["sets-waiting-for-template"] == 1
    assert flows(desk.read(ipfix(flow_set(2, template(901, (1, 5))), sequence=4)))[0]["octetDeltaCount"] is not None


def test_a_note_of_another_kind_is_no_obstacle(tmp_path: Path) -> None:
    Spool(tmp_path, bytes(32)).feed("flows").keep_note(b"something else")
    assert len(flows(Desk(tmp_path).read(ipfix(KNOWN, FLOW)))) == 1
