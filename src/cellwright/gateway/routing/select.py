"""In which order the backends that sovereignty allows are asked. Pure: the same snapshot gives the same order."""

from __future__ import annotations

import functools
import math
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.estate.model import Tier
from cellwright.gateway.model_policy import Criterion, Grade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.gateway.model_policy import Policy
    from cellwright.gateway.routing.standing import Figure, Standing

CLOUD: Final = Tier.REGION
STEP: Final = 1.25  # latencies within one step of another are alike: percentiles of so few requests tell no more
COST_UNITS: Final = 10**15  # that costs are reckoned in here, in one unit of the currency
_LOG_STEP: Final = math.log(STEP)
_LEAST_MS: Final = 1e-3


class Fit(IntEnum):
    """How a backend stands to the latency budget, the best first."""

    WITHIN = 0
    UNKNOWN = 1
    OVER = 2


_WITHIN: Final = Fit.WITHIN
_LATENCY: Final = Criterion.LATENCY
_PRICE: Final = Criterion.PRICE


class Ask(NamedTuple):
    """What a selection looks at in a request."""

    stream: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    difficulty: float | None = None  # None: not asked


def order(policy: Policy, ask: Ask, standings: Sequence[Standing]) -> list[Standing]:
    """Return the backends by preference, as if none of them failed or were full.

    Within the budget goes before unknown, unknown before over it; then the criteria in their order, then the order
    given. A backend whose latency is unknown is asked by one request at a time until it is known.
    """
    ordered = sorted(keys(policy, ask, standings))
    if graded(policy, ask):
        _put_lighter(ordered, standings, Grade.LIGHT if simple(policy, ask) else Grade.FULL)
    return [standings[int(key[-1])] for key in ordered]


def keys(policy: Policy, ask: Ask, standings: Sequence[Standing]) -> list[tuple[float, ...]]:
    """Return what each backend is put in order by: its fit, a rank for each criterion, its place; the least first."""
    ranks = [_ranks(criterion, ask, standings) for criterion in policy.prefer]
    return list(zip([fit(policy, standing) for standing in standings], *ranks, range(len(standings)), strict=True))


def fit(policy: Policy, standing: Standing) -> Fit:
    """Return how a backend stands to the budget of a policy; with nothing in flight the unknown gets its chance."""
    budget = policy.budget
    first_ms, first_limit_ms = standing.first_token.ms, budget.first_token_ms
    trip_ms, trip_limit_ms = standing.round_trip.ms, budget.round_trip_ms
    if first_limit_ms is not None and first_ms is not None and first_ms > first_limit_ms:
        return Fit.OVER
    if trip_limit_ms is not None and trip_ms is not None and trip_ms > trip_limit_ms:
        return Fit.OVER
    unknown = (first_limit_ms is not None and first_ms is None) or (trip_limit_ms is not None and trip_ms is None)
    return Fit.UNKNOWN if unknown and standing.in_flight else _WITHIN


def graded(policy: Policy, ask: Ask) -> bool:
    """Return whether the difficulty of a request decides which models of the cloud tier go first."""
    return policy.light_below is not None and ask.difficulty is not None


def simple(policy: Policy, ask: Ask) -> bool:
    """Return whether a request is one for a light model."""
    return policy.light_below is not None and ask.difficulty is not None and ask.difficulty < policy.light_below


def latency(ask: Ask, standing: Standing) -> Figure:
    """Return the latency that counts for a request: to the first token where it streams."""
    return standing.first_token if ask.stream else standing.round_trip


def cost(ask: Ask, standing: Standing) -> int | None:
    """Return what a request would cost, exactly, in COST_UNITS of the currency; None is unknown."""
    price = standing.spec.price
    return None if price is None else ask.tokens_in * price.input_nano + ask.tokens_out * price.output_nano


def comparable(standings: Sequence[Standing]) -> bool:
    """Return whether all known prices are in one currency."""
    known: str | None = None
    for standing in standings:
        price = standing.spec.price
        if price is not None:
            if known is not None and price.currency != known:
                return False
            known = price.currency
    return True


def load(standing: Standing, *, shares: bool) -> float:
    """Return requests in flight, as a share of what the backend takes where all say so."""
    limit = standing.spec.max_concurrency if shares else None
    return standing.in_flight / limit if limit else float(standing.in_flight)


def shares_known(standings: Sequence[Standing]) -> bool:
    """Return whether every backend says how many requests it takes at once."""
    return None not in [standing.spec.max_concurrency for standing in standings]


def _ranks(criterion: Criterion, ask: Ask, standings: Sequence[Standing]) -> list[float]:
    """Return what a criterion makes of each backend: the lower, the better."""
    if criterion is _LATENCY:
        found = [(latency(ask, each).ms, each.in_flight) for each in standings]
        return [_step(ms) if ms is not None else math.inf if busy else -math.inf for ms, busy in found]
    if criterion is _PRICE:
        if not comparable(standings):
            return [0.0] * len(standings)
        costs = [cost(ask, each) for each in standings]
        return [math.inf if each is None else each for each in costs]
    shares = shares_known(standings)
    return [load(each, shares=shares) for each in standings]


@functools.lru_cache(maxsize=1024)  # percentiles are those of buckets
def _step(ms: float) -> int:
    return math.floor(math.log(max(ms, _LEAST_MS)) / _LOG_STEP)


def _put_lighter(ordered: list[tuple[float, ...]], standings: Sequence[Standing], wanted: Grade) -> None:
    """Fill the places that the cloud tier has in an order by grade: those of the one that is wanted first.

    Who stands over the budget stays behind who stands within it.
    """
    cloud: list[tuple[float, bool, int]] = []
    for place, key in enumerate(ordered):
        spec = standings[int(key[-1])].spec
        if spec.tier is CLOUD:
            cloud.append((key[0], spec.grade is not wanted, place))
    chosen = [ordered[place] for _, _, place in sorted(cloud)]
    for (_, _, place), key in zip(cloud, chosen, strict=True):
        ordered[place] = key
