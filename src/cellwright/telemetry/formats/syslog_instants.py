"""Reads many RFC 5424 timestamps at once; says of which it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.telemetry.formats.syslog_bytes import digit, fits, pattern_of, two_digits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.telemetry.formats.syslog_bytes import Flags, Lines, Places, Words

_DATE: Final = pattern_of("dddd-dd-")
_HOURS: Final = pattern_of("ddTdd:dd")
_SECONDS: Final = pattern_of(":dd?????")
_EAST: Final = pattern_of("??+dd:dd")
_WEST: Final = pattern_of("??-dd:dd")
_SECOND_END: Final = len("2026-03-01T00:00:00")
_OFFSET_BYTES: Final = len("+00:00")
_FRACTION_DIGITS: Final = 6
_YEARS: Final = (2, 9998)  # whatever the offset, a date in them can be said in UTC
_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0], np.int64)
_HOURS_A_DAY: Final = 24
_SIXTY: Final = 60
_EPOCH_DAY: Final = 719_468  # days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar


class Instants(NamedTuple):
    """Microseconds since 1970-01-01 UTC and seconds east, both (n,) int64, and for which of them this is certain."""

    us: Places
    offset_s: Places
    sure: Flags


def read_instants(lines: Lines, starts: Places, ends: Places) -> Instants:
    """Return the instants of `YYYY-MM-DDTHH:MM:SS[.f]` with up to six digits, and `Z` or `±HH:MM`.

    What is not sure may still be a timestamp: `instants.read_instant` decides.
    """
    date, hours, seconds = lines.words(starts), lines.words(starts + 8), lines.words(starts + 16)
    tail = lines.words(np.maximum(ends - 8, 0))
    utc = (tail >> np.uint64(56)) == ord("Z")
    west = fits(tail, _WEST)
    zone_bytes = np.where(utc, 1, _OFFSET_BYTES)
    fraction_us, fraction_fits = _fraction_us(lines, starts + _SECOND_END, ends - zone_bytes)
    hour, minute, second = two_digits(hours, 3), two_digits(hours, 6), two_digits(seconds, 1)
    east_h, east_m = np.where(utc, 0, two_digits(tail, 3)), np.where(utc, 0, two_digits(tail, 6))
    days, date_fits = _days(date, hours)
    sure = fits(date, _DATE) & fits(hours, _HOURS) & fits(seconds, _SECONDS) & (utc | west | fits(tail, _EAST))
    sure &= date_fits & fraction_fits & (hour < _HOURS_A_DAY) & (minute < _SIXTY) & (second < _SIXTY)
    sure &= (east_h < _HOURS_A_DAY) & (east_m < _SIXTY)
    offset_s = np.where(west & ~utc, -1, 1) * (east_h * 3600 + east_m * 60)
    us = (days * 86_400 + hour * 3600 + minute * 60 + second - offset_s) * 1_000_000 + fraction_us
    return Instants(us, offset_s, sure)


def _days(date: Words, hours: Words) -> tuple[Places, Flags]:
    year = two_digits(date, 0) * 100 + two_digits(date, 2)
    days, fit = days_of(year, two_digits(date, 5), two_digits(hours, 0))
    return days, fit & (year >= _YEARS[0]) & (year <= _YEARS[1])


def days_of(year: Places, month: Places, day: Places) -> tuple[Places, Flags]:
    """Return the days since 1970-01-01 and whether the calendar has them (Gregorian, counted from March)."""
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _MONTH_DAYS[np.minimum(month, 15)] + ((month == 2) & leap)  # noqa: PLR2004 - February
    fit = (day >= 1) & (day <= longest)
    shifted = year - (month <= 2)  # noqa: PLR2004 - January and February end the year before
    in_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + in_year - _EPOCH_DAY, fit


def _fraction_us(lines: Lines, starts: Places, ends: Places) -> tuple[Places, Flags]:
    """Return the microseconds that a point and one to six digits say, 0 where there is nothing."""
    length = ends - starts
    words = lines.words(starts)
    fit = (length == 0) | ((length > 1) & (length <= 1 + _FRACTION_DIGITS) & (words & np.uint64(0xFF) == ord(".")))
    us = np.zeros(len(starts), np.int64)
    if not (length > 0).any():
        return us, fit
    for place in range(1, 1 + _FRACTION_DIGITS):
        octet: NDArray[np.int64] = ((words >> np.uint64(8 * place)) & np.uint64(0xFF)).astype(np.int64) - ord("0")
        given = length > place
        fit &= ~given | ((octet >= 0) & (octet <= 9))  # noqa: PLR2004 - a decimal digit
        us = us * 10 + np.where(given, digit(words, place), 0)
    return us, fit
