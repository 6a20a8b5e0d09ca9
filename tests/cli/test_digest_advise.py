"""`digest advise` as an engineer meets it: files of three kinds, wrong files, and no subscriber in what it says."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cellwright.cli.main import run
from cellwright.simulate.simulation import Scenario, generate
from cellwright.wiring.advising import read_table

if TYPE_CHECKING:
    from pathlib import Path

IMSI = "222010000012345"
BEHIND = "LinkDown;NgConnectionLost;CellOutOfService;SctpAssociationLost;GtpPathFailure"
CAUSES = {
    "MAINS-RESTORED": ("mains power lost at the site", f"MainsFailure;BatteryDischarging;{BEHIND}", "mains back"),
    "FIBRE-SPLICED": ("no optical signal", f"LossOfSignal;OspfAdjacencyLost;{BEHIND}", "spliced fibre"),
    "CELL-RESTARTED": ("nobody camps here", "HandoverFailureRateHigh;NoUserTraffic", "cell restarted"),
}


def rows() -> list[dict[str, str]]:
    found = []
    for number in range(90):
        code, (text, types, done) = list(CAUSES.items())[number % 3]
        opened = datetime.fromtimestamp(1_770_000_000 + 3600 * number, UTC)
        closed = datetime.fromtimestamp(1_770_001_000 + 3600 * number, UTC)
        found.append(
            {
                "ticket": f"T{number:03}",
                "opened": opened.isoformat(),
                "closed": closed.isoformat(),
                "text": f"{text}, customer IMSI {IMSI} complains",
                "alarm_types": types,
                "resolution": f"{done} after call to +39 055 2741234",
                "resolution_code": code,
            }
        )
    waiting = {**found[1], "ticket": "OPEN-1", "closed": "", "resolution": "", "resolution_code": ""}
    return [*found, waiting]


@pytest.fixture
def tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELLWRIGHT_KEY_FILE", str(tmp_path / "key"))
    path = tmp_path / "tickets.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows()[0]))
        writer.writeheader()
        writer.writerows(rows())
    return path


@pytest.fixture
def lake(tmp_path: Path, tickets: Path) -> Path:
    scenario = Scenario(seed=3, gnbs=6, hours=2, faults=5)
    for name, content in generate(scenario).files:
        if name.startswith("ves/"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
    assert run(["mediate", str(tmp_path / "ves"), "--lake", str(tickets.parent / "lake")]) == 0
    return tickets.parent / "lake"


def advice(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    capsys.readouterr()
    assert run(["digest", "advise", *map(str, arguments), "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_open_ticket_gets_what_mended_its_like_and_nobody_is_named(
    tickets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = advice(capsys, "--tickets", tickets)
    assert (found["tickets"], found["resolved_tickets"]) == (91, 90)
    (one,) = found["advice"]
    assert (one["subject"], one["kind"], one["abstained"]) == ("OPEN-1", "ticket", None)
    first = one["recommendations"][0]
    assert first["resolution"] == "FIBRE-SPLICED"
    assert first["cases"][0]["matched"]["alarm type"][:2] == ["LossOfSignal", "OspfAdjacencyLost"]
    said = json.dumps(found)
    assert IMSI not in said
    assert "2741234" not in said
    assert "spliced fibre after call to msisdn~" in said


def test_incidents_of_a_lake_get_advice_by_their_event_sequence(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["digest", str(lake), "-o", "json"]) == 0
    names = [each["incident"] for each in json.loads(capsys.readouterr().out)["digests"]]
    for name in names:
        (one,) = advice(capsys, lake, "--tickets", lake.parent / "tickets.csv", "--incident", name)["advice"]
        kinds = {each.partition("/")[0] for each in one["alarm_types"]}
        if "NoUserTraffic" in kinds:
            assert one["recommendations"][0]["resolution"] == "CELL-RESTARTED"
        if "MainsFailure" in kinds:
            assert one["recommendations"][0]["resolution"] == "MAINS-RESTORED"
        if "SignallingOverload" in kinds:
            assert one["abstained"]
    assert len(names) == 5


def test_incidents_that_a_topology_parts_get_advice_by_the_names_that_it_gives_them(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tickets, beside = lake.parent / "tickets.csv", lake.parent / "topology.csv"
    beside.write_text("element,neighbour\ngnb-001,amf-1\n", encoding="utf-8")
    capsys.readouterr()
    assert run(["digest", str(lake), "-o", "json", "--topology", str(beside)]) == 0
    parted = {each["incident"] for each in json.loads(capsys.readouterr().out)["digests"]}
    assert run(["digest", str(lake), "-o", "json"]) == 0
    other = sorted(parted - {each["incident"] for each in json.loads(capsys.readouterr().out)["digests"]})
    (one,) = advice(capsys, lake, "--tickets", tickets, "--incident", other[0], "--topology", beside)["advice"]
    assert one["subject"] == other[0]
    assert run(["digest", "advise", str(lake), "--tickets", str(tickets), "--incident", other[0]]) == 64
    assert run(["digest", "advise", "--tickets", str(tickets), "--topology", str(beside)]) == 64
    assert "--topology joins the alarms of a lake" in capsys.readouterr().err


def test_only_what_is_open_is_advised_on_unless_it_is_named(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tickets = lake.parent / "tickets.csv"
    assert [each["subject"] for each in advice(capsys, lake, "--tickets", tickets)["advice"]] == ["OPEN-1"]
    part = lake.parent / "part"
    raised = lake.parent / "ves/20260301T0645Z.json"  # what it raises is cleared in the file after it
    assert run(["mediate", str(raised), "--lake", str(part)]) == 0
    found = advice(capsys, part, "--tickets", tickets)["advice"]
    assert [each["kind"] for each in found] == ["incident", "ticket"]


def test_ndjson_and_parquet_give_the_same_advice_as_csv(tickets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tickets.with_name("tickets.ndjson")
    listed = [{**row, "alarm_types": row["alarm_types"].split(";")} for row in rows()]
    lines.write_text("\n".join(map(json.dumps, listed)))
    table = tickets.with_name("tickets.parquet")
    pq.write_table(pa.Table.from_pylist(listed), table)
    whole = tickets.with_name("tickets.json")
    whole.write_text(json.dumps(listed, indent=1))
    expected = advice(capsys, "--tickets", tickets)
    for path in (lines, table, whole):
        assert advice(capsys, "--tickets", path) == expected


def test_the_report_judges_on_held_out_tickets(tickets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["digest", "advise", "--tickets", str(tickets), "--report"]) == 0
    said = capsys.readouterr().out
    assert "learned from 63 earlier tickets, judged on 27 later ones" in said
    for method in ("ours", "most frequent", "nearest text"):
        assert method in said
    report = advice(capsys, "--tickets", tickets, "--report")
    assert report["methods"]["ours"]["top1"]["value"] == 1.0
    assert report["methods"]["most frequent"]["ours_ahead_top1"]["value"] == pytest.approx(2 / 3)


def test_a_table_for_people_names_cases_and_why(tickets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["digest", "advise", "--tickets", str(tickets)]) == 0
    said = capsys.readouterr().out
    assert "ticket OPEN-1 at 2026-02-02T" in said
    assert 'FIBRE-SPLICED "spliced fibre after call to' in said
    assert "30 past tickets" in said
    assert "similar by alarm type: LossOfSignal" in said


def test_a_resolution_without_a_code_is_told_in_the_words_of_its_tickets(
    tickets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read_table(tickets)
    del table["resolution_code"]
    pq.write_table(pa.table(table), tickets.with_name("free.parquet"))
    assert run(["digest", "advise", "--tickets", str(tickets.with_name("free.parquet"))]) == 0
    first = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("1. "))
    assert '%  "spliced fibre after call to' in first


def test_too_little_history_is_said_and_no_error(tickets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tickets.read_text().splitlines()
    tickets.write_text("\n".join([*few[:10], few[-1]]))
    assert run(["digest", "advise", "--tickets", str(tickets)]) == 0
    assert "no recommendation: too little history: of the 6 tickets" in capsys.readouterr().out
    assert run(["digest", "advise", "--tickets", str(tickets), "--report"]) == 0
    assert "no report: too little" in capsys.readouterr().out


def test_an_open_ticket_speaks_for_the_incident_it_names_and_for_the_one_on_its_element(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["digest", str(lake), "-o", "json"]) == 0
    name = json.loads(capsys.readouterr().out)["digests"][0]["incident"]
    path = lake.parent / "more.csv"
    waiting = [
        {"ticket": "NAMES-IT", "text": "strange noise", "incident": name},
        {"ticket": "IS-NEAR-IT", "elements": "amf-1", "opened": "2026-03-01T07:16:00Z"},
        {"ticket": "ALONE", "text": "all \x1b[31mred"},
    ]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows()[0], "incident", "elements"])
        writer.writeheader()
        writer.writerows([*rows()[:-1], *waiting])
    found = advice(capsys, lake, "--tickets", path)["advice"]
    assert [each["open_tickets"] for each in found] == [["IS-NEAR-IT"], ["NAMES-IT"], []]
    assert found[1]["subject"] == name
    assert "SignallingOverload/NAS message rate over limit" in found[0]["alarm_types"]
    assert advice(capsys, lake, "--tickets", path, "--incident", "NAMES-IT")["advice"] == found[1:2]
    assert run(["digest", "advise", str(lake), "--tickets", str(path)]) == 0
    said = capsys.readouterr().out
    assert "ticket ALONE: all  [31mred" in said  # the terminal is not told to turn red


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no table"),
        (b"ticket,text,resolution\n1,a\n", "tickets.csv:2: a ticket cannot be read; expected 3 fields"),
        (b'ticket,text,resolution\n1,"a,b\n', "tickets.csv:2"),
        (b"ticket,ticket\n1,2\n", "names each column once"),
        (b'{"ticket": 1}\nnot json\n', "tickets.csv:2: a ticket cannot be read; expected a JSON object"),
        (b'[{"ticket": 1}, 7]', "tickets.csv:2"),
        (b"PAR1 and no more", "no readable Parquet file"),
        (b"ticket,text,resolution\n\xff,a,b\n", "not UTF-8"),
        (b"tickt,text,resolution\n1,a,b\n", "did you mean 'tickt'"),
        (b"ticket,resolution\n1,b\n", "no column that says what was wrong"),
    ],
)
def test_a_wrong_file_ends_in_a_sentence_with_its_place(
    tickets: Path, capsys: pytest.CaptureFixture[str], content: bytes, sentence: str
) -> None:
    tickets.write_bytes(content)
    assert run(["digest", "advise", "--tickets", str(tickets)]) in {1, 64}
    assert sentence in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--tickets", "missing.csv"), 1, "missing.csv"),
        (("missing", "--tickets", "{}"), 1, "missing"),
        (("--tickets", "{}", "--incident", "OPEN-2"), 64, "did you mean 'OPEN-1'"),
        (("--tickets", "{}", "--report", "--incident", "OPEN-1"), 64, "--report judges all"),
        (("--tickets", "{}", "--mapping", "missing.yaml"), 1, "missing.yaml"),
        ((), 64, "--tickets"),
    ],
)
def test_a_wrong_request_ends_in_a_sentence(
    tickets: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert run(["digest", "advise", *(each.format(tickets) for each in arguments)]) == code
    assert sentence in capsys.readouterr().err


def test_a_delimited_table_may_use_semicolons_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfticket;text\n1;"a;\nb"\n\n2;c\n')
    assert read_table(path) == {"ticket": ["1", "2"], "text": ["a;\nb", "c"]}
