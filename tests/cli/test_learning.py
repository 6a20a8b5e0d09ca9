"""Learning causes from a lake, as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cellwright.cli.main import run
from cellwright.digest.causes_artefact import from_bytes
from cellwright.digest.correlate_topology import Topology
from cellwright.simulate.simulation import Scenario, simulate
from cellwright.wiring.learning import adjacency

MAPPING = Path(__file__).parents[2] / "examples/mappings/alarm-list.yaml"


def _rows(*, related: bool) -> str:
    """Return 200 alarms of type 1, and as many of type 2 on the next device after 20 s or at any time."""
    random = np.random.default_rng(2)
    rows = []
    for _ in range(200):
        device, at = int(random.integers(20)), int(random.integers(10**6))
        later = at + 20 if related else int(random.integers(10**6))
        rows += [(1, device, at, at + 60), (2, device + 1, later, later + 60)]
    return "alarm_id,device_id,start_timestamp,end_timestamp\n" + "".join(
        f"{kind},{device},{start},{end}\n" for kind, device, start, end in sorted(rows, key=lambda row: row[2])
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        for name, related in (("related", True), ("random", False)):
            (folder / f"{name}.csv").write_text(_rows(related=related), encoding="utf-8")
            made = ["mediate", f"{folder / name}.csv", "--lake", str(folder / name), "--mapping", str(MAPPING)]
            assert run(made) == 0
    links = [f"Device={device},Device={device + 1}" for device in range(20)]
    text = "\n".join(["element,neighbour", *links, "Device=1,Device=silent"])
    (folder / "links.csv").write_text(text, encoding="utf-8")
    return folder


def learned(folder: Path, lake: str, out: str, *more: str) -> int:
    return run(["digest", "learn", str(folder / lake), "--out", str(folder / out), *more])


def test_a_lake_teaches_a_graph_that_is_written_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    links = ("--topology", str(folder / "links.csv"))
    assert learned(folder, "related", "model.json", *links) == 0
    assert "1 edges between 2 alarm types, from 400 alarms" in capsys.readouterr().out
    graph = from_bytes((folder / "model.json").read_bytes(), "model.json").causes
    assert [(graph.types[one], graph.types[other]) for one, other in np.argwhere(graph.edges)] == [
        ("AlarmType=1", "AlarmType=2")
    ]
    assert graph.training.links == 20
    assert learned(folder, "related", "again.json", *links) == 0
    assert "no salience: too few counters and log lines" in capsys.readouterr().out
    assert learned(folder, "related", "other.json", *links, "-o", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["edges"][0]["lag_s"] == 20
    assert answer["gain_nats"] == graph.quality.gain_nats
    assert (folder / "other.json").read_bytes() == (folder / "model.json").read_bytes()


def test_what_goes_with_incidents_is_learned_and_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate(tmp_path / "sim", Scenario(seed=5, gnbs=3, hours=16, faults=30))
    lake, model, topology = (str(tmp_path / name) for name in ("lake", "model.json", "sim/topology.csv"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLWRIGHT_KEY_FILE", str(tmp_path / "key"))
        assert run(["mediate", str(tmp_path / "sim/telemetry"), "--lake", lake]) == 0
    capsys.readouterr()
    assert run(["digest", "learn", lake, "--out", model, "--topology", topology, "-o", "json"]) == 0
    judged = json.loads(capsys.readouterr().out)["salience"]
    assert judged["kept"] >= judged["unlearned"]
    assert judged["signals"] > judged["tested"] > 0
    told = []
    for more in ((), ("--causes", model)):
        assert run(["digest", lake, "--topology", topology, "--budget", "500", "-o", "json", *more]) == 0
        digests = json.loads(capsys.readouterr().out)["digests"]
        told.append("".join(each["beside"]["logs"] for each in digests))
    assert "Registration accepted" in told[0]
    assert "Registration accepted" not in told[1]
    assert told[1].count(" at ManagedElement=") >= told[0].count(" at ManagedElement=") > 0


def test_what_foretells_nothing_is_not_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert learned(folder, "random", "none.json") == 1
    told = capsys.readouterr().err
    assert "error[not-accepted]" in told
    assert "nats over 120 onsets" in told
    assert not (folder / "none.json").exists()


def test_wrong_links_are_told_line_by_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.csv").write_text("a,b\nDevice=1,Device=2\nDevice=1\nDevice=2,\n", encoding="utf-8")
    assert learned(folder, "related", "none.json", "--topology", str(folder / "bad.csv")) == 64
    told = capsys.readouterr().err
    assert "bad.csv:3:1: error[bad-topology]" in told
    assert "bad.csv:4:1: error[bad-topology]" in told
    assert not (folder / "none.json").exists()


def test_a_folder_is_digested_beside_the_command_that_learns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["digest", str(folder / "related")]) == 0
    assert run(["digest", "learn"]) == 64
    assert learned(folder, "missing", "none.json") == 1
    assert "no-lake" in capsys.readouterr().err


def test_an_element_of_many_objects_is_one_group_and_its_pairs_are_not_listed() -> None:
    """What wiring hands on grows with the objects and the links between elements alone."""
    objects = {f"ManagedElement=olt-1,Port={number}": (number,) for number in range(5_000)}
    elements = objects | {"ManagedElement=rtr-1": (5_000, 5_001), "ManagedElement=far": (5_002,)}
    topology = Topology.of([("olt-1", "rtr-1"), ("rtr-1", "silent")])
    groups, links = adjacency(topology, elements)
    assert len(links) == 1
    assert groups.tolist() == [0] * 5_000 + [1, 1, 2]
    assert links == [(0, 1)]


def test_a_topology_of_other_names_is_warned_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "others.csv").write_text("element,neighbour\nrouter-1,router-2\n", encoding="utf-8")
    learned(folder, "related", "other.json", "--topology", str(folder / "others.csv"))
    assert "warning[topology-fits-nothing]" in capsys.readouterr().err
