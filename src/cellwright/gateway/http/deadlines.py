"""Deadlines of many connections by one timer: setting or lifting one is an assignment."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

NEVER: Final = math.inf
_PARTS: Final = 8  # of the shortest time that is watched: how often is looked
_LONGEST_TICK_S: Final = 1.0
_SHORTEST_TICK_S: Final = 0.001


class Timed(Protocol):
    """Something that has to be done by a time of the event loop's clock."""

    deadline: float

    def expire(self) -> None:
        """Give up; the deadline was lifted before."""
        ...


class Deadlines:
    """Looks after deadlines, at the latest an eighth of the shortest `times_s` after they passed."""

    def __init__(self, times_s: Iterable[float]) -> None:
        self._tick_s = min(max(min(times_s) / _PARTS, _SHORTEST_TICK_S), _LONGEST_TICK_S)
        self._watched: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, timed: Timed) -> None:
        """Look after something until it is forgotten."""
        self._watched.add(timed)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._look)

    def forget(self, timed: Timed) -> None:
        """Look after it no longer."""
        self._watched.discard(timed)

    def close(self) -> None:
        """Forget everything."""
        self._watched.clear()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for timed in [each for each in self._watched if each.deadline <= now]:
            timed.deadline = NEVER
            timed.expire()
        self._timer = loop.call_later(self._tick_s, self._look) if self._watched else None
