from __future__ import annotations

import contextlib
import json

import pytest
from alarm_tables import NAMES, at
from hypothesis import given
from hypothesis import strategies as st
from test_logs import log_table

from cellwright.digest.logs import lines_of, read_lines
from cellwright.digest.logs_compose import LogDigest, digest_log, log_ledger
from cellwright.digest.logs_text import LogFacts, Told, decode_log, write_log
from cellwright.digest.parts import join
from cellwright.digest.templates import template_id
from cellwright.digest.tokens import EstimatingCounter
from cellwright.errors import CellwrightError, UsageError

COUNT = EstimatingCounter()
LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "session 7 opened for user anna",
                "session 8 closed for user bruno",
                "ERROR: cell 12 lost its clock",
                "FATAL: out of memory, killed process 4711",
                "java.lang.IllegalStateException: no cell 9",
                "at com.example.Cell.start(Cell.java:12)",
                "@5*3 looks like a mark",
                "log k0123456789: 1 lines",
                "",
            ]
        ),
        st.text(max_size=30),
    ),
    max_size=60,
).map("\n".join)


def digest(text: str, budget: int = 400) -> LogDigest:
    return digest_log(read_lines(text), budget=budget, count=COUNT)


def test_a_digest_reads_like_this() -> None:
    rows = [{"ts": at(n), "body": f"session {n} opened", "app": "smf"} for n in range(40)]
    rows += [{"ts": at(70.5), "body": f"no resources for session {n}", "severity_number": 17} for n in (3, 4)]
    rows += [{"ts": at(70.9), "body": "exited with code 137", "severity_number": 21}]
    told = digest_log(lines_of(log_table(rows)), budget=200, count=COUNT, source="north").text.split("\n")
    assert told[0].endswith(
        " at 2026-01-05T12:00:00Z for 70 s: 43 lines, 3 templates, 0 left out with 0 lines in north"
    )
    assert told[1] == "@ seconds after start, none: as above; * lines alike that it stands for; … cut"
    assert told[-3:] == [
        "@70 no resources for session 3",
        " no resources for session 4",
        " exited with code 137",
    ]
    assert sum(line.endswith("opened") for line in told) < 20


def test_lines_of_a_file_are_numbered_and_the_next_is_not() -> None:
    assert digest("a link is down\nERROR: lost\n\nat last").text.split("\n")[1:] == [
        "@ number of the line, none: the next; * lines alike that it stands for; … cut",
        " a link is down",
        " ERROR: lost",
        "@4 at last",
    ]


@given(LINES)
def test_decoding_returns_exactly_the_facts_that_were_written(text: str) -> None:
    found = digest(text)
    assert decode_log(join(found.text)) == found.facts


