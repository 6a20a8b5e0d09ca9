"""A collection is made with all the files it is asked for or not at all, and stays deleted once it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from gateway_kit import KEY, Scripted, call, remote, spec, whole
from test_gateway_knowledge import FIBRE, POWER, STORES, Embedding, Talk, opened, setup, store

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError
from cellwright.gateway.model import BatchSettings
from cellwright.gateway.serve import running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

KIND = {"content-type": "multipart/form-data; boundary=b"}
FORM = (
    '--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    '--b\r\ncontent-disposition: form-data; name="file"; filename="{}"\r\n\r\n'
)
DOWN = BackendError(Diagnostic("upstream_unreachable", "backend cloud cannot be reached"))


def filed(folder: Path, **changes: object) -> GatewayConfig:
    """Return a gateway that keeps uploads, and collections as `changes` say."""
    batches = BatchSettings(str(folder / "batches.db"))
    return setup(folder, remote(), knowledge=(store(folder, **changes),), batches=batches)


async def uploaded(app: Gateway, *contents: bytes) -> list[str]:
    bodies = [
        FORM.format(f"{number}.md").encode() + content + b"\r\n--b--\r\n" for number, content in enumerate(contents)
    ]
    return [(await Talk(app)("POST", "/v1/files", body, **KIND)).json["id"] for body in bodies]


async def kept(app: Gateway) -> list[str]:
    return [each["name"] for each in (await Talk(app).ok("GET", STORES))["data"]]


async def made(app: Gateway, *file_ids: str, name: str = "runbooks") -> Response:
    return await Talk(app)("POST", STORES, {"name": name, "file_ids": file_ids})


def test_a_collection_is_made_with_its_files(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> Response:
        return await made(app, *await uploaded(app, FIBRE.encode(), POWER.encode()))

    with opened(tmp_path, filed(tmp_path)) as gateway:
        assert gateway.run(talk).json["file_counts"]["completed"] == 2


@pytest.mark.integration
def test_the_official_client_adds_several_files_and_waits_for_them(tmp_path: Path) -> None:
    with (
        opened(tmp_path, filed(tmp_path)) as gateway,
        running(gateway.app) as url,
        openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client,
    ):
        books = client.vector_stores.create(name="runbooks")
        files = [("fibre.md", FIBRE.encode()), ("power.md", POWER.encode())]
        batch = client.vector_stores.file_batches.upload_and_poll(books.id, files=files)
        assert (batch.status, batch.file_counts.completed, batch.vector_store_id) == ("completed", 2, books.id)
        names = {each.filename for each in client.vector_stores.search(books.id, query="mains").data}
        ids = [client.files.create(file=("a.md", FIBRE.encode()), purpose="assistants").id, "file-none"]
        with pytest.raises(openai.NotFoundError, match="file-none"):
            client.vector_stores.file_batches.create(books.id, file_ids=ids)
        with pytest.raises(openai.BadRequestError, match="file_ids"):
            client.vector_stores.file_batches.create(books.id)
        for batch_id, library in (("vsfb_1", books.id), (batch.id, "vs_none")):
            with pytest.raises(openai.NotFoundError):
                client.vector_stores.file_batches.retrieve(batch_id, vector_store_id=library)
        assert client.vector_stores.retrieve(books.id).file_counts.total == 2
    assert names == {"fibre.md", "power.md"}


@pytest.mark.integration
def test_the_official_client_has_a_response_search_files(tmp_path: Path) -> None:
    edge = Scripted((whole(),))
    with (
        opened(tmp_path, setup(tmp_path, spec()), edge) as gateway,
        running(gateway.app) as url,
        openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client,
    ):
        books = client.vector_stores.create(name="runbooks", extra_body={"metadata": {"data_class": "anonymised"}})
        client.post(f"/vector_stores/{books.id}/documents", cast_to=object, body={"name": "a", "text": FIBRE})
        tool = {"type": "file_search", "vector_store_ids": [books.id], "max_num_results": 3}
        said = client.responses.create(model="auto", input="loss of signal", tools=[tool]).output_text
        with pytest.raises(openai.NotFoundError, match="vs_none"):
            client.responses.create(model="auto", input="x", tools=[tool | {"vector_store_ids": ["vs_none"]}])
    (asked,) = edge.asked
    assert said == "four five"
    assert "tools" not in asked.body
    assert FIBRE in asked.body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("last", "status", "error"),
    [
        (None, 404, "not_found"),
        (b"\xff\xfe", 400, "unsupported_file"),
        (b" \n", 400, "empty_document"),
        (POWER.encode() * 9, 413, "knowledge-full"),
    ],
)
def test_a_file_that_cannot_be_added_leaves_no_collection(
    tmp_path: Path, last: bytes | None, status: int, error: str
) -> None:
    async def talk(app: Gateway) -> tuple[Response, list[str], Response]:
        first, second = [*await uploaded(app, FIBRE.encode(), *([last] if last else [])), "file-none"][:2]
        refused = await made(app, first, second)
        return refused, await kept(app), await made(app, first, name="again")

    with opened(tmp_path, filed(tmp_path, tenant_bytes=4_000)) as gateway:
        refused, names, again = gateway.run(talk)
    assert (refused.status, refused.error) == (status, error)
    assert (names, again.status) == ([], 200)


def test_what_is_wrong_with_files_is_told_before_any_is_embedded(tmp_path: Path) -> None:
    embedding = Embedding()

    async def talk(app: Gateway) -> list[str]:
        (first,) = await uploaded(app, FIBRE.encode())
        few = {"name": "x", "file_ids": [first]}
        bodies = (
            few | {"attributes": 5},
            few | {"chunking_strategy": {"type": "none"}},
            few | {"file_ids": [first] * 501},
            few | {"file_ids": [first, *await uploaded(app, b"of the same name")]},
        )
        answers = [await made(app, first, "file-none"), *[await Talk(app)("POST", STORES, body) for body in bodies]]
        return [each.error for each in answers]

    with opened(tmp_path, filed(tmp_path, embedder="cloud"), embedding) as gateway:
        assert gateway.run(talk) == ["not_found", "invalid_attributes", *["invalid_value"] * 3]
    assert not embedding.asked


def test_an_embedder_that_fails_leaves_no_collection(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> tuple[Response, list[str]]:
        return await made(app, *await uploaded(app, FIBRE.encode(), POWER.encode())), await kept(app)

    with opened(tmp_path, filed(tmp_path, embedder="cloud"), Interrupted(_fail)) as gateway:
        refused, names = gateway.run(talk)
    assert (refused.error, names) == ("upstream_unreachable", [])


def test_a_client_that_leaves_leaves_no_collection(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def leave() -> None:
        gone.set()
        await asyncio.Event().wait()

    async def talk(app: Gateway) -> list[str]:
        body = {"name": "x", "file_ids": await uploaded(app, FIBRE.encode(), POWER.encode())}
        await call(app, body, path=STORES, gone=gone)
        return await kept(app)

    with opened(tmp_path, filed(tmp_path, embedder="cloud"), Interrupted(leave)) as gateway:
        assert gateway.run(talk) == []
    assert gone.is_set()


def test_a_collection_that_is_changed_while_its_first_text_is_embedded_stays_changed(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        ask = Talk(app)
        ids = [await ask.make() for _ in range(2)]
        changes = iter((ask.ok("DELETE", f"{STORES}/{ids[0]}"), ask.ok("POST", f"{STORES}/{ids[1]}", {"name": "new"})))

        async def change() -> None:
            await next(changes)

        embedding.then = change
        added = [await ask("POST", f"{STORES}/{id}/documents", {"name": "a", "text": FIBRE}) for id in ids]  # noqa: A001 - its name
        assert [each.status for each in added] == [404, 200]
        assert await kept(app) == ["new"]

    embedding = Interrupted(_fail, after=0)
    with opened(tmp_path, filed(tmp_path, embedder="cloud"), embedding) as gateway:
        gateway.run(talk)


async def _fail() -> None:
    raise DOWN


class Interrupted(Embedding):
    """Has something happen before it answers once more."""

    def __init__(self, then: Callable[[], Awaitable[None]], after: int = 1) -> None:
        super().__init__()
        self.then = then
        self._after = after

    async def answer(self, request: Any) -> Any:  # noqa: ANN401 - as inherited
        if len(self.asked) >= self._after:
            await self.then()
        async for chunk in super().answer(request):
            yield chunk
