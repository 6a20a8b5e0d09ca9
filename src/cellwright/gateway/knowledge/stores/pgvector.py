"""Collections in PostgreSQL with pgvector, shared by all workers and gateways that have its URL; searched exactly."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import StorageError, UsageError
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.knowledge.store import Chunking, Document, Hit, Library, check_room
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from cellwright.gateway.knowledge.store import Store, Vectors
    from cellwright.gateway.knowledge_spec import KnowledgeSpec

_TABLES: Final = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS knowledge_libraries (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,
    data_class TEXT NOT NULL, created_s BIGINT NOT NULL, embedder TEXT NOT NULL, dimensions INTEGER,
    metadata JSONB NOT NULL);
CREATE TABLE IF NOT EXISTS knowledge_documents (id TEXT NOT NULL,
    library TEXT NOT NULL REFERENCES knowledge_libraries ON DELETE CASCADE, name TEXT NOT NULL, size BIGINT NOT NULL,
    created_s BIGINT NOT NULL, attributes JSONB NOT NULL, chunk_tokens INTEGER NOT NULL,
    chunk_overlap INTEGER NOT NULL, passages INTEGER NOT NULL, PRIMARY KEY (library, id), UNIQUE (library, name));
CREATE TABLE IF NOT EXISTS knowledge_passages (library TEXT NOT NULL, document TEXT NOT NULL,
    ordinal INTEGER NOT NULL, text TEXT NOT NULL, vector vector NOT NULL, PRIMARY KEY (library, document, ordinal),
    FOREIGN KEY (library, document) REFERENCES knowledge_documents ON DELETE CASCADE);
"""
_LOCK_TENANT: Final = "SELECT id FROM knowledge_libraries WHERE tenant = :tenant ORDER BY id FOR UPDATE"
_HELD: Final = """
SELECT sum(d.size + CAST(d.passages AS BIGINT) * l.dimensions * 4)
FROM knowledge_documents d JOIN knowledge_libraries l ON l.id = d.library WHERE l.tenant = :tenant
"""
_URL: Final = re.compile(r"postgresql(\+pg8000)?://[^@/]+@[^@/]+/[^/?]+")
_LOCK: Final = 0x63656C6C  # of an advisory lock: workers that begin together make the tables one after another


def open_store(spec: KnowledgeSpec, environ: Mapping[str, str]) -> Store:
    """Return the store of a specification; raise UsageError where it has no URL or the driver is not installed."""
    url = environ.get(spec.url_env) if spec.url_env else None
    if not url or not _URL.match(url):
        raise UsageError.of(
            "missing-url",
            f"the knowledge store {spec.name} has no URL of PostgreSQL",
            expected="urlEnv, the environment variable that holds postgresql://user:password@host/database",
        )
    load_extra("postgresql", f"the knowledge store {spec.name} needs", "pg8000")
    return PgvectorStore(f"postgresql+pg8000://{url.partition('://')[2]}", spec.name)


