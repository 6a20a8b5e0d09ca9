"""The year of RFC 3164 timestamps, which say none: the one that brings them nearest to when they were received.

Within half a year of reception no other year is nearer, also where December and January meet. A date that none of the
three years around has, as 29 February, stays without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.telemetry.formats.syslog_bytes import digit, two_digits
from cellwright.telemetry.formats.syslog_instants import days_of
from cellwright.telemetry.formats.syslog_line import MONTHS

if TYPE_CHECKING:
    from datetime import tzinfo

    from numpy.typing import NDArray

    from cellwright.telemetry.formats.syslog_bytes import Flags, Lines, Places

_NUMBERS: Final = {int.from_bytes(f"{name} ".encode(), "little"): n for n, name in enumerate(MONTHS.split("|"), 1)}
_WORDS: Final = np.array(sorted(_NUMBERS), np.uint64)
_MONTHS: Final = np.array([_NUMBERS[word] for word in sorted(_NUMBERS)], np.int64)
_STAMP: Final = re.compile(rf"({MONTHS}) +(\d+) (\d\d):(\d\d):(\d\d)", re.ASCII)
_NAMES: Final = {name: n for n, name in enumerate(MONTHS.split("|"), 1)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
_QUARTER: Final = 900  # seconds: no zone of today changes its offset within a quarter of an hour


@dataclass(frozen=True, slots=True)
class Reception:
    """When lines were received, microseconds since 1970, and the zone of their senders' clocks."""

    us: int
    zone: tzinfo = UTC


def read_stamps(lines: Lines, starts: Places, reception: Reception) -> tuple[Places, Flags]:
    """Return (microseconds since 1970, for which they are known) of `Mmm dd hh:mm:ss` at each start; (n,) both."""
    first, second = lines.words(starts), lines.words(starts + 8)
    month = _MONTHS[np.searchsorted(_WORDS, first & np.uint64(0xFFFFFFFF))]
    hour = digit(first, 7) * 10 + digit(second, 0)
    time_s, fit = _time_of_day(hour, two_digits(second, 2), two_digits(second, 5))
    us, known = _nearest(month, two_digits(first, 4), time_s, reception)
    return us, known & fit


def read_stamp(text: str, reception: Reception) -> int | None:
    """Return the microseconds since 1970 of one timestamp, None where they are not known."""
    match = _STAMP.fullmatch(text)
    if match is None:
        return None
    month, *numbers = (np.array([number]) for number in (_NAMES[match[1]], *map(int, match.groups()[1:])))
    time_s, fit = _time_of_day(*numbers[1:])
    us, known = _nearest(month, numbers[0], time_s, reception)
    return int(us[0]) if known[0] and fit[0] else None


def _time_of_day(hour: Places, minute: Places, second: Places) -> tuple[Places, Flags]:
    fit = (hour < 24) & (minute < 60) & (second < 60)  # noqa: PLR2004 - a day's, an hour's, a minute's
    return hour * 3600 + minute * 60 + second, fit


def _nearest(month: Places, day: Places, time_s: Places, reception: Reception) -> tuple[Places, Flags]:
    """Return the nearest of the instants that the years before, of and after the reception give."""
    year = (_EPOCH + timedelta(microseconds=reception.us)).year
    best, distance = np.zeros(len(month), np.int64), np.full(len(month), np.iinfo(np.int64).max)
    for candidate in (year - 1, year, year + 1):
        days, fit = days_of(np.full(len(month), candidate), month, day)
        us = (days * 86_400 + time_s) * _SECOND
        us -= _offsets_s(us // _SECOND, reception.zone) * _SECOND
        away = np.where(fit, np.abs(us - reception.us), np.iinfo(np.int64).max)
        best, distance = np.where(away < distance, us, best), np.minimum(away, distance)
    return best, distance < np.iinfo(np.int64).max


def _offsets_s(local_s: Places, zone: tzinfo) -> Places:
    """Return how many seconds east of UTC a zone is at each local time; of one that comes twice, the first."""
    if zone is UTC:
        return np.zeros(len(local_s), np.int64)
    quarters, places = np.unique(local_s // _QUARTER, return_inverse=True)
    offsets: NDArray[np.int64] = np.array([_offset_s(quarter * _QUARTER, zone) for quarter in quarters.tolist()])
    return offsets[places]


def _offset_s(local_s: int, zone: tzinfo) -> int:
    offset = (_EPOCH + timedelta(seconds=local_s)).replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
