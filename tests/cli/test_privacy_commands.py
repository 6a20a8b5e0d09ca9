"""The commands about privacy and discovery, as their users meet them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cellwright.cli.main import run
from cellwright.lake.folder import Lake


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        assert run(["simulate", "--out", str(folder)]) == 0
        assert run(["mediate", str(folder / "telemetry"), "--lake", str(folder / "lake")]) == 0
    return folder


def test_a_lake_made_by_mediation_has_no_survivors(simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["privacy", "audit", str(simulated / "lake")]) == 0
    assert "no identifier survives" in capsys.readouterr().out


def test_raw_telemetry_has_survivors_and_they_are_not_quoted(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["privacy", "audit", str(simulated / "telemetry"), "-o", "json"]) == 1
    text = capsys.readouterr().out
    planted = json.loads((simulated / "truth.json").read_text(encoding="utf-8"))["planted"]
    assert [each for each in planted if (each if isinstance(each, str) else each["value"]) in text] == []
    told = json.loads(text)
    assert {each["kind"] for each in told["survivors"]} >= {"imsi", "ip"}
    assert told["clean"] is False


def test_an_audit_that_could_not_read_everything_is_partial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert run(["privacy", "audit", str(tmp_path)]) == 5
    assert "archive-unsupported" in capsys.readouterr().err
    (tmp_path / "b.log").write_bytes(b"10.0.0.1")
    assert run(["privacy", "audit", str(tmp_path)]) == 1
    assert run(["privacy", "audit", str(tmp_path), "--allow", "ip"]) == 5


def test_a_kind_that_does_not_exist_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["privacy", "audit", str(tmp_path), "--allow", "imsl"]) == 64
    assert "did you mean 'imsi'" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["privacy", "audit", str(tmp_path / "none")]) == 1
    assert "error[no-source]" in capsys.readouterr().err


def test_raw_telemetry_is_classified_into_documents_for_an_estate(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["classify", str(simulated / "telemetry"), "--out", str(tmp_path / "estate"), "-o", "json"]) == 0
    found = {each["dataset"]: each for each in json.loads(capsys.readouterr().out)["datasets"]}
    assert {name: each["class"] for name, each in found.items()} == {
        "pm-pm-counters": "aggregated_kpi",
        "syslog-logs": "subscriber_pii",
        "ves-alarm-events": "subscriber_pii",
    }
    text = (tmp_path / "estate" / "datasets.yaml").read_text(encoding="utf-8")
    planted = json.loads((simulated / "truth.json").read_text(encoding="utf-8"))["planted"]
    assert [each for each in planted if each["value"] in text] == []
    assert run(["check", str(tmp_path / "estate")]) == 1
    problems = capsys.readouterr().err
    assert problems.count("error[") - 1 == problems.count("there is no Site named 'fill-in'") - 1 == 2


def test_what_a_person_confirmed_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("imsi,x\n262011234567890,1\n", encoding="utf-8")
    out = str(tmp_path / "estate")
    assert run(["classify", str(tmp_path / "a.csv"), "--out", out]) == 0
    assert run(["classify", str(tmp_path / "a.csv"), "--out", out]) == 1
    assert "error[file-exists]" in capsys.readouterr().err


def test_tables_of_every_kind_are_read_and_others_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("email;n\nuser1@mail.example;1\nuser2@mail.example;2\n", encoding="utf-8")
    (tmp_path / "b.ndjson").write_text('{"ue":{"supi":"imsi-262011234567890"}}\n{"ue":{"n":[1,2]}}\n', encoding="utf-8")
    (tmp_path / "c.json").write_text('[\n{"msisdn": 491711234567}\n]', encoding="utf-8")
    (tmp_path / "d.json").write_text('{"cut": [', encoding="utf-8")
    (tmp_path / "e.bin").write_bytes(bytes(99))
    pq.write_table(pa.table({"cell": [1, 2]}), tmp_path / "f.parquet")
    (tmp_path / "g.parquet").write_bytes(b"PAR1 cut")
    assert run(["classify", str(tmp_path), "-o", "json"]) == 5
    found = json.loads(capsys.readouterr().out)
    fields = {field["field"]: field["class"] for each in found["datasets"] for field in each["fields"]}
    assert fields == {
        "email": "subscriber_pii",
        "n": "signalling",
        "ue.supi": "subscriber_pii",
        "ue.n": "signalling",
        "msisdn": "subscriber_pii",
        "cell": "network_configuration",
    }
    assert [each["code"] for each in found["unread"]] == ["damaged", "no-table", "damaged"]
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["classify", str(tmp_path / "a.csv")]) == 0
    assert "e-mail address" in capsys.readouterr().out


def test_an_anonymised_lake_holds_its_k_and_names_nobody(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "copy"
    options = ["--k", "5", "--l", "probable_cause=2", "--name", "c", "--derived-from", "d", "--home", "h", "-o", "json"]
    assert run(["anonymise", str(simulated / "lake"), "--out", str(out), *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "certificate.json").read_text(encoding="utf-8"))
    assert {name: each["rows"] - each["kept"] - each["suppressed"] for name, each in told["tables"].items()} == {
        "logs": 0,
        "alarm_events": 0,
        "pm_counters": 0,
    }
    assert run(["privacy", "recount", str(out), "-o", "json"]) == 0
    assert min(json.loads(capsys.readouterr().out)["smallest"].values()) >= 5
    assert run(["privacy", "audit", str(out)]) == 0
    document = yaml.safe_load((out / "dataset.yaml").read_text(encoding="utf-8"))
    assert document["spec"] | {"volume": ""} == {
        "class": "anonymised",
        "home": "h",
        "volume": "",
        "bound": False,
        "derivedFrom": ["d"],
    }
    assert not any("~" in str(pq.read_table(path).to_pylist()) for path in out.glob("*.parquet"))
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}


def test_the_document_of_a_copy_is_one_of_the_estates(simulated: Path, tmp_path: Path) -> None:
    estate = tmp_path / "estate"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "operator", estate)
    names = ["--name", "alarms-k5", "--derived-from", "core-signalling", "--home", "onprem-milano"]
    out = str(tmp_path / "copy")
    assert run(["anonymise", str(simulated / "lake"), "--out", out, "--k", "5", *names]) == 0
    shutil.copy(tmp_path / "copy" / "dataset.yaml", estate / "copy.yaml")
    assert run(["check", str(estate)]) == 0


def test_aggregates_are_sums_of_k_or_more(simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "tables: {pm_counters: {mode: aggregate, quasi: {begin_ts: time, ne_dn: object}, keep: [counter], "
        "measures: [value_i64], subject: ne_dn}}",
        encoding="utf-8",
    )
    out = tmp_path / "sums"
    assert run(["anonymise", str(simulated / "lake"), "--k", "20", "--out", str(out), "--spec", str(spec)]) == 0
    rows = pq.read_table(out / "pm_counters.parquet").to_pylist()
    assert min(row["contributors"] for row in rows) >= 20
    with Lake.open(simulated / "lake") as lake:
        whole = lake.read("pm_counters", ["value_i64"])["value_i64"]
    assert sum(row["value_i64_sum"] or 0 for row in rows) == sum(whole.drop_null().to_pylist())
    assert "class: aggregated_kpi" in (out / "dataset.yaml").read_text(encoding="utf-8")
    assert run(["privacy", "recount", str(out)]) == 0
    assert "smallest class" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--k", "1"), "error[wrong-k]"),
        (("--l", "cause"), "error[wrong-l]"),
        (("--l", "probable_caus=2"), "did you mean 'probable_cause'"),
    ],
)
def test_a_wrong_order_is_told_and_nothing_is_written(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert run(["anonymise", str(simulated / "lake"), "--out", str(tmp_path / "copy"), *options]) == 64
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_never_written_over_something(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["anonymise", str(simulated / "lake"), "--out", str(tmp_path)]) == 1
    assert "error[file-exists]" in capsys.readouterr().err


def test_a_copy_below_its_k_is_told(simulated: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    assert run(["anonymise", str(simulated / "lake"), "--out", str(out), "--k", "5"]) == 0
    rows = pq.read_table(out / "logs.parquet")
    pq.write_table(pa.concat_tables([rows, rows[:1].set_column(1, "host", pa.array(["alone"]))]), out / "logs.parquet")
    assert run(["privacy", "recount", str(out)]) == 1
