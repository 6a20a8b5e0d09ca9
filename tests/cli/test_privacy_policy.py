"""A policy decides what becomes of identifiers, and the vault is the only way back, which is written down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cellwright.cli.main import run
from cellwright.lake.folder import Lake

if TYPE_CHECKING:
    from pathlib import Path

LINE = "<13>1 2026-03-01T12:00:00Z amf amfd - - - attach of imsi-262011234567890 from 198.51.100.77\n"
POLICY = """
apiVersion: cellwright.io/v1alpha1
kind: PrivacyPolicy
metadata: { name: strict }
spec:
  actions: { ip: generalise }
  classes:
    subscriber_pii: { imsi: drop }
  keys: { epoch: month }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CELLWRIGHT_PRIVACY_POLICY", "CELLWRIGHT_DATA_CLASS", "CELLWRIGHT_VAULT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CELLWRIGHT_KEY_FILE", str(tmp_path / "key"))
    (tmp_path / "amf.log").write_text(LINE, encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def mediated(folder: Path, name: str, *options: str) -> str:
    assert run(["mediate", str(folder / "amf.log"), "--lake", str(folder / name), *options]) == 0
    with Lake.open(folder / name) as lake:
        (body,) = lake.read("logs", ["body"])["body"].to_pylist()
    return str(body)


def test_without_a_policy_every_identifier_has_a_pseudonym(folder: Path) -> None:
    body = mediated(folder, "lake")
    assert body.count("imsi~") == body.count("ip~") == 1


def test_a_policy_acts_on_kinds_and_on_the_class_of_the_data(folder: Path) -> None:
    policy = ("--privacy-policy", str(folder / "policy.yaml"))
    one = mediated(folder, "one", *policy)
    assert "ip~198.51.100.x" in one
    assert "imsi~" in one
    two = mediated(folder, "two", *policy, "--data-class", "subscriber_pii")
    assert "imsi~" not in two
    assert "262011234567890" not in one + two
    assert mediated(folder, "three").partition("imsi~")[2][:20] not in one  # an epoch has pseudonyms of its own


def test_a_wrong_policy_is_told_with_its_place_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policy.yaml").write_text(POLICY.replace("drop", "keep"), encoding="utf-8")
    assert run(["privacy", "check", str(folder / "policy.yaml")]) == 64
    assert "policy.yaml:8:" in capsys.readouterr().err
    wrong = ["--privacy-policy", str(folder / "policy.yaml")]
    assert run(["mediate", str(folder / "amf.log"), "--lake", str(folder / "lake"), *wrong]) == 64
    assert not (folder / "lake").exists()


def test_the_vault_gives_back_what_it_was_told_and_logs_each_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = mediated(folder, "lake", "--vault", str(folder / "vault.db"))
    pseudonym = next(word for word in body.split() if word.startswith("imsi~"))
    monkeypatch.setenv("CELLWRIGHT_VAULT", str(folder / "vault.db"))
    capsys.readouterr()
    assert run(["privacy", "reveal", pseudonym, "--why", "ticket 4711"]) == 0
    assert "262011234567890" in capsys.readouterr().out
    assert run(["privacy", "reveal", "imsi~" + "g" * 20, "--why", "ticket 4711"]) == 1
    assert run(["privacy", "looks", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)["looks"]
    assert [(look["pseudonym"], look["why"], look["outcome"]) for look in told] == [
        (pseudonym, "ticket 4711", "revealed"),
        ("?", "ticket 4711", "unknown"),
    ]
    assert b"262011234567890" not in (folder / "vault.db").read_bytes()


def test_a_vault_in_the_lake_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inside = ["--vault", str(folder / "lake" / "vault.db")]
    assert run(["mediate", str(folder / "amf.log"), "--lake", str(folder / "lake"), *inside]) == 64
    assert "inside the lake" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_without_a_vault_there_is_no_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["privacy", "reveal", "imsi~" + "g" * 20, "--why", "x"]) == 64
    assert "CELLWRIGHT_VAULT" in capsys.readouterr().err
