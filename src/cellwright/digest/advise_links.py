"""Which tickets are about which incidents, so that a past ticket has the event sequence of its trouble."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from cellwright.digest.advise_symptoms import Symptoms, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.digest.advise_tickets import Ticket

# People open a ticket while the trouble lasts, or when they come to it; clocks of two systems differ by minutes.
BEFORE_US: Final = 300 * 1_000_000
AFTER_US: Final = 3_600 * 1_000_000
LONGEST_US: Final = 86_400 * 1_000_000  # what began earlier has a ticket by now


@dataclass(frozen=True, slots=True)
class Sighting:
    """An incident of the lake: its name, what it shows, its first and last instant in microseconds, None unknown."""

    incident: str
    source: str
    symptoms: Symptoms
    elements: frozenset[str]  # all that were in alarm
    start_us: int | None
    end_us: int | None
    events: int
    is_open: bool  # something of it is not cleared


def link(tickets: Iterable[Ticket], sightings: Sequence[Sighting]) -> tuple[Ticket, ...]:
    """Return the tickets with what their incidents show: the named one, else the latest it can be about.

    That is one on an element the ticket names, which began from a day before to 5 minutes after the ticket was opened
    and ended at most an hour before that. A ticket that tells its alarms itself keeps them.
    """
    named = {each.incident: each for each in sightings}
    timeline = _Timeline(sightings)
    found = ((ticket, named.get(ticket.incident) or timeline.latest(ticket)) for ticket in tickets)
    return tuple(ticket if sighting is None else _with(ticket, sighting) for ticket, sighting in found)


class _Timeline:
    """Incidents by their start, with the names their elements go by."""

    def __init__(self, sightings: Sequence[Sighting]) -> None:
        timed = ((each.start_us, each) for each in sightings if each.start_us is not None)
        self._timed = sorted(timed, key=lambda each: each[0])
        self._parts = [_parts(each.elements) for _, each in self._timed]

    def latest(self, ticket: Ticket) -> Sighting | None:
        """Return the latest incident that a ticket which tells no alarms can be about."""
        mine = {each.casefold() for each in ticket.symptoms.elements}
        opened = ticket.opened_us
        if opened is None or not mine or ticket.symptoms.alarm_types:
            return None
        first = bisect_left(self._timed, opened - LONGEST_US, key=itemgetter(0))
        last = bisect_right(self._timed, opened + BEFORE_US, key=itemgetter(0))
        around = (at for at in range(last - 1, first - 1, -1) if mine & self._parts[at])
        fitting = (self._timed[at][1] for at in around if (self._timed[at][1].end_us or 0) + AFTER_US >= opened)
        return next(fitting, None)


def _with(ticket: Ticket, sighting: Sighting) -> Ticket:
    return replace(ticket, symptoms=together(ticket.symptoms, sighting.symptoms), incident=sighting.incident)


def _parts(elements: Iterable[str]) -> frozenset[str]:
    """Return the names elements go by, in small letters: the distinguished name, and the value of each part."""
    names = {element.casefold() for element in elements}
    return frozenset(names | {part.partition("=")[2] or part for name in names for part in name.split(",")})
