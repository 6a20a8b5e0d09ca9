"""The digest as text, one line per alarm type with its elements behind it, and the way back to the facts.

incident 482917365012 at 2026-01-05T12:00:00Z for 42 s: 9 alarms, 3 elements, 2 types in north
type: elements by onset; @ seconds after start; * times raised; ! not cleared; > probable root; all major
LINK DOWN>: router-4@0*3! router-3@1
BER: router-3@2*4 router-7@3
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import UNKNOWN, graver
from cellwright.digest.doubts import read_doubts
from cellwright.digest.fold import Facts, Occurrence, TypeFacts
from cellwright.digest.legend import LABELS, Legend, read_legend, read_severity, severity_label, write_legend
from cellwright.digest.notation import (
    BARE_PHRASE,
    BARE_WORD,
    INCIDENT,
    NUMBER,
    QUOTED,
    quote_phrase,
    quote_word,
    read_instant,
    read_seconds,
    unquote,
    write_instant,
    write_seconds,
)
from cellwright.digest.parts import UNREADABLE, join
from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.digest.doubts import Doubt

_DOUBTFUL: Final = "doubtful: "
_ROOT: Final = ">"  # with the colon behind it, one token
_TITLE: Final = re.compile(
    rf"incident (?P<incident>{INCIDENT}) at (?P<start>\S+) for (?P<duration>{NUMBER}|\?) s: "
    rf"(?P<events>{NUMBER}) alarms, (?P<elements>{NUMBER}) elements, (?P<types>{NUMBER}) types in (?P<source>.+)"
)
_TYPE: Final = re.compile(rf"({QUOTED}>?|{BARE_PHRASE})(?: \[({LABELS})\])?: ?(.+)")
_ITEM: Final = re.compile(
    rf"({QUOTED}|{BARE_WORD})(?:@({NUMBER}(?:\.[0-9]{{1,6}})?))?(?:\*({NUMBER}))?(\^?)(!?)(?: |$)"
)


def write(facts: Facts, *, items_per_line: int | None = None) -> str:
    """Return the text of `facts`, which `decode` reads back.

    With `items_per_line`, a type of more elements than that has several lines, its name in each.
    """
    legend = write_legend(facts)
    meaning = _legend(legend)
    doubts = (_DOUBTFUL + "; ".join(map(str, facts.doubts)),) if facts.doubts else ()
    lines = (
        line
        for kind in facts.types
        for line in _type_lines(kind, meaning, items_per_line, _ROOT if kind.name == facts.root else "")
    )
    return "\n".join((_title(facts), legend, *doubts, *lines))


def decode(text: str) -> Facts:
    """Return the facts that a digest says; the parts of a parted one are joined by line feeds.

    Raises CellwrightError (`unreadable-digest`) for a text that is none, or not whole.
    """
    title, *lines = join(text).split("\n")
    head = _TITLE.fullmatch(title)
    if head is None:
        raise CellwrightError.of(UNREADABLE, "not a whole digest: its first line is not a title")
    legend = _legend(lines[0] if lines else "")
    doubts = _read_doubts(lines[1] if len(lines) > 1 else "")
    types, root = _read_types(lines[2:] if doubts else lines[1:], legend)
    facts = Facts(
        incident=head["incident"],
        source=_name(head["source"]),
        start_s=_read_start(head["start"]),
        duration_s=None if head["duration"] == UNKNOWN else int(head["duration"]),
        events=int(head["events"]),
        highest=graver([legend.highest, *(kind.severity for kind in types)]),
        types=types,
        doubts=doubts,
        root=root,
    )
    if (len(facts.elements()), len(types)) != (int(head["elements"]), int(head["types"])):
        raise CellwrightError.of(UNREADABLE, "not a whole digest: it lacks elements or types that its title counts")
    return facts


def _title(facts: Facts) -> str:
    start = UNKNOWN if facts.start_s is None else write_instant(facts.start_s)
    duration = UNKNOWN if facts.duration_s is None else str(facts.duration_s)
    sizes = f"{facts.events} alarms, {len(facts.elements())} elements, {len(facts.types)} types"
    return f"incident {facts.incident} at {start} for {duration} s: {sizes} in {quote_phrase(facts.source)}"


def _type_lines(kind: TypeFacts, legend: Legend, items_per_line: int | None, mark: str) -> Iterator[str]:
    stated = "" if kind.severity == legend.severity else f" [{severity_label(kind.severity)}]"
    name = quote_phrase(kind.name.removeprefix(legend.type_prefix)) + mark
    items = [_item(each, legend) for each in kind.occurrences]
    size = items_per_line or len(items)
    for start in range(0, len(items), size):
        blank = "" if items[start][0].isdigit() else " "  # before digits, a blank is a token
        yield f"{name}{stated}:{blank}{' '.join(items[start : start + size])}"


def _item(each: Occurrence, legend: Legend) -> str:
    onset = "" if each.first_us is None else f"@{write_seconds(each.first_us)}"
    times = "" if each.times == legend.times or each.times is None else f"*{each.times}"
    marks = "^" * each.root_cause + "!" * (each.cleared is not None and each.cleared == legend.marked)
    return quote_word(each.element.removeprefix(legend.prefix)) + onset + times + marks


def _legend(line: str) -> Legend:
    legend = read_legend(line)
    if legend is None:
        raise CellwrightError.of(UNREADABLE, "not a whole digest: its second line is not a legend")
    return legend


def _read_types(lines: Sequence[str], legend: Legend) -> tuple[tuple[TypeFacts, ...], str | None]:
    """Return the alarm types, and which is the probable root; lines of one name are one type."""
    types: dict[str, TypeFacts] = {}
    root = None
    for line in lines:
        match = _TYPE.fullmatch(line)
        if match is None:
            raise CellwrightError.of(UNREADABLE, "not a whole digest: a line is not an alarm type with its elements")
        name, label = legend.type_prefix + _name(match[1].removesuffix(_ROOT)), match[2]
        root = name if match[1].endswith(_ROOT) else root
        known = types.get(name, TypeFacts(name, read_severity(label) if label else legend.severity, ()))
        types[name] = replace(known, occurrences=(*known.occurrences, *_read_items(match[3], legend)))
    return tuple(types.values()), root


def _read_items(text: str, legend: Legend) -> Iterator[Occurrence]:
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise CellwrightError.of(UNREADABLE, "not a whole digest: an element is not written as the legend says")
        name, onset, times, root, mark = match.groups()
        yield Occurrence(
            element=legend.prefix + _name(name),
            first_us=read_seconds(onset) if onset else None,
            times=int(times) if times else legend.times,
            cleared=legend.marked if mark else legend.cleared,
            root_cause=bool(root),
        )
        position = match.end()


def _read_doubts(line: str) -> tuple[Doubt, ...]:
    """Return the doubts of the line below the legend, none where it is an alarm type."""
    if not line.startswith(_DOUBTFUL):
        return ()
    doubts = read_doubts(line.removeprefix(_DOUBTFUL))
    if not doubts:
        raise CellwrightError.of(UNREADABLE, "not a whole digest: what was doubtful is not written as doubts are")
    return doubts


def _read_start(text: str) -> int | None:
    try:
        return None if text == UNKNOWN else read_instant(text)
    except (ValueError, OverflowError):
        raise CellwrightError.of(UNREADABLE, "not a whole digest: its start is not an instant") from None


def _name(text: str) -> str:
    try:
        return unquote(text)
    except ValueError:
        raise CellwrightError.of(UNREADABLE, "not a whole digest: a quoted name does not read") from None
