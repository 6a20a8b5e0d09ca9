"""How good each source's telemetry is over time: what is missing, twice, late, reset, silent, or cannot be true.

Each check counts what is wrong among what there is, by source and hour or day; a score is 100 times the product of the
shares that are right. Times are those of the events; the lake's newest event stands for now, so that the same lake has
the same scores.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cellwright.telemetry.quality_checks import CHECKS, EVENTS, PERIODIC, PERIODS, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cellwright.lake.folder import Lake


class Span(StrEnum):
    """What a score is of."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Issue:
    """What one check found wrong in one span of one source: so many of so many."""

    source: str
    start: datetime  # of the span
    check: str  # kebab-case
    wrong: int
    of: int

    @property
    def share(self) -> float:
        """Return the share that is wrong, 0 to 1."""
        return min(1.0, self.wrong / self.of) if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """How good a source was in one span, 0 to 100, and what it lacked."""

    source: str
    start: datetime
    rows: int
    score: float
    issues: tuple[Issue, ...]


def scores(lake: Lake, span: Span = Span.DAY) -> tuple[Score, ...]:
    """Return the score of every source in every span that it has rows in or lacks, by source and time."""
    found: dict[tuple[str, datetime], list[Issue]] = defaultdict(list)
    for issue in issues(lake, span):
        found[issue.source, issue.start].append(issue)
    rows = {(source, start): count for source, start, count in _asked(lake, ROWS, span)}
    return tuple(
        Score(source, start, rows.get((source, start), 0), _score(found[source, start]), tuple(found[source, start]))
        for source, start in sorted({*rows, *found})
    )


def issues(lake: Lake, span: Span) -> Iterator[Issue]:
    """Yield what each check finds wrong, in the order of the checks."""
    for sql in CHECKS.values():
        for source, start, check, wrong, of in sorted(_asked(lake, sql, span)):
            if wrong:
                yield Issue(source, start, check, int(wrong), int(of))


def _score(found: Iterable[Issue]) -> float:
    right = 1.0
    for issue in found:
        right *= 1 - issue.share
    return round(100 * right, 1)


def _asked(lake: Lake, sql: str, span: Span) -> list[tuple]:  # type: ignore[type-arg] # rows as the query shapes them
    unit, events = span.value, EVENTS.format(periodic=PERIODIC)
    start = f"date_trunc('{unit}', ts)"
    found = lake.query(sql.format(events=events, periodic=PERIODIC, periods=PERIODS, span=start, unit=unit))
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))
