"""The loss ledger: what a digest left out of an incident, how much of it, and where the originals are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.fold import Facts


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """Where an original is in the lake: the file and the fact's place in it."""

    file_id: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Omission:
    """One kind of thing that a digest does not say, and how many of them there were."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of one digest: every event stands for its pair or is listed as folded into it."""

    events: int
    kept: tuple[Reference, ...]  # the first event of each (element, alarm type)
    folded: tuple[Reference, ...]  # its repeats and clearings
    left_out: tuple[Omission, ...]
    sha256: str  # of all events in order, as compact JSON lines

    @property
    def balanced(self) -> bool:
        """Return whether events in = events represented + listed, none of them twice."""
        return self.events == len(self.kept) + len(self.folded) == len({*self.kept, *self.folded})


def content_hash(alarms: Iterable[Alarm]) -> str:
    """Return the SHA-256 of the events' content and provenance in hexadecimal."""
    digest = hashlib.sha256()
    for alarm in alarms:
        digest.update(orjson.dumps(alarm, option=orjson.OPT_APPEND_NEWLINE))
    return digest.hexdigest()


def open_ledger(alarms: Sequence[Alarm], facts: Facts, said: Facts, sha256: str) -> Ledger:
    """Return the books of an incident whose facts are `facts` and whose digest says `said`."""
    first: dict[tuple[str, str], Alarm] = {}
    folded = [
        _reference(alarm) for alarm in alarms if first.setdefault((alarm.element, alarm.alarm_type), alarm) is not alarm
    ]
    omissions = (
        Omission("repeated occurrences", len(folded)),
        *_instant_omissions(alarms, first, said),
        *_event_omissions(alarms, said),
        *_detail_omissions(facts, said),
    )
    return Ledger(
        events=len(alarms),
        kept=tuple(map(_reference, first.values())),
        folded=tuple(folded),
        left_out=tuple(each for each in omissions if each.count),
        sha256=sha256,
    )


def _reference(alarm: Alarm) -> Reference:
    return Reference(alarm.file_id, alarm.ordinal)


def _instant_omissions(
    alarms: Sequence[Alarm], first: dict[tuple[str, str], Alarm], said: Facts
) -> tuple[Omission, ...]:
    instants = [alarm.ts for alarm in alarms if alarm.ts is not None]
    start = min(instants, default=0)
    stated = [
        (each.first_us, (first[each.element, kind.name].ts or start) - start)
        for kind in said.types
        for each in kind.occurrences
        if each.first_us is not None
    ]
    return (
        Omission("event instants", len(instants) - len(stated)),
        Omission("event instants rounded", sum(shown != true for shown, true in stated)),
    )


def _event_omissions(alarms: Sequence[Alarm], said: Facts) -> tuple[Omission, ...]:
    severities = {kind.name: kind.severity for kind in said.types}
    return (
        Omission("clear instants", sum(alarm.cleared_ts is not None for alarm in alarms)),
        Omission(
            "severities of single events",
            sum(alarm.severity is not None and alarm.severity != severities[alarm.alarm_type] for alarm in alarms),
        ),
        Omission("additional fields", sum(len(alarm.additional or ()) for alarm in alarms)),
        Omission("alarm identifiers", sum(alarm.alarm_id is not None for alarm in alarms)),
        Omission("correlated alarms", sum(len(alarm.correlated_ids or ()) for alarm in alarms)),
        Omission("notification types", sum(alarm.notification_type is not None for alarm in alarms)),
        Omission("event types", sum(alarm.event_type not in {None, alarm.alarm_type} for alarm in alarms)),
        Omission("acknowledgement states", sum(alarm.ack_state is not None for alarm in alarms)),
        Omission("vendors", sum(alarm.vendor is not None for alarm in alarms)),
        Omission("zone offsets", sum(alarm.utc_offset_s is not None for alarm in alarms)),
        Omission("raise instants", sum(alarm.raised_ts not in {None, alarm.ts} for alarm in alarms)),
    )


def _detail_omissions(facts: Facts, said: Facts) -> tuple[Omission, ...]:
    """Return the details that the budget had no room for."""
    known = [each for kind in facts.types for each in kind.occurrences]
    told = [each for kind in said.types for each in kind.occurrences]
    return (
        Omission("repeat counts", sum(one.times != other.times for one, other in zip(known, told, strict=True))),
        Omission("clear states", sum(one.cleared != other.cleared for one, other in zip(known, told, strict=True))),
        Omission(
            "severities of types",
            sum(one.severity != other.severity for one, other in zip(facts.types, said.types, strict=True)),
        ),
    )
