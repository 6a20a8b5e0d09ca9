"""Delta tables that many machines write at once: in a folder, or at an address of S3, GCS or Azure.

Every commit names the files whose rows it adds as application transactions (Delta protocol, "Transaction Identifiers"):
who adds a file twice, or with another machine at once, adds it once. Last of all a file is listed in the table `files`,
so that readers know which are whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from cellwright.errors import StorageError
from cellwright.lake.bucket import failure
from cellwright.lake.record import FileState
from cellwright.lake.schema import TABLES
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cellwright.lake.address import Address
    from cellwright.lake.folder import Lake
    from cellwright.lake.record import FileRecord

FILES: Final = "files"
KEY: Final = "cellwright.key"  # the property of a table that holds the fingerprint of the key
TOGETHER: Final = 200_000  # rows of one commit, about
_TRIES: Final = 8  # of a commit that another machine was faster with
_PATIENCE: Final = {"max_retries": "6", "retry_timeout": "60s", "connect_timeout": "5s", "timeout": "60s"}
_COUNTS: Final = pa.map_(pa.string(), pa.int64())
FILE_COLUMNS: Final = pa.schema(
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
        ("state", pa.string()),
        ("reasons", _COUNTS),
        ("rows_by_table", _COUNTS),
        ("ingested", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class Published:
    """What was added, and what was there before."""

    files: int
    rows: int
    known: int


class DeltaTables:
    """The tables of a lake as Delta tables, open for adding files; made when absent.

    Credentials come from the environment, by the names that the stores' own tools use. Raises UsageError where the
    package `deltalake` is not installed, StorageError where the tables cannot be written.
    """

    def __init__(self, place: Path | Address, key: str) -> None:
        """`key`: the fingerprint of the key of the pseudonyms; who made the tables decided which it is."""
        self._listed = _Table(place, FILES, FILE_COLUMNS, key)
        self._tables = {name: _Table(place, name, schema, key) for name, schema in TABLES.items()}

    def add(self, lake: Lake, wanted: Sequence[FileRecord]) -> Published:
        """Add the rows of files of a lake that the tables do not have, and list the files."""
        new, rows = [each for each in wanted if not self._listed.has(each.file_id)], 0
        for files in _batches(new):
            for name, table in self._tables.items():
                rows += table.add(files, partial(_rows, lake, name))
            self._listed.add(files, _records)
        return Published(len(new), rows, len(wanted) - len(new))


def publishable(file: FileRecord) -> bool:
    """Return whether a file has anything to say in Delta tables: some format read it, and its time is not over."""
    return file.format is not None and file.state is not FileState.EXPIRED


def publish(lake: Lake, place: Path | Address) -> Published:
    """Add the rows of all files of a lake that the Delta tables at a place do not have; raise as DeltaTables does."""
    return DeltaTables(place, lake.key()).add(lake, [each for each in lake.files() if publishable(each)])


def table_at(place: Path | Address, name: str) -> Any | None:  # noqa: ANN401 - an optional package without types here
    """Return a Delta table as it is now, None where there is none; raise StorageError where it cannot be read."""
    delta = deltalake()
    address, options = _opened_by(place, name)
    try:
        return delta.DeltaTable(address, storage_options=options)
    except delta.exceptions.TableNotFoundError:
        return None
    except (delta.exceptions.DeltaError, OSError) as error:
        raise unavailable(place, "read", error) from None


class _Table:
    """One Delta table."""

    def __init__(self, place: Path | Address, name: str, schema: pa.Schema, key: str) -> None:
        self._place, self._name = place, name
        self._delta = deltalake()
        self._table = self._made(schema, key)
        if self._table.metadata().configuration.get(KEY, key) != key:
            raise StorageError.of(
                "another-key",
                f"the Delta tables at {place} were made with another pseudonym key",
                expected="the same key on every machine: with two, one subscriber would have two pseudonyms",
                hint="name the right key file with CELLWRIGHT_KEY_FILE, or write to another lake",
            )

    def has(self, file_id: str) -> bool:
        """Return whether the rows of a file were added."""
        try:
            return self._table.transaction_version(file_id) is not None
        except self._failures() as error:
            raise unavailable(self._place, "read", error) from None

    def add(self, files: Sequence[FileRecord], rows_of: Callable[[Sequence[FileRecord]], pa.Table]) -> int:
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
                    schema_mode="merge",  # tables that an earlier version made lack columns
                    commit_properties=self._delta.CommitProperties(app_transactions=marks),
                )
            except self._failures() as error:
                if attempt == _TRIES - 1:
                    raise unavailable(self._place, "written", error) from None
                self._table = table_at(self._place, self._name)  # what others have committed meanwhile
            else:
                return int(rows.num_rows)
        return 0

    def _made(self, schema: pa.Schema, key: str) -> Any:  # noqa: ANN401 - as above
        address, options = _opened_by(self._place, self._name)
        for attempt in range(_TRIES):
            if (found := table_at(self._place, self._name)) is not None:
                return found
            try:
                self._delta.DeltaTable.create(
                    address,
                    schema=schema,
                    mode="ignore",
                    configuration={KEY: key},
                    storage_options=options,
                    raise_if_key_not_exists=False,  # a property of our own
                )
            except self._failures() as error:
                if attempt == _TRIES - 1 or not isinstance(error, self._delta.exceptions.CommitFailedError):
                    raise unavailable(self._place, "written", error) from None
        return table_at(self._place, self._name)

    def _failures(self) -> tuple[type[Exception], ...]:
        return (self._delta.exceptions.DeltaError, OSError)


def _opened_by(place: Path | Address, name: str) -> tuple[str, dict[str, str] | None]:
    return (str(place / name), None) if isinstance(place, Path) else (f"{place}/{name}", dict(_PATIENCE))


def _batches(files: Sequence[FileRecord]) -> Iterator[list[FileRecord]]:
    """Yield files that are committed together."""
    batch, rows = list[Any](), 0
    for file in files:
        batch.append(file)
        rows += file.rows
        if rows >= TOGETHER:
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
        [
            {name: getattr(each, name) for name in FILE_COLUMNS.names}
            | {"state": each.state.value, "reasons": [*each.reasons.items()]}
            | {"rows_by_table": [*each.rows_by_table.items()]}
            for each in files
        ],
        schema=FILE_COLUMNS,
    )


def deltalake() -> Any:  # noqa: ANN401 - an optional package without types of its own here
    """Return the package, or raise UsageError that says how to install it."""
    return load_extra("delta", "Delta tables need", "deltalake", "exceptions")


def unavailable(place: Path | Address, action: str, error: Exception) -> StorageError:
    """Return what a user reads when Delta tables cannot be read or written."""
    if not isinstance(place, Path) and isinstance(error, OSError):
        return failure(str(place), action, error)
    return StorageError.of(
        "delta-unavailable",
        f"the Delta tables at {place} cannot be {action}",
        cause=str(error).partition("\n")[0].partition("<")[0] or type(error).__name__,
        hint="check the address, the credentials in the environment, and the free space; what was added stays added",
    )
