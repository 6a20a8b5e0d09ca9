"""What others make of a 3GPP measurement file: lxml's iterparse and xml2arrow, with the columns of `pm_counters`.

Run as a program by an interpreter that has them (`pip install lxml pyarrow xml2arrow`), it does one piece of work and
prints its CPU seconds, rows and peak resident memory as one JSON object. It imports nothing of Cellwright.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    _Element: TypeAlias = Any  # lxml has no types here

_TS: Final = pa.timestamp("us", tz="UTC")
VALUES: Final = {
    "ne_dn": pa.string(),
    "obj_ldn": pa.string(),
    "obj_class": pa.string(),
    "meas_info_id": pa.string(),
    "job_id": pa.string(),
    "counter": pa.string(),
    "begin_ts": _TS,
    "end_ts": _TS,
    "utc_offset_s": pa.int32(),
    "gran_s": pa.float64(),
    "value_i64": pa.int64(),
    "value_f64": pa.float64(),
    "vec": pa.list_(pa.int64()),
    "suspect": pa.bool_(),
    "null_reason": pa.string(),
    "vendor": pa.string(),
    "ordinal": pa.int64(),
}
SCHEMA: Final = pa.schema(list(VALUES.items()))
STORED: Final = pa.schema(
    [*SCHEMA, ("tenant", pa.string()), ("source", pa.string()), ("file_id", pa.string()), ("ingest_ts", _TS)]
)
ROW_GROUP: Final = 65_536
_OBJECT: Final = ("obj_ldn", "obj_class", "suspect")
_READ: Final = ("counter", "value_i64", "value_f64", "vec", "null_reason")


def _value(text: str | None) -> tuple[int | None, float | None, list[int | None] | None, str | None]:
    word = (text or "").strip()
    try:
        return int(word), None, None, None
    except ValueError:
        pass
    if not word:
        return None, None, None, "blank"
    if "," in word:
        return None, None, [int(part) if part.strip() else None for part in word.split(",")], None
    try:
        return None, float(word), None, None
    except ValueError:
        return None, None, None, "nil"


def _seconds(text: str) -> float:
    """Return the seconds of a duration as measurement files write it, PT900S or PT15M."""
    scale = {"S": 1, "M": 60, "H": 3600}
    return float(text[2:-1]) * scale[text[-1]]


class _Columns:
    """Rows by column, handed out as record batches."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {name: [] for name in VALUES}
        self.ordinal = 0

    def add(self, shared: dict[str, Any], read: list[tuple[Any, ...]]) -> None:
        """Add the values of one object."""
        count = len(read)
        for name, column in zip(_READ, zip(*read, strict=True), strict=True):
            self.lists[name].extend(column)
        self.lists["ordinal"].extend(range(self.ordinal, self.ordinal + count))
        for name, value in shared.items():
            self.lists[name].extend([value] * count)
        self.ordinal += count

    def batch(self) -> pa.RecordBatch:
        """Return what was collected and start anew."""
        arrays = [pa.array(self.lists[name], kind) for name, kind in VALUES.items()]
        self.lists = {name: [] for name in VALUES}
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def lxml_batches(stream: BinaryIO) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file as lxml's iterparse meets the ends of elements, which are let go at once."""
    from lxml import etree  # noqa: PLC0415 - only in an environment that has it

    file = _File()
    for _, element in etree.iterparse(stream, events=("end",), tag=[f"{{*}}{tag}" for tag in _ENDS], huge_tree=True):
        _ENDS[element.tag.rpartition("}")[2]](file, element)
        if len(file.columns.lists["ordinal"]) >= ROW_GROUP:
            yield file.columns.batch()
    if file.columns.lists["ordinal"]:
        yield file.columns.batch()


