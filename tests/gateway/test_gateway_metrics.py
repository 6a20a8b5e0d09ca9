"""Who sees what is measured, whose key it is, and what the gateway itself takes."""

from __future__ import annotations

import asyncio
import statistics
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY, QUESTION, Memory, Scripted, WordCounter, bench, call, config, opener, piece, whole

from cellwright.gateway import waits
from cellwright.gateway.exchange import start
from cellwright.gateway.http.server import Connection, Server
from cellwright.gateway.keys import Callers, hash_key, new_key
from cellwright.gateway.model import AccessKey
from cellwright.gateway.server import Network
from cellwright.gateway.waits import Waits
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.http.incoming import Incoming
    from cellwright.gateway.server import Gateway

OTHER, WATCH = "another-key", "a-key-that-watches"
KEYS = (
    AccessKey("tests", "operator", hash_key(KEY)),
    AccessKey("others", "stranger", hash_key(OTHER)),
    AccessKey("watch", "operations", hash_key(WATCH), roles=frozenset({"metrics"})),
)


def seen(folder: Path, key: str | None, client: str | None = None, **headers: str) -> Response:
    """Return what /metrics shows after one request of each of two tenants."""

    async def talk(app: Gateway) -> Response:
        await call(app, key=KEY)
        await call(app, key=OTHER)
        return await call(app, path="/metrics", method="GET", key=key, client=client, headers=headers)

    folder.mkdir(exist_ok=True)
    with bench(folder, config(keys=KEYS), opener(Scripted((whole(),)))) as gateway:
        return gateway.run(talk)


def tenants(response: Response) -> set[str]:
    marks = (line.partition('cellwright_tenant="')[2] for line in response.body.decode().splitlines())
    return {mark.partition('"')[0] for mark in marks if mark}


def test_a_key_sees_its_own_tenant_and_one_of_the_role_sees_all(tmp_path: Path) -> None:
    response = seen(tmp_path / "own", KEY)
    assert (response.status, response.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert tenants(response) == {"operator"}
    assert tenants(seen(tmp_path / "other", OTHER, "127.0.0.1")) == {"stranger"}
    assert tenants(seen(tmp_path / "all", WATCH)) == {"operator", "stranger"}


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_key(tmp_path: Path, client: str) -> None:
    assert tenants(seen(tmp_path, None, client)) == {"operator", "stranger"}


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("10.0.0.7", {}),
        (None, {}),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.7"}),
        ("127.0.0.1", {"forwarded": "for=10.0.0.7"}),
        ("127.0.0.1", {"via": "1.1 proxy"}),
    ],
)
def test_whoever_comes_from_elsewhere_or_through_a_proxy_does(
    tmp_path: Path, client: str | None, headers: dict[str, str]
) -> None:
    response = seen(tmp_path, None, client, **headers)
    assert (response.status, response.error) == (401, "invalid_api_key")
    assert b"operator" not in response.body


def test_the_networks_that_see_metrics_are_the_configured_ones(tmp_path: Path) -> None:
    setup = config(keys=KEYS, metrics_from=(ip_network("10.20.0.0/16"),))
    with bench(tmp_path, setup, opener(Scripted((whole(),)))) as gateway:
        ask = {"path": "/metrics", "method": "GET", "key": None}
        assert gateway.ask(**ask, client="10.20.1.1").status == 200
        assert gateway.ask(**ask, client="127.0.0.1").status == 401


def test_nothing_of_a_request_shows_in_metrics(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole("PLANTED"),)))) as gateway:
        for model in ("auto", "PLANTED-model"):
            body = {"model": model, "messages": [{"role": "user", "content": "PLANTED"}], "user": "PLANTED"}
            gateway.ask(body)
        text = gateway.ask(path="/metrics", method="GET").body.decode()
    assert "PLANTED" not in text
    assert 'error_type="model_not_found"' in text


def key_of(callers: Callers, key: str) -> AccessKey:
    return asyncio.run(callers.identify({b"authorization": f"Bearer {key}".encode()}))


def test_an_expired_key_is_answered_as_one_that_never_was() -> None:
    now = [99.0]
    callers = Callers([AccessKey("k", "t", hash_key(KEY), not_after_s=100.0)], clock=lambda: now[0])
    assert key_of(callers, KEY).name == "k"
    now[0] = 100.0
    with pytest.raises(ApiError) as expired:
        key_of(callers, KEY)
    with pytest.raises(ApiError) as unknown:
        key_of(callers, "unknown")
    assert str(expired.value) == str(unknown.value)
    assert expired.value.headers == {"www-authenticate": "Bearer"}


def test_new_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("cw-") and len(key) >= 46 for key in keys)


def test_finding_a_key_takes_no_longer_among_ten_thousand() -> None:
    def took_s(count: int) -> float:
        callers = Callers(AccessKey(str(number), "t", hash_key(str(number))) for number in range(count))
        headers = {b"authorization": b"Bearer 7"}

        async def rounds() -> float:
            times = []
            for _ in range(50):
                start = time.perf_counter()
                for _ in range(20):
                    await callers.identify(headers)
                times.append(time.perf_counter() - start)
            return min(times)

        return asyncio.run(rounds())

    few, many = statistics.median(took_s(10) for _ in range(3)), statistics.median(took_s(10_000) for _ in range(3))
    assert many < 3 * few


def test_waits_that_overlap_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([1.0, 5.0, 7.0, 8.0])
    monkeypatch.setattr(waits.time, "perf_counter", lambda: next(ticks))
    waited = Waits()
    with waited, waited:
        pass
    with waited:
        pass
    assert waited.total_ms == 5000.0


def test_waiting_for_a_backend_is_told_from_the_gateways_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now_s[0])

    async def work(own_s: float, upstream_s: float) -> None:
        now_s[0] += own_s
        with waits.upstream():
            now_s[0] += upstream_s

    backend = Scripted((work(0.5, 2.0), piece("four "), work(0.25, 1.0), piece("five "), work(0.0, 3.0), piece("six")))
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask(QUESTION | {"stream": True})
        (row,) = gateway.meter.rows()
    assert response.headers["server-timing"] == "gateway;dur=500.000, upstream;dur=2000.000"
    assert (row.ttft_ms, row.duration_ms, row.upstream_ms, row.overhead_ms) == (2500, 6750, 6000, 750)
    assert (row.gaps, row.gap_ms, row.longest_gap_ms, row.per_token_ms) == (2, 4250, 3000, 2125)
    assert row.operation == "chat"


def test_a_client_that_takes_its_time_is_no_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now_s[0])
    setup, found = config(), []

    def take(connection: Connection) -> None:
        now_s[0] += 2.0
        connection.resume_writing()

    async def answer(incoming: Incoming) -> None:
        exchange = start("r", KEYS[0])
        connection = next(iter(server.connections))
        connection.pause_writing()
        asyncio.get_running_loop().call_soon(take, connection)
        incoming.start(200, b"")
        await incoming.send(b"piece")
        incoming.finish(b"")
        found.append(exchange.row(WordCounter()))

    async def main() -> None:
        nonlocal server
        network = Network(setup.timeouts)
        server = Server(answer, setup.limits, setup.timeouts, network.deadlines)
        transport = Memory()
        transport.connect(Connection(server))
        next(iter(server.connections)).data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await transport.ended.wait()
        await server.stop(5, 0)
        network.close()

    server: Server
    asyncio.run(main())
    assert (found[0].duration_ms, found[0].overhead_ms) == (2000, 0)
