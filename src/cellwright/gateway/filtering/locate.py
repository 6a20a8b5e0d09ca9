"""Where raw records stand in a text: a cheap look at every text, a thorough one where that finds something. Pure.

Known are VES events and 3GPP notifications in JSON, syslog records, tables whose header a mapping declares, and tables
whose header speaks of alarms. Text that only talks about them holds none.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

INCIDENT: Final = "cellwright:incident/"

# Keys as JSON has them, also within a string of JSON, where quotes are escaped.
_KEY: Final = re.compile(r'commonEventHeader\\*"\s{0,99}:|notificationType\\*"\s{0,99}:\s{0,99}\\*"notify[A-Z]')
_MONTHS: Final = ("Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec ")
_STAMP: Final = rf"(?:{'|'.join(month.strip() for month in _MONTHS)}) [ 0-3]?\d \d\d:\d\d:\d\d \S"
# RFC 5424 clause 6 (priority, version, timestamp), RFC 3164 clause 4.1 (timestamp, with or without a priority).
_SYSLOG: Final = re.compile(rf"^[ \t]*(<\d{{1,3}}>(?:1 [-\dT:.Z+]+ \S+ |{_STAMP})|{_STAMP})[^\n]*", re.MULTILINE)
_PRIORITY: Final = re.compile(r"<\d{1,3}>")
_CLOCK: Final = re.compile(r":\d\d:\d\d ")
_WORDS: Final = ("everity", "larm", "robable", "EVERITY", "LARM", "ROBABLE")
_CELL: Final = re.compile(
    r"[\s\"']*\w*(?:alarm|severity|probable[ _]?cause|specific[ _]?problem|fault)\w*[\s\"']*", re.IGNORECASE
)
_CELL_ENDS: Final = re.compile(  # all written out: a set of characters would make the search three times as long
    r"(?:alarm|Alarm|ALARM|severity|Severity|SEVERITY|cause|Cause|CAUSE)\w{0,40}[ \t\"']{0,9}[,;\t|]"
)
_DELIMITERS: Final = ",;\t|"
_LEAST_CELLS: Final = 3
_LEAST_NAMED: Final = 2  # cells of a header that speak of alarms
_LOOKED_AT: Final = 64  # lines in which a word of alarms stands
_OPENING: Final = re.compile(r"[\[{]")
_BETWEEN: Final = re.compile(r"[\s,]*")
_FENCE: Final = re.compile(r"^[ \t]*(?:```|~~~)|^[ \t]*$", re.MULTILINE)
_CODE: Final = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_DECODER: Final = json.JSONDecoder(strict=False)
_EFFORT: Final = 8  # times its length that a text may be read until what is left counts as broken
_LEAST_EFFORT: Final = 1 << 20
_TRIES: Final = 100  # of brackets in prose before the first record


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of raw records, text[start:end]; `whole` is False where it is broken from some place on."""

    start: int
    end: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Locator:
    """Finds raw records.

    `starts` are beginnings of the header lines of tables that mappings declare, `keys` members of lines of JSON tables.
    """

    starts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def suspects(self, text: str) -> bool:
        """Return whether a text may hold raw records or name an incident: a few microseconds for what people write."""
        if INCIDENT in text:
            return True
        if ("commonEventHeader" in text or "notificationType" in text) and _KEY.search(text):
            return True
        for start in self.starts:
            if start in text:
                return True
        if "{" in text:
            for key in self.keys:
                if key in text:
                    return True
        return _may_be_syslog(text) or _may_be_table(text)

    def stretches(self, text: str) -> list[Stretch]:
        """Return the runs of records in a text, in their order; none overlap."""
        found = [*self._documents(text), *_syslog(text), *self._tables(text)]
        kept: list[Stretch] = []
        for each in sorted(found, key=lambda stretch: (stretch.start, -stretch.end)):
            if not kept or each.start >= kept[-1].end:
                kept.append(each)
        return kept

    def _documents(self, text: str) -> Iterator[Stretch]:
        """Yield JSON documents of records, those that follow each other as one."""
        said = self._said(text)
        start = end = place = 0
        effort, tries = max(_LEAST_EFFORT, _EFFORT * len(text)), _TRIES
        while said and place <= said[-1] and (opening := _OPENING.search(text, place)) is not None:
            at = opening.start()
            if at > said[-1]:
                break
            after, good = _document(text, at)
            effort, tries = effort - (after - at), tries - (not good)
            is_spent = effort <= 0 or tries <= 0
            if not (bisect_left(said, at) < bisect_left(said, after) or is_spent):
                place = after if good else at + 1
                continue
            if end and _BETWEEN.fullmatch(text, end, at) is None:
                yield Stretch(start, end)
                end = 0
            start = start if end else at
            if good and not is_spent:
                end = place = after
                continue
            place = _fence(text, max(after, said[-1]) if is_spent else after)
            yield Stretch(start, place, whole=False)
            end = 0
        if end:
            yield Stretch(start, end)

    def _said(self, text: str) -> list[int]:
        """Return where keys of records stand, in order."""
        found = [each.start() for each in _KEY.finditer(text)]
        for key in self.keys:
            place = text.find(key)
            while place >= 0:
                found.append(place)
                place = text.find(key, place + 1)
        return sorted(found)

    def _tables(self, text: str) -> Iterator[Stretch]:
        """Yield tables from their header to the blank line, fence or end behind them."""
        for start in self.starts:
            place = text.find(start)
            while place >= 0:
                begin = text.rfind("\n", 0, place) + 1
                end = _end_of_block(text, place)
                if not text[begin:place].strip(' \t"\ufeff'):
                    yield Stretch(begin, end)
                place = text.find(start, end)
        yield from _alarm_tables(text)


