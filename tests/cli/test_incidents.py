"""Digests and their incidents, as their users meet them: once, and followed while the lake grows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cellwright.cli.main import run
from cellwright.digest.correlate_topology import Topology
from cellwright.errors import StorageError
from cellwright.wiring.following import Change, Follower

MAPPING = Path(__file__).parents[2] / "examples/mappings/alarm-list.yaml"
SECOND = 1_000_000
HOUR = 3_600 * SECOND


class Grown:
    """A lake that grows by lists of (alarm type, device, second)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.lists = folder, folder / "lake", 0

    def add(self, *alarms: tuple[int, int, int]) -> None:
        self.lists += 1
        rows = "".join(f"{kind},{device},{second},{second + 1}\n" for kind, device, second in alarms)
        source = self.folder / "alarms/north"
        source.mkdir(parents=True, exist_ok=True)
        text = f"alarm_id,device_id,start_timestamp,end_timestamp\n{rows}"
        (source / f"list-{self.lists}.csv").write_text(text, encoding="utf-8")
        assert run(["mediate", str(source.parent), "--lake", str(self.path), "--mapping", str(MAPPING)]) == 0


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grown:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Grown(tmp_path)


def told(changes: tuple[Change, ...]) -> list[tuple[str, int, int]]:
    return [(change.state, change.number, sum(piece.digest.events for piece in change.pieces)) for change in changes]


def test_an_incident_opens_grows_and_closes_once_as_the_lake_does(lake: Grown) -> None:
    lake.add((1, 4, 100), (2, 5, 130))
    follower = Follower(lake.path)
    assert told(follower.poll(HOUR)) == [("open", 1, 2)]
    assert told(follower.poll(HOUR + SECOND)) == []
    lake.add((3, 5, 300))
    assert told(follower.poll(HOUR + 2 * SECOND)) == [("open", 1, 3)]
    assert told(follower.poll(HOUR + 2 * SECOND + 1_201 * SECOND)) == [("closed", 1, 3)]
    assert told(follower.poll(9 * HOUR)) == []


def test_parts_that_are_merged_meanwhile_tell_nothing_twice(lake: Grown) -> None:
    lake.add((1, 4, 100))
    follower = Follower(lake.path)
    assert len(follower.poll(HOUR)) == 1
    lake.add((2, 4, 130))
    assert run(["lake", "compact", str(lake.path)]) == 0
    assert told(follower.poll(HOUR + SECOND)) == [("open", 1, 2)]


def test_followed_incidents_are_those_of_the_whole_lake(lake: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    follower, closed = None, []
    for start in range(0, 20_000, 4_000):
        lake.add((1, 4, start), (2, 5, start + 200), (3, 6, start + 1_300), (1, 7, start + 1_400))
        follower = follower or Follower(lake.path)
        closed += [change for change in follower.poll(10 * HOUR + start * SECOND) if change.state == "closed"]
    closed += follower.poll(99 * HOUR)
    capsys.readouterr()
    assert run(["digest", str(lake.path), "-o", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)["digests"]
    assert sorted(piece.digest.events for change in closed for piece in change.pieces) == sorted(
        digest["events"] for digest in whole
    )


def test_a_topology_parts_what_happens_at_once_in_two_places(lake: Grown) -> None:
    lake.add((1, 4, 100), (1, 9, 101), (2, 5, 102))
    topology = Topology.of([("Device=4", "Device=5"), ("Device=9", "Device=8")])
    changes = Follower(lake.path, topology).poll(HOUR)
    assert sorted(events for _, _, events in told(changes)) == [1, 2]


def test_following_no_lake_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no lake"):
        Follower(tmp_path)


def test_the_command_follows_in_lines_of_json_and_ends_cleanly_on_ctrl_c(lake: Grown) -> None:
    lake.add((1, 4, 100), (2, 5, 130))
    command = [
        sys.executable,
        "-m",
        "cellwright",
        "digest",
        str(lake.path),
        "--follow",
        "-o",
        "json",
        "--every",
        "0.05",
    ]
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**kept, "HOME": str(lake.folder)}
    ) as running:
        change = json.loads(running.stdout.readline())
        running.send_signal(signal.SIGINT)
        rest, problems = running.communicate(timeout=60)
    assert change["state"] == "open"
    assert change["digests"][0]["events"] == 2
    assert change["digests"][0]["roots"][0]["alarm_type"]
    assert (running.returncode, rest) == (0, "")
    assert "Traceback" not in problems


