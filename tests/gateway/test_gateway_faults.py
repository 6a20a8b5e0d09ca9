"""What happens when backends fail: the next one, a hedge, a restart, a stand-in, a rest; in process, scripted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson
import pytest
from gateway_kit import QUESTION, Response, Saying, Scripted, bench, call, config, opener, piece, remote, spec, whole

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.model import Route, Timeouts
from cellwright.gateway.model_policy import AS_LISTED, BreakerSettings, Budget, Expected, Hedge, Policy
from cellwright.gateway.routing.percentile import ENOUGH
from cellwright.gateway.wire import ApiError, Operation, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from cellwright.gateway.metering.row import MeterRow
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway
    from cellwright.gateway.wire import ModelRequest

STREAM = QUESTION | {"stream": True}
DOWN = BackendError(Diagnostic("upstream_unreachable", "backend x cannot be reached"))
FAILED = BackendError(Diagnostic("upstream_failed", "backend x failed"), spent=True)
BROKEN = BackendError(Diagnostic("upstream_broke_off", "backend x broke off"), spent=True)
CLOSING = Chunk(b'{"choices":[],"usage":{}}', "", Usage(3, 2), closing=True)
GOOD = (piece("four "), piece("five"), CLOSING)
PRIVATE = {"x-cellwright-data-class": "subscriber_pii"}
HEDGED = Policy(hedge=Hedge(0.0))


def routed(policy: Policy, *names: str) -> GatewayConfig:
    """Return a gateway whose route asks the cloud, then the edge."""
    route = Route("auto", names or ("cloud", "edge"), None, policy)
    return config(remote(), spec(), routes=(route,), breaker=BreakerSettings(failures=2, rest_ms=1e9))


def asked(
    folder: Path, policy: Policy, cloud: object, edge: object, body: object = STREAM, **details: object
) -> tuple[Response, list[MeterRow]]:
    with bench(folder, routed(policy), opener(cloud, edge)) as gateway:  # type: ignore[arg-type]
        response = gateway.ask(body, **details)
        return response, sorted(gateway.meter.rows(), key=lambda row: row.request_id)


@dataclass
class Slow(Saying):
    """A backend that begins when it is told to, and knows when it was left."""

    script: tuple[Chunk, ...] = GOOD
    language_model: bool = True
    operations: frozenset[Operation] = frozenset(Operation)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0
    asked: list[ModelRequest] = field(default_factory=list)

    async def answer(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        self.begun.set()
        try:
            await self.go.wait()
            for chunk in self.script:
                yield chunk
        finally:
            self.left += 1


async def a_while() -> None:
    """Let everything run that can."""
    for _ in range(100):
        await asyncio.sleep(0)


def test_an_attempt_that_failed_after_it_may_have_worked_is_metered_beside_the_answer(tmp_path: Path) -> None:
    response, (row, lost) = asked(tmp_path, AS_LISTED, Scripted((FAILED,)), Scripted(GOOD))
    assert response.status == 200
    assert (row.backend, row.tokens_in, row.tokens_out, row.estimated, row.part_of) == ("edge", 3, 2, False, None)
    assert (lost.backend, lost.tokens_in, lost.tokens_out, lost.estimated) == ("cloud", 3, 0, True)
    assert (lost.part_of, lost.error, lost.cost_in_nano) == (row.request_id, "upstream_failed", 3 * 2500)


def test_an_attempt_in_vain_is_no_request_but_its_tokens_and_costs_are_in_the_totals(tmp_path: Path) -> None:
    with bench(tmp_path, routed(AS_LISTED), opener(Scripted((FAILED,)), Scripted(GOOD))) as gateway:
        gateway.ask(STREAM)
        (total,) = gateway.meter.totals()
        by_backend = {each.key[0]: (each.requests, each.tokens_in) for each in gateway.meter.totals("backend")}
    assert (total.requests, total.failed, total.tokens_in, total.tokens_out) == (1, 0, 6, 2)
    assert by_backend == {"cloud": (0, 3), "edge": (1, 3)}


def test_an_answer_of_another_model_than_wanted_is_marked_degraded(tmp_path: Path) -> None:
    response, _ = asked(tmp_path, AS_LISTED, Scripted((DOWN,)), Scripted(GOOD))
    assert response.headers["x-cellwright-degraded"] == "edge for cloud (upstream_unreachable)"
    response, _ = asked(tmp_path, AS_LISTED, Scripted(GOOD), Scripted(()))
    assert "x-cellwright-degraded" not in response.headers
    response, _ = asked(tmp_path, AS_LISTED, Scripted(()), Scripted(GOOD), headers=PRIVATE)
    assert "x-cellwright-degraded" not in response.headers  # the rules, not a fault, keep it at the edge
    assert response.headers["x-cellwright-rule"] == "stay-home"


def test_the_same_model_elsewhere_is_not_degraded(tmp_path: Path) -> None:
    setup = config(remote(model="m"), spec(model="m"))
    with bench(tmp_path, setup, opener(Scripted((DOWN,)), Scripted((whole(),)))) as gateway:
        response = gateway.ask()
    assert response.headers["x-cellwright-backend"] == "edge"
    assert "x-cellwright-degraded" not in response.headers


def test_a_backend_that_keeps_failing_is_left_alone_and_the_edge_stands_in(tmp_path: Path) -> None:
    cloud = Scripted((DOWN,))

    async def talk(app: Gateway) -> list[Response]:
        return [await call(app, STREAM) for _ in range(5)]

    with bench(tmp_path, routed(AS_LISTED), opener(cloud, Scripted(GOOD))) as gateway:
        responses = gateway.run(talk)
    assert len(cloud.asked) == 2
    assert {response.status for response in responses} == {200}
    assert responses[-1].headers["x-cellwright-degraded"] == "edge for cloud (circuit_open)"


def test_where_all_are_left_alone_the_client_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> list[Response]:
        return [await call(app) for _ in range(3)]

    setup = config(spec(), breaker=BreakerSettings(failures=2, rest_ms=7_000.0))
    with bench(tmp_path, setup, opener(Scripted((DOWN,)))) as gateway:
        *_, last = gateway.run(talk)
        row = list(gateway.meter.rows())[-1]
    assert (last.status, last.error, last.headers["retry-after"]) == (503, "no_backend_available", "7")
    assert "edge failed too often (circuit open), again in" in last.json["error"]["message"]
    assert (row.attempts, row.tokens_in) == (0, 0)


@pytest.mark.parametrize("hedge", [None, Hedge(60_000.0)])
@pytest.mark.parametrize("begun", [(), (piece("four "),)])
def test_a_backend_that_keeps_a_request_beyond_its_time_has_failed(
    tmp_path: Path, begun: tuple[Chunk, ...], hedge: Hedge | None
) -> None:
    never = asyncio.Event()
    cloud = Scripted((*begun, never.wait()))
    policy = replace(AS_LISTED, hedge=hedge)
    setup = replace(routed(policy), timeouts=Timeouts(total_ms=50), breaker=BreakerSettings(failures=1))

    async def talk(app: Gateway) -> Response:
        await call(app, STREAM)
        return await call(app, STREAM)

    with bench(tmp_path, setup, opener(cloud, Scripted(GOOD))) as gateway:
        response = gateway.run(talk)
        rows = list(gateway.meter.rows())
    assert (rows[0].backend, rows[0].error) == ("cloud", "timeout")
    assert response.headers["x-cellwright-degraded"] == "edge for cloud (circuit_open)"


@pytest.mark.parametrize("after", ["60", "Sat, 01 Jan 2089 00:00:00 GMT", None])
def test_a_backend_that_asks_for_fewer_requests_is_left_alone_for_as_long(tmp_path: Path, after: str | None) -> None:
    full = BackendError(Diagnostic("upstream_rate_limited", "slow down"), status=429, retry_after=after)
    cloud = Scripted((full,))

    async def talk(app: Gateway) -> Response:
        await call(app, STREAM)
        return await call(app, STREAM)

    with bench(tmp_path, routed(AS_LISTED), opener(cloud, Scripted(GOOD))) as gateway:
        response = gateway.run(talk)
    assert len(cloud.asked) == 1
    assert response.headers["x-cellwright-degraded"] == "edge for cloud (circuit_open)"


def test_a_mistake_of_the_client_tells_nothing_against_the_backend(tmp_path: Path) -> None:
    refused = BackendError(Diagnostic("upstream_refused_request", "too long"), status=400, elsewhere=False)
    cloud = Scripted((refused,))

    async def talk(app: Gateway) -> None:
        for _ in range(4):
            assert (await call(app)).status == 400

    with bench(tmp_path, routed(AS_LISTED), opener(cloud, Scripted(()))) as gateway:
        gateway.run(talk)
    assert len(cloud.asked) == 4


def test_a_full_backend_is_passed_over_and_has_room_again_when_its_answer_ends(tmp_path: Path) -> None:
    slow, other = Slow(), Scripted(GOOD)

    async def talk(app: Gateway) -> list[str]:
        first = asyncio.create_task(call(app, STREAM))
        await slow.begun.wait()
        second = await call(app, STREAM)
        slow.go.set()
        third = (await first, await call(app, STREAM))
        return [each.headers["x-cellwright-backend"] for each in (second, *third)]

    setup = config(spec("a", max_concurrency=1), spec("b"))
    with bench(tmp_path, setup, opener(slow, other)) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk) == ["b", "a", "a"]


def test_a_hedge_answers_where_the_first_backend_is_slow_and_the_loser_is_cancelled_and_metered(
    tmp_path: Path,
) -> None:
    cloud = Slow()
    response, (row, lost) = asked(tmp_path, HEDGED, cloud, Scripted(GOOD))
    assert response.events == [piece("four ").body, piece("five").body, b"[DONE]"]
    assert response.headers["x-cellwright-degraded"] == "edge for cloud (slow)"
    assert cloud.left == 1
    assert (row.backend, row.attempts, row.tokens_out) == ("edge", 2, 2)
    assert (lost.backend, lost.error, lost.tokens_in, lost.tokens_out) == ("cloud", "hedge_lost", 3, 0)


def test_the_first_backend_still_wins_where_its_hedge_fails(tmp_path: Path) -> None:
    cloud = Slow()

    async def fail_then_go() -> None:
        cloud.go.set()

    edge = Scripted((fail_then_go(), FAILED))
    response, (row, lost) = asked(tmp_path, HEDGED, cloud, edge)
    assert response.headers["x-cellwright-backend"] == "cloud"
    assert (row.backend, row.attempts, row.error) == ("cloud", 2, None)
    assert (lost.backend, lost.error) == ("edge", "upstream_failed")


@pytest.mark.parametrize(
    "error",
    [
        ApiError(Diagnostic("egress_denied", "no"), status=403, kind="permission_error"),
        BackendError(Diagnostic("upstream_refused_request", "no"), status=400, elsewhere=False),
    ],
)
def test_a_hedge_that_is_denied_leaves_the_first_backend_to_answer_and_costs_nothing(
    tmp_path: Path, error: ApiError
) -> None:
    cloud = Slow()

    async def go() -> None:
        await a_while()  # until the failure is known
        cloud.go.set()

    async def go_later() -> None:
        tasks.append(asyncio.create_task(go()))

    tasks: list[asyncio.Task[None]] = []
    response, rows = asked(tmp_path, HEDGED, cloud, Scripted((go_later(), error)))
    assert (response.status, response.headers["x-cellwright-backend"]) == (200, "cloud")
    assert [(row.backend, row.attempts, row.error) for row in rows] == [("cloud", 2, None)]


def test_where_both_of_a_hedge_fail_the_last_failure_is_told_and_both_are_metered(tmp_path: Path) -> None:
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()

    async def fail_later() -> None:
        await failed.wait()
        await a_while()  # until the other failure is known

    response, rows = asked(tmp_path, HEDGED, Scripted((fail_later(), BROKEN)), Scripted((fail(), FAILED)))
    assert (response.status, response.error) == (502, "upstream_broke_off")
    assert [(row.backend, row.tokens_in, row.error) for row in rows] == [
        ("cloud", 3, "upstream_broke_off"),
        ("edge", 3, "upstream_failed"),
    ]


def test_a_hedge_that_begins_as_the_first_backend_fails_answers(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def now() -> None:
        go.set()  # the failure comes up before anybody was told that this one begins

    cloud, edge = Scripted((go.wait(), FAILED)), Scripted((now(), *GOOD))
    response, (row, lost) = asked(tmp_path, HEDGED, cloud, edge)
    assert (response.status, response.headers["x-cellwright-backend"]) == (200, "edge")
    assert (row.backend, row.error, row.tokens_out) == ("edge", None, 2)
    assert (lost.backend, lost.error) == ("cloud", "upstream_failed")


@pytest.mark.parametrize("turns", range(1, 5))
def test_a_hedge_that_is_not_needed_any_more_is_metered_where_it_was_asked_alone(tmp_path: Path, turns: int) -> None:
    async def take_turns() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    edge = Slow()
    response, rows = asked(tmp_path, HEDGED, Scripted((take_turns(), *GOOD)), edge)
    assert response.headers["x-cellwright-backend"] == "cloud"
    assert [row.backend for row in rows] == ["cloud", *(["edge"] if edge.asked else [])]
    assert rows[0].attempts == 1 + len(edge.asked)


def test_a_hedge_at_the_percentile_waits_until_one_is_known(tmp_path: Path) -> None:
    edge = Scripted(GOOD)
    response, rows = asked(tmp_path, Policy(hedge=Hedge(None)), Scripted((a_while(), *GOOD)), edge)
    assert (response.headers["x-cellwright-backend"], len(rows), edge.asked) == ("cloud", 1, [])


def test_a_hedge_never_reaches_a_backend_outside_the_boundary(tmp_path: Path) -> None:
    cloud, edge = Scripted(GOOD), Slow()

    async def talk(app: Gateway) -> Response:
        asking = asyncio.create_task(call(app, STREAM, headers=PRIVATE))
        await edge.begun.wait()
        await a_while()
        edge.go.set()
        return await asking

    with bench(tmp_path, routed(HEDGED, "edge", "cloud"), opener(cloud, edge)) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk).headers["x-cellwright-backend"] == "edge"
    assert cloud.asked == []


def test_a_client_that_leaves_during_a_hedge_leaves_both_backends(tmp_path: Path) -> None:
    cloud, edge, gone = Slow(), Slow(), asyncio.Event()

    async def talk(app: Gateway) -> None:
        asking = asyncio.create_task(call(app, STREAM, gone=gone))
        await edge.begun.wait()
        gone.set()
        await asking

    with bench(tmp_path, routed(HEDGED), opener(cloud, edge)) as gateway:  # type: ignore[arg-type]
        gateway.run(talk)
        rows = sorted(gateway.meter.rows(), key=lambda row: row.request_id)
    assert (cloud.left, edge.left) == (1, 1)
    assert [(row.backend, row.tokens_in, row.error) for row in rows] == [
        ("cloud", 3, "client_gone"),
        ("edge", 3, "hedge_lost"),
    ]


def test_a_client_that_leaves_while_the_loser_is_stopped_leaves_both_backends_at_rest(tmp_path: Path) -> None:
    gone, stopping = asyncio.Event(), asyncio.Event()

    class Lingering(Slow):
        async def answer(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
            cloud.go.set()
            try:
                async for chunk in super().answer(request):
                    yield chunk
            finally:
                stopping.set()
                await a_while()
                self.left += 1

    cloud, edge = Slow(), Lingering()

    async def talk(app: Gateway) -> None:
        asking = asyncio.create_task(call(app, STREAM, gone=gone))
        await stopping.wait()
        gone.set()
        await asking

    with bench(tmp_path, routed(HEDGED), opener(cloud, edge)) as gateway:  # type: ignore[arg-type]
        gateway.run(talk)
        rows = [(row.backend, row.tokens_in, row.error) for row in gateway.meter.rows()]
    assert (cloud.left, edge.left) == (1, 2)
    assert sorted(rows, key=str) == [("cloud", 3, "client_gone"), ("edge", 3, "hedge_lost")]


def test_what_the_guard_denies_is_not_tried_elsewhere_by_a_hedge(tmp_path: Path) -> None:
    denied = ApiError(Diagnostic("egress_denied", "no"), status=403, kind="permission_error")
    edge = Slow()
    response, (row,) = asked(tmp_path, Policy(hedge=Hedge(1e6)), Scripted((denied,)), edge)
    assert (response.status, row.error, row.tokens_in, edge.asked) == (403, "egress_denied", 0, [])


def test_a_stream_that_breaks_ends_in_an_error_unless_the_route_restarts(tmp_path: Path) -> None:
    edge = Scripted(GOOD)
    response, (row,) = asked(tmp_path, AS_LISTED, Scripted((piece("zero "), BROKEN)), edge)
    assert orjson.loads(response.events[-1])["error"]["code"] == "upstream_broke_off"
    assert (edge.asked, row.tokens_out) == ([], 1)


def test_a_restart_is_marked_in_the_stream_and_what_came_before_is_metered_as_in_vain(tmp_path: Path) -> None:
    response, (row, lost) = asked(tmp_path, Policy(restart=True), Scripted((piece("zero "), BROKEN)), Scripted(GOOD))
    first, marker, *rest = response.events
    assert first == piece("zero ").body
    said = orjson.loads(marker)
    assert (said["object"], said["choices"], said["cellwright"]) == (
        "chat.completion.chunk",
        [],
        {"restart": {"backend": "edge"}},
    )
    assert rest == [piece("four ").body, piece("five").body, b"[DONE]"]
    assert (row.backend, row.tokens_in, row.tokens_out, row.error, row.estimated) == ("edge", 3, 2, None, False)
    assert (lost.backend, lost.tokens_in, lost.tokens_out, lost.error) == ("cloud", 3, 1, "upstream_broke_off")


def test_a_restart_never_reaches_a_backend_outside_the_boundary(tmp_path: Path) -> None:
    cloud, edge = Scripted(GOOD), Scripted((piece("zero "), BROKEN))
    setup = routed(Policy(restart=True), "edge", "cloud")
    with bench(tmp_path, setup, opener(cloud, edge)) as gateway:
        response = gateway.ask(STREAM, headers=PRIVATE)
        (row,) = gateway.meter.rows()
    assert orjson.loads(response.events[-1])["error"]["code"] == "upstream_broke_off"
    assert (cloud.asked, row.tokens_out) == ([], 1)


def test_a_restart_that_fails_too_ends_in_its_error(tmp_path: Path) -> None:
    response, rows = asked(
        tmp_path, Policy(restart=True), Scripted((piece("zero "), BROKEN)), Scripted((piece("x "), FAILED))
    )
    assert orjson.loads(response.events[-1])["error"]["code"] == "upstream_failed"
    assert [(row.backend, row.tokens_out) for row in rows] == [("edge", 1), ("cloud", 1)]


def test_latencies_seen_here_decide_and_win_over_those_configured(tmp_path: Path) -> None:
    now_s = 0.0

    class Lagging(Scripted):
        async def answer(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
            nonlocal now_s
            now_s += 0.02
            async for chunk in super().answer(request):
                yield chunk

    cloud, edge = Lagging(GOOD), Scripted(GOOD)

    async def talk(app: Gateway) -> list[str]:
        return [(await call(app, STREAM)).headers["x-cellwright-backend"] for _ in range(30)]

    route = Route("auto", ("cloud", "edge"), None, Policy(budget=Budget(first_token_ms=5.0)))
    setup = config(remote(expected=Expected(1.0, 1.0, "a vendor")), spec(), routes=(route,))
    with bench(tmp_path, setup, opener(cloud, edge), clock=lambda: now_s) as gateway:
        answered = gateway.run(talk)
    count = len(cloud.asked)
    assert ENOUGH <= count < 30
    assert answered == ["cloud"] * count + ["edge"] * (30 - count)
