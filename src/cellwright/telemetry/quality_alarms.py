"""Alarm events about the telemetry itself: one for each score below a limit, once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cellwright.lake.record import identity
from cellwright.lake.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cellwright.lake.writer import LakeWriter
    from cellwright.telemetry.quality import Score

SOURCE: Final = "cellwright/quality"
_TABLE: Final = "alarm_events"
_SEVERITIES: Final = ((50.0, "CRITICAL"), (80.0, "MAJOR"), (95.0, "MINOR"), (100.1, "WARNING"))
"""Severities by the score below which they are due."""


def raise_alarms(writer: LakeWriter, low: Sequence[Score], limit: float, tenant: str, now: datetime) -> int:
    """Write an alarm event for each score that the lake has none of yet; return how many were written."""
    written = 0
    for score in low:
        row = _row(score, limit)
        digest = hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
        file_id = identity(tenant, digest)
        if writer.known(file_id):
            continue
        envelope = {"tenant": tenant, "source": SOURCE, "file_id": file_id, "ingest_ts": now}
        with writer.file(file_id) as draft:
            draft.raw = 1
            draft.append(_TABLE, pa.RecordBatch.from_pylist([row | envelope], schema=TABLES[_TABLE]))
            draft.commit(
                tenant=tenant,
                source=f"{SOURCE}/{file_id}",
                format_name="quality",
                vendor="cellwright",
                sha256=digest,
                size=0,
                ingested=now,
            )
        written += 1
    return written


def _row(score: Score, limit: float) -> dict[str, object]:
    worst = max(score.issues, key=lambda each: each.share)
    severity = next(name for below, name in _SEVERITIES if score.score < below)
    told = [(each.check, f"{each.wrong} of {each.of}") for each in score.issues]
    return {
        "alarm_id": f"{score.source}@{score.start.isoformat()}",
        "notification_type": "notifyNewAlarm",
        "event_ts": score.start,
        "raised_ts": score.start,
        "event_type": "QUALITY_OF_SERVICE_ALARM",
        "probable_cause": "thresholdCrossed",  # ITU-T X.733, 8.1.2.1
        "perceived_severity": severity,
        "specific_problem": f"telemetry quality: {worst.check}",
        "object_dn": f"TelemetrySource={score.source}",
        "additional": [("score", f"{score.score}"), ("limit", f"{limit}"), *told],
        "vendor": "cellwright",
        "ordinal": 0,
        "dq_flags": [],
    }
