"""What a digest tells of counters that broke, as text, and the way back.

counters at 2026-01-05T12:00:00Z: 5 breaks, 1 left out
counter: elements by onset; @ seconds after start; +% -% change, ...; elements begin NRCellDU=
DRB.UEThpDl: 3@0-92%/1 4@0-90%/1
RRC.ConnEstabAtt: 3@900-40%
RACH.PreambleDedCell: 4@900>55/2
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.digest.notation import (
    BARE_WORD,
    MICROSECONDS,
    NUMBER,
    QUOTED,
    quote_phrase,
    quote_word,
    read_instant,
    read_seconds,
    shared_prefix,
    unquote,
    write_instant,
    write_seconds,
)
from cellwright.digest.parts import UNREADABLE
from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.digest.counters import Break
    from cellwright.digest.tokens import TokenCounter

_MOST_TIMES: Final = 10_000  # beyond, the share of what was usual says nothing
_TITLE: Final = re.compile(rf"counters at (\S+): ({NUMBER}) breaks, ({NUMBER}) left out")
_LEGEND: Final = (
    "counter: elements by onset; @ seconds after start; +% -% change, > seen where next to nothing is usual; "
    "/ periods, none: it stayed"
)
_BEGIN: Final = "; elements begin "
_LINE: Final = re.compile(rf"({QUOTED}|[^\s\"](?:.*?\S)?): (.+)")
_ITEM: Final = re.compile(
    rf"({QUOTED}|{BARE_WORD})@({NUMBER}(?:\.[0-9]{{1,6}})?)"
    rf"(?:([+-]{NUMBER})%|>(-?[0-9.e+-]+))(?:/({NUMBER}))?(?: |$)"
)


@dataclass(frozen=True, slots=True)
class CounterChange:
    """One counter of one object: by how many per cent it changed, or what was seen where nothing was usual."""

    element: str
    counter: str
    at_us: int  # since 1970 UTC
    percent: int | None
    seen: float | None
    periods: int | None  # None where the level stayed


@dataclass(frozen=True, slots=True)
class CounterFacts:
    """What a digest says of counters: changes by counter, the most unusual counter first, then by onset."""

    start_s: int  # since 1970 UTC
    breaks: int
    changes: tuple[CounterChange, ...]

    @property
    def left_out(self) -> int:
        """Return how many breaks are not told."""
        return self.breaks - len(self.changes)


def counter_facts(found: Sequence[Break]) -> CounterFacts:
    """Return all that can be said of breaks, given the most unusual first."""
    place = {counter: at for at, counter in enumerate(dict.fromkeys(each.counter for each in found))}
    ordered = sorted(found, key=lambda one: (place[one.counter], one.at_us, -one.score, one.element))
    start_s = min((each.at_us for each in found), default=0) // MICROSECONDS
    return CounterFacts(start_s, len(found), tuple(map(_change, ordered)))


def richest_counters(found: Sequence[Break], *, budget: int, count: TokenCounter) -> str:
    """Return the text of as many breaks as fit the budget, the most unusual; empty where none is, or none fits."""
    full = counter_facts(found)
    least, most = 0, len(found)
    while least < most:
        middle = (least + most + 1) // 2
        shown = replace(counter_facts(found[:middle]), start_s=full.start_s, breaks=full.breaks)
        least, most = (middle, most) if count.count(write_counters(shown)) <= budget else (least, middle - 1)
    if not least:
        return ""
    return write_counters(replace(counter_facts(found[:least]), start_s=full.start_s, breaks=full.breaks))


def write_counters(facts: CounterFacts) -> str:
    """Return the text of `facts`, which `decode_counters` reads back."""
    prefix = shared_prefix({each.element for each in facts.changes})
    legend = _LEGEND + (_BEGIN + quote_word(prefix) if prefix else "")
    title = f"counters at {write_instant(facts.start_s)}: {facts.breaks} breaks, {facts.left_out} left out"
    items: dict[str, list[str]] = {}
    for each in facts.changes:
        items.setdefault(each.counter, []).append(_item(each, prefix, facts.start_s))
    return "\n".join((title, legend, *(f"{quote_phrase(name)}: {' '.join(each)}" for name, each in items.items())))


def decode_counters(text: str) -> CounterFacts:
    """Return the facts that the section of a digest about counters says.

    Raises CellwrightError (`unreadable-digest`) for a text that is none, or not whole.
    """
    title, *lines = text.split("\n")
    head = _TITLE.fullmatch(title)
    if head is None or not lines or not lines[0].startswith(_LEGEND):
        raise CellwrightError.of(UNREADABLE, "not a whole digest of counters: no title and legend")
    try:
        prefix = unquote(lines[0].removeprefix(_LEGEND).removeprefix(_BEGIN))
        start_s = read_instant(head[1])
        changes = tuple(each for line in lines[1:] for each in _read_line(line, prefix, start_s))
    except ValueError:
        raise CellwrightError.of(UNREADABLE, "not a whole digest of counters: a name or number does not read") from None
    facts = CounterFacts(start_s, int(head[2]), changes)
    if facts.left_out != int(head[3]):
        raise CellwrightError.of(UNREADABLE, "not a whole digest of counters: it lacks breaks that its title counts")
    return facts


def _change(found: Break) -> CounterChange:
    times = found.seen / found.usual if found.usual > 0 else math.inf
    percent = round(100 * (times - 1)) if abs(times) < _MOST_TIMES else None
    seen = None if percent is not None else float(f"{found.seen:.4g}")
    return CounterChange(found.element, found.counter, found.at_us, percent, seen, found.periods)


def _item(each: CounterChange, prefix: str, start_s: int) -> str:
    size = f"{each.percent:+d}%" if each.percent is not None else f">{each.seen:g}"
    lasted = "" if each.periods is None else f"/{each.periods}"
    onset = write_seconds(each.at_us - start_s * MICROSECONDS)
    return f"{quote_word(each.element.removeprefix(prefix))}@{onset}{size}{lasted}"


def _read_line(line: str, prefix: str, start_s: int) -> Iterator[CounterChange]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise CellwrightError.of(UNREADABLE, "not a whole digest of counters: a line is no counter with its elements")
    counter, items, position = unquote(match[1]), match[2], 0
    while position < len(items):
        found = _ITEM.match(items, position)
        if found is None:
            raise CellwrightError.of(UNREADABLE, "not a whole digest of counters: an element is not as the legend says")
        name, onset, percent, seen, periods = found.groups()
        yield CounterChange(
            element=prefix + unquote(name),
            counter=counter,
            at_us=start_s * MICROSECONDS + read_seconds(onset),
            percent=None if percent is None else int(percent),
            seen=None if seen is None else float(seen),
            periods=None if periods is None else int(periods),
        )
        position = found.end()