class _File:
    """What was read so far of one file: what stands around the next value, and the rows."""

    def __init__(self) -> None:
        self.columns = _Columns()
        self.prefix = ""
        self.shared: dict[str, Any] = {}
        self.types: dict[str, str] = {}

    def header(self, element: _Element) -> None:
        """Take the prefix of all names and the vendor."""
        self.prefix = element.get("dnPrefix") or ""
        self.shared["vendor"] = element.get("vendorName")

    def element(self, element: _Element) -> None:
        """Name the measured element."""
        self.shared["ne_dn"] = ",".join(part for part in (self.prefix, element.get("localDn")) if part) or None

    def job(self, element: _Element) -> None:
        """Name the job."""
        self.shared["job_id"] = element.get("jobId")

    def period(self, element: _Element) -> None:
        """Take the granularity period and the group it belongs to."""
        self.shared["meas_info_id"] = element.getparent().get("measInfoId")
        self.shared |= _period(element.get("duration"), element.get("endTime"))

    def type(self, element: _Element) -> None:
        """Name one measurement type."""
        self.types[element.get("p")] = element.text

    def type_list(self, element: _Element) -> None:
        """Name all measurement types."""
        self.types = {str(at): name for at, name in enumerate(element.text.split(), start=1)}

    def values(self, element: _Element) -> None:
        """Add the values of an object."""
        types, suspect = self.types, False
        read: list[tuple[Any, ...]] = []
        for child in element:
            tag = child.tag
            if tag.endswith("}r"):
                read.append((types[child.get("p")], *_value(child.text)))
            elif tag.endswith("}suspect"):
                suspect = child.text == "true"
            elif tag.endswith("}measResults"):
                read += [(name, *_value(word)) for name, word in zip(types.values(), child.text.split(), strict=True)]
        ldn = element.get("measObjLdn") or ""
        self.shared |= {"obj_ldn": ldn, "obj_class": _class_of(ldn), "suspect": suspect}
        if read:
            self.columns.add(self.shared, read)
        _let_go(element)

    def group(self, element: _Element) -> None:
        """Forget the group."""
        self.types = {}
        self.shared["job_id"] = None
        _let_go(element)


_ENDS: Final = {
    "fileHeader": _File.header,
    "managedElement": _File.element,
    "measEntity": _File.element,
    "measuredEntity": _File.element,
    "job": _File.job,
    "granPeriod": _File.period,
    "measType": _File.type,
    "measTypes": _File.type_list,
    "measValue": _File.values,
    "measInfo": _File.group,
}


def _period(duration: str, end_time: str) -> dict[str, Any]:
    seconds = _seconds(duration)
    end = datetime.fromisoformat(end_time)
    offset = end.utcoffset()
    return {
        "begin_ts": end - timedelta(seconds=seconds),
        "end_ts": end,
        "utc_offset_s": None if offset is None else int(offset.total_seconds()),
        "gran_s": seconds,
    }


def _class_of(ldn: str) -> str:
    return ldn.rpartition(",")[2].partition("=")[0]


def _let_go(element: _Element) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def in_memory(path: Path) -> int:
    """Return how many rows lxml makes of a file in memory."""
    return sum(batch.num_rows for batch in lxml_batches(io.BytesIO(path.read_bytes())))