def _may_be_syslog(text: str) -> bool:
    if _PRIORITY.search(text) is None:
        if _CLOCK.search(text) is None:
            return False
        for month in _MONTHS:
            if month in text:
                break
        else:
            return False
    return _SYSLOG.search(text) is not None


def _syslog(text: str) -> Iterator[Stretch]:
    """Yield runs of syslog lines; blank lines belong to the run they stand in."""
    start = end = -1
    for line in _SYSLOG.finditer(text) if _may_be_syslog(text) else ():
        at = line.start(1)
        if start >= 0 and text[end:at].strip():
            yield Stretch(start, end)
            start = -1
        start, end = (at if start < 0 else start), line.end()
    if start >= 0:
        yield Stretch(start, end)


def _may_be_table(text: str) -> bool:
    if "\n" not in text:
        return False
    for word in _WORDS:
        if word in text:
            return next(_alarm_tables(text), None) is not None
    return False


def _alarm_tables(text: str) -> Iterator[Stretch]:
    """Yield tables whose header has two cells or more that speak of alarms, with as many cells in the line below."""
    place = 0
    for _ in range(_LOOKED_AT):
        word = _CELL_ENDS.search(text, place)
        end = text.find("\n", word.end() - 1) if word else -1
        if word is None or end < 0:
            return
        begin = text.rfind("\n", 0, word.start()) + 1
        header = text[begin:end]
        delimiter = max(_DELIMITERS, key=header.count)
        if _has_row(text, end + 1, header.count(delimiter), delimiter) and _is_header(header, delimiter):
            end = _end_of_block(text, end)
            yield Stretch(begin, end)
        place = end


def _is_header(header: str, delimiter: str) -> bool:
    cells = header.split(delimiter)
    return len(cells) >= _LEAST_CELLS and sum(_CELL.fullmatch(cell) is not None for cell in cells) >= _LEAST_NAMED


def _has_row(text: str, start: int, delimiters: int, delimiter: str) -> bool:
    """Return whether the line below has at least as many cells as the header."""
    if delimiters < _LEAST_CELLS - 1:
        return False
    end = text.find("\n", start)
    return text.count(delimiter, start, end if end >= 0 else len(text)) >= delimiters


def _end_of_block(text: str, place: int) -> int:
    """Return where the blank line, fence or end of the text behind a place is."""
    line = text.find("\n", place)
    if line < 0:
        return len(text)
    fence = _FENCE.search(text, line + 1)
    return fence.start() if fence else len(text)


def _fence(text: str, place: int) -> int:
    """Return where the code fence or end of the text behind a place is."""
    fence = _CODE.search(text, place)
    return fence.start() if fence else len(text)


def _document(text: str, start: int) -> tuple[int, bool]:
    """Return how far the JSON document at a place goes, and whether it is whole."""
    try:
        return _DECODER.raw_decode(text, start)[1], True
    except json.JSONDecodeError as error:
        return max(error.pos, start + 1), False
    except RecursionError:
        return len(text), False
