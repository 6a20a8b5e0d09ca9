"""Small relational persistence: SQLite in a file by default, PostgreSQL by URL, the same tables in both."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateColumn

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Engine, MetaData, Table
    from sqlalchemy.dialects import postgresql

    Insert = sqlite.Insert | postgresql.Insert

_BUSY_TIMEOUT_S = 10
_MOST_VALUES = 999  # in one statement: what older builds of SQLite take (sqlite.org/limits.html)
_POSTGRESQL = "postgresql+pg8000"
_DAMAGED = (
    "the file is damaged, or no database: restore a copy of it, or move it away, and an empty one is made instead"
)
_REMEDIES = {  # by what SQLite says (sqlite.org/rescode.html)
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "disk is full": "free some space on the disk, or move the database to another one",
    "readonly": "let the user that runs this write the file and its folder",
    "locked": "another process has held the database for long: stop it, or wait until it ends",
}
_USUAL_REMEDY = "check that the database can be reached, and for a file that its folder exists and is writable"


def open_store(url: str, tables: MetaData) -> Engine:
    """Return an engine on which `tables` exist; `url` is an SQLAlchemy URL such as `sqlite:////var/lib/x.db`.

    Tables of an older version get the columns they lack, which have to be nullable or have a default of the server.
    SQLite runs with a write-ahead log and a sync at every commit, so that a committed row survives a power cut.
    Raises StorageError when the database cannot be opened or written.
    """
    try:
        engine = _engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_sqlite_pragmas)
        _create(engine, tables)
    except SQLAlchemyError as error:
        raise StorageError.of(
            "store-unavailable",
            f"the database {url.rpartition('@')[2]} cannot be opened",
            cause=str(getattr(error, "orig", None) or error),
            hint=remedy(error),
        ) from error
    return engine


def _engine(url: str) -> Engine:
    """Return an engine; PostgreSQL is spoken to by pg8000 unless the URL names another driver."""
    asked = make_url(url)
    try:
        return create_engine(asked.set(drivername=_POSTGRESQL) if asked.drivername == "postgresql" else asked)
    except ModuleNotFoundError as error:
        raise StorageError.of(
            "extra-missing",
            f"the database {url.rpartition('@')[2]} needs the package {error.name}",
            hint="pip install 'cellwright[postgresql]', and a URL that begins with postgresql://",
        ) from None


def remedy(error: SQLAlchemyError) -> str:
    """Return what to do about a database that fails; neither its message nor what it was asked is repeated."""
    said = str(getattr(error, "orig", None) or "").lower()
    return next((words for sign, words in _REMEDIES.items() if sign in said), _USUAL_REMEDY)


def _create(engine: Engine, tables: MetaData) -> None:
    # Another process may create the same tables at this moment: every failure then finds one more of them there.
    for last in (*[False] * len(tables.tables), True):
        try:
            tables.create_all(engine)
            _add_columns(engine, tables)
        except SQLAlchemyError:
            engine.dispose()
            if last:
                raise
        else:
            return


def _add_columns(engine: Engine, tables: MetaData) -> None:
    """Add what tables of an older version lack."""
    there = inspect(engine)
    for table in tables.sorted_tables:
        known = {column["name"] for column in there.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                added = CreateColumn(column).compile(dialect=engine.dialect)
                with engine.begin() as connection:
                    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {added}"))


class Insertion:
    """Stores rows, tuples in the order of a table's columns, whose values need no conversion, by few statements.

    Each statement takes as many rows as a power of two, so that a handful of texts serve batches of any size. A server
    is waited for as often as there are statements, and with SQLite other threads go on while one is carried out.
    """

    def __init__(self, engine: Engine, table: Table, completed: Callable[[Insert], Insert] | None = None) -> None:
        """`completed` says what becomes of rows that are there already."""
        self._dialect = engine.dialect
        self._columns = [column.name for column in table.columns]
        self._insert = insert_or_update(engine, table)
        self._completed = completed
        self._most = 1 << (_MOST_VALUES // len(self._columns)).bit_length() - 1  # rows of one statement
        self._statements: dict[int, str] = {}
        self._by_place = engine.dialect.paramstyle in {"qmark", "format"}  # no value has a name
        self._parts = self._split() if self._by_place else ("", "", "")

    def execute(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Store rows, in their order, within the transaction of a connection; raises SQLAlchemyError."""
        start, size = 0, self._most
        while start < len(rows):
            if whole := (len(rows) - start) // size:
                ends = range(start + size, start + size * whole + 1, size)
                values = [tuple(chain.from_iterable(rows[end - size : end])) for end in ends]
                connection.exec_driver_sql(self._statement(size), values if self._by_place else self._named(values))
                start += size * whole
            size //= 2

    def _named(self, values: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [dict(zip(self._names(len(each) // len(self._columns)), each, strict=True)) for each in values]

    def _names(self, size: int) -> list[str]:
        return [f"{name}_m{row}" for row in range(size) for name in self._columns]

    def _statement(self, size: int) -> str:
        """Return the statement for so many rows as the driver takes it."""
        if size not in self._statements:
            head, row, tail = self._parts
            self._statements[size] = f"{head}{row * (size - 1)}{tail}" if self._by_place else self._compiled(size)
        return self._statements[size]

    def _split(self) -> tuple[str, str, str]:
        """Return the statement of one row up to the end of its values, what one more row adds, and what follows.

        SQLAlchemy takes half a millisecond to write each row.
        """
        one, two = self._compiled(1), self._compiled(2)
        end = next(place for place, sign in enumerate(two) if one[place : place + 1] != sign)
        return one[:end], two[end : end + len(two) - len(one)], one[end:]

    def _compiled(self, size: int) -> str:
        statement = self._insert.values([dict.fromkeys(self._columns)] * size)
        statement = self._completed(statement) if self._completed is not None else statement
        compiled = statement.compile(dialect=self._dialect)
        if self._by_place and compiled.positiontup != self._names(size):
            msg = f"values of {self._columns} are not asked for row by row"
            raise ValueError(msg)
        return str(compiled)


def insert_or_update(connection: Connection | Engine, table: Table) -> Insert:
    """Return an insert into a table that can say what becomes of a row that is there already."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - takes 2 MiB, and most stores are files

    return postgresql.insert(table)


def sqlite_url(path: str) -> str:
    """Return the URL of the SQLite file at an absolute or relative path."""
    return f"sqlite:///{path}"


def _set_sqlite_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection has no public type
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_TIMEOUT_S * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
