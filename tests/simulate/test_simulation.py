from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from cellwright.errors import StorageError, UsageError
from cellwright.plugins import PluginSet
from cellwright.simulate.simulation import DEFAULT_START, Scenario, Simulation, generate, simulate

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Scenario(seed=5, gnbs=7, hours=3, faults=5)


@pytest.fixture(scope="module")
def small() -> Simulation:
    return generate(SMALL)


def _content(path: str, raw: bytes) -> bytes:
    return gzip.decompress(raw) if path.endswith(".gz") else raw


def _rows(simulation: Simulation) -> dict[str, list[dict[str, Any]]]:
    """Read every file by the format that detects it; nothing may be quarantined."""
    formats = [telemetry_format() for telemetry_format in PluginSet("formats")]
    rows: dict[str, list[dict[str, Any]]] = {}
    for path, raw in simulation.files:
        data = _content(path, raw)
        (found,) = [one for one in formats if one.detects(data[: 1 << 16], path)]
        read = 0
        for batch in found.parse(io.BytesIO(data)):
            assert batch.quarantined == ()
            read += sum(item.facts for item in batch.filtered)
            for table, records in batch.tables.items():
                rows.setdefault(table, []).extend(records.to_pylist())
                read += records.num_rows
        assert read == found.count_facts(io.BytesIO(data))
    return rows


def test_the_same_scenario_gives_the_same_bytes(small: Simulation) -> None:
    assert generate(SMALL).files == small.files
    assert generate(SMALL).truth.to_json() == small.truth.to_json()


def test_another_seed_gives_other_bytes(small: Simulation) -> None:
    assert generate(Scenario(seed=6, gnbs=7, hours=3, faults=5)).files != small.files


def test_every_file_is_read_without_a_remainder_and_counts_as_the_truth_says(small: Simulation) -> None:
    rows, counts = _rows(small), small.truth.counts
    assert len(rows["alarm_events"]) == counts.fault_events
    assert len(rows["pm_counters"]) == counts.pm_values
    assert len(rows["logs"]) == counts.log_lines
    assert len(small.files) == counts.files


def test_alarms_are_read_as_the_truth_tells_them(small: Simulation) -> None:
    read = {
        (row["alarm_id"], row["object_dn"], row["probable_cause"], row["event_ts"])
        for row in _rows(small)["alarm_events"]
        if row["cleared_ts"] is None
    }
    told = {
        (alarm.event_id, alarm.place.dn, alarm.kind.condition, alarm.raised)
        for fault in small.truth.faults
        for alarm in fault.alarms
    }
    assert read == told


def test_every_planted_identifier_stands_in_the_telemetry(small: Simulation) -> None:
    everything = b"\n".join(path.encode() + b"\n" + _content(path, raw) for path, raw in small.files)
    kinds = {planted.kind for planted in small.truth.planted}
    assert kinds == {"imsi", "supi", "suci", "msisdn", "imei", "ipv4", "ipv6"}
    assert [planted for planted in small.truth.planted if planted.value.encode() not in everything] == []
    names = " ".join(path for path, _ in small.files)
    assert any(planted.value in names for planted in small.truth.planted)


def test_the_telemetry_does_not_tell_the_truth(small: Simulation) -> None:
    for path, raw in small.files:
        assert not any(fault.name.encode() in _content(path, raw) for fault in small.truth.faults)


def test_faults_are_storms_with_quiet_between_them() -> None:
    simulation = generate(Scenario(seed=1))
    sizes = [2 * len(fault.alarms) for fault in simulation.truth.faults]
    assert sum(60 <= size <= 90 for size in sizes) >= 5
    times = sorted(row["event_ts"] for row in _rows(simulation)["alarm_events"])
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert sum(gap > 15 * 60 for gap in gaps) == len(sizes) - 1
    assert all(gap < 3 * 60 or gap > 15 * 60 for gap in gaps)


def test_the_root_is_among_the_alarms_of_each_fault(small: Simulation) -> None:
    for fault in small.truth.faults:
        assert (fault.root, fault.root_alarm) in {(alarm.place, alarm.kind.condition) for alarm in fault.alarms}
        assert all(fault.started <= alarm.raised < alarm.cleared <= fault.ended for alarm in fault.alarms)


def test_silent_cells_show_in_their_counters(small: Simulation) -> None:
    fault = next(fault for fault in small.truth.faults if fault.kind == "link-cut")
    attempts: dict[bool, list[int]] = {True: [], False: []}
    for row in _rows(small)["pm_counters"]:
        if row["counter"] == "RRC.ConnEstabAtt" and row["begin_ts"] <= fault.started < row["end_ts"]:
            cell = row["ne_dn"].partition(",")[2] + "," + row["obj_ldn"].rpartition(",")[2]
            attempts[cell in fault.silent].append(row["value_i64"])
    assert max(attempts[True]) < min(attempts[False])


def test_truth_and_telemetry_are_written_apart(tmp_path: Path) -> None:
    truth = simulate(tmp_path / "out", Scenario(seed=1, gnbs=1, hours=1, faults=1))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["telemetry", "topology.csv", "truth.json"]
    assert json.loads((tmp_path / "out" / "truth.json").read_text(encoding="utf-8")) == json.loads(truth.to_json())
    written = [path for path in (tmp_path / "out" / "telemetry").rglob("*") if path.is_file()]
    assert len(written) == truth.counts.files
    assert not any(path.name.endswith(".partial") for path in written)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands here", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be written"):
        simulate(tmp_path / "out", Scenario(seed=1, gnbs=1, hours=1, faults=1))


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(seed=1, gnbs=0),
        Scenario(seed=1, hours=0),
        Scenario(seed=1, hours=1, faults=9),
        Scenario(seed=1, start=datetime(2026, 1, 1)),  # noqa: DTZ001 - the mistake under test
    ],
)
def test_a_scenario_that_cannot_be_is_refused(scenario: Scenario) -> None:
    with pytest.raises(UsageError):
        generate(scenario)


def test_the_default_start_is_fixed() -> None:
    assert datetime(2026, 3, 1, 6, tzinfo=UTC) == DEFAULT_START
