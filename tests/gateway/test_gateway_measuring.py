"""Measured latencies of a gateway reach the documents that the planner reads."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY, Scripted, bench, config, opener, piece
from test_gateway_meter import row_with

from cellwright.gateway.config import load_config
from cellwright.gateway.keys import hash_key
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.serve import running
from cellwright.store import sqlite_url
from cellwright.wiring.estates import load_estate
from cellwright.wiring.measuring import FILE, percentiles

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/gateway.yaml"
NOW = datetime.now(UTC)
DAY = NOW.date()
SUBJECT = "auto=assistant@edge-torino"
NOW_US = int(NOW.timestamp() * 1e6)


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """The example estate without what was measured there."""
    folder = tmp_path / "estate"
    shutil.copytree(ROOT / "examples" / "operator", folder)
    (folder / "measurements.yaml").unlink()
    return folder


def named(estate: Path) -> tuple[str, str, str]:
    """A workload and two sites of the example."""
    found = load_estate(estate, DAY)
    sites = list(found.sites)
    return next(iter(found.workloads)), sites[0], sites[1]


@pytest.mark.integration
def test_probes_of_a_running_gateway_become_a_measurement_that_the_estate_takes(
    tmp_path: Path, estate: Path, told: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload, users, site = named(estate)
    backend = Scripted((piece("four "), piece("five")))
    monkeypatch.setenv("CELLWRIGHT_GATEWAY_KEY", KEY)
    with bench(tmp_path, config(), opener(backend)) as gateway, running(gateway.app) as url:
        subject = f"auto={workload}@{site}"
        code, out, err = told(
            "gateway", "measure", "--of", subject, "--users", users, "--url", url, "--probes", 7, "--estate", estate
        )
    assert (code, out) == (0, "")
    assert "auto: round trip P50" in err
    assert "of 7" in err
    assert len(backend.asked) == 7
    (measured,) = load_estate(estate, DAY).measurements.values()
    assert (measured.workload, measured.users, measured.site, measured.checked) == (workload, users, site, DAY)
    assert measured.source == f"7 probes of auto through {url}, by cellwright gateway measure"
    assert measured.first_token is not None
    assert measured.first_token.p99_ms <= measured.round_trip.p99_ms
    assert told("check", estate)[0] == 0


def write_gateway(folder: Path, rows: int) -> Path:
    document = (ROOT / "examples" / "gateway.yaml").read_text(encoding="utf-8")
    path = folder / "gateway.yaml"
    path.write_text(document.replace("meter: {file: meter.db}", f"meter: {{file: {folder / 'meter.db'}}}"))
    with Meter(sqlite_url(str(folder / "meter.db"))) as meter:
        for number in range(rows):
            moment = {"request_id": str(number), "started_us": NOW_US - number}
            meter.record(row_with(**moment, duration_ms=float(number + 1), ttft_ms=(number + 1) / 2))
        old = NOW_US - int(timedelta(hours=2) / timedelta(microseconds=1))
        meter.record(row_with(request_id="old", started_us=old, duration_ms=9999.0))
        meter.record(row_with(request_id="part", started_us=NOW_US, duration_ms=9999.0, part_of="0"))
        meter.record(row_with(request_id="failed", started_us=NOW_US, duration_ms=9999.0, error="timeout"))
        meter.record(row_with(request_id="other", started_us=NOW_US, duration_ms=9999.0, route="x", backend="y"))
    return path


def test_rows_of_the_meter_are_measured_as_the_clients_saw_them(
    tmp_path: Path, told: Callable[..., tuple[int, str, str]]
) -> None:
    path = write_gateway(tmp_path, 200)
    of = ("gateway", "measure", "--of", SUBJECT, "--users", "hq", "--config", path, "--hours", 1)
    code, out, err = told(*of)
    assert code == 0
    assert "p50: 101 ms" in out
    assert "P99 199 ms of 200, 1 failed" in err
    code, out, _ = told(*of, "-o", "json")
    (found,) = json.loads(out)
    assert (found["round_trip_ms"]["p95"], found["first_token_ms"]["p99"], found["samples"]) == (191, 99.5, 200)


def test_an_estate_that_does_not_take_the_measurements_is_left_as_it_was(
    tmp_path: Path, estate: Path, told: Callable[..., tuple[int, str, str]]
) -> None:
    path = write_gateway(tmp_path, 10)
    workload, users, site = named(estate)
    measure = ("gateway", "measure", "--users", users, "--config", path, "--estate", estate, "--of")
    code, _, err = told(*measure, f"auto=no-such@{site}")
    assert code == 1
    assert "no-such" in err
    assert not (estate / FILE).exists()
    assert told(*measure, f"auto={workload}@{site}")[0] == 0
    before = (estate / FILE).read_text(encoding="utf-8")
    assert told(*measure, f"auto={workload}@no-such")[0] == 1
    assert (estate / FILE).read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--of", "auto", "--config", "g.yaml"), "ROUTE=WORKLOAD@SITE"),
        (("--of", SUBJECT), "--url, or --config"),
        (("--of", SUBJECT, "--url", "http://127.0.0.1:1/v1", "--key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY is not set"),
        (("--of", SUBJECT, "--url", "http://127.0.0.1:1/v1", "--key-env", "A_KEY"), "none of 5 probes of auto"),
    ],
)
def test_what_cannot_be_measured_is_told(
    told: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.setenv("A_KEY", "x")
    code, _, err = told("gateway", "measure", "--users", "hq", "--probes", 5, *arguments)
    assert code in {1, 64}
    assert expected in err


def test_too_few_rows_are_no_measurement(tmp_path: Path, told: Callable[..., tuple[int, str, str]]) -> None:
    path = write_gateway(tmp_path, 3)
    code, _, err = told("gateway", "measure", "--of", SUBJECT, "--users", "hq", "--config", path)
    assert (code, "there are 4 whole answers of auto" in err) == (64, True)


@pytest.mark.parametrize("url", ["gateway.example/v1", "ftp://gateway.example", "http://me:secret@gateway.example/v1"])
def test_an_address_of_no_gateway_is_told(
    told: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CELLWRIGHT_GATEWAY_KEY", KEY)
    code, _, err = told("gateway", "measure", "--of", SUBJECT, "--users", "edge-torino", "--url", url)
    assert code == 64
    assert "not-an-address" in err


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([float(value) for value in range(1, 11)]) == (6.0, 10.0, 10.0)
    assert percentiles([5.0]) == (5.0, 5.0, 5.0)


def test_a_new_key_is_shown_once_and_its_entry_opens_the_gateway(told: Callable[..., tuple[int, str, str]]) -> None:
    for name in ("care", "007", "on"):
        code, out, err = told("gateway", "key", "--name", name, "--tenant", "null", "--not-after", "2999-01-31")
        assert code == 0
        written = EXAMPLE.read_text().replace("  keys:\n", f"  keys:\n    {out}")
        key, *_ = load_config(written, "g.yaml").keys
        assert (key.name, key.tenant, key.sha256) == (name, "null", hash_key(err.split()[-1]))
        assert key.not_after_s is not None
    code, out, err = told("gateway", "key", "--name", "noc", "--tenant", "ops", "-o", "json")
    found = json.loads(out)
    assert (found["entry"]["sha256"], err) == (hash_key(found["key"]), "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--not-after": "soon"}, "'soon' is no day"),
        ({"--not-after": "2020-01-01"}, "2020-01-01 is over"),
        ({"--name": "it's: {"}, "lowercase letters"),
        ({"--tenant": "a b"}, "lowercase letters"),
    ],
)
def test_a_key_that_no_document_would_take_is_not_made(
    told: Callable[..., tuple[int, str, str]], change: dict[str, str], words: str
) -> None:
    options = {"--name": "noc", "--tenant": "ops"} | change
    code, out, err = told("gateway", "key", *(text for pair in options.items() for text in pair))
    assert (code, out) == (64, "")
    assert words in err
