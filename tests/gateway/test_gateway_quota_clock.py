"""A clock that is set forward and back neither lends an allowance twice nor locks one away."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright.gateway.allowance import SqlAllowances
from cellwright.gateway.model import AccessKey
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.quota import Limiter
from cellwright.gateway.wire import ApiError, ModelRequest
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.gateway.allowance import AllowanceStore
    from cellwright.gateway.pots import Hold

NOW = datetime(2027, 1, 15, 12, 0, 30, tzinfo=UTC)
NOW_S = NOW.timestamp()
AN_HOUR_S = 3_600.0
DAY_S = 24 * AN_HOUR_S
KEPT_S = {Period.MINUTE: AN_HOUR_S, Period.DAY: 40 * DAY_S, Period.MONTH: 400 * DAY_S}
JUMPS_S = (0.0, 1.0, 30.0, 60.0, 3_000.0, DAY_S, 20 * DAY_S, 300 * DAY_S)
TENANTS = (f"t{number}" for number in itertools.count())
REQUEST = ModelRequest("r", 1, "auto", {"messages": [], "max_tokens": 9}, stream=False, wants_usage=False)
BEGINS: dict[Period, Callable[[float], object]] = {
    Period.MINUTE: lambda now_s: now_s // 60,
    Period.DAY: lambda now_s: now_s // DAY_S,
    Period.MONTH: lambda now_s: datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m"),
}


class Worker:
    """A limiter on a clock that is set, with one quota of requests for a tenant that nobody had before."""

    def __init__(self, store: AllowanceStore, *bounds: Bound, at_once: int | None = None) -> None:
        self.now_s = NOW_S
        self.limiter = Limiter(store, lambda: self.now_s)
        self.key = AccessKey("k", next(TENANTS), "")
        self.limiter.renew([Quota(Holder.TENANT, None, bounds, at_once)], {})

    async def ask(self) -> Hold | None:
        with contextlib.suppress(ApiError):
            return await self.limiter.hold(self.key, REQUEST)
        return None

    async def count(self, most: int) -> int:
        return sum([await self.ask() is not None for _ in range(most)])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlAllowances]:
    with contextlib.closing(SqlAllowances(sqlite_url(str(tmp_path_factory.mktemp("quota") / "quota.db")))) as store:
        yield store


@given(
    period=st.sampled_from(Period),
    size=st.integers(1, 20),
    steps=st.lists(st.tuples(st.sampled_from(JUMPS_S), st.integers(0, 8), st.booleans()), max_size=12),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_period_gives_what_it_has_whatever_way_it_is_come_to(
    kept: SqlAllowances, period: Period, size: int, steps: list[tuple[float, int, bool]]
) -> None:
    """Steps: how far the clock is from the true time, how many ask, whether what is over is forgotten then."""

    async def main() -> None:
        worker = Worker(kept, Bound(Unit.REQUESTS, period, size))
        begins = BEGINS[period]
        asked: dict[object, int] = {}
        inside: dict[object, int] = {}
        for jump_s, asks, forgets in [*steps, (0.0, 2 * size, False)]:
            worker.now_s = NOW_S + jump_s
            if forgets and jump_s < KEPT_S[period]:
                kept.expire(worker.now_s)
                await worker.limiter._renew()
            place = begins(worker.now_s)
            asked[place] = asked.get(place, 0) + asks
            inside[place] = inside.get(place, 0) + await worker.count(asks)
            worker.now_s += 0.6  # the store that had nothing may be asked again
        assert inside == {place: min(size, count) for place, count in asked.items()}

    asyncio.run(main())


def test_what_a_request_did_not_use_comes_back_though_the_clock_was_set_meanwhile(kept: SqlAllowances) -> None:
    async def main() -> None:
        worker = Worker(kept, Bound(Unit.TOKENS, Period.DAY, 10))
        hold = await worker.ask()
        assert hold is not None
        worker.now_s += 3 * DAY_S
        assert await worker.ask() is not None  # a request of that day
        hold.settle(0, 0)
        worker.now_s = NOW_S
        assert await worker.ask() is not None

    asyncio.run(main())


def test_a_worker_that_leaves_gives_back_what_it_holds_of_days_to_come(kept: SqlAllowances) -> None:
    async def main() -> None:
        worker = Worker(kept, Bound(Unit.REQUESTS, Period.DAY, 80))
        worker.now_s += DAY_S
        assert await worker.count(1) == 1
        worker.now_s = NOW_S
        assert await worker.count(1) == 1
        worker.limiter._store.close = lambda: None  # type: ignore[method-assign]  # others use it
        await worker.limiter.close()
        other = Worker(kept, Bound(Unit.REQUESTS, Period.DAY, 80))
        other.key = worker.key
        other.now_s += DAY_S
        assert await other.count(100) == 79

    asyncio.run(main())


def test_requests_in_flight_are_let_in_again_after_the_clock_was_set_back(kept: SqlAllowances) -> None:
    async def main() -> None:
        worker = Worker(kept, at_once=1)
        worker.now_s += DAY_S
        hold = await worker.ask()
        assert hold is not None
        assert await worker.ask() is None
        hold.settle(0, 0)
        worker.now_s = NOW_S
        gone, worker.limiter._worker = worker.limiter._worker, "another"
        worker.limiter._gates.clear()
        worker.limiter._accounts.clear()
        assert gone != "another"
        assert await worker.ask() is None
        worker.now_s += 31
        assert await worker.ask() is not None

    asyncio.run(main())
