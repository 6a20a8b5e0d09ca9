"""How a backend does at this moment: requests in flight, latencies, its circuit."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.gateway.routing.breaker import Breaker, State
from cellwright.gateway.routing.percentile import Durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.gateway.model import BackendSpec, GatewayConfig
    from cellwright.gateway.model_policy import BreakerSettings

PERCENTILE: Final = 95.0
_MEASURED: Final = "measured here"
_UNKNOWN: Final = "not measured yet"
_FRESH_S: Final = 0.25  # for which a percentile that was reckoned is told again


class Figure(NamedTuple):
    """A 95th percentile in milliseconds and where it comes from; None is unknown."""

    ms: float | None
    source: str


_NOTHING: Final = Figure(None, _UNKNOWN)


class Standing(NamedTuple):
    """What is known of one backend when a request is about to be sent; all that a selection looks at."""

    spec: BackendSpec
    in_flight: int = 0
    first_token: Figure = _NOTHING
    round_trip: Figure = _NOTHING
    state: State = State.CLOSED
    wait_s: float = 0.0  # until a request may be sent


class _InFlight:
    """How many requests a server has."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests = 0


class Live:
    """One backend as it answers; times are seconds of a clock that rises."""

    __slots__ = ("_expected", "_first_token", "_in_flight", "_round_trip", "_told", "_told_s", "breaker", "spec")

    def __init__(self, spec: BackendSpec, settings: BreakerSettings, now_s: float) -> None:
        self.spec = spec
        self.breaker = Breaker(settings)
        self._in_flight = _InFlight()
        self._expected = _expected(spec)
        self._first_token = Durations(now_s)
        self._round_trip = Durations(now_s)
        self._told, self._told_s = self._expected, -math.inf  # percentiles, and when they were reckoned

    def renewed(self, spec: BackendSpec, settings: BreakerSettings, now_s: float) -> Live:
        """Return the backend of another specification: with all that is known of it where it is the same server."""
        found = Live(spec, settings, now_s)
        mine, theirs = ((each.name, each.type, each.base_url, each.model) for each in (self.spec, spec))
        if mine == theirs:
            found.breaker = self.breaker
            found.breaker.settings = settings
            found._in_flight = self._in_flight
            found._first_token, found._round_trip = self._first_token, self._round_trip
        return found

    @property
    def in_flight(self) -> int:
        """Requests that it has."""
        return self._in_flight.requests

    def take(self) -> None:
        """Note that a request is sent."""
        self._in_flight.requests += 1

    def release(self) -> None:
        """Note that a request has ended."""
        self._in_flight.requests -= 1

    @property
    def full(self) -> bool:
        """Whether it has as many requests in flight as it takes."""
        return self.spec.max_concurrency is not None and self.in_flight >= self.spec.max_concurrency

    def began(self, ms: float, now_s: float) -> None:
        """Note how long the first piece of an answer took; for one that never came, how long it was waited for."""
        self._first_token.add(ms, now_s)

    def ended(self, ms: float, now_s: float) -> None:
        """Note how long a whole answer took."""
        self._round_trip.add(ms, now_s)

    def usual_ms(self, now_s: float, *, stream: bool) -> float | None:
        """Return the 95th percentile until an answer begins, for one that does not stream until it is whole."""
        first, trip = self._figures(now_s)
        return first.ms if stream else trip.ms

    def state(self, now_s: float) -> str:
        """Return the state of its circuit, `resting` where it asked to be left alone."""
        found = self.breaker.state(now_s)
        return "resting" if found is State.CLOSED and self.breaker.wait_s(now_s) else found.value

    def sentence(self, now_s: float) -> str:
        """Return in words whether it can be asked now."""
        name, wait_s = self.spec.name, self.breaker.wait_s(now_s)
        if self.full:
            return f"{name} has {self.in_flight} requests in flight, as many as it takes"
        if not wait_s:
            return f"{name} was asked"
        state = self.breaker.state(now_s)
        why = "asked for fewer requests" if state is State.CLOSED else f"failed too often (circuit {state})"
        return f"{name} {why}, again in {wait_s:.1f} s" if wait_s < math.inf else f"{name} is being probed"

    def standing(self, now_s: float) -> Standing:
        """Return what is known now."""
        first, trip = self._figures(now_s)
        state, wait_s = self.breaker.standing(now_s)
        return Standing(self.spec, self._in_flight.requests, first, trip, state, wait_s)

    def _figures(self, now_s: float) -> tuple[Figure, Figure]:
        """Return the percentiles to the first token and of the whole, reckoned at most a quarter of a second ago."""
        if now_s - self._told_s >= _FRESH_S:
            first, trip = self._expected
            self._told_s = now_s
            self._told = (
                _figure(self._first_token.percentile(PERCENTILE, now_s), first),
                _figure(self._round_trip.percentile(PERCENTILE, now_s), trip),
            )
        return self._told


class Standings:
    """All backends as they answer; what is known of a server stays known when the configuration changes."""

    def __init__(self) -> None:
        self._lives: Mapping[str, Live] = {}

    def renew(self, config: GatewayConfig, now_s: float) -> Mapping[str, Live]:
        """Return the backends of a configuration by name, and keep them for the next one."""
        lives = {}
        for spec in config.backends:
            known = self._lives.get(spec.name)
            lives[spec.name] = (
                known.renewed(spec, config.breaker, now_s) if known else Live(spec, config.breaker, now_s)
            )
        self._lives = MappingProxyType(lives)
        return self._lives

    def states(self, now_s: float) -> dict[str, str]:
        """Return the state of each backend's circuit by name, `resting` where it asked to be left alone."""
        return {name: live.state(now_s) for name, live in self._lives.items()}


def supposed(spec: BackendSpec) -> Standing:
    """Return the standing of a backend that nothing was sent to: idle, as fast as its configuration expects."""
    first, trip = _expected(spec)
    return Standing(spec, first_token=first, round_trip=trip)


def _expected(spec: BackendSpec) -> tuple[Figure, Figure]:
    """Return what the configuration expects to the first token and of the whole."""
    expected = spec.expected
    if expected is None:
        return _NOTHING, _NOTHING
    both = (expected.first_token_ms, expected.round_trip_ms)
    first, trip = (_NOTHING if ms is None else Figure(ms, expected.source) for ms in both)
    return first, trip


def _figure(seen_ms: float | None, expected: Figure) -> Figure:
    return expected if seen_ms is None else Figure(seen_ms, _MEASURED)
