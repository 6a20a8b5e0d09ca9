"""Lists in pages: each item once, in order, whatever the size of a page; a place that is none is told, not guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import openai
import pytest
from gateway_kit import KEY, Scripted, bench, call, config, opener
from hypothesis import given
from hypothesis import strategies as st

from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.forms.paging import Page, read_page
from cellwright.gateway.knowledge_spec import KnowledgeSpec
from cellwright.gateway.model import BatchSettings
from cellwright.gateway.serve import running
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway


@dataclass(frozen=True)
class Item:
    id: str
    created_s: int


ITEMS = st.lists(st.integers(0, 5), max_size=12).map(lambda made: [Item(f"i{n}", s) for n, s in enumerate(made)])
LISTS = ("/v1/vector_stores", "/v1/files", "/v1/batches")


@given(ITEMS, st.integers(1, 5), st.booleans())
def test_pages_hold_every_item_once_forth_and_back(items: list[Item], limit: int, ascending: bool) -> None:  # noqa: FBT001
    key = lambda item: (item.created_s, item.id)  # noqa: E731 - the order that is promised
    every = sorted(items, key=key, reverse=not ascending)
    seen, more = Page(limit, ascending=ascending).of(items)
    while more:
        page, more = Page(limit, after=seen[-1].id, ascending=ascending).of(items)
        assert page
        seen += page
    assert seen == every
    if every:
        page, more = Page(limit, before=every[-1].id, ascending=ascending).of(items)
        assert page == every[:-1][-limit:]
        assert more is (len(every) - 1 > limit)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *(({"limit": limit}, "limit") for limit in ("", "0", "101", "-1", "1.5", "٣", "9" * 5000)),
        ({"order": "up"}, "order"),
        ({"after": "gone"}, "after"),
        ({"before": "gone"}, "before"),
        ({"after": "a\0"}, "after"),
    ],
)
def test_a_page_that_is_none_is_refused_by_name(query: dict[str, str], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_page(query, 100, 20).of([Item("a", 1)])
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_value", param)


def keeping(folder: Path) -> GatewayConfig:
    file = str(folder / "knowledge.duckdb")
    kept = KnowledgeSpec("site", "embedded", Boundary.PREMISES, SensitivityClass.ANONYMISED, file=file)
    return config(knowledge=(kept,), batches=BatchSettings(str(folder / "batches.db")))


@pytest.mark.parametrize("path", LISTS)
def test_no_list_begins_anew_behind_an_item_that_is_gone(tmp_path: Path, path: str) -> None:
    async def talk(app: Gateway) -> list[Response]:
        asked = ("?after=gone", "?after=a%00", "?limit=x", "")
        return [await call(app, b"", method="GET", path=path + query) for query in asked]

    with bench(tmp_path, keeping(tmp_path), opener(Scripted(()))) as gateway:
        *refused, every = gateway.run(talk)
    assert [(each.status, each.error) for each in refused] == [(400, "invalid_value")] * 3
    assert every.json == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


@pytest.mark.integration
def test_the_official_client_walks_from_page_to_page(tmp_path: Path) -> None:
    with (
        bench(tmp_path, keeping(tmp_path), opener(Scripted(()))) as gateway,
        running(gateway.app) as url,
        openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client,
    ):
        books = [client.vector_stores.create(name=str(number)).id for number in range(5)]
        made = [client.files.create(file=(f"{number}.txt", b"x"), purpose="assistants") for number in range(5)]
        files = [file.id for file in made]
        for file in files:
            client.vector_stores.files.create(books[0], file_id=file)
        assert sorted(each.id for each in client.vector_stores.list(limit=2)) == sorted(books)
        assert sorted(each.id for each in client.files.list(limit=2, purpose="assistants")) == sorted(files)
        assert list(client.files.list(purpose="batch")) == []
        held = client.vector_stores.files.list
        assert sorted(each.id for each in held(books[0], limit=2, order="asc")) == sorted(files)
        assert list(held(books[0], filter="failed")) == []
