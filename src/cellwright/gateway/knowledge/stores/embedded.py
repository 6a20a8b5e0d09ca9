"""Collections in one DuckDB file of the gateway's machine, searched exactly: every vector is looked at."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import orjson
import pyarrow as pa

from cellwright.errors import StorageError, UsageError
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.knowledge.store import Chunking, Document, Hit, Library, check_room

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from cellwright.gateway.knowledge.store import Store, Vectors
    from cellwright.gateway.knowledge_spec import KnowledgeSpec

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS libraries (id VARCHAR, tenant VARCHAR, name VARCHAR, data_class VARCHAR, created_s BIGINT,
    embedder VARCHAR, dimensions INTEGER, metadata VARCHAR);
CREATE TABLE IF NOT EXISTS documents (id VARCHAR, library VARCHAR, name VARCHAR, size BIGINT, created_s BIGINT,
    attributes VARCHAR, chunk_tokens INTEGER, chunk_overlap INTEGER, passages INTEGER);
"""
_HELD: Final = """
SELECT coalesce(sum(d.size + d.passages::BIGINT * l.dimensions * 4), 0)
FROM documents d JOIN libraries l ON l.id = d.library WHERE l.tenant = ?
"""
_SAFE: Final = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def open_store(spec: KnowledgeSpec, environ: Mapping[str, str]) -> Store:  # noqa: ARG001 - as every store is opened
    """Return the store in the file of a specification; raise UsageError where it names none."""
    if spec.file is None:
        raise UsageError.of(
            "missing-file", f"the knowledge store {spec.name} has no file", expected="a file such as knowledge.duckdb"
        )
    return EmbeddedStore(Path(spec.file))


