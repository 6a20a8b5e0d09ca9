"""The queue of batches: what it keeps, whom it shows it, and what becomes of requests whose worker died."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from secrets import token_hex
from threading import Barrier
from typing import TYPE_CHECKING

import orjson
import postgresql_kit
import pytest
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove

from cellwright.errors import StorageError
from cellwright.gateway.batches.store import BatchStore, Line, Task
from cellwright.gateway.model import AccessKey, BatchSettings
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

KEY = AccessKey("ours", "operator", "0" * 64)
DAY_S = 86_400


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def store(folder: Path, clock: Clock | None = None, **changes: int) -> BatchStore:
    return BatchStore(sqlite_url(str(folder / "batches.db")), BatchSettings(**changes), clock or Clock())  # type: ignore[arg-type]


def queued(kept: BatchStore, count: int = 3, key: AccessKey = KEY) -> str:
    file = kept.add_file(key.tenant, "batch", "in.jsonl", b"{}")
    lines = [Line(f"r{number}", b'{"n":%d}' % number) for number in range(count)]
    row = kept.add_batch(
        key, "/v1/chat/completions", file.id, lines, window_s=DAY_S, data_class=None, metadata={"a": "b"}
    )
    return str(row.id)


def answered(kept: BatchStore, *tasks: Task, status: int = 200) -> None:
    for task in tasks:
        kept.settle(task, status, f"req-{task.ordinal}", b'{"said":%d}' % task.ordinal)


def lines_of(kept: BatchStore, file_id: str | None) -> list[dict[str, object]]:
    assert file_id is not None
    found = kept.file("operator", file_id)
    assert found is not None
    return [orjson.loads(line) for line in found[1].splitlines()]


def test_answers_and_failures_end_in_files_in_the_order_of_the_requests(tmp_path: Path) -> None:
    kept = store(tmp_path)
    batch = queued(kept)
    first, second, third = kept.take(5, 60)
    answered(kept, third, first)
    kept.settle(second, 403, "req-1", b'{"error":{"code":"sovereignty"}}')
    kept.finish()
    row, done, failed = kept.batch("operator", batch) or pytest.fail("no batch")
    assert (row.status, done, failed) == ("completed", 2, 1)
    assert [(each["custom_id"], each["response"]) for each in lines_of(kept, row.output_file_id)] == [
        ("r0", {"status_code": 200, "request_id": "req-0", "body": {"said": 0}}),
        ("r2", {"status_code": 200, "request_id": "req-2", "body": {"said": 2}}),
    ]
    (wrong,) = lines_of(kept, row.error_file_id)
    assert (wrong["custom_id"], wrong["error"]) == ("r1", None)


def test_what_a_worker_that_died_took_on_is_taken_on_again_once_its_lease_is_over(tmp_path: Path) -> None:
    clock = Clock()
    kept = store(tmp_path, clock)
    queued(kept)
    assert len(kept.take(2, lease_s=60)) == 2
    assert [task.ordinal for task in kept.take(5, lease_s=60)] == [2]
    assert kept.take(5, lease_s=60) == []
    clock.now_s += 61
    assert [task.ordinal for task in kept.take(5, lease_s=60)] == [0, 1, 2]


def test_requests_that_are_put_back_wait_again_and_the_batch_stays_open(tmp_path: Path) -> None:
    kept = store(tmp_path)
    batch = queued(kept, 1)
    (task,) = kept.take(1, 60)
    kept.put_back(task)
    kept.finish()
    assert (kept.batch("operator", batch) or pytest.fail("no batch"))[0].status == "in_progress"
    assert kept.take(1, 60) == [task]


def test_workers_of_one_queue_never_take_on_the_same_request(tmp_path: Path) -> None:
    queued(store(tmp_path), 60)

    def work(_: int) -> list[int]:
        mine, taken = store(tmp_path), []
        while tasks := mine.take(3, 600):
            taken += [task.ordinal for task in tasks]
        return taken

    with ThreadPoolExecutor(4) as workers:
        shares = [*workers.map(work, range(4))]
    assert sorted(ordinal for share in shares for ordinal in share) == list(range(60))


def test_what_still_waits_when_the_window_has_passed_expires(tmp_path: Path) -> None:
    clock = Clock()
    kept = store(tmp_path, clock)
    batch = queued(kept)
    answered(kept, *kept.take(1, 600))
    clock.now_s += DAY_S
    assert kept.take(5, 600) == []
    kept.finish()
    row, done, failed = kept.batch("operator", batch) or pytest.fail("no batch")
    assert (row.status, done, failed) == ("expired", 1, 2)
    assert {each["error"]["code"] for each in lines_of(kept, row.error_file_id)} == {"batch_expired"}  # type: ignore[index]


def test_a_cancelled_batch_lets_what_is_under_way_finish_and_begins_nothing_more(tmp_path: Path) -> None:
    kept = store(tmp_path)
    batch = queued(kept)
    (task,) = kept.take(1, 600)
    kept.cancel("operator", batch)
    assert kept.take(5, 600) == []
    kept.finish()
    assert (kept.batch("operator", batch) or pytest.fail("no batch"))[0].status == "cancelling"
    answered(kept, task)
    kept.finish()
    row, done, failed = kept.batch("operator", batch) or pytest.fail("no batch")
    assert (row.status, done, failed) == ("cancelled", 1, 2)


def test_a_tenant_is_shown_nothing_of_another(tmp_path: Path) -> None:
    kept = store(tmp_path)
    batch = queued(kept)
    (file,) = kept.files("operator")
    assert kept.batch("other", batch) is None
    assert kept.file("other", file.id) is None
    assert not kept.remove_file("other", file.id)
    assert kept.files("other") == kept.batches("other", 10, None) == []
    kept.cancel("other", batch)
    assert (kept.batch("operator", batch) or pytest.fail("no batch"))[0].status == "in_progress"


def test_what_a_tenant_may_keep_is_bounded_and_the_refusal_says_by_what(tmp_path: Path) -> None:
    kept = store(tmp_path, pending=4, file_bytes=100)
    queued(kept, 3)
    with pytest.raises(StorageError, match="3 requests of the tenant wait already, and 4 are the most"):
        queued(kept, 2)
    with pytest.raises(StorageError, match="and 100 bytes are the most"):
        kept.add_file("operator", "batch", "big", b"x" * 99)
    queued(kept, 4, AccessKey("theirs", "other", "1" * 64))


def test_old_files_and_ended_batches_are_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    kept = store(tmp_path, clock, keep_ms=1000 * DAY_S)
    batch = queued(kept, 1)
    answered(kept, *kept.take(1, 60))
    kept.finish()
    clock.now_s += 2 * DAY_S
    kept.add_file("operator", "batch", "new", b"")
    assert [file.name for file in kept.files("operator")] == ["new"]
    assert kept.batch("operator", batch) is None


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def test_workers_that_keep_files_at_once_keep_no_more_than_the_bound(tmp_path: Path, database: str) -> None:
    with postgresql_kit.running() if database == "postgresql" else nullcontext(sqlite_url(f"{tmp_path}/b.db")) as url:
        keep_at_once(url)


def keep_at_once(url: str) -> None:
    workers = [BatchStore(url, BatchSettings(file_bytes=100), Clock()) for _ in range(6)]
    together, crowd = Barrier(len(workers)), f"crowd-{token_hex(8)}"

    def keep(worker: BatchStore) -> str:
        together.wait()
        try:
            worker.add_file(crowd, "batch", "in.jsonl", b"x" * 60)
        except StorageError as error:
            return error.diagnostics[0].code
        return "kept"

    with ThreadPoolExecutor(len(workers)) as threads:
        for _ in range(5):
            assert sorted(threads.map(keep, workers)) == ["files-full"] * 5 + ["kept"]
            (file,) = workers[0].files(crowd)
            workers[0].remove_file(crowd, file.id)
    for worker in workers:
        worker.close()


def test_batches_are_listed_newest_first_and_page_by_page(tmp_path: Path) -> None:
    clock = Clock()
    kept = store(tmp_path, clock)
    made = []
    for _ in range(5):
        made.insert(0, queued(kept, 1))
        clock.now_s += 1
    newest, older = kept.batches("operator", 2, None), kept.batches("operator", 9, made[1])
    assert newest is not None
    assert older is not None
    assert [row.id for row, _, _ in newest] == made[:2]
    assert [row.id for row, _, _ in older] == made[2:]
    assert kept.batches("operator", 9, "gone") is kept.batches("other", 9, made[1]) is None


def test_batches_of_one_second_are_listed_once_each(tmp_path: Path) -> None:
    kept = store(tmp_path)
    made = {queued(kept, 1) for _ in range(5)}
    seen: list[str] = []
    for _ in made:
        ((row, *_),) = kept.batches("operator", 1, seen[-1] if seen else None) or ()
        seen.append(str(row.id))
    assert set(seen) == made
    assert kept.batches("operator", 1, seen[-1]) == []


def test_what_is_told_of_a_file_does_not_load_it(tmp_path: Path) -> None:
    kept = store(tmp_path)
    file = kept.add_file("operator", "batch", "in.jsonl", b"x" * 100)
    asked: list[str] = []

    def note(*event: object) -> None:
        asked.append(str(event[2]))

    listen(Engine, "before_cursor_execute", note)
    try:
        assert kept.about("operator", file.id) == file
        assert kept.files("operator") == [file]
    finally:
        remove(Engine, "before_cursor_execute", note)
    assert len(asked) == 2
    assert not any("content" in statement for statement in asked)
    assert kept.about("other", file.id) is kept.about("operator", "gone") is None


def test_files_of_no_bytes_are_bounded_in_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellwright.gateway.batches.store._MOST_FILES", 2)
    kept = store(tmp_path)
    for _ in range(2):
        kept.add_file("operator", "batch", "in.jsonl", b"")
    with pytest.raises(StorageError, match="has 2 files of 0 bytes already"):
        kept.add_file("operator", "batch", "in.jsonl", b"")
    kept.add_file("other", "batch", "in.jsonl", b"")
