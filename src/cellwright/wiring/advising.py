"""From a lake and a table of past tickets to advice; tickets are pseudonymised before anything looks at them."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Final, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from cellwright.digest.advise import Adviser
from cellwright.digest.advise_judge import judge
from cellwright.digest.advise_links import Sighting, link
from cellwright.digest.advise_mapping import (
    Spec,
    columns_used,
    fit,
    load_ticket_mapping,
    tickets_of,
    time_columns,
)
from cellwright.digest.advise_symptoms import symptoms_of, together
from cellwright.digest.fold import fold
from cellwright.digest.ledger import content_hash
from cellwright.digest.notation import incident_name
from cellwright.digest.tokens import token_counter
from cellwright.errors import Diagnostic, StorageError, UsageError, nearest
from cellwright.lake.address import Address
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.files import read_text, storage_errors
from cellwright.wiring.incidents import learn
from cellwright.wiring.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cellwright.digest.advise import Advice
    from cellwright.digest.advise_judge import Report
    from cellwright.digest.advise_symptoms import Symptoms
    from cellwright.digest.advise_tickets import Ticket
    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.storms import Incident
    from cellwright.wiring.progress import Progress
    from cellwright.wiring.settings import Settings

_DELIMITERS: Final = ",;\t|"

Table = dict[str, list[str]]
"""The texts of a table by column; empty where nothing is given."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is advised on: an incident, with what its open tickets add, or an open ticket of no known incident."""

    name: str
    kind: Literal["incident", "ticket"]
    start_us: int | None
    symptoms: Symptoms
    is_open: bool
    tickets: tuple[str, ...] = ()  # open ones of the incident


@dataclass(frozen=True, slots=True)
class History:
    """Tickets, linked with the incidents of the lake, and what could not be read in them."""

    tickets: tuple[Ticket, ...]
    sightings: tuple[Sighting, ...]
    problems: tuple[Diagnostic, ...]


def read_history(  # noqa: PLR0913 - what advice is asked for with
    lake: Path | Address | None,
    tickets: Path,
    mapping: Path | None,
    settings: Settings,
    progress: Progress,
    *,
    topology: Topology | None = None,
) -> History:
    """Return the tickets of a file and the incidents of a lake; raise StorageError and UsageError for what is wrong."""
    spec = load_ticket_mapping(read_text(mapping), str(mapping)).spec if mapping else Spec()
    table = read_table(tickets)
    fitted = fit(spec, tuple(table), str(tickets))
    folder = lake.cache if isinstance(lake, Address) else lake
    found = tickets_of(_pseudonymised(table, fitted, settings, [folder] if folder else []), fitted)
    sightings = () if lake is None else _sightings(lake, topology, progress)
    return History(link(found.tickets, sightings), sightings, found.problems)


def advise_all(history: History, only: str | None, progress: Progress) -> tuple[tuple[Subject, Advice], ...]:
    """Return advice on every open incident and open ticket, the newest first, or on the one called `only`.

    Raises UsageError where there is none of that name.
    """
    subjects = _subjects(history, only)
    adviser = Adviser(history.tickets)
    advised = []
    with progress("advise") as advance:
        for subject in subjects:
            advised.append(
                (subject, adviser.advise(subject.symptoms, subject.name if subject.kind == "incident" else ""))
            )
            advance(len(advised), len(subjects))
    return tuple(advised)


def judge_history(history: History, progress: Progress) -> Report | str:
    """Return how good advice is on held-out tickets, or why that cannot be said."""
    with progress("judge") as advance:
        return judge(history.tickets, progress=advance)


def read_table(path: Path) -> Table:
    """Return the columns of a Parquet file, of JSON objects (in lines, or in a list), or of a delimited table.

    Raises StorageError with the line of what cannot be read.
    """
    with storage_errors("read", path), path.open("rb") as stream:
        head = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:4]
        if head == b"PAR1":
            return _parquet(path)
    text = read_text(path)
    table = _objects(path, text) if head[:1] in {b"{", b"["} else _delimited(path, text)
    if not table:
        raise StorageError.of("no-tickets", f"{path} holds no table", expected="CSV with a header, NDJSON or Parquet")
    return table


