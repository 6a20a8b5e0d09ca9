"""How discovery reads a file: by the telemetry format that knows it, else as Parquet, JSON or a delimited table."""

from __future__ import annotations

import csv
import io
import logging
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from cellwright.privacy.audit import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.telemetry.format import Format

_LOG: Final = logging.getLogger(__name__)
_HEAD: Final = 64 * 2**10
_ROWS: Final = 4096
_WHOLE: Final = 64 * 2**20  # bytes of a JSON document that is read as a whole
_LINE: Final = 1 << 20
_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 20  # lines that tell a delimited table
_PROVENANCE: Final = frozenset({"ordinal", "dq_flags", "vendor", "utc_offset_s"})


class Rows(NamedTuple):
    """Rows of one table; files of one folder with the same table and fields are one dataset."""

    table: str  # empty where the file itself is the table
    records: pa.RecordBatch
    fields: tuple[str, ...]  # empty where records have fields of their own


def tables_in(stream: BinaryIO, name: str, formats: Sequence[Format]) -> Iterator[Rows | str]:
    """Yield the rows of a file in batches, and the kebab-case code of why it has none or was not read to its end."""
    head = stream.read(_HEAD)
    stream.seek(0)
    known = next((each for each in formats if _detects(each, head, name)), None)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head.startswith(b"PAR1"):
        yield from _parquet(stream)
    elif known is not None:
        yield from _by_format(known, stream)
    elif not head:
        return
    elif not is_text(head):
        yield "no-table"
    elif start in {b"{", b"["}:
        yield from _json(stream)
    else:
        yield from _delimited(stream, head)


def _detects(candidate: Format, head: bytes, name: str) -> bool:
    try:
        return candidate.detects(head, name)
    except Exception as error:  # noqa: BLE001 - a format is a plugin: its failure is logged, and it reads nothing
        _LOG.warning("format %s failed to detect: %s", candidate.name, type(error).__name__)
        return False


def _parquet(stream: BinaryIO) -> Iterator[Rows | str]:
    try:
        with pq.ParquetFile(stream) as opened:
            for batch in opened.iter_batches(batch_size=_ROWS):
                yield Rows("", batch, tuple(batch.schema.names))
    except (pa.ArrowException, OSError):
        yield "damaged"


def _by_format(known: Format, stream: BinaryIO) -> Iterator[Rows | str]:
    """Yield what a format reads, without the columns of provenance."""
    try:
        for batch in known.parse(stream):
            for table, rows in batch.tables.items():
                names = [each for each in rows.schema.names if each not in _PROVENANCE]
                yield Rows(table, rows.select(names), ())
    except Exception as error:  # noqa: BLE001 - a format is a plugin: its failure is logged, what it read is kept
        _LOG.warning("format %s failed to parse: %s", known.name, type(error).__name__)
        yield "format-failed"


def _json(stream: BinaryIO) -> Iterator[Rows | str]:
    """Yield the objects of a JSON document, or of one in each line; of a list, its members."""
    first = stream.readline(_LINE)
    stream.seek(0)
    if isinstance(_loaded(first), dict):
        lines = iter(lambda: stream.readline(_LINE), b"")
        yield from _in_batches(found for line in lines for found in _objects(_loaded(line)))
        return
    data = stream.read(_WHOLE + 1)
    value = _loaded(data) if len(data) <= _WHOLE else None
    if value is None:
        yield "damaged" if len(data) <= _WHOLE else "too-large"
    else:
        yield from _in_batches(_objects(value))


def _loaded(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each)


def _in_batches(records: Iterable[dict[str, object]]) -> Iterator[Rows]:
    """Yield batches of texts, a column for each path of keys."""
    rows = iter(records)
    while chunk := list(islice(rows, _ROWS)):
        flat = [dict(_flat("", each)) for each in chunk]
        names = dict.fromkeys(name for each in flat for name in each)
        columns = {name: pa.array([each.get(name) for each in flat], pa.string()) for name in names}
        if columns:
            yield Rows("", pa.RecordBatch.from_pydict(columns), ())


def _flat(path: str, value: object, depth: int = 0) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict) and depth < _SAMPLE:
        for key, item in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), item, depth + 1)
    elif isinstance(value, list) and depth < _SAMPLE:
        for item in value[:1]:
            yield from _flat(path, item, depth + 1)
    else:
        yield path, None if value is None else str(value)


def _delimited(stream: BinaryIO, head: bytes) -> Iterator[Rows | str]:
    """Yield the rows of a table with a header line; lines without a common number of fields are none."""
    delimiter = _delimiter(head)
    if not delimiter:
        yield "no-table"
        return
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(
        (line.replace("\0", " ") for line in iter(lambda: text.readline(_LINE), "")), delimiter=delimiter
    )
    try:
        header = [cell.strip() or f"column {number}" for number, cell in enumerate(next(reader, []), 1)]
        names = [name if header.index(name) == at else f"{name} {at + 1}" for at, name in enumerate(header)]
        while rows := list(islice(reader, _ROWS)):
            columns = [[row[at] if at < len(row) else None for row in rows] for at in range(len(names))]
            records = pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in columns], names=names)
            yield Rows("", records, tuple(names))
    except csv.Error:
        yield "damaged"


def _delimiter(head: bytes) -> str:
    """Return what separates the same number of fields in the first lines, or nothing."""
    lines = head.decode(errors="replace").replace("\0", " ").splitlines()
    whole = [line for line in (lines[:-1] if len(head) == _HEAD else lines)[:_SAMPLE] if line.strip()]
    if not whole:
        return ""
    for each in sorted(_DELIMITERS, key=lambda mark: -whole[0].count(mark)):
        try:
            counts = {len(row) for row in csv.reader(whole, delimiter=each)}
        except csv.Error:
            continue
        if len(counts) == 1 and max(counts) > 1:
            return each
    return ""
