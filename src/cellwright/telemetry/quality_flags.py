"""Marks rows that cannot be true: times to come, periods that end before they begin, values beyond their unit.

A mark is an entry of `dq_flags`; the row stays as it was said. Batches in which nothing is odd pass as they are.
"""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    Marks = Iterator[tuple[str, pa.Array]]

SKEW: Final = timedelta(minutes=5)
"""What a clock may be ahead of ours; within it, tokens and tickets of most systems are still accepted."""
_LEAST_OCTETS: Final = 20  # of an IPv4 header, RFC 791 clause 3.1; of IPv6 it is more
_WHOLE: Final = 100
_PER_CENT: Final = pa.scalar("%", pa.string())
_TIMES: Final = MappingProxyType(
    {"pm_counters": "end_ts", "alarm_events": "event_ts", "logs": "ts", "flows": "export_ts", "telemetry": "ts"}
)


def flagged(table: str, rows: pa.RecordBatch, ingested: datetime) -> pa.RecordBatch:
    """Return the rows with marks in `dq_flags` where they cannot be true as of the time of ingestion."""
    found = [(flag, mask) for flag, mask in _marks(table, rows, ingested) if pc.any(mask).as_py()]
    if not found:
        return rows
    flags = rows["dq_flags"].to_pylist()
    for flag, mask in found:
        for place in np.flatnonzero(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)).tolist():
            flags[place] = [*flags[place], flag]
    place = rows.schema.get_field_index("dq_flags")
    return rows.set_column(place, rows.schema.field(place), pa.array(flags, rows.schema.field(place).type))


def _marks(table: str, rows: pa.RecordBatch, ingested: datetime) -> Marks:
    """Yield each mark and where it is due, (n_rows,) bool with nulls where nothing is known."""
    latest = pa.scalar(ingested + SKEW, pa.timestamp("us", tz="UTC"))
    yield "future-time", pc.greater(rows[_TIMES[table]], latest)
    if table in _OF_TABLE:
        yield from _OF_TABLE[table](rows)


def _of_counters(rows: pa.RecordBatch) -> Marks:
    yield "period-reversed", pc.less_equal(rows["end_ts"], rows["begin_ts"])
    yield from _of_values(rows)


def _of_values(rows: pa.RecordBatch) -> Marks:
    yield "not-finite", pc.invert(pc.is_finite(rows["value_f64"]))
    unit = pc.equal(rows["unit"], _PER_CENT)
    if pc.any(unit).as_py():
        value = pc.coalesce(rows["value_f64"], rows["value_i64"].cast(pa.float64()))
        yield "beyond-percent", pc.and_(unit, pc.or_(pc.less(value, 0.0), pc.greater(value, float(_WHOLE))))


def _of_flows(rows: pa.RecordBatch) -> Marks:
    yield "period-reversed", pc.less(rows["flowEndMicroseconds"], rows["flowStartMicroseconds"])
    octets, packets = rows["octetDeltaCount"], rows["packetDeltaCount"]
    yield "too-few-octets", pc.less(pc.divide(octets, _LEAST_OCTETS), packets)


_OF_TABLE: Final[MappingProxyType[str, Callable[[pa.RecordBatch], Marks]]] = MappingProxyType(
    {"pm_counters": _of_counters, "telemetry": _of_values, "flows": _of_flows}
)
