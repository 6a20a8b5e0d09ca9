from __future__ import annotations

from alarm_tables import alarm_table, at, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.alarms import alarms_of
from cellwright.digest.spans import Span, spans_of

SECOND = 1_000_000


def spans(*rows: dict[str, object]) -> dict[tuple[str, str], Span]:
    return {(span.element, span.alarm_type): span for span in spans_of(alarms_of(alarm_table(list(rows))))}


def test_a_span_lasts_from_its_first_alarm_to_its_clearing() -> None:
    found = spans(
        simple(10, "a", "x", perceived_severity="MINOR"),
        simple(20, "a", "x", perceived_severity="MAJOR"),
        simple(50, "a", "x", perceived_severity="CLEARED"),
        simple(15, "b", "x", perceived_severity="WARNING", cleared_ts=at(95)),
        simple(30, "b", "y"),
    )
    assert found["a", "x"] == Span("a", "x", "MAJOR", (0, 10 * SECOND), 40 * SECOND, is_open=False, events=3)
    assert found["b", "x"] == Span("b", "x", "WARNING", (5 * SECOND,), 85 * SECOND, is_open=False, events=1)
    assert (found["b", "y"].is_open, found["b", "y"].ended_us, found["b", "y"].last_us) == (True, None, 20 * SECOND)
    assert list(found) == [("a", "x"), ("b", "x"), ("b", "y")]


def test_what_is_raised_again_after_its_clearing_is_open() -> None:
    (span,) = spans(
        simple(0, "a", "x"), simple(5, "a", "x", perceived_severity="CLEARED"), simple(9, "a", "x")
    ).values()
    assert (span.is_open, span.ended_us, span.raised_us) == (True, None, (0, 9 * SECOND))


def test_a_clearing_before_its_alarm_ends_nothing_at_an_instant() -> None:
    (span,) = spans(simple(60, "a", "x", cleared_ts=at(3))).values()
    assert (span.is_open, span.ended_us) == (False, None)


def test_what_no_instant_is_known_of_comes_last_and_is_counted() -> None:
    first, last = spans(simple(0, "a", "x", event_ts=None), simple(0, "b", "y")).values()
    assert (first.element, last.element, last.first_us, last.events) == ("b", "a", None, 1)


ROWS = st.lists(
    st.tuples(st.integers(0, 900), st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from(["MAJOR", "CLEARED"])),
    min_size=1,
    max_size=30,
)


@given(ROWS)
def test_spans_hold_every_event_once_and_never_end_before_they_begin(rows: list[tuple[int, str, str, str]]) -> None:
    found = spans(*(simple(second, element, kind, perceived_severity=said) for second, element, kind, said in rows))
    assert sum(span.events for span in found.values()) == len(rows)
    for span in found.values():
        assert span.first_us is not None
        assert span.last_us is not None
        assert 0 <= span.first_us <= span.last_us <= 900 * SECOND
        assert list(span.raised_us) == sorted(span.raised_us)
