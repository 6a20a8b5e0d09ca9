from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from alarm_tables import NAMES, TABLES_OF_ROWS, alarm_table, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.alarms import alarms_of
from cellwright.digest.doubts import DUPLICATES, FLOOD, UNPLACED, Doubt
from cellwright.digest.fold import EVERYTHING, Kept, fold, reduce
from cellwright.digest.notation import (
    natural,
    quote_phrase,
    quote_word,
    read_instant,
    read_seconds,
    shared_prefix,
    unquote,
    write_instant,
    write_seconds,
)
from cellwright.digest.parts import join, split
from cellwright.digest.text import decode, write
from cellwright.digest.tokens import EstimatingCounter
from cellwright.errors import CellwrightError

INCIDENT = "k2917365012"
KEPT = st.builds(
    Kept,
    onsets=st.booleans(),
    severities=st.booleans(),
    clears=st.booleans(),
    times_from=st.sampled_from([None, 1, 2, 3]),
)


DOUBTS = st.lists(
    st.builds(
        Doubt,
        st.sampled_from([FLOOD, DUPLICATES, UNPLACED]),
        st.integers(1, 10**9),
        st.one_of(st.none(), st.integers(0, 10**9)),
        st.one_of(st.none(), NAMES),
    ),
    max_size=4,
)


def folded(table: object, doubts: tuple[Doubt, ...] = ()) -> object:
    return fold([alarm for alarm in alarms_of(table) if alarm.source == alarms_of(table)[0].source], INCIDENT, doubts)


SMALL = folded(
    alarm_table(
        [
            simple(0, "Device=404", "LINK DOWN", perceived_severity="MAJOR"),
            simple(1, "Device=381", "LINK DOWN", perceived_severity="MAJOR", cleared_ts=0),
            simple(2, "Device=404", "LINK DOWN", perceived_severity="MAJOR"),
            simple(2.5, "Device=381", "BER", perceived_severity="CRITICAL", root_cause=True),
            simple(9, "Device=381", "BER", perceived_severity="CLEARED"),
        ]
    )
)


def test_a_digest_reads_like_this() -> None:
    assert write(reduce(SMALL, EVERYTHING)).split("\n") == [
        "incident k2917365012 at 2026-01-05T12:00:00Z for 9 s: 5 alarms, 2 elements, 2 types in north",
        (
            "type: elements by onset; @ seconds after start; * times raised; ! not cleared; "
            "^ root cause by its element; critical unless [given]; elements begin Device="
        ),
        "LINK DOWN [major]:404@0*2! 381@1",
        "BER:381@2^",
    ]


@given(TABLES_OF_ROWS, KEPT, DOUBTS, st.none() | st.integers(0, 99))
def test_decoding_returns_exactly_the_facts_that_were_written(
    table: object, kept: Kept, doubts: list[Doubt], root: int | None
) -> None:
    facts = reduce(folded(table, tuple(doubts)), kept)
    facts = replace(facts, root=None if root is None else facts.types[root % len(facts.types)].name)
    assert decode(write(facts)) == facts


@given(TABLES_OF_ROWS)
def test_what_does_not_print_is_escaped_wherever_it_stands(table: object) -> None:
    assert all(line.isprintable() for line in write(folded(table)).split("\n"))


def test_the_probable_root_is_marked_in_its_line_and_read_back() -> None:
    facts = replace(reduce(SMALL, EVERYTHING), root="LINK DOWN")
    lines = write(facts).split("\n")
    assert "; > probable root; " in lines[1]
    assert [line.partition(":")[0] for line in lines[2:]] == ["LINK DOWN> [major]", "BER"]
    assert decode(write(facts)).root == "LINK DOWN"


@pytest.mark.parametrize("name", ["LOS>", ">", 'LOS "1">', "LOS> LOS"])
def test_names_that_end_in_the_mark_are_told_from_marked_ones(name: str) -> None:
    facts = folded(alarm_table([simple(0, "a", name), simple(1, "b", name + ">")]))
    for root in (None, name, name + ">"):
        assert decode(write(replace(facts, root=root))) == replace(facts, root=root)


@given(TABLES_OF_ROWS, st.integers(1, 3))
def test_types_spread_over_several_lines_decode_to_the_same_facts(table: object, items: int) -> None:
    facts = reduce(folded(table), Kept())
    assert decode(write(facts, items_per_line=items)) == facts


@given(TABLES_OF_ROWS)
def test_every_distinct_element_and_type_is_kept(table: object) -> None:
    alarms = [alarm for alarm in alarms_of(table) if alarm.source == alarms_of(table)[0].source]
    decoded = decode(write(reduce(fold(alarms, INCIDENT), Kept())))
    assert set(decoded.pairs()) == {(alarm.element, alarm.alarm_type) for alarm in alarms}
    assert len(decoded.pairs()) == len(set(decoded.pairs()))


@given(TABLES_OF_ROWS)
def test_the_onset_names_the_first_pairs_in_the_order_of_time(table: object) -> None:
    alarms = [alarm for alarm in alarms_of(table) if alarm.source == alarms_of(table)[0].source]
    first: dict[tuple[str, str], int] = {}
    for alarm in alarms:
        if alarm.ts is not None:
            first.setdefault((alarm.element, alarm.alarm_type), alarm.ts)
    onset = decode(write(reduce(fold(alarms, INCIDENT), Kept()))).onset()
    assert [first[element, name] for element, name, _ in onset] == sorted(first.values())[:5]


