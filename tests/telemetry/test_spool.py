"""The spool: what was appended comes back after any crash, torn ends do not, damage is told, nothing is legible."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.errors import StorageError
from cellwright.telemetry.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


def records(spool: Spool) -> dict[str, tuple[bytes, ...]]:
    return {segment.name: spool.read(segment).records for segment in spool.ready()}


def killed(folder: Path, *appended: bytes) -> Path:
    """Return the segment that a process left open when it died."""
    spool = Spool(folder, KEY)
    feed = spool.feed("ves")
    feed.append(appended)
    assert feed._stream is not None
    feed._stream.close()
    return next(folder.glob("ves/*.open"))


def test_what_was_appended_comes_back_by_feed_and_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", KEY)
    spool.feed("ves").append([b"one", b"two"])
    spool.feed("ves").append([b"three"])
    spool.feed("syslog").append([b""])
    assert spool.ready() == []
    spool.close_segments()
    assert records(spool) == {"syslog/00000001": (b"",), "ves/00000001": (b"one", b"two", b"three")}
    spool.feed("ves").append([b"four"])
    spool.close_segments()
    assert records(spool)["ves/00000002"] == (b"four",)


def test_what_a_dead_process_left_is_ready_for_the_next_and_numbers_go_on(tmp_path: Path) -> None:
    killed(tmp_path, b"one")
    spool = Spool(tmp_path, KEY)
    assert records(spool) == {"ves/00000001": (b"one",)}
    spool.feed("ves").append([b"two"])
    spool.close_segments()
    assert list(records(spool)) == ["ves/00000001", "ves/00000002"]


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_torn_end_is_dropped_and_is_no_damage(tmp_path: Path, cut: int) -> None:
    path = killed(tmp_path, b"acknowledged" * 2, b"never acknowledged" * 2)
    path.write_bytes(path.read_bytes()[:-cut])
    spool = Spool(tmp_path, KEY)
    content = spool.read(spool.ready()[0])
    assert content.records == ((b"acknowledged" * 2,) if cut <= 56 else ())
    assert content.damaged == 0


@given(st.integers(16, 200), st.integers(1, 255))
def test_damage_before_the_end_is_told_and_what_stands_before_it_is_kept(
    tmp_path_factory: pytest.TempPathFactory, place: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    written = [bytes([number]) * 30 for number in range(5)]
    path = killed(folder, *written)
    raw = bytearray(path.read_bytes())
    raw[place] ^= flip
    path.write_bytes(raw)
    spool = Spool(folder, KEY)
    content = spool.read(spool.ready()[0])
    assert len(content.records) < 5
    assert list(content.records) == written[: len(content.records)]
    length_hit = (place - 16) % 50 < 4
    assert content.damaged > 0 or length_hit  # a record that claims to reach beyond the end looks torn


def test_a_record_opens_in_its_own_segment_alone(tmp_path: Path) -> None:
    killed(tmp_path, b"one").rename(tmp_path / "ves/00000007.open")
    spool = Spool(tmp_path, KEY)
    assert spool.read(spool.ready()[0]).records == ()
    assert spool.read(spool.ready()[0]).damaged > 0


def test_nothing_is_legible_and_nobody_else_may_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", KEY)
    spool.feed("ves").append([b"imsi-262011234567890"])
    spool.close_segments()
    (segment,) = spool.ready()
    assert b"262011234567890" not in segment.path.read_bytes()
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700


def test_two_segments_of_equal_records_are_two_and_each_stays_itself(tmp_path: Path) -> None:
    spool = Spool(tmp_path, KEY)
    for _ in range(2):
        spool.feed("ves").append([b"the same"])
        spool.close_segments()
    one, two = (spool.read(segment).identity for segment in spool.ready())
    assert one != two
    assert one == spool.read(spool.ready()[0]).identity


def test_a_full_disk_keeps_none_of_the_records_and_the_next_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, KEY)
    feed = spool.feed("ves")
    feed.append([b"one"])
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _no_space)
        with pytest.raises(StorageError, match=r"No space left.*told to try again"):
            feed.append([b"lost to the sender, who knows"])
    feed.append([b"two"])
    spool.close_segments()
    assert records(spool) == {"ves/00000001": (b"one",), "ves/00000002": (b"two",)}


def test_a_released_segment_is_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, KEY)
    spool.feed("ves").append([b"one"])
    spool.close_segments()
    assert spool.size() > 0
    spool.release(spool.ready()[0])
    assert spool.ready() == []
    assert spool.size() == 0


def _no_space(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_note_is_kept_over_restarts_and_replaced_as_a_whole(tmp_path: Path) -> None:
    feed = Spool(tmp_path / "spool", KEY).feed("traps")
    assert feed.note() == b""
    for content in (b"first", b"second"):
        feed.keep_note(content)
    spool = Spool(tmp_path / "spool", KEY)
    assert spool.feed("traps").note() == b"second"
    assert (spool.ready(), spool.size()) == ([], 0)
    (file,) = (tmp_path / "spool" / "traps").iterdir()
    assert b"second" not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_note_that_does_not_open_is_none(tmp_path: Path) -> None:
    feed = Spool(tmp_path / "spool", KEY).feed("traps")
    feed.keep_note(b"known")
    file = tmp_path / "spool" / "traps" / "note.sealed"
    sealed = file.read_bytes()
    for damaged in (sealed[:-1], sealed[:3], b"", sealed[:-1] + bytes([sealed[-1] ^ 1])):
        file.write_bytes(damaged)
        assert feed.note() == b""
    other = Spool(tmp_path / "spool", KEY).feed("flows")
    (tmp_path / "spool" / "flows" / "note.sealed").write_bytes(sealed)
    assert other.note() == b""


def test_a_note_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Spool(tmp_path / "spool", KEY).feed("traps")
    feed.keep_note(b"before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="cannot be written"):
        feed.keep_note(b"after")
    assert feed.note() == b"before"
