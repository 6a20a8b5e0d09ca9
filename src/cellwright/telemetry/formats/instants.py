"""Reads ISO 8601 dates and durations into microseconds and seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DURATION: Final = re.compile(
    r"P(?:0+Y)?(?:0+M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?", re.ASCII
)
_END_OF_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)T24:00:00(?:\.0+)?", re.ASCII)
_HALF_DAY_US: Final = 43_200_000_000
_UNIT_S: Final = (604_800, 86_400, 3_600, 60, 1)
FIRST_US: Final = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z, the first that a date can say
LAST_US: Final = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z, the last that a date can say


class Instant(NamedTuple):
    """Microseconds since 1970-01-01 UTC; the offset the text gave, seconds east, None where it gave none."""

    us: int
    offset_s: int | None


def instant_of(moment: datetime) -> Instant:
    """Return the instant of a date; one without offset is read as UTC."""
    offset = moment.utcoffset()
    aware = moment if offset is not None else moment.replace(tzinfo=UTC)
    return Instant((aware - _EPOCH) // _MICROSECOND, None if offset is None else int(offset.total_seconds()))


def read_instant(text: str) -> Instant | None:
    """Return the instant of an ISO 8601 date and time ("…Z", "+01:00", "+0100" or no offset), None when it is none.

    The end of a day may be written as its hour 24 (XML Schema part 2, 3.2.7).
    """
    if match := _END_OF_DAY.match(text):
        noon = read_instant(f"{match[1]}T12:00:00{text[match.end() :]}")
        return noon._replace(us=noon.us + _HALF_DAY_US) if noon and noon.us <= LAST_US - _HALF_DAY_US else None
    if len(text) < len("2000-01-01T00"):
        return None
    try:
        instant = instant_of(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
    return instant if FIRST_US <= instant.us <= LAST_US else None


def read_duration_s(text: str) -> float | None:
    """Return the seconds of an ISO 8601 duration ("PT900S", "PT15M"), None when it is none or zero.

    Years and months have no fixed length and are refused, unless they are 0 as in "P0Y0M0DT0H15M0.000S".
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    parts = (float(part.replace(",", ".")) if part else 0.0 for part in match.groups())
    seconds = sum(part * unit for part, unit in zip(parts, _UNIT_S, strict=True))
    return seconds if 0 < seconds < LAST_US / 1e6 else None
