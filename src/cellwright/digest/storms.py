"""Incidents: alarms of one source that belong together, cut where they outgrow a storm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.digest.alarms import Alarm, alarms_of
from cellwright.digest.correlate import Correlated, correlated
from cellwright.digest.doubts import AHEAD, LATE, Doubt, doubts_of
from cellwright.digest.render_ves import batch_tokens, ves_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from cellwright.digest.correlate_episodes import Surroundings
    from cellwright.digest.tokens import TokenCounter

STORM_MIN_TOKENS: Final = 15_000
STORM_MAX_TOKENS: Final = 25_000


class Weighed(Protocol):
    """Anything that knows its size as raw VES tokens."""

    @property
    def ves_tokens(self) -> int:
        """Return the tokens of the events as one VES batch."""
        ...


@dataclass(frozen=True, slots=True)
class Incident:
    """Alarms of one source that belong together, in the order of time, and their tokens as one VES batch."""

    tenant: str
    source: str
    alarms: tuple[Alarm, ...]
    ves_tokens: int
    doubts: tuple[Doubt, ...] = ()


def is_storm(weighed: Weighed) -> bool:
    """Return whether it is of 15,000 to 25,000 raw VES tokens."""
    return STORM_MIN_TOKENS <= weighed.ves_tokens <= STORM_MAX_TOKENS


def incidents(alarms: pa.Table, count: TokenCounter, surroundings: Surroundings | None = None) -> Iterator[Incident]:
    """Yield the incidents that partition an `alarm_events` table, by tenant, source and time.

    Events without any instant come last in their source, with no gaps between them. One event larger than a storm is
    an incident of its own. Linear in the events; each is rendered and counted once.
    """
    for each in correlated(alarms_of(alarms), surroundings):
        yield from storms(each, count, surroundings)


def storms(joined: Correlated, count: TokenCounter, surroundings: Surroundings | None = None) -> Iterator[Incident]:
    """Yield what belongs together in pieces none of which is larger than a storm."""
    framing, alarms = batch_tokens(count), joined.alarms
    tokens = [ves_tokens(alarm, count) for alarm in alarms]
    untimely = ((LATE, joined.late), (AHEAD, joined.ahead))
    for start, end in cut([alarm.ts for alarm in alarms], tokens, framing):
        piece = alarms[start:end]
        doubts = doubts_of(piece, surroundings.topology if surroundings else None)
        told = (Doubt(what, sum(_reference(alarm) in those for alarm in piece)) for what, those in untimely)
        doubts += tuple(each for each in told if each.count)
        yield Incident(joined.tenant, joined.source, piece, framing + sum(tokens[start:end]), doubts)


def cut(instants: Sequence[int | None], tokens: Sequence[int], framing: int) -> list[tuple[int, int]]:
    """Return the half-open ranges that a burst falls into, none above 25,000 tokens unless it is a single event.

    Where the total would pass 25,000, the piece ends at its widest gap between events among those that leave it at
    least 15,000 (the latest of equals); where none does, before the event that does not fit.
    """
    pieces, start, total = [], 0, framing
    for index, size in enumerate(tokens):
        while start < index and total + size > STORM_MAX_TOKENS:
            end = _widest_gap(instants, tokens, start, index, framing)
            pieces.append((start, end))
            start, total = end, framing + sum(tokens[end:index])
        total += size
    return [*pieces, (start, len(tokens))] if tokens else []


def _widest_gap(instants: Sequence[int | None], tokens: Sequence[int], start: int, end: int, framing: int) -> int:
    """Return where the piece [start, end) ends: the index of the first event after its widest admissible gap."""
    best, widest, total = end, -1, framing
    for index in range(start, end):
        total += tokens[index]
        gap = _gap(instants[index], instants[index + 1])
        if total >= STORM_MIN_TOKENS and gap >= widest:
            best, widest = index + 1, gap
    return best


def _reference(alarm: Alarm) -> tuple[str, int]:
    return (alarm.file_id, alarm.ordinal)


def _gap(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else after - before
