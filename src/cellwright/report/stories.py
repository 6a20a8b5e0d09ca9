"""Incidents as they are read: each with its timeline and its neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.report.neighbourhood import Neighbourhood, neighbourhood
from cellwright.report.timeline import Timeline, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.report.model import IncidentView


@dataclass(frozen=True, slots=True)
class Story:
    """One incident with its pictures; None where there is nothing to draw them from."""

    anchor: str  # within a page
    incident: IncidentView
    timeline: Timeline | None
    neighbourhood: Neighbourhood | None


def stories(incidents: Iterable[IncidentView]) -> tuple[Story, ...]:
    """Return incidents with their pictures, in the order given."""
    return tuple(
        Story(
            f"incident-{number}", each, timeline(each), None if each.vicinity is None else neighbourhood(each.vicinity)
        )
        for number, each in enumerate(incidents, start=1)
    )
