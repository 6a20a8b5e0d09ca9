"""Every store of collections keeps what it is given, for its tenant alone, and gives the nearest first."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import postgresql_kit
import pytest

from cellwright.errors import StorageError, UsageError
from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.knowledge.store import Chunking, Document, Library
from cellwright.gateway.knowledge_spec import KnowledgeSpec
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwright.gateway.knowledge.store import OpenStore, Store

CLASS = SensitivityClass.TROUBLE_TICKET
LIBRARY = Library("vs_1", "operator", "runbooks", CLASS, 1, "e", 2, {"team": "noc"})
DOCUMENT = Document("file-1", "a.md", 5, 2, {"year": 2026, "open": True}, Chunking(60, 10), 2)


def opened(kind: str, environ: dict[str, str], file: str | None = None) -> Store:
    openers: PluginSet[OpenStore] = PluginSet("knowledge")
    spec = KnowledgeSpec("site", kind, Boundary.PREMISES, CLASS, file=file, url_env="URL")
    return openers.get(kind)(spec, environ)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if not postgresql_kit.has_vectors():
        pytest.skip("SKIPPED LOUDLY: no PostgreSQL with the extension vector here; the pgvector store goes untested")
    with postgresql_kit.running() as url:
        yield url


@pytest.fixture(params=["embedded", "pgvector"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    environ = {"URL": request.getfixturevalue("server")} if request.param == "pgvector" else {}
    kept = opened(request.param, environ, str(tmp_path / "k.duckdb"))
    with contextlib.closing(kept):
        for tenant in ("operator", "another"):
            for library in kept.libraries(tenant):
                kept.drop(library)
        yield kept


def vectors(*rows: tuple[float, float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_what_is_kept_reads_back(store: Store) -> None:
    store.put(replace(LIBRARY, dimensions=None))
    store.put(LIBRARY)
    store.add(LIBRARY, DOCUMENT, ["first", "second"], vectors((1, 0), (0, 1)))
    assert store.libraries("operator") == [LIBRARY]
    assert store.library("operator", "vs_1") == LIBRARY
    assert store.documents(LIBRARY) == [DOCUMENT]
    assert store.texts(LIBRARY, "file-1") == ["first", "second"]


def test_the_nearest_come_first_and_only_of_the_documents_asked_for(store: Store) -> None:
    store.put(LIBRARY)
    store.add(LIBRARY, DOCUMENT, ["first", "second"], vectors((1, 0), (0, 1)))
    store.add(LIBRARY, replace(DOCUMENT, id="file-2", name="b.md", passages=1), ["third"], vectors((2, 1)))
    query = vectors((1, 0.1))[0]
    found = store.search(LIBRARY, query, None, 2)
    assert [(hit.text, hit.name, hit.ordinal) for hit in found] == [("first", "a.md", 0), ("third", "b.md", 0)]
    assert found[0].score == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
    assert found[0].attributes == {"year": 2026, "open": True}
    assert [hit.text for hit in store.search(LIBRARY, query, ["file-2"], 5)] == ["third"]
    assert store.search(LIBRARY, query, [], 5) == []


def test_a_document_of_the_same_name_replaces_and_deletes_are_deletes(store: Store) -> None:
    store.put(LIBRARY)
    store.add(LIBRARY, DOCUMENT, ["first", "second"], vectors((1, 0), (0, 1)))
    store.add(LIBRARY, replace(DOCUMENT, id="file-2", passages=1), ["third"], vectors((1, 1)))
    assert [each.id for each in store.documents(LIBRARY)] == ["file-2"]
    assert [hit.text for hit in store.search(LIBRARY, vectors((1, 0))[0], None, 9)] == ["third"]
    assert store.remove(LIBRARY, "file-2") is True
    assert store.remove(LIBRARY, "file-2") is False
    assert store.search(LIBRARY, vectors((1, 0))[0], None, 9) == []
    store.add(LIBRARY, DOCUMENT, ["first"], vectors((1, 0)))
    store.drop(LIBRARY)
    assert store.library("operator", "vs_1") is None
    store.put(LIBRARY)
    assert store.documents(LIBRARY) == []
    assert store.search(LIBRARY, vectors((1, 0))[0], None, 9) == []


def test_another_tenant_has_none_of_it(store: Store) -> None:
    store.put(LIBRARY)
    assert store.library("another", "vs_1") is None
    assert store.libraries("another") == []


def test_a_change_that_fails_leaves_all_as_it_was(store: Store) -> None:
    store.put(LIBRARY)
    store.add(LIBRARY, DOCUMENT, ["first"], vectors((1, 0)))
    with pytest.raises(StorageError):
        store.add(LIBRARY, replace(DOCUMENT, id="file-2"), ["second"], np.ones((1, 3), np.float32))
    assert store.texts(LIBRARY, "file-1") == ["first"]


def test_what_a_tenant_keeps_is_bounded_and_a_document_that_does_not_fit_replaces_nothing(store: Store) -> None:
    store.put(LIBRARY)
    other = replace(LIBRARY, id="vs_2", tenant="another")
    store.put(other)
    two = vectors((1, 0), (0, 1))  # of 16 bytes, and the text has 5
    store.add(other, DOCUMENT, ["first", "second"], two, 21)
    store.add(LIBRARY, DOCUMENT, ["first", "second"], two, 42)
    store.add(LIBRARY, replace(DOCUMENT, id="file-2", name="b.md"), ["first", "second"], two, 42)
    with pytest.raises(StorageError, match="hold 42 bytes already, and 50 are the most"):
        store.add(LIBRARY, replace(DOCUMENT, id="file-3", name="c.md"), ["first", "second"], two, 50)
    with pytest.raises(StorageError, match="hold 21 bytes"):
        store.add(LIBRARY, replace(DOCUMENT, id="file-4", size=50), ["third", "fourth"], two, 42)
    assert store.texts(LIBRARY, "file-1") == ["first", "second"]
    store.add(LIBRARY, replace(DOCUMENT, id="file-4"), ["third", "fourth"], two, 42)
    assert [each.id for each in store.documents(LIBRARY)] == ["file-2", "file-4"]
    store.drop(other)


def test_a_database_that_is_not_named_or_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="no URL"):
        opened("pgvector", {})
    with pytest.raises(StorageError, match="cannot be written") as told:
        opened("pgvector", {"URL": "postgresql://reader:secret@127.0.0.1:9/x"})
    assert "secret" not in str(told.value)
