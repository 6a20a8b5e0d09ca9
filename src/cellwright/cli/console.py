"""The terminal: tables and results on standard output, progress and problems on standard error."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.errors import Diagnostic
    from cellwright.wiring.progress import Advance

_PIPE_WIDTH: Final = 160  # columns when nobody's terminal says otherwise
_BETWEEN: Final = 2  # columns of a table
_LEAST_WIDTH: Final = 12  # of a column that is wrapped; below, the names of incidents would break
_PART: Final = re.compile(r"[^\s,;/=]*(?:[,;/=]+\s*|\s+)|[^\s,;/=]+$")
_NAME: Final = re.compile(r"[^-_.:]*[-_.:]+|[^-_.:]+$")


class Finish(Exception):  # noqa: N818 - not an error: the way a command ends with a code of its own
    """Ends a command with an exit code other than 0 after its result was printed."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


def _console(stream: Any) -> Console:  # noqa: ANN401 - any text stream
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def say(text: str = "") -> None:
    """Print a line of result."""
    _console(sys.stdout).print(Text(printable(text)), soft_wrap=True)


def say_json(value: object) -> None:
    """Print a result as JSON with a stable key order as given."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def say_json_line(value: object) -> None:
    """Print one of many results as a line of JSON, at once."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a remark on standard error."""
    _console(sys.stderr).print(Text(printable(text)), soft_wrap=True)


def tell(diagnostics: Iterable[Diagnostic]) -> None:
    """Print problems on standard error, one a line."""
    for diagnostic in diagnostics:
        note(str(diagnostic))


def diagnostic_json(item: Diagnostic) -> dict[str, object]:
    """Return a diagnostic as JSON values."""
    place = {"file": item.mark.file, "line": item.mark.line, "column": item.mark.column} if item.mark else None
    return {
        "severity": item.severity.value,
        "code": item.code,
        "message": item.message,
        "place": place,
        "expected": item.expected,
        "hint": item.hint,
        "cause": item.cause,
    }


def heading(text: str) -> None:
    """Print the title of a step."""
    _console(sys.stdout).print(Text(f"\n{printable(text)}", style="bold"))


def printable(text: str) -> str:
    """Return a text with blanks for what a terminal would obey rather than print: names come from outside."""
    return (
        text if text.isprintable() else "".join(each if each.isprintable() or each in "\n\t" else " " for each in text)
    )


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table without boxes below its title; columns named in `right` are aligned right.

    Where it is wider than the screen, the widest columns are wrapped: at blanks and behind the signs that names have;
    where that does not do, each row is a block of lines.
    """
    if title:
        say(title)
    screen, lines = _console(sys.stdout), [[printable(cell) for cell in row] for row in rows]
    grid = Table(box=None, pad_edge=False, header_style="bold")
    widths = _narrowed([max(map(len, column)) for column in zip(columns, *lines, strict=True)], screen.width)
    if sum(widths) + _BETWEEN * (len(widths) - 1) > screen.width:
        _blocks(columns, lines)
        return
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in lines:
        grid.add_row(*(Text(wrapped(cell, width)) for cell, width in zip(row, widths, strict=True)))
    screen.print(grid)


def screen_width() -> int:
    """Return how many characters a line of result may have."""
    return _console(sys.stdout).width


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of at most `width` characters.

    Broken at blanks and behind the signs between parts of names; what is longer at signs within names, or anywhere.
    """
    lines = [""]
    for piece in _pieces(text, width):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(text: str, width: int) -> Iterator[str]:
    """Yield the shortest pieces of a text that are left whole."""
    for part in _PART.findall(text):
        for name in _NAME.findall(part) if len(part.rstrip()) > width else (part,):
            yield from (name[start : start + width] for start in range(0, len(name), width))


def _narrowed(widths: list[int], screen: int) -> list[int]:
    """Return the widths of columns, the widest of them cut alike until they fit side by side."""
    room = screen - _BETWEEN * (len(widths) - 1)
    narrow = list(widths)
    while sum(narrow) > room and max(narrow) > _LEAST_WIDTH:
        narrow[narrow.index(max(narrow))] -= 1
    return narrow


def records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table where they fit side by side, else each as a block of lines, a column a line."""
    screen = _console(sys.stdout)
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= screen.width:
        table(None, columns, rows)
    else:
        _blocks(columns, rows)


def _blocks(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print each row as a block of lines, a column a line."""
    longest = max(map(len, columns))
    for row in rows:
        for name, cell in zip(columns, row, strict=True):
            say(f"{name:{longest}}  {cell}")
        say()


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Advance]:
    """Show a bar on standard error while a step runs; the Progress of wiring."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    screen = _console(sys.stderr)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def advance(done: float, total: float | None) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
