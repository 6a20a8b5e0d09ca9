from __future__ import annotations

import numpy as np
import pytest
from ticket_lists import CAUSES, HOUR_US, history, ticket

from cellwright.digest.advise_judge import NearestText, Report, calibration_error, judge
from cellwright.digest.advise_symptoms import Symptoms


def judged(tickets: list[object], **more: int) -> Report:
    found = judge(tickets, **more)  # type: ignore[arg-type]
    assert isinstance(found, Report), found
    return found


def test_plain_causes_are_told_apart_and_the_most_frequent_resolution_is_right_as_often_as_it_occurs() -> None:
    report = judged(history(120))
    assert (report.learned, report.judged, report.between, report.resolutions, report.known) == (84, 36, 0, 3, 1.0)
    assert report.methods["ours"].top1 == (1.0, 1.0, 1.0)
    assert report.methods["nearest text"].top1.value == 1.0
    assert report.methods["most frequent"].top1.value == pytest.approx(1 / 3)
    assert report.methods["most frequent"].ahead1.value == pytest.approx(2 / 3)
    assert (report.answered, report.answered_top1) == (1.0, 1.0)


def test_what_was_closed_after_the_first_judged_ticket_was_opened_is_not_learned_from() -> None:
    tickets = history(120)
    late = [ticket(number, Symptoms(f"odd thing {number}"), "late", closed_us=90 * HOUR_US) for number in range(20)]
    report = judged([*late, *tickets[20:]])
    assert (report.learned, report.between, report.resolutions) == (64, 20, 3)


def test_the_split_is_by_time_whatever_the_order_of_the_file() -> None:
    tickets = history(120)
    assert judged(tickets[::-1]) == judged(tickets)


def test_resolutions_that_nobody_could_know_count_as_wrong() -> None:
    tickets = history(120)
    new = [ticket(number, CAUSES[number % 3][1], "new way") for number in range(102, 120)]
    report = judged([*tickets[:102], *new])
    assert report.known == pytest.approx(0.5)
    assert report.methods["ours"].top3.value == pytest.approx(0.5)


def test_the_interval_holds_the_value_and_narrows_with_more_tickets() -> None:
    def width(count: int) -> float:
        random = np.random.default_rng(5)
        wrong = [ticket(n, CAUSES[n % 3][1], CAUSES[random.integers(3)][0]) for n in range(count)]
        share = judged(wrong).methods["ours"].top1
        assert share.low <= share.value <= share.high
        return share.high - share.low

    assert width(900) < width(120)


@pytest.mark.parametrize(
    ("tickets", "reason"),
    [
        ([], "0 later tickets"),
        (history(40), "12 later tickets"),
        ([ticket(0, Symptoms(), "x")] * 90, "too little history"),
    ],
)
def test_too_little_to_judge_is_told(tickets: list[object], reason: str) -> None:
    assert reason in str(judge(tickets))  # type: ignore[arg-type]


def test_untimed_tickets_are_neither_learned_from_nor_judged() -> None:
    untimed = [ticket(number, Symptoms("toner"), "toner", opened_us=None) for number in range(50)]
    assert judged([*history(120), *untimed]) == judged(history(120))


def test_the_plain_peer_ranks_by_the_cosine_of_whole_texts_the_newest_of_equals_first() -> None:
    texts = [("link down", "a"), ("link down", "b"), ("link up", "c"), ("power gone", "d")]
    tickets = [ticket(number, Symptoms(text), code) for number, (text, code) in enumerate(texts)]
    peer = NearestText(tickets, [code for _, code in texts])
    assert peer.rank(Symptoms("link down")) == (["b", "a", "c"], ["b", "a", "c"])
    crowd = [ticket(9 + number, Symptoms("link down now"), "d") for number in range(5)]
    voted = NearestText([*tickets, *crowd], [*(code for _, code in texts), *"ddddd"]).rank(Symptoms("link down"))
    assert voted == (["b", "a", "d"], ["d", "b", "a"])


def test_the_calibration_error_is_the_mean_gap_over_bins() -> None:
    probabilities = np.array([0.95, 0.95, 0.25, 0.25])
    assert calibration_error(probabilities, np.array([1.0, 1.0, 0.0, 1.0])) == pytest.approx((0.1 + 0.5) / 4)