def durable(path: Path) -> int:
    """Return how many rows of a .gz file lie in a synced Parquet file with a line in a ledger."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        digest = sha256(path.read_bytes()).hexdigest()
        part = Path(folder) / "part.parquet"
        rows = 0
        with part.open("wb") as sink:
            writer = pq.ParquetWriter(sink, STORED, compression="zstd")
            with gzip.open(path, "rb") as stream:
                for batch in lxml_batches(stream):  # type: ignore[arg-type]
                    rows += batch.num_rows
                    writer.write_table(pa.Table.from_batches([_enveloped(batch, path.name, digest)]))
            writer.close()
            sink.flush()
            os.fsync(sink.fileno())
        with sqlite3.connect(Path(folder) / "ledger.db") as ledger:
            ledger.execute("create table files (sha256 text primary key, name text, facts integer)")
            ledger.execute("insert into files values (?, ?, ?)", (digest, path.name, rows))
        ledger.close()
    return rows


def _enveloped(batch: pa.RecordBatch, source: str, file_id: str) -> pa.RecordBatch:
    now = pa.scalar(datetime.now(UTC), _TS)
    constants = [pa.scalar("op"), pa.scalar(source), pa.scalar(file_id), now]
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *(pa.repeat(each, batch.num_rows) for each in constants)], schema=STORED
    )


def by_xml2arrow(path: Path) -> int:
    """Return how many rows xml2arrow makes of a file in memory: texts, in tables of their own."""
    return int(_tables(path)["values"].num_rows)


def _tables(path: Path) -> dict[str, pa.RecordBatch]:
    from xml2arrow import XmlToArrowParser  # noqa: PLC0415 - only in an environment that has it

    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "tables.yaml"
        configuration.write_text(_TABLES, encoding="utf-8")
        tables: dict[str, pa.RecordBatch] = XmlToArrowParser(configuration).parse(path)
    return tables


def joined(path: Path) -> int:
    """Return how many rows xml2arrow makes once tables are joined and texts typed, vectors and doubts left out."""
    tables = _tables(path)
    values, objects, groups = (tables[name] for name in ("values", "objects", "groups"))
    keys = [_key(table, count) for table, count in ((values, 3), (objects, 3), (values, 2), (groups, 2))]
    in_object, in_group = (pc.index_in(keys[at], value_set=keys[at + 1]) for at in (0, 2))
    named = objects.filter(pc.is_valid(objects["type"]))
    order = pa.array(_places(named), pa.int64())
    counter = named["type"].take(
        pc.index_in(pc.add(pc.multiply(keys[2], 1000), values["p"].cast(pa.int64())), value_set=order)
    )
    text = values["value"]
    number = pc.match_substring_regex(text, "^[0-9]{1,18}$")
    columns = [
        *(objects[name].take(in_object) for name in ("ldn",)),
        *(groups[name].take(in_group) for name in ("id", "job", "duration", "end")),
        counter,
        pc.if_else(number, text, None).cast(pa.int64()),
    ]
    return len(pa.RecordBatch.from_arrays(columns, ["obj_ldn", "id", "job", "gran", "end", "counter", "value_i64"]))


def _key(table: pa.RecordBatch, count: int) -> pa.Array:
    """Return one number for the first levels of each row."""
    key = table.column(0).cast(pa.int64())
    for level in range(1, count):
        key = pc.add(pc.multiply(key, 10_000), table.column(level).cast(pa.int64()))
    return key


def _places(named: pa.RecordBatch) -> list[int]:
    """Return group and position, from 1, of each measurement type."""
    places: list[int] = []
    last, position = -1, 0
    for group in _key(named, 2).to_pylist():
        position = position + 1 if group == last else 1
        last = group
        places.append(group * 1000 + position)
    return places


_DATA: Final = "/measCollecFile/measData"
_INFO: Final = f"{_DATA}/measInfo"


def _table(name: str, path: str, levels: str, fields: dict[str, str]) -> str:
    shown = [
        f"{{name: {field}, xml_path: {at}, data_type: {'Int32' if field == 'p' else 'Utf8'}, nullable: true}}"
        for field, at in fields.items()
    ]
    return f"  - {{name: {name}, xml_path: {path}, levels: [{levels}], fields: [{', '.join(shown)}]}}\n"


_GROUP: Final = {
    "id": f"{_INFO}/@measInfoId",
    "job": f"{_INFO}/job/@jobId",
    "duration": f"{_INFO}/granPeriod/@duration",
    "end": f"{_INFO}/granPeriod/@endTime",
}
_VALUE: Final = {"p": f"{_INFO}/measValue/r/@p", "value": f"{_INFO}/measValue/r"}
_TABLES: Final = "tables:\n" + "".join(
    (
        _table("elements", "/measCollecFile", "element", {"dn": f"{_DATA}/managedElement/@localDn"}),
        _table("groups", _DATA, "element, group", _GROUP),
        _table(
            "objects",
            _INFO,
            "element, group, object",
            {"ldn": f"{_INFO}/measValue/@measObjLdn", "type": f"{_INFO}/measType"},
        ),
        _table("values", f"{_INFO}/measValue", "element, group, object, value", _VALUE),
    )
)

WORK: Final = {"lxml": in_memory, "lxml-durable": durable, "xml2arrow": by_xml2arrow, "xml2arrow-joined": joined}


def main() -> None:
    """Do the work named by the first argument on the file named by the second."""
    work, path = WORK[sys.argv[1]], Path(sys.argv[2])
    started = time.process_time()
    rows = work(path)
    seconds = time.process_time() - started
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"rows": rows, "cpu_s": seconds, "peak_mib": peak_kib / 1024}))


if __name__ == "__main__":
    main()
