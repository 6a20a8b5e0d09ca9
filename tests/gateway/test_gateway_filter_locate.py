"""Raw records are found where they stand, in prose of any kind, and prose is left alone."""

from __future__ import annotations

import itertools
import string

import pytest
from filter_kit import HEADER, batch, lines, syslog, table
from hypothesis import given
from hypothesis import strategies as st

from cellwright.gateway.filtering.locate import Locator

LOCATOR = Locator(starts=("alarm_id,",), keys=('"cell"',))
NOTIFICATION = '{"notificationType": "notifyNewAlarm", "alarmId": "7", "objectInstance": "SubNetwork=1"}'
UNMAPPED = "id;alarm;severity;element\n1;LOS;MAJOR;gNB-1\n2;LOS;MAJOR;gNB-2"
RECORDS = {
    "a VES batch": batch(3),
    "VES lines": lines(3),
    "a 3GPP notification": NOTIFICATION,
    "syslog": syslog(3),
    "a mapped table": table(3),
    "a table of alarms": UNMAPPED,
    "older syslog": "Feb  2 02:40:01 amf-1 amf[7]: registration rejected\nFeb  2 02:40:02 amf-1 amf[7]: accepted",
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "Why did this happen?\n\n{}\n\nBe brief.",
        "See:\n```\n{}\n```\nWhat now?",
        "I know neither commonEventHeader nor notificationType. What is this?\n\n{}",
        "a pause, a clause, an applause\n" * 100 + "\n{}",
    ],
)
def test_records_are_found_exactly_where_they_stand(name: str, frame: str) -> None:
    records = RECORDS[name]
    text = frame.format(records)
    (found,) = LOCATOR.stretches(text)
    assert text[found.start : found.end].strip() == records
    assert LOCATOR.suspects(text)


@pytest.mark.parametrize(
    "text",
    [
        "What does commonEventHeader mean, and which notificationType is there for a new alarm?",
        'An event is JSON: {"event": {"name": "click"}}. May I ask [which] alarm, severity, or cause to look at?',
        "Alarms, faults, and their severity, such as MAJOR, are explained below.\nWhat is a probable cause, in X.733?",
        "At 12:30:15 on May 3 it broke.\nJan 5 is too late; <b>hurry</b>.",
        "| name | alarm |\n",
        "",
    ],
)
def test_talk_about_records_is_none(text: str) -> None:
    assert not LOCATOR.suspects(text)
    assert LOCATOR.stretches(text) == []


def test_documents_apart_from_each_other_are_two() -> None:
    text = f"before {lines(1)} and after {lines(2)}"
    assert [text[each.start : each.end] for each in LOCATOR.stretches(text)] == [lines(1), lines(2)]


def test_broken_json_reaches_to_the_fence_behind_it() -> None:
    broken = batch(3)[:-200]
    text = f"[1] see\n```json\n{broken}\n```\nWhy?"
    (found,) = LOCATOR.stretches(text)
    assert text[found.start : found.end].strip() == broken
    assert not found.whole


def test_records_within_a_text_within_json_are_suspected() -> None:
    assert LOCATOR.suspects('{"result": "{\\"event\\": {\\"commonEventHeader\\": {}}}"}')


def test_hostile_brackets_are_given_up_on() -> None:
    for text in ("[" * 200_000, '{"a":1} [' * 40_000, '{"a":' * 100_000):
        (found,) = LOCATOR.stretches(text + '"commonEventHeader": 1')
        assert not found.whole
        assert found.end == len(text) + len('"commonEventHeader": 1')


@given(st.text(string.ascii_letters + string.digits + " \n.,;:{}[]<>|`\"'_-", max_size=200))
def test_whatever_stands_around_them_records_are_found(prose: str) -> None:
    text = f"{prose}\n\n{syslog(2)}\n\n{prose}"
    found = LOCATOR.stretches(text)
    assert any(syslog(2) in text[each.start : each.end] for each in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


def test_a_table_ends_at_its_blank_line() -> None:
    text = f"{HEADER}\n1,2,3,4\n\n1,2,3,4 are numbers"
    (found,) = LOCATOR.stretches(text)
    assert text[found.start : found.end] == f"{HEADER}\n1,2,3,4\n"
