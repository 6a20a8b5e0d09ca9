"""/v1/vector_stores: collections of passages, their documents, and searching them where they are.

Shapes: the OpenAI API reference (vector stores, vector store files). `documents` is ours: a text as it is, by its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.gateway.forms.fields import one_of, read_storable
from cellwright.gateway.forms.paging import listed, read_page
from cellwright.gateway.knowledge.attributes import read_attributes
from cellwright.gateway.knowledge.embedding import Asker
from cellwright.gateway.knowledge.service import Query, absent
from cellwright.gateway.knowledge.store import Chunking
from cellwright.gateway.paths import Path
from cellwright.gateway.pipeline import read_data_class
from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.knowledge.service import Knowledge
    from cellwright.gateway.knowledge.store import Attributes, Document, Library
    from cellwright.gateway.knowledge.travel import Found
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.wire import JsonObject

_MOST_LISTED: Final = 100
_LISTED: Final = 20
_STATES: Final = ("in_progress", "completed", "failed", "cancelled")
_MOST_RESULTS: Final = 50
_RESULTS: Final = 10
_LONGEST_QUERY: Final = 16_384
_MOST_QUERIES: Final = 8
_LONGEST_NAME: Final = 256
_MOST_METADATA: Final = 16
_MOST_FILES: Final = 500
_BATCH: Final = re.compile(r"vsfb_([0-9a-f]{1,12})_([0-9a-f]{1,3})_[0-9a-f]{16}")
_CHUNK_TOKENS: Final = range(50, 4_097)


class VectorStores:
    """The endpoints of collections."""

    def __init__(self, config: GatewayConfig, callers: Callers, knowledge: Knowledge) -> None:
        self._config = config
        self._callers = callers
        self._knowledge = knowledge

    def paths(self) -> tuple[Path, ...]:
        """Return the lines of the table of paths."""
        one = "/v1/vector_stores/{id}"
        return (
            Path("POST", "/v1/vector_stores", self.create),
            Path("GET", "/v1/vector_stores", self.every),
            Path("GET", one, self.one),
            Path("POST", one, self.change),
            Path("DELETE", one, self.drop),
            Path("POST", f"{one}/search", self.search),
            Path("POST", f"{one}/documents", self.add),
            Path("POST", f"{one}/files", self.attach),
            Path("GET", f"{one}/files", self.documents),
            Path("GET", f"{one}/files/{{file}}", self.document),
            Path("GET", f"{one}/files/{{file}}/content", self.content),
            Path("DELETE", f"{one}/files/{{file}}", self.remove),
            Path("POST", f"{one}/file_batches", self.attach_all),
            Path("GET", f"{one}/file_batches/{{batch}}", self.batch),
        )

    async def create(self, call: Call) -> None:
        """Make a collection with the files in it that the body names, or none at all where one cannot be added."""
        asker, body = await self._asked(call)
        name, metadata = _name(body.get("name"), ""), _metadata(body.get("metadata"))
        file_ids = await self._readable(asker, body)
        library = await self._knowledge.create(asker, name, metadata)
        async with contextlib.AsyncExitStack() as failed:  # or cancelled: the client may leave
            failed.push_async_callback(self._take_back, asker, library)
            for file_id in file_ids:
                library, _ = await self._attach(asker, library.id, file_id, body)
            failed.pop_all()
        await self._tell(call, asker, library)

    async def every(self, call: Call) -> None:
        """List the tenant's collections."""
        asker = await self._asker(call)
        page = read_page(call.query, _MOST_LISTED, _LISTED)
        found, has_more = page.of(await self._knowledge.libraries(asker))
        data = [await self._object(asker, library) for library in found]
        await call.reply.json(orjson.dumps(listed(data, has_more=has_more)))

    async def one(self, call: Call) -> None:
        """Answer with one collection."""
        asker = await self._asker(call)
        await self._tell(call, asker, (await self._knowledge.library(asker, call.parameters["id"]))[1])

    async def change(self, call: Call) -> None:
        """Give a collection another name or other metadata."""
        asker, body = await self._asked(call)
        name = None if body.get("name") is None else _name(body["name"])
        metadata = None if body.get("metadata") is None else _metadata(body["metadata"])
        await self._tell(call, asker, await self._knowledge.change(asker, call.parameters["id"], name, metadata))

    async def drop(self, call: Call) -> None:
        """Delete a collection and all that is in it."""
        asker = await self._asker(call)
        await self._knowledge.drop(asker, call.parameters["id"])
        await call.reply.json(_gone(call.parameters["id"], "vector_store.deleted"))

    async def add(self, call: Call) -> None:
        """Add a text as a document by its name, in place of the one that had it."""
        asker, body = await self._asked(call)
        name, text = _name(body.get("name")), body.get("text")
        if not isinstance(text, str):
            raise invalid("invalid_type", "text must be a text", "text")
        given = (name, text, read_attributes(body.get("attributes")), _chunking(body))
        library, document = await self._knowledge.add(asker, call.parameters["id"], *given)
        await call.reply.json(orjson.dumps(_file(library, document)))

    async def attach(self, call: Call) -> None:
        """Add the text of a file that was uploaded before."""
        asker, body = await self._asked(call)
        file_id = body.get("file_id")
        if not isinstance(file_id, str):
            raise invalid("invalid_type", "file_id must be the id of an uploaded file", "file_id")
        library, document = await self._attach(asker, call.parameters["id"], file_id, body)
        await call.reply.json(orjson.dumps(_file(library, document)))

    async def attach_all(self, call: Call) -> None:
        """Add the texts of several files; what is wrong with one is told before any is added."""
        asker, body = await self._asked(call)
        _, library = await self._knowledge.library(asker, call.parameters["id"])
        file_ids = await self._readable(asker, body)
        if not file_ids:
            raise invalid("invalid_type", "file_ids must be a list of ids of uploaded files", "file_ids")
        for file_id in file_ids:
            library, _ = await self._attach(asker, library.id, file_id, body)
        batch = f"vsfb_{int(time.time()):x}_{len(file_ids):x}_{secrets.token_hex(8)}"
        await call.reply.json(_batch(library, batch))

    async def batch(self, call: Call) -> None:
        """Answer with what became of several files; they are there as soon as they were asked for."""
        _, library = await self._knowledge.library(await self._asker(call), call.parameters["id"])
        await call.reply.json(_batch(library, call.parameters["batch"]))

    async def documents(self, call: Call) -> None:
        """List the documents of a collection; all that are there are completed."""
        asker, page = await self._asker(call), read_page(call.query, _MOST_LISTED, _LISTED)
        status = one_of(call.query.get("filter", "completed"), _STATES, "filter")
        library, every = await self._knowledge.documents(asker, call.parameters["id"])
        found, has_more = page.of(every if status == "completed" else ())
        await call.reply.json(orjson.dumps(listed([_file(library, each) for each in found], has_more=has_more)))

    async def document(self, call: Call) -> None:
        """Answer with one document of a collection."""
        wanted = call.parameters["file"]
        library, found = await self._knowledge.documents(await self._asker(call), call.parameters["id"])
        for document in found:
            if document.id == wanted:
                await call.reply.json(orjson.dumps(_file(library, document)))
                return
        raise invalid("not_found", f"there is no file {wanted[:80]!r}", status=404)

    async def content(self, call: Call) -> None:
        """Answer with the passages of a document."""
        found = await self._knowledge.texts(await self._asker(call), call.parameters["id"], call.parameters["file"])
        data = [{"type": "text", "text": text} for text in found]
        page = {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}
        await call.reply.json(orjson.dumps(page))

    async def remove(self, call: Call) -> None:
        """Delete a document from a collection."""
        wanted = call.parameters["file"]
        await self._knowledge.remove(await self._asker(call), call.parameters["id"], wanted)
        await call.reply.json(_gone(wanted, "vector_store.file.deleted"))

    async def search(self, call: Call) -> None:
        """Answer with the passages near a query that may go to where the holder of the key stands."""
        asker, body = await self._asked(call)
        query = read_query(body, read_data_class(call.headers) or self._config.data_class)
        found = await self._knowledge.search(asker, call.parameters["id"], query)
        await call.reply.json(_page(query, self._knowledge.borders.crossing(found, asker.key.boundary)))

    async def _attach(self, asker: Asker, id: str, file_id: str, body: JsonObject) -> tuple[Library, Document]:  # noqa: A002 - the word of the interface
        return await self._knowledge.add(asker, id, *await self._read(asker, file_id, body), file_id)

    async def _take_back(self, asker: Asker, library: Library) -> None:
        """Delete a collection, whatever happens meanwhile."""
        with contextlib.suppress(ApiError):
            await asyncio.shield(self._knowledge.drop(asker, library.id))

    async def _readable(self, asker: Asker, body: JsonObject) -> tuple[str, ...]:
        """Return the ids of the files that a body names; raise ApiError for one that is no text, or not there."""
        file_ids = _file_ids(body)
        names = [(await self._read(asker, file_id, body))[0] for file_id in file_ids]  # texts together may be large
        if len(set(names)) < len(names):
            raise invalid("invalid_value", "file_ids must be of files with different names", "file_ids")
        return file_ids

    async def _read(self, asker: Asker, file_id: str, body: JsonObject) -> tuple[str, str, Attributes, Chunking]:
        """Return name and text of an uploaded file, and how to keep it; raise ApiError."""
        name, content = await self._knowledge.upload(asker, file_id)
        return name, _text(content), read_attributes(body.get("attributes")), _chunking(body)

    async def _asker(self, call: Call) -> Asker:
        return Asker(await self._callers.identify(call.headers, call.names), call.reply.request_id)

    async def _asked(self, call: Call) -> tuple[Asker, JsonObject]:
        """Return who asks and the object in the body."""
        asker = await self._asker(call)
        return asker, read_storable(await call.body() or b"{}")

    async def _tell(self, call: Call, asker: Asker, library: Library) -> None:
        await call.reply.json(orjson.dumps(await self._object(asker, library)))

    async def _object(self, asker: Asker, library: Library) -> JsonObject:
        _, documents = await self._knowledge.documents(asker, library.id)
        return {
            "id": library.id,
            "object": "vector_store",
            "created_at": library.created_s,
            "name": library.name,
            "usage_bytes": sum(document.size for document in documents),
            "file_counts": _counts(len(documents)),
            "status": "completed",
            "expires_after": None,
            "expires_at": None,
            "last_active_at": max((document.created_s for document in documents), default=library.created_s),
            "metadata": dict(library.metadata) or None,
            "cellwright": {"data_class": library.data_class, "embedder": library.embedder},
        }


