"""A lake in an object store: what holds on a disk holds there."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fake_s3 import BUCKET, FakeS3
from lake_rows import KEY, LATER, store

from cellwright.errors import StorageError, UsageError
from cellwright.lake import remote_ledger
from cellwright.lake.address import Address
from cellwright.lake.bucket import Bucket, failure
from cellwright.lake.folder import Lake
from cellwright.lake.record import FileState, TableRecord

if TYPE_CHECKING:
    from pathlib import Path

URL = f"s3://{BUCKET}/prod/lake"


def at(caches: Path) -> Address:
    address = Address.read(URL, caches)
    assert address
    return address


def filled(place: Address | Path, *names: str) -> None:
    with Lake.open(place, create=True) as lake, lake.writer(KEY) as writer:
        for number, name in enumerate(names):
            store(writer, name, range(number + 1), number + 3, quarantined=[number + 1])


def rows(lake: Lake) -> list[tuple[str, int]]:
    table = lake.read("logs", ["file_id", "ordinal"])
    return list(zip(table["file_id"].to_pylist(), table["ordinal"].to_pylist(), strict=True))


def balanced(lake: Lake) -> bool:
    return all(balance.ok for balance in lake.verify())


def test_what_one_machine_writes_another_reads(s3: FakeS3, tmp_path: Path) -> None:
    filled(at(tmp_path / "one"), "a", "b")
    with Lake.open(at(tmp_path / "two")) as lake:
        assert lake.tables() == (TableRecord("logs", 2, 3),)
        assert lake.query("SELECT count(*) AS n, sum(ordinal) AS s FROM logs").to_pylist() == [{"n": 3, "s": 1}]
        assert balanced(lake)
        assert lake.quarantined_payloads(lake.files()[0].file_id, 1, KEY) == (b"raw line",)
    assert {name.split("/")[2] for name in s3.names()} == {"ledger", "tables"}
    assert not [path for path in tmp_path.rglob("*.parquet") if path.is_file()]


@pytest.mark.usefixtures("s3")
def test_a_lake_says_the_same_at_an_address_as_in_a_folder(tmp_path: Path) -> None:
    said = []
    for place in (tmp_path / "folder", at(tmp_path)):
        filled(place, *"abc")
        with Lake.open(place) as lake:
            before = lake.compact()
            filled(place, *"cde")
        with Lake.open(place) as lake:
            said.append((before, rows(lake), lake.files(), lake.quarantine(), lake.tables(), lake.verify()))
            expired = lake.expire(LATER)
            said[-1] += (expired, rows(lake), lake.files(), lake.verify(), lake.compact())
    assert said[0] == said[1]


def test_a_lake_that_is_not_there_is_told_and_nothing_is_made(s3: FakeS3, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"no-lake.*{URL}"):
        Lake.open(at(tmp_path))
    assert s3.names() == []


def test_a_large_part_goes_up_in_pieces_and_comes_back(
    s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellwright.lake.bucket._CHUNK", 1024)
    with Lake.open(at(tmp_path), create=True) as lake:
        with lake.writer(KEY) as writer:
            store(writer, "a", range(5000), 5000)
        assert any("POST" in request and "part-" in request for request in s3.requests)
        assert len(rows(lake)) == 5000
        assert balanced(lake)


@pytest.mark.usefixtures("s3")
def test_a_second_writer_is_refused_while_the_first_is_at_work(tmp_path: Path) -> None:
    filled(at(tmp_path / "one"), "a")
    with Lake.open(at(tmp_path / "one")) as first, Lake.open(at(tmp_path / "two")) as second:
        with first.writer(KEY) as writer:
            with pytest.raises(StorageError, match="lake-locked"), second.writer(KEY):
                pass
            with pytest.raises(StorageError, match="lake-locked"):
                second.compact()
            store(writer, "b", [0], 1)
        with second.writer(KEY) as writer:
            store(writer, "c", [0], 1)
        assert len(rows(second)) == 3


@pytest.mark.usefixtures("s3")
def test_a_writer_whose_place_was_taken_changes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_ledger, "PATIENCE", timedelta(0))
    with Lake.open(at(tmp_path / "one"), create=True) as first, Lake.open(at(tmp_path / "two"), create=True) as second:
        with first.writer(KEY) as slow:
            store(slow, "a", [0], 1)
            with second.writer(KEY) as writer:
                store(writer, "b", [0, 1], 2)
            with pytest.raises(StorageError, match="lake-locked"):
                store(slow, "c", [0, 1, 2], 3)
        for place in ("one", "two", "three"):
            with Lake.open(at(tmp_path / place)) as lake:
                assert [file.source for file in lake.files()] == ["a", "b"]
                assert len(rows(lake)) == 3
                assert balanced(lake)  # and no part of the slow one is left


@pytest.mark.usefixtures("s3")
def test_a_reader_that_brings_the_shared_copy_up_to_date_does_not_let_a_fenced_writer_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_ledger, "PATIENCE", timedelta(0))
    with Lake.open(at(tmp_path / "one"), create=True) as first:
        with first.writer(KEY) as slow:
            filled(at(tmp_path / "two"), "b")
            Lake.open(at(tmp_path / "one")).close()
            with pytest.raises(StorageError, match="lake-locked"):
                store(slow, "c", [0], 1)
        assert [file.source for file in first.files()] == ["b"]


def test_a_put_whose_answer_was_lost_counts_once(s3: FakeS3, tmp_path: Path) -> None:
    cut = []

    def lose_the_answer(request: str) -> None:
        if request.startswith("PUT") and request not in cut:
            cut.append(request)
            raise ConnectionAbortedError

    filled(at(tmp_path), "a")
    s3.after = lose_the_answer
    filled(at(tmp_path), "b")
    s3.after = lambda _: None
    assert len(cut) == 4
    with Lake.open(at(tmp_path / "two")) as lake:
        assert len(lake.files()) == 2
        assert balanced(lake)


def test_a_lost_damaged_or_foreign_copy_is_made_anew(s3: FakeS3, tmp_path: Path) -> None:
    filled(at(tmp_path), "a", "b")
    database = at(tmp_path).cache / "ledger.db"
    for damage in (b"no database at all" * 100, None):
        for path in database.parent.glob("ledger.db-*"):
            path.unlink()
        database.write_bytes(damage) if damage else database.unlink()
        with Lake.open(at(tmp_path)) as lake:
            assert len(rows(lake)) == 3
    with sqlite3.connect(database) as copy:
        copy.execute("ALTER TABLE state RENAME COLUMN holder TO owner")
    copy.close()
    with Lake.open(at(tmp_path)) as lake:
        assert len(rows(lake)) == 3
    s3.objects.clear()
    filled(at(tmp_path / "two"), "c", "d", "e", "f", "g")
    with Lake.open(at(tmp_path)) as lake:
        assert [file.source for file in lake.files()] == list("cdefg")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_ledger, "CHECKPOINT_EVERY", 3)
    monkeypatch.setattr(remote_ledger, "_RETAINED", timedelta(days=-1))


@pytest.mark.usefixtures("often")
def test_a_checkpoint_stands_for_the_entries_before_it(s3: FakeS3, tmp_path: Path) -> None:
    filled(at(tmp_path / "one"), *"ab")
    with Lake.open(at(tmp_path / "old")) as old:
        filled(at(tmp_path / "one"), *"bcdefgh")
        s3.requests.clear()
        with Lake.open(at(tmp_path / "new")) as lake:
            assert len(lake.files()) == 8
            assert balanced(lake)
        assert sum("/log/" in request for request in s3.requests) <= 3
        assert len(s3.names("prod/lake/ledger/checkpoint")) == 1
        assert len(s3.names("prod/lake/ledger/log")) <= 4
        old._ledger.refresh()
        assert len(old.files()) == 8
    filled(at(tmp_path / "old"), "i")
    with Lake.open(at(tmp_path / "new")) as lake:
        assert len(lake.files()) == 9


@pytest.mark.parametrize("work", ["expire", "forget"])
def test_nothing_of_what_was_to_be_forgotten_is_left_in_the_store(s3: FakeS3, tmp_path: Path, work: str) -> None:
    filled(at(tmp_path / "one"), *"abc")
    sealed = []
    with Lake.open(at(tmp_path / "two")) as lake:
        for file in lake.files():
            sealed += lake._ledger.sealed(file.file_id, lake._ledger.quarantine(file.file_id)[0].ordinal)
        held = [data for data, _ in s3.objects.values() if any(piece in data for piece in sealed)]
        assert len(held) == 3
        lake.expire(LATER) if work == "expire" else lake.forget_payloads(LATER)
    assert not [data for data, _ in s3.objects.values() if any(piece in data for piece in sealed)]
    for cache in ("one", "two", "three"):
        with Lake.open(at(tmp_path / cache)) as lake:
            assert len(lake.files()) == 3
            assert {file.state for file in lake.files()} == {
                FileState.EXPIRED if work == "expire" else FileState.PARTIAL
            }
            assert not any(each.kept for each in lake.quarantine())
            assert balanced(lake)


def test_forgetting_that_was_interrupted_is_finished_by_the_next_writer(s3: FakeS3, tmp_path: Path) -> None:
    filled(at(tmp_path), *"abc")

    def cut(request: str) -> None:
        if s3.names("prod/lake/ledger/checkpoint") and "/log/" in request:
            s3.refuses = 403, "AccessDenied"

    s3.before = cut
    with Lake.open(at(tmp_path)) as lake, pytest.raises(StorageError, match="store-denied"):
        lake.forget_payloads(LATER)
    s3.refuses, s3.before = (), lambda _: None
    assert sum(bool(s3.objects[name][0]) for name in s3.names("prod/lake/ledger/log")) > 3
    filled(at(tmp_path), "d")
    assert [bool(s3.objects[name][0]) for name in s3.names("prod/lake/ledger/log")][:7] == [False] * 7


def test_a_failed_upload_leaves_nothing_to_see_and_the_next_writer_cleans_up(
    s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(at(tmp_path), "a")
    monkeypatch.setattr("cellwright.lake.bucket._RETRIES", {"max_retries": 0})

    def fail(request: str) -> None:
        if "/log/000000000006" in request:
            raise ConnectionAbortedError

    s3.before = fail
    with pytest.raises(StorageError, match="store-unreachable"):
        filled(at(tmp_path), "b")
    s3.before = lambda _: None
    assert len(s3.names("prod/lake/tables")) == 2
    with Lake.open(at(tmp_path)) as lake:
        assert len(lake.files()) == 1
        with lake.writer(KEY) as writer:
            assert len(s3.names("prod/lake/tables")) == 1
            store(writer, "b", [0], 1)
        assert len(lake.files()) == 2
        assert balanced(lake)


@pytest.mark.parametrize(
    ("refuses", "code"),
    [
        ((403, "SignatureDoesNotMatch"), "store-denied"),
        ((403, "AccessDenied"), "store-denied"),
        ((404, "NoSuchBucket"), "no-bucket"),
        ((400, "SomethingElse"), "store-failed"),
    ],
)
def test_what_a_store_refuses_is_told_without_credentials(
    s3: FakeS3, tmp_path: Path, refuses: tuple[int, str], code: str
) -> None:
    s3.refuses = refuses
    with pytest.raises(StorageError) as told:
        Lake.open(at(tmp_path), create=True)
    assert f"[{code}]" in str(told.value)
    assert URL in str(told.value)
    assert "AKID" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_store_that_is_not_there_is_told(s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellwright.lake.bucket._RETRIES", {"max_retries": 1})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match=r"store-unreachable.*AWS_ENDPOINT_URL"):
        Lake.open(at(tmp_path), create=True)
    assert s3.requests == []


def test_what_the_environment_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="the extra `store` is not installed")
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    address = Address.read("az://container/lake", tmp_path)
    assert address
    with pytest.raises(StorageError, match=r"store-unset.*AZURE_STORAGE_ACCOUNT_NAME"):
        Lake.open(address)


def test_plain_http_has_to_be_allowed(s3: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StorageError, match=r"store-in-the-clear.*AWS_ALLOW_HTTP"):
        Lake.open(at(tmp_path))
    assert s3.requests == []


@pytest.mark.parametrize(
    ("url", "mine"),
    [
        ("s3://b/p", "AWS_"),
        ("gs://b/p", "GOOGLE_"),
        ("abfss://c@a.dfs.core.windows.net/p", "AZURE_"),
        ("az://c", "AZURE_"),
    ],
)
def test_a_hint_names_the_variables_of_the_store_that_failed(url: str, mine: str) -> None:
    said = (
        ("opened", "no account"),
        ("read", "<Code>AccessDenied</Code>"),
        ("read", "builder error"),
        ("read", "silence"),
    )
    for action, words in said:
        told = str(failure(url, action, ValueError(words)))
        assert mine in told
        assert not [other for other in ("AWS_", "GOOGLE_", "AZURE_") if other != mine and other in told]


def test_plain_http_has_to_be_allowed_of_each_store_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="the extra `store` is not installed")
    key = {"gcs_base_url": "http://127.0.0.1:1", "disable_oauth": True, "client_email": "", "private_key": ""}
    (tmp_path / "key.json").write_text(json.dumps(key | {"private_key_id": ""}), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "key.json"))
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(StorageError, match=r"store-in-the-clear.*GOOGLE_ALLOW_HTTP"):
        Bucket("gs://b/p").get("x")


def test_a_part_that_is_gone_is_a_finding(s3: FakeS3, tmp_path: Path) -> None:
    filled(at(tmp_path), "a", "b")
    first, second = s3.names("prod/lake/tables")
    del s3.objects[first]
    s3.objects[second] = b"PAR1", s3.objects[second][1]
    with Lake.open(at(tmp_path)) as lake:
        found = {finding.check for balance in lake.verify() for finding in balance.findings}
        assert {"part-missing", "part-digest", "part-unreadable"} <= found
        with pytest.raises(StorageError, match="lake-storage"):
            lake.read("logs")
        with lake.writer(KEY) as writer:
            assert writer.known(lake.files()[0].file_id) is None


def test_an_entry_of_a_later_version_is_not_guessed_at(s3: FakeS3, tmp_path: Path) -> None:
    filled(at(tmp_path), "a")
    Bucket(URL).put("ledger/log/000000000005", b"\x93something")
    with pytest.raises(StorageError, match="ledger-damaged"):
        Lake.open(at(tmp_path))
    assert s3.refuses == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ftp://host/x", "unsupported-store"),
        ("s4://bucket/x", "unsupported-store"),
        ("s3://", "wrong-address"),
        ("s3://bucket/../x", "wrong-address"),
        ("s3://bucket//x", "wrong-address"),
        ("s3://AKID:topsecret@bucket/x", "secret-in-address"),
        ("abfss://x@account.dfs.core.windows.net/x?sig=topsecret", "secret-in-address"),
    ],
)
def test_an_address_that_cannot_be_is_told_without_what_may_be_secret(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(UsageError, match=code) as told:
        Address.read(text, tmp_path)
    assert "topsecret" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["s3://b/p", "s3://b", "gs://b/p/q/", "abfss://c@acc.dfs.core.windows.net/p", "az://c/p"]
)
def test_addresses_are_told_from_paths(tmp_path: Path, text: str) -> None:
    assert str(Address.read(text, tmp_path)) == text.rstrip("/")
    assert Address.read(text.replace("://", "/"), tmp_path) is None
