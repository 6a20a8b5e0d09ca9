"""RFC 3164 timestamps of received lines: the year that none of them says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from format_kit import check_conservation
from hypothesis import given
from hypothesis import strategies as st

from cellwright.telemetry.formats.syslog import Syslog
from cellwright.telemetry.formats.syslog_years import Reception

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - with a zone
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-9.5))])


def reception(text: str, zone: str = "UTC") -> Reception:
    return Reception((datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1), ZoneInfo(zone))


def told(stamp: str, received: Reception | None) -> list[tuple[datetime | None, list[str], int | None]]:
    """What a line says of its time, read among many and, as no common layout fits it, on its own."""
    lines = f"<13>{stamp} h app: body\n<13>{stamp} h a[b]c: \xff\n".encode("latin-1")
    rows = check_conservation(Syslog(received), lines).only("logs")
    for row in rows:
        assert ("syslog.timestamp", stamp) in row["attributes"]
    return [(row["ts"], row["dq_flags"], row["utc_offset_s"]) for row in rows]


@pytest.mark.parametrize(
    ("stamp", "received", "year"),
    [
        ("Mar  5 14:15:16", "2026-03-05T14:15:20Z", 2026),
        ("Dec 31 23:59:59", "2026-01-01T00:00:03Z", 2025),
        ("Jan  1 00:00:02", "2025-12-31T23:59:50Z", 2026),
        ("Jul  1 00:00:00", "2026-01-01T00:00:00Z", 2026),
        ("Jul  5 00:00:00", "2026-01-01T00:00:00Z", 2025),
        ("Feb 29 12:00:00", "2024-03-01T00:00:00Z", 2024),
        ("Feb 29 12:00:00", "2025-01-01T00:00:00Z", 2024),
    ],
)
def test_the_nearest_year_is_taken(stamp: str, received: str, year: int) -> None:
    expected = datetime.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
    common, lone = told(stamp, reception(received))
    assert common == (expected, ["year-inferred"], None)
    assert lone == (expected, ["latin-1-assumed", "year-inferred"], None)


@pytest.mark.parametrize("stamp", ["Feb 29 12:00:00", "Feb 30 12:00:00", "Mar  0 12:00:00", "Mar  5 24:00:00"])
def test_what_no_year_has_stays_without_a_time(stamp: str) -> None:
    received = reception("2026-03-05T14:15:20Z")
    assert told(stamp, received) == [(None, ["no-year"], None), (None, ["latin-1-assumed", "no-year"], None)]


def test_without_a_reception_there_is_no_time() -> None:
    assert told("Mar  5 14:15:16", None)[0] == (None, ["no-year"], None)


def test_the_clock_of_the_sender_counts() -> None:
    winter, summer = "2026-01-10T12:00:00Z", "2026-07-10T12:00:00Z"
    assert told("Jan 10 13:00:00", reception(winter, "Europe/Paris"))[0][0] == datetime.fromisoformat(winter)
    assert told("Jul 10 14:00:00", reception(summer, "Europe/Paris"))[0][0] == datetime.fromisoformat(summer)
    new_year = told("Jan  1 00:30:00", reception("2025-12-31T23:30:05Z", "Europe/Paris"))
    assert new_year[0][0] == datetime.fromisoformat("2025-12-31T23:30:00Z")


@given(MOMENTS, st.integers(-180 * 86_400, 180 * 86_400), ZONES)
def test_within_half_a_year_every_time_comes_back(moment: datetime, late_s: int, zone: ZoneInfo) -> None:
    moment = moment.replace(microsecond=0)
    received = Reception((moment + timedelta(seconds=late_s) - EPOCH) // timedelta(microseconds=1), zone)
    local = moment.astimezone(zone)
    stamp = f"{local:%b} {local.day:2} {local:%H:%M:%S}"
    for ts, flags, _ in told(stamp, received):
        assert abs(ts - moment) in {timedelta(0), timedelta(hours=1)} if local.fold else ts == moment
        assert flags[-1] == "year-inferred"


def test_lines_with_and_without_a_year_stand_together() -> None:
    lines = b"<13>Mar  5 14:15:16 h a: b\n<13>1 2026-03-01T00:00:00+01:00 h a p m - b\n<13>1 - h a p m - b\n"
    rows = check_conservation(Syslog(reception("2026-03-05T00:00:00Z")), lines).only("logs")
    assert [(row["ts"] and row["ts"].isoformat(), row["utc_offset_s"], row["dq_flags"]) for row in rows] == [
        ("2026-03-05T14:15:16+00:00", None, ["year-inferred"]),
        ("2026-02-28T23:00:00+00:00", 3600, []),
        (None, None, ["no-time"]),
    ]