def read_query(body: Mapping[str, Any], data_class: SensitivityClass) -> Query:
    """Return the query in a body of the search form; raise ApiError (400)."""
    given = body.get("query")
    texts = tuple(_texts([given] if isinstance(given, str) else given, "query"))
    if not texts or len(texts) > _MOST_QUERIES or any(len(text) > _LONGEST_QUERY for text in texts):
        words = f"query must be a text, or up to {_MOST_QUERIES}, of {_LONGEST_QUERY} characters at most"
        raise invalid("invalid_value", words, "query")
    most = _RESULTS if body.get("max_num_results") is None else body["max_num_results"]
    if type(most) is not int or not 1 <= most <= _MOST_RESULTS:
        raise invalid("invalid_value", f"max_num_results must be 1 to {_MOST_RESULTS}", "max_num_results")
    ranking = body.get("ranking_options") or {}
    threshold = ranking.get("score_threshold") if isinstance(ranking, dict) else None
    if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float)):
        raise invalid("invalid_type", "score_threshold must be a number", "ranking_options")
    return Query(texts, data_class, most, -1.0 if threshold is None else float(threshold), body.get("filters"))


def _page(query: Query, found: Found) -> bytes:
    data = [
        {
            "file_id": each.hit.document,
            "filename": each.hit.name,
            "score": each.hit.score,
            "attributes": dict(each.hit.attributes),
            "content": [{"type": "text", "text": each.hit.text}],
        }
        for each in found.passages
    ]
    classes = {each.data_class for each in found.passages}
    return orjson.dumps(
        {
            "object": "vector_store.search_results.page",
            "search_query": query.texts,
            "data": data,
            "has_more": False,
            "next_page": None,
            "cellwright": {
                "held_back": found.held_back,
                "data_class": classes.pop() if len(classes) == 1 else None,
            },
        }
    )


