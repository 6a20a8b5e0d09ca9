"""A lake that many machines write as Delta tables, open for reading: only rows of files that are whole are seen."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from cellwright.errors import UsageError
from cellwright.lake.delta import FILE_COLUMNS, FILES, KEY, deltalake, table_at, unavailable
from cellwright.lake.folder import AbsentLakeError, Lake, known
from cellwright.lake.query import answer
from cellwright.lake.record import FileRecord, FileState, TableRecord
from cellwright.lake.schema import TABLES
from cellwright.lake.verify import Balance, Finding, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from cellwright.lake.address import Address
    from cellwright.lake.folder import Kept
    from cellwright.lake.query import QueryLimits
    from cellwright.lake.record import QuarantineRecord
    from cellwright.lake.writer import LakeWriter

_ORDER: Final = ("ingest_ts", "file_id", "ordinal")


class DeltaLake(Lake):
    """Delta tables as a lake, as they were when it was opened. Ledgers and quarantine are those of the machines."""

    def __init__(self, place: Path | Address, listed: Any) -> None:  # noqa: ANN401 - an optional package without types
        self._at, self._listed = place, listed
        self._opened = {name: table_at(place, name) for name in TABLES}
        self._files = self._read(lambda: listed.to_pyarrow_dataset(schema=FILE_COLUMNS).to_table())
        self._counted: dict[str, dict[str, tuple[int, int]]] = {}
        self._whole = pc.field("file_id").isin(self._files["file_id"].combine_chunks())

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - as inherited
        kept: Kept | None = None,
    ) -> pa.Table:
        """Return the rows of a table that satisfy `filter`, in the order of ingestion, files and ordinals."""
        names = [known(column, TABLES[table].names, "column") for column in columns or TABLES[table].names]
        needed = list(dict.fromkeys([*names, *_ORDER]))

        def rows() -> pa.Table:
            if kept is None:
                return self.dataset(table).to_table(needed, filter=filter)
            empty = TABLES[table].empty_table().select(needed)
            batches = self.dataset(table).to_batches(columns=needed, filter=filter)
            return pa.concat_tables([empty, *(kept(pa.Table.from_batches([batch])) for batch in batches)])

        return self._read(rows).sort_by([(name, "ascending") for name in _ORDER]).select(names)

    def read_of(self, table: str, files: Collection[str]) -> pa.Table:
        """Return the rows of a table that some files brought."""
        return self.read(table, filter=pc.field("file_id").isin(pa.array([*files], pa.string())))

    def dataset(self, table: str) -> pads.Dataset:
        """Return the rows of whole files of a table as a dataset."""
        schema = TABLES[known(table, list(TABLES), "table")]
        if (opened := self._opened[table]) is None:
            return pads.dataset(schema.empty_table())
        return opened.to_pyarrow_dataset(schema=schema).filter(self._whole)

    def query(self, sql: str, where: pc.Expression | None = None, limits: QueryLimits | None = None) -> pa.Table:
        """Return what a SELECT finds in the tables; raise UsageError for a statement that cannot be answered."""
        return self._read(lambda: answer(sql, self._datasets(where), limits))

    def tables(self) -> tuple[TableRecord, ...]:
        """Return the tables that have rows, with their parts and rows."""
        rows = defaultdict[str, int](int)
        for file in self.files():
            for table, count in file.rows_by_table.items():
                rows[table] += count
        opened = {name: table for name, table in self._opened.items() if table is not None}
        return tuple(TableRecord(name, len(opened[name].file_uris()), rows[name]) for name in sorted(rows))

    def key(self) -> str:
        """Return the fingerprint of the key that the tables were made with."""
        return str(self._listed.metadata().configuration.get(KEY, ""))

    def files(self) -> tuple[FileRecord, ...]:
        """Return the files whose rows are in the tables, by source."""
        found = [
            FileRecord(
                **{
                    **each,
                    "state": FileState(each["state"] or _state(each)),
                    "reasons": dict(each["reasons"] or ()),
                    "rows_by_table": self._told(each["file_id"], each["rows_by_table"]),
                }
            )
            for each in self._files.to_pylist()
        ]
        return tuple(sorted(found, key=lambda file: (file.source, file.file_id)))

    def _told(self, file_id: str, rows_by_table: list[tuple[str, int]] | None) -> dict[str, int]:
        """Return the rows of a file by table; where an earlier version did not list them, what the tables hold."""
        if rows_by_table is not None:
            return dict(rows_by_table)
        self._counted = self._counted or {name: self._recount(name) for name in TABLES}
        return {name: counts[file_id][0] for name, counts in self._counted.items() if file_id in counts}

    def quarantine(self) -> tuple[QuarantineRecord, ...]:
        """Return nothing: quarantine stays on the machines that filled it."""
        return ()

    def verify(self) -> tuple[Balance, ...]:
        """Return the balance of every file, its rows and their ordinals recounted in the tables."""
        counted = {name: self._recount(name) for name in TABLES}
        return tuple(_balance(file, counted) for file in self.files())

    @contextlib.contextmanager
    def writer(self, quarantine_key: bytes) -> Iterator[LakeWriter]:  # noqa: ARG002 - as inherited
        """Refuse: each machine writes through a lake of its own."""
        yield self._refuse("written like this")

    def compact(self, rows: int = 0) -> tuple[int, int]:  # noqa: ARG002 - as inherited
        """Merge small files of the tables; return how many there were, and are. The old ones stay until a VACUUM."""
        tables = [table for table in self._opened.values() if table is not None]
        before = sum(len(table.file_uris()) for table in tables)
        self._read(lambda: [table.optimize.compact() for table in tables])
        return before, sum(len(table.file_uris()) for table in tables)

    def expire(self, before: datetime) -> tuple[FileRecord, ...]:
        """Refuse: which rows are over is for one machine to say, with Delta's own tools."""
        self._refuse(f"shortened to {before:%Y-%m-%d}")

    def forget_payloads(self, before: datetime) -> int:
        """Refuse: there is no quarantine here."""
        self._refuse(f"rid of quarantined input from before {before:%Y-%m-%d}")

    def quarantined_payloads(self, file_id: str, ordinal: int, key: bytes) -> tuple[bytes, ...]:  # noqa: ARG002 - as inherited
        """Return nothing: quarantine stays on the machines that filled it."""
        return ()

    def _recount(self, table: str) -> dict[str, tuple[int, int]]:
        """Return rows and distinct ordinals by file."""
        rows = self._read(lambda: self.dataset(table).to_table(["file_id", "ordinal"]))
        groups = rows.group_by("file_id").aggregate([("ordinal", "count"), ("ordinal", "count_distinct")])
        return {each["file_id"]: (each["ordinal_count"], each["ordinal_count_distinct"]) for each in groups.to_pylist()}

    def _read(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the work returns
        try:
            return work()
        except (deltalake().exceptions.DeltaError, OSError, pa.ArrowException) as error:
            raise unavailable(self._at, "read", error) from None

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError.of(
            "delta-lake",
            f"the lake {self._at} is Delta tables and cannot be {what}",
            hint="many machines write it: keep it with Delta's own DELETE and VACUUM",
        )


def _state(counts: Mapping[str, Any]) -> FileState:
    """Return the state of a file of which an earlier version listed counts alone."""
    if counts["raw"] != counts["rows"] + counts["quarantined"] + counts["filtered"]:
        return FileState.UNBALANCED
    if counts["quarantined"]:
        return FileState.PARTIAL if counts["rows"] else FileState.QUARANTINED
    return FileState.STORED


def _balance(file: FileRecord, counted: dict[str, dict[str, tuple[int, int]]]) -> Balance:
    found = {name: each[file.file_id] for name, each in counted.items() if file.file_id in each}
    rows = sum(many for many, _ in found.values())
    findings = [
        finding
        for name in sorted({*found, *file.rows_by_table})
        for finding in compare(
            "table-recount", f"rows in {name}", found.get(name, (0, 0))[0], file.rows_by_table.get(name, 0)
        )
    ]
    twice = sum(many - different for many, different in found.values())
    if twice:
        findings.append(Finding("ordinals-twice", twice, f"{twice} facts are accounted for twice"))
    findings += compare(
        "conservation", "rows, quarantined and filtered facts", rows + file.quarantined + file.filtered, file.raw
    )
    return Balance(file.file_id, file.source, file.raw, rows, file.quarantined, file.filtered, tuple(findings))


def open_lake(where: Path | Address) -> Lake:
    """Return what lies in a folder or at an address: a lake, or Delta tables; raise StorageError when it is neither."""
    try:
        return Lake.open(where)
    except AbsentLakeError:
        if (listed := delta_at(where)) is None:
            raise
    return DeltaLake(where, listed)


def delta_at(where: Path | Address) -> Any | None:  # noqa: ANN401 - as above
    """Return the table of files at a place, None where there is none or the package for it is absent."""
    if isinstance(where, Path) and not (where / FILES).is_dir():
        return None
    try:
        return table_at(where, FILES)
    except UsageError:
        return None
