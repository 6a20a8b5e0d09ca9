"""Arrow schemas of the lake's tables; every row carries the same envelope of provenance."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import pyarrow as pa

_TS: Final = pa.timestamp("us", tz="UTC")
_TEXT_MAP: Final = pa.map_(pa.string(), pa.string())

# Filled by the format: who said it, which fact of the file it is (0-based, unique per file), what was odd about it.
FORMAT_ENVELOPE: Final = (
    pa.field("vendor", pa.string()),
    pa.field("ordinal", pa.int64(), nullable=False),
    pa.field("dq_flags", pa.list_(pa.string()), nullable=False),
)
# Filled by mediation.
MEDIATION_ENVELOPE: Final = (
    pa.field("tenant", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("file_id", pa.string(), nullable=False),
    pa.field("ingest_ts", _TS, nullable=False),
)

_PM_COUNTERS: Final = (
    pa.field("ne_dn", pa.string()),
    pa.field("obj_ldn", pa.string()),
    pa.field("obj_class", pa.string()),
    pa.field("meas_info_id", pa.string()),
    pa.field("job_id", pa.string()),
    pa.field("counter", pa.string(), nullable=False),
    pa.field("subcounter", pa.string()),
    pa.field("std_name", pa.string()),
    pa.field("begin_ts", _TS),
    pa.field("end_ts", _TS),
    pa.field("utc_offset_s", pa.int32()),
    pa.field("gran_s", pa.float64()),
    pa.field("value_i64", pa.int64()),
    pa.field("value_f64", pa.float64()),
    pa.field("vec", pa.list_(pa.int64())),
    pa.field("unit", pa.string()),
    pa.field("suspect", pa.bool_()),
    pa.field("null_reason", pa.string()),
)
_ALARM_EVENTS: Final = (
    pa.field("alarm_id", pa.string()),
    pa.field("notification_type", pa.string()),
    pa.field("event_ts", _TS),
    pa.field("utc_offset_s", pa.int32()),
    pa.field("raised_ts", _TS),
    pa.field("cleared_ts", _TS),
    pa.field("event_type", pa.string()),
    pa.field("probable_cause", pa.string()),
    pa.field("perceived_severity", pa.string()),
    pa.field("specific_problem", pa.string()),
    pa.field("object_dn", pa.string()),
    pa.field("root_cause", pa.bool_()),
    pa.field("correlated_ids", pa.list_(pa.string())),
    pa.field("ack_state", pa.string()),
    pa.field("additional", _TEXT_MAP),
)
_LOGS: Final = (
    pa.field("ts", _TS),
    pa.field("utc_offset_s", pa.int32()),
    pa.field("severity_number", pa.int32()),
    pa.field("body", pa.string()),
    pa.field("facility", pa.int32()),
    pa.field("host", pa.string()),
    pa.field("app", pa.string()),
    pa.field("procid", pa.string()),
    pa.field("msgid", pa.string()),
    pa.field("attributes", _TEXT_MAP),
    pa.field("template_id", pa.string()),
)

FACTS: Final = MappingProxyType(
    {
        "pm_counters": pa.schema([*_PM_COUNTERS, *FORMAT_ENVELOPE]),
        "alarm_events": pa.schema([*_ALARM_EVENTS, *FORMAT_ENVELOPE]),
        "logs": pa.schema([*_LOGS, *FORMAT_ENVELOPE]),
    }
)
"""What a format yields, by table name."""

TABLES: Final = MappingProxyType({name: pa.schema([*schema, *MEDIATION_ENVELOPE]) for name, schema in FACTS.items()})
"""What the lake stores, by table name."""
