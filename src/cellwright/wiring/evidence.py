"""What a lake holds beside its alarms about the elements and the time of incidents: broken counters and log lines."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cellwright.digest.beside import AROUND_US, Beside, beside, element_of, scope_of
from cellwright.digest.counters import breaks, by_score
from cellwright.digest.logs import lines_of
from cellwright.digest.salience_fit import Company

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.digest.beside import Scope
    from cellwright.digest.counters import Break
    from cellwright.digest.logs import LogLines
    from cellwright.digest.salience import LearnedSalience
    from cellwright.digest.storms import Incident
    from cellwright.digest.tokens import TokenCounter
    from cellwright.lake.folder import Lake
    from cellwright.lake.tenant_rows import TenantRows

_PAST_US: Final = 7 * 86_400 * 1_000_000  # of counters, that says what is usual
_COUNTERS: Final = (
    *("tenant", "ne_dn", "obj_ldn", "counter", "subcounter", "gran_s"),
    *("begin_ts", "suspect", "value_i64", "value_f64"),
)
_LOGS: Final = ("ts", "severity_number", "body", "app", "host", "file_id", "ordinal")
_ROWS: Final = 100_000  # of logs, at a time
_TS: Final = pa.timestamp("us", tz="UTC")


class Evidence:
    """Counters and logs of the elements of some incidents, read once from a lake."""

    def __init__(self, lake: Lake | TenantRows, incidents: Iterable[Incident]) -> None:
        scopes = [scope_of(incident) for incident in incidents]
        starts = [scope.start_us for scope in scopes if scope.start_us is not None]
        ends = [scope.end_us for scope in scopes if scope.end_us is not None]
        elements = frozenset().union(*(scope.elements for scope in scopes))
        span = (min(starts, default=0), max(ends, default=0))
        self._none = lines_of(pa.schema([(name, pa.string()) for name in _LOGS]).empty_table())
        self._breaks: dict[str, list[Break]] = {}
        for found in breaks(_counters(lake, elements, span)) if starts else ():
            self._breaks.setdefault(element_of(found.element), []).append(found)
        self._logs = _logs(lake, elements, span) if starts else None
        self._instants = np.array([], np.int64) if self._logs is None else self._logs["ts"].cast(pa.int64()).to_numpy()

    def beside(
        self, incident: Incident, *, room: int, count: TokenCounter, salience: LearnedSalience | None = None
    ) -> Beside:
        """Return what goes behind the digest of an incident, in the tokens that it leaves."""
        company = self.company(incident)
        room = max(0, room if count.exact else int(0.9 * room))
        return beside(company.breaks, company.lines, room=room, count=count, salience=salience)

    def company(self, incident: Incident) -> Company:
        """Return all that is of the elements and the time of an incident."""
        scope = scope_of(incident)
        near = [found for element in scope.elements for found in self._breaks.get(element, ())]
        return Company(scope, sorted(filter(scope.holds_break, near), key=by_score), self._lines(scope))

    def breaks(self) -> Iterator[Break]:
        """Yield the breaks of all elements at all times."""
        return chain.from_iterable(self._breaks.values())

    def lines(self) -> Iterator[tuple[str, LogLines]]:
        """Yield the log lines of all times by element, some of one element at a time."""
        if self._logs is None:
            return
        for host in sorted(pc.unique(self._logs["host"]).drop_null().to_pylist()):
            rows = self._logs.filter(pc.field("host") == host)
            for start in range(0, rows.num_rows, _ROWS):
                yield host, lines_of(rows.slice(start, _ROWS))

    def _lines(self, scope: Scope) -> LogLines:
        span = scope.log_span_us()
        first, last = (0, 0) if span is None else np.searchsorted(self._instants, (span[0], span[1] + 1)).tolist()
        if self._logs is None or first == last:
            return self._none
        return lines_of(self._logs.slice(first, last - first).filter(_is_any(pc.field("host"), scope.elements)))


def _counters(lake: Lake | TenantRows, elements: frozenset[str], span: tuple[int, int]) -> pa.Table:
    def near(rows: pa.Table) -> pa.Table:
        names = pc.unique(rows["ne_dn"]).drop_null().to_pylist()
        return rows.filter(_is_any(pc.field("ne_dn"), [name for name in names if element_of(name) in elements]))

    return lake.read("pm_counters", _COUNTERS, _between("begin_ts", span[0] - _PAST_US, span[1]), near)


def _logs(lake: Lake | TenantRows, elements: frozenset[str], span: tuple[int, int]) -> pa.Table:
    """Return the log lines of hosts that are named as elements, by time."""
    where = _between("ts", span[0] - AROUND_US, span[1] + AROUND_US) & _is_any(pc.field("host"), elements)
    return lake.read("logs", _LOGS, where).sort_by([(name, "ascending") for name in ("ts", "file_id", "ordinal")])


def _between(column: str, first_us: int, last_us: int) -> pc.Expression:
    first, last = (pa.scalar(instant, pa.int64()).cast(_TS) for instant in (first_us, last_us))
    return (pc.field(column) >= first) & (pc.field(column) <= last)


def _is_any(field: pc.Expression, values: Sequence[str] | frozenset[str]) -> pc.Expression:
    return field.isin(pa.array(sorted(values), pa.string()))
