"""A store of allowances that takes its time: what happens meanwhile neither loses nor lends any of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest
from test_gateway_quota_clock import Worker

from cellwright.errors import StorageError
from cellwright.gateway.allowance import SqlAllowances
from cellwright.gateway.model_quota import Bound, Period, Unit
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cellwright.gateway.allowance import Slice, Take


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[SqlAllowances]:
    with contextlib.closing(SqlAllowances(sqlite_url(str(tmp_path / "quota.db")))) as store:
        yield store


class Slow:
    """A store that answers once it is let `go`."""

    def __init__(self, store: SqlAllowances) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        self.fails = False
        self._store = store
        self.expire, self.share, self.close = store.expire, store.share, store.close

    def take(self, takes: Sequence[Take]) -> list[Slice]:
        self._wait()
        return self._store.take(takes)

    def add(self, counter: str, amount: int, ends_s: float) -> None:
        self._wait()
        if self.fails:
            raise StorageError.of("allowances-unavailable", "no")
        self._store.add(counter, amount, ends_s)

    def _wait(self) -> None:
        self.asked.set()
        assert self.go.wait(10)


def test_what_the_store_gives_belongs_to_the_minute_it_was_asked_in(sql: SqlAllowances) -> None:
    async def main() -> None:
        store = Slow(sql)
        worker = Worker(store, Bound(Unit.REQUESTS, Period.MINUTE, 1))
        first = asyncio.create_task(worker.ask())
        await asyncio.to_thread(store.asked.wait, 10)
        worker.now_s += 30
        second = asyncio.create_task(worker.ask())
        await asyncio.sleep(0)
        store.go.set()
        assert await first is not None
        assert await second is not None
        assert await worker.count(3) == 0

    asyncio.run(main())


def test_what_could_not_be_given_back_stays_in_its_minute(sql: SqlAllowances) -> None:
    async def main() -> None:
        store = Slow(sql)
        store.go.set()
        worker = Worker(store, Bound(Unit.TOKENS, Period.MINUTE, 160))
        worker.limiter._renewing = asyncio.create_task(asyncio.sleep(0))  # nothing is given back but below
        hold = await worker.ask()
        assert hold is not None
        hold.settle(0, 0)
        await worker.limiter._renew()
        store.go.clear()
        store.asked.clear()
        store.fails = True
        giving = asyncio.create_task(worker.limiter._renew())
        await asyncio.to_thread(store.asked.wait, 10)
        worker.now_s += 30
        asking = asyncio.create_task(worker.ask())
        await asyncio.sleep(0)
        store.go.set()
        with pytest.raises(StorageError):
            await giving
        assert await asking is not None
        (pot,) = worker.limiter._pots.values()
        assert pot.balance + pot.left + 10 == 160

    asyncio.run(main())


def test_what_the_store_gives_to_a_client_that_left_is_for_others(sql: SqlAllowances) -> None:
    async def main() -> None:
        store = Slow(sql)
        worker = Worker(store, Bound(Unit.REQUESTS, Period.DAY, 80))
        first = asyncio.create_task(worker.ask())
        await asyncio.to_thread(store.asked.wait, 10)
        first.cancel()
        store.go.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await worker.count(100) == 80

    asyncio.run(main())
