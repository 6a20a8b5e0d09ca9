"""What no model answers counts against the quotas of its caller too: collections, files, batches, counts of tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY, Scripted, bench, call, config, opener, spec

from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.backend import Chunk
from cellwright.gateway.knowledge_spec import KnowledgeSpec
from cellwright.gateway.model import BatchSettings, ToolServerSpec
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.wire import Operation, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

LIMITED = ("/v1/vector_stores", "/v1/files", "/v1/batches", "/v1/messages/count_tokens", "/v1/models")
ANONYMISED = SensitivityClass.ANONYMISED
VECTOR = Chunk(b'{"data":[{"index":0,"embedding":[1.0,0.0]}]}', "", Usage(3, 0))


def limited(folder: Path, *bounds: Bound, at_once: int | None = None, embedder: str | None = None) -> GatewayConfig:
    """Return a gateway with everything that counts, and one quota."""
    file = str(folder / "knowledge.duckdb")
    kept = KnowledgeSpec("site", "embedded", Boundary.PREMISES, ANONYMISED, file=file, embedder=embedder)
    quotas = (Quota(Holder.TENANT, None, bounds, at_once),)
    return config(knowledge=(kept,), batches=BatchSettings(str(folder / "batches.db")), quotas=quotas)


def described(folder: Path) -> list[tuple[str, str]]:
    """Return method and path of everything that is limited, as the gateway describes itself."""
    with bench(folder, limited(folder, at_once=1), opener(Scripted(()))) as gateway:
        paths = gateway.ask(b"", method="GET", path="/openapi.json", key=None).json["paths"]
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in paths.items()
        if path.startswith(LIMITED)
        for method in methods
    ]


def test_every_call_is_one_request_of_its_tenant(tmp_path: Path) -> None:
    (folder := tmp_path / "described").mkdir()
    calls = described(folder)
    assert {path for _, path in calls} >= set(LIMITED)

    async def talk(app: Gateway) -> list[Response]:
        return [await call(app, b"{}", method=method, path=path) for _ in range(2) for method, path in calls]

    bounds = (Bound(Unit.REQUESTS, Period.MINUTE, len(calls)), Bound(Unit.TOKENS, Period.DAY, 10))
    with bench(tmp_path, limited(tmp_path, *bounds), opener(Scripted(()))) as gateway:
        answers = gateway.run(talk)
    assert [answer.status == 429 for answer in answers] == [False] * len(calls) + [True] * len(calls)
    assert answers[0].headers["x-ratelimit-remaining-requests"] == str(len(calls) - 1)
    assert answers[-1].error == "rate_limit_exceeded"


def test_every_message_to_tools_is_one_request_of_its_tenant(tmp_path: Path) -> None:
    tools = ToolServerSpec(
        "site", "site", frozenset({"operator"}), Tier.ONPREM, Boundary.PREMISES, ANONYMISED, estate="none"
    )
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    first = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    calls = {"name": "none", "arguments": {}}
    messages = [("initialize", first), ("ping", {}), ("tools/list", {}), ("tools/call", calls), ("tools/call", {})]

    async def talk(app: Gateway) -> list[Response]:
        asked = [{"jsonrpc": "2.0", "id": 1, "method": name, "params": params} for name, params in messages * 2]
        return [await call(app, message, path="/mcp", headers=accept) for message in asked]

    quotas = (Quota(Holder.TENANT, None, (Bound(Unit.REQUESTS, Period.MINUTE, len(messages)),)),)
    with bench(tmp_path, config(tools=(tools,), quotas=quotas), opener(Scripted(()))) as gateway:
        answers = gateway.run(talk)
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3 + [200] * 2
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers[:5]] == ["4", "3", "2", "1", "0"]
    assert answers[5].json["error"]["message"].startswith("rate_limit_exceeded: ")
    assert answers[8].json["result"]["content"][0]["text"].startswith("rate_limit_exceeded: ")  # what a model can read


def test_whoever_holds_no_key_takes_nothing_off(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> list[int]:
        keys = ("wrong", "wrong", KEY, KEY)
        return [(await call(app, b"", method="GET", path="/v1/files", key=key)).status for key in keys]

    setup = limited(tmp_path, Bound(Unit.REQUESTS, Period.MINUTE, 1))
    with bench(tmp_path, setup, opener(Scripted(()))) as gateway:
        assert gateway.run(talk) == [401, 401, 200, 429]


def test_calls_are_in_flight_with_requests_for_models_and_what_they_embed_is_not_one_more(tmp_path: Path) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go.wait()

    async def talk(app: Gateway) -> list[int]:
        made = await call(app, b"{}", path="/v1/vector_stores")
        path = f"/v1/vector_stores/{made.json['id']}/documents"
        adding = asyncio.create_task(call(app, {"name": "a", "text": "one two three"}, path=path))
        await begun.wait()
        others = [await call(app, b"", method="GET", path="/v1/files"), await call(app)]
        go.set()
        ended = await adding
        after = await call(app, b"", method="GET", path="/v1/files")
        return [made.status, *(each.status for each in others), ended.status, after.status]

    embedding = Scripted((wait(), VECTOR), operations=frozenset(Operation))
    setup = limited(tmp_path, at_once=1, embedder="edge")
    with bench(tmp_path, setup, opener(embedding)) as gateway:
        assert gateway.run(talk) == [200, 429, 429, 200, 200]


@pytest.mark.parametrize("path", LIMITED)
def test_without_quotas_nothing_is_limited(tmp_path: Path, path: str) -> None:
    setup = config(spec(), batches=BatchSettings(str(tmp_path / "batches.db")))
    with bench(tmp_path, setup, opener(Scripted(()))) as gateway:
        assert gateway.ask(b"", method="GET", path=path).status in {200, 404, 405}
