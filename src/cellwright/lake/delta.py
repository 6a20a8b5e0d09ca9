"""A lake's rows in Delta tables that many machines write: a folder, or an address of S3, GCS or ABFS.

Every commit names the files whose rows it adds as application transactions (Delta protocol, "Transaction Identifiers"):
who publishes a file twice, or with another machine at once, adds it once. Last of all a file is listed in the table
`files`, so that readers know which are whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from cellwright.errors import StorageError, UsageError
from cellwright.lake.record import FileState
from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.lake.folder import Lake
    from cellwright.lake.record import FileRecord

_FILES: Final = "files"
_TOGETHER: Final = 200_000  # rows of one commit, about
_TRIES: Final = 5  # of a commit that another machine was faster with
_FILE_COLUMNS: Final = pa.schema(
    [
        ("file_id", pa.string()),
        ("tenant", pa.string()),
        ("source", pa.string()),
        ("format", pa.string()),
        ("vendor", pa.string()),
        ("sha256", pa.string()),
        ("size", pa.int64()),
        ("raw", pa.int64()),
        ("rows", pa.int64()),
        ("quarantined", pa.int64()),
        ("filtered", pa.int64()),
        ("ingested", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class Published:
    """What was added, and what was there before."""

    files: int
    rows: int
    known: int


def publish(lake: Lake, address: str) -> Published:
    """Add the rows of all files of a lake that the Delta tables at an address do not have.

    Credentials come from the environment, by the names that the stores' own tools use. Raises UsageError where the
    package `deltalake` is not installed, StorageError where the tables cannot be written.
    """
    tables = {name: _Table(f"{address.rstrip('/')}/{name}", schema) for name, schema in TABLES.items()}
    listed = _Table(f"{address.rstrip('/')}/{_FILES}", _FILE_COLUMNS)
    wanted = [each for each in lake.files() if each.state is not FileState.EXPIRED]
    new, rows = [each for each in wanted if not listed.has(each.file_id)], 0
    for files in _batches(new):
        for name, table in tables.items():
            rows += table.add(files, lambda missing, name=name: _rows(lake, name, missing))
        listed.add(files, _records)
    return Published(len(new), rows, len(wanted) - len(new))


class _Table:
    """One Delta table; made when absent."""

    def __init__(self, address: str, schema: pa.Schema) -> None:
        self._delta = _deltalake()
        self._address, self._schema = address, schema
        try:
            self._delta.DeltaTable.create(address, schema=schema, mode="ignore")
            self._table = self._delta.DeltaTable(address)
        except self._failures() as error:
            raise _unavailable(address, error) from error

    def has(self, file_id: str) -> bool:
        """Return whether the rows of a file were added."""
        return self._table.transaction_version(file_id) is not None

    def add(self, files: Sequence[FileRecord], rows_of: Any) -> int:  # noqa: ANN401 - from files to an Arrow table
        """Add the rows of files that the table does not have in one commit; return how many rows."""
        for attempt in range(_TRIES):
            missing = [each for each in files if not self.has(each.file_id)]
            rows = rows_of(missing)
            if not rows.num_rows:
                return 0
            marks = [self._delta.Transaction(each.file_id, 1) for each in missing]
            try:
                self._delta.write_deltalake(
                    self._table,
                    rows,
                    mode="append",
                    commit_properties=self._delta.CommitProperties(app_transactions=marks),
                )
            except self._failures() as error:
                if attempt == _TRIES - 1:
                    raise _unavailable(self._address, error) from error
                self._table = self._delta.DeltaTable(self._address)  # what others have committed meanwhile
            else:
                return int(rows.num_rows)
        return 0

    def _failures(self) -> tuple[type[Exception], ...]:
        return (self._delta.exceptions.DeltaError, OSError)


def _batches(files: Sequence[FileRecord]) -> Iterator[list[FileRecord]]:
    """Yield files that are committed together."""
    batch, rows = list[Any](), 0
    for file in files:
        batch.append(file)
        rows += file.rows
        if rows >= _TOGETHER:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _rows(lake: Lake, table: str, files: Sequence[FileRecord]) -> pa.Table:
    ids = [each.file_id for each in files if table in each.rows_by_table]
    if not ids:
        return TABLES[table].empty_table()
    return lake.read(table, filter=pc.field("file_id").isin(pa.array(ids, pa.string())))


def _records(files: Sequence[FileRecord]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: getattr(each, name) for name in _FILE_COLUMNS.names} for each in files], schema=_FILE_COLUMNS
    )


def _deltalake() -> Any:  # noqa: ANN401 - an optional package without types of its own here
    try:
        import deltalake  # noqa: PLC0415 - optional
        import deltalake.exceptions  # noqa: PLC0415 - as above
    except ImportError as error:
        raise UsageError.of(
            "deltalake-missing",
            "Delta tables need the package deltalake",
            hint="install cellwright with its extra: pip install 'cellwright[delta]'",
        ) from error
    return deltalake


def _unavailable(address: str, error: Exception) -> StorageError:
    return StorageError.of(
        "delta-unavailable",
        f"the Delta table {address} cannot be written",
        cause=str(error).partition("\n")[0] or type(error).__name__,
        hint="check the address, the credentials in the environment, and the free space; what was added stays added",
    )
