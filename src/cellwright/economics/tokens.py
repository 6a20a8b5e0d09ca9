"""What a language model costs per hour, from how many tokens each event sends and receives."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from cellwright.estate.model import TokenPrices

_MILLION: Final = 1e6


@dataclass(frozen=True, slots=True)
class TokenUse:
    """How an AI function uses a model: events an hour, tokens into and out of the model for each event."""

    events_per_hour: float
    tokens_in: float
    tokens_out: float


@dataclass(frozen=True, slots=True)
class TokenSaving:
    """The same function before and after its input was cut, per hour; factors say how many times less."""

    before: TokenUse
    after: TokenUse
    prices: TokenPrices
    cost_before: float
    cost_after: float
    token_factor: float
    cost_factor: float


def cost_per_hour(use: TokenUse, prices: TokenPrices) -> float:
    """Return the cost of one hour in the currency of `prices`."""
    for_each = use.tokens_in * prices.input_per_million + use.tokens_out * prices.output_per_million
    return use.events_per_hour * for_each / _MILLION


def saving(before: TokenUse, tokens_in: float, prices: TokenPrices) -> TokenSaving:
    """Return what cutting the input of each event to `tokens_in` saves.

    The cost factor stays below the token factor: the answer's tokens cost as much as before (Amdahl's argument, with
    the output as the serial part). Equal only where the output is free.
    """
    after = replace(before, tokens_in=tokens_in)
    cost_before, cost_after = cost_per_hour(before, prices), cost_per_hour(after, prices)
    return TokenSaving(
        before=before,
        after=after,
        prices=prices,
        cost_before=cost_before,
        cost_after=cost_after,
        token_factor=_factor(before.tokens_in, tokens_in),
        cost_factor=_factor(cost_before, cost_after),
    )


def published_example() -> TokenSaving:
    """Return the saving behind the published 52 USD per hour at 1,000 raw alarm events an hour.

    Source: AWS for Industries, "Flexible Telecom AI Workload Deployment Across AWS Hybrid Cloud" (15,000 to 25,000
    tokens an event, 52 USD per hour unfiltered, 2,000 tokens filtered). The paper states neither the prices nor the
    length of an answer. Assumed here: the middle of its range, 20,000 tokens; 2.50 USD per million tokens in and
    10.00 USD out; 200 tokens an answer. They give 52.00 USD unfiltered and 7.00 USD filtered: ten times fewer tokens,
    7.43 times less cost.
    """
    prices = TokenPrices("published example", input_per_million=2.50, output_per_million=10.00)
    return saving(TokenUse(events_per_hour=1000, tokens_in=20_000, tokens_out=200), 2_000, prices)


def _factor(before: float, after: float) -> float:
    """Return how many times less `after` is; one where both are zero, infinite where only `after` is."""
    if after > 0:
        return before / after
    return math.inf if before > 0 else 1.0