class PgvectorStore:
    """A database; every change is one transaction."""

    def __init__(self, url: str, name: str) -> None:
        """Connect and make what is not there; raise StorageError."""
        self._name = name
        self._engine = create_engine(url, pool_pre_ping=True)
        with self._change() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            for table in _TABLES.split(";\n"):
                connection.execute(text(table))

    def libraries(self, tenant: str) -> Sequence[Library]:
        """Return the collections of a tenant, the oldest first."""
        sql = "SELECT * FROM knowledge_libraries WHERE tenant = :tenant ORDER BY created_s, id"
        return [_library(row) for row in self._rows(sql, tenant=tenant)]

    def library(self, tenant: str, id: str) -> Library | None:  # noqa: A002 - Store
        """Return a collection."""
        rows = self._rows("SELECT * FROM knowledge_libraries WHERE tenant = :tenant AND id = :id", tenant=tenant, id=id)
        return _library(rows[0]) if rows else None

    def put(self, library: Library) -> None:
        """Make a collection, or change it."""
        sql = (
            "INSERT INTO knowledge_libraries VALUES (:id, :tenant, :name, :data_class, :created_s, :embedder,"
            " :dimensions, CAST(:metadata AS JSONB)) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
            " dimensions = excluded.dimensions, metadata = excluded.metadata"
        )
        values = {
            "id": library.id,
            "tenant": library.tenant,
            "name": library.name,
            "data_class": library.data_class.value,
            "created_s": library.created_s,
            "embedder": library.embedder,
            "dimensions": library.dimensions,
            "metadata": orjson.dumps(library.metadata).decode(),
        }
        with self._change() as connection:
            connection.execute(text(sql), values)

    def drop(self, library: Library) -> None:
        """Delete a collection with all that is in it."""
        with self._change() as connection:
            connection.execute(text("DELETE FROM knowledge_libraries WHERE id = :id"), {"id": library.id})

    def documents(self, library: Library) -> Sequence[Document]:
        """Return the documents of a collection, the oldest first."""
        sql = "SELECT * FROM knowledge_documents WHERE library = :library ORDER BY created_s, id"
        return [
            Document(
                id=row.id,
                name=row.name,
                size=row.size,
                created_s=row.created_s,
                attributes=row.attributes,
                chunking=Chunking(row.chunk_tokens, row.chunk_overlap),
                passages=row.passages,
            )
            for row in self._rows(sql, library=library.id)
        ]

    def add(
        self, library: Library, document: Document, texts: Sequence[str], vectors: Vectors, most: int | None = None
    ) -> None:
        """Keep a document's passages in place of any of the same name."""
        if vectors.shape[1] != library.dimensions:
            raise self._failure("written")
        about = {
            "library": library.id,
            "id": document.id,
            "name": document.name,
            "size": document.size,
            "created_s": document.created_s,
            "attributes": orjson.dumps(document.attributes).decode(),
            "tokens": document.chunking.tokens,
            "overlap": document.chunking.overlap,
            "passages": len(texts),
        }
        passages = [
            {"library": library.id, "document": document.id, "ordinal": place, "text": said, "vector": _written(vector)}
            for place, (said, vector) in enumerate(zip(texts, vectors, strict=True))
        ]
        with self._change() as connection:
            old = "DELETE FROM knowledge_documents WHERE library = :library AND (name = :name OR id = :id)"
            connection.execute(text(_LOCK_TENANT), {"tenant": library.tenant})
            connection.execute(text(old), about)
            check_room(int(connection.scalar(text(_HELD), {"tenant": library.tenant}) or 0), document, vectors, most)
            made = (
                "INSERT INTO knowledge_documents VALUES (:id, :library, :name, :size, :created_s,"
                " CAST(:attributes AS JSONB), :tokens, :overlap, :passages)"
            )
            connection.execute(text(made), about)
            kept = (
                "INSERT INTO knowledge_passages VALUES (:library, :document, :ordinal, :text, CAST(:vector AS vector))"
            )
            connection.execute(text(kept), passages)

    def remove(self, library: Library, document: str) -> bool:
        """Delete a document."""
        sql = "DELETE FROM knowledge_documents WHERE library = :library AND id = :document RETURNING id"
        with self._change() as connection:
            return bool(connection.execute(text(sql), {"library": library.id, "document": document}).all())

    def texts(self, library: Library, document: str) -> Sequence[str]:
        """Return the passages of a document in their order."""
        sql = "SELECT text FROM knowledge_passages WHERE library = :library AND document = :document ORDER BY ordinal"
        return [row.text for row in self._rows(sql, library=library.id, document=document)]

    def search(self, library: Library, query: Vectors, documents: Collection[str] | None, most: int) -> Sequence[Hit]:
        """Return the passages nearest to a vector, the best first."""
        if library.dimensions is None or documents == []:
            return []
        some = "" if documents is None else "AND p.document = ANY(:documents)"
        sql = f"""
            SELECT p.document, d.name, d.attributes, p.ordinal, p.text,
                   1 - (p.vector <=> CAST(:query AS vector)) AS score
            FROM knowledge_passages p JOIN knowledge_documents d ON d.library = p.library AND d.id = p.document
            WHERE p.library = :library {some}
            ORDER BY score DESC, p.document, p.ordinal LIMIT :most
        """  # noqa: S608 - a condition of our own; values are bound
        among = {} if documents is None else {"documents": list(documents)}
        rows = self._rows(sql, library=library.id, query=_written(query), most=most, **among)
        return [Hit(row.document, row.name, row.attributes, row.ordinal, row.text, float(row.score)) for row in rows]

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _rows(self, sql: str, **values: object) -> Sequence[Row[Any]]:
        with self._told("read"), self._engine.connect() as connection:
            return connection.execute(text(sql), values).all()

    @contextlib.contextmanager
    def _change(self) -> Iterator[Connection]:
        with self._told("written"), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Tell what the database raises in our words, without its message: that may quote a text or a password."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self._failure(done, type(getattr(error, "orig", None) or error).__name__) from error

    def _failure(self, done: str, cause: str | None = None) -> StorageError:
        return StorageError.of(
            "knowledge-unavailable",
            f"the collections of the store {self._name} cannot be {done}",
            cause=cause,
            hint="check that the database answers, and that the extension vector can be made in it",
        )


def _written(vector: Vectors) -> str:
    """Return a vector as pgvector reads it."""
    return f"[{','.join(map(str, np.asarray(vector, np.float32).tolist()))}]"


def _library(row: Row[Any]) -> Library:
    return Library(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        data_class=SensitivityClass(row.data_class),
        created_s=row.created_s,
        embedder=row.embedder,
        dimensions=row.dimensions,
        metadata=row.metadata,
    )
