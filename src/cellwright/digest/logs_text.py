"""What a digest tells of a log, as text, and the way back.

log k4820173649 at 2026-01-05T12:00:00Z for 42 s: 2314 lines, 87 templates, 12 left out with 60 lines in north
@ seconds after start, none: as above; * lines alike that it stands for; … cut
@0 amf: starting, release 1.4.2
@12*310 smf: session 4711 rejected: no resources
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import UNKNOWN
from cellwright.digest.notation import (
    INCIDENT,
    NUMBER,
    quote_phrase,
    read_instant,
    read_seconds,
    unquote,
    write_instant,
    write_seconds,
)
from cellwright.digest.parts import UNREADABLE
from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CUT: Final = "…"
_TITLE: Final = re.compile(
    rf"log (?P<name>{INCIDENT})(?: at (?P<start>\S+) for (?P<duration>{NUMBER}) s)?: (?P<lines>{NUMBER}) lines, "
    rf"(?P<templates>{NUMBER}) templates, (?P<left>{NUMBER}) left out with (?P<left_lines>{NUMBER}) lines"
    rf"(?: in (?P<source>.+))?"
)
_SIGNS: Final = f"* lines alike that it stands for; {CUT} cut"
_TIMED: Final = f"@ seconds after start, none: as above; {_SIGNS}"
NUMBERED: Final = f"@ number of the line, none: the next; {_SIGNS}"
_TOLD: Final = re.compile(rf"(?:@({NUMBER}(?:\.[0-9]{{1,6}})?|\?))?(?:\*({NUMBER}))? (.+)")


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the log as it stands, cut in the middle where it is long, and how many lines it stands for."""

    text: str
    times: int  # itself, and all lines of its template that are not told; those the first told of them stands for
    at: int | None  # microseconds after the start, None unknown; the number of the line from 1 where no line is timed


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a digest says of a log: lines in their order. Instants are whole seconds since 1970 UTC."""

    name: str
    source: str
    start_s: int | None  # None where no line is timed
    duration_s: int
    lines: int
    templates: int
    left_out: int  # templates of which no line is told
    left_out_lines: int
    told: tuple[Told, ...]


def write_log(facts: LogFacts) -> str:
    """Return the text of `facts`, which `decode_log` reads back."""
    return "\n".join((_title(facts), NUMBERED if facts.start_s is None else _TIMED, *_told_lines(facts)))


def decode_log(text: str) -> LogFacts:
    """Return the facts that a digest of a log says.

    Raises CellwrightError (`unreadable-digest`) for a text that is none, or not whole.
    """
    title, *lines = text.split("\n")
    head = _TITLE.fullmatch(title)
    if head is None or not lines or lines[0] != (NUMBERED if head["start"] is None else _TIMED):
        raise CellwrightError.of(UNREADABLE, "not a whole digest of a log: no title and legend")
    facts = LogFacts(
        name=head["name"],
        source=_source(head["source"]),
        start_s=None if head["start"] is None else _instant(head["start"]),
        duration_s=int(head["duration"] or 0),
        lines=int(head["lines"]),
        templates=int(head["templates"]),
        left_out=int(head["left"]),
        left_out_lines=int(head["left_lines"]),
        told=tuple(_read_told(lines[1:], is_timed=head["start"] is not None)),
    )
    if sum(each.times for each in facts.told) + facts.left_out_lines != facts.lines:
        raise CellwrightError.of(UNREADABLE, "not a whole digest of a log: its lines do not add up")
    return facts


def _title(facts: LogFacts) -> str:
    when = "" if facts.start_s is None else f" at {write_instant(facts.start_s)} for {facts.duration_s} s"
    left = f"{facts.left_out} left out with {facts.left_out_lines} lines"
    source = f" in {quote_phrase(facts.source)}" if facts.source else ""
    return f"log {facts.name}{when}: {facts.lines} lines, {facts.templates} templates, {left}{source}"


def _told_lines(facts: LogFacts) -> Iterator[str]:
    at: int | None = 0
    for each in facts.told:
        expected = at if facts.start_s is not None or at is None else at + 1
        at = each.at
        yield f"{'' if at == expected else _at(at, facts)}{'' if each.times == 1 else f'*{each.times}'} {each.text}"


def _at(at: int | None, facts: LogFacts) -> str:
    if at is None:
        return f"@{UNKNOWN}"
    return f"@{at}" if facts.start_s is None else f"@{write_seconds(at)}"


def _read_told(lines: Sequence[str], *, is_timed: bool) -> Iterator[Told]:
    at: int | None = 0
    for line in lines:
        found = _TOLD.fullmatch(line)
        if found is None:
            raise CellwrightError.of(UNREADABLE, "not a whole digest of a log: a line does not read")
        said, times, text = found.groups()
        if said is None:
            at = at if is_timed or at is None else at + 1
        else:
            at = None if said == UNKNOWN else read_seconds(said) if is_timed else int(said)
        yield Told(text, int(times or 1), at)


def _source(text: str | None) -> str:
    try:
        return unquote(text or "")
    except ValueError:
        raise CellwrightError.of(UNREADABLE, "not a whole digest of a log: its source does not read") from None


def _instant(text: str) -> int:
    try:
        return read_instant(text)
    except (ValueError, OverflowError):
        raise CellwrightError.of(UNREADABLE, "not a whole digest of a log: its start is not an instant") from None
