"""A document read anew while requests come in: none fails, each finishes by the policy it came in under."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY, QUESTION, Scripted, bench, call, config, piece, remote, spec
from test_gateway_faults import DOWN, GOOD, STREAM, Slow

from cellwright.errors import Diagnostic, Mark, UsageError
from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.client import ask_all
from cellwright.gateway.keys import hash_key
from cellwright.gateway.model import AccessKey, GatewayConfig, Limits, Route, Rule, Timeouts
from cellwright.gateway.model_policy import BreakerSettings
from cellwright.gateway.reload import Reloading, carried
from cellwright.gateway.serve import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.backend import Backend
    from cellwright.gateway.client import Answer
    from cellwright.gateway.server import Gateway

PROMPT = [{"role": "user", "content": "one two three"}]
TIGHT = Rule("tight", frozenset({SensitivityClass.ANONYMISED}), Boundary.PREMISES, "Act 9")
BOTH = config(remote(), spec(), breaker=BreakerSettings(failures=1, rest_ms=1e9))
CLOSED = replace(BOTH, rules=(TIGHT,))


@dataclass
class Document:
    """A source that a test writes to."""

    config: GatewayConfig
    version: int = 0
    problem: UsageError | None = None
    looks: int = 0
    reads: int = 0
    on_read: Callable[[], object] = lambda: None

    def write(self, found: GatewayConfig) -> None:
        self.config, self.version = found, self.version + 1

    def stamp(self) -> object:
        self.looks += 1
        return self.version

    def read(self) -> GatewayConfig:
        self.reads += 1
        self.on_read()
        if self.problem is not None:
            raise self.problem
        return self.config


def by_name(**backends: Backend) -> dict[str, object]:
    """Open backends by their name, however often."""
    return {"fake": lambda spec, _: backends[spec.name]}


def test_requests_that_come_in_later_find_the_new_rules_and_those_under_way_finish(tmp_path: Path) -> None:
    cloud, edge = Slow(), Scripted(GOOD)

    async def talk(app: Gateway) -> tuple[Response, Response]:
        before = asyncio.create_task(call(app, STREAM))
        await cloud.begun.wait()
        assert await Reloading(app, Document(CLOSED), 0).reload()
        after = await call(app, STREAM)
        cloud.go.set()
        return await before, after

    with bench(tmp_path, BOTH, by_name(cloud=cloud, edge=edge)) as gateway:  # type: ignore[arg-type]
        before, after = gateway.run(talk)
    assert (before.status, before.headers["x-cellwright-backend"]) == (200, "cloud")
    assert (after.status, after.headers["x-cellwright-backend"]) == (200, "edge")
    assert after.headers["x-cellwright-rule"] == "tight"
    assert len(cloud.asked) == 1


def test_a_document_with_mistakes_keeps_the_old_policy_and_the_log_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    problem = UsageError(Diagnostic("unknown-key", "there is no key 'rulez'", Mark("g.yaml", 7, 3)))

    async def talk(app: Gateway) -> tuple[bool, Response]:
        done = await Reloading(app, Document(CLOSED, problem=problem), 0).reload()
        return done, await call(app, STREAM)

    with bench(tmp_path, BOTH, by_name(cloud=Scripted(GOOD), edge=Scripted(()))) as gateway:  # type: ignore[arg-type]
        done, response = gateway.run(talk)
    assert (done, response.headers["x-cellwright-backend"]) == (False, "cloud")
    assert "the old policy stays in force: g.yaml:7:3: error[unknown-key]: there is no key 'rulez'" in caplog.text


def test_whoever_was_told_of_mistakes_is_told_of_their_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document = Document(CLOSED, problem=UsageError(Diagnostic("unknown-key", "there is no key 'rulez'")))

    async def talk(app: Gateway) -> list[bool]:
        reloading, found = Reloading(app, document, 0), []
        for problem in (None, document.problem, None, None):
            document.problem = problem
            found.append(await reloading.reload())
        return found

    with bench(tmp_path, BOTH, by_name(cloud=Scripted(()), edge=Scripted(()))) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk) == [True, False, True, True]
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told[-1] == "the policy was read anew: 1 routes, 1 rules"
    assert len(told) == 2


def test_a_backend_that_cannot_be_set_up_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = replace(BOTH, backends=(remote(api_key_env="NOT_SET"), spec()), rules=(TIGHT,))

    async def talk(app: Gateway) -> Response:
        assert not await Reloading(app, Document(wrong), 0).reload()
        return await call(app, STREAM)

    with bench(tmp_path, BOTH, by_name(cloud=Scripted(GOOD), edge=Scripted(()))) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk).headers["x-cellwright-backend"] == "cloud"
    assert "NOT_SET is not set" in caplog.text


def test_keys_and_routes_change_with_the_document(tmp_path: Path) -> None:
    other = replace(BOTH, keys=(AccessKey("new", "operator", hash_key("other")),), routes=(Route("fresh", ("edge",)),))

    async def talk(app: Gateway) -> list[int]:
        await Reloading(app, Document(other), 0).reload()
        asked = [(KEY, QUESTION), ("other", QUESTION), ("other", QUESTION | {"model": "fresh"})]
        return [(await call(app, body | {"stream": True}, key=key)).status for key, body in asked]

    with bench(tmp_path, BOTH, by_name(cloud=Scripted(GOOD), edge=Scripted(GOOD))) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk) == [401, 404, 200]


def test_what_is_known_of_a_server_outlives_a_reload_and_a_new_server_starts_anew(tmp_path: Path) -> None:
    cloud, edge = Scripted((DOWN,)), Scripted(GOOD)
    moved = replace(BOTH, backends=(remote(base_url="http://elsewhere"), spec()))

    async def talk(app: Gateway) -> list[int]:
        counts = []
        for found in (BOTH, CLOSED, BOTH, moved):
            await Reloading(app, Document(found), 0).reload()
            await call(app, STREAM)
            counts.append(len(cloud.asked))
        return counts

    with bench(tmp_path, BOTH, by_name(cloud=cloud, edge=edge)) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk) == [1, 1, 1, 2]


def test_health_tells_who_has_a_key_how_each_backend_does(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> list[object]:
        await call(app, STREAM)
        said = [await call(app, path="/healthz", method="GET", key=key) for key in (KEY, None, "wrong")]
        return [said[0].json, said[1].json, said[2].status]

    with bench(tmp_path, BOTH, by_name(cloud=Scripted((DOWN,)), edge=Scripted(GOOD))) as gateway:  # type: ignore[arg-type]
        assert gateway.run(talk) == [
            {"status": "ok", "backends": {"cloud": "open", "edge": "closed"}},
            {"status": "ok"},
            401,
        ]


def test_what_belongs_to_the_start_stays_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    new = replace(CLOSED, port=99, timeouts=Timeouts(read_ms=1.0), limits=Limits(requests=1), meter_file="other.db")
    found, waiting = carried(BOTH, new)
    assert found == CLOSED
    assert waiting == ("port", "limits", "timeouts", "meter_file")
    assert caplog.text == ""


def test_a_change_is_noticed_once_it_is_seen_twice_and_a_signal_is_heeded_at_once(tmp_path: Path) -> None:
    document = Document(BOTH)

    async def main(app: Gateway) -> int:
        loop, read = asyncio.get_running_loop(), asyncio.Event()
        document.on_read = lambda: loop.call_soon_threadsafe(read.set)
        watching = asyncio.create_task(Reloading(app, document, document.stamp(), every_s=0.002).watch())
        while document.looks < 5:  # noqa: ASYNC110 - a source tells nobody that it was looked at
            await asyncio.sleep(0)
        assert document.reads == 0
        document.write(CLOSED)
        await asyncio.wait_for(read.wait(), 10)
        read.clear()
        slow = asyncio.create_task(Reloading(app, document, document.stamp(), every_s=3600.0).watch())
        await asyncio.sleep(0)  # it heeds the signal from its first step
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(read.wait(), 10)
        for task in (watching, slow):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return document.reads

    with bench(tmp_path, BOTH, by_name(cloud=Scripted(GOOD), edge=Scripted(GOOD))) as gateway:  # type: ignore[arg-type]
        assert gateway.run(main) == 2


def test_what_was_written_between_the_start_and_the_first_look_is_read_at_once(tmp_path: Path) -> None:
    document = Document(BOTH)

    async def main(app: Gateway) -> Response:
        loaded = document.stamp()
        document.write(CLOSED)
        loop, read = asyncio.get_running_loop(), asyncio.Event()
        document.on_read = lambda: loop.call_soon_threadsafe(read.set)
        watching = asyncio.create_task(Reloading(app, document, loaded, every_s=3600.0).watch())
        await asyncio.wait_for(read.wait(), 10)
        for _ in range(100_000):
            if app.config == CLOSED:
                break
            await asyncio.sleep(0)
        watching.cancel()
        return await call(app, STREAM)

    with bench(tmp_path, BOTH, by_name(cloud=Scripted(GOOD), edge=Scripted(GOOD))) as gateway:  # type: ignore[arg-type]
        assert gateway.run(main).headers["x-cellwright-backend"] == "edge"


@pytest.mark.integration
def test_no_request_fails_while_the_policy_changes_under_load(tmp_path: Path) -> None:
    document, asked = Document(BOTH), []
    chunks = (piece("four "), piece("five"), *GOOD[2:])

    async def load(url: str) -> list[Answer]:
        for _ in range(6):
            asked.extend(await ask_all(url, KEY, "auto", [PROMPT] * 50, concurrency=16))
        return asked

    async def rewrite(stop: asyncio.Event) -> int:
        reloading, count = Reloading(app.app, document, 0), 0
        while not stop.is_set():
            document.write(CLOSED if count % 2 else BOTH)
            assert await reloading.reload()
            count += 1
            await asyncio.sleep(0)
        return count

    async def beside() -> None:
        counts.append(await rewrite(stop))

    counts: list[int] = []
    stop = asyncio.Event()
    backends = by_name(cloud=Scripted(chunks), edge=Scripted(chunks))
    with bench(tmp_path, BOTH, backends) as app:  # type: ignore[arg-type]
        with running(app.app, beside) as url:
            answers = asyncio.run(load(url))
            stop.set()
        rows = list(app.meter.rows())
    assert [answer.error for answer in answers] == [None] * 300
    assert {answer.text for answer in answers} == {"four five"}
    assert {row.backend for row in rows} == {"cloud", "edge"}
    assert len(rows) == 300
