from __future__ import annotations

import pytest

from cellwright.telemetry.sources import feed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("in/ves/a.json", "in/ves"),
        ("a.json", "a.json"),
        ("alarms/one.tar.gz!Alarm.csv", "alarms/one.tar.gz"),
        ("alarms/one.tar.gz!set/Alarm.csv", "alarms/one.tar.gz"),
        ("a.zip!b.tar!c/d.csv", "a.zip!b.tar"),
    ],
)
def test_the_feed_of_a_file_is_its_folder_or_its_archive(name: str, expected: str) -> None:
    assert feed(name) == expected