@given(TABLES_OF_ROWS)
def test_all_details_sum_to_the_events(table: object) -> None:
    alarms = [alarm for alarm in alarms_of(table) if alarm.source == alarms_of(table)[0].source]
    decoded = decode(write(reduce(fold(alarms, INCIDENT), EVERYTHING)))
    raised = sum(each.times for kind in decoded.types for each in kind.occurrences)
    assert raised + sum(alarm.clears for alarm in alarms) == decoded.events == len(alarms)


@pytest.mark.parametrize(
    ("rows", "cleared"),
    [
        ([simple(0, "a", "x"), simple(1, "a", "x", notification_type="notifyClearedAlarm")], True),
        ([simple(0, "a", "x", notification_type="notifyClearedAlarm"), simple(1, "a", "x")], False),
        ([simple(0, "a", "x", cleared_ts=0)], True),
        ([simple(0, "a", "x"), simple(1, "a", "x", cleared_ts=0)], False),
    ],
)
def test_a_pair_is_cleared_only_when_nothing_of_it_is_open(rows: list[dict[str, object]], *, cleared: bool) -> None:
    assert folded(alarm_table(rows)).types[0].occurrences[0].cleared is cleared


@given(TABLES_OF_ROWS, st.integers(120, 400))
def test_parts_are_within_the_budget_and_join_to_the_whole(table: object, budget: int) -> None:
    count = EstimatingCounter()
    facts = reduce(folded(table), Kept())
    text = write(facts, items_per_line=2)
    parts = split(text, INCIDENT, budget=budget, limit=budget, count=count)
    assert all(count.count(part) <= budget for part in parts)
    assert join("\n".join(parts)) == text
    assert decode("\n".join(parts)) == facts


def test_a_name_longer_than_the_budget_goes_on_in_the_next_part() -> None:
    facts = reduce(folded(alarm_table([simple(0, "Device=1", "LOS " * 900 + "!")])), Kept())
    parts = split(write(facts), INCIDENT, budget=300, limit=270, count=EstimatingCounter())
    assert parts[2].startswith(
        f"incident {INCIDENT} part 3 of {len(parts)}, over the budget of 300 tokens, line goes on\n…"
    )
    assert decode("\n".join(parts)) == facts


def test_a_missing_part_is_refused() -> None:
    facts = folded(alarm_table(simple(n, f"Device={n}", f"LOS {n}") for n in range(60)))
    parts = split(write(reduce(facts, Kept())), INCIDENT, budget=200, limit=200, count=EstimatingCounter())
    for missing in range(len(parts)):
        with pytest.raises(CellwrightError, match="unreadable-digest"):
            decode("\n".join(part for place, part in enumerate(parts) if place != missing))


def test_a_digest_cut_short_is_refused() -> None:
    lines = write(SMALL).split("\n")
    for length in range(len(lines)):
        with pytest.raises(CellwrightError, match="unreadable-digest"):
            decode("\n".join(lines[:length]))


@given(st.one_of(st.text(), st.text().map(lambda tail: write(SMALL) + tail), st.integers(0, 300)))
def test_any_other_text_is_refused_and_never_crashes(text: str | int) -> None:
    whole = write(SMALL)
    text = whole[:text] + "\x00" + whole[text + 1 :] if isinstance(text, int) else text
    with contextlib.suppress(CellwrightError):
        assert decode(text).types


@given(NAMES)
def test_names_of_any_characters_read_back(name: str) -> None:
    assert unquote(quote_word(name)) == unquote(quote_phrase(name)) == name
    assert "\n" not in quote_word(name) + quote_phrase(name)


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        ({"Device=1", "Device=12"}, "Device="),
        ({"Device=1"}, ""),
        ({"Device=", "Device=1"}, ""),
        ({"gNB-017", "gNB-018"}, "gNB-"),
        ({"LINK_UP", "LINK_DOWN"}, "LINK_"),
        ({"Net=1,Cell=1", "Net=1,Cell_a=2"}, "Net=1,"),
        ({"alpha", "beta"}, ""),
    ],
)
def test_the_shared_beginning_ends_at_a_sign(names: set[str], prefix: str) -> None:
    assert shared_prefix(names) == prefix


@given(st.integers(0, 10**15), st.integers(-(10**13), 10**13))
def test_instants_and_seconds_read_back(us: int, epoch_s: int) -> None:
    assert read_seconds(write_seconds(us)) == us
    assert read_instant(write_instant(epoch_s)) == epoch_s


def test_names_sort_as_a_person_counts() -> None:
    assert sorted(["d10", "d9", "d09", "e1", "d"], key=natural) == ["d", "d09", "d9", "d10", "e1"]


def test_equal_onsets_never_hide_which_came_just_after() -> None:
    rows = [simple(0, f"e{n}", "late" if n else "early") for n in range(6)] + [simple(0.000001, "e0a", "early")]
    onset = folded(alarm_table(rows)).onset()
    assert "e0a" not in {element for element, _, _ in onset}
