"""The circuit breaker: closed, open, half-open, by failures over a window and one probe."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from cellwright.gateway.model_policy import BreakerSettings
from cellwright.gateway.routing.breaker import Breaker, State

SETTINGS = BreakerSettings(failures=3, share=0.5, window_ms=10_000.0, rest_ms=2_000.0)


def failed(times: int, at_s: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(times):
        breaker.fail(at_s, probe=breaker.begin())
    return breaker


def test_it_opens_at_as_many_failures_as_configured_and_not_before() -> None:
    assert failed(2).state(0.0) is State.CLOSED
    breaker = failed(3)
    assert breaker.state(0.0) is State.OPEN
    assert breaker.wait_s(0.5) == 1.5


def test_failures_that_are_few_among_answers_do_not_open_it() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(20):
        breaker.succeed(0.0)
    for _ in range(10):
        breaker.fail(0.0, probe=False)
    assert breaker.state(0.0) is State.CLOSED


def test_failures_count_for_the_window_and_no_longer() -> None:
    breaker = failed(2, at_s=0.0)
    breaker.fail(25.0, probe=False)
    assert breaker.state(25.0) is State.CLOSED


def test_failures_on_both_sides_of_a_slot_count_together() -> None:
    breaker = failed(2, at_s=9.9)
    breaker.fail(10.0, probe=False)
    assert breaker.state(10.0) is State.OPEN


def test_after_its_rest_one_request_probes_and_an_answer_closes_it() -> None:
    breaker = failed(3)
    assert breaker.state(2.0) is State.HALF_OPEN
    assert breaker.wait_s(2.0) == 0.0
    assert breaker.begin()
    assert math.isinf(breaker.wait_s(2.0))
    breaker.succeed(2.1)
    assert (breaker.state(2.1), breaker.wait_s(2.1)) == (State.CLOSED, 0.0)
    breaker.fail(2.2, probe=False)
    assert breaker.state(2.2) is State.CLOSED  # the failures before do not count any more


def test_a_probe_that_fails_doubles_the_rest_up_to_eight_times() -> None:
    breaker, now_s, rests = failed(3), 0.0, []
    for _ in range(6):
        rests.append(breaker.wait_s(now_s))
        now_s += rests[-1]
        breaker.fail(now_s, probe=breaker.begin())
    assert rests == [2.0, 4.0, 8.0, 16.0, 16.0, 16.0]


def test_a_probe_that_tells_nothing_lets_another_one_try() -> None:
    breaker = failed(3)
    breaker.abandon(probe=breaker.begin())
    assert breaker.wait_s(2.0) == 0.0


def test_a_late_failure_of_an_older_request_does_not_end_a_probe() -> None:
    breaker = failed(3)
    assert breaker.begin()
    breaker.fail(2.1, probe=False)
    assert math.isinf(breaker.wait_s(2.1))
    breaker.succeed(2.2)
    assert breaker.state(2.2) is State.CLOSED


def test_a_backend_that_asks_for_a_rest_gets_it_with_its_circuit_closed() -> None:
    breaker = Breaker(SETTINGS)
    breaker.rest(7.0)
    assert (breaker.state(1.0), breaker.wait_s(1.0), breaker.wait_s(7.0)) == (State.CLOSED, 6.0, 0.0)


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.sampled_from(["answer", "fail", "nothing"])), max_size=60))
def test_whatever_happens_it_lets_a_request_through_again(events: list[tuple[float, str]]) -> None:
    breaker, now_s = Breaker(SETTINGS), 0.0
    for wait_s, outcome in events:
        now_s += wait_s
        if breaker.wait_s(now_s):
            continue
        probe = breaker.begin()
        if outcome == "answer":
            breaker.succeed(now_s)
        elif outcome == "fail":
            breaker.fail(now_s, probe=probe)
        else:
            breaker.abandon(probe=probe)
    assert breaker.wait_s(now_s + 16.0) == 0.0
