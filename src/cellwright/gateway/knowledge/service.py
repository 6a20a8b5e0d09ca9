"""What clients may do with collections: each its own tenant's, in the store where it lives, within the rules."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from cellwright.errors import Diagnostic, StorageError
from cellwright.estate.model import Boundary
from cellwright.gateway.knowledge.attributes import read_filter
from cellwright.gateway.knowledge.chunk import passages
from cellwright.gateway.knowledge.store import FULL, Document, Library
from cellwright.gateway.knowledge.travel import Found, Passage
from cellwright.gateway.threads import to_its_end
from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.batches.store import StoredFile
    from cellwright.gateway.knowledge.embedding import Asker, Embedder
    from cellwright.gateway.knowledge.federated import RemoteSite
    from cellwright.gateway.knowledge.store import Attributes, Chunking, Store
    from cellwright.gateway.knowledge.travel import Borders
    from cellwright.gateway.knowledge_spec import KnowledgeSpec
    from cellwright.gateway.wire import JsonObject

T = TypeVar("T")
_log: Final = logging.getLogger("cellwright.gateway")
_MOST_LIBRARIES: Final = 1_000  # of a tenant in a store
_MOST_PASSAGES: Final = 20_000  # of a document
_ID_BYTES: Final = 16
DATA_CLASS: Final = "data_class"
STORE: Final = "store"


@dataclass(frozen=True, slots=True)
class Place:
    """A store of this site: what keeps collections, and what embeds their texts."""

    spec: KnowledgeSpec
    store: Store
    embedder: Embedder

    def serves(self, tenant: str) -> bool:
        """Return whether a tenant may use the store."""
        return not self.spec.tenants or tenant in self.spec.tenants


@dataclass(frozen=True, slots=True)
class Site:
    """A store of another site."""

    spec: KnowledgeSpec
    remote: RemoteSite

    def serves(self, tenant: str) -> bool:
        """Return whether a tenant may have the site searched."""
        return tenant in self.spec.tenants


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `filters` are as in the OpenAI API; `data_class` is that of the texts themselves."""

    texts: tuple[str, ...]
    data_class: SensitivityClass
    most: int = 10
    threshold: float = -1.0
    filters: JsonObject | None = None

    def body(self) -> JsonObject:
        """Return the query as another gateway is asked it."""
        body: JsonObject = {
            "query": list(self.texts),
            "max_num_results": self.most,
            "ranking_options": {"score_threshold": self.threshold},
        }
        return body if self.filters is None else body | {"filters": self.filters}


class Uploads(Protocol):
    """Where files are that clients uploaded."""

    def file(self, tenant: str, file_id: str, /) -> tuple[StoredFile, bytes] | None:
        """Return a file of a tenant with its content."""
        ...


