"""Collections as clients meet them: added to, searched, deleted; each its tenant's, and within the rules."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import openai
import orjson
import pytest
from aiohttp import web
from gateway_kit import (
    KEY,
    QUESTION,
    RULE,
    Scripted,
    Upstream,
    alive,
    bench,
    call,
    config,
    document,
    opener,
    remote,
    spec,
    whole,
)

from cellwright.errors import StorageError, UsageError
from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.backend import Chunk
from cellwright.gateway.config import load_config
from cellwright.gateway.keys import hash_key
from cellwright.gateway.knowledge.store import Chunking, Document, Library
from cellwright.gateway.knowledge.stores.embedded import EmbeddedStore
from cellwright.gateway.knowledge_spec import KnowledgeSpec
from cellwright.gateway.model import AccessKey, BatchSettings, Route, Rule
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.serve import running
from cellwright.gateway.wire import Operation, Usage
from cellwright.privacy.egress import guard_egress

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from gateway_kit import Bench, Response

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

STORES = "/v1/vector_stores"
OTHER = "a-key-of-another-tenant"
INSIDE = "a-key-on-the-premises"
SUBSCRIBER = "262019876543210"
TICKETS = SensitivityClass.TROUBLE_TICKET
HOME = Rule("tickets-stay", frozenset({TICKETS}), Boundary.PREMISES, "Act 1, article 7")
RULES = (RULE, HOME, Rule("free", frozenset({SensitivityClass.ANONYMISED}), Boundary.NONE, "Act 1, article 9"))
KEYS = (
    AccessKey("tests", "operator", hash_key(KEY)),
    AccessKey("other", "another", hash_key(OTHER)),
    AccessKey("noc", "operator", hash_key(INSIDE), Boundary.PREMISES),
)
FIBRE = "When a cell reports loss of signal, look at the fibre first. A cut fibre is replaced and the port reset."
POWER = "When the mains fail, the battery holds for four hours. Send a generator before that."


def store(folder: Path, **changes: Any) -> KnowledgeSpec:  # noqa: ANN401 - the fields of KnowledgeSpec
    file = str(folder / "knowledge.duckdb")
    made = KnowledgeSpec("site", "embedded", Boundary.PREMISES, SensitivityClass.ANONYMISED, file=file)
    return replace(made, **changes)


def setup(folder: Path, *backends: Any, **changes: Any) -> GatewayConfig:  # noqa: ANN401 - as in gateway_kit
    values = {"keys": KEYS, "rules": RULES, "knowledge": (store(folder),)}
    return config(*(backends or (spec(), remote())), **(values | changes))


class Talk:
    """Asks one application as clients do."""

    def __init__(self, app: Gateway, key: str = KEY) -> None:
        self._app = app
        self._key = key

    async def __call__(self, method: str, path: str, body: object = b"", **headers: str) -> Response:
        return await call(self._app, body, path=path, method=method, key=self._key, headers=headers or None)

    async def ok(self, method: str, path: str, body: object = b"") -> Any:  # noqa: ANN401 - JSON
        response = await self(method, path, body)
        assert response.status == 200, response.body
        return response.json

    async def make(self, *documents: tuple[str, str], **metadata: str) -> str:
        made = await self.ok("POST", STORES, {"name": "runbooks", "metadata": metadata})
        for name, text in documents:
            await self.ok("POST", f"{STORES}/{made['id']}/documents", {"name": name, "text": text})
        return str(made["id"])

    async def search(self, id: str, query: str, **body: object) -> Response:  # noqa: A002 - the word of the interface
        return await self("POST", f"{STORES}/{id}/search", {"query": query} | body)


def run(gateway: Bench, talk: Coroutine[object, object, Any]) -> Any:  # noqa: ANN401 - what the talk returns
    return gateway.run(lambda _: talk)


@contextlib.contextmanager
def opened(folder: Path, setup: GatewayConfig, *backends: Scripted, guard: Any = guard_egress) -> Iterator[Bench]:  # noqa: ANN401
    given = backends or tuple(Scripted((whole(usage=Usage(3, 2)),)) for _ in setup.backends)
    with bench(folder, setup, opener(*given), guard=guard) as gateway:
        yield gateway


def test_what_is_added_is_found_replaced_and_deleted(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        ask = Talk(app)
        id = await ask.make(("fibre.md", FIBRE), ("power.md", POWER))  # noqa: A001 - its name
        page = (await ask.search(id, "loss of signal on a fibre", max_num_results=1)).json
        assert page["object"] == "vector_store.search_results.page"
        (found,) = page["data"]
        assert (found["filename"], found["content"][0]["text"]) == ("fibre.md", FIBRE)
        assert 0 < found["score"] <= 1
        changed = FIBRE.replace("cut fibre", "broken fibre")
        await ask.ok("POST", f"{STORES}/{id}/documents", {"name": "fibre.md", "text": changed})
        texts = [each["content"][0]["text"] for each in (await ask.search(id, "fibre")).json["data"]]
        assert changed in texts
        assert FIBRE not in texts
        about = await ask.ok("GET", f"{STORES}/{id}")
        assert about["file_counts"]["total"] == 2
        assert about["cellwright"]["embedder"] == "cellwright-lexical-1"
        listed = (await ask.ok("GET", f"{STORES}/{id}/files"))["data"]
        power = next(each["id"] for each in listed if each["cellwright"]["name"] == "power.md")
        assert (await ask.ok("GET", f"{STORES}/{id}/files/{power}/content"))["data"][0]["text"] == POWER
        assert (await ask.ok("DELETE", f"{STORES}/{id}/files/{power}"))["deleted"] is True
        assert "power.md" not in {each["filename"] for each in (await ask.search(id, "battery")).json["data"]}
        assert (await ask.ok("DELETE", f"{STORES}/{id}"))["deleted"] is True
        assert (await ask.search(id, "fibre")).status == 404
        assert (await ask.ok("GET", STORES))["data"] == []

    with opened(tmp_path, setup(tmp_path)) as gateway:
        gateway.run(talk)


def test_collections_outlive_the_gateway_and_their_file_is_their_owners(tmp_path: Path) -> None:
    with opened(tmp_path, setup(tmp_path)) as gateway:
        id = gateway.run(lambda app: Talk(app).make(("fibre.md", FIBRE)))  # noqa: A001 - its name
    assert (tmp_path / "knowledge.duckdb").stat().st_mode & 0o077 == 0
    with opened(tmp_path, setup(tmp_path)) as gateway:
        found = gateway.run(lambda app: Talk(app).search(id, "fibre")).json["data"]
    assert [each["filename"] for each in found] == ["fibre.md"]


def test_what_is_another_tenants_is_not_there(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        ask, other = Talk(app), Talk(app, OTHER)
        id = await ask.make(("fibre.md", FIBRE))  # noqa: A001 - its name
        file = (await ask.ok("GET", f"{STORES}/{id}/files"))["data"][0]["id"]
        assert (await other.ok("GET", STORES))["data"] == []
        one = f"{STORES}/{id}"
        for method, path, body in (
            ("GET", one, b""),
            ("POST", one, {"name": "mine"}),
            ("DELETE", one, b""),
            ("POST", f"{one}/search", {"query": "fibre"}),
            ("POST", f"{one}/documents", {"name": "x", "text": "y"}),
            ("GET", f"{one}/files", b""),
            ("GET", f"{one}/files/{file}", b""),
            ("GET", f"{one}/files/{file}/content", b""),
            ("DELETE", f"{one}/files/{file}", b""),
        ):
            assert (await other(method, path, body)).status == 404, (method, path)
        assert (await Talk(app, "no-key")("GET", one)).status == 401
        assert (await ask.ok("GET", one))["name"] == "runbooks"

    with opened(tmp_path, setup(tmp_path)) as gateway:
        gateway.run(talk)


def test_a_caller_is_told_what_may_go_to_where_it_stands_and_how_much_may_not(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        ask, noc = Talk(app), Talk(app, INSIDE)
        named = f"The subscriber with IMSI {SUBSCRIBER} reported loss of signal on the fibre."
        id = await ask.make(("fibre.md", FIBRE), ("case.md", named))  # noqa: A001 - its name
        page = (await ask.search(id, "loss of signal on the fibre")).json
        assert [each["filename"] for each in page["data"]] == ["fibre.md"]
        assert page["cellwright"]["held_back"] == 1
        page = (await noc.search(id, "loss of signal on the fibre")).json
        assert {each["filename"] for each in page["data"]} == {"fibre.md", "case.md"}
        tickets = await ask.make(("ticket-1", FIBRE), data_class="trouble_ticket")
        page = (await ask.search(tickets, "fibre")).json
        assert (page["data"], page["cellwright"]["held_back"]) == ([], 1)
        assert len((await noc.search(tickets, "fibre")).json["data"]) == 1
        file = (await ask.ok("GET", f"{STORES}/{tickets}/files"))["data"][0]["id"]
        assert (await ask("GET", f"{STORES}/{tickets}/files/{file}/content")).error == "sovereignty"

    with opened(tmp_path, setup(tmp_path)) as gateway:
        gateway.run(talk)


def test_a_store_outside_the_boundary_of_a_class_takes_none_of_it(tmp_path: Path) -> None:
    abroad = setup(tmp_path, knowledge=(store(tmp_path, boundary=Boundary.NONE),))
    body = {"name": "x", "metadata": {"data_class": "trouble_ticket"}}
    with opened(tmp_path, abroad) as gateway:
        response = gateway.run(lambda app: Talk(app)("POST", STORES, body))
    assert (response.status, response.error) == (403, "sovereignty")
    assert "tickets-stay" in response.body.decode()


def test_each_backend_is_given_the_passages_that_may_go_there_and_to_the_caller(tmp_path: Path) -> None:
    edge, cloud = Scripted((whole(usage=Usage(3, 2)),) * 2), Scripted((whole(usage=Usage(3, 2)),) * 2)

    async def talk(app: Gateway) -> list[Response]:
        ask, outside = Talk(app, INSIDE), Talk(app)
        free = await ask.make(("fibre.md", FIBRE))
        kept = await ask.make(
            ("ticket-1", "Ticket: loss of signal at site 7, a fibre was cut."), data_class="trouble_ticket"
        )
        tool = {"type": "file_search", "vector_store_ids": [free, kept]}
        function = {"type": "function", "function": {"name": "f"}}
        body = {"messages": [{"role": "user", "content": "Why loss of signal on a fibre?"}], "tools": [tool, function]}
        return [
            await by("POST", "/v1/chat/completions", body | {"model": f"model-{name}"})
            for by, name in ((ask, "edge"), (ask, "cloud"), (outside, "edge"))
        ]

    with opened(tmp_path, setup(tmp_path), edge, cloud) as gateway:
        near, far, away = gateway.run(talk)
    assert (near.headers["x-cellwright-passages"], near.headers["x-cellwright-passages-held-back"]) == ("2", "0")
    assert (far.headers["x-cellwright-passages"], far.headers["x-cellwright-passages-held-back"]) == ("1", "1")
    assert far.headers["x-cellwright-citations"] == "[1] fibre.md"
    (given,) = (request.body for request in cloud.asked)
    assert [message["role"] for message in given["messages"]] == ["system", "user"]
    assert FIBRE in given["messages"][0]["content"]
    assert "Ticket" not in orjson.dumps(given).decode()
    assert given["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert "Ticket" in edge.asked[0].body["messages"][0]["content"]
    assert (away.headers["x-cellwright-passages"], away.headers["x-cellwright-passages-held-back"]) == ("1", "1")
    assert "Ticket" not in orjson.dumps(edge.asked[1].body).decode()


def test_a_route_gives_requests_passages_of_its_knowledge_that_have_to_do_with_them(tmp_path: Path) -> None:
    backend = Scripted((whole(usage=Usage(3, 2)),))
    routes = (Route("auto", ("edge",), knowledge=("runbooks", "absent")),)
    near = QUESTION | {"messages": [{"role": "user", "content": "Why is there loss of signal on a fibre?"}]}

    async def talk(app: Gateway) -> list[Response]:
        await Talk(app).make(("fibre.md", FIBRE))
        return [await Talk(app)("POST", "/v1/chat/completions", body) for body in (near, QUESTION)]

    with opened(tmp_path, setup(tmp_path, spec(), routes=routes), backend) as gateway:
        given = [response.headers["x-cellwright-passages"] for response in gateway.run(talk)]
    assert given == ["1", "0"]
    assert FIBRE in backend.asked[0].body["messages"][0]["content"]
    assert backend.asked[0].body["messages"][-1] == near["messages"][0]  # type: ignore[index]
    assert backend.asked[1].body["messages"] == QUESTION["messages"]


def test_a_collection_that_is_not_there_is_told(tmp_path: Path) -> None:
    body = QUESTION | {"tools": [{"type": "file_search", "vector_store_ids": ["vs_0"]}]}
    with opened(tmp_path, setup(tmp_path)) as gateway:
        response = gateway.run(lambda app: Talk(app)("POST", "/v1/chat/completions", body))
    assert (response.status, response.error) == (404, "not_found")


def test_filters_thresholds_and_counts_choose_among_documents(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        ask = Talk(app)
        id = await ask.make()  # noqa: A001 - its name
        for year in range(2020, 2027):
            body = {"name": f"{year}.md", "text": f"{FIBRE} In {year}.", "attributes": {"year": year}}
            await ask.ok("POST", f"{STORES}/{id}/documents", body)
        late = {"type": "gte", "key": "year", "value": 2025}
        page = (await ask.search(id, "fibre", filters=late)).json
        assert {each["attributes"]["year"] for each in page["data"]} == {2025, 2026}
        none = {"type": "eq", "key": "year", "value": 1}
        assert (await ask.search(id, "fibre", filters=none)).json["data"] == []
        assert len((await ask.search(id, "fibre", max_num_results=3)).json["data"]) == 3
        assert (await ask.search(id, "bread", ranking_options={"score_threshold": 0.9})).json["data"] == []

    with opened(tmp_path, setup(tmp_path)) as gateway:
        gateway.run(talk)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("documents", {"name": "x"}, "invalid_type"),
        ("documents", {"name": "x", "text": " \n"}, "empty_document"),
        ("documents", {"text": "x"}, "invalid_type"),
        ("documents", {"name": "x", "text": "y", "attributes": []}, "invalid_attributes"),
        ("documents", {"name": "x", "text": "y", "chunking_strategy": {"type": "static"}}, "invalid_value"),
        ("files", {"file_id": "file-0"}, "not_found"),
        ("files", {}, "invalid_type"),
        ("search", {}, "invalid_value"),
        ("search", {"query": 7}, "invalid_type"),
        ("search", {"query": "x", "max_num_results": 0}, "invalid_value"),
        ("search", {"query": "x", "filters": {"type": "?"}}, "invalid_filter"),
        ("search", b"{", "invalid_json"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, path: str, body: object, code: str) -> None:
    async def talk(app: Gateway) -> Response:
        return await Talk(app)("POST", f"{STORES}/{await Talk(app).make(('a', FIBRE))}/{path}", body)

    with opened(tmp_path, setup(tmp_path)) as gateway:
        response = gateway.run(talk)
    assert response.status in {400, 404}
    assert response.error == code


class Embedding(Scripted):
    """A backend whose vectors tell how long texts are, and count their letters."""

    def __init__(self) -> None:
        super().__init__((), operations=frozenset({Operation.EMBEDDINGS}))

    async def answer(self, request: Any) -> Any:  # noqa: ANN401 - as Scripted
        self.asked.append(request)
        data = [
            {"index": index, "embedding": [text.count("fibre") + 0.1, text.count("battery") + 0.1, 0.5]}
            for index, text in enumerate(request.inputs)
        ]
        yield Chunk(orjson.dumps({"data": list(reversed(data))}), "", Usage(7, 0))


def test_a_backend_embeds_within_the_rules_and_is_metered(tmp_path: Path) -> None:
    backend = Embedding()
    knowledge = (store(tmp_path, embedder="cloud"),)

    async def talk(app: Gateway) -> Response:
        ask = Talk(app)
        refused = await ask("POST", STORES, {"name": "x", "metadata": {"data_class": "trouble_ticket"}})
        assert refused.error == "sovereignty"
        return await ask.search(await ask.make(("fibre.md", FIBRE), ("power.md", POWER)), "battery")

    with opened(tmp_path, setup(tmp_path, remote(), knowledge=knowledge), backend) as gateway:
        page = gateway.run(talk).json
        rows = list(gateway.meter.rows())
    assert page["data"][0]["filename"] == "power.md"
    assert [row.tokens_in for row in rows] == [7, 7, 7]
    assert {(row.operation, row.backend, row.tenant) for row in rows} == {("embeddings", "cloud", "operator")}
    assert all(row.cost_in_nano for row in rows)

    async def again(app: Gateway) -> Response:
        listed = (await Talk(app).ok("GET", STORES))["data"]
        return await Talk(app).search(listed[0]["id"], "battery")

    with opened(tmp_path, setup(tmp_path)) as gateway:
        response = gateway.run(again)
    assert (response.status, response.error) == (409, "embedder_changed")


def test_embeddings_of_collections_keep_to_the_quota_of_their_asker(tmp_path: Path) -> None:
    backend = Embedding()
    quota = Quota(Holder.TENANT, "operator", (Bound(Unit.REQUESTS, Period.MONTH, 4 + 3),), at_once=1)
    given = setup(tmp_path, remote(), knowledge=(store(tmp_path, embedder="cloud"),), quotas=(quota,))

    async def talk(app: Gateway) -> list[Response]:
        ask = Talk(app)
        id = await ask.make(("fibre.md", FIBRE), ("power.md", POWER))  # noqa: A001 - its name
        return [await ask.search(id, "battery") for _ in range(2)]

    with opened(tmp_path, given, backend) as gateway:
        last, beyond = gateway.run(talk)
        rows = list(gateway.meter.rows())
    assert (last.status, beyond.status, beyond.error) == (200, 429, "insufficient_quota")
    assert len(backend.asked) == len(rows) == 3


def test_a_request_that_is_searched_for_is_one_in_flight_with_what_it_embeds(tmp_path: Path) -> None:
    quota = Quota(Holder.TENANT, "operator", (), at_once=1)
    knowledge = (store(tmp_path, embedder="cloud"),)
    given = setup(tmp_path, remote(), spec(), knowledge=knowledge, quotas=(quota,))

    async def talk(app: Gateway) -> Response:
        id = await Talk(app).make(("fibre.md", FIBRE))  # noqa: A001 - its name
        body = QUESTION | {"model": "model-edge", "tools": [{"type": "file_search", "vector_store_ids": [id]}]}
        return await Talk(app)("POST", "/v1/chat/completions", body)

    with opened(tmp_path, given, Embedding(), Scripted((whole(),))) as gateway:
        response = gateway.run(talk)
    assert (response.status, response.headers["x-cellwright-passages"]) == (200, "1")


def test_each_time_that_a_backend_embeds_for_one_request_is_a_row_of_its_own(tmp_path: Path) -> None:
    given = setup(tmp_path, remote(), spec(), knowledge=(store(tmp_path, embedder="cloud"),))

    async def talk(app: Gateway) -> Response:
        ids = [await Talk(app).make(document) for document in (("fibre.md", FIBRE), ("power.md", POWER))]
        tools = [{"type": "file_search", "vector_store_ids": asked} for asked in (ids, ids[:1])]
        return await Talk(app)("POST", "/v1/chat/completions", QUESTION | {"model": "model-edge", "tools": tools})

    with opened(tmp_path, given, Embedding(), Scripted((whole(),))) as gateway:
        assert gateway.run(talk).status == 200
        assert len([row for row in gateway.meter.rows() if row.operation == "embeddings"]) == 2 + 3
        assert gateway.meter.healthy


def test_a_site_is_searched_by_its_gateway_and_only_passages_travel(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("oslo", "centre")]
    for folder in folders:
        folder.mkdir()
    oslo, centre = folders
    keys = (AccessKey("centre", "operator", hash_key("centre-key"), Boundary.COUNTRY), *KEYS)
    with opened(oslo, setup(oslo, keys=keys)) as site, running(site.app) as url:
        id = asyncio.run(_filled(site.app))  # noqa: A001 - its name
        spec_of = KnowledgeSpec(
            "oslo", "gateway", Boundary.PREMISES, SensitivityClass.ANONYMISED, frozenset({"operator"}), base_url=url
        )
        far = setup(centre, remote(), knowledge=(replace(spec_of, api_key_env="OSLO_KEY"),))
        backend = Scripted((whole(usage=Usage(3, 2)),))
        secrets = {"OSLO_KEY": "centre-key"}
        with (
            bench(centre, far, opener(backend), guard=guard_egress, secrets=secrets) as hub,
        ):
            answers = hub.run(lambda app: _asked(app, f"oslo.{id}"))
    searched, chat, foreign, unknown = answers
    assert [each["filename"] for each in searched.json["data"]] == ["fibre.md"]
    assert searched.json["cellwright"]["held_back"] == 1
    assert (chat.headers["x-cellwright-passages"], chat.headers["x-cellwright-passages-held-back"]) == ("1", "1")
    assert FIBRE in backend.asked[0].body["messages"][0]["content"]
    assert foreign.status == 404
    assert (unknown.status, unknown.error) == (404, "not_found")
    assert unknown.json["error"]["message"].startswith("site oslo has no such collection")


async def _filled(app: Gateway) -> str:
    named = f"The subscriber with IMSI {SUBSCRIBER} reported loss of signal on the fibre."
    return await Talk(app).make(("fibre.md", FIBRE), ("case.md", named))


async def _asked(app: Gateway, id: str) -> tuple[Response, ...]:  # noqa: A002 - the word of the interface
    body = QUESTION | {"tools": [{"type": "file_search", "vector_store_ids": [id]}]}
    return (
        await Talk(app).search(id, "fibre"),
        await Talk(app)("POST", "/v1/chat/completions", body),
        await Talk(app, OTHER).search(id, "fibre"),
        await Talk(app).search(f"{id}0", "fibre"),
    )


@pytest.mark.parametrize("collection", ["vs_1/../../batches/b/cancel?", "vs_1#", "vs 1"])
def test_a_site_is_told_the_class_of_a_query_and_asked_for_nothing_but_a_search(
    tmp_path: Path, collection: str
) -> None:
    upstream = Upstream(_finds_nothing)

    async def talk() -> Response:
        async with upstream.open():
            far = KnowledgeSpec(
                "oslo", "gateway", Boundary.NONE, TICKETS, frozenset({"operator"}), base_url=upstream.url
            )
            free = Rule("free", frozenset({TICKETS}), Boundary.NONE, "Act 1, article 9")
            with opened(tmp_path, setup(tmp_path, remote(), knowledge=(far,), rules=(free,))) as gateway:
                tool = {"type": "file_search", "vector_store_ids": [f"oslo.{collection}"]}
                headers = {"x-cellwright-data-class": "trouble_ticket"}
                async with alive(gateway.app) as app:
                    return await call(app, QUESTION | {"tools": [tool]}, headers=headers)

    assert asyncio.run(talk()).status == 200
    assert upstream.paths == [f"/v1/vector_stores/{quote(collection, safe='')}/search"]
    assert upstream.headers[0]["x-cellwright-data-class"] == "trouble_ticket"


async def _finds_nothing(_: web.Request) -> web.StreamResponse:
    return web.json_response({"object": "vector_store.search_results.page", "data": []})


def test_tools_that_are_no_list_are_the_backends_to_refuse(tmp_path: Path) -> None:
    with opened(tmp_path, setup(tmp_path)) as gateway:
        assert gateway.ask(QUESTION | {"tools": 5}).status == 200


def test_a_tenant_keeps_as_much_as_its_store_lets_it(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> list[Response]:
        path = f"{STORES}/{await Talk(app).make()}/documents"
        return [await Talk(app)("POST", path, {"name": name, "text": FIBRE}) for name in ("a", "b")]

    with opened(tmp_path, setup(tmp_path, knowledge=(store(tmp_path, tenant_bytes=4_000),))) as gateway:
        kept, refused = gateway.run(talk)
    assert (kept.status, refused.status, refused.error) == (200, 413, "knowledge-full")
    assert "and 4000 are the most" in refused.json["error"]["message"]


def test_nothing_with_nul_in_it_is_kept(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> list[Response]:
        ask = Talk(app)
        id = await ask.make(("a", "a \\\\u0000 that is spelled out"))  # noqa: A001 - its name
        path, text = f"{STORES}/{id}/documents", {"name": "b", "text": "c"}
        bodies = [text | {"text": "a\0b"}, text | {"name": "\0"}, text | {"attributes": {"k\0": 1}}]
        given = [await ask("POST", path, body) for body in bodies]
        given += [await ask("POST", STORES, {"metadata": {"a": "\\\0"}})]
        given += [await ask("POST", f"{STORES}/{id}/search", {"query": "\0"})]
        form = b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--b\r\n'
        form += b'content-disposition: form-data; name="file"; filename="%b"\r\n\r\na\0b\r\n--b--\r\n'
        kind = {"content-type": "multipart/form-data; boundary=b"}
        given += [await ask("POST", "/v1/files", form % b"a\0", **kind)]
        kept = (await ask("POST", "/v1/files", form % b"a", **kind)).json["id"]
        given += [await ask("POST", f"{STORES}/{id}/files", {"file_id": kept})]
        absent = [await ask("GET", f"{each}%00") for each in (f"{STORES}/{id}", f"/v1/files/{kept}", "/v1/batches/a")]
        tool = {"type": "file_search", "vector_store_ids": ["vs_\0"]}
        absent += [await ask("POST", f"{STORES}/{id}/files", {"file_id": "a"})]
        return [*given, *absent, await ask("POST", "/v1/chat/completions", QUESTION | {"tools": [tool]})]

    batches = BatchSettings(str(tmp_path / "batches.db"))
    with opened(tmp_path, setup(tmp_path, batches=batches)) as gateway:
        answers = gateway.run(talk)
    assert [each.status for each in answers] == [400] * 7 + [404] * 5


def test_the_official_client_works_unchanged(tmp_path: Path) -> None:
    batches = BatchSettings(str(tmp_path / "batches.db"))
    with (
        opened(tmp_path, setup(tmp_path, batches=batches)) as gateway,
        running(gateway.app) as url,
        openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client,
    ):
        file = client.files.create(file=("fibre.md", FIBRE.encode()), purpose="assistants")
        assert (file.filename, file.bytes, file.status) == ("fibre.md", len(FIBRE), "processed")
        made = client.vector_stores.create(name="runbooks", metadata={"team": "noc"})
        held = client.vector_stores.files.create(made.id, file_id=file.id, attributes={"year": 2026})
        assert (held.id, held.status, held.attributes) == (file.id, "completed", {"year": 2026})
        found = client.vector_stores.search(made.id, query="loss of signal").data
        assert (found[0].file_id, found[0].content[0].text) == (file.id, FIBRE)
        assert [each.id for each in client.vector_stores.list()] == [made.id]
        assert client.vector_stores.retrieve(made.id).file_counts.completed == 1
        assert client.vector_stores.update(made.id, name="books").name == "books"
        assert [each.id for each in client.vector_stores.files.list(made.id)] == [file.id]
        assert [each.text for each in client.vector_stores.files.content(file.id, vector_store_id=made.id)] == [FIBRE]
        assert client.vector_stores.files.delete(file.id, vector_store_id=made.id).deleted
        assert client.vector_stores.delete(made.id).deleted
        assert [each.id for each in client.files.list()] == [file.id]
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.retrieve(made.id)


def test_a_store_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "knowledge.duckdb").write_text("no database at all, but some text that is long enough")
    with pytest.raises(StorageError, match=r"knowledge\.duckdb"):
        EmbeddedStore(tmp_path / "knowledge.duckdb")
    with (
        pytest.raises(UsageError, match="no file"),
        opened(tmp_path, setup(tmp_path, knowledge=(store(tmp_path, file=None),))),
    ):
        pass
    lacking = setup(tmp_path, knowledge=(store(tmp_path, embedder="edge"),))
    with pytest.raises(UsageError, match="no embeddings"), opened(tmp_path, lacking):
        pass


def test_a_change_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    kept = EmbeddedStore(tmp_path / "knowledge.duckdb")
    library = Library("vs_1", "operator", "x", TICKETS, 1, "e", 2)
    kept.put(library)
    document = Document("file-1", "a.md", 1, 1, {}, Chunking(), 1)
    kept.add(library, document, ["first"], np.ones((1, 2), np.float32))
    with pytest.raises(StorageError):
        kept.add(library, replace(document, id="file-2"), ["second"], np.ones((1, 3), np.float32))
    assert kept.texts(library, "file-1") == ["first"]
    assert [each.id for each in kept.documents(library)] == ["file-1"]
    kept.add(library, replace(document, id="file-3"), ["third"], np.ones((1, 2), np.float32))
    assert [hit.text for hit in kept.search(library, np.ones(2, np.float32), None, 5)] == ["third"]
    kept.close()


def test_the_document_says_where_collections_live() -> None:
    text = document("""
  backends: [{name: edge, type: reasoner, model: m, tier: onprem, boundary: premises}]
  routes: [{name: auto, backends: [edge], knowledge: [runbooks]}]
  knowledge:
    - {name: site, type: embedded, boundary: premises, dataClass: trouble_ticket, file: k.duckdb}
    - {name: oslo, type: gateway, boundary: country, dataClass: anonymised, tenants: [b], baseUrl: 'https://oslo.example/v1'}
""")
    built = load_config(text, "g.yaml")
    assert [each.name for each in built.knowledge] == ["site", "oslo"]
    assert built.routes[0].knowledge == ("runbooks",)
    for wrong, told in (("embedded", "no type of knowledge store"), ("tenants: [b], ", "names the tenants")):
        with pytest.raises(UsageError) as refused:
            load_config(text.replace(wrong, "embeded" if wrong == "embedded" else ""), "g.yaml")
        assert told in str(refused.value)