def _parquet(path: Path) -> Table:
    try:
        table = pq.read_table(path, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise StorageError.of(
            "damaged-table", f"{path} is no readable Parquet file", cause=type(error).__name__
        ) from error
    return {
        name: [_text(value) for value in column.to_pylist()]
        for name, column in zip(table.schema.names, table.columns, strict=True)
    }


def _objects(path: Path, text: str) -> Table:
    """Return the members of objects as columns; a list's values are put in one text."""
    try:
        whole = orjson.loads(text) if text.lstrip().startswith("[") else None
    except orjson.JSONDecodeError as error:
        raise _unreadable(path, error.lineno, "a list of JSON objects") from None
    if isinstance(whole, list):
        records = list(enumerate(whole, start=1))
    else:
        records = [
            (number, _loaded(path, number, line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()
        ]
    rows = []
    for number, record in records:
        if not isinstance(record, dict):
            raise _unreadable(path, number, "a JSON object")
        rows.append({str(name): _text(value) for name, value in record.items()})
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, "") for row in rows] for name in names}


def _loaded(path: Path, number: int, line: str) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise _unreadable(path, number, "a JSON object") from None


def _delimited(path: Path, text: str) -> Table:
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    columns: dict[str, list[str]] = defaultdict(list)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len({*header}) < len(header):
            raise _unreadable(path, 1, "a header that names each column once")
        for row in reader:
            if row and len(row) != len(header):
                raise _unreadable(
                    path, reader.line_num, f"{len(header)} fields, as the header has; there are {len(row)}"
                )
            for name, value in zip(header, row, strict=bool(row)):
                columns[name].append(value)
    except csv.Error as error:
        raise _unreadable(path, reader.line_num, f"a record of RFC 4180 ({error})") from None
    return {name: columns[name] for name in header}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case datetime():
            return value.isoformat()
        case list():
            return ";".join(_text(each) for each in value)
        case dict():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)


def _unreadable(path: Path, line: int, expected: str) -> StorageError:
    return StorageError.of("unreadable-tickets", f"{path}:{line}: a ticket cannot be read", expected=expected)


def _pseudonymised(table: Table, spec: Spec, settings: Settings, lakes: Sequence[Path]) -> Mapping[str, Sequence[str]]:
    """Return the columns that are read, without identifiers; times are none."""
    times = time_columns(spec)
    with Pseudonyms(settings, lakes) as pseudonyms:
        replacing = pseudonyms.now()
        return {
            name: table[name]
            if name in times
            else replacing.array(pa.array(table[name], pa.string()), name).to_pylist()
            for name in columns_used(spec)
        }


def _sightings(place: Path | Address, topology: Topology | None, progress: Progress) -> tuple[Sighting, ...]:
    with open_lake(place) as lake:
        alarms = lake.read("alarm_events")
    found: list[Sighting] = []
    done = 0
    _, joined = learn(alarms, topology, token_counter())
    with progress("incidents") as advance:
        for incident in joined:
            found.append(_sighting(incident))
            done += len(incident.alarms)
            advance(done, alarms.num_rows)
    return tuple(found)


def _sighting(incident: Incident) -> Sighting:
    name = incident_name(content_hash(incident.alarms))
    facts = fold(incident.alarms, name)
    instants = [alarm.ts for alarm in incident.alarms if alarm.ts is not None]
    return Sighting(
        incident=name,
        source=incident.source,
        symptoms=symptoms_of(incident.alarms),
        elements=facts.elements(),
        start_us=min(instants, default=None),
        end_us=max(instants, default=None),
        events=len(incident.alarms),
        is_open=any(each.cleared is False for kind in facts.types for each in kind.occurrences),
    )


def _subjects(history: History, only: str | None) -> list[Subject]:
    seen = {each.incident for each in history.sightings}
    told: dict[str, list[Ticket]] = defaultdict(list)
    for ticket in history.tickets:
        if not ticket.is_resolved and ticket.closed_us is None:
            told[ticket.incident if ticket.incident in seen else ticket.name].append(ticket)
    subjects = [_incident(each, told.pop(each.incident, [])) for each in history.sightings]
    subjects += [
        Subject(name, "ticket", ticket.opened_us, ticket.symptoms, is_open=True)
        for name, tickets in told.items()
        for ticket in tickets
    ]
    if only is None:
        return sorted((each for each in subjects if each.is_open), key=lambda each: (-(each.start_us or 0), each.name))
    named = [each for each in subjects if only in {each.name, *each.tickets}]
    if not named:
        names = [name for each in subjects for name in (each.name, *each.tickets)]
        raise UsageError.of("unknown-incident", f"there is no incident {only!r}", hint=nearest(only, names))
    return named


def _incident(sighting: Sighting, tickets: Sequence[Ticket]) -> Subject:
    """Return an incident with what its open tickets say of it."""
    return Subject(
        name=sighting.incident,
        kind="incident",
        start_us=sighting.start_us,
        symptoms=reduce(together, (each.symptoms for each in tickets), sighting.symptoms),
        is_open=sighting.is_open or bool(tickets),
        tickets=tuple(each.name for each in tickets),
    )
