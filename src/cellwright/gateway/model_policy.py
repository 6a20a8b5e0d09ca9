"""The frozen policy of a route: what decides among the backends that sovereignty allows, and what happens on faults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Criterion(StrEnum):
    """What the backends that sovereignty allows are put in order by."""

    LATENCY = "latency"  # the 95th percentile, in steps of a quarter
    PRICE = "price"  # of the request
    LOAD = "load"  # requests in flight


class Grade(StrEnum):
    """How much a model is up to; among those of the cloud tier a simple request goes to a light one."""

    LIGHT = "light"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Budget:
    """How long an answer may take at the 95th percentile, in milliseconds; None: no limit."""

    first_token_ms: float | None = None
    round_trip_ms: float | None = None


_NO_BUDGET: Final = Budget()


@dataclass(frozen=True, slots=True)
class Hedge:
    """When a second backend is asked beside one that has not begun to answer."""

    after_ms: float | None  # None: the 95th percentile of the first; no hedge while that is unknown


@dataclass(frozen=True, slots=True)
class Policy:
    """What decides after sovereignty, and what happens on faults."""

    prefer: tuple[Criterion, ...] = ()  # in this order, then as the route lists its backends
    budget: Budget = Budget()
    light_below: float | None = None  # difficulty, 0 to 1, below which a request is simple; None: not asked
    hedge: Hedge | None = None
    restart: bool = False  # on another backend after the first byte; the stream says so

    @property
    def selective(self) -> bool:
        """Whether anything but the order of the list decides."""
        return bool(self.prefer) or self.light_below is not None or self.budget != _NO_BUDGET


AS_LISTED: Final = Policy()


@dataclass(frozen=True, slots=True)
class Expected:
    """95th percentiles of a backend that somebody measured, in milliseconds: what holds until enough was seen here."""

    first_token_ms: float | None
    round_trip_ms: float | None
    source: str


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a backend that fails is no longer asked, and for how long."""

    failures: int = 5  # in the window, at least
    share: float = 0.5  # of the requests in the window, at least
    window_ms: float = 30_000.0
    rest_ms: float = 10_000.0  # then one request probes it; doubled after each probe that fails, up to 8 times


BREAKER: Final = BreakerSettings()
