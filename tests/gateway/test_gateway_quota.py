"""Rate limits and budgets: never more than the limit over all workers, and told as official clients expect it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import postgresql_kit
import pytest
from gateway_kit import KEY, PRICE, QUESTION, Scripted, bench, call, config, opener, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright.errors import StorageError, UsageError
from cellwright.gateway.allowance import TABLES, Share, SqlAllowances, Take
from cellwright.gateway.exchange import start
from cellwright.gateway.keys import hash_key
from cellwright.gateway.model import AccessKey
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.pots import SLICES, duration
from cellwright.gateway.quota import Limiter, worst_prices
from cellwright.gateway.quota_setup import open_allowances
from cellwright.gateway.wire import ApiError, ModelRequest, Usage
from cellwright.store import open_store, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.allowance import AllowanceStore, Slice
    from cellwright.gateway.server import Gateway

NOW_S = 1_800_000_000.0  # the beginning of a minute, of an hour, and no beginning of a day
SERVER = shutil.which("redis-server", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
CALLER = AccessKey("tests", "operator", hash_key(KEY))
BODY = {"model": "auto", "messages": [{"role": "user", "content": "x" * 36}], "max_tokens": 40}  # 10 and 40 tokens
REQUEST = ModelRequest("r", 1, "auto", BODY, stream=False, wants_usage=False)


def bound(unit: Unit, size: int, period: Period = Period.MINUTE, currency: str | None = None) -> Bound:
    return Bound(unit, period, size, currency)


def quota(*bounds: Bound, at_once: int | None = None, holder: Holder = Holder.TENANT, name: str | None = None) -> Quota:
    return Quota(holder, name, bounds, at_once)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgresql_kit.running() as url:
        yield url


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.integration) for name in ("redis", "postgresql"))]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store, empty at first."""
    if request.param == "sqlite":
        yield sqlite_url(str(tmp_path / "quota.db"))
        return
    if request.param == "postgresql":
        server: str = request.getfixturevalue("postgresql")
        engine = open_store(server, TABLES)
        TABLES.drop_all(engine)
        engine.dispose()
        yield server
        return
    if SERVER is None:
        pytest.skip("SKIPPED LOUDLY: there is no redis-server on PATH")
    pytest.importorskip("redis", reason="SKIPPED LOUDLY: there is no package redis here")
    socket = tmp_path / "redis.sock"
    quiet = ("--save", "", "--appendonly", "no", "--loglevel", "warning", "--dir", str(tmp_path))
    server = subprocess.Popen([SERVER, "--port", "0", "--unixsocket", str(socket), *quiet])
    try:
        for _ in range(500):
            with contextlib.suppress(StorageError):
                open_allowances(f"unix://{socket}").close()
                break
            time.sleep(0.02)  # until another program listens
        yield f"unix://{socket}"
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def opened(url: str) -> Iterator[AllowanceStore]:
    with contextlib.closing(open_allowances(url)) as store:
        yield store


def take(store: AllowanceStore, wanted: int, least: int = 1, counter: str = "a", size: int = 10) -> Slice:
    return store.take([Take(counter, size, wanted, least, NOW_S + 60)])[0]


def test_slices_are_taken_while_there_are_any_and_given_back(url: str) -> None:
    with opened(url) as store, opened(url) as other:
        assert take(store, 6) == (6, 4)
        assert take(other, 6) == (4, 0)
        assert take(store, 1) == (0, 0)
        store.add("a", -3, NOW_S + 60)
        assert take(other, 5, least=4) == (0, 3)
        assert take(other, 5) == (3, 0)
        store.add("a", 5, NOW_S + 60)
        assert take(store, 1) == (0, -5)
        large = 9_000_000 * 10**9
        takes = [Take(name, large, 10**15 + 7, 1, NOW_S) for name in "zyx"]
        assert store.take(takes) == [(10**15 + 7, large - 10**15 - 7)] * 3


def test_shares_of_workers_are_never_more_than_all_and_lapse_when_a_worker_is_gone(url: str) -> None:
    with opened(url) as store:

        def share(worker: str, wanted: int, now_s: float) -> int:
            return store.share(Share("a", worker, 5, wanted, now_s, now_s + 30))

        assert (share("one", 3, NOW_S), share("two", 4, NOW_S), share("three", 1, NOW_S)) == (3, 2, 0)
        assert (share("one", 1, NOW_S + 10), share("three", 4, NOW_S + 11)) == (1, 2)
        assert share("one", 9, NOW_S + 35) == 3
        assert share("one", 9, NOW_S + 50) == 5
        assert share("two", 2, NOW_S) == 0  # whose clock was set back: it sees the share of a worker that is ahead
        assert share("two", 2, NOW_S + 29) == 0
        assert share("two", 2, NOW_S + 30) == 2


