"""SQL over the tables, by DuckDB: it sees what it is given, no file, no network and no setting."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import pyarrow.dataset as pads

_SETTINGS: Final = {
    "enable_external_access": False,  # no COPY, ATTACH, INSTALL, nor reading of files
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
}
_LOCKED: Final = ("SET TimeZone = 'UTC'", "SET lock_configuration = true")  # and no SET that would change any of it


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What a statement may take; who asks for no more rows than these sees one more where there are more."""

    rows: int
    seconds: float
    memory_mib: int


def answer(sql: str, tables: Mapping[str, pads.Dataset], limits: QueryLimits | None = None) -> pa.Table:
    """Return what one SELECT finds; columns of the tables are read as far as it needs them.

    Raises UsageError where the statement is no single SELECT, or DuckDB refuses it, or it takes more than it may.
    """
    import duckdb  # noqa: PLC0415 - takes 15 MiB, and most commands ask nothing

    connection = duckdb.connect(":memory:", config=dict(_SETTINGS))
    if limits is not None:
        connection.execute(f"SET memory_limit = '{limits.memory_mib}MiB'")
    for setting in _LOCKED:
        connection.execute(setting)
    alarm = threading.Timer(limits.seconds if limits else 0.0, connection.interrupt)
    if limits is not None:
        alarm.start()
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
            raise UsageError.of("not-a-query", "a lake answers one SELECT", expected="SELECT ... FROM a table")
        for name, rows in tables.items():
            connection.register(name, rows)
        found = connection.sql(sql)
        return (found if limits is None else found.limit(limits.rows + 1)).to_arrow_table()
    except duckdb.Error as error:
        message = str(error).partition("\n")[0]
        table = message.partition("Table with name ")[2].partition(" ")[0]
        expected = "the tables " + ", ".join(sorted(tables))
        hint = nearest(table, tables) if table else "DESCRIBE table shows its columns"
        raise UsageError.of("query-failed", message, expected=expected, hint=hint) from error
    finally:
        alarm.cancel()
        connection.close()
