"""What a user writes about policy: routes and what decides on them, rules, and when a backend is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from cellwright.estate.documents.parts import (
    Duration,
    Flag,
    Name,
    Part,
    PositiveCount,
    Share,
    Text,
    first_repeated,
    one_of,
    refuse,
)
from cellwright.gateway.documents.filter import FilterPart
from cellwright.gateway.documents.parts import MODEL_NAME, DataClass, Within
from cellwright.gateway.model import Route, Rule
from cellwright.gateway.model_policy import BREAKER, BreakerSettings, Budget, Criterion, Expected, Hedge, Policy
from cellwright.units import DURATION

if TYPE_CHECKING:
    from typing import Self

_P95: Final = "p95"


def _hedge(value: object) -> Hedge:
    """Return when a second backend is asked."""
    if value == _P95:
        return Hedge(None)
    try:
        return Hedge(DURATION.parse(value)) if isinstance(value, str) else _no_hedge(value)
    except ValueError:
        return _no_hedge(value)


def _no_hedge(value: object) -> Hedge:
    shown = repr(value) if isinstance(value, str | int | float) else "no text"
    expected = f"{_P95}, the 95th percentile of the backend asked first, or a duration such as '300 ms'"
    raise refuse("wrong-format", shown, expected=expected)


_HedgeAfter = Annotated[
    Hedge, BeforeValidator(_hedge), WithJsonSchema({"type": "string", "examples": [_P95, DURATION.example]})
]


class BudgetPart(Part):
    """How long an answer may take, at the 95th percentile."""

    first_token: Duration | None = Field(default=None, description="until the first piece of a stream, such as 800 ms")
    round_trip: Duration | None = Field(default=None, description="until an answer is whole, such as 10 s")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.first_token is None and self.round_trip is None:
            raise refuse("missing-value", "empty", expected="firstToken, roundTrip or both, each a duration")
        return self

    def build(self) -> Budget:
        """Return the frozen budget."""
        return Budget(self.first_token, self.round_trip)


class ExpectedPart(Part):
    """95th percentiles of a backend that somebody measured; they hold until enough was seen here."""

    first_token: Duration | None = Field(default=None, description="until the first piece of a stream, such as 300 ms")
    round_trip: Duration | None = Field(default=None, description="until an answer is whole, such as 2 s")
    source: Text = Field(min_length=1, description="who measured them, and when")

    def build(self) -> Expected:
        """Return the frozen figures."""
        return Expected(self.first_token, self.round_trip, self.source)


class RoutePart(Part):
    """A name that clients ask for as a model, and what decides among its backends after the rules."""

    name: Text = Field(pattern=MODEL_NAME, description="what clients ask for as a model, such as auto")
    backends: tuple[Text, ...] = Field(min_length=1, description="a list of backends, the preferred one first")
    data_class: DataClass | None = Field(default=None, description="the class of a request that names none")
    prefer: tuple[Annotated[Criterion, one_of(Criterion)], ...] = Field(
        default=(), description="a list of latency, price and load: what decides before the order of the backends"
    )
    latency_budget: BudgetPart | None = Field(
        default=None, description="how long an answer may take; who takes longer comes last"
    )
    light_below: Share | None = Field(
        default=None, description="the difficulty, up to 1, below which the cloud tier's light models go first"
    )
    hedge_after: _HedgeAfter | None = Field(
        default=None, description="when a second backend is asked too: p95, or a duration"
    )
    restart: Flag = Field(default=False, description="whether a stream that breaks off begins anew elsewhere")
    filter: FilterPart | None = Field(default=None, description="what becomes of raw records on this route")
    knowledge: tuple[Text, ...] = Field(
        default=(), description="a list of collections that every request is given passages of, by name or id"
    )

    @field_validator("prefer", "backends")
    @classmethod
    def _once_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if (repeated := first_repeated(names)) is not None:
            index, name = repeated
            raise refuse("duplicate-name", f"{str(name)!r} twice", expected="each of them once", at=(index,))
        return names

    def build(self) -> Route:
        """Return the frozen route."""
        budget = self.latency_budget.build() if self.latency_budget else Budget()
        policy = Policy(self.prefer, budget, self.light_below, self.hedge_after, self.restart)
        filtering = self.filter.build() if self.filter else None
        return Route(self.name, self.backends, self.data_class, policy, filtering, self.knowledge)


class RulePart(Part):
    """What data of some classes may not leave."""

    name: Name = Field(description="what a refusal names")
    classes: tuple[DataClass, ...] = Field(min_length=1, description="a list of the sensitivity classes it is about")
    boundary: Within = Field(description="what the data may not leave")
    source: Text = Field(min_length=1, description="the instrument and article it comes from")

    def build(self) -> Rule:
        """Return the frozen rule."""
        return Rule(self.name, frozenset(self.classes), self.boundary, self.source)


class BreakerPart(Part):
    """When a backend that fails is left alone."""

    failures: PositiveCount = Field(default=BREAKER.failures, description="failures in the window, at least")
    share: Share = Field(default=BREAKER.share, description="of the requests in the window that failed, at least")
    window: Duration = Field(default=BREAKER.window_ms, gt=0, description="how long a failure counts")
    rest: Duration = Field(
        default=BREAKER.rest_ms, gt=0, description="how long it is left alone before one request probes it"
    )

    def build(self) -> BreakerSettings:
        """Return the frozen settings."""
        return BreakerSettings(self.failures, self.share, self.window, self.rest)
