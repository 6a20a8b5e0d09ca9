"""What stands beside alarms in a digest, and the way back from a digest to its originals."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from cellwright.cli.main import run
from cellwright.digest.beside import element_of
from cellwright.digest.logs_text import decode_log
from cellwright.digest.storms import incidents
from cellwright.digest.tokens import EstimatingCounter
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.evidence import Evidence

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


@pytest.fixture(scope="module")
def digests(simulated_lake: Path) -> list[dict[str, Any]]:
    told = StringIO()
    with redirect_stdout(told):
        assert run(["digest", str(simulated_lake), "-o", "json"]) == 0
    return list(json.loads(told.getvalue())["digests"])


def opened(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["digest", "open", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_log_lines_of_the_elements_in_alarm_stand_beside_the_alarms_within_the_budget(
    digests: list[dict[str, Any]],
) -> None:
    told = [each for each in digests if each["beside"]["logs"]]
    assert len(told) >= 5
    for each in told:
        assert each["tokens"] + each["beside"]["tokens"] <= 2_000
        assert each["beside"]["tokens"] <= max(400, each["tokens"])
        facts = decode_log(each["beside"]["logs"])
        ledger = each["beside"]["log_ledger"]
        assert (ledger["lines"], ledger["told"]) == (facts.lines, len(facts.told))
        assert sum(one["lines"] for one in ledger["templates"]) == facts.lines
        assert facts.lines == sum(line.times for line in facts.told) + facts.left_out_lines


def test_an_incident_opens_by_its_name_and_by_its_hash(
    digests: list[dict[str, Any]], simulated_lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = digests[:2]
    alarms = opened(capsys, first["incident"], "--lake", str(simulated_lake))
    assert len(alarms) == first["events"]
    assert {(alarm["file_id"], alarm["ordinal"]) for alarm in alarms} == {
        (file_id, ordinal) for file_id, ordinals in first["ledger"]["references"].items() for ordinal in ordinals
    }
    assert len(opened(capsys, second["ledger"]["sha256"][:12], "--lake", str(simulated_lake))) == second["events"]


def test_the_lines_of_a_log_section_open_by_its_name(
    digests: list[dict[str, Any]],
    simulated_lake: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = next(decode_log(each["beside"]["logs"]) for each in digests if each["beside"]["logs"])
    monkeypatch.setenv("CELLWRIGHT_LAKE", str(simulated_lake))
    lines = opened(capsys, facts.name)
    ledgers = [each["beside"]["log_ledger"] for each in digests if each["beside"]["logs"]]
    assert opened(capsys, ledgers[0]["sha256"][:12]) == lines
    assert len(lines) == facts.lines
    assert {line.text for line in facts.told} <= {line["text"] for line in lines}


@pytest.mark.parametrize("name", ["g0000000000", "abc", "0123456789abcdef"])
def test_what_no_digest_bears_is_refused_with_the_way_to_names(
    name: str, simulated_lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["digest", "open", name, "--lake", str(simulated_lake)]) == 64
    told = capsys.readouterr()
    assert "error[no-such-digest]" in told.err
    assert told.out == ""


def test_a_topology_that_lacks_elements_is_warned_of_where_digests_are_opened(
    simulated_lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = tmp_path / "links.csv"
    links.write_text("element,neighbour\nelsewhere-1,elsewhere-2\n", encoding="utf-8")
    run(["digest", "open", "g0000000000", "--lake", str(simulated_lake), "--topology", str(links)])
    assert "warning[topology-fits-nothing]" in capsys.readouterr().err


def test_counters_beside_incidents_are_read_in_one_go(simulated_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: dict[str, list[pa.Table]] = {"pm_counters": [], "logs": []}
    with open_lake(simulated_lake) as lake:
        found = tuple(incidents(lake.read("alarm_events"), EstimatingCounter()))
        whole = lake.read

        def counted(table: str, *more: object) -> object:
            read[table].append(whole(table, *more))
            return read[table][-1]

        monkeypatch.setattr(lake, "read", counted)
        Evidence(lake, [each for each in found if len(each.alarms) == min(len(each.alarms) for each in found)])
    (counters,), _ = read.values()
    measured = {element_of(name) for name in counters["ne_dn"].to_pylist()}
    assert measured == {element_of(alarm.element) for alarm in min(found, key=lambda each: len(each.alarms)).alarms}
