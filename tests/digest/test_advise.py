from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ticket_lists import CAUSES, history, ticket

from cellwright.digest.advise import LEAST_TICKETS, Adviser, cut_off
from cellwright.digest.advise_symptoms import Symptoms


@pytest.fixture(scope="module")
def adviser() -> Adviser:
    return Adviser(history(60))


def test_what_mended_the_same_symptoms_before_comes_first_with_its_cases(adviser: Adviser) -> None:
    for name, symptoms, text in CAUSES:
        first = adviser.advise(symptoms).recommendations[0]
        assert (first.resolution, first.text, first.tickets) == (name, text, 20)
        assert first.probability > 0.8
        assert [case.similarity for case in first.cases] == pytest.approx([1.0] * 3)


def test_a_case_says_what_it_has_in_common_by_kind(adviser: Adviser) -> None:
    case = adviser.advise(Symptoms("light?", ("LOSSOFSIGNAL/x", "LinkDown"), ("los-2041",))).nearest[0]
    assert case.matched["alarm type"] == ["LinkDown", "LOSSOFSIGNAL"]
    assert case.matched["alarm sequence"] == ["LOSSOFSIGNAL first", "LOSSOFSIGNAL, then LinkDown"]
    assert case.matched["error code"] == ["LOS-2041"]
    assert "light" in case.matched["word"]


def test_probabilities_are_of_distinct_resolutions_and_sum_up_to_one_at_most(adviser: Adviser) -> None:
    found = adviser.advise(Symptoms("no light, grid voltage gone, nobody camps here")).recommendations
    assert len({each.resolution for each in found}) == len(found)
    assert sum(each.probability for each in found) <= 1 + 1e-9
    assert [each.probability for each in found] == sorted((each.probability for each in found), reverse=True)


@pytest.mark.parametrize("strange", [Symptoms(), Symptoms("the toner is empty"), Symptoms("no", ("FanFailure",))])
def test_what_is_like_nothing_before_gets_no_recommendation(adviser: Adviser, strange: Symptoms) -> None:
    advice = adviser.advise(strange)
    assert advice.recommendations == ()
    assert advice.abstained == "nothing similar was resolved before"


def test_symptoms_that_were_resolved_in_many_ways_get_no_recommendation() -> None:
    random = np.random.default_rng(4)
    noisy = [ticket(number, Symptoms("it broke"), f"R{random.integers(12)}") for number in range(240)]
    plain = [ticket(number, CAUSES[number % 3][1], CAUSES[number % 3][0]) for number in range(240, 480)]
    mixed = [each for pair in zip(noisy, plain, strict=True) for each in pair]
    adviser = Adviser([ticket(place, each.symptoms, each.code) for place, each in enumerate(mixed)])
    assert adviser.advise(Symptoms("it broke")).abstained == "what was similar was resolved in too many ways"
    assert adviser.advise(CAUSES[0][1]).recommendations[0].resolution == "fibre"


def test_no_resolution_is_recommended_without_a_case_that_speaks_for_it(adviser: Adviser) -> None:
    advice = adviser.advise(Symptoms("light in the duct", ("LossOfSignal", "LinkDown")))
    assert [each.resolution for each in advice.recommendations] == ["fibre"]


def test_probabilities_leave_room_for_what_nobody_did_before() -> None:
    tickets = [
        ticket(n, each.symptoms, f"new {n}" if n >= 90 and n % 4 == 0 else each.code)
        for n, each in enumerate(history(120))
    ]
    assert Adviser(tickets).advise(CAUSES[0][1]).recommendations[0].probability == pytest.approx(0.75, abs=0.1)


