"""A circuit breaker: a backend that fails is left alone for a while, then probed by one request. Pure; no clock."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cellwright.gateway.model_policy import BreakerSettings

_MS_PER_S: Final = 1000.0
_LONGEST: Final = 8  # a rest is at most so many times the first one


class State(StrEnum):
    """What a breaker lets through: everything, one probe, nothing."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


_CLOSED: Final = State.CLOSED


class Breaker:
    """Counts answers and failures of one backend; every call is told the time in seconds, on any clock that rises."""

    __slots__ = ("_before", "_now", "_probing", "_resting_s", "_slot", "_until_s", "settings")

    def __init__(self, settings: BreakerSettings) -> None:
        self.settings = settings
        self._slot = -1
        self._now = [0, 0]  # answers and failures in the running slot of the window's length
        self._before = [0, 0]  # and in the one before
        self._until_s = -math.inf  # nothing is let through before
        self._resting_s = 0.0  # how long the last rest was, 0 while closed
        self._probing = False

    def wait_s(self, now_s: float) -> float:
        """Return in how many seconds a request may be sent; 0 for now, infinity while a probe is under way."""
        if now_s < self._until_s:
            return self._until_s - now_s
        return math.inf if self._probing else 0.0

    def state(self, now_s: float) -> State:
        """Return the state."""
        if not self._resting_s:
            return State.CLOSED
        return State.OPEN if now_s < self._until_s else State.HALF_OPEN

    def standing(self, now_s: float) -> tuple[State, float]:
        """Return the state, and in how many seconds a request may be sent."""
        if now_s >= self._until_s and not self._resting_s and not self._probing:
            return _CLOSED, 0.0
        return self.state(now_s), self.wait_s(now_s)

    def begin(self) -> bool:
        """Note that a request is sent, where `wait_s` says 0; return whether it is a probe."""
        probe = self._resting_s > 0.0
        self._probing = self._probing or probe
        return probe

    def succeed(self, now_s: float) -> None:
        """Note an answer: it closes the circuit."""
        self._turn(now_s)
        self._now[0] += 1
        if self._resting_s:
            self._now, self._before = [1, 0], [0, 0]
        self._probing, self._resting_s = False, 0.0

    def fail(self, now_s: float, *, probe: bool) -> None:
        """Note a failure: it opens the circuit where there are too many, or where it was the probe's."""
        self._turn(now_s)
        self._now[1] += 1
        self.abandon(probe=probe)
        answers, failures = self.seen(now_s)
        settings = self.settings
        many = failures >= settings.failures and failures >= settings.share * (answers + failures)
        if probe or (many and not self._resting_s):
            first_s = settings.rest_ms / _MS_PER_S
            self._resting_s = min(self._resting_s * 2 or first_s, first_s * _LONGEST)
            self._until_s = max(self._until_s, now_s + self._resting_s)

    def abandon(self, *, probe: bool) -> None:
        """Note that a request ended without telling anything about the backend; another may probe."""
        self._probing = self._probing and not probe

    def rest(self, until_s: float) -> None:
        """Let nothing through before a time that the backend asked for (Retry-After)."""
        self._until_s = max(self._until_s, until_s)

    def seen(self, now_s: float) -> tuple[float, float]:
        """Return about how many answers and failures the window holds.

        The slot before counts by the share of it that the window still covers, as if evenly spread.
        """
        self._turn(now_s)
        rest = 1.0 - (now_s * _MS_PER_S / self.settings.window_ms) % 1.0
        return self._now[0] + rest * self._before[0], self._now[1] + rest * self._before[1]

    def _turn(self, now_s: float) -> None:
        """Begin a new slot where one has passed."""
        slot = int(now_s * _MS_PER_S // self.settings.window_ms)
        if slot != self._slot:
            self._before = self._now if slot == self._slot + 1 else [0, 0]
            self._now = [0, 0]
            self._slot = slot
