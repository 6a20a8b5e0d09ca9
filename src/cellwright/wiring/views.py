"""Incidents as a page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.digest.counters_text import decode_counters
from cellwright.digest.spans import spans_of
from cellwright.digest.vicinity import vicinity
from cellwright.report.model import IncidentLine, IncidentView, LakeReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.digest.correlate_topology import Topology
    from cellwright.wiring.incidents import Storyline

_MOST_SHOWN: Final = 12  # in full
_MOST_LISTED: Final = 200
_MOST_ROOTS: Final = 3


def lake_report(
    title: str, found: Sequence[Storyline], topology: Topology | None, notes: tuple[str, ...]
) -> LakeReport:
    """Return what the page about some incidents of a lake shows: the largest in full, more of them in a line each."""
    largest = sorted(found, key=lambda item: (-item.digest.ves_tokens, item.digest.incident))
    return LakeReport(
        title=title,
        alarms=sum(item.digest.events for item in found),
        found=len(found),
        doubtful=sum(bool(item.digest.doubts) for item in found),
        lines=tuple(map(_line, largest[:_MOST_LISTED])),
        incidents=tuple(view_of(item, topology, {}) for item in largest[:_MOST_SHOWN]),
        notes=notes,
    )


def _line(item: Storyline) -> IncidentLine:
    digest, (root, *_) = item.digest, item.roots
    return IncidentLine(
        incident=digest.incident,
        source=digest.source,
        started=digest.start or "?",
        duration_s=digest.duration_s,
        events=digest.events,
        elements=digest.elements,
        alarm_types=digest.types,
        root=f"{root.alarm_type} on {root.element}",
        doubts=len(digest.doubts),
    )


def view_of(item: Storyline, topology: Topology | None, answers: Mapping[str, str]) -> IncidentView:
    """Return what a page shows of an incident in full, with what its pictures are drawn from."""
    digest, alarms = item.digest, item.incident.alarms
    return IncidentView(
        incident=digest.incident,
        source=digest.source,
        started=digest.start or "?",
        duration_s=digest.duration_s,
        events=digest.events,
        elements=digest.elements,
        alarm_types=digest.types,
        ves_tokens=digest.ves_tokens,
        csv_tokens=digest.csv_tokens,
        digest_tokens=item.tokens,
        digest_text=item.text,
        raw_excerpt=item.raw_excerpt,
        answer=answers.get(digest.incident, ""),
        left_out=tuple((each.what, each.count) for each in digest.ledger.left_out),
        start_us=min((alarm.ts for alarm in alarms if alarm.ts is not None), default=None),
        roots=item.roots[:_MOST_ROOTS],
        doubts=digest.doubts,
        spans=spans_of(alarms),
        vicinity=vicinity(alarms, topology, item.roots[0].element if item.roots else None),
        counters=decode_counters(item.beside.counters) if item.beside.counters else None,
        log=item.beside.log.facts if item.beside.log else None,
    )