def test_too_little_history_is_told_with_its_numbers() -> None:
    few = history(LEAST_TICKETS * 4 // 3 - 1)  # of which a quarter only tunes
    assert "of the 29 tickets resolved first 29 share" in (Adviser(few).advise(CAUSES[0][1]).abstained or "")
    alike = [ticket(number, CAUSES[0][1], "fibre") for number in range(60)]
    assert "in 1 resolutions" in (Adviser(alike).advise(CAUSES[0][1]).abstained or "")
    assert Adviser([]).advise(CAUSES[0][1]).recommendations == ()


def test_a_resolution_of_two_tickets_is_evidence_but_no_recommendation() -> None:
    odd = Symptoms("birds nest on the antenna", ("VswrHigh",))
    adviser = Adviser([*history(60), ticket(60, odd, "birds"), ticket(61, odd, "birds")])
    assert "birds" not in adviser.classes
    assert {case.ticket for case in adviser.advise(odd).nearest} >= {"T0060", "T0061"}


def test_a_word_that_one_ticket_alone_has_leads_to_it() -> None:
    odd = ticket(60, Symptoms("no light since the excavator came"), "fibre")
    advice = Adviser([*history(60), odd]).advise(Symptoms("excavator"))
    assert advice.nearest[0].ticket == "T0060"


def test_the_ticket_of_the_incident_itself_is_no_evidence() -> None:
    own = ticket(60, Symptoms("no light in the duct of line seven"), "power", incident="k1")
    adviser = Adviser([*history(60), own])
    assert "T0060" in {case.ticket for case in adviser.advise(own.symptoms).nearest}
    advice = adviser.advise(own.symptoms, "k1")
    cases = [*advice.nearest, *(case for each in advice.recommendations for case in each.cases)]
    assert "T0060" not in {case.ticket for case in cases}


def test_open_tickets_teach_nothing() -> None:
    waiting = [ticket(number, Symptoms("toner"), closed_us=None) for number in range(60, 90)]
    assert Adviser([*history(60), *waiting]).advise(CAUSES[1][1]) == Adviser(history(60)).advise(CAUSES[1][1])


@given(
    st.lists(
        st.tuples(
            st.text("ab 1-", max_size=6), st.sampled_from(["", "A", "B", "C"]), st.sampled_from(["", "did a", "b"])
        ),
        max_size=60,
    ),
    st.text("ab 1-", max_size=6),
)
def test_any_history_gives_advice_or_a_reason(told: list[tuple[str, str, str]], text: str) -> None:
    tickets = [ticket(number, Symptoms(said), code, done) for number, (said, code, done) in enumerate(told)]
    advice = Adviser(tickets).advise(Symptoms(text))
    assert bool(advice.recommendations) != bool(advice.abstained)
    assert all(0 < each.probability <= 1 and each.cases for each in advice.recommendations)


def test_a_history_that_began_without_any_pattern_is_too_little() -> None:
    singles = [ticket(number, Symptoms(f"word{number}"), f"R{number}") for number in range(300)]
    later = [ticket(300 + number, CAUSES[number % 3][1], CAUSES[number % 3][0]) for number in range(60)]
    assert "in 0 resolutions" in str(Adviser([*singles, *later]).advise(CAUSES[0][1]).abstained)


def test_advice_does_not_depend_on_the_order_of_the_file() -> None:
    tickets = history(60)
    for _, symptoms, _ in CAUSES:
        assert Adviser(tickets[::-1]).advise(symptoms) == Adviser(tickets).advise(symptoms)


def test_free_texts_are_resolutions_where_there_are_no_codes() -> None:
    adviser = Adviser(history(60, coded=False))
    assert adviser.advise(CAUSES[1][1]).recommendations[0].resolution == "mains back"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), max_size=12))
def test_a_cut_off_keeps_the_scores_whose_gains_are_greatest_with_room_below(pairs: list[tuple[int, int]]) -> None:
    scores, gains = (np.array([pair[at] for pair in pairs], float) for at in (0, 1))
    found = cut_off(scores, gains)
    best = max((gains[scores >= score].sum() for score in scores), default=0)
    assert gains[scores >= found].sum() == max(best, 0)
    assert math.isinf(found) == (best <= 0)
    if best > 0:
        kept, lower = scores[scores >= found].min(), max(scores[scores < found], default=0)
        assert found == (kept + lower) / 2
