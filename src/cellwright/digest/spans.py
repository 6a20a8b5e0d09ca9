"""Spans of an incident: from when until when each alarm type was raised on each element, for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.digest.alarms import graver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.alarms import Alarm


@dataclass(frozen=True, slots=True)
class Span:
    """One alarm type on one element; instants are microseconds after the first alarm of the incident."""

    element: str
    alarm_type: str
    severity: str | None  # the gravest, as in `SEVERITIES`; None unknown
    raised_us: tuple[int, ...]  # when it was raised or changed, in order; empty where only a clearing was seen
    ended_us: int | None  # when the last of it was cleared; None while open, or where that instant is not known
    is_open: bool
    events: int  # all of them, with clearings and those without an instant

    @property
    def first_us(self) -> int | None:
        """Return when it began, or where that was not seen when it ended; None unknown."""
        return self.raised_us[0] if self.raised_us else self.ended_us

    @property
    def last_us(self) -> int | None:
        """Return the last that is known of it."""
        return max((*self.raised_us[-1:], *([] if self.ended_us is None else [self.ended_us])), default=None)


def spans_of(alarms: Sequence[Alarm]) -> tuple[Span, ...]:
    """Return the spans of alarms given in the order of time, by onset, the untimed last.

    A clearing dated before its alarm says nothing of when that ended.
    """
    start = min((alarm.ts for alarm in alarms if alarm.ts is not None), default=0)
    groups: dict[tuple[str, str], list[Alarm]] = {}
    for alarm in alarms:
        groups.setdefault((alarm.element, alarm.alarm_type), []).append(alarm)
    found = [_span(element, kind, group, start) for (element, kind), group in groups.items()]
    return tuple(sorted(found, key=lambda span: (span.first_us is None, span.first_us or 0)))


def _span(element: str, alarm_type: str, alarms: Sequence[Alarm], start: int) -> Span:
    is_open, ended = False, None
    for alarm in alarms:
        if alarm.clears:
            is_open, ended = False, alarm.ts
        elif alarm.cleared_ts is None:
            is_open, ended = True, None
        elif not is_open:
            ended = max(ended or alarm.cleared_ts, alarm.cleared_ts)
    raised = tuple(alarm.ts - start for alarm in alarms if alarm.ts is not None and not alarm.clears)
    after = None if ended is None or is_open else ended - start
    return Span(
        element=element,
        alarm_type=alarm_type,
        severity=graver(alarm.severity for alarm in alarms),
        raised_us=raised,
        ended_us=None if after is None or after < max(raised, default=0) else after,
        is_open=is_open,
        events=len(alarms),
    )
