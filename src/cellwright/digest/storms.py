"""Incidents: alarms of one source that belong together; what time alone has joined is cut where it outgrows a storm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.digest.alarms import Alarm, alarms_of
from cellwright.digest.correlate import MOST_ALARMS, Correlated, correlated
from cellwright.digest.doubts import AHEAD, LATE, Doubt, doubts_of, flood_of
from cellwright.digest.render_ves import batch_tokens, ves_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from cellwright.digest.correlate_episodes import Surroundings
    from cellwright.digest.tokens import TokenCounter

STORM_MIN_TOKENS: Final = 15_000
STORM_MAX_TOKENS: Final = 25_000  # of what only time has joined
_WIDEST_FROM: Final = STORM_MIN_TOKENS / STORM_MAX_TOKENS  # of a piece: from which share on its widest gap may end it


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
    """Return whether it is of 15,000 raw VES tokens or more."""
    return weighed.ves_tokens >= STORM_MIN_TOKENS


def incidents(alarms: pa.Table, count: TokenCounter, surroundings: Surroundings | None = None) -> Iterator[Incident]:
    """Yield the incidents that partition an `alarm_events` table, by tenant, source and time.

    Events without any instant come last in their source, with no gaps between them.
    Linear in the events; each is rendered and counted once.
    """
    for each in correlated(alarms_of(alarms), surroundings):
        yield from storms(each, count, surroundings)


def storms(joined: Correlated, count: TokenCounter, surroundings: Surroundings | None = None) -> Iterator[Incident]:
    """Yield what belongs together: whole where a topology joined it, up to 5,000 alarms, else in pieces of a storm.

    Alarms that only time has joined may be of many causes.
    """
    topology = surroundings.topology if surroundings else None
    framing, alarms = batch_tokens(count), joined.alarms
    tokens = [ves_tokens(alarm, count) for alarm in alarms]
    instants = [alarm.ts for alarm in alarms]
    if topology is None:
        pieces = cut(instants, tokens, framing, most=STORM_MAX_TOKENS)
    else:
        pieces = cut(instants, [1] * len(alarms), 0, most=MOST_ALARMS)
    untimely, flooded = ((LATE, joined.late), (AHEAD, joined.ahead)), flood_of(alarms)
    for start, end in pieces:
        piece = alarms[start:end]
        told = (Doubt(what, sum(_reference(alarm) in those for alarm in piece)) for what, those in untimely)
        doubts = (*doubts_of(piece, topology), *(each for each in told if each.count))
        flood = flood_of(piece) or flooded  # what floods all of it may be alone in a piece
        if flood and any(alarm.element == flood.element for alarm in piece):
            doubts += (flood,)
        yield Incident(joined.tenant, joined.source, piece, framing + sum(tokens[start:end]), doubts)


def cut(instants: Sequence[int | None], sizes: Sequence[int], framing: int, *, most: int) -> list[tuple[int, int]]:
    """Return the half-open ranges that a burst falls into, none larger than `most` unless it is a single event.

    Where the total would pass that, the piece ends at its widest gap between events among those that leave it at least
    three fifths (the latest of equals); where none does, before the event that does not fit.
    """
    pieces, start, total = [], 0, framing
    for index, size in enumerate(sizes):
        while start < index and total + size > most:
            end = _widest_gap(instants, sizes, start, index, framing, least=_WIDEST_FROM * most)
            pieces.append((start, end))
            start, total = end, framing + sum(sizes[end:index])
        total += size
    return [*pieces, (start, len(sizes))] if sizes else []


def _widest_gap(  # noqa: PLR0913 - a piece, and from when on it may end
    instants: Sequence[int | None], sizes: Sequence[int], start: int, end: int, framing: int, *, least: float
) -> int:
    """Return where the piece [start, end) ends: the index of the first event after its widest admissible gap."""
    best, widest, total = end, -1, framing
    for index in range(start, end):
        total += sizes[index]
        gap = _gap(instants[index], instants[index + 1])
        if total >= least and gap >= widest:
            best, widest = index + 1, gap
    return best


def _reference(alarm: Alarm) -> tuple[str, int]:
    return (alarm.file_id, alarm.ordinal)


def _gap(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else after - before
