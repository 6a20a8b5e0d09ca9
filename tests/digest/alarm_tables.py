"""Small `alarm_events` tables for the tests of the digest room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import strategies as st

from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA = TABLES["alarm_events"]
ORIGIN_US = 1_767_614_400_000_000  # 2026-01-05T12:00:00Z
ENVELOPE = {"tenant": "default", "source": "north", "file_id": "f0", "dq_flags": [], "ingest_ts": ORIGIN_US}


def at(seconds: float) -> int:
    return ORIGIN_US + round(seconds * 1_000_000)


def alarm_table(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Return a table in the lake's schema; ordinals number the rows, what a row does not name is null."""
    full = [{**dict.fromkeys(SCHEMA.names), **ENVELOPE, "ordinal": place, **row} for place, row in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=SCHEMA)


def simple(seconds: float, element: str, kind: str, **more: object) -> dict[str, object]:
    return {"event_ts": at(seconds), "object_dn": element, "specific_problem": kind, **more}


NAMES = st.one_of(
    st.sampled_from(
        [
            "Device=1",
            "Device=12",
            "LINK DOWN",
            'say "no"',
            "a,b;c",
            "x@1*2^!",
            "incident 1",
            "doubtful",
            "ü\n\t漢",
            "a\x1b[31m",
            "\x9b\u202eb",
            "\U000e0001",
        ]
    ),
    st.text(max_size=12),
)
ROWS = st.fixed_dictionaries(
    {
        "event_ts": st.one_of(st.none(), st.integers(0, 3_000_000_000).map(lambda us: ORIGIN_US + us)),
        "cleared_ts": st.one_of(st.none(), st.just(ORIGIN_US)),
        "object_dn": st.one_of(st.none(), NAMES),
        "specific_problem": st.one_of(st.none(), NAMES),
        "probable_cause": st.one_of(st.none(), NAMES),
        "perceived_severity": st.sampled_from([None, "CRITICAL", "minor", "CLEARED", "NORMAL", "odd"]),
        "notification_type": st.sampled_from([None, "notifyNewAlarm", "notifyClearedAlarm"]),
        "root_cause": st.sampled_from([None, True, False]),
        "source": st.sampled_from(["north", "south\n2"]),
        "additional": st.sampled_from([None, [("key", "value")], [("ves.vfStatus", "Idle")]]),
    }
)
TABLES_OF_ROWS = st.lists(ROWS, min_size=1, max_size=25).map(alarm_table)
