"""What tenants and keys may use, frozen: rates, budgets and requests at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    TOKENS = "tokens"  # in and out
    COST = "cost"  # in nano units of a currency


class Period(StrEnum):
    """The time a bound is for: one of the clock or the calendar, in UTC."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"


class Holder(StrEnum):
    """Whom a quota is for."""

    TENANT = "tenant"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that may be used of one unit in one period."""

    unit: Unit
    period: Period
    size: int
    currency: str | None = None  # of a cost


@dataclass(frozen=True, slots=True)
class Quota:
    """What one tenant or key may use."""

    holder: Holder
    name: str | None  # None: each of them that has no quota of its own
    bounds: tuple[Bound, ...]
    at_once: int | None = None  # requests in flight
