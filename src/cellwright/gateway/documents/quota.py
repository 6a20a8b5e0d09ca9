"""Sections of a gateway's document that say how much tenants and keys may use, and where that is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, model_validator

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.documents.parts import Part, Text, one_of, refuse
from cellwright.gateway.documents.parts import Variable
from cellwright.gateway.model import nano
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from cellwright.estate.yaml_nodes import Node
    from cellwright.gateway.documents.access import KeyPart

_LARGEST: Final = 9_000_000  # of a currency: nano units stay exact in every store
_MOST: Final = 10**15  # stays exact in every store, also where many take of it
_EACH: Final = "*"
Bounded = Annotated[int, Field(strict=True, ge=1, le=_MOST)]


class BudgetPart(Part):
    """The most tokens or money for a day or month of the calendar, in UTC."""

    per: Annotated[Period, one_of(Period)] = Field(description="day or month")
    tokens: Bounded | None = Field(default=None, description="tokens in and out")
    amount: Annotated[float, Field(strict=True, gt=0, le=_LARGEST)] | None = Field(
        default=None, description="what they may cost at list price, in units of the currency"
    )
    currency: Text | None = Field(default=None, pattern="^[A-Z]{3}$", description="of the amount (ISO 4217)")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.per is Period.MINUTE:
            raise refuse("out-of-range", "a minute", expected="day or month; a rate is said by tokensPerMinute")
        if self.tokens is None and self.amount is None:
            raise refuse("missing-value", "without a bound", expected="tokens, or an amount with its currency")
        if (self.amount is None) is not (self.currency is None):
            raise refuse("missing-value", "half a price", expected="both amount and currency")
        return self

    def build(self) -> Iterator[Bound]:
        """Yield the frozen bounds."""
        if self.tokens is not None:
            yield Bound(Unit.TOKENS, self.per, self.tokens)
        if self.amount is not None:
            yield Bound(Unit.COST, self.per, nano(self.amount), self.currency)


class QuotaPart(Part):
    """What a tenant or key may use."""

    tenant: Text | None = Field(default=None, description="a tenant, or * for each that has no quota of its own")
    key: Text | None = Field(default=None, description="the name of a key, or * for each that has none of its own")
    requests_per_minute: Bounded | None = Field(default=None, description="requests in a minute of the clock")
    tokens_per_minute: Bounded | None = Field(default=None, description="tokens in and out in a minute")
    at_once: Bounded | None = Field(default=None, description="requests in flight")
    budgets: tuple[BudgetPart, ...] = Field(default=(), description="a list of what a day or month may take")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tenant is None) is (self.key is None):
            raise refuse("contradiction", "for nobody, or for two", expected="either a tenant or a key")
        if not self.build().bounds and self.at_once is None:
            raise refuse("missing-value", "without a bound", expected="a rate, atOnce or a budget")
        return self

    def build(self) -> Quota:
        """Return the frozen quota."""
        rates = (
            Bound(unit, Period.MINUTE, size)
            for unit, size in ((Unit.REQUESTS, self.requests_per_minute), (Unit.TOKENS, self.tokens_per_minute))
            if size is not None
        )
        holder, name = (Holder.KEY, self.key) if self.tenant is None else (Holder.TENANT, self.tenant)
        budgets = (bound for budget in self.budgets for bound in budget.build())
        return Quota(holder, None if name == _EACH else name, (*rates, *budgets), self.at_once)


class QuotaStorePart(Part):
    """Where workers share what is left; the meter's database where nothing is said."""

    url_env: Variable | None = Field(
        default=None, description="the environment variable that holds the URL of a database, or of Redis"
    )


def quota_problems(
    quotas: Sequence[QuotaPart], keys: Iterable[KeyPart], currencies: Mapping[str, str | None], node: Node
) -> Iterator[Diagnostic]:
    """Yield quotas of nobody, two of one holder, and budgets that the prices of backends cannot be held against."""
    names = {key.name for key in keys}
    seen: set[tuple[Holder, str | None]] = set()
    for index, part in enumerate(quotas):
        place, quota = node.descend((index,)), part.build()
        if quota.holder is Holder.KEY and quota.name is not None and quota.name not in names:
            hint = nearest(quota.name, names)
            yield Diagnostic("unknown-name", f"there is no key named {quota.name!r}", place.mark, "a key", hint)
        if (quota.holder, quota.name) in seen:
            message = f"the {quota.holder} {quota.name or _EACH!r} has a quota already"
            yield Diagnostic("duplicate-name", message, place.mark, "one quota for each")
        seen.add((quota.holder, quota.name))
        for currency in {bound.currency for bound in quota.bounds} - {None}:
            for name, priced in currencies.items():
                if priced != currency:
                    has = f"a price in {priced}" if priced else "no price"
                    message = f"a budget in {currency}, but backend {name} has {has}"
                    yield Diagnostic("price-unknown", message, place.mark, f"a price in {currency} for every backend")
