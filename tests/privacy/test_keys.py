from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from cellwright.errors import StorageError
from cellwright.privacy.keys import load_or_create_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "share" / "pseudonym.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other.name for other in path.parent.iterdir()] == ["pseudonym.key"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    load_or_create_key(path)
    path.chmod(0o640)
    with pytest.raises(StorageError, match=r"key-file-shared.*chmod 600"):
        load_or_create_key(path)


def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    path.touch(mode=0o600)
    with pytest.raises(StorageError, match="key-file-damaged"):
        load_or_create_key(path)
    assert path.read_bytes() == b""


def test_a_folder_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="key-file-unavailable"):
        load_or_create_key(tmp_path / "file" / "pseudonym.key")