def test_nothing_is_given_back_beyond_what_was_taken(url: str) -> None:
    with opened(url) as store:
        assert take(store, 2) == (2, 8)
        store.add("a", -5, NOW_S + 60)
        assert take(store, 99) == (10, 0)


def test_what_is_over_is_forgotten(tmp_path: Path) -> None:
    store = SqlAllowances(sqlite_url(str(tmp_path / "quota.db")))
    assert take(store, 9) == (9, 1)
    store.expire(NOW_S + 59)
    assert take(store, 9) == (1, 0)
    store.expire(NOW_S + 60)
    assert take(store, 9) == (9, 1)
    store.close()


class Worker:
    """A limiter on its own clock, asked without a gateway."""

    def __init__(self, url: str, *quotas: Quota) -> None:
        self.now_s = NOW_S
        self.limiter = Limiter(open_allowances(url), lambda: self.now_s)
        self.limiter.renew(quotas, {"auto": (10**9, 2 * 10**9)})

    async def let_in(self, key: AccessKey = CALLER, request: ModelRequest = REQUEST) -> bool:
        exchange = start("r", key)
        try:
            await self.limiter.admit(exchange, request)
        except ApiError as error:
            self.refusal = error
            return False
        self.hold = exchange.hold
        return True

    def settle(self, tokens: int, cost_nano: int | None = 0) -> None:
        assert self.hold is not None
        self.hold.settle(tokens, cost_nano)


