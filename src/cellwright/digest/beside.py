"""What a lake says beside an incident's alarms: counters that broke and log lines, of its elements and its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.compose import MIN_BUDGET_TOKENS
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.counters_text import decode_counters, richest_counters
from cellwright.digest.ledger import Omission
from cellwright.digest.logs_compose import digest_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.counters import Break
    from cellwright.digest.logs import LogLines
    from cellwright.digest.logs_compose import LogDigest
    from cellwright.digest.logs_text import Told
    from cellwright.digest.salience import LearnedSalience
    from cellwright.digest.storms import Incident
    from cellwright.digest.tokens import TokenCounter

AROUND_US: Final = 60 * 1_000_000  # of log lines, before the first alarm and behind the last
_COUNTERS_SHARE: Final = 3  # of the tokens that are left, a third at most is for counters where there are log lines too
_HEAD_LINES: Final = 3
_LOST: Final = "told log lines"
_PLACES: Final = Topology.of(())


@dataclass(frozen=True, slots=True)
class Beside:
    """Sections that go behind the text of a digest, each readable by itself; empty where there is nothing to tell."""

    counters: str = ""  # `decode_counters` reads it
    logs: str = ""  # `decode_log` reads it
    log: LogDigest | None = None  # what the section of logs was made of, with its books
    tokens: int = 0  # of both
    left_out: tuple[Omission, ...] = ()

    @property
    def told(self) -> tuple[Told, ...]:
        """Return the log lines that the text tells."""
        lines = self.log.facts.told if self.log else ()
        return lines[: len(lines) - sum(each.count for each in self.left_out if each.what == _LOST)]

    @property
    def text(self) -> str:
        """Return the sections with an empty line before each, nothing where there are none."""
        return "".join(f"\n\n{section}" for section in (self.counters, self.logs) if section)


@dataclass(frozen=True, slots=True)
class Scope:
    """The elements and the time of an incident, µs since 1970 UTC."""

    elements: frozenset[str]
    start_us: int | None
    end_us: int | None

    def holds_break(self, found: Break) -> bool:
        """Return whether a counter of one of the elements broke in a period in which alarms came."""
        if self.start_us is None or self.end_us is None or element_of(found.element) not in self.elements:
            return False
        return self.start_us - found.period_us * (found.periods or 1) < found.at_us <= self.end_us

    def log_span_us(self) -> tuple[int, int] | None:
        """Return from when until when log lines belong to it."""
        if self.start_us is None or self.end_us is None:
            return None
        return self.start_us - AROUND_US, self.end_us + AROUND_US


def element_of(dn: str) -> str:
    """Return the name of the managed element that a distinguished name lies in."""
    return _PLACES.place(dn).owner


def scope_of(incident: Incident) -> Scope:
    """Return where and when an incident was."""
    instants = [alarm.ts for alarm in incident.alarms if alarm.ts is not None]
    elements = frozenset(element_of(alarm.element) for alarm in incident.alarms)
    return Scope(elements, min(instants, default=None), max(instants, default=None))


def beside(
    found: Sequence[Break],
    lines: LogLines,
    *,
    room: int,
    count: TokenCounter,
    salience: LearnedSalience | None = None,
) -> Beside:
    """Return the sections about breaks and log lines that fit `room` tokens together.

    Breaks come as given, the most unusual first; learned salience puts those first that go with incidents.
    """
    found = salience.ordered(found) if salience else found
    share = room // _COUNTERS_SHARE if len(lines) else room
    counters = richest_counters(found, budget=share, count=count)
    told = len(decode_counters(counters).changes) if counters else 0
    used = count.count(counters) if counters else 0
    digest, logs, lost = None, "", len(lines)
    if len(lines) and room - used >= MIN_BUDGET_TOKENS:
        digest = digest_log(lines, budget=room - used, count=count, salience=salience)
        logs, lost = digest.parts[0], 0
        used += count.count(logs)
        if digest.over_budget:  # under the head of the part, title and legend, a line each
            lost = len(digest.facts.told) + _HEAD_LINES - logs.count("\n") - 1
    omissions = (Omission("counter breaks", len(found) - told), Omission(_LOST, lost))
    return Beside(counters, logs, digest, used, tuple(each for each in omissions if each.count))
