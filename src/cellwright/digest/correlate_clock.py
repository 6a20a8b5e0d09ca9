"""The time of a stream of alarms: their own, which runs on by an injected clock while none come."""

from __future__ import annotations

from cellwright.digest.correlate import LATENESS_US


class AlarmClock:
    """Tells the correlator what time it is; all instants are microseconds since 1970 UTC.

    A live stream and a recording that is played back fast both keep their incidents whole: time is that of the latest
    alarm, and from its arrival passes as the injected clock does. Alarms dated ahead of that clock by more than the
    allowed lateness do not move it.
    """

    def __init__(self) -> None:
        self._latest_us: int | None = None
        self._seen_us = 0

    def moved(self, instant_us: int, clock_us: int) -> bool:
        """Return whether an alarm that arrived while the injected clock stood at `clock_us` moves the time on."""
        if instant_us > clock_us + LATENESS_US:
            return False
        if self._latest_us is not None and instant_us <= self.now(clock_us):
            return False
        self._latest_us, self._seen_us = instant_us, clock_us
        return True

    def now(self, clock_us: int) -> int:
        """Return the time of the stream when the injected clock stands at `clock_us`; that clock before any alarm."""
        return clock_us if self._latest_us is None else self._latest_us + max(0, clock_us - self._seen_us)
