from __future__ import annotations

import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from cellwright.errors import DeniedError, StorageError, UsageError
from cellwright.privacy.identifiers import Kind
from cellwright.privacy.policy import Action, Policy
from cellwright.privacy.pseudonymise import Pseudonymiser
from cellwright.privacy.vault import Vault, open_vault

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = "ue imsi-262011234567890 at 10.0.0.1"


def filled(path: Path, *texts: str) -> Vault:
    vault = open_vault(path / "vault.db", KEY, [path / "lake"])
    Pseudonymiser(KEY, remember=vault.remember).array(pa.array(texts or [TEXT]))
    return vault


def test_what_was_replaced_is_revealed_and_every_look_is_written_down(tmp_path: Path) -> None:
    imsi, address = Pseudonymiser(KEY).text("262011234567890"), Pseudonymiser(KEY).text("10.0.0.1")
    with filled(tmp_path) as vault:
        assert vault.reveal(imsi, who="ada", why="case 17", at=NOW) == "number:262011234567890"
        assert vault.reveal(address, who="bob", why="case 18", at=NOW) == "ip:10.0.0.1"
        assert [look[1:] for look in vault.looks()] == [
            ("ada", "2026-03-01T12:00:00+00:00", "case 17", "revealed"),
            ("bob", "2026-03-01T12:00:00+00:00", "case 18", "revealed"),
        ]


def test_a_look_for_what_is_unknown_is_written_down_without_what_was_asked(tmp_path: Path) -> None:
    with filled(tmp_path) as vault:
        assert vault.reveal("262011234567890", who="ada", why="case 17", at=NOW) is None
        assert [(look.pseudonym, look.outcome) for look in vault.looks()] == [("?", "unknown")]


def test_the_file_holds_no_identifier_and_is_its_owners_alone(tmp_path: Path) -> None:
    filled(tmp_path).close()
    files = list(tmp_path.glob("vault.db*"))
    assert not any(b"262011234567890" in file.read_bytes() or b"10.0.0.1" in file.read_bytes() for file in files)
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)


def test_a_vault_opens_with_its_key_only(tmp_path: Path) -> None:
    filled(tmp_path).close()
    pseudonym = Pseudonymiser(KEY).text("10.0.0.1")
    with open_vault(tmp_path / "vault.db", bytes(32), []) as other:
        with pytest.raises(StorageError, match="vault-sealed"):
            other.reveal(pseudonym, who="eve", why="case 19", at=NOW)
        assert other.looks() == ()


def test_a_name_that_was_moved_to_another_pseudonym_does_not_open(tmp_path: Path) -> None:
    with filled(tmp_path) as vault:
        vault.flush()
        with vault._engine.begin() as connection:
            connection.exec_driver_sql("update names set pseudonym = 'ip~zz' where pseudonym like 'ip~%'")
        with pytest.raises(StorageError, match="vault-sealed"):
            vault.reveal("ip~zz", who="ada", why="case 17", at=NOW)


@pytest.mark.parametrize("who", ["", " ", "ada"])
def test_a_look_needs_who_and_why_and_a_zone(tmp_path: Path, who: str) -> None:
    with filled(tmp_path) as vault:
        with pytest.raises(UsageError, match="look-unexplained"):
            vault.reveal("ip~x", who=who, why="" if who == "ada" else "case 17", at=NOW)
        with pytest.raises(UsageError, match="look-unexplained"):
            vault.reveal("ip~x", who="ada", why="case 17", at=NOW.replace(tzinfo=None))


def test_a_reason_that_names_an_identifier_is_refused_and_nothing_is_logged(tmp_path: Path) -> None:
    with filled(tmp_path) as vault:
        with pytest.raises(DeniedError, match="identifier-in-log"):
            vault.reveal("ip~x", who="ada", why="who is 262011234567890", at=NOW)
        assert vault.looks() == ()


@pytest.mark.parametrize("inside", ["vault.db", "deep/vault.db", "../lake/vault.db"])
def test_a_vault_inside_a_lake_is_refused(tmp_path: Path, inside: str) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    (tmp_path / "link").symlink_to(lake)
    for folder in (lake, tmp_path / "link"):
        with pytest.raises(UsageError, match="vault-in-lake"):
            open_vault(folder / inside, KEY, [lake])
    assert list(lake.iterdir()) == []


def test_a_vault_that_others_can_read_is_refused(tmp_path: Path) -> None:
    filled(tmp_path).close()
    (tmp_path / "vault.db").chmod(0o644)
    with pytest.raises(StorageError, match="vault-shared"):
        open_vault(tmp_path / "vault.db", KEY, [])


def test_filling_it_again_or_with_more_than_one_batch_changes_no_name(tmp_path: Path) -> None:
    texts = [f"10.0.{number >> 8}.{number & 255}" for number in range(10_000)]
    for _ in range(2):
        filled(tmp_path, *texts).close()
    with open_vault(tmp_path / "vault.db", KEY, []) as vault:
        for text in (texts[0], texts[-1]):
            assert vault.reveal(Pseudonymiser(KEY).text(text), who="ada", why="case 17", at=NOW) == f"ip:{text}"
        with vault._engine.begin() as connection:
            assert connection.exec_driver_sql("select count(*) from names").scalar_one() == len(texts)


def test_only_what_is_tokenised_can_be_revealed() -> None:
    policy = Policy(actions={Kind.IMSI: Action.MASK, Kind.IP: Action.GENERALISE})
    remembered: list[tuple[str, str]] = []
    Pseudonymiser(KEY, policy, remember=remembered.extend).array(pa.array([TEXT, "msisdn-491711234567"]))
    assert [canonical for _, canonical in remembered] == ["msisdn:491711234567"]
