"""The document that says which columns of a table of tickets hold what, and the tickets that such a table holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from cellwright.digest.advise_symptoms import Symptoms
from cellwright.digest.advise_tickets import Ticket
from cellwright.digest.alarms import SEVERITIES
from cellwright.errors import Diagnostic, Severity, UsageError, nearest
from cellwright.estate.documents.parts import Document, Part, Text
from cellwright.estate.refusals import path_text
from cellwright.estate.single import load_single

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cellwright.estate.yaml_nodes import Node

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_US: Final[dict[str, int]] = {"s": 1_000_000, "ms": 1_000, "us": 1}

Names = Annotated[tuple[Text, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class Columns(Part):
    """Where each part of a ticket stands: a column, or several that are read one after the other."""

    ticket: Text = Field(default="ticket", description="its identifier; of rows with the same one the last counts")
    opened: Text | None = Field(default="opened", description="when it was opened")
    closed: Text | None = Field(default="closed", description="when it was closed")
    text: Names = Field(default=("text",), description="free text about the trouble")
    resolution: Names = Field(default=("resolution",), description="free text about what was done")
    resolution_code: Text | None = Field(default="resolution_code", description="a code of what was done")
    alarm_types: Names = Field(default=("alarm_types",), description="alarm types, in the order of their onset")
    error_codes: Names = Field(default=("error_codes",), description="error codes, categories, symptoms")
    elements: Names = Field(default=("elements",), description="names of network elements")
    severity: Text | None = Field(default="severity", description="a severity or priority")
    incident: Text | None = Field(default="incident", description="the incident of the lake that it is about")


class Spec(Part):
    """How the table is read; a table whose columns are called as the defaults needs no mapping."""

    columns: Columns = Columns()
    times: Text = Field(
        default="iso", description="iso, s, ms or us since 1970, or a format such as %d/%m/%Y %H:%M; UTC"
    )
    separator: Annotated[Text, Field(min_length=1)] = Field(default=";", description="between values in one field")
    blank: tuple[Text, ...] = Field(default=(), description="texts that stand for nothing, such as N/A")
    resolutions: dict[str, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(
        default={}, description="codes by phrases: a resolution without a code whose text has one gets that code"
    )


class TicketMapping(Document):
    """A document of kind TicketMapping."""

    kind: Literal["TicketMapping"] = Field(description="TicketMapping")
    spec: Spec = Field(description="the columns, and how their values are written")


class Found(NamedTuple):
    """The tickets of a table, and warnings about what could not be read in it."""

    tickets: tuple[Ticket, ...]
    problems: tuple[Diagnostic, ...]


def load_ticket_mapping(text: str, file: str) -> TicketMapping:
    """Return the mapping that a YAML text holds; raise UsageError with all problems, each marked in `file`."""
    return load_single(TicketMapping, "not-a-ticket-mapping", text, file, _inconsistencies)


def fit(spec: Spec, header: Sequence[str], file: str) -> Spec:
    """Return the spec without the columns that it does not name itself and the table does not have.

    Raises UsageError where the table lacks a column that is named, or all that say what was wrong, or what was done.
    """
    columns = spec.columns
    absent = {
        name: () if isinstance(field.default, tuple) else None
        for name, field in Columns.model_fields.items()
        if name not in columns.model_fields_set and name not in header and name != "ticket"
    }
    fitted = columns.model_copy(update=absent)
    missing = [name for name in _used(fitted) if name not in header]
    if missing:
        raise UsageError(*(_missing(name, header, file) for name in missing))
    for given, code, message, expected in (
        ((*fitted.resolution, fitted.resolution_code), "no-resolutions", "done", "resolution or resolution_code"),
        ((*fitted.text, *fitted.alarm_types, *fitted.error_codes), "no-symptoms", "wrong", "text or alarm_types"),
    ):
        if not any(given):
            raise UsageError.of(
                code,
                f"{file} has no column that says what was {message}",
                expected=f"a column called {expected}, or a mapping that says what it is called",
                hint="give --mapping FILE",
            )
    return spec.model_copy(update={"columns": fitted})


def _used(columns: Columns) -> tuple[str, ...]:
    values = (getattr(columns, name) for name in Columns.model_fields)
    named = (name for value in values for name in (value if isinstance(value, tuple) else (value,)) if name)
    return tuple(dict.fromkeys(named))


def columns_used(spec: Spec) -> tuple[str, ...]:
    """Return the names of all columns that a fitted spec reads."""
    return _used(spec.columns)


def time_columns(spec: Spec) -> frozenset[str]:
    """Return the names of the columns that hold times."""
    return frozenset(filter(None, (spec.columns.opened, spec.columns.closed)))


def tickets_of(columns: Mapping[str, Sequence[str]], spec: Spec) -> Found:
    """Return the tickets of a table, given as texts by column; a row without an identifier is left out and counted."""
    reader = _Reader(columns, spec)
    tickets: dict[str, Ticket] = {}
    for row in range(len(columns[spec.columns.ticket])):
        ticket = reader.ticket(row)
        tickets.pop(ticket.name, None)
        tickets[ticket.name] = ticket
    tickets.pop("", None)
    return Found(tuple(tickets.values()), tuple(reader.problems()))


class _Reader:
    """Reads rows; counts what does not read."""

    def __init__(self, columns: Mapping[str, Sequence[str]], spec: Spec) -> None:
        self._columns = columns
        self._spec = spec
        self._blank = frozenset(spec.blank)
        self._read_time = _time_reader(spec.times)
        self._unnamed = self._untimed = 0
        self._phrases = [
            (code, tuple(phrase.casefold() for phrase in phrases)) for code, phrases in spec.resolutions.items()
        ]

    def ticket(self, row: int) -> Ticket:
        """Return the ticket of a row; its name is empty where the row gives none."""
        columns = self._spec.columns
        name = self._one(columns.ticket, row)
        self._unnamed += not name
        resolution = " ".join(self._texts(columns.resolution, row))
        return Ticket(
            name=name,
            opened_us=self._time(columns.opened, row),
            closed_us=self._time(columns.closed, row),
            symptoms=Symptoms(
                text=" ".join(self._texts(columns.text, row)),
                alarm_types=self._several(columns.alarm_types, row),
                error_codes=self._several(columns.error_codes, row),
                elements=self._several(columns.elements, row),
                severity=_severity(self._one(columns.severity, row)),
            ),
            resolution=resolution,
            code=self._one(columns.resolution_code, row) or self._code(resolution),
            incident=self._one(columns.incident, row),
        )

    def problems(self) -> Iterator[Diagnostic]:
        """Yield a warning for each kind of thing that did not read."""
        if self._unnamed:
            yield _warning("ticket-without-name", f"{self._unnamed} rows have no identifier and were left out")
        if self._untimed:
            yield _warning(
                "unreadable-time",
                f"{self._untimed} times were not read: their tickets count as untimed",
                f"times as spec.times says: {self._spec.times}",
            )

    def _one(self, column: str | None, row: int) -> str:
        value = self._columns[column][row].strip() if column else ""
        return "" if value in self._blank else value

    def _texts(self, columns: Sequence[str], row: int) -> list[str]:
        return [value for column in columns if (value := self._one(column, row))]

    def _several(self, columns: Sequence[str], row: int) -> tuple[str, ...]:
        values = (part.strip() for text in self._texts(columns, row) for part in text.split(self._spec.separator))
        return tuple(dict.fromkeys(filter(None, values)))

    def _time(self, column: str | None, row: int) -> int | None:
        text = self._one(column, row)
        if not text:
            return None
        try:
            return self._read_time(text)
        except (ValueError, OverflowError):
            self._untimed += 1
            return None

    def _code(self, resolution: str) -> str:
        written = resolution.casefold()
        return next((code for code, phrases in self._phrases if any(phrase in written for phrase in phrases)), "")


def _severity(text: str) -> str | None:
    """Return a severity in capitals, one of X.733 where the text holds its name as in `1 - Critical`."""
    found = next((each for each in SEVERITIES if each in text.upper()), text.upper())
    return found or None


def _time_reader(times: str) -> Callable[[str], int]:
    if times in _UNIT_US:
        return lambda text: round(float(text) * _UNIT_US[times])
    if times == "iso":
        return lambda text: _us(datetime.fromisoformat(text))
    return lambda text: _us(datetime.strptime(text, times))  # noqa: DTZ007 - an offset is read where there is one, else UTC


def _us(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _inconsistencies(document: TicketMapping, node: Node) -> Iterator[Diagnostic]:
    times = document.spec.times
    if times not in {"iso", *_UNIT_US} and not re.search(r"%[A-Za-z]", times):
        at = ("spec", "times")
        expected = "iso, s, ms, us, or a format such as '%d/%m/%Y %H:%M'"
        yield Diagnostic("invalid-ticket-mapping", f"{path_text(at)} is {times!r}", node.key_mark(at), expected)


def _missing(name: str, header: Sequence[str], file: str) -> Diagnostic:
    hint = nearest(name, header) or "a mapping says what the columns are called: --mapping FILE"
    return Diagnostic("no-such-column", f"{file} has no column {name!r}", None, f"one of {', '.join(header)}", hint)


def _warning(code: str, message: str, expected: str | None = None) -> Diagnostic:
    return Diagnostic(code, message, None, expected, severity=Severity.WARNING)
