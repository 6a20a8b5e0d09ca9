"""What a format makes of raw bytes: detected, checked against the lake's schema, pseudonymised and put in an envelope.

Mediation stores what comes of it; whoever needs records for a moment reads them in memory.
"""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import pyarrow as pa

from cellwright.lake.encoding import repeated
from cellwright.lake.record import identity
from cellwright.lake.schema import FACTS, MEDIATION_ENVELOPE, TABLES, is_of
from cellwright.telemetry.quality_flags import flagged
from cellwright.telemetry.sources import lend
from cellwright.telemetry.standard_names import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cellwright.privacy.pseudonymise import Pseudonymiser
    from cellwright.telemetry.format import Batch, Format

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Records:
    """What raw bytes hold: rows by table as the lake has them, and how many facts became none."""

    tables: Mapping[str, pa.Table]
    facts: int  # counted without the parser
    left_out: int  # by the format, on purpose
    unread: int

    def rows(self, table: str) -> int:
        """Return the rows of a table."""
        return self.tables[table].num_rows if table in self.tables else 0


def read_records(  # noqa: PLR0913 - what mediation says of a file
    raw: bytes, read_as: Format, *, pseudonymiser: Pseudonymiser, tenant: str, source: str, now: datetime
) -> Records:
    """Return the records in `raw`, as mediating a file of that content from `source` would store them."""
    file_id = identity(tenant, hashlib.sha256(raw).hexdigest(), "")
    around = envelope(tenant, source, file_id, now)
    rows: dict[str, list[pa.RecordBatch]] = {}
    left_out = 0
    for batch in batches(read_as, io.BytesIO(raw)):
        for table, found in batch.tables.items() if batch else ():
            rows.setdefault(table, []).append(enveloped(clean(table, found, pseudonymiser, now), around))
        left_out += sum(each.facts for each in batch.filtered) if batch else 0
    facts = read_as.count_facts(io.BytesIO(raw))
    tables = {table: pa.Table.from_batches([_plain(table, each) for each in found]) for table, found in rows.items()}
    read = sum(table.num_rows for table in tables.values())
    return Records(tables, facts, left_out, max(0, facts - read - left_out))


def detects(candidate: Format, head: bytes, name: str) -> bool:
    """Return whether a format detects a file; a plugin that fails to tell detects nothing."""
    try:
        return candidate.detects(head, name)
    except Exception as error:  # noqa: BLE001 - a format is a plugin: its failure is logged, and it reads nothing
        _LOG.warning("format %s failed to detect: %s", candidate.name, type(error).__name__)
        return False


def batches(read_as: Format, stream: BinaryIO) -> Iterator[Batch | None]:
    """Yield the checked batches of a file, and None where the format failed."""
    try:
        yield from map(_checked, read_as.parse(lend(stream)))  # which holds none of them
    except Exception as error:  # noqa: BLE001 - a format is a plugin: its failure is logged and the rest quarantined
        _LOG.warning("format %s failed to parse: %s", read_as.name, type(error).__name__)
        yield None


def clean(table: str, rows: pa.RecordBatch, pseudonymiser: Pseudonymiser, ingested: datetime) -> pa.RecordBatch:
    """Return a format's rows with standard names, pseudonyms and marks of quality."""
    return flagged(table, pseudonymiser.batch(named(rows) if table == "pm_counters" else rows), ingested)


def envelope(tenant: str, source: str, file_id: str, ingested: datetime) -> dict[str, pa.Scalar]:
    """Return what mediation says of every row of a file."""
    return {
        "tenant": pa.scalar(tenant, pa.string()),
        "source": pa.scalar(source, pa.string()),
        "file_id": pa.scalar(file_id, pa.string()),
        "ingest_ts": pa.scalar(ingested, pa.timestamp("us", tz="UTC")),
    }


def enveloped(rows: pa.RecordBatch, around: Mapping[str, pa.Scalar]) -> pa.RecordBatch:
    """Return rows with what mediation says of each."""
    constants = [repeated(value, rows.num_rows) for value in around.values()]
    fields = [field.with_type(each.type) for field, each in zip(MEDIATION_ENVELOPE, constants, strict=True)]
    return pa.RecordBatch.from_arrays([*rows.columns, *constants], schema=pa.schema([*rows.schema, *fields]))


def _plain(table: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    return rows.cast(TABLES[table])


def _checked(batch: Batch) -> Batch:
    """Return the batch; raise ValueError unless every table has the lake's schema and no null where it allows none."""
    for table, rows in batch.tables.items():
        if not is_of(rows.schema, FACTS[table]):
            msg = f"rows for {table} have another schema"
            raise ValueError(msg)
        if any(rows[field.name].null_count for field in rows.schema if not field.nullable):
            msg = f"rows for {table} have nulls where none may be"
            raise ValueError(msg)
    return batch
