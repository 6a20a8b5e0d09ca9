"""Delimited text as rows of our columns: every bad cell is told with its line and the name of its column."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.errors import Mark, Severity, nearest
from cellwright.inventory.columns import MEASURES, TABLES, recognise
from cellwright.inventory.model import ELEMENT_LIMIT
from cellwright.inventory.names import plain
from cellwright.inventory.text import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

    from cellwright.inventory.columns import Column
    from cellwright.inventory.findings import Findings
    from cellwright.inventory.model import Options, Source

_DELIMITERS: Final = ",;\t|"
_TRUE: Final = frozenset(("true", "yes", "y", "1", "x", "on"))
_FALSE: Final = frozenset(("false", "no", "n", "0", "off", "-"))
_LABEL: Final = ("label.", "label:", "label_")
_CELL: Final = 60  # characters of a cell that a message repeats


@dataclass(slots=True)
class Row:
    """One row: texts by fact, read as values on demand; a problem leaves the fact unknown and is told."""

    table: str
    mark: Mark
    cells: dict[str, str]
    columns: dict[str, tuple[str, Column]]  # header and meaning by fact
    findings: Findings
    labels: dict[str, str] = field(default_factory=dict)

    def text(self, fact: str) -> str | None:
        """Return the text of a fact, None where it is empty or has no column."""
        return self.cells.get(fact) or None

    def required(self, fact: str) -> str | None:
        """Return the text of a fact that every row needs; None beside a problem."""
        value = self.text(fact)
        if value is None:
            self.bad(fact, "is empty", f"a value in every row of {self.table}")
        return value

    def quantity(self, fact: str) -> float | None:
        """Return a quantity in its canonical unit."""
        value = self.text(fact)
        if value is None:
            return None
        try:
            return MEASURES[fact].parse(value, self.columns[fact][1].unit)
        except ValueError as error:
            unit = MEASURES[fact].unit
            hint = f"or name the column {fact}_{unit.replace('/', '_').lower()}" if "unit" in str(error) else None
            self.bad(fact, f"is {_shown(value)}", str(error), hint)
            return None

    def whole(self, fact: str, least: int) -> int | None:
        """Return a whole number of at least `least`."""
        value = self.text(fact)
        if value is None:
            return None
        digits = value.removesuffix(".0").replace("\N{NO-BREAK SPACE}", "")
        number = int(digits) if digits.isdecimal() and len(digits) <= 9 else None  # noqa: PLR2004 - a billion machines
        if number is None or number < least:
            self.bad(fact, f"is {_shown(value)}", f"a whole number of {least} or more")
            return None
        return number

    def number(self, fact: str, low: float, high: float) -> float | None:
        """Return a number between two bounds; a decimal comma is understood in coordinates alone."""
        value = self.text(fact)
        if value is None:
            return None
        expected = f"a number from {low:g} to {high:g}"
        try:
            number = float(value.replace(",", ".") if fact in {"lat", "lon"} else value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            hint = "are latitude and longitude exchanged?" if fact == "lat" and abs(number) <= 180 else None  # noqa: PLR2004 - degrees
            self.bad(fact, f"is {_shown(value)}", expected, hint)
            return None
        return number

    def flag(self, fact: str) -> bool | None:
        """Return a truth value."""
        value = (self.text(fact) or "").casefold()
        if not value:
            return None
        if value not in _TRUE | _FALSE:
            self.bad(fact, f"is {_shown(value)}", "yes or no")
            return None
        return value in _TRUE

    def member(self, fact: str, kind: type[StrEnum]) -> str | None:
        """Return the name of a member of `kind`; hyphens and spaces count as underscores."""
        value = self.text(fact)
        if value is None:
            return None
        names = [member.value for member in kind]
        wanted = value.strip().casefold()
        found = next((name for name in names if wanted in {name, name.replace("_", "-"), name.replace("_", " ")}), None)
        if found is None:
            self.bad(fact, f"is {_shown(value)}", f"one of {', '.join(names)}", nearest(wanted, names))
        return found

    def bad(self, fact: str, what: str, expected: str, hint: str | None = None) -> None:
        """Note a bad cell."""
        header = self.columns[fact][0] if fact in self.columns else fact
        self.findings.problem("bad-cell", f"column {header!r} {what}", self.mark, expected=expected, hint=hint)


def read_rows(  # noqa: C901 - one loop over the ways in which a table can be broken
    source: Source, required: tuple[str, ...], options: Options, findings: Findings
) -> Iterator[Row]:
    """Yield the rows of a table; `source.role` says which one. Problems of the table as a whole yield no row."""
    text = decode(source, options, findings)
    if text is None:
        return
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text), strict=True)
    table = source.role.value
    header: _Header | None = None
    before, count = 0, 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            mark = Mark(source.name, before + 1, 1)
            hint = "is a quotation mark never closed?"
            findings.problem("broken-table", f"this row cannot be read: {error}", mark, hint=hint)
            return
        if cells is None:
            break
        mark, before = Mark(source.name, before + 1, 1), reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = _header(cells, mark, table, options, findings)
            if not header.complete(required, mark, table, findings):
                return
            continue
        count += 1
        if count > ELEMENT_LIMIT:
            findings.problem("too-large", f"more than {ELEMENT_LIMIT:,} rows", mark, hint="import parts")
            return
        if len(cells) != header.width and any(cell.strip() for cell in cells[header.width :]):
            message = f"the row has {len(cells)} cells, the header {header.width}"
            findings.problem("ragged-row", message, mark, hint="a value with a comma in it needs quotation marks")
            continue
        yield header.row(cells, mark, table, findings)
    if header is None:
        findings.problem("empty-file", "the file is empty", Mark(source.name, 1, 1), expected="a header and rows")


@dataclass(slots=True)
class _Header:
    width: int
    facts: dict[str, tuple[str, Column]]
    at: dict[str, int]  # position by fact
    others: dict[str, int]  # positions of labels by label key

    def complete(self, required: tuple[str, ...], mark: Mark, table: str, findings: Findings) -> bool:
        """Return whether every required column is there."""
        missing = [fact for fact in required if fact not in self.facts]
        for fact in missing:
            findings.problem(
                "missing-column",
                f"the table of {table} has no column for {fact!r}",
                mark,
                expected=f"a column named {fact}",
                hint=f"say which one it is: --columns {fact}=HEADER",
            )
        return not missing

    def row(self, cells: list[str], mark: Mark, table: str, findings: Findings) -> Row:
        """Return one row."""
        padded = [*cells, *[""] * (self.width - len(cells))]
        facts = {fact: padded[index].strip() for fact, index in self.at.items()}
        labels = {key: padded[index].strip() for key, index in self.others.items() if padded[index].strip()}
        return Row(table, mark, facts, self.facts, findings, labels)


def _header(cells: list[str], mark: Mark, table: str, options: Options, findings: Findings) -> _Header:
    facts: dict[str, tuple[str, Column]] = {}
    at: dict[str, int] = {}
    labels: dict[str, int] = {}
    rules = {rule.attribute.casefold() for rule in options.tier_rules}
    for index, cell in enumerate(cells):
        header = cell.strip()
        column = recognise(table, header, options.columns)
        prefix = next((each for each in _LABEL if header.lower().startswith(each)), None)
        if prefix or (column is None and header.casefold() in rules):
            labels[header[len(prefix or "") :]] = index
        elif column is None:
            if header:
                hint = nearest(header.casefold(), TABLES[table])
                findings.skipped(f"columns of {table} that say nothing an estate holds", plain(header))
                _doubt(header, hint, mark, findings)
        elif column.fact in facts:
            message = f"columns {facts[column.fact][0]!r} and {header!r} are both {column.fact!r}"
            hint = f"say which one it is: --columns {column.fact}=HEADER"
            findings.problem("duplicate-column", message, mark, hint=hint)
        else:
            facts[column.fact] = (header, column)
            at[column.fact] = index
    return _Header(len(cells), facts, at, labels)


def _doubt(header: str, hint: str | None, mark: Mark, findings: Findings) -> None:
    if hint is not None:
        message = f"column {header!r} is not known and was left out"
        findings.problem("unknown-column", message, mark, hint=hint, severity=Severity.WARNING)


def _delimiter(text: str) -> str:
    """Return the delimiter that occurs most often in the header."""
    first = next(line for line in text.split("\n") if line.strip())
    return max(_DELIMITERS, key=lambda each: (first.count(each), -_DELIMITERS.index(each)))


def _shown(value: str) -> str:
    return repr(value if len(value) <= _CELL else f"{value[:_CELL]}...")
