"""What a digest says of counters reads back as it was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.counters import Break
from cellwright.digest.counters_text import (
    CounterChange,
    counter_facts,
    decode_counters,
    richest_counters,
    write_counters,
)
from cellwright.digest.tokens import EstimatingCounter
from cellwright.errors import CellwrightError

NOON_US = 1_767_614_400_000_000
names = st.text(min_size=1, max_size=20) | st.from_regex(r"ManagedElement=g[0-9],NRCellDU=[0-9]{1,2}", fullmatch=True)
values = st.floats(-1e12, 1e12) | st.sampled_from([0.0, 1.0, -95.5])
found_breaks = st.builds(
    Break,
    element=names,
    counter=names,
    at_us=st.integers(NOON_US, NOON_US + 10**12),
    period_us=st.just(900_000_000),
    periods=st.none() | st.integers(1, 99),
    usual=values,
    seen=values,
    score=st.floats(8, 1e6),
)


def made(element: str, counter: str, *, usual: float = 200.0, seen: float = 20.0, score: float = 9.0) -> Break:
    return Break(element, counter, NOON_US, 900_000_000, 1, usual, seen, score)


@given(st.lists(found_breaks, max_size=8))
def test_all_that_is_said_reads_back(found: list[Break]) -> None:
    facts = counter_facts(sorted(found, key=lambda one: -one.score))
    assert decode_counters(write_counters(facts)) == facts


def test_counters_are_lines_the_most_unusual_first_and_elements_share_their_beginning() -> None:
    found = [made("G=1,C=2", "Thp", score=30), made("G=1,C=1", "Att", usual=0.0, seen=55.0), made("G=1,C=1", "Thp")]
    text = write_counters(counter_facts(found))
    assert text.split("\n")[2:] == ["Thp: 2@0-90%/1 1@0-90%/1", "Att: 1@0>55/1"]
    assert text.startswith("counters at 2026-01-05T12:00:00Z: 3 breaks, 0 left out\n")
    assert text.split("\n")[1].endswith("; elements begin G=1,C=")
    assert decode_counters(text).changes[2] == CounterChange("G=1,C=1", "Att", NOON_US, None, 55.0, 1)


def test_the_most_unusual_are_told_within_the_budget_and_the_rest_are_counted() -> None:
    found = [made(f"Cell={number}", f"Counter{number % 7}", score=100 - number) for number in range(90)]
    count = EstimatingCounter()
    text = richest_counters(found, budget=300, count=count)
    facts = decode_counters(text)
    assert count.count(text) <= 300
    assert facts.breaks == 90
    assert 0 < facts.left_out == 90 - len(facts.changes)
    assert {each.element for each in facts.changes} == {each.element for each in found[: len(facts.changes)]}
    assert richest_counters(found, budget=10, count=count) == ""
    assert richest_counters([], budget=300, count=count) == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.partition("\n")[2],
        lambda text: text.rpartition("\n")[0],
        lambda text: text.replace("@0", "@x"),
        lambda text: text.replace("2026-01-05T", "when "),
        lambda text: text.replace(": 1@0", " 1@0"),
    ],
)
def test_what_is_not_whole_is_refused(damage: object) -> None:
    text = write_counters(counter_facts([made("C=1", "Thp"), made("C=2", "Att")]))
    with pytest.raises(CellwrightError, match="unreadable-digest"):
        decode_counters(damage(text))  # type: ignore[operator]