class EmbeddedStore:
    """A DuckDB file; one process has it open at a time. What is deleted is gone from the tables at once."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where it is absent and readable by its owner alone; raise StorageError."""
        self._path = path
        self._writing = threading.Lock()
        with _told(path, "opened"):
            self._connection = duckdb.connect(str(path), config=dict(_SAFE))
            path.chmod(0o600)
            self._connection.execute(_TABLES)

    def libraries(self, tenant: str) -> Sequence[Library]:
        """Return the collections of a tenant, the oldest first."""
        rows = self._rows("SELECT * FROM libraries WHERE tenant = ? ORDER BY created_s, id", tenant)
        return [_library(row) for row in rows]

    def library(self, tenant: str, id: str) -> Library | None:  # noqa: A002 - Store
        """Return a collection."""
        rows = self._rows("SELECT * FROM libraries WHERE tenant = ? AND id = ?", tenant, id)
        return _library(rows[0]) if rows else None

    def put(self, library: Library) -> None:
        """Make a collection, or change it."""
        metadata = orjson.dumps(library.metadata).decode()
        about = (library.data_class.value, library.created_s, library.embedder, library.dimensions, metadata)
        with self._change() as cursor:
            cursor.execute("DELETE FROM libraries WHERE id = ?", [library.id])
            row = [library.id, library.tenant, library.name, *about]
            cursor.execute("INSERT INTO libraries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if library.dimensions is not None:
                columns = f"document VARCHAR, ordinal INTEGER, text VARCHAR, vector FLOAT[{library.dimensions:d}]"
                cursor.execute(f"CREATE TABLE IF NOT EXISTS {_table(library)} ({columns})")

    def drop(self, library: Library) -> None:
        """Delete a collection with all that is in it."""
        with self._change() as cursor:
            cursor.execute("DELETE FROM documents WHERE library = ?", [library.id])
            cursor.execute("DELETE FROM libraries WHERE id = ?", [library.id])
            cursor.execute(f"DROP TABLE IF EXISTS {_table(library)}")

    def documents(self, library: Library) -> Sequence[Document]:
        """Return the documents of a collection, the oldest first."""
        rows = self._rows("SELECT * FROM documents WHERE library = ? ORDER BY created_s, id", library.id)
        return [
            Document(id, name, size, created_s, orjson.loads(attributes), Chunking(tokens, overlap), passages)
            for id, _, name, size, created_s, attributes, tokens, overlap, passages in rows  # noqa: A001 - Document
        ]

    def add(
        self, library: Library, document: Document, texts: Sequence[str], vectors: Vectors, most: int | None = None
    ) -> None:
        """Keep a document's passages in place of any of the same name."""
        table = _table(library)
        columns = {
            "document": pa.array([document.id] * len(texts), pa.string()),
            "ordinal": pa.array(range(len(texts)), pa.int32()),
            "text": pa.array(texts, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1]),
        }
        with self._change() as cursor:
            named = "SELECT id FROM documents WHERE library = ? AND (name = ? OR id = ?)"
            for (old,) in cursor.execute(named, [library.id, document.name, document.id]).fetchall():
                cursor.execute(f"DELETE FROM {table} WHERE document = ?", [old])  # noqa: S608 - a name of our own
            old_ones = "DELETE FROM documents WHERE library = ? AND (name = ? OR id = ?)"
            cursor.execute(old_ones, [library.id, document.name, document.id])
            (held,) = cursor.execute(_HELD, [library.tenant]).fetchall()[0]
            check_room(int(held), document, vectors, most)
            cursor.register("given", pa.table(columns))
            cursor.execute(f"INSERT INTO {table} SELECT * FROM given")  # noqa: S608 - a name of our own
            cursor.unregister("given")
            chunking, attributes = document.chunking, orjson.dumps(document.attributes).decode()
            about = (document.size, document.created_s, attributes, chunking.tokens, chunking.overlap, len(texts))
            row = [document.id, library.id, document.name, *about]
            cursor.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def remove(self, library: Library, document: str) -> bool:
        """Delete a document."""
        with self._change() as cursor:
            gone = "DELETE FROM documents WHERE library = ? AND id = ? RETURNING id"
            found = cursor.execute(gone, [library.id, document]).fetchall()
            if found:
                cursor.execute(f"DELETE FROM {_table(library)} WHERE document = ?", [document])  # noqa: S608 - as above
        return bool(found)

    def texts(self, library: Library, document: str) -> Sequence[str]:
        """Return the passages of a document in their order."""
        if library.dimensions is None:
            return []
        sql = f"SELECT text FROM {_table(library)} WHERE document = ? ORDER BY ordinal"  # noqa: S608 - a name of our own
        return [text for (text,) in self._rows(sql, document)]

    def search(self, library: Library, query: Vectors, documents: Collection[str] | None, most: int) -> Sequence[Hit]:
        """Return the passages nearest to a vector, the best first; vectors are looked at before texts are read."""
        if library.dimensions is None or documents == []:
            return []
        table, near = _table(library), f"array_cosine_similarity(vector, ?::FLOAT[{library.dimensions:d}])"
        some = "" if documents is None else "WHERE document IN (SELECT unnest(?))"
        sql = f"""
            WITH best AS (SELECT rowid AS place, {near} AS score FROM {table} {some}
                          ORDER BY score DESC, document, ordinal LIMIT ?)
            SELECT p.document, d.name, d.attributes, p.ordinal, p.text, best.score
            FROM best JOIN {table} p ON p.rowid = best.place JOIN documents d ON d.id = p.document AND d.library = ?
            ORDER BY best.score DESC, p.document, p.ordinal
        """  # noqa: S608 - names of our own; values are bound
        among = () if documents is None else (list(documents),)
        rows = self._rows(sql, query.tolist(), *among, most, library.id)
        return [
            Hit(doc, name, orjson.loads(given), ordinal, text, score) for doc, name, given, ordinal, text, score in rows
        ]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with _told(self._path, "read"), self._connection.cursor() as cursor:
            return cursor.execute(sql, list(values)).fetchall()

    @contextlib.contextmanager
    def _change(self) -> Iterator[DuckDBPyConnection]:
        """Run the block as one transaction, and have the file hold what came of it."""
        with _told(self._path, "written"), self._writing, self._connection.cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            yield cursor  # a cursor that is closed without a commit rolls back
            cursor.execute("COMMIT")


def _table(library: Library) -> str:
    """Return the table of a collection's passages: its id is ours, of letters and digits."""
    name = f"passages_{library.id.rpartition('vs_')[2]}"
    if not name.isidentifier() or not name.isascii():
        msg = "the id of a collection is not one of ours"
        raise ValueError(msg)
    return name


def _library(row: tuple[Any, ...]) -> Library:
    id, tenant, name, data_class, created_s, embedder, dimensions, metadata = row  # noqa: A001 - Library
    about = orjson.loads(metadata)
    return Library(id, tenant, name, SensitivityClass(data_class), created_s, embedder, dimensions, about)


@contextlib.contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    """Tell what DuckDB raises in our words, without its message: that may quote a text."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise StorageError.of(
            "knowledge-unavailable",
            f"the collections cannot be {done}",
            cause=f"{type(error).__name__} at {path}",  # which no client is told
            hint=_remedy(path, error),
        ) from error


def _remedy(path: Path, error: Exception) -> str:
    """Return what to do; DuckDB does not tell by its errors' types what is damaged, so the file is looked at."""
    if "lock" in str(error):
        return "another process has the file open: stop it, or serve collections to several by type pgvector"
    if os.strerror(errno.ENOSPC) in str(error):
        return "free some space on the disk, or move the file to another one"
    with contextlib.suppress(OSError):
        if path.is_file() and os.access(path, os.W_OK):
            return "the file is damaged, or none of DuckDB: restore a copy of it, or move it away and fill a new one"
    return "check that it is a file, and that it and its folder are writable"