def _file(library: Library, document: Document) -> JsonObject:
    static = {"max_chunk_size_tokens": document.chunking.tokens, "chunk_overlap_tokens": document.chunking.overlap}
    return {
        "id": document.id,
        "object": "vector_store.file",
        "usage_bytes": document.size,
        "created_at": document.created_s,
        "vector_store_id": library.id,
        "status": "completed",
        "last_error": None,
        "chunking_strategy": {"type": "static", "static": static},
        "attributes": dict(document.attributes),
        "cellwright": {"name": document.name, "passages": document.passages},
    }


def _counts(files: int) -> JsonObject:
    return {"in_progress": 0, "completed": files, "failed": 0, "cancelled": 0, "total": files}


def _batch(library: Library, id: str) -> bytes:  # noqa: A002 - the word of the interface
    """Return what a batch of files is told as: all that there is to know of it stands in its id; raise ApiError."""
    if (found := _BATCH.fullmatch(id)) is None:
        raise absent("batch", id)
    about = {"id": id, "object": "vector_store.files_batch", "vector_store_id": library.id, "status": "completed"}
    created_s, files = (int(number, 16) for number in found.groups())
    return orjson.dumps(about | {"created_at": created_s, "file_counts": _counts(files)})


def _gone(id: str, kind: str) -> bytes:  # noqa: A002 - the word of the interface
    return orjson.dumps({"id": id, "object": kind, "deleted": True})