@given(
    st.builds(
        LogFacts,
        name=st.just("k0123456789"),
        source=NAMES,
        start_s=st.one_of(st.none(), st.integers(0, 10**11)),
        duration_s=st.just(0),
        lines=st.just(0),
        templates=st.integers(0, 99),
        left_out=st.integers(0, 99),
        left_out_lines=st.integers(0, 99),
        told=st.lists(
            st.builds(
                Told,
                text=st.text(min_size=1, alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"])),
                times=st.integers(1, 5),
                at=st.one_of(st.none(), st.integers(0, 10**9)),
            ),
            max_size=8,
        ).map(tuple),
    )
)
def test_any_facts_read_back(facts: LogFacts) -> None:
    lines = sum(each.times for each in facts.told) + facts.left_out_lines
    whole = LogFacts(**{name: getattr(facts, name) for name in LogFacts.__slots__} | {"lines": lines})
    assert decode_log(write_log(whole)) == whole


@given(LINES, st.integers(200, 500))
def test_each_part_is_within_the_budget_and_all_grave_templates_are_told(text: str, budget: int) -> None:
    found = digest(text, budget)
    assert all(COUNT.count(part) <= budget for part in found.parts)
    assert found.over_budget == (len(found.parts) > 1)
    grave = ("ERROR: cell 12", "FATAL: out of memory")
    assert all(begin in found.text for begin in grave if begin in text)


@given(LINES)
def test_the_books_balance(text: str) -> None:
    found = digest(text)
    assert found.ledger.balanced
    assert sum(each.lines for each in found.templates) == found.facts.lines
    assert sum(each.told for each in found.templates) == len(found.facts.told)
    assert sum(each.times for each in found.facts.told) + found.facts.left_out_lines == found.facts.lines
    assert sum(each.told == 0 for each in found.templates) == found.facts.left_out
    listed = {reference for each in found.templates for reference in each.references}
    assert listed == {*found.ledger.kept, *found.ledger.folded}


def test_what_protected_facts_pass_the_budget_goes_on_in_parts() -> None:
    lines = [f"FATAL: crashed and aborted with {' '.join(['cell', *'abcdefghijklmno'[:n]])}" for n in range(1, 16)]
    found = digest("\n".join(lines), 200)
    assert found.over_budget
    assert found.parts[0].startswith(
        f"incident {found.facts.name} part 1 of {len(found.parts)}, over the budget of 200"
    )
    assert decode_log(join(found.text)) == found.facts


def test_a_single_error_in_a_flood_is_told_letter_for_letter() -> None:
    flood = [f"request {n} answered in {n % 90} ms" for n in range(5_000)]
    flood[3_210] = "ERROR: upstream 10.4.0.7:8805 refused session 4711, cause 73"
    found = digest("\n".join(flood))
    assert "ERROR: upstream 10.4.0.7:8805 refused session 4711, cause 73" in {each.text for each in found.facts.told}
    assert found.tokens <= 400


def test_repeated_errors_are_told_once_or_twice_and_counted() -> None:
    lines = [f"ERROR: session {n} rejected" for n in range(3_000)]
    found = digest("\n".join(f"{line}\nall is well with cell {n}" for n, line in enumerate(lines)), 200)
    first = next(each for each in found.facts.told if each.text.startswith("ERROR"))
    assert first.text == "ERROR: session 0 rejected"
    assert first.times > 2_900


def test_of_a_deep_stack_the_exception_and_the_frames_beside_it_are_told() -> None:
    frames = [f"\tat org.example.lib.Layer{n}.call(Layer{n}.java:{n + 7})" for n in range(300)]
    lines = ["started", "java.lang.IllegalStateException: cell 12 has no clock", *frames]
    lines += ["Caused by: java.net.SocketException: reset", "\tat org.example.Clock.sync(Clock.java:41)", *frames[:9]]
    text = digest("\n".join([*[f"tick {n}" for n in range(500)], *lines, "tick 501"]), 300).text
    assert "java.lang.IllegalStateException: cell 12 has no clock" in text
    assert "Caused by: java.net.SocketException: reset" in text
    assert "at org.example.Clock.sync(Clock.java:41)" in text
    assert text.count("\n") < 30


def chatter(count: int) -> list[str]:
    """Return lines of many templates, none of which says that anything is wrong."""
    words = ("alpha", "bravo", "cell", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo")
    return [
        f"{words[n % 11]} {words[n // 11 % 11]} meets {words[n // 121 % 11]} in {words[n % 7]}" for n in range(count)
    ]


def test_what_stands_beside_a_grave_line_is_told_with_it() -> None:
    lines = chatter(1_200)
    lines[600:600] = ["the clock was set back", "FATAL: scheduler aborted", "while it served the third queue"]
    told = [each.text for each in digest("\n".join(lines), 250).facts.told]
    assert "the clock was set back" in told
    assert "while it served the third queue" in told


def test_a_grave_level_protects_a_line_whatever_it_says() -> None:
    rows = [{"ts": at(n), "body": f"ERROR: failed to meet {each}"} for n, each in enumerate(chatter(300))]
    rows += [{"ts": at(n), "body": f"{each} again"} for n, each in enumerate(chatter(300))]
    rows += [{"ts": at(7), "body": "quota of north is used up", "severity_number": 17}] * 3
    found = digest_log(lines_of(log_table(rows)), budget=300, count=COUNT)
    assert "quota of north is used up" in {each.text for each in found.facts.told}


def test_what_is_rare_where_all_repeats_is_told_and_so_is_what_floods() -> None:
    lines = [f"request {n} answered in {n % 90} ms" for n in range(3_000)]
    lines[1_000] = "settings of the cell were loaded anew by netops"
    found = digest("\n".join(lines), 200)
    assert found.facts.told[0] == Told("request 0 answered in 0 ms", found.facts.told[0].times, 1)
    assert found.facts.told[0].times > 2_900
    assert lines[1_000] in {each.text for each in found.facts.told}


def test_the_end_of_a_log_is_told() -> None:
    lines = chatter(1_200)
    assert lines[-1] in {each.text for each in digest("\n".join(lines), 250).facts.told}


@pytest.mark.parametrize(("told", "left"), [("3 errors", "0 errors"), ("exited with 1", "exited with 0")])
def test_counts_and_codes_are_read_not_only_the_words_beside_them(told: str, left: str) -> None:
    lines = [f"job {'x' * (n % 7)} of step {n} ended: {left}" for n in range(300)]
    lines[123] = f"job x of step 123 ended: {told}"
    assert f"job x of step 123 ended: {told}" in digest("\n".join(lines), 250).text


def test_long_lines_are_cut_in_the_middle_and_the_books_say_so() -> None:
    found = digest("ERROR: " + "begin " + "x" * 5_000 + " end")
    assert found.facts.told[0].text.startswith("ERROR: begin ")
    assert found.facts.told[0].text.endswith("x end")
    assert "…" in found.facts.told[0].text
    assert [(each.what, each.count) for each in found.ledger.left_out] == [("told lines cut", 1)]


def test_the_same_log_has_the_same_digest_and_name_and_another_has_another() -> None:
    assert digest("ERROR: a\nb") == digest("ERROR: a\nb")
    assert digest("ERROR: a\nb").facts.name != digest("ERROR: a\nc").facts.name


def test_the_books_of_a_log_are_told_by_template_with_the_places_of_the_originals() -> None:
    told = log_ledger(digest_log(read_lines("ERROR: lost\nall is well 1\n\nall is well 2", "f1"), count=COUNT))
    assert json.loads(json.dumps(told)) == told
    assert told["rows"] == 3
    assert told["templates"][1] == {
        "template_id": template_id("all is well *"),
        "template": "all is well *",
        "lines": 2,
        "told": 2,
        "references": {"f1": [1, 3]},
    }


def test_a_source_with_a_long_name_is_split_not_shortened() -> None:
    found = digest_log(read_lines("ERROR: lost"), budget=200, count=COUNT, source="north " * 200 + "!")
    assert found.over_budget
    assert all(COUNT.count(part) <= 200 for part in found.parts)
    assert decode_log(join(found.text)) == found.facts


def test_an_empty_log_has_a_digest() -> None:
    assert decode_log(digest("").text).lines == 0


def test_a_budget_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="budget-too-small"):
        digest("a", 199)


@given(st.one_of(st.text(), st.integers(0, 200)))
def test_any_other_text_is_refused_and_never_crashes(text: str | int) -> None:
    whole = digest("ERROR: lost\nat last").text
    text = whole[:text] + "\x00" + whole[text + 1 :] if isinstance(text, int) else text
    with contextlib.suppress(CellwrightError):
        assert decode_log(text).name


def test_a_digest_cut_short_is_refused() -> None:
    lines = digest("ERROR: lost\nat last").text.split("\n")
    for length in range(len(lines)):
        with pytest.raises(CellwrightError, match="unreadable-digest"):
            decode_log("\n".join(lines[:length]))
