"""What was doubtful in the alarms of an incident: named and counted, never guessed away."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import UNKNOWN
from cellwright.digest.notation import QUOTED, quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.correlate_topology import Topology

DUPLICATES: Final = "duplicates"
CLOCK_JUMPS: Final = "clock jumps"
MISSING_CLEARS: Final = "raised again without a clear"
NAMELESS: Final = "alarms without an element"
UNTIMED: Final = "alarms without an instant"
LATE: Final = "alarms after their incident was closed"
AHEAD: Final = "alarms dated ahead of the clock"
UNPLACED: Final = "elements unknown to the topology"
FLOOD: Final = "alarms from one element"
_KINDS: Final = (DUPLICATES, CLOCK_JUMPS, MISSING_CLEARS, NAMELESS, UNTIMED, LATE, AHEAD, UNPLACED, FLOOD)

_JUMP_US: Final = 300 * 1_000_000  # back in the order of one file: the shortest granularity period, TS 32.401
# Ten alarms in ten minutes are a flood to whoever has to act on them (ISA-18.2, EEMUA 191).
_FLOOD_ALARMS: Final = 10
_FLOOD_PER_US: Final = 1 / 60_000_000

_DOUBT: Final = re.compile(rf"([0-9]{{1,18}})(?: of ([0-9]{{1,18}}))? ({'|'.join(_KINDS)})(?: ({QUOTED}))?(?:; |$)")


@dataclass(frozen=True, slots=True)
class Doubt:
    """One kind of doubt: how many, of how many where that says something, and the element where it is one."""

    what: str
    count: int
    of: int | None = None
    element: str | None = None

    def __str__(self) -> str:
        """Return the doubt in words, as `read_doubts` reads it."""
        of = "" if self.of is None else f" of {self.of}"
        element = "" if self.element is None else f" {quote(self.element)}"
        return f"{self.count}{of} {self.what}{element}"


def doubts_of(alarms: Sequence[Alarm], topology: Topology | None = None) -> tuple[Doubt, ...]:
    """Return what is doubtful in alarms given in the order of time; of floods `flood_of` tells."""
    counts = (
        Doubt(DUPLICATES, len(alarms) - len({_content(alarm) for alarm in alarms})),
        Doubt(CLOCK_JUMPS, _clock_jumps(alarms)),
        Doubt(MISSING_CLEARS, _missing_clears(alarms)),
        Doubt(NAMELESS, sum(alarm.element == UNKNOWN for alarm in alarms)),
        Doubt(UNTIMED, sum(alarm.ts is None for alarm in alarms)),
    )
    return (*(each for each in counts if each.count), *_unplaced(alarms, topology))


def flood_of(alarms: Sequence[Alarm]) -> Doubt | None:
    """Return the element that more than half of the alarms come from, at the rate of a flood; None where none is."""
    (element, most), *others = Counter(alarm.element for alarm in alarms).most_common(2)
    instants = [alarm.ts for alarm in alarms if alarm.ts is not None]
    lasts_us = max(instants) - min(instants) if instants else 0
    is_flood = others and 2 * most > len(alarms) and most >= max(_FLOOD_ALARMS, lasts_us * _FLOOD_PER_US)
    return Doubt(FLOOD, most, len(alarms), element) if is_flood else None


def read_doubts(text: str) -> tuple[Doubt, ...] | None:
    """Return the doubts that are written one after another, None where the text is none."""
    found, position = [], 0
    while position < len(text):
        match = _DOUBT.match(text, position)
        if match is None:
            return None
        count, of, what, element = match.groups()
        found.append(Doubt(what, int(count), int(of) if of else None, unquote(element) if element else None))
        position = match.end()
    return tuple(found)


def _content(alarm: Alarm) -> tuple[object, ...]:
    """Return what tells one event from another; identifiers differ where one event came in two ways."""
    return (
        alarm.object_dn,
        alarm.alarm_type,
        alarm.event_ts,
        alarm.raised_ts,
        alarm.cleared_ts,
        alarm.perceived_severity,
        alarm.notification_type,
    )


def _clock_jumps(alarms: Sequence[Alarm]) -> int:
    """Return the alarms cleared before they were raised, and those an element dates back in the order of its file."""
    jumps = sum(
        alarm.cleared_ts is not None and alarm.ts is not None and alarm.cleared_ts < alarm.ts for alarm in alarms
    )
    latest: dict[tuple[str, str], int] = {}
    for alarm in sorted(alarms, key=lambda each: (each.file_id, each.ordinal)):
        if alarm.ts is not None:
            line = (alarm.file_id, alarm.element)
            jumps += alarm.ts + _JUMP_US < latest.get(line, alarm.ts)
            latest[line] = alarm.ts
    return jumps


def _missing_clears(alarms: Sequence[Alarm]) -> int:
    """Return the alarms raised anew, by another identifier, while open, where clears are told at all."""
    if not any(alarm.clears or alarm.cleared_ts is not None for alarm in alarms):
        return 0
    open_ids: dict[tuple[str, str], str | None] = {}
    missing = 0
    for alarm in alarms:
        pair = (alarm.element, alarm.alarm_type)
        if alarm.clears or alarm.cleared_ts is not None:
            open_ids.pop(pair, None)
            continue
        missing += pair in open_ids and open_ids[pair] != alarm.alarm_id
        open_ids[pair] = alarm.alarm_id
    return missing


def _unplaced(alarms: Sequence[Alarm], topology: Topology | None) -> Iterator[Doubt]:
    if topology is None:
        return
    places = {topology.place(alarm.element) for alarm in alarms}
    owners = {place.owner for place in places}
    unknown = {place.owner for place in places if topology.lacks(place)}
    if unknown:
        yield Doubt(UNPLACED, len(unknown), len(owners))
