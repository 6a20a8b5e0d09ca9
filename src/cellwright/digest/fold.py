"""Folding: events become the distinct (element, alarm type) pairs a digest always keeps, and their details."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import graver
from cellwright.digest.notation import MICROSECONDS, natural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.doubts import Doubt

ONSET: Final = 5  # first pairs whose instant is always kept
_PAUSES: Final = 20  # a type that begins a twentieth of the duration after the last stated instant has its own stated
_NEVER: Final = 1 << 65  # beyond the distance of any two instants in 64 bits
_STEPS_US: Final = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One element under one alarm type. None is what is unknown or was left out; order says what came first."""

    element: str
    first_us: int | None  # after the start of the incident
    times: int | None  # raised or changed; 0 where only its clearing was seen
    cleared: bool | None  # whether nothing of it is left open at the end
    root_cause: bool  # whether the element itself called it a root cause


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """One alarm type: its gravest severity and its elements in order of onset."""

    name: str
    severity: str | None
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a digest says: alarm types in order of onset. Instants are whole seconds since 1970 UTC."""

    incident: str
    source: str
    start_s: int | None
    duration_s: int | None
    events: int
    highest: str | None
    types: tuple[TypeFacts, ...]
    doubts: tuple[Doubt, ...] = ()
    root: str | None = None  # the alarm type that was ranked first by what the past says too

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return all distinct (element, alarm type)."""
        return tuple((each.element, kind.name) for kind in self.types for each in kind.occurrences)

    def elements(self) -> frozenset[str]:
        """Return the distinguished names of all elements in alarm."""
        return frozenset(element for element, _ in self.pairs())

    def onset(self) -> tuple[tuple[str, str, int], ...]:
        """Return the first pairs with their microseconds after the start; equal ones in the order of the types."""
        timed = [
            (each.element, kind.name, each.first_us)
            for kind in self.types
            for each in kind.occurrences
            if each.first_us is not None
        ]
        return tuple(sorted(timed, key=lambda one: one[2])[:ONSET])


@dataclass(frozen=True, slots=True)
class Kept:
    """Which details a digest keeps beside its protected facts."""

    onsets: bool = False  # when alarm types began, wherever some time has passed
    severities: bool = False  # of each alarm type
    clears: bool = False
    times_from: int | None = None  # repeats of this many or more; 1 keeps all


EVERYTHING: Final = Kept(onsets=True, severities=True, clears=True, times_from=1)  # that a digest ever says


def fold(alarms: Sequence[Alarm], incident: str, doubts: tuple[Doubt, ...] = ()) -> Facts:
    """Return all facts of an incident's alarms, given in the order of time.

    Instants are cut to the coarsest decimal step, from seconds down, that still tells the first pairs apart.
    """
    groups: dict[str, dict[str, list[Alarm]]] = {}
    for alarm in alarms:
        groups.setdefault(alarm.alarm_type, {}).setdefault(alarm.element, []).append(alarm)
    instants = [alarm.ts for alarm in alarms if alarm.ts is not None]
    start = min(instants, default=0)
    step = _step(sorted(_first(group, start) for kind in groups.values() for group in kind.values()))
    ordered = sorted(groups, key=lambda name: (min(_first(group, start) for group in groups[name].values()), name))
    return Facts(
        incident=incident,
        source=alarms[0].source,
        start_s=start // MICROSECONDS if instants else None,
        duration_s=(max(instants) - start) // MICROSECONDS if instants else None,
        events=len(alarms),
        highest=graver(alarm.severity for alarm in alarms),
        types=tuple(_type_facts(name, groups[name], start, step) for name in ordered),
        doubts=doubts,
    )


def reduce(facts: Facts, kept: Kept) -> Facts:
    """Return the protected facts with no more than the details in `kept`.

    Protected are all pairs and their order, the instants of the first, the highest severity, root-cause flags and the
    probable root.
    """
    stated = {(element, name) for element, name, _ in facts.onset()} | (_begun(facts) if kept.onsets else set())
    return replace(facts, types=tuple(_reduce_type(kind, kept, stated) for kind in facts.types))


def _begun(facts: Facts) -> set[tuple[str, str]]:
    """Return the first pairs of the types that began a pause after the last stated instant."""
    begun, last = set(), max((first for _, _, first in facts.onset()), default=0)
    pause = (facts.duration_s or 0) * MICROSECONDS // _PAUSES
    for kind in facts.types:
        first = kind.occurrences[0].first_us
        if first is not None and first - last >= max(pause, 1):
            begun.add((kind.occurrences[0].element, kind.name))
            last = first
    return begun


def _reduce_type(kind: TypeFacts, kept: Kept, stated: set[tuple[str, str]]) -> TypeFacts:
    return replace(
        kind,
        severity=kind.severity if kept.severities else None,
        occurrences=tuple(
            replace(
                each,
                first_us=each.first_us if (each.element, kind.name) in stated else None,
                times=_reduce_times(each.times, kept.times_from),
                cleared=each.cleared if kept.clears else None,
            )
            for each in kind.occurrences
        ),
    )


def _reduce_times(times: int | None, times_from: int | None) -> int | None:
    if times is None or times_from is None:
        return None
    return times if times >= times_from or times_from == 1 else None


def _type_facts(name: str, groups: dict[str, list[Alarm]], start: int, step: int) -> TypeFacts:
    elements = sorted(groups, key=lambda element: (_first(groups[element], start), natural(element)))
    return TypeFacts(
        name=name,
        severity=graver(alarm.severity for group in groups.values() for alarm in group),
        occurrences=tuple(_occurrence(element, groups[element], start, step) for element in elements),
    )


def _occurrence(element: str, alarms: list[Alarm], start: int, step: int) -> Occurrence:
    first = alarms[0].ts
    return Occurrence(
        element=element,
        first_us=None if first is None else (first - start) // step * step,
        times=sum(not alarm.clears for alarm in alarms),
        cleared=_ends_cleared(alarms),
        root_cause=any(alarm.root_cause for alarm in alarms),
    )


def _ends_cleared(alarms: list[Alarm]) -> bool:
    """Return whether every raise has its clearing, in its own row or in a later notification."""
    is_open = False
    for alarm in alarms:
        is_open = not alarm.clears and (is_open or alarm.cleared_ts is None)
    return not is_open


def _first(alarms: list[Alarm], start: int) -> int:
    """Return the microseconds to the first of one pair's events; the untimed come after all others."""
    return _NEVER if alarms[0].ts is None else alarms[0].ts - start


def _step(firsts: list[int]) -> int:
    """Return the coarsest step in which the first pairs' distinct instants (sorted) and the next stay distinct."""
    last = firsts[:ONSET][-1]
    later = [first for first in firsts if first > last]
    distinct = {first for first in (*firsts[:ONSET], *later[:1]) if first < _NEVER}
    return next(step for step in _STEPS_US if len({first // step for first in distinct}) == len(distinct))
