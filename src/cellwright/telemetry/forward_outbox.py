"""How far a site's lake was forwarded: tables beside its ledger, written once the server said that it holds a message.

The lake itself is what waits to be sent: what the ledger lists and this table does not. A crash between a server's word
and the table sends a message twice, which the centre knows by its content.
"""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, MetaData, String, Table, delete, insert, select

from cellwright.lake.disk import storage_errors
from cellwright.store import open_store, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cellwright.lake.record import FileRecord

NAME: Final = "forward.db"

_METADATA: Final = MetaData()
_FILES: Final = Table(
    "forwarded",
    _METADATA,
    Column("target", String, primary_key=True),
    Column("file_id", String, primary_key=True),
    Column("edition", String, nullable=False),
)
_PIECES: Final = Table(
    "pieces",
    _METADATA,
    Column("target", String, primary_key=True),
    Column("file_id", String, primary_key=True),
    Column("message", String, primary_key=True),
    Column("stream", String, nullable=False),
)
_SITE: Final = Table("site", _METADATA, Column("id", String, primary_key=True))


def edition_of(record: FileRecord) -> str:
    """Return what tells a file from the same file stored anew: when it was stored."""
    return record.ingested.isoformat()


class Outbox:
    """What one target holds already. Every method is one transaction; raises StorageError."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder, self._target = folder, target
        self._engine = open_store(sqlite_url(str(folder / NAME)), _METADATA)

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def site(self) -> str:
        """Return what tells the messages of this lake from those of others: random, and made once."""
        with storage_errors("written", self._folder), self._engine.begin() as connection:
            known = connection.execute(select(_SITE.c.id)).scalar()
            if known is None:
                known = token_hex(8)
                connection.execute(insert(_SITE), {"id": known})
            return str(known)

    def forwarded(self) -> dict[str, str]:
        """Return the editions of the files that were forwarded, by file id."""
        query = select(_FILES.c.file_id, _FILES.c.edition).where(_FILES.c.target == self._target)
        with storage_errors("read", self._folder), self._engine.connect() as connection:
            return {row.file_id: row.edition for row in connection.execute(query)}

    def sent(self, file_id: str, stream: str) -> frozenset[str]:
        """Return the ids of a file's pieces that a stream holds; what went to a stream that is no more is forgotten."""
        mine = (_PIECES.c.target == self._target) & (_PIECES.c.file_id == file_id)
        with storage_errors("written", self._folder), self._engine.begin() as connection:
            connection.execute(delete(_PIECES).where(mine, _PIECES.c.stream != stream))
            return frozenset(connection.execute(select(_PIECES.c.message).where(mine)).scalars())

    def add(self, file_id: str, stream: str, messages: Iterable[str]) -> None:
        """Note pieces that a stream holds now."""
        rows = [{"target": self._target, "file_id": file_id, "message": each, "stream": stream} for each in messages]
        with storage_errors("written", self._folder), self._engine.begin() as connection:
            for row in rows:
                connection.execute(insert(_PIECES).prefix_with("OR REPLACE", dialect="sqlite"), row)

    def done(self, file_id: str, edition: str) -> None:
        """Note that a file was forwarded as a whole."""
        mine = {"target": self._target, "file_id": file_id}
        with storage_errors("written", self._folder), self._engine.begin() as connection:
            for table in (_PIECES, _FILES):
                connection.execute(delete(table).where(table.c.target == self._target, table.c.file_id == file_id))
            connection.execute(insert(_FILES), [mine | {"edition": edition}])

    def forget(self) -> None:
        """Forget all that went to the target, so that all of it is sent again."""
        with storage_errors("written", self._folder), self._engine.begin() as connection:
            for table in (_PIECES, _FILES):
                connection.execute(delete(table).where(table.c.target == self._target))
