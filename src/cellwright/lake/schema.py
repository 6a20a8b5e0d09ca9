"""Arrow schemas of the lake's tables; every row carries the same envelope of provenance."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import pyarrow as pa

_TS: Final = pa.timestamp("us", tz="UTC")
ENCODED: Final = pa.dictionary(pa.int32(), pa.string())
"""How strings of which there are few may come: each once, and an index a row."""
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
# One flow record; named as in IANA's registry of IPFIX information elements (RFC 7012) from protocolIdentifier on.
_FLOWS: Final = (
    pa.field("export_ts", _TS),
    pa.field("exporter", pa.string()),
    pa.field("domain", pa.int64()),  # observation domain, or source id (NetFlow v9), or engine (v5)
    pa.field("sequence", pa.int64()),  # of the message that carried the record
    pa.field("sampling_rate", pa.int64()),  # one packet in so many
    pa.field("protocolIdentifier", pa.int32()),
    pa.field("sourceIPv4Address", pa.string()),
    pa.field("destinationIPv4Address", pa.string()),
    pa.field("sourceIPv6Address", pa.string()),
    pa.field("destinationIPv6Address", pa.string()),
    pa.field("sourceTransportPort", pa.int32()),
    pa.field("destinationTransportPort", pa.int32()),
    pa.field("ipClassOfService", pa.int32()),
    pa.field("tcpControlBits", pa.int32()),
    pa.field("ingressInterface", pa.int64()),
    pa.field("egressInterface", pa.int64()),
    pa.field("flowDirection", pa.int32()),
    pa.field("bgpSourceAsNumber", pa.int64()),
    pa.field("bgpDestinationAsNumber", pa.int64()),
    pa.field("ipNextHopIPv4Address", pa.string()),
    pa.field("ipNextHopIPv6Address", pa.string()),
    pa.field("octetDeltaCount", pa.int64()),
    pa.field("packetDeltaCount", pa.int64()),
    pa.field("flowStartMicroseconds", _TS),
    pa.field("flowEndMicroseconds", _TS),
    pa.field("elements", _TEXT_MAP),  # every other element by its name, or as enterprise:number
)
# One value of streaming telemetry: gNMI, OpenMetrics, OTLP metrics, E2SM-KPM.
_TELEMETRY: Final = (
    pa.field("ts", _TS),
    pa.field("utc_offset_s", pa.int32()),
    pa.field("start_ts", _TS),  # since when a cumulative value counts
    pa.field("origin", pa.string(), nullable=False),  # the protocol, or the model that the path belongs to
    pa.field("target", pa.string()),  # the device or resource that speaks
    pa.field("path", pa.string(), nullable=False),  # of the value, or the name of the metric
    pa.field("keys", _TEXT_MAP),  # list keys of the path, labels or attributes
    pa.field("kind", pa.string()),  # gauge, counter, histogram, summary, state
    pa.field("value_i64", pa.int64()),
    pa.field("value_f64", pa.float64()),
    pa.field("value_text", pa.string()),
    pa.field("unit", pa.string()),  # UCUM
)

FACTS: Final = MappingProxyType(
    {
        "pm_counters": pa.schema([*_PM_COUNTERS, *FORMAT_ENVELOPE]),
        "alarm_events": pa.schema([*_ALARM_EVENTS, *FORMAT_ENVELOPE]),
        "logs": pa.schema([*_LOGS, *FORMAT_ENVELOPE]),
        "flows": pa.schema([*_FLOWS, *FORMAT_ENVELOPE]),
        "telemetry": pa.schema([*_TELEMETRY, *FORMAT_ENVELOPE]),
    }
)
"""What a format yields, by table name."""

TABLES: Final = MappingProxyType({name: pa.schema([*schema, *MEDIATION_ENVELOPE]) for name, schema in FACTS.items()})
"""What the lake stores, by table name."""


def is_of(schema: pa.Schema, wanted: pa.Schema) -> bool:
    """Return whether a schema is the wanted one, where strings may also be dictionaries of strings (`ENCODED`)."""
    if schema.equals(wanted):
        return True
    plain = [pa.field(each.name, pa.string() if each.type == ENCODED else each.type, each.nullable) for each in schema]
    return bool(pa.schema(plain).equals(wanted))
