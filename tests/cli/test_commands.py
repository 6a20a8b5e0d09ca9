"""The command line as its users meet it: exit codes, sentences, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow.parquet as pq
import pytest

from cellwright.gateway.config import load_config

ROOT = Path(__file__).parents[2]
OPERATOR = ROOT / "examples/operator"

pytestmark = pytest.mark.integration


def cellwright(*arguments: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a home of its own and without the public data unless a test names it."""
    return subprocess.run(
        [sys.executable, "-m", "cellwright", *map(str, arguments)],
        cwd=cwd,
        env=environment(cwd, **environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def environment(home: Path, **environ: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "HOME": str(home), "CELLWRIGHT_DATA": str(home / "no-data"), **environ}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    done = cellwright("simulate", "--out", "sim", "--seed", "7", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def lake(simulated: Path) -> Path:
    done = cellwright("mediate", "sim/telemetry", "--lake", "lake", cwd=simulated)
    assert done.returncode == 0, done.stdout + done.stderr
    return simulated / "lake"


def test_check_accepts_the_example_and_counts_it(tmp_path: Path) -> None:
    done = cellwright("check", OPERATOR, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "10 workloads" in done.stdout


def test_check_reports_every_problem_with_its_place_and_exits_1(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "apiVersion: cellwright.io/v1alpha1\nkind: Link\nmetadata: {name: l}\n"
        "spec: {a: nowhere, b: l, rtt: {p50: 4, p99: 5 ms}, bandwith: 1 Gbit/s}\n"
    )
    done = cellwright("check", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "bad.yaml:4:" in done.stderr
    assert "did you mean 'bandwidth'?" in done.stderr
    assert "4 ms" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("check", "nowhere"), 1, "there is no estate at nowhere"),
        (("plan",), 64, "Missing argument"),
        (("pln",), 64, "pln"),
        (("explain", str(OPERATOR), "slice-polcy"), 64, "slice-policy"),
        (("explain", str(OPERATOR), "slice-policy", "--why-not", "onprem-romma"), 64, "onprem-roma"),
        (("report", "missing.json", "--out", "x.html"), 1, "missing.json"),
        (("mediate", "missing", "--lake", "lake"), 1, "missing"),
        (("lake", "verify", "missing"), 1, "missing"),
        (("digest", "missing"), 1, "missing"),
        (("gateway", "--config", "missing.yaml"), 1, "missing.yaml"),
    ],
)
def test_a_wrong_request_ends_in_a_sentence_and_writes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = cellwright(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_plan_has_every_promised_field_and_every_other_site(tmp_path: Path) -> None:
    done = cellwright("plan", OPERATOR, "-o", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert len(plan["placements"]) == 10
    names = [site["name"] for site in plan["sites"]]
    for placement in plan["placements"]:
        assert {"site", "tier", "cost_per_hour", "latency_p99_ms", "decided_by"} <= placement.keys()
        findings = [plan["findings"][number] for number in placement["findings"]]
        runs = [run for found in findings for run in found["sites"]]
        told = {names[index] for first, last in runs for index in range(first, last + 1)}
        assert told == set(names) - {placement["site"]}
        assert all({"code", "measured", "limit"} <= found.keys() for found in findings)


def test_a_plan_is_the_same_byte_for_byte_and_prints_in_25_lines(tmp_path: Path) -> None:
    first = cellwright("plan", OPERATOR, "-o", "json", "--out", "plan.json", cwd=tmp_path)
    second = cellwright("plan", OPERATOR, "-o", "json", cwd=tmp_path, PYTHONHASHSEED="7")
    assert first.stdout == second.stdout == (tmp_path / "plan.json").read_text()
    table = cellwright("plan", OPERATOR, cwd=tmp_path)
    assert len(table.stdout.splitlines()) <= 25
    assert "slice-policy" in table.stdout


def test_a_plan_is_verified_by_a_second_reading_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    assert cellwright("plan", OPERATOR, "--out", "plan.json", cwd=tmp_path).returncode == 0
    sound = cellwright("plan", "verify", OPERATOR, "plan.json", cwd=tmp_path)
    assert (sound.returncode, sound.stdout.startswith("sound: ")) == (0, True)
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"cost_per_hour":6.912', '"cost_per_hour":5.912'))
    wrong = cellwright("plan", "verify", OPERATOR, "plan.json", "-o", "json", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "alarm-filter" in {breach["workload"] for breach in json.loads(wrong.stdout)["breaches"]}


def test_questions_are_answered_without_writing(tmp_path: Path) -> None:
    lost = cellwright("plan", OPERATOR, "--lose", "region-milano", "-o", "json", cwd=tmp_path)
    assert {move["before"].split("/")[0] for move in json.loads(lost.stdout)["moved"]} == {"region-milano"}
    supposed = ("--what-if", "Workload/slice-policy/latency.p99=20 ms", "-o", "json")
    relaxed = json.loads(cellwright("plan", OPERATOR, *supposed, cwd=tmp_path).stdout)
    assert [move["label"] for move in relaxed["moved"]] == ["slice-policy"]
    assert relaxed["cost_after"] < relaxed["cost_before"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--lose", "region-milan"), "did you mean 'region-milano'?"),
        (("--what-if", "latency=3"), "names no value"),
        (("--lose", "region-milano", "--out", "x.json"), "answer without writing"),
        (("--max-moves", "3"), "--against PLAN"),
    ],
)
def test_a_wrong_question_is_told(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = cellwright("plan", OPERATOR, *arguments, cwd=tmp_path)
    assert done.returncode == 64
    assert sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_proven_kept_and_exported(tmp_path: Path) -> None:
    first = cellwright("plan", OPERATOR, "--proof", "20", "--out", "plan.json", "--focus", "cost.csv", cwd=tmp_path)
    assert "proof: no plan costs less than" in first.stdout
    assert (tmp_path / "cost.csv").read_text().startswith("BilledCost,")
    again = cellwright("plan", OPERATOR, "--against", "plan.json", cwd=tmp_path)
    assert "nothing moves" in again.stdout


def test_why_not_names_all_violations_and_a_verified_change(tmp_path: Path) -> None:
    done = cellwright("explain", OPERATOR, "slice-policy", "--why-not", "region-milano", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "latency" in done.stdout
    as_json = cellwright("explain", OPERATOR, "slice-policy", "--why-not", "region-milano", "-o", "json", cwd=tmp_path)
    answer = json.loads(as_json.stdout)
    assert answer["violations"]
    assert answer["verified"] is True


def test_a_report_of_a_plan_is_one_page_without_outside_assets(tmp_path: Path) -> None:
    cellwright("plan", OPERATOR, "--out", "plan.json", cwd=tmp_path)
    done = cellwright("report", "plan.json", "--out", "plan.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "plan.html").read_text()
    assert "<svg" in page
    assert "<script src" not in page


def test_the_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(cellwright("schema", cwd=tmp_path).stdout)["$schema"]


def test_a_lake_of_simulated_telemetry_verifies_and_is_ingested_once(lake: Path) -> None:
    verified = cellwright("lake", "verify", "lake", "-o", "json", cwd=lake.parent)
    assert verified.returncode == 0, verified.stderr
    files = json.loads(verified.stdout)["files"]
    assert files
    assert all(file["raw"] == file["rows"] + file["quarantined"] + file["filtered"] for file in files)
    before = sorted(path.name for path in lake.rglob("*.parquet"))
    again = cellwright("mediate", "sim/telemetry", "--lake", "lake", cwd=lake.parent)
    assert again.returncode == 0
    assert sorted(path.name for path in lake.rglob("*.parquet")) == before


def test_verify_fails_when_one_row_is_removed_by_hand(simulated: Path) -> None:
    cellwright("mediate", "sim/telemetry", "--lake", "tampered", cwd=simulated)
    part = min((simulated / "tampered").rglob("*.parquet"))
    table = pq.read_table(part)
    pq.write_table(table.slice(1), part)
    done = cellwright("lake", "verify", "tampered", cwd=simulated)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_no_planted_identifier_is_in_any_byte_of_the_lake_the_logs_or_the_digests(lake: Path) -> None:
    truth = json.loads((lake.parent / "sim/truth.json").read_text())
    planted = [item["value"] for item in truth["planted"]]
    assert len(planted) >= 20
    raw = b"".join(path.read_bytes() for path in sorted((lake.parent / "sim/telemetry").rglob("*")) if path.is_file())
    assert any(value.encode() in raw for value in planted)
    texts = [cellwright("digest", "lake", "-o", "json", cwd=lake.parent).stdout]
    texts += [cellwright("mediate", "sim/telemetry", "--lake", "lake", cwd=lake.parent).stderr]
    for path in sorted(lake.rglob("*")):
        if path.suffix == ".parquet":
            texts.append(repr(pq.read_table(path).to_pylist()))
        if path.is_file():
            texts.append(path.read_bytes().decode("latin-1"))
    found = {value for value in planted for text in texts if value in text}
    assert found == set()


def test_truncated_telemetry_keeps_the_good_part_and_exits_5(simulated: Path, tmp_path: Path) -> None:
    whole = max((simulated / "sim/telemetry").rglob("*.xml"), key=lambda path: path.stat().st_size)
    (tmp_path / "in").mkdir()
    content = whole.read_bytes()
    (tmp_path / "in/cut.xml").write_bytes(content[: content.rindex(b"<measValue") + 60])
    done = cellwright("mediate", "in", "--lake", "lake", "-o", "json", cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    assert file["rows"] > 0
    assert file["quarantined"] > 0
    assert file["raw"] == file["rows"] + file["quarantined"] + file["filtered"]
    assert cellwright("lake", "verify", "lake", cwd=tmp_path).returncode == 0


def test_digests_keep_within_their_budget(lake: Path) -> None:
    done = cellwright("digest", "lake", "-o", "json", "--budget", "2000", cwd=lake.parent)
    assert done.returncode == 0, done.stderr
    digests = json.loads(done.stdout)["digests"]
    storms = [digest for digest in digests if 15_000 <= digest["ves_tokens"] <= 25_000]
    assert storms
    assert all(digest["tokens"] <= 2000 for digest in digests)


def test_the_main_job_writes_its_report_without_public_data(tmp_path: Path) -> None:
    assert cellwright("simulate", "--out", "sim", cwd=tmp_path).returncode == 0
    done = cellwright("up", OPERATOR, "--once", "--out", "out", "--topology", "sim/topology.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "out/report.html").read_text()
    assert "links of the topology among them" in page
    assert page.count("<h4>Timeline</h4>") == 3
    truth = json.loads((tmp_path / "out/simulated/truth.json").read_text())
    assert [item["value"] for item in truth["planted"] if item["value"] in page or item["value"] in done.stdout] == []
    assert "report.html" in done.stdout
    assert "52.00" in done.stdout
    assert "7.00" in done.stdout
    assert "not a language model" in page
    assert "answered 7 of 7 storms" in done.stdout
    assert "robable root cause" in page


@pytest.mark.data
def test_the_main_job_reads_public_data_and_digests_every_storm_within_its_budget(tmp_path: Path) -> None:
    data = Path(os.environ.get("CELLWRIGHT_DATA") or ROOT.parent / "shared/data")
    if not (data / "alarms").is_dir():
        pytest.skip(f"no public data at {data}: set CELLWRIGHT_DATA")
    mappings = ROOT / "examples/mappings"
    done = cellwright(
        "up", OPERATOR, "--once", "--out", "out", "--mapping", mappings, cwd=tmp_path, CELLWRIGHT_DATA=str(data)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "delimited:alarm-list" in done.stdout
    assert "0 storms over budget" in done.stdout
    verified = cellwright("lake", "verify", "out/lake", cwd=tmp_path)
    assert verified.returncode == 0, verified.stderr


def test_a_read_only_folder_ends_in_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = cellwright("up", OPERATOR, "--once", "--out", "file/out", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "file/out" in done.stderr


def test_the_example_gateway_is_understood(tmp_path: Path) -> None:
    config = load_config((ROOT / "examples/gateway.yaml").read_text(), "gateway.yaml")
    assert [backend.name for backend in config.backends] == ["edge", "cloud"]
    assert cellwright("gateway", "--config", OPERATOR / "prices.yaml", cwd=tmp_path).returncode == 64


def test_a_second_key_for_one_lake_is_refused(simulated: Path, tmp_path: Path) -> None:
    source = simulated / "sim/telemetry/syslog"
    assert cellwright("mediate", source, "--lake", "lake", cwd=tmp_path).returncode == 0
    done = cellwright("mediate", source, "--lake", "lake", cwd=tmp_path, CELLWRIGHT_KEY_FILE=str(tmp_path / "other"))
    assert done.returncode == 1
    assert "another pseudonym key" in done.stderr


def test_a_file_whose_part_was_deleted_is_stored_anew(simulated: Path, tmp_path: Path) -> None:
    source = simulated / "sim/telemetry/syslog"
    cellwright("mediate", source, "--lake", "lake", cwd=tmp_path)
    min((tmp_path / "lake").rglob("*.parquet")).unlink()
    assert cellwright("lake", "verify", "lake", cwd=tmp_path).returncode == 1
    assert cellwright("mediate", source, "--lake", "lake", cwd=tmp_path).returncode == 0
    assert cellwright("lake", "verify", "lake", cwd=tmp_path).returncode == 0


def test_nothing_understood_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "junk.bin").write_bytes(bytes(range(256)) * 9)
    done = cellwright("mediate", "junk.bin", "--lake", "lake", cwd=tmp_path)
    assert done.returncode == 5
    assert "unknown-format" in done.stdout
    assert "1 file of no known format and left out: 0 raw" in done.stdout
    (tmp_path / "cut.xml").write_bytes(b"<measCollecFile><measData><r p='1'>1</r>")
    done = cellwright("mediate", "junk.bin", "cut.xml", "--lake", "lake", cwd=tmp_path)
    assert "1 file quarantined: 1 raw, 0 rows, 1 quarantined" in done.stdout
    assert "1 files were in the lake before" in done.stdout


def test_a_simulation_replaces_an_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    for seed in ("7", "9"):
        assert cellwright("simulate", "--out", "sim", "--seed", seed, cwd=tmp_path).returncode == 0
    alone = tmp_path / "alone"
    cellwright("simulate", "--out", "alone", "--seed", "9", cwd=tmp_path)
    names = [{path.relative_to(folder) for path in folder.rglob("*")} for folder in (tmp_path / "sim", alone)]
    assert names[0] == names[1]
    (tmp_path / "mine/telemetry").mkdir(parents=True)
    (tmp_path / "mine/telemetry/precious.txt").write_text("x")
    assert cellwright("simulate", "--out", "mine", cwd=tmp_path).returncode == 1
    assert (tmp_path / "mine/telemetry/precious.txt").exists()


def test_an_infeasible_estate_is_said_by_plan_and_by_the_main_job(tmp_path: Path) -> None:
    shutil.copytree(OPERATOR, tmp_path / "estate")
    workloads = tmp_path / "estate/workloads.yaml"
    workloads.write_text(workloads.read_text().replace("p99: 8 ms}", "p99: 0.5 ms}"))
    assert cellwright("plan", "estate", cwd=tmp_path).returncode == 3
    assert cellwright("up", "estate", "--once", "--out", "out", cwd=tmp_path).returncode == 3


def test_a_device_is_not_replaced_by_a_plan(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = cellwright("plan", OPERATOR, "--out", "pipe", cwd=tmp_path)
    assert done.returncode == 1
    assert "no ordinary file" in done.stderr
    assert (tmp_path / "pipe").is_fifo()


def test_a_taken_port_ends_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cellwright("up", OPERATOR, "--out", "out", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_cloud_model_is_said_and_the_report_is_still_written(tmp_path: Path) -> None:
    done = cellwright(
        "up", OPERATOR, "--once", "--out", "out", cwd=tmp_path,
        CELLWRIGHT_CLOUD_BASE_URL="http://127.0.0.1:9/v1", CELLWRIGHT_CLOUD_MODEL="m",
    )  # fmt: skip
    assert done.returncode == 5, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out/report.html").exists()


def test_a_real_cloud_model_gets_the_digests_and_nothing_else(tmp_path: Path) -> None:
    asked: list[tuple[str | None, dict[str, Any]]] = []

    class Model(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.headers["authorization"], body))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            delta = {"index": 0, "delta": {"content": "It was the fibre."}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 400, "completion_tokens": 5, "total_tokens": 405}
            for event in ({"choices": [delta]}, {"choices": [], "usage": usage}):
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        done = cellwright(
            "up", OPERATOR, "--once", "--out", "out", "--answers", "3", cwd=tmp_path,
            CELLWRIGHT_CLOUD_BASE_URL=f"http://127.0.0.1:{server.server_port}/v1",
            CELLWRIGHT_CLOUD_MODEL="some-model", CELLWRIGHT_CLOUD_API_KEY="SECRET-KEY",
        )  # fmt: skip
        server.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [key for key, _ in asked] == ["Bearer SECRET-KEY"] * 3
    assert {body["model"] for _, body in asked} == {"some-model"}
    assert all(body["messages"][1]["content"].startswith("incident ") for _, body in asked)
    truth = json.loads((tmp_path / "out/simulated/truth.json").read_text())
    assert [item["value"] for item in truth["planted"] if item["value"] in str(asked)] == []
    assert "1,200 in, 15 out (as its server counts)" in done.stdout
    page = (tmp_path / "out/report.html").read_text()
    assert "It was the fibre." in page
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"SECRET-KEY" not in written


def test_ctrl_c_ends_in_a_sentence_without_half_written_files(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cellwright", "up", str(OPERATOR), "--once", "--out", "out"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() is not None
        process.send_signal(signal.SIGINT)
        _, problems = process.communicate(timeout=60)
    assert process.returncode == 130, problems
    assert "Traceback" not in problems
    assert list(tmp_path.rglob("*.tmp")) == []
