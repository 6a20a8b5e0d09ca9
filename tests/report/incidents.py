"""Synthetic incidents for the pictures of reports, the same on every call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import specimen

from cellwright.digest.counters_text import CounterChange, CounterFacts
from cellwright.digest.logs_text import LogFacts, Told
from cellwright.digest.rank import Candidate, Evidence
from cellwright.digest.spans import Span
from cellwright.digest.vicinity import Node, Vicinity

if TYPE_CHECKING:
    from cellwright.report.model import IncidentView

SECOND = 1_000_000
START_S = 1_777_629_600


def view(
    spans: tuple[Span, ...] = (), seen: Vicinity | None = None, root: tuple[str, str] = ("LinkDown", "rtr-1")
) -> IncidentView:
    """Return an incident with these spans and this vicinity, and with a counter and a log line beside them."""
    kind, element = root
    counters = CounterFacts(START_S, 1, (CounterChange("gnb-2", "DRB.UEThpDl", START_S * SECOND, -92, None, 1),))
    told = (Told("rtrd: no light on port 7", 1, 2 * SECOND), Told("rtrd: load 40 percent", 90, 9 * SECOND))
    log = LogFacts("k4820173649", "", START_S, 42, 91, 2, 0, 0, told)
    return replace(
        specimen.incident(0),
        start_us=START_S * SECOND,
        duration_s=max((span.last_us or 0 for span in spans), default=0) / SECOND,
        roots=(Candidate(kind, element, 0.8, (Evidence("onset", 1.0, "number 1 of 2 types to begin"),)),),
        doubts=("2 duplicates",),
        spans=spans,
        vicinity=seen,
        counters=counters,
        log=log,
    )


def span(element: str, kind: str, *raised: int, ended: int | None = None, severity: str | None = "MAJOR") -> Span:
    """Return a span; instants are seconds."""
    instants = tuple(second * SECOND for second in raised)
    end = None if ended is None else ended * SECOND
    return Span(element, kind, severity, instants, end, is_open=ended is None, events=max(len(raised), 1))


def fibre_cut() -> IncidentView:
    """Return a small incident with something of everything."""
    spans = (
        span("rtr-1", "LinkDown", 0, 4, 9, ended=60, severity="CRITICAL"),
        span("gnb-1", "Cell<down>", 12, severity="MAJOR"),
        span("gnb-2", "Cell<down>", 14, ended=66, severity=None),
    )
    nodes = (
        Node("rtr-1", 3, "CRITICAL", is_unknown=False),
        Node("gnb-1", 1, "MAJOR", is_unknown=False),
        Node("gnb-2", 1, None, is_unknown=True),
        Node("agg-7", 0, None, is_unknown=False),
    )
    return view(spans, Vicinity(nodes, ((0, 3), (1, 3)), 0, "topology"))


def storm(types: int, elements: int) -> IncidentView:
    """Return a large incident on a ring of elements with a hub that is the probable root."""
    spans = tuple(
        span(f"ManagedElement=gnb-{at:03}", f"AlarmType-{kind:03}/what went wrong", at + kind, ended=300 + at)
        for at in range(elements)
        for kind in range(types)
        if (at + kind) % 3 == 0 or at == 0
    )
    ordered = tuple(sorted(spans, key=lambda each: each.first_us or 0))
    nodes = tuple(Node(f"gnb-{at:03}", types, "MINOR", is_unknown=at % 7 == 3) for at in range(elements))
    links = tuple((0, at) for at in range(1, elements) if at % 7 != 3)
    root = ("AlarmType-000/what went wrong", "ManagedElement=gnb-000")
    return view(ordered, Vicinity(nodes, links, 0, "topology"), root)
