"""What is told of records: digests of their alarms, logs and counters within a token budget, and the books. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.compose import MIN_BUDGET_TOKENS, digest_incident
from cellwright.digest.counters import breaks
from cellwright.digest.counters_text import richest_counters
from cellwright.digest.fold import fold
from cellwright.digest.logs import lines_of
from cellwright.digest.logs_compose import digest_log
from cellwright.digest.rank import rank
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.digest.storms import incidents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from cellwright.digest.storms import Incident
    from cellwright.digest.tokens import TokenCounter
    from cellwright.telemetry.reading import Records

_BOOKS_TOKENS: Final = 60  # held back for what is said of the rest
_ALARMS_SHARE: Final = 2 / 3  # of the budget, where there are other records too
_NOUNS: Final = {
    "alarm_events": "alarms",
    "logs": "log records",
    "pm_counters": "counter values",
    "telemetry": "telemetry values",
    "flows": "flows",
}
COUNTS: Final = {"alarm_events": "alarms", "logs": "logs", "pm_counters": "counters"}


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The books of one digest that was told: its name and the hash that `cellwright digest open` takes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Told:
    """What stands in place of records: text of at most the budget, what it was made of, and the books."""

    text: str
    tokens: int
    counts: Mapping[str, int]  # of what was read, by kind
    left_out: int  # records no digest speaks of
    unread: int
    digests: tuple[Ledgers, ...]
    raw_tokens: int = 0  # of an incident's events as one VES batch


@dataclass(frozen=True, slots=True)
class _Section:
    text: str
    tokens: int
    told: int  # records it speaks of
    books: Ledgers | None


def tell(records: Records, *, budget: int, count: TokenCounter) -> Told:
    """Return the digest of records: each incident, log and series of counters that the budget holds.

    The text has at most `budget` tokens, 260 or more. Alarms come first, incidents by time; where there are more than
    the budget holds, the largest. Probable roots are ranked by what the records teach of their own alarm types.
    """
    room = budget - _BOOKS_TOKENS
    alone = set(records.tables) == {"alarm_events"}
    sections = list(_alarms(records.tables.get("alarm_events"), room if alone else int(room * _ALARMS_SHARE), count))
    room -= sum(each.tokens for each in sections)
    if section := _log(records.tables.get("logs"), room, count):
        sections.append(section)
        room -= section.tokens
    if section := _counters(records.tables.get("pm_counters"), room, count):
        sections.append(section)
    rows = {table: records.rows(table) for table in records.tables}
    left_out = sum(rows.values()) - sum(each.told for each in sections)
    texts = [*(each.text for each in sections), *_rest(rows, left_out, records)]
    text = "\n\n".join(texts)
    return Told(
        text=text,
        tokens=count.count(text),
        counts={COUNTS.get(table, table): number for table, number in rows.items()},
        left_out=left_out,
        unread=records.unread,
        digests=tuple(each.books for each in sections if each.books),
    )


def tell_incident(incident: Incident, *, budget: int, count: TokenCounter, root: str) -> Told:
    """Return the digest of one incident, of at most `budget` tokens; `root` is the alarm type that is its likeliest."""
    section = _incident(incident, budget - _BOOKS_TOKENS, count, root)
    events = len(incident.alarms)
    books = () if section.books is None else (section.books,)
    return Told(section.text, section.tokens, {"alarms": events}, events - section.told, 0, books, incident.ves_tokens)


def _alarms(table: pa.Table | None, budget: int, count: TokenCounter) -> Iterator[_Section]:
    """Yield the sections of incidents by time; the smaller ones are written first, and leave what they do not need."""
    if table is None or budget < MIN_BUDGET_TOKENS:
        return
    found = list(incidents(table, count))
    past = learn_precedence(each.alarms for each in found)
    by_size = sorted(range(len(found)), key=lambda place: (-len(found[place].alarms), place))
    chosen = by_size[: budget // MIN_BUDGET_TOKENS]
    written: dict[int, _Section] = {}
    room = budget
    for waiting, place in zip(range(len(chosen), 0, -1), reversed(chosen), strict=True):
        root = rank(fold(found[place].alarms, ""), past)[0].alarm_type
        written[place] = section = _incident(found[place], room // waiting, count, root)
        room -= section.tokens
    yield from (written[place] for place in sorted(written))


def _incident(incident: Incident, budget: int, count: TokenCounter, root: str) -> _Section:
    """Return the section of an incident; where its protected facts pass the budget, the parts that fit."""
    digest = digest_incident(incident, budget=max(budget, MIN_BUDGET_TOKENS), count=count, root=root)
    text = _within(digest.parts, budget, count)
    told = len(incident.alarms) if text == digest.text else 0
    return _Section(text, count.count(text), told, Ledgers(digest.incident, digest.ledger.sha256))


def _log(table: pa.Table | None, budget: int, count: TokenCounter) -> _Section | None:
    if table is None or budget < MIN_BUDGET_TOKENS:
        return None
    lines = lines_of(table)
    if not len(lines):
        return None
    digest = digest_log(lines, budget=budget, count=count)
    text = _within(digest.parts, budget, count)
    told = table.num_rows if text == digest.text else 0
    return _Section(text, count.count(text), told, Ledgers(digest.facts.name, digest.ledger.sha256))


def _counters(table: pa.Table | None, budget: int, count: TokenCounter) -> _Section | None:
    """Return the section of counters that broke, None where none did: of the others the rest says how many."""
    if table is None or budget < MIN_BUDGET_TOKENS:
        return None
    text = richest_counters(breaks(table), budget=budget, count=count)
    return _Section(text, count.count(text), table.num_rows, None) if text else None


def _within(parts: Sequence[str], budget: int, count: TokenCounter) -> str:
    """Return as many parts as the budget holds, the first in any case."""
    held = parts[0]
    for part in parts[1:]:
        longer = f"{held}\n{part}"
        if count.count(longer) > budget:
            break
        held = longer
    return held


def _rest(rows: Mapping[str, int], left_out: int, records: Records) -> Iterator[str]:
    """Yield what is said of records that no section speaks of."""
    read = ", ".join(f"{number} {_NOUNS.get(table, table)}" for table, number in sorted(rows.items()))
    pieces = [
        f"{number} {what}" for number, what in ((left_out, "untold here"), (records.unread, "unreadable")) if number
    ]
    if pieces or not rows:
        yield f"(of {records.facts} records filtered at the edge: {read or 'none with a digest'}; {'; '.join(pieces)})"
