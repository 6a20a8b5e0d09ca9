"""Reads alarm sets for benchmarks: a list of alarms, the experts' cause graph and the topology where a set has them.

A set is a folder or a tar.gz with `Alarm.csv` (type, device, start and end in seconds) and, where known, `DAG.npy` (row
causes column, by type) and `Topology.npy` (adjacency, by device); or a bare CSV.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cellwright.lake.schema import TABLES
from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAPPING: Final = Path(__file__).parent.parent / "examples/mappings/alarm-list.yaml"


@dataclass(frozen=True, slots=True)
class AlarmSet:
    """One set: its events in the lake's schema and as columns in the order of the list, and what is known of them.

    Codes are the list's own numbers, so that they index `causes` and `topology`.
    """

    name: str
    table: pa.Table
    types: np.ndarray  # (events,) int64
    elements: np.ndarray  # (events,) int64
    onset_us: np.ndarray  # (events,) int64 since the list's origin
    clear_us: np.ndarray  # (events,) int64
    causes: np.ndarray | None  # (types, types) bool, row causes column
    links: np.ndarray | None  # (links, 2) int64, each pair of adjacent elements once


def read(path: Path, limit: int | None = None) -> Iterator[AlarmSet]:
    """Yield the alarm sets under a path, each read by the delimited format as mediation does, cut to `limit` events."""
    files = _files(path)
    for name, raw in files.items():
        if name.endswith(".csv"):
            folder = PurePosixPath(name).parent
            causes = _matrix(files, folder / "DAG.npy")
            adjacency = _matrix(files, folder / "Topology.npy")
            case = path.stem if path.suffix == ".csv" else folder.name or path.name
            yield _alarm_set(case, _table(raw, case, limit), causes, adjacency)


def _files(path: Path) -> Mapping[str, bytes]:
    """Return the content of all files by their name in the folder or archive."""
    if path.is_dir():
        return {each.relative_to(path.parent).as_posix(): each.read_bytes() for each in path.rglob("*.*")}
    if path.suffix == ".csv":
        return {path.name: path.read_bytes()}
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {member.name.removeprefix("./"): archive.extractfile(member).read() for member in members}


def _matrix(files: Mapping[str, bytes], name: PurePosixPath) -> np.ndarray | None:
    raw = files.get(str(name))
    return None if raw is None else np.load(io.BytesIO(raw)).astype(bool)


def _table(raw: bytes, name: str, limit: int | None) -> pa.Table:
    """Return the rows of an alarm list in the lake's schema."""
    form = Delimited(load_mapping(MAPPING.read_text(encoding="utf-8"), MAPPING.name))
    batches = [batch.tables["alarm_events"] for batch in form.parse(io.BytesIO(raw)) if "alarm_events" in batch.tables]
    facts = pa.Table.from_batches(batches).slice(0, limit)
    schema = TABLES["alarm_events"]
    envelope = {"tenant": "bench", "source": name, "file_id": name, "ingest_ts": 0}
    constants = {
        key: pa.repeat(pa.scalar(value, schema.field(key).type), facts.num_rows) for key, value in envelope.items()
    }
    return pa.table([constants[each] if each in constants else facts[each] for each in schema.names], schema)


def _alarm_set(name: str, table: pa.Table, causes: np.ndarray | None, adjacency: np.ndarray | None) -> AlarmSet:
    return AlarmSet(
        name,
        table,
        _numbers(table["probable_cause"]),
        _numbers(table["object_dn"]),
        table["event_ts"].cast(pa.int64()).to_numpy(),
        table["cleared_ts"].cast(pa.int64()).to_numpy(),
        causes,
        None if adjacency is None else np.argwhere(np.triu(adjacency | adjacency.T, 1)),
    )


def _numbers(names: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers in names such as `AlarmType=11`."""
    distinct = names.combine_chunks().dictionary_encode()
    codes = np.array([int(each.rpartition("=")[2]) for each in distinct.dictionary.to_pylist()], np.int64)
    return codes[distinct.indices.to_numpy()]
