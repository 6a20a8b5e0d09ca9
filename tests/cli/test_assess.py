"""The guided path as an operator walks it: as a dialogue, from a file, with mistakes, and cut short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cellwright.estate.model import SensitivityClass
from cellwright.wiring.assess.capitals import capital
from cellwright.wiring.assess.classes import propose
from cellwright.wiring.assess.reading import percentiles, place
from cellwright.wiring.assess.rules import BOUNDARIES, starting_rule

MANY_ENTERS = "\n" * 300


def assess(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cellwright", "assess", *arguments],
        cwd=folder,
        env=environment(folder),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "HOME": str(folder), "PYTHONIOENCODING": "utf-8"}


def cellwright(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cellwright", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def documents(folder: Path, name: str) -> dict[str, dict[str, object]]:
    texts = yaml.safe_load_all((folder / "assessment/estate" / name).read_text(encoding="utf-8"))
    return {each["metadata"]["name"]: each["spec"] for each in texts}


@pytest.fixture(scope="module")
def by_default(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("defaults")
    done = assess(folder, "--defaults")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.mark.integration
def test_the_defaults_make_a_valid_estate_that_plans_feasibly(by_default: tuple[Path, str]) -> None:
    folder, told = by_default
    checked = cellwright(folder, "check", "assessment/estate")
    assert checked.returncode == 0, checked.stderr
    assert "6 workloads" in checked.stdout
    plan = json.loads((folder / "assessment/plan.json").read_text(encoding="utf-8"))
    assert all(placement["site"] for placement in plan["placements"])
    assert "wrote assessment/estate" in told


@pytest.mark.integration
def test_each_step_says_what_it_meant(by_default: tuple[Path, str]) -> None:
    _, told = by_default
    titles = ("1 what the law leaves", "2 what latency rests on", "3 what tokens cost", "4 which tiers remain")
    places = [told.index(title) for title in (*titles, "what to measure and look up next")]
    assert places == sorted(places)
    assert "eliminated tiers: region, metro" in told
    assert "52.00 USD/h with raw events, 7.00 USD/h with the edge filter at 90 %" in told
    assert "22.00 USD/h at the floor of 60 %" in told
    assert "decided by sovereignty; eliminated: region: sovereignty" in told
    assert "have counsel review 6 rules" in told


@pytest.mark.integration
def test_what_nobody_has_checked_says_so_in_the_files(by_default: tuple[Path, str]) -> None:
    folder, _ = by_default
    assert all(each["source"].startswith("To be reviewed: ") for each in documents(folder, "regulations.yaml").values())
    assert "Assumption" in documents(folder, "prices.yaml")["compute"]["source"]
    assert all(each["estimated"] for each in documents(folder, "links.yaml").values())
    assert "labels: {machines: assumed}" in (folder / "assessment/estate/sites.yaml").read_text(encoding="utf-8")


@pytest.mark.integration
def test_a_dialogue_of_enters_is_the_same_as_the_defaults(tmp_path: Path, by_default: tuple[Path, str]) -> None:
    done = assess(tmp_path, typed=MANY_ENTERS)
    assert done.returncode == 0, done.stdout + done.stderr
    for file in sorted((by_default[0] / "assessment/estate").iterdir()):
        assert (tmp_path / "assessment/estate" / file.name).read_text() == file.read_text()


@pytest.mark.integration
def test_a_dialogue_explains_itself_and_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    done = assess(tmp_path, typed="?\nAtlantis\nGermany\n" + MANY_ENTERS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Its law applies to the data that lives there." in done.stdout
    assert "for example: IT  |  Germany  |  IN" in done.stdout
    assert "in a file of answers: country" in done.stdout
    assert "expected a country, such as IT or Italy" in done.stdout
    assert {site["jurisdiction"] for site in documents(tmp_path, "sites.yaml").values()} == {"DE", "US"}


@pytest.mark.integration
def test_answers_of_a_file_are_taken_and_measurements_count(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "country: Germany\noffices: [frankfurt]\nplaces: {frankfurt: {at: '50.11, 8.68', machines: large}}\n"
        "function:\n  policy-control:\n    measured: {round_trip: 4 / 6 / 7 ms, site: metro, first_token: none}\n"
        "links: {metro: {rtt: 0.8 / 1.1 / 1.4 ms}}\n"
        "rules: {DE: {signalling: {boundary: country, source: 'TDDDG, section 9'}}}\n",
        encoding="utf-8",
    )
    done = assess(tmp_path, "--answers", "mine.yaml", "--defaults")
    assert done.returncode == 0, done.stdout + done.stderr
    assert documents(tmp_path, "measurements.yaml")["policy-control"]["roundTrip"]["p95"] == "6 ms"
    assert documents(tmp_path, "links.yaml")["frankfurt-metro"]["rtt"] == {"p50": "0.8 ms", "p99": "1.4 ms"}
    rule = documents(tmp_path, "regulations.yaml")["de-signalling"]
    assert (rule["boundary"], rule["source"]) == ("country", "TDDDG, section 9")
    assert "policy-control: P99 7 ms at metro (measured" in done.stdout


@pytest.mark.integration
def test_a_wrong_answer_in_a_file_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("country: IT\ndata:\n  pm-counters: {class: secret}\n", encoding="utf-8")
    done = assess(tmp_path, "--answers", "mine.yaml", "--defaults")
    assert done.returncode == 64
    assert "mine.yaml:3:24: error[wrong-answer]: data.pm-counters.class: 'secret' is no answer" in done.stderr
    assert "subscriber_pii" in done.stderr
    assert not (tmp_path / "assessment").exists()


@pytest.mark.integration
def test_an_answer_to_no_question_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("contry: IT\n", encoding="utf-8")
    done = assess(tmp_path, "--answers", "mine.yaml", "--defaults")
    assert done.returncode == 64
    assert "no question 'contry' was asked; hint: did you mean 'country'?" in done.stderr
    assert not (tmp_path / "assessment").exists()


@pytest.mark.integration
@pytest.mark.parametrize("text", ["- a\n- {b: c}\n", "country: [\n", "just words\n"])
def test_a_file_that_holds_no_answers_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    done = assess(tmp_path, "--answers", "mine.yaml", "--defaults")
    assert done.returncode == 64
    assert "mine.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.integration
def test_an_end_of_input_keeps_the_answers_and_nothing_else_and_can_be_resumed(tmp_path: Path) -> None:
    done = assess(tmp_path, typed="FR\nEUR\n\nparis, lyon\n")
    assert done.returncode == 1
    assert "the input ended after 4 answers; no estate was written" in done.stderr
    assert "--answers assessment/answers.yaml" in done.stderr
    assert [file.name for file in (tmp_path / "assessment").iterdir()] == ["answers.yaml"]
    again = assess(tmp_path, "--answers", "assessment/answers.yaml", typed=MANY_ENTERS)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "In which country is your network" not in again.stdout
    assert {"paris", "lyon"} < documents(tmp_path, "sites.yaml").keys()


@pytest.mark.integration
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc to see that the dialogue waits")
def test_an_interrupted_dialogue_leaves_an_estate_of_before_as_it_was(tmp_path: Path) -> None:
    assert assess(tmp_path, "--defaults").returncode == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "assessment/estate").iterdir()}
    process = subprocess.Popen(
        [sys.executable, "-m", "cellwright", "assess"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("ES\n")
    process.stdin.flush()
    told = ""
    while "currency" not in told:
        told += process.stdout.read(1)
    while Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").split()[2] != "S":
        continue  # a signal between the question and the wait for its answer would only be seen after an answer
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert "interrupted" in complaint
    assert {file.name: file.read_bytes() for file in (tmp_path / "assessment/estate").iterdir()} == before
    assert "country: ES" in (tmp_path / "assessment/answers.yaml").read_text(encoding="utf-8")
    assert not [file for file in (tmp_path / "assessment").iterdir() if file.name.startswith(".")]


@pytest.mark.integration
def test_an_imported_network_can_be_assessed(tmp_path: Path, by_default: tuple[Path, str]) -> None:
    network = tmp_path / "network"
    network.mkdir()
    for name in ("sites.yaml", "links.yaml"):
        (network / name).write_bytes((by_default[0] / "assessment/estate" / name).read_bytes())
    (tmp_path / "mine.yaml").write_text("network: network\n", encoding="utf-8")
    done = assess(tmp_path, "--answers", "mine.yaml", "--defaults")
    assert done.returncode == 0, done.stdout + done.stderr
    assert documents(tmp_path, "links.yaml").keys() == documents(by_default[0], "links.yaml").keys()


@pytest.mark.integration
def test_an_estate_without_a_feasible_site_is_written_and_ends_in_3(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("tiers: none\nplaces: {core-1: {machines: none}}\n", encoding="utf-8")
    done = assess(tmp_path, "--answers", "mine.yaml", "--defaults")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "no feasible site for" in done.stdout
    assert (tmp_path / "assessment/estate/sites.yaml").is_file()


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("crm-export", "msisdn, plan", SensitivityClass.SUBSCRIBER_PII),
        ("pm-counters", "imsi, value", SensitivityClass.SUBSCRIBER_PII),
        ("core-signalling", "imsi, cause", SensitivityClass.SIGNALLING),
        ("drive-tests", "latitude, longitude, rsrp", SensitivityClass.LOCATION),
        ("pm-counters", "cell, counter", SensitivityClass.AGGREGATED_KPI),
        ("tickets-anonymised", "text", SensitivityClass.ANONYMISED),
        ("tickets-anonymised", "customerEmail, text", SensitivityClass.SUBSCRIBER_PII),
        ("zzz", "x, y", SensitivityClass.SUBSCRIBER_PII),
    ],
)
def test_a_class_is_proposed_from_names_and_identifiers_weigh_most(
    name: str, fields: str, expected: SensitivityClass
) -> None:
    proposal = propose(name, fields)
    assert proposal.sensitivity is expected
    assert proposal.because


@pytest.mark.parametrize("country", ["IT", "GB", "CH", "US", "IN", "BR"])
def test_every_country_has_a_rule_to_start_from_that_is_marked_for_review(country: str) -> None:
    for sensitivity in SensitivityClass:
        rule = starting_rule(country, sensitivity)
        assert rule.answer in BOUNDARIES
        assert rule.source.startswith("To be reviewed: ")


def test_raw_personal_data_starts_within_a_boundary_everywhere() -> None:
    strict = (SensitivityClass.SUBSCRIBER_PII, SensitivityClass.SIGNALLING, SensitivityClass.LOCATION)
    for country in ("IT", "GB", "US", "IN", "BR", "JP"):
        assert all(starting_rule(country, each).answer != "anywhere" for each in strict)


def test_percentiles_are_read_in_rising_order_with_the_last_unit_for_all() -> None:
    found = percentiles("0.9 / 1.2 / 1.5 s")
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx((900.0, 1200.0, 1500.0))
    for wrong in ("9", "9/8/7 ms", "a/b/c", "1/2/3/4 ms", ""):
        with pytest.raises(ValueError, match="P50, P95 and P99"):
            percentiles(wrong)


def test_places_lie_on_the_globe() -> None:
    assert place("45.5 9.2").lat == 45.5
    for wrong in ("91, 0", "0, 181", "north", "1, 2, 3", "nan, 0"):
        with pytest.raises(ValueError, match="latitude and longitude"):
            place(wrong)
    known = [capital(code) for code in ("IT", "DE", "US", "IN", "BR", "ZA", "XX")]
    assert [each is not None for each in known] == [True] * 6 + [False]
