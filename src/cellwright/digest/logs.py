"""Log lines as columns: from rows of the lake's `logs`, or from the text of a log file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import pyarrow as pa

from cellwright.digest.ledger import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    _Row: TypeAlias = tuple[int | None, int | None, str | None, str | None, str, int]
    _Line: TypeAlias = tuple[str, int | None, "Level", Reference]


class Level(IntEnum):
    """How grave its writer calls a line."""

    NONE = 0  # says nothing, or informs
    WARNING = 1
    ERROR = 2
    FATAL = 3


# The first severity number of each, OpenTelemetry logs data model; below are trace, debug and information.
_NUMBERS: Final = ((21, Level.FATAL), (17, Level.ERROR), (13, Level.WARNING))
_COLUMNS: Final = ("ts", "severity_number", "body", "app", "file_id", "ordinal")

_CONTROL: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]"
)
_BREAK: Final = re.compile(r"\r\n|[\n\r]")
# When a line was written, as the head of lines says it: date and time, time alone, seconds since the start in brackets.
_CLOCK: Final = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?(?:Z|UTC|GMT|[AP]M|[+-]\d\d:?\d\d))?"
_DATE: Final = (
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:\d{4}[-/.]\d\d[-/.]\d\d|\d\d[-/.]\d\d(?:[-/.]\d{2,4})?"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2}(?: \d{4})?|\d{1,2}[-/ ][A-Z][a-z]{2}[-/ ]\d{2,4})"
)
_STAMP: Final = re.compile(
    rf"(?:<\d{{1,3}}>(?:\d{{1,9}}: )?)?[\[(]?(?:{_DATE}[T :]?)?{_CLOCK}(?: \d{{4}})?[\])]?[:,|]?(?: - | +|$)"
    rf"|\[ *\d+\.\d+\] "
)


@dataclass(frozen=True, slots=True)
class LogLines:
    """Lines that say something, in the order of time; all columns are of one length.

    Texts have no stamp, no control characters and no blanks around them.
    """

    texts: tuple[str, ...]
    instants: tuple[int | None, ...]  # microseconds since 1970 UTC
    levels: tuple[Level, ...]  # as given beside the text, not read from it
    references: tuple[Reference, ...]

    def __len__(self) -> int:
        return len(self.texts)


def lines_of(table: pa.Table) -> LogLines:
    """Return the rows of a `logs` table by time, untimed ones last; a body of several lines is as many.

    The name of the application goes before a body that does not begin with it.
    """
    rows = zip(*(_values(table, name) for name in _COLUMNS), strict=True)
    ordered = sorted(cast("Iterable[_Row]", rows), key=lambda row: (row[0] is None, row[0] or 0, row[4], row[5]))
    lines: list[_Line] = []
    for ts, number, body, app, file_id, ordinal in ordered:
        said = f"{app}: {body}" if app and body and not body.startswith(app) else body
        lines += [(text, ts, _level(number), Reference(file_id, ordinal)) for text in _texts(said, is_stamped=True)]
    return _columns(lines)


def read_lines(text: str, file_id: str = "") -> LogLines:
    """Return the lines of a log file; ordinals count its lines from 0, blank ones too.

    Stamps are left out where most lines have one; elsewhere they are part of what a line says.
    """
    bodies = text.split("\n")
    is_stamped = sum(bool(_STAMP.match(_plain(body))) for body in bodies) * 2 > sum(map(bool, bodies))
    lines: list[_Line] = []
    for ordinal, body in enumerate(bodies):
        texts = _texts(body, is_stamped=is_stamped)
        lines += [(said, None, Level.NONE, Reference(file_id, ordinal)) for said in texts]
    return _columns(lines)


def _columns(lines: list[_Line]) -> LogLines:
    texts, instants, levels, references = zip(*lines, strict=True) if lines else ((), (), (), ())
    return LogLines(texts, instants, levels, references)


def _texts(body: str | None, *, is_stamped: bool) -> Iterator[str]:
    """Yield the lines of a body that say something, bare of control characters, and of stamps where they have one."""
    for line in _BREAK.split(body or ""):
        text = _plain(line)
        stamp = _STAMP.match(text) if is_stamped else None
        text = text[stamp.end() :].strip() if stamp else text
        if text:
            yield text


def _plain(line: str) -> str:
    return _CONTROL.sub("", line).strip()


def _level(number: int | None) -> Level:
    return next((level for least, level in _NUMBERS if number is not None and number >= least), Level.NONE)


def _values(table: pa.Table, name: str) -> list[object]:
    column = table[name].cast(pa.int64()) if name == "ts" else table[name]
    return cast("list[object]", column.to_pylist())
