"""Quality of sources: each fault that is planted is found, in its span, and a sound source has 100."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from cellwright.cli.main import run
from cellwright.lake.folder import Lake
from cellwright.lake.record import identity
from cellwright.lake.schema import TABLES
from cellwright.telemetry.quality import Score, Span, scores

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
KEY = bytes(32)


class Filled:
    """A lake that is filled a file at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = 0

    def add(self, table: str, source: str, *rows: dict[str, Any], came: datetime = NOON) -> None:
        self._files += 1
        digest = hashlib.sha256(f"{self._files}".encode()).hexdigest()
        file_id = identity("t", digest)
        common = {"tenant": "t", "source": source, "file_id": file_id, "ingest_ts": came, "dq_flags": []}
        named = {"counter": "c", "origin": "o", "path": "p", "ne_dn": "ManagedElement=1"}
        filled = [named | common | {"ordinal": place} | row for place, row in enumerate(rows)]
        with Lake.open(self.path, create=True) as lake, lake.writer(KEY) as writer, writer.file(file_id) as draft:
            draft.raw = len(rows)
            draft.append(table, pa.RecordBatch.from_pylist(filled, schema=TABLES[table]))
            draft.commit(tenant="t", source=source, format_name="f", vendor=None, sha256=digest, size=1, ingested=came)

    def periods(self, source: str, *numbers: float, came: datetime = NOON, **more: Any) -> None:  # noqa: ANN401 - columns
        for number in numbers:
            begin = NOON + number * QUARTER
            self.add("pm_counters", source, {"begin_ts": begin, "end_ts": begin + QUARTER, **more}, came=came)

    def scores(self, span: Span = Span.DAY) -> dict[str, Score]:
        with Lake.open(self.path) as lake:
            return {each.source: each for each in scores(lake, span)}

    def found(self, source: str) -> dict[str, tuple[int, int]]:
        return {each.check: (each.wrong, each.of) for each in self.scores()[source].issues}


@pytest.fixture
def lake(tmp_path: Path) -> Filled:
    return Filled(tmp_path / "lake")


def test_a_sound_source_has_a_hundred(lake: Filled) -> None:
    lake.periods("pm", *range(8))
    assert lake.scores()["pm"] == Score("pm", NOON.replace(hour=0), 8, 100.0, ())


def test_missing_periods_are_counted_between_those_that_are_there(lake: Filled) -> None:
    lake.periods("pm", 0, 1, 4, 5)
    assert lake.found("pm") == {"missing-period": (2, 6)}
    assert lake.scores()["pm"].score == 66.7


def test_two_elements_of_a_source_do_not_fill_each_others_gaps(lake: Filled) -> None:
    lake.periods("pm", 0, 2, ne_dn="ManagedElement=1")
    lake.periods("pm", 0, 1, 2, ne_dn="ManagedElement=2")
    assert lake.found("pm") == {"missing-period": (1, 6)}


def test_periods_that_overlap_are_counted(lake: Filled) -> None:
    lake.periods("pm", 0, 0.5, 2)
    assert lake.found("pm")["overlapping-period"] == (1, 3)


def test_a_value_that_came_twice_in_two_files_is_counted_once_too_many(lake: Filled) -> None:
    lake.periods("pm", 0, 1, 1)
    assert lake.found("pm") == {"twice": (1, 3)}


def test_a_file_older_than_what_came_before_is_late_and_files_that_come_together_are_not(lake: Filled) -> None:
    lake.periods("pm", 0, 2)
    lake.periods("pm", 1, came=NOON + timedelta(hours=1))
    assert lake.found("pm") == {"late-file": (1, 3)}


def test_a_counter_that_falls_was_reset_unless_it_says_so(lake: Filled) -> None:
    values = [10, 20, 5, 6, 2]
    since = [NOON, NOON, NOON, NOON, NOON + QUARTER]
    rows = [
        {"ts": NOON + number * QUARTER, "kind": "counter", "value_i64": value, "start_ts": start}
        for number, (value, start) in enumerate(zip(values, since, strict=True))
    ]
    lake.add("telemetry", "om", *rows, *({**row, "kind": "gauge", "path": "other"} for row in rows))
    assert lake.found("om") == {"counter-reset": (1, 5)}


def test_a_source_that_falls_silent_while_others_go_on_loses_what_it_would_have_said(lake: Filled) -> None:
    lake.periods("silent", *range(4))
    lake.periods("steady", *range(8))
    assert lake.found("silent") == {"silent": (4, 8)}
    assert lake.found("steady") == {}


def test_flags_of_rows_and_suspect_values_and_lost_times_count(lake: Filled) -> None:
    lake.add("logs", "log", {"ts": NOON, "dq_flags": ["latin-1-assumed"]}, {"ts": NOON}, {"ts": None})
    lake.add("flows", "nf", *({"export_ts": NOON, "dq_flags": [f"lost-before:{lost}"]} for lost in (3, 4)))
    assert lake.found("nf") == {"lost-before": (2, 2)}
    lake.periods("pm", 0, suspect=True)
    assert lake.found("log") == {"latin-1-assumed": (1, 2), "no-time": (1, 1)}
    assert lake.found("pm") == {"suspect": (1, 1)}
    assert lake.scores()["pm"].score == 0.0


def test_a_fault_counts_in_its_own_hour_alone(lake: Filled) -> None:
    lake.periods("pm", 0, 1, 2, 3, 6, 7, 8)
    with Lake.open(lake.path) as opened:
        found = {each.start.hour: each.score for each in scores(opened, Span.HOUR)}
    assert found == {12: 100.0, 13: 50.0, 14: 100.0}


def test_an_alarm_is_raised_once_for_each_score_below_the_limit(
    lake: Filled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CELLWRIGHT_KEY_FILE", str(lake.path.parent / "key"))
    (lake.path.parent / "one.log").write_text("<13>1 2026-03-01T12:00:00Z h a - - - caf\u00e9\n", encoding="latin-1")
    assert run(["mediate", str(lake.path.parent / "one.log"), "--lake", str(lake.path)]) == 0
    capsys.readouterr()
    assert run(["lake", "quality", str(lake.path), "--alarm-below", "95", "-o", "json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["alarms"], told["scores"][0]["score"]) == (1, 0.0)
    assert run(["lake", "quality", str(lake.path), "--alarm-below", "95"]) == 0
    assert "latin-1-assumed 1 of 1" in capsys.readouterr().out
    with Lake.open(lake.path) as opened:
        (alarm,) = opened.read("alarm_events").to_pylist()
        assert all(balance.ok for balance in opened.verify())
    assert alarm["perceived_severity"] == "CRITICAL"
    assert alarm["specific_problem"] == "telemetry quality: latin-1-assumed"
    assert dict(alarm["additional"]) == {"score": "0.0", "limit": "95.0", "latin-1-assumed": "1 of 1"}
