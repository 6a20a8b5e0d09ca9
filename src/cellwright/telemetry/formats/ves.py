"""VES 7.x events in JSON (ONAP VES Event Listener 7.2.1): single, batch, lines or arrays of either."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats import ves_model as model
from cellwright.telemetry.formats.facts import FactBuffer
from cellwright.telemetry.formats.ves_alarms import (
    ALARM_NOTIFICATIONS,
    FAULT_NAMESPACE,
    crossing_row,
    fault_row,
    notification_row,
)
from cellwright.telemetry.formats.ves_check import Checked, Flaw, check_event
from cellwright.telemetry.formats.ves_count import count_documents, count_event
from cellwright.telemetry.formats.ves_documents import BrokenError, Found, Piece, find_events, split_pieces
from cellwright.telemetry.formats.ves_logs import log_row
from cellwright.telemetry.formats.ves_measurements import INTERVAL, leaves, measurement_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

_HEAD: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*[\[{].*"(?:commonEventHeader|event|eventList)"\s*:', re.DOTALL)


class Ves:
    """A fact is an event, and of measurement events each measured number.

    Faults, threshold crossings and 3GPP fault notifications become alarms, syslog becomes logs, measurements become
    counters. Events of other domains are valid and left out, by name.
    """

    name = "ves"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head is JSON that speaks of events."""
        return _HEAD.match(head) is not None

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of facts, counted from braces, keys and numbers."""
        return sum(count_documents(piece.raw) for piece in split_pieces(stream))

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; an invalid event is quarantined alone, damaged JSON from the damage to the next document."""
        facts = FactBuffer()
        for piece in split_pieces(stream):
            yield from _read_piece(facts, piece)
            if facts.full():
                yield from facts.take()
        yield from facts.take()


def _read_piece(facts: FactBuffer, piece: Piece) -> Iterator[Batch]:
    text = piece.raw.decode("utf-8", "surrogateescape")
    first, settled = facts.ordinal, 0
    try:
        for found in find_events(text):
            _read_event(facts, piece, text, found)
            settled = found.end
            if facts.full():
                yield from facts.take()
    except BrokenError as broken:
        left = count_documents(piece.raw) - (facts.ordinal - first)
        line = _line(piece, text, broken.position)
        facts.quarantine("malformed-json", broken.reason, _bytes(text[settled:]), facts=left, line=line)


def _read_event(facts: FactBuffer, piece: Piece, text: str, found: Found) -> None:
    checked = Flaw("invalid-event", f"{found.path}: {found.flaw}") if found.flaw else _check(found)
    if isinstance(checked, Checked):
        _add(facts, checked, found.value)
        return
    raw = _bytes(text[found.start : found.end])
    line = _line(piece, text, found.start)
    facts.quarantine(checked.code, checked.reason, raw, facts=_facts_of(found, raw), line=line)


def _check(found: Found) -> Checked | Flaw:
    return check_event(found.value, found.path)


def _facts_of(found: Found, raw: bytes) -> int:
    return 1 if found.path == "$" else count_event(raw)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _line(piece: Piece, text: str, position: int) -> int:
    return piece.line + text.count("\n", 0, position)


def _add(facts: FactBuffer, event: Checked, value: dict[str, Any]) -> None:
    """Turn a valid event into its facts."""
    header = event.header
    match event.block:
        case model.Fault() as fault:
            facts.row("alarm_events", fault_row(header, fault))
        case model.ThresholdCrossingAlert() as alert:
            facts.row("alarm_events", crossing_row(header, alert))
        case model.Syslog() as log:
            facts.row("logs", log_row(header, log))
        case model.Measurement() as measurement:
            _add_measurement(facts, header, measurement, value["measurementFields"])
        case model.StandardDefined() as fields:
            _add_standard(facts, header, fields)
        case _:
            facts.leave_out(f"ves-domain-{header.domain}")


def _add_measurement(
    facts: FactBuffer, header: model.Header, measurement: model.Measurement, fields: dict[str, Any]
) -> None:
    for leaf in leaves(fields):
        if leaf.path == (INTERVAL,):
            facts.leave_out("ves-measurement-interval")
        else:
            facts.row("pm_counters", measurement_row(header, leaf, measurement.measurement_interval))


def _add_standard(facts: FactBuffer, header: model.Header, fields: model.StandardDefined) -> None:
    if header.stnd_defined_namespace != FAULT_NAMESPACE:
        facts.leave_out("ves-other-namespace")
    elif str(fields.data.get("notificationType")) in ALARM_NOTIFICATIONS:
        facts.row("alarm_events", notification_row(header, fields))
    else:
        facts.leave_out("ves-other-notification")