def _text(content: bytes) -> str:
    """Return the text of a file; raise ApiError (400) for what is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid("unsupported_file", "the file is no text in UTF-8", "file_id") from None
    if "\0" in text:
        raise invalid("unsupported_file", "the file is no text: it holds the character NUL", "file_id")
    return text


def _name(given: object, otherwise: str | None = None) -> str:
    if given is None and otherwise is not None:
        return otherwise
    if not isinstance(given, str) or not given.strip() or len(given) > _LONGEST_NAME:
        raise invalid("invalid_type", f"name must be a text of {_LONGEST_NAME} characters at most", "name")
    return given


def _metadata(given: object) -> dict[str, str]:
    if given is None:
        return {}
    good = isinstance(given, dict) and len(given) <= _MOST_METADATA
    if (
        not isinstance(given, dict)
        or not good
        or not all(isinstance(text, str) for pair in given.items() for text in pair)
    ):
        raise invalid("invalid_type", f"metadata must be up to {_MOST_METADATA} texts by name", "metadata")
    return read_attributes(given)  # type: ignore[return-value]  # every value is a text


def _texts(given: object, param: str) -> Iterable[str]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise invalid("invalid_type", f"{param} must be a list of texts", param)
    return given


def _file_ids(body: JsonObject) -> tuple[str, ...]:
    found = tuple(_texts(body.get("file_ids"), "file_ids"))
    if len(found) > _MOST_FILES:
        raise invalid("invalid_value", f"file_ids must be {_MOST_FILES} at most", "file_ids")
    return found


def _chunking(body: JsonObject) -> Chunking:
    """Return how to cut a text; raise ApiError (400) for what is no way."""
    given = body.get("chunking_strategy")
    if given is None or (isinstance(given, dict) and given.get("type") == "auto"):
        return Chunking()
    static = given.get("static") if isinstance(given, dict) else None
    tokens = static.get("max_chunk_size_tokens") if isinstance(static, dict) else None
    overlap = static.get("chunk_overlap_tokens") if isinstance(static, dict) else None
    if (
        type(tokens) is not int
        or tokens not in _CHUNK_TOKENS
        or type(overlap) is not int
        or not 0 <= overlap <= tokens // 2
    ):
        words = (
            f"a static strategy has max_chunk_size_tokens of {_CHUNK_TOKENS[0]} to {_CHUNK_TOKENS[-1]}, "
            "and chunk_overlap_tokens of half of them at most"
        )
        raise invalid("invalid_value", words, "chunking_strategy")
    return Chunking(tokens, overlap)
