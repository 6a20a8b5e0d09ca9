"""The score of difficulty: transparent, bounded, the same for the same request, with its errors beside its weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.gateway.routing.difficulty import contributions, difficulty, features, shipped

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": JSON}, optional={"tool_calls": JSON}
)
BODIES = st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=4)}, optional={"tools": JSON, "n": JSON})


def asking(text: str, **more: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


@given(BODIES)
def test_whatever_a_request_holds_it_has_a_score(body: dict[str, Any]) -> None:
    score = difficulty(body)
    assert 0.0 <= score <= 1.0
    assert difficulty(body) == score


@given(BODIES)
def test_contributions_and_bias_are_the_score(body: dict[str, Any]) -> None:
    told = contributions(body)
    odds = shipped().bias + math.fsum(value for _, value in told)
    assert difficulty(body) == pytest.approx(1 / (1 + math.exp(-odds)))
    assert [abs(value) for _, value in told] == sorted((abs(value) for _, value in told), reverse=True)
    assert {name for name, _ in told} == set(features(body)) == set(shipped().features)


@pytest.mark.parametrize(
    "text",
    ["What does PFCP stand for?", "Translate into Italian: the site is back.", "Is gNB-7 in service? Yes or no."],
)
def test_a_look_up_is_simple(text: str) -> None:
    assert difficulty(asking(text)) < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "Compare moving the alarm filter to the edge with keeping it central, weigh cost, recommend one.",
        "Why do calls drop at our northern sites only after rain, and how would you rule out each hypothesis?",
    ],
)
def test_weighing_and_finding_causes_is_difficult(text: str) -> None:
    assert difficulty(asking(text)) > 0.5


def test_a_log_around_a_question_does_not_make_it_difficult() -> None:
    lines = "\n".join(f"2026-05-01 10:{minute:02}:07 edge-7 LINK_DOWN port 1/0/{minute}" for minute in range(60))
    question = "How many of the lines below are critical?"
    assert difficulty(asking(f"{question}\n{lines}")) == pytest.approx(difficulty(asking(question)), abs=0.15)


def test_how_often_it_errs_stands_beside_its_weights() -> None:
    errors = shipped().errors
    assert 0.0 < errors["unseen kinds, low"] <= errors["unseen kinds"] <= errors["unseen kinds, high"] < 0.5
    assert errors["contrary kinds"] > errors["unseen kinds"]


def test_of_a_long_question_the_beginning_and_the_end_are_looked_at() -> None:
    middle = "x y z. " * 1000
    text = f"Explain the lines below. {middle}"
    found, other = (features(asking(f"{text}{word} {middle}")) for word in ("compare", "nothing"))
    assert {name for name in found if found[name] != other[name]} == set()
    assert found["words of prose"] < 7
