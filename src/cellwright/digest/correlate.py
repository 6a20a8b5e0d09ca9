"""Correlation: a stream of alarms becomes incidents by time, nearness in the topology and learned lags."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count, groupby
from math import inf
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import in_order
from cellwright.digest.correlate_episodes import ADJACENT_US, Episodes, Group, Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.digest.alarms import Alarm

# Mediation that collects files brings alarms at most one of the shortest periods late.
LATENESS_US: Final = ADJACENT_US
MOST_ALARMS: Final = 5_000  # some fifty storms
_UNSET: Final = 1 << 70  # after all instants


@dataclass(frozen=True, slots=True)
class Correlated:
    """Alarms of one source that belong together, in the order of time.

    `number` names an incident while it is open; where two turn out to be one, the lower stays.
    """

    number: int
    tenant: str
    source: str
    alarms: tuple[Alarm, ...]
    late: frozenset[tuple[str, int]] = frozenset()  # file and ordinal of what came when its time was closed already
    ahead: frozenset[tuple[str, int]] = frozenset()  # of what is dated later than the clock by more than the lateness


class Correlator:
    """Joins alarms into incidents as they arrive; all instants are microseconds since 1970 UTC.

    An incident closes once the clock is past its last alarm by the quiet gap and the allowed lateness. Alarms that
    arrive within the lateness make the same incidents in whatever order, and the same as all of them at once. Memory
    is that of the open incidents, each of at most `most_alarms`: a longer one is handed out in pieces.
    """

    def __init__(
        self,
        surroundings: Surroundings | None = None,
        *,
        lateness_us: int = LATENESS_US,
        most_alarms: float = MOST_ALARMS,
    ) -> None:
        self._surroundings = surroundings or Surroundings()
        self._lateness_us = lateness_us
        self._most_alarms = most_alarms
        self._now = _UNSET
        self._numbers = count(1)
        self._sources: dict[tuple[str, str], Episodes] = {}
        self._untimed: dict[tuple[str, str], Group] = {}
        self._deadlines: list[tuple[int, int, Group]] = []
        self._full: list[Group] = []

    def push(self, alarm: Alarm) -> None:
        """Take an alarm in: it joins an open incident, joins several into one, or opens one."""
        line = (alarm.tenant, alarm.source)
        instant = alarm.ts
        group = self._untimed_of(line) if instant is None else self._timed(line, alarm, instant)
        group.alarms.append(alarm)
        if len(group.alarms) > self._most_alarms:
            self._full.append(group)
        group.fresh = True
        group.touched = self._now
        if instant is not None and self._now != _UNSET:
            if instant + self._surroundings.quiet_us + self._lateness_us < self._now:
                group.late.append((alarm.file_id, alarm.ordinal))
            if instant > self._now + self._lateness_us:
                group.ahead.append((alarm.file_id, alarm.ordinal))

    def advance(self, now_us: int) -> tuple[Correlated, ...]:
        """Move the clock, which never goes back, and return the incidents that closed, in order."""
        self._now = now_us if self._now == _UNSET else max(now_us, self._now)
        return _ordered([*self._due(), *self._overlong()])

    def updated(self) -> tuple[Correlated, ...]:
        """Return the open incidents that have changed since this was last asked, in order."""
        found = []
        for group in self._open():
            if group.fresh and group.alarms:
                found.append(_told(group))
            group.fresh = False
        return _ordered(found)

    def flush(self) -> tuple[Correlated, ...]:
        """Close all incidents, as at the end of a recording, and return them in order."""
        found = [_told(group) for group in self._open() if group.alarms]
        self._sources.clear()
        self._untimed.clear()
        self._deadlines.clear()
        self._full.clear()
        return _ordered(found)

    def _open(self) -> Iterator[Group]:
        yield from (group for _, _, group in self._deadlines if group.into is None)
        yield from self._untimed.values()

    def _untimed_of(self, line: tuple[str, str]) -> Group:
        if line not in self._untimed:
            self._untimed[line] = Group(next(self._numbers), *line, _UNSET, self._now)
        return self._untimed[line]

    def _timed(self, line: tuple[str, str], alarm: Alarm, instant: int) -> Group:
        def opened() -> Group:
            group = Group(next(self._numbers), *line, instant, self._now)
            heapq.heappush(self._deadlines, (self._deadline(group), group.number, group))
            return group

        if line not in self._sources:
            self._sources[line] = Episodes(self._surroundings)
        group = self._sources[line].add(self._surroundings.spot(alarm), instant, opened)
        group.last = max(group.last, instant)
        return group

    def _deadline(self, group: Group) -> int:
        """Return when a group closes; what is dated into the future counts from its arrival."""
        return min(group.last, group.touched) + self._surroundings.quiet_us + self._lateness_us

    def _due(self) -> Iterator[Correlated]:
        while self._deadlines and self._deadlines[0][0] < self._now:
            _, number, group = heapq.heappop(self._deadlines)
            if group.into is not None:
                continue
            deadline = self._deadline(group)
            if deadline >= self._now:
                heapq.heappush(self._deadlines, (deadline, number, group))
                continue
            self._forget(group)
            if group.alarms:
                yield _told(group)
        for line, group in list(self._untimed.items()):
            if self._deadline(group) < self._now:
                del self._untimed[line]
                yield _told(group)

    def _forget(self, group: Group) -> None:
        line = (group.tenant, group.source)
        episodes = self._sources[line]
        episodes.close(group)
        if not episodes:
            del self._sources[line]

    def _overlong(self) -> Iterator[Correlated]:
        """Hand out what incidents hold beyond their bound; they stay open for what follows."""
        for group in self._full:
            if len(group.alarms) > self._most_alarms:
                yield _told(group)
                group.alarms, group.late, group.ahead = [], [], []
        self._full.clear()


def correlated(alarms: Sequence[Alarm], surroundings: Surroundings | None = None) -> tuple[Correlated, ...]:
    """Return the incidents of a recording, given in the order of `in_order`: those of its stream, without a bound."""
    found: list[Correlated] = []
    for _, line in groupby(alarms, key=lambda alarm: (alarm.tenant, alarm.source)):
        correlator = Correlator(surroundings, lateness_us=0, most_alarms=inf)
        for alarm in line:
            if alarm.ts is not None:
                found += correlator.advance(alarm.ts)
            correlator.push(alarm)
        found += correlator.flush()
    return _ordered(found)


def _told(group: Group) -> Correlated:
    alarms = tuple(sorted(group.alarms, key=in_order))
    return Correlated(group.number, group.tenant, group.source, alarms, frozenset(group.late), frozenset(group.ahead))


def _ordered(found: Iterable[Correlated]) -> tuple[Correlated, ...]:
    """Return incidents by tenant, source and time, the untimed last."""
    return tuple(sorted(found, key=lambda each: in_order(each.alarms[0])))
