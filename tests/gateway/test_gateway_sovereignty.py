"""For random policies, classes and faults: no byte of a class reaches a server outside its boundary, on any path.

The gateway is the real one with its transport; at each boundary stands a server on the loopback interface that keeps
every byte it is sent and fails in the ways that servers fail. What may go where is restated here, on purpose in other
words than the gateway's.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
import pytest
from gateway_kit import KEY, allow, bench, call
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.keys import hash_key
from cellwright.gateway.model import AccessKey, BackendSpec, GatewayConfig, Route, Rule
from cellwright.gateway.model_policy import BreakerSettings, Budget, Criterion, Hedge, Policy
from cellwright.gateway.reload import carried

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from gateway_kit import Response

    from cellwright.gateway.server import Gateway

    Setting = tuple[tuple[Rule, ...], list[Boundary], Policy, int, SensitivityClass]

pytestmark = pytest.mark.integration
REACH: Final = {"premises": 0, "country": 1, "bloc": 2, "none": 3}
CLASSES: Final = (SensitivityClass.SUBSCRIBER_PII, SensitivityClass.SIGNALLING, SensitivityClass.ANONYMISED)
FAULTS: Final = (
    "answer", "answer", "answer", "refuse", "slow", "reset", "cut", "garbage", "full", "down", "elsewhere", "misuse",
)  # fmt: skip
CHUNK: Final = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
USAGE: Final = b'data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
SLOW_S: Final = 0.03
EMPTY: Final = b"content-length: 0\r\nconnection: close\r\n\r\n"
MOVED: Final = b"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:%d/v1/chat/completions\r\n" + EMPTY
SAID: Final = {
    "answer": HEAD + CHUNK + USAGE % 3,
    "slow": HEAD + CHUNK + USAGE % 3,
    "hang": b"",
    "misuse": HEAD + CHUNK + USAGE % -7,
    "reset": HEAD + CHUNK,
    "cut": HEAD + CHUNK,
    "garbage": HEAD + CHUNK + b"data: {not json\n\n",
    "full": b"HTTP/1.1 429 Slow\r\nretry-after: 30\r\n" + EMPTY,
    "down": b"HTTP/1.1 503 Down\r\n" + EMPTY,
}


@dataclass
class Recorder:
    """A server at one boundary that keeps what it is sent, and fails as told, fault after fault."""

    boundary: Boundary
    faults: Sequence[str]
    others: list[Recorder] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    tasks: set[asyncio.Task[None] | None] = field(default_factory=set)
    calls: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            fault = self.faults[self.calls % len(self.faults)]
            self.calls += 1
            if fault != "refuse":
                await self._take(reader)
                if fault == "hang":
                    await reader.read()  # until the client leaves
                writer.write(await self._answer(fault))
                await writer.drain()
            if fault in {"reset", "refuse"}:
                writer.transport.abort()
        writer.close()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.received += head
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.received += await reader.readexactly(length)

    async def _answer(self, fault: str) -> bytes:
        if fault == "slow":
            await asyncio.sleep(SLOW_S)
        if fault == "elsewhere":
            return MOVED % self.others[self.calls % len(self.others)].port
        return SAID[fault]


@contextlib.asynccontextmanager
async def recording(faults: Sequence[Sequence[str]]) -> AsyncIterator[list[Recorder]]:
    """Open a server at each boundary."""
    recorders = [Recorder(boundary, told) for boundary, told in zip(Boundary, faults, strict=True)]
    async with contextlib.AsyncExitStack() as stack:
        for recorder in recorders:
            recorder.others = recorders
            server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            recorder.port = server.sockets[0].getsockname()[1]
        yield recorders
        await asyncio.gather(*(task for each in recorders for task in each.tasks if task is not None))


def may_see(rules: Sequence[Rule], data_class: SensitivityClass, boundary: Boundary) -> bool:
    """Return whether a server at a boundary may see a class: every rule about it says so, and one there is."""
    about = [rule for rule in rules if data_class in rule.classes]
    if not about:
        return boundary.value == "premises"
    return all(REACH[boundary.value] <= REACH[rule.boundary.value] for rule in about)


SOME: Final = st.frozensets(st.sampled_from(CLASSES), min_size=1)
RULES = st.lists(
    st.builds(Rule, st.sampled_from("abc"), SOME, st.sampled_from(Boundary), st.just("law")), max_size=4
).map(tuple)
ORDERS = st.permutations(list(Boundary)).flatmap(
    lambda all_: st.sampled_from([1, 3, 4, 4]).map(lambda count: all_[:count])
)
POLICIES = st.builds(
    Policy,
    st.sampled_from([(), (Criterion.LOAD,), (Criterion.LATENCY, Criterion.LOAD), tuple(Criterion)]),
    st.sampled_from([Budget(), Budget(first_token_ms=5.0)]),
    st.sampled_from([None, 0.5]),
    st.sampled_from([None, Hedge(0.0), Hedge(5.0), Hedge(None)]),
    st.booleans(),
)
SETTINGS = st.tuples(RULES, ORDERS, POLICIES, st.integers(1, 3), st.sampled_from(CLASSES))
FAULTY = st.lists(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4), min_size=4, max_size=4)
ASKED = st.lists(st.none() | st.sampled_from(CLASSES), min_size=1, max_size=5)


def configured(setting: Setting, recorders: Sequence[Recorder]) -> GatewayConfig:
    rules, order, policy, failures, presumed = setting
    backends = tuple(
        BackendSpec(
            recorder.boundary.value,
            "openai",
            f"model-{recorder.boundary.value}",
            Tier.REGION,
            recorder.boundary,
            base_url=f"http://127.0.0.1:{recorder.port}/v1",
            retries=1 if recorder.boundary is Boundary.NONE else 0,
        )
        for recorder in recorders
    )
    return GatewayConfig(
        keys=(AccessKey("tests", "operator", hash_key(KEY)),),
        backends=backends,
        routes=(Route("auto", tuple(boundary.value for boundary in order), None, policy),),
        rules=rules,
        data_class=presumed,
        breaker=BreakerSettings(failures=failures, rest_ms=20.0),
    )


async def ask(app: Gateway, marker: str, data_class: SensitivityClass | None) -> Response:
    headers = {} if data_class is None else {"x-cellwright-data-class": data_class.value}
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": f"why {marker}?"}]}
    return await call(app, body, headers=headers)


async def talk(before: Setting, after: Setting, faults: list[list[str]], asked: list, folder: str) -> None:
    """Ask by one policy, change it while requests are under way, ask by the other; then look what reached whom."""
    sent: dict[str, tuple[Setting, SensitivityClass]] = {}
    async with recording(faults) as recorders:
        first, second = configured(before, recorders), configured(after, recorders)
        with bench(Path(folder), first, guard=allow) as gateway:
            app, tasks = gateway.app, []
            for setting in (before, after):
                for data_class in asked:
                    marker = f"MARKER-{len(sent)}-"
                    sent[marker] = (setting, data_class or setting[-1])
                    tasks.append(asyncio.create_task(ask(app, marker, data_class)))
                    if len(sent) % 2:
                        await tasks[-1]
                await asyncio.sleep(0)  # those under way have begun
                await asyncio.sleep(0)
                if setting is before:
                    app.change(carried(first, second)[0])
            responses = await asyncio.gather(*tasks)
            app.network.close()
    for response, (marker, (setting, data_class)) in zip(responses, sent.items(), strict=True):
        seen_at = [recorder.boundary for recorder in recorders if marker.encode() in recorder.received]
        event(f"{len(seen_at)} servers saw a request, status {response.status}")
        assert all(may_see(setting[0], data_class, boundary) for boundary in seen_at), (data_class, seen_at, setting)
        _check(response, marker, setting, data_class, recorders)


def _check(
    response: Response, marker: str, setting: Setting, data_class: SensitivityClass, recorders: Sequence[Recorder]
) -> None:
    """Check that whoever answered could, and that a request nobody may be sent is refused for that reason."""
    rules, order, *_ = setting
    if response.status == 200:
        answered = Boundary(response.headers["x-cellwright-backend"])
        assert may_see(rules, data_class, answered)
        assert marker.encode() in next(each.received for each in recorders if each.boundary is answered)
    if not any(may_see(rules, data_class, boundary) for boundary in order):
        assert (response.status, orjson.loads(response.body)["error"]["code"]) == (403, "sovereignty")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SETTINGS, SETTINGS, FAULTY, ASKED)
def test_no_byte_of_a_class_reaches_a_server_outside_its_boundary(
    before: tuple,
    after: tuple,
    faults: list[list[str]],
    asked: list[SensitivityClass | None],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(talk(before, after, faults, asked, folder))


@pytest.mark.parametrize("policy", [Policy(), Policy(hedge=Hedge(0.0)), Policy(restart=True)])
@pytest.mark.parametrize("fault", sorted(set(FAULTS)))
def test_every_fault_on_the_premises_leaves_restricted_data_there(tmp_path: Path, fault: str, policy: Policy) -> None:
    rules = (
        Rule("home", frozenset({SensitivityClass.SUBSCRIBER_PII}), Boundary.PREMISES, "law"),
        Rule("free", frozenset({SensitivityClass.ANONYMISED}), Boundary.NONE, "law"),
    )
    setting = (rules, list(Boundary), policy, 1, SensitivityClass.SUBSCRIBER_PII)

    async def main() -> None:
        async with recording([[fault], ["answer"], ["answer"], ["answer"]]) as recorders:
            with bench(tmp_path, configured(setting, recorders), guard=allow) as gateway:
                for _ in range(3):
                    await ask(gateway.app, "PRIVATE", None)
                free = await ask(gateway.app, "OPEN", SensitivityClass.ANONYMISED)
                gateway.app.network.close()
        assert [recorder.calls > 0 for recorder in recorders[1:]] == [
            b"OPEN" in each.received for each in recorders[1:]
        ]
        assert not any(b"PRIVATE" in recorder.received for recorder in recorders[1:])
        assert free.status == 200

    asyncio.run(main())


def test_what_is_restated_here_agrees_with_a_plain_case() -> None:
    home = Rule("home", frozenset({SensitivityClass.SIGNALLING}), Boundary.COUNTRY, "law")
    found = [may_see((home,), SensitivityClass.SIGNALLING, boundary) for boundary in Boundary]
    assert found == [True, True, False, False]
    assert [may_see((), SensitivityClass.SIGNALLING, boundary) for boundary in Boundary] == [True, False, False, False]
