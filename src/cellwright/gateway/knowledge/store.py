"""The protocol every store of collections implements, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.knowledge_spec import KnowledgeSpec

    Attributes = Mapping[str, str | float | bool]
    Vectors = NDArray[np.float32]


FULL: Final = "knowledge-full"


@dataclass(frozen=True, slots=True)
class Chunking:
    """How texts are cut: tokens of a passage at most, and how many of them the next one repeats."""

    tokens: int = 400
    overlap: int = 80


@dataclass(frozen=True, slots=True)
class Library:
    """A collection of passages: one tenant's, of one data class, embedded in one way."""

    id: str
    tenant: str
    name: str
    data_class: SensitivityClass
    created_s: int
    embedder: str  # name; a query is embedded by the same one
    dimensions: int | None  # None until the first document
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A text of a collection, by a name that no other text of it has."""

    id: str
    name: str
    size: int  # bytes of the text
    created_s: int
    attributes: Attributes
    chunking: Chunking
    passages: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: cosine similarity, from -1 to 1."""

    document: str
    name: str
    attributes: Attributes
    ordinal: int  # of the passage within its document
    text: str
    score: float


class Store(Protocol):
    """Keeps collections. Everything is blocking, may be called from any thread, and raises StorageError.

    What belongs to another tenant is not there.
    """

    def libraries(self, tenant: str) -> Sequence[Library]:
        """Return the collections of a tenant, the oldest first."""
        ...

    def library(self, tenant: str, id: str) -> Library | None:  # noqa: A002 - the word of the interface
        """Return a collection."""
        ...

    def put(self, library: Library) -> None:
        """Make a collection, or change its name, metadata and dimensions."""
        ...

    def drop(self, library: Library) -> None:
        """Delete a collection with all that is in it."""
        ...

    def documents(self, library: Library) -> Sequence[Document]:
        """Return the documents of a collection, the oldest first."""
        ...

    def add(
        self, library: Library, document: Document, texts: Sequence[str], vectors: Vectors, most: int | None = None
    ) -> None:
        """Keep a document's passages, texts and vectors (passages, dimensions), in place of any of the same name.

        Raises StorageError (`knowledge-full`) where the tenant would keep more than `most` bytes of both.
        """
        ...

    def remove(self, library: Library, document: str) -> bool:
        """Delete a document by its id; return whether it was there."""
        ...

    def texts(self, library: Library, document: str) -> Sequence[str]:
        """Return the passages of a document in their order."""
        ...

    def search(self, library: Library, query: Vectors, documents: Collection[str] | None, most: int) -> Sequence[Hit]:
        """Return the passages nearest to a vector (dimensions,), the best first, of these documents where given."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def check_room(held: int, document: Document, vectors: Vectors, most: int | None) -> None:
    """Raise StorageError where a document does not fit beside what its tenant keeps, both in bytes."""
    if most is not None and held + document.size + vectors.nbytes > most:
        raise StorageError.of(
            FULL,
            f"the collections of the tenant hold {held} bytes already, and {most} are the most",
            hint="delete documents that are no longer needed",
        )


if TYPE_CHECKING:
    OpenStore = Callable[[KnowledgeSpec, Mapping[str, str]], Store]  # an entry point of cellwright.knowledge
