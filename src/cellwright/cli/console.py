"""The terminal: tables and results on standard output, progress and problems on standard error."""

from __future__ import annotations

import contextlib
import os
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
    _console(sys.stdout).print(Text(text), soft_wrap=True)


def say_json(value: object) -> None:
    """Print a result as JSON with a stable key order as given."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def say_json_line(value: object) -> None:
    """Print one of many results as a line of JSON, at once."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a remark on standard error."""
    _console(sys.stderr).print(Text(text), soft_wrap=True)


def tell(diagnostics: Iterable[Diagnostic]) -> None:
    """Print problems on standard error, one a line."""
    for diagnostic in diagnostics:
        note(str(diagnostic))


def heading(text: str) -> None:
    """Print the title of a step."""
    _console(sys.stdout).print(Text(f"\n{text}", style="bold"))


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table without boxes below its title; columns named in `right` are aligned right."""
    if title:
        say(title)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    _console(sys.stdout).print(grid)


def records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table where they fit side by side, else each as a block of lines, a column a line."""
    screen = _console(sys.stdout)
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    if sum(widths) + 2 * len(widths) <= screen.width:
        table(None, columns, rows)
        return
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
