from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.economics.tokens import TokenUse, cost_per_hour, published_example, saving
from cellwright.estate.model import TokenPrices

PRICES = TokenPrices("model", 2.50, 10.00)


def test_the_published_figures_follow_from_the_stated_assumptions() -> None:
    example = published_example()
    assert example.cost_before == 52.00
    assert example.cost_after == 7.00
    assert (example.before.events_per_hour, example.before.tokens_in, example.before.tokens_out) == (1000, 20_000, 200)


def test_a_tenfold_token_cut_is_not_a_tenfold_cost_cut() -> None:
    example = published_example()
    assert example.token_factor == 10.0
    assert example.cost_factor == pytest.approx(7.43, abs=0.005)


def test_with_free_output_the_cost_falls_as_the_tokens_do() -> None:
    found = saving(TokenUse(1000, 20_000, 200), 2_000, TokenPrices("model", 2.5, 0.0))
    assert found.cost_factor == pytest.approx(found.token_factor)


def test_no_events_cost_nothing_and_save_nothing() -> None:
    found = saving(TokenUse(0, 20_000, 200), 2_000, PRICES)
    assert (found.cost_before, found.cost_after, found.cost_factor) == (0.0, 0.0, 1.0)


def test_a_cut_to_nothing_is_infinite() -> None:
    assert saving(TokenUse(1, 100, 0), 0, PRICES).cost_factor == math.inf


tokens = st.floats(1, 1e6)


@given(tokens, tokens, st.floats(0.01, 1), st.floats(1, 1e5))
def test_the_cost_factor_is_never_above_the_token_factor(
    tokens_in: float, tokens_out: float, kept: float, events: float
) -> None:
    found = saving(TokenUse(events, tokens_in, tokens_out), tokens_in * kept, PRICES)
    assert 1 - 1e-9 <= found.cost_factor <= found.token_factor * (1 + 1e-9)
    assert found.cost_before == cost_per_hour(found.before, PRICES)