@given(
    size=st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 120), st.booleans()), max_size=40),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_workers_together_never_let_in_more_than_the_limit_and_no_less_than_what_they_hold(
    tmp_path: Path, size: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Steps: which worker, seconds later modulo a period, whether it gives back."""
    (tmp_path / "q.db").unlink(missing_ok=True)

    async def main() -> None:
        url = sqlite_url(str(tmp_path / "q.db"))
        workers = [Worker(url, quota(bound(Unit.REQUESTS, size))) for _ in range(3)]
        inside: dict[float, int] = {}
        now_s = NOW_S
        for number, later, gives_back in steps:
            now_s += later if later > 100 else 1
            worker = workers[number]
            worker.now_s = now_s
            minute = now_s // 60
            if gives_back:
                await worker.limiter._renew()
            elif await worker.let_in():
                inside[minute] = inside.get(minute, 0) + 1
            else:
                held = size - inside.get(minute, 0)
                most = sum(pot.balance for each in workers for pot in each.limiter._pots.values())
                assert held <= most
            assert all(count <= size for count in inside.values())
        for worker in workers:
            await worker.limiter.close()

    asyncio.run(main())


def test_tokens_are_reserved_as_asked_and_corrected_as_used(url: str) -> None:
    async def main() -> None:
        worker = Worker(url, quota(bound(Unit.TOKENS, 100)))
        assert await worker.let_in()  # reserves 50
        worker.settle(20)
        assert await worker.let_in()  # 20 + 50
        assert not await worker.let_in()  # 120 would be
        worker.settle(90)  # more than was reserved: 110 in all
        worker.now_s += 1
        assert not await worker.let_in()
        worker.now_s += 59
        assert await worker.let_in()
        assert worker.hold is not None
        assert worker.hold.headers.splitlines() == [
            "x-ratelimit-limit-tokens: 100",
            "x-ratelimit-remaining-tokens: 50",
            "x-ratelimit-reset-tokens: 1m0s",
        ]
        await worker.limiter.close()

    asyncio.run(main())


@pytest.mark.parametrize("counted", [False, True])
def test_where_tokens_are_used_up_calls_that_spend_some_are_refused_and_those_that_spend_none_are_not(
    tmp_path: Path,
    counted: bool,  # noqa: FBT001 - whether what was used is in the store by then
) -> None:
    async def main() -> None:
        worker = Worker(sqlite_url(str(tmp_path / "q.db")), quota(bound(Unit.TOKENS, 100)))
        worker.limiter._renewing = asyncio.create_task(asyncio.sleep(0))  # but below
        assert await worker.let_in()
        worker.settle(120)
        if counted:
            await worker.limiter._renew()
        assert await worker.limiter.hold(CALLER)
        with pytest.raises(ApiError, match="may use 100 tokens a minute"):
            await worker.limiter.hold(CALLER, spends=True)
        worker.now_s += 60
        assert await worker.limiter.hold(CALLER, spends=True)
        await worker.limiter.close()

    asyncio.run(main())


def test_what_was_used_beyond_the_budget_counts_for_all_workers(url: str) -> None:
    async def main() -> None:
        budget = quota(bound(Unit.COST, 200_000, Period.DAY, "EUR"))
        one, two = Worker(url, budget), Worker(url, budget)
        assert await one.let_in()  # reserves (10 * 1000 + 40 * 2000) nano and 1
        one.settle(50, 190_000)
        await one.limiter._renew()
        assert not await two.let_in()
        assert two.refusal.code == "insufficient_quota"
        assert two.refusal.headers["x-should-retry"] == "false"
        assert int(two.refusal.headers["retry-after"]) == 86_400 - NOW_S % 86_400
        assert "0.0002 EUR a day" in str(two.refusal)
        two.now_s += 86_400
        assert await two.let_in()
        two.settle(0, None)
        assert next(iter(two.limiter._pots.values())).balance <= 200_000 - 90_001
        await one.limiter.close()
        await two.limiter.close()

    asyncio.run(main())


@given(size=st.integers(1, 200), gives_back=st.lists(st.booleans(), max_size=20))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_worker_alone_tells_exactly_what_is_left_whatever_it_gives_back(
    tmp_path: Path, size: int, gives_back: list[bool]
) -> None:
    (tmp_path / "q.db").unlink(missing_ok=True)

    async def main() -> None:
        worker = Worker(sqlite_url(str(tmp_path / "q.db")), quota(bound(Unit.REQUESTS, size)))
        for used, gives in enumerate(gives_back[:size], 1):
            assert await worker.let_in()
            assert worker.hold is not None
            assert f"x-ratelimit-remaining-requests: {size - used}\r\n" in worker.hold.headers
            if gives:
                await worker.limiter._renew()
        await worker.limiter.close()

    asyncio.run(main())


def test_a_request_larger_than_its_limit_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        worker = Worker(sqlite_url(str(tmp_path / "quota.db")), quota(bound(Unit.TOKENS, 49)))
        assert not await worker.let_in()
        assert worker.refusal.code == "request_exceeds_limit"
        assert "retry-after" not in worker.refusal.headers
        await worker.limiter.close()

    asyncio.run(main())


def test_each_key_and_tenant_has_its_own_and_a_named_one_goes_before(tmp_path: Path) -> None:
    async def main() -> None:
        one = bound(Unit.REQUESTS, 1)
        quotas = (quota(one), quota(bound(Unit.REQUESTS, 3), name="large"), quota(one, holder=Holder.KEY, name="slow"))
        worker = Worker(sqlite_url(str(tmp_path / "quota.db")), *quotas)
        names = [("a", "small"), ("a", "small"), ("b", "other"), *[("c", "large")] * 4]
        found = [await worker.let_in(AccessKey(key, tenant, "")) for key, tenant in names]
        assert found == [True, False, True, True, True, True, False]
        slow = [await worker.let_in(AccessKey("slow", tenant, "")) for tenant in ("large", "third", "fourth")]
        assert slow == [False, True, False]
        await worker.limiter.close()

    asyncio.run(main())


def test_a_store_that_does_not_answer_lets_nobody_in(tmp_path: Path) -> None:
    async def main() -> None:
        worker = Worker(sqlite_url(str(tmp_path / "quota.db")), quota(bound(Unit.REQUESTS, 10)))

        def fail(_: object) -> list[Slice]:
            raise StorageError.of("allowances-unavailable", "gone")

        worker.limiter._store.take = fail  # type: ignore[method-assign]
        assert not await worker.let_in()
        assert (worker.refusal.status, worker.refusal.code) == (503, "quota_unknown")

    asyncio.run(main())


WORKER = """
import asyncio, contextlib, sys
from cellwright.gateway.exchange import start
from cellwright.gateway.model import AccessKey
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.quota import Limiter
from cellwright.gateway.quota_setup import open_allowances
from cellwright.gateway.wire import ApiError, ModelRequest
async def main():
    bounds = (Bound(Unit.REQUESTS, Period.MINUTE, 500),)
    limiter = Limiter(open_allowances(sys.argv[1]), lambda: 1_800_000_000.0)
    limiter.renew([Quota(Holder.TENANT, None, bounds)], {})
    request = ModelRequest("r", 1, "auto", {"messages": []}, stream=False, wants_usage=False)
    count = 0
    for _ in range(400):
        with contextlib.suppress(ApiError):
            await limiter.admit(start("r", AccessKey("k", "t", "")), request)
            count += 1
    print(count, sum(pot.balance for pot in limiter._pots.values()))
    if sys.argv[2] == "give back":
        await limiter.close()
asyncio.run(main())
"""


@pytest.mark.integration
@pytest.mark.parametrize("leaving", ["give back", "die"])
def test_processes_together_let_in_the_limit_less_what_they_hold(url: str, leaving: str) -> None:
    def run(count: int) -> list[tuple[int, int]]:
        command = [sys.executable, "-c", WORKER, url, leaving]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        outputs = [worker.communicate(timeout=120)[0].split() for worker in workers]
        return [(int(let_in), int(held)) for let_in, held in outputs]

    found = run(2)
    inside, held = sum(count for count, _ in found), sum(rest for _, rest in found)
    assert inside <= 500
    assert inside + held >= 500
    assert held <= 2 * 500 // SLICES
    ((after, _),) = run(1)
    assert inside + after == (500 if leaving == "give back" else 500 - held)


def asked(folder: Path, *quotas: Quota, times: int = 2) -> list[Response]:
    async def talk(app: Gateway) -> list[Response]:
        return [await call(app) for _ in range(times)]

    backend = Scripted((whole(usage=Usage(3, 2)),))
    with bench(folder, config(quotas=quotas), opener(backend)) as gateway:
        return gateway.run(talk)


def test_who_asks_too_often_is_told_as_clients_of_openai_know_it(tmp_path: Path) -> None:
    first, second = asked(tmp_path, quota(bound(Unit.REQUESTS, 1)))
    assert (first.status, first.headers["x-ratelimit-limit-requests"]) == (200, "1")
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert (second.status, second.error) == (429, "rate_limit_exceeded")
    assert 1 <= int(second.headers["retry-after"]) <= 60
    assert second.headers["x-ratelimit-reset-requests"].endswith("s")
    assert "tenant operator may use 1 requests a minute" in second.json["error"]["message"]


def test_requests_in_flight_are_limited_and_free_again_when_they_end(tmp_path: Path) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go.wait()

    async def talk(app: Gateway) -> list[Response]:
        long = asyncio.create_task(call(app))
        await begun.wait()
        refused = await call(app)
        go.set()
        return [await long, refused, await call(app, QUESTION | {"model": "none"})]

    with bench(tmp_path, config(quotas=(quota(at_once=1),)), opener(Scripted((wait(), whole())))) as gateway:
        first, refused, after = gateway.run(talk)
    assert (first.status, after.error) == (200, "model_not_found")
    assert (refused.status, refused.error, refused.headers["retry-after"]) == (429, "rate_limit_exceeded", "1")


def test_quotas_hold_over_a_change_of_the_configuration(tmp_path: Path) -> None:
    two, three = (config(quotas=(quota(bound(Unit.REQUESTS, size)),)) for size in (2, 3))

    async def talk(app: Gateway) -> list[int]:
        found = [(await call(app)).status]
        app.change(two)
        found += [(await call(app)).status for _ in range(2)]
        app.change(three)
        found += [(await call(app)).status for _ in range(2)]
        app.change(config())
        return [*found, (await call(app)).status]

    backends = [Scripted((whole(),)) for _ in range(4)]
    with bench(tmp_path, two, opener(*backends)) as gateway:
        assert gateway.run(talk) == [200, 200, 429, 200, 429, 200]


def test_a_quota_store_that_is_not_set_is_told_before_anything_starts(tmp_path: Path) -> None:
    setup = config(quotas=(quota(bound(Unit.REQUESTS, 1)),), quota_url_env="QUOTA_URL")
    with pytest.raises(UsageError, match="QUOTA_URL is not set"), bench(tmp_path, setup, opener(Scripted(()))):
        pass


def test_a_url_with_a_password_is_not_repeated_where_nobody_answers() -> None:
    pytest.importorskip("redis", reason="SKIPPED LOUDLY: there is no package redis here")
    with pytest.raises(StorageError) as caught:
        open_allowances("redis://user:PLANTED@127.0.0.1:1/0")
    assert "PLANTED" not in str(caught.value)


def test_costs_are_reserved_at_the_highest_price_of_a_route() -> None:
    setup = config()
    assert worst_prices({"auto": ("edge",), "none": ()}, setup.backends) == {
        "auto": (PRICE.input_nano, PRICE.output_nano)
    }


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59, "59s"), (360, "6m0s"), (86_399, "23h59m59s")])
def test_times_read_as_official_clients_read_them(seconds: int, text: str) -> None:
    assert duration(seconds) == text