def test_a_digest_names_probable_roots_and_what_was_doubtful(lake: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    lake.add((1, 4, 100), (1, 4, 100), (2, 5, 130))
    (lake.folder / "topology.csv").write_text("element,neighbour\nDevice=4,Device=6\n", encoding="utf-8")
    capsys.readouterr()
    assert run(["digest", str(lake.path), "-o", "json", "--topology", str(lake.folder / "topology.csv")]) == 0
    digests = json.loads(capsys.readouterr().out)["digests"]
    assert [digest["doubts"] for digest in digests] == [["1 duplicates"], ["1 of 1 elements unknown to the topology"]]
    assert all("doubtful: " in digest["text"] and digest["roots"][0]["evidence"] for digest in digests)
    assert run(["digest", str(lake.path)]) == 0
    shown = capsys.readouterr().out
    assert "probable root" in shown
    assert "something is doubtful in 1 incidents" in shown


def test_an_empty_lake_is_a_sentence(lake: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    (lake.folder / "nothing").mkdir()
    assert run(["mediate", str(lake.folder / "nothing"), "--lake", str(lake.path)]) == 0
    capsys.readouterr()
    assert run(["digest", str(lake.path)]) == 0
    assert "no alarms in" in capsys.readouterr().out


def test_a_topology_that_is_none_is_told_with_its_place(lake: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    lake.add((1, 4, 100))
    bad = lake.folder / "bad.csv"
    bad.write_text("a,b\nx\n", encoding="utf-8")
    assert run(["digest", str(lake.path), "--topology", str(bad)]) == 64
    assert "bad.csv:2:1: error[bad-topology]" in capsys.readouterr().err


def names_of(lake: Grown, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert run(["digest", str(lake.path), "-o", "json", *options]) == 0
    return [digest["incident"] for digest in json.loads(capsys.readouterr().out)["digests"]]


def test_one_incident_is_told_in_full_by_its_name_or_its_hash(lake: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    lake.add((1, 4, 100), (2, 5, 130), (3, 6, 90_000))
    capsys.readouterr()
    assert run(["digest", str(lake.path), "-o", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["digests"]
    for wanted in (first["incident"], first["ledger"]["sha256"][:9]):
        assert run(["digest", str(lake.path), "--incident", wanted]) == 0
        assert capsys.readouterr().out == first["text"] + "\n"
    assert run(["digest", str(lake.path), "-o", "text"]) == 0
    assert capsys.readouterr().out == f"{first['text']}\n\n{second['text']}\n"
    assert names_of(lake, capsys, "--incident", second["incident"]) == [second["incident"]]
    assert run(["digest", str(lake.path), "--incident", first["incident"], "-o", "table"]) == 0
    assert second["incident"] not in capsys.readouterr().out


def test_an_incident_that_is_not_there_is_told_with_the_nearest_name(
    lake: Grown, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.add((1, 4, 100))
    (name,) = names_of(lake, capsys)
    wrong = name[:-1] + str((int(name[-1]) + 1) % 10)
    assert run(["digest", str(lake.path), "--incident", wrong]) == 64
    assert f"did you mean '{name}'?" in capsys.readouterr().err
    assert run(["digest", str(lake.path), "--incident", name, "--follow"]) == 64
    assert "--incident and --follow do not go together" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pairs", "warned"),
    [
        ("Router=1,Router=2", "none of the 3 elements in alarm, such as 'Device=4', 'Device=5', 'Device=6'"),
        ("Device=4,Device=9", "lacks 2 of 3 elements in alarm (67%), such as 'Device=5', 'Device=6'"),
        ("Device=4,Device=5\nDevice=5,Device=6", None),
    ],
)
def test_a_topology_that_lacks_the_elements_in_alarm_is_warned_of(
    lake: Grown, capsys: pytest.CaptureFixture[str], pairs: str, warned: str | None
) -> None:
    lake.add((1, 4, 100), (2, 5, 130), (3, 6, 140))
    path = lake.folder / "topology.csv"
    path.write_text(f"element,neighbour\n{pairs}\n", encoding="utf-8")
    capsys.readouterr()
    for form in ("table", "text", "json"):
        assert run(["digest", str(lake.path), "-o", form, "--topology", str(path)]) == 0
        said = capsys.readouterr()
        assert (warned in said.err) if warned else (said.err == "")
    unknown = json.loads(said.out)["topology"]
    assert unknown == {"elements": 3, "unknown": {"R": 3, "D": 0 if warned is None else 2}[pairs[0]]}


def test_a_table_of_eighty_columns_breaks_no_name_within_a_word(
    simulated_lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["digest", str(simulated_lake)]) == 0
    shown = capsys.readouterr().out.partition("incidents, ")[0].splitlines()
    assert all(len(line) <= 80 for line in shown)
    assert run(["digest", str(simulated_lake), "-o", "json"]) == 0
    names = [digest["incident"] for digest in json.loads(capsys.readouterr().out)["digests"]]
    assert sorted(line.split()[0] for line in shown[1:-1] if not line.startswith(" ")) == sorted(names)
    roots = " ".join(line[shown[0].index("probable root") :].strip() for line in shown[1:])
    assert "on ManagedElement= upf-1" in roots


def test_a_wrong_topology_stops_the_main_job_before_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    estate, bad = Path(__file__).parents[2] / "examples/operator", tmp_path / "bad.csv"
    bad.write_text("a,b\nx\n", encoding="utf-8")
    out = tmp_path / "out"
    assert run(["up", str(estate), "--once", "--out", str(out), "--topology", str(bad)]) == 64
    assert "bad.csv:2:1: error[bad-topology]" in capsys.readouterr().err
    assert not out.exists()


def test_a_lake_alone_gets_a_page_of_its_incidents(
    simulated_lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, (network, *_) = (
        tmp_path / "incidents.html",
        [path for path in simulated_lake.parent.glob("sim/*.csv") if path.name == "topology.csv"],
    )
    assert run(["digest", str(simulated_lake), "--topology", str(network), "--out", str(page), "-o", "json"]) == 0
    said = capsys.readouterr()
    digests = json.loads(said.out)["digests"]
    assert f"wrote {page}" in said.err
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert all(digest["incident"] in html for digest in digests)
    assert html.count("<h4>Timeline</h4>") == len(digests)
    assert html.count('class="map"') == 2 * len(digests)  # for wide and for narrow screens
    assert "links of the topology among them" in html
    name = digests[0]["incident"]
    assert run(["digest", str(simulated_lake), "--incident", name, "--out", str(page)]) == 0
    assert page.read_text(encoding="utf-8").count("<article") == 1


def test_a_page_has_the_name_of_one_and_does_not_follow(lake: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    lake.add((1, 4, 100))
    wrong, right = lake.folder / "digests.json", lake.folder / "page.html"
    assert run(["digest", str(lake.path), "--out", str(wrong)]) == 64
    said = capsys.readouterr().err
    assert "error[page-format]" in said
    assert "digests.json is no HTML file by its name" in said
    assert run(["digest", str(lake.path), "--out", str(right), "--follow"]) == 64
    assert not wrong.exists()
    assert not right.exists()


def test_the_page_of_an_empty_lake_says_so(lake: Grown) -> None:
    (lake.folder / "nothing").mkdir()
    assert run(["mediate", str(lake.folder / "nothing"), "--lake", str(lake.path)]) == 0
    page = lake.folder / "page.html"
    assert run(["digest", str(lake.path), "--out", str(page)]) == 0
    assert "The lake holds no alarms" in page.read_text(encoding="utf-8")
