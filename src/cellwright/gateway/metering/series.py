"""What the meter's rows add up to: counters and histograms by tenant, model, route, tier, backend and operation.

Amounts are integers, so that sums over workers, batches and restarts are exact: durations in microseconds, costs in
nano units of their currency. A series is one bucket of a histogram, its sum, or a counter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, select

from cellwright.store import Insertion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Engine

    from cellwright.gateway.metering.row import MeterRow

SUM: Final = -1  # the bucket that holds the sum of a histogram, and the amount of a counter
LABELS: Final = ("tenant", "model", "route", "tier", "backend", "operation")
REST: Final = "_other"  # the tenant of what is beyond MOST_LABELS; no name of a tenant begins like that
MOST_LABELS: Final = 2_000  # sets of labels that one worker tells apart
_US_PER_MS: Final = 1000.0


class Measure(NamedTuple):
    """Something that is summed up; `bounds` are the inclusive upper ends of its buckets, none for a counter."""

    name: str
    bounds: tuple[int, ...] = ()


def _microseconds(*seconds: float) -> tuple[int, ...]:
    return tuple(round(bound * 1e6) for bound in seconds)


# Buckets: OpenTelemetry semantic conventions for generative AI metrics; those of the overhead are ours.
_OPERATION: Final = tuple(10_000 * 2**power for power in range(14))
_FIRST: Final = _microseconds(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_NEXT: Final = _microseconds(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_OWN: Final = _microseconds(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)

REQUESTS: Final = Measure("requests")  # detail: the HTTP status
TOKENS: Final = Measure("tokens", tuple(4**power for power in range(14)))  # detail: input or output
CACHED: Final = Measure("tokens-cached")
SAVED: Final = Measure("tokens-saved")  # by the edge filter, where it saved any: a counter never falls
ESTIMATED: Final = Measure("estimated")  # requests, and attempts in vain, whose tokens were counted here
COST: Final = Measure("cost")  # detail: the currency
UNPRICED: Final = Measure("unpriced")  # the same, whose cost is unknown
DURATION: Final = Measure("duration", _OPERATION)  # as the client sees it; detail: the error, empty for none
UPSTREAM: Final = Measure("upstream", _OPERATION)  # waiting for backends; detail as above
OVERHEAD: Final = Measure("overhead", _OWN)
FIRST_TOKEN: Final = Measure("first-token", _FIRST)  # of streams
PER_TOKEN: Final = Measure("per-token", _NEXT)  # after the first one, of streams that are whole
MEASURES: Final = (
    REQUESTS, TOKENS, CACHED, SAVED, ESTIMATED, COST, UNPRICED, DURATION, UPSTREAM, OVERHEAD, FIRST_TOKEN, PER_TOKEN,
)  # fmt: skip

TABLES: Final = MetaData()
SERIES: Final = Table(
    "gateway_series",
    TABLES,
    Column("measure", String, primary_key=True),
    *(Column(name, String, primary_key=True) for name in LABELS),  # empty where a request got none
    Column("detail", String, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
)

Labels = tuple[str, str, str, str, str, str]
Increments = dict[Labels, defaultdict[tuple[str, str, int], int]]  # by measure, detail and bucket


@dataclass(frozen=True, slots=True)
class Series:
    """A counter or histogram of one set of labels; `counts` holds one more bucket than the measure has bounds."""

    measure: Measure
    labels: Labels
    detail: str
    total: int
    counts: tuple[int, ...]


class Summing:
    """Turns rows into increments, with a bound on the sets of labels that it tells apart."""

    def __init__(self, most_labels: int = MOST_LABELS) -> None:
        self._known: set[Labels] = set()
        self._most = most_labels

    def increments(self, rows: Iterable[MeterRow]) -> Increments:
        """Return what the rows add to each series."""
        sums: Increments = {}
        for row in rows:
            labels = self._labels(row)
            found = sums.get(labels)
            if found is None:
                found = sums[labels] = defaultdict(int)
            for (name, bounds), detail, amount in _amounts(row):
                found[name, detail, SUM] += amount
                if bounds:
                    found[name, detail, bisect_left(bounds, amount)] += 1
        return sums

    def _labels(self, row: MeterRow) -> Labels:
        rest = (row.model, row.route or "", row.tier or "", row.backend or "", row.operation)
        labels = (row.tenant, *rest)
        if labels not in self._known:
            if len(self._known) >= self._most:
                return (REST, *rest)
            self._known.add(labels)
        return labels


def _amounts(row: MeterRow) -> list[tuple[Measure, str, int]]:
    """Return what one row adds, as measure, detail and amount; an attempt in vain adds what it spent."""
    found = _observed(row) if row.part_of is None else []
    if row.tokens_in or row.tokens_out:
        found += ((TOKENS, "input", row.tokens_in), (TOKENS, "output", row.tokens_out))
    if row.tokens_cached:
        found.append((CACHED, "", row.tokens_cached))
    if row.tokens_saved > 0:
        found.append((SAVED, "", row.tokens_saved))
    if row.estimated:
        found.append((ESTIMATED, "", 1))
    if row.cost_in_nano is None or row.cost_out_nano is None:
        found.append((UNPRICED, "", 1))
    elif row.currency:
        found.append((COST, row.currency, row.cost_in_nano + row.cost_out_nano))
    return found


def _observed(row: MeterRow) -> list[tuple[Measure, str, int]]:
    """Return what the row of a whole request adds."""
    error = row.error or ""
    found = [(REQUESTS, str(row.status), 1), (DURATION, error, round(row.duration_ms * _US_PER_MS))]
    if row.upstream_ms is not None:
        found.append((UPSTREAM, error, round(row.upstream_ms * _US_PER_MS)))
    if row.overhead_ms is not None:
        found.append((OVERHEAD, "", round(row.overhead_ms * _US_PER_MS)))
    if row.ttft_ms is not None:
        found.append((FIRST_TOKEN, "", round(row.ttft_ms * _US_PER_MS)))
    if row.per_token_ms is not None and not error:
        found.append((PER_TOKEN, "", round(row.per_token_ms * _US_PER_MS)))
    return found


def adding(engine: Engine) -> Insertion:
    """Return what adds rows of increments to the stored series of SQLite or PostgreSQL."""
    return Insertion(
        engine,
        SERIES,
        lambda insert: insert.on_conflict_do_update(
            index_elements=list(SERIES.primary_key), set_={"amount": SERIES.c.amount + insert.excluded.amount}
        ),
    )


def ordered(increments: Increments) -> list[tuple[Any, ...]]:
    """Return increments as rows in the order that all workers lock them in: none waits for another in a circle."""
    found = (
        (measure, *labels, detail, bucket, amount)
        for labels, amounts in increments.items()
        for (measure, detail, bucket), amount in amounts.items()
    )
    return sorted(found)


def read(connection: Connection, tenant: str | None = None) -> tuple[Series, ...]:
    """Return all series in a fixed order, or those of one tenant."""
    query = select(SERIES) if tenant is None else select(SERIES).where(SERIES.c.tenant == tenant)
    found: dict[tuple[str, Labels, str], dict[int, int]] = {}
    for measure, *labels, detail, bucket, amount in connection.execute(query):
        found.setdefault((measure, tuple(labels), detail), {})[bucket] = amount
    return tuple(
        _series(measure, labels, detail, found[measure.name, labels, detail])
        for measure in MEASURES
        for name, labels, detail in sorted(found)
        if name == measure.name
    )


def _series(measure: Measure, labels: Labels, detail: str, buckets: Mapping[int, int]) -> Series:
    counts = tuple(buckets.get(index, 0) for index in range(len(measure.bounds) + 1)) if measure.bounds else ()
    return Series(measure, labels, detail, buckets.get(SUM, 0), counts)