class Knowledge:
    """The collections of a gateway: those of its own stores, and those of other sites that it may have searched."""

    def __init__(
        self,
        places: Sequence[Place],
        sites: Sequence[Site],
        borders: Borders,
        uploads: Uploads | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places: Mapping[str, Place] = {place.spec.name: place for place in places}
        self._sites: Mapping[str, Site] = {site.spec.name: site for site in sites}
        self._first = places[0].spec.name if places else ""
        self._uploads = uploads
        self._clock = clock
        self.borders = borders

    async def create(self, asker: Asker, name: str, metadata: Mapping[str, str]) -> Library:
        """Make a collection; `metadata` may name its store and the class of its data. Raises ApiError."""
        place = self._named_place(asker, metadata.get(STORE) or self._first)
        data_class = _class_of(metadata.get(DATA_CLASS), place.spec.data_class)
        self.borders.check(data_class, place.spec.boundary, f"store {place.spec.name}")
        self.borders.check(data_class, place.embedder.boundary, f"embedder {place.embedder.name}")
        if len(await _work(place.store.libraries, asker.key.tenant)) >= _MOST_LIBRARIES:
            raise invalid("too_many_vector_stores", f"there are {_MOST_LIBRARIES} collections already, the most")
        library = Library(
            id=self._id(place),
            tenant=asker.key.tenant,
            name=name,
            data_class=data_class,
            created_s=int(self._clock()),
            embedder=place.embedder.name,
            dimensions=None,
            metadata=dict(metadata),
        )
        await _work(place.store.put, library)
        return library

    async def libraries(self, asker: Asker) -> list[Library]:
        """Return the collections of the asker's tenant in the stores of this site, the oldest first."""
        mine = [place for place in self._places.values() if place.serves(asker.key.tenant)]
        found = await asyncio.gather(*(_work(place.store.libraries, asker.key.tenant) for place in mine))
        return sorted((each for those in found for each in those), key=lambda each: (each.created_s, each.id))

    async def library(self, asker: Asker, id: str) -> tuple[Place, Library]:  # noqa: A002 - the word of the interface
        """Return a collection and its store; raise ApiError (404) where the tenant has none of that id."""
        name, dot, _ = id.partition(".")
        place = self._places.get(name if dot else self._first)
        found = None
        if place is not None and place.serves(asker.key.tenant) and "\0" not in id:
            found = await _work(place.store.library, asker.key.tenant, id)
        if place is None or found is None:
            raise absent("collection", id)
        return place, found

    async def change(self, asker: Asker, id: str, name: str | None, metadata: Mapping[str, str] | None) -> Library:  # noqa: A002 - as above
        """Give a collection another name or metadata; its class and its store stay."""
        place, library = await self.library(asker, id)
        kept = {key: library.metadata[key] for key in (DATA_CLASS, STORE) if key in library.metadata}
        told = library.metadata if metadata is None else {**metadata, **kept}
        changed = replace(library, name=library.name if name is None else name, metadata=told)
        await _work(place.store.put, changed)
        return changed

    async def drop(self, asker: Asker, id: str) -> None:  # noqa: A002 - as above
        """Delete a collection with all that is in it."""
        place, library = await self.library(asker, id)
        await _work(place.store.drop, library)

    async def add(  # noqa: PLR0913, PLR0917 - what a document is made of
        self,
        asker: Asker,
        id: str,  # noqa: A002 - as above
        name: str,
        text: str,
        attributes: Attributes,
        chunking: Chunking,
        document_id: str | None = None,
    ) -> tuple[Library, Document]:
        """Add a text in place of any of the same name or id; raise ApiError for one that cannot be kept."""
        place, library = await self.library(asker, id)
        texts = await asyncio.to_thread(passages, text, chunking)
        if not texts:
            raise invalid("empty_document", "the text says nothing", "text")
        if len(texts) > _MOST_PASSAGES:
            raise invalid("document_too_large", f"the text has {len(texts)} passages: {_MOST_PASSAGES} are the most")
        _same_embedder(place, library)
        vectors = await place.embedder.embed(texts, asker)
        place, library = await self.library(asker, id)  # it may have been changed or deleted meanwhile
        if library.dimensions is None:
            library = replace(library, dimensions=vectors.shape[1])
            await _work(place.store.put, library)
        elif library.dimensions != vectors.shape[1]:
            words = f"embedder {library.embedder} has {vectors.shape[1]} dimensions, and had {library.dimensions}"
            raise ApiError(Diagnostic("embedder_changed", words), status=409, kind="invalid_request_error")
        document = Document(
            id=document_id or f"file-{secrets.token_hex(_ID_BYTES)}",
            name=name,
            size=len(text.encode(errors="replace")),
            created_s=int(self._clock()),
            attributes=attributes,
            chunking=chunking,
            passages=len(texts),
        )
        await _work(place.store.add, library, document, texts, vectors, place.spec.tenant_bytes)
        return library, document

    async def documents(self, asker: Asker, id: str) -> tuple[Library, Sequence[Document]]:  # noqa: A002 - as above
        """Return a collection and its documents, the oldest first."""
        place, library = await self.library(asker, id)
        return library, await _work(place.store.documents, library)

    async def texts(self, asker: Asker, id: str, document: str) -> Sequence[str]:  # noqa: A002 - as above
        """Return the passages of a document, to whoever may be told all of them; raise ApiError."""
        place, library = await self.library(asker, id)
        self.borders.check(library.data_class, asker.key.boundary, f"key {asker.key.name}")
        found = await _work(place.store.texts, library, document)
        if not found:
            raise absent("file", document)
        if asker.key.boundary is not Boundary.PREMISES and not all(map(self.borders.passes, found)):
            words = f"the text names somebody, and key {asker.key.name} stands within {asker.key.boundary}"
            raise ApiError(Diagnostic("egress_denied", words), status=403, kind="permission_error")
        return found

    async def remove(self, asker: Asker, id: str, document: str) -> None:  # noqa: A002 - as above
        """Delete a document; raise ApiError (404) where there is none of that id."""
        place, library = await self.library(asker, id)
        if not await _work(place.store.remove, library, document):
            raise absent("file", document)

    async def search(self, asker: Asker, id: str, query: Query) -> Found:  # noqa: A002 - as above
        """Return what a collection holds that is near a query, before anything is held back; raises ApiError."""
        name, dot, rest = id.partition(".")
        if dot and (site := self._sites.get(name)) is not None and site.serves(asker.key.tenant):
            self.borders.check(query.data_class, site.spec.boundary, f"site {name}")
            return await site.remote.search(rest, query.body(), query.data_class)
        place, library = await self.library(asker, id)
        if library.dimensions is None:
            return Found()
        _same_embedder(place, library)
        self.borders.check(query.data_class, place.embedder.boundary, f"embedder {place.embedder.name}")
        among = await self._among(place, library, query)
        vectors = await place.embedder.embed(query.texts, asker)
        if vectors.shape[1] != library.dimensions:
            words = f"embedder {library.embedder} has {vectors.shape[1]} dimensions, and had {library.dimensions}"
            raise ApiError(Diagnostic("embedder_changed", words), status=409, kind="invalid_request_error")
        found = [await _work(place.store.search, library, vector, among, query.most) for vector in vectors]
        best = {(hit.document, hit.ordinal): hit for hits in reversed(found) for hit in hits}
        for hits in found:
            for hit in hits:
                if hit.score > best[hit.document, hit.ordinal].score:
                    best[hit.document, hit.ordinal] = hit
        ordered = sorted(best.values(), key=lambda hit: (-hit.score, hit.document, hit.ordinal))
        kept = [hit for hit in ordered[: query.most] if hit.score >= query.threshold]
        return Found(tuple(Passage(hit, library.data_class, library.id) for hit in kept))

    async def _among(self, place: Place, library: Library, query: Query) -> list[str] | None:
        """Return the documents whose attributes match the filters of a query, None where it has none."""
        if query.filters is None:
            return None
        matches = read_filter(query.filters)
        return [each.id for each in await _work(place.store.documents, library) if matches(each.attributes)]

    async def upload(self, asker: Asker, id: str) -> tuple[str, bytes]:  # noqa: A002 - as above
        """Return name and content of an uploaded file; raise ApiError (404)."""
        is_kept = self._uploads is not None and "\0" not in id
        found = await _work(self._uploads.file, asker.key.tenant, id) if self._uploads and is_kept else None
        if found is None:
            raise absent("upload", id)
        return found[0].name, found[1]

    def _named_place(self, asker: Asker, name: str) -> Place:
        place = self._places.get(name)
        if place is None or not place.serves(asker.key.tenant):
            raise invalid("unknown_store", "there is no store of that name that this key may use", STORE, status=404)
        return place

    def _id(self, place: Place) -> str:
        prefix = "" if place.spec.name == self._first else f"{place.spec.name}."
        return f"{prefix}vs_{secrets.token_hex(_ID_BYTES)}"


def absent(what: str, id: str) -> ApiError:  # noqa: A002 - the word of the interface
    """Return the error for what is not there, or not the tenant's: both read the same."""
    return invalid("not_found", f"there is no {what} {id[:80]!r}", status=404)


def _same_embedder(place: Place, library: Library) -> None:
    if place.embedder.name != library.embedder:
        words = (
            f"the collection was embedded by {library.embedder}, and its store now embeds by {place.embedder.name}: "
            "make it anew"
        )
        raise ApiError(Diagnostic("embedder_changed", words), status=409, kind="invalid_request_error")


def _class_of(named: str | None, otherwise: SensitivityClass) -> SensitivityClass:
    if named is None:
        return otherwise
    try:
        return type(otherwise)(named)
    except ValueError:
        known = ", ".join(type(otherwise))
        raise invalid("unknown_data_class", f"known data classes are {known}", f"metadata.{DATA_CLASS}") from None


async def _work(call: Callable[..., T], *given: object) -> T:
    """Return what a store answers, asked in a thread; raise ApiError (503) where it fails."""
    try:
        return await to_its_end(call, *given)
    except StorageError as error:
        if error.diagnostics[0].code == FULL:
            raise ApiError(*error.diagnostics, status=413, kind="invalid_request_error") from None
        _log.error("a store of collections fails: %s", error.diagnostics[0])
        said = Diagnostic("knowledge_unavailable", error.diagnostics[0].message)
        raise ApiError(said, status=503, kind="server_error") from None
