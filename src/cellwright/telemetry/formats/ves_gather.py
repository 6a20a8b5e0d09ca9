"""Gathers the facts of VES events: plain events by the column, all others one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cellwright.telemetry.format import Batch
from cellwright.telemetry.formats import ves_model as model
from cellwright.telemetry.formats.facts import FactBuffer
from cellwright.telemetry.formats.fault_notifications_rows import ALARM_NOTIFICATIONS
from cellwright.telemetry.formats.ves_alarms import (
    FAULT_NAMESPACE,
    crossing_row,
    fault_row,
    notification_row,
)
from cellwright.telemetry.formats.ves_check import MEASUREMENT_DOMAINS
from cellwright.telemetry.formats.ves_columns import (
    crossed_pairs,
    crossing_rows,
    fault_rows,
    is_mergeable,
    log_rows,
    notification_rows,
)
from cellwright.telemetry.formats.ves_logs import log_row
from cellwright.telemetry.formats.ves_measurements import LEFT_OUT, leaves, measurement_row
from cellwright.telemetry.formats.ves_plain import is_shallow
from cellwright.telemetry.formats.ves_values import Numbers, UnsureError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from msgspec import Raw, Struct

    from cellwright.telemetry.formats.ves_check import Checked
    from cellwright.telemetry.formats.ves_model import PlainEvent


class Gathered:
    """Facts in the order of the file; `facts` takes those that come one by one, and numbers all."""

    def __init__(self) -> None:
        self.facts = FactBuffer()
        self._clear()

    def _clear(self) -> None:
        self._faults = _Records("alarm_events", fault_rows)
        self._crossings = _Records("alarm_events", crossing_rows)
        self._logs = _Records("logs", log_rows)
        self._notifications = _Records("alarm_events", notification_rows)
        self._numbers = Numbers()

    def add_plain(self, event: PlainEvent, raw: bytes | Raw) -> bool:
        """Add the facts of a plain event; return whether they could be read by the column, else nothing is added."""
        header = event.common_event_header
        is_open = (
            header.internal_header_fields
            or event.stnd_defined_fields
            or (event.measurement_fields and header.domain not in MEASUREMENT_DOMAINS)
        )
        if is_open and not is_shallow(raw):
            return False
        match header.domain:
            case "fault" if fault := event.fault_fields:
                is_added = self._add_record(self._faults, header, fault, fault.alarm_additional_information)
            case "thresholdCrossingAlert" if alert := event.threshold_crossing_alert_fields:
                is_added = self._add_record(self._crossings, header, alert, crossed_pairs(alert))
            case "syslog" if log := event.syslog_fields:
                is_added = self._add_record(self._logs, header, log, log.additional_fields)
            case "measurement" | "measurementsForVfScaling" if event.measurement_fields is not None:
                is_added = self._add_numbers(header, event.measurement_fields, raw)
            case "stndDefined" if fields := event.stnd_defined_fields:
                is_added = self._leave_out(_left_out(header, fields)) or self._add_record(
                    self._notifications, header, fields, ()
                )
            case domain:
                is_added = self._leave_out(f"ves-domain-{domain}")
        return is_added

    def _leave_out(self, reason: str | None) -> bool:
        """Leave out one fact when there is a reason to, and return whether there is."""
        if reason:
            self.facts.leave_out(reason)
        return bool(reason)

    def _add_record(self, records: _Records, header: model.Header, block: Struct, names: Collection[str]) -> bool:
        if not is_mergeable(names):
            return False
        records.headers.append(header)
        records.blocks.append(block)
        records.ordinals.append(self.facts.ordinal)
        self.facts.ordinal += 1
        return True

    def _add_numbers(self, header: model.Header, fields: dict[str, Any], raw: bytes | Raw) -> bool:
        first = self.facts.ordinal
        try:
            found = self._numbers.add(header, fields, first, raw)
        except UnsureError:
            return False
        for place, reason in found.left_out:
            self.facts.ordinal = first + place
            self.facts.leave_out(reason)
        self.facts.ordinal = first + found.facts
        return True

    def add_checked(self, event: Checked) -> None:
        """Add the facts of a valid event, one by one."""
        header = event.header
        match event.block:
            case model.Fault() as fault:
                self.facts.row("alarm_events", fault_row(header, fault))
            case model.ThresholdCrossingAlert() as alert:
                self.facts.row("alarm_events", crossing_row(header, alert))
            case model.Syslog() as log:
                self.facts.row("logs", log_row(header, log))
            case model.Measurement() as measurement:
                _add_measurement(self.facts, header, measurement, event.fields)
            case model.StandardDefined() as fields:
                if not self._leave_out(_left_out(header, fields)):
                    self.facts.row("alarm_events", notification_row(header, fields))
            case _:
                self.facts.leave_out(f"ves-domain-{header.domain}")

    def take(self) -> Iterator[Batch]:
        """Yield what was gathered since the last call as one batch, nothing when there is nothing."""
        rest = next(iter([*self.facts.take()]), Batch())
        parts: dict[str, list[pa.RecordBatch]] = {table: [rows] for table, rows in rest.tables.items()}
        for table, rows in self._columns():
            parts.setdefault(table, []).append(rows)
        self._clear()
        if parts or rest.quarantined or rest.filtered:
            tables = {table: _in_order(rows) for table, rows in parts.items()}
            yield Batch(tables, rest.quarantined, rest.filtered)

    def _columns(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        for records in (self._faults, self._crossings, self._logs, self._notifications):
            if records.blocks:
                yield records.table, records.rows(records.headers, records.blocks, records.ordinals)
        if self._numbers.count:
            yield "pm_counters", self._numbers.rows()


class _Records:
    """Plain events of one domain that become one row each."""

    def __init__(self, table: str, rows: Callable[..., pa.RecordBatch]) -> None:
        self.table = table
        self.rows = rows
        self.headers: list[model.Header] = []
        self.blocks: list[Struct] = []
        self.ordinals: list[int] = []


def _in_order(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    rows = pa.concat_batches(parts)
    return rows.take(pa.array(np.argsort(rows["ordinal"].to_numpy(), kind="stable")))


def _add_measurement(
    facts: FactBuffer, header: model.Header, measurement: model.Measurement, fields: dict[str, Any]
) -> None:
    for leaf in leaves(fields):
        if len(leaf.path) == 1 and leaf.path[0] in LEFT_OUT:
            facts.leave_out(LEFT_OUT[leaf.path[0]])
        else:
            facts.row("pm_counters", measurement_row(header, leaf, measurement.measurement_interval))


def _left_out(header: model.Header, fields: model.StandardDefined) -> str | None:
    """Return why a notification becomes no row."""
    if header.stnd_defined_namespace != FAULT_NAMESPACE:
        return "ves-other-namespace"
    return None if str(fields.data.get("notificationType")) in ALARM_NOTIFICATIONS else "ves-other-notification"
