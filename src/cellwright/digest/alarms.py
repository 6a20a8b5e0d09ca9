"""Rows of the lake's `alarm_events` as values: one frozen Alarm a row, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN: Final = "?"
CLEARED: Final = "CLEARED"

# Perceived severity, ITU-T X.733 clause 8.1.2.3, gravest first; CLEARED is a notification, not a severity of a fault.
SEVERITIES: Final = ("CRITICAL", "MAJOR", "MINOR", "WARNING", "INDETERMINATE")

# Transmission equipment declares a loss of signal or frame once it has lasted about 2.5 s (the failure integration time
# that manuals of such equipment state): onsets that near do not say which failure came first. 3 s is our rounding up.
JITTER_US: Final = 3_000_000

_COLUMNS: Final = (
    "tenant",
    "source",
    "file_id",
    "ordinal",
    "event_ts",
    "utc_offset_s",
    "raised_ts",
    "cleared_ts",
    "notification_type",
    "event_type",
    "probable_cause",
    "specific_problem",
    "perceived_severity",
    "object_dn",
    "alarm_id",
    "vendor",
    "root_cause",
    "correlated_ids",
    "ack_state",
    "additional",
)
_INSTANTS: Final = frozenset({"event_ts", "raised_ts", "cleared_ts"})


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm event; instants are microseconds since 1970 UTC, None where unknown. Fields as in the lake's schema."""

    tenant: str
    source: str
    file_id: str
    ordinal: int
    event_ts: int | None
    utc_offset_s: int | None
    raised_ts: int | None
    cleared_ts: int | None
    notification_type: str | None
    event_type: str | None
    probable_cause: str | None
    specific_problem: str | None
    perceived_severity: str | None
    object_dn: str | None
    alarm_id: str | None
    vendor: str | None
    root_cause: bool | None
    correlated_ids: list[str] | None
    ack_state: str | None
    additional: list[tuple[str, str | None]] | None

    @property
    def ts(self) -> int | None:
        """Return when it happened: the event's instant, else that of the raising."""
        return self.raised_ts if self.event_ts is None else self.event_ts

    @property
    def element(self) -> str:
        """Return the distinguished name of what is in alarm, `?` where unknown."""
        return self.object_dn or UNKNOWN

    @property
    def alarm_type(self) -> str:
        """Return what tells alarms of one object apart, `?` where unknown.

        TS 28.532 clause 12.2.1: probable cause and specific problem; the event type where it gives neither.
        """
        cause, problem = self.probable_cause, self.specific_problem
        if cause and problem and cause != problem:
            return f"{cause}/{problem}"
        return cause or problem or self.event_type or UNKNOWN

    @property
    def severity(self) -> str | None:
        """Return the severity of the fault in capitals, INDETERMINATE for unheard-of ones; None unknown or cleared."""
        if not self.perceived_severity or self.clears:
            return None
        severity = self.perceived_severity.upper()
        return severity if severity in SEVERITIES else "INDETERMINATE"

    @property
    def clears(self) -> bool:
        """Return whether this event is a clear notification rather than an alarm raised or changed."""
        severity = (self.perceived_severity or "").upper()
        return severity in {CLEARED, "NORMAL"} or "cleared" in (self.notification_type or "").lower()


def alarms_of(table: pa.Table) -> list[Alarm]:
    """Return the rows of an `alarm_events` table ordered by tenant, source and time; untimed events come last."""
    columns = [_values(table, name) for name in _COLUMNS]
    return sorted((Alarm(*row) for row in zip(*columns, strict=True)), key=in_order)


def graver(severities: Iterable[str | None]) -> str | None:
    """Return the gravest of the known severities, None where none is known."""
    return min((severity for severity in severities if severity), key=SEVERITIES.index, default=None)


def in_order(alarm: Alarm) -> tuple[str, str, bool, int, str, int]:
    """Return the key that orders alarms by tenant, source and time, the untimed last."""
    return (alarm.tenant, alarm.source, alarm.ts is None, alarm.ts or 0, alarm.file_id, alarm.ordinal)


def _values(table: pa.Table, name: str) -> list[object]:
    column = table[name].cast(pa.int64()) if name in _INSTANTS else table[name]
    return cast("list[object]", column.to_pylist())
