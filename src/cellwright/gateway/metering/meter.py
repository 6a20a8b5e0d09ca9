"""The meter: one row for every request that held a valid key, written off the hot path, never lost on a clean stop.

What rows add up to is stored with them, in one transaction: sums and histograms hold across workers and restarts.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table, case, func, select
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import StorageError, UsageError
from cellwright.gateway.metering import series
from cellwright.gateway.metering.row import MeterRow
from cellwright.gateway.secret import secret
from cellwright.store import Insertion, open_store, remedy, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Engine, Row

    from cellwright.gateway.metering.series import Series
    from cellwright.gateway.model import GatewayConfig, ModelPrice
    from cellwright.gateway.wire import Usage

REQUESTS: Final = Table(
    "gateway_requests",
    series.TABLES,
    Column("request_id", String, primary_key=True),
    Column("started_us", BigInteger, nullable=False, index=True),  # since 1970, UTC
    Column("tenant", String, nullable=False),
    Column("key_name", String, nullable=False),
    Column("model", String, nullable=False),  # as configured, empty where the client asked for an unknown one
    Column("route", String),
    Column("data_class", String),
    Column("backend", String),
    Column("tier", String),
    Column("attempts", Integer, nullable=False),  # backends that were asked
    Column("stream", Boolean, nullable=False),
    Column("status", Integer, nullable=False),  # HTTP; 499 where the client hung up
    Column("error", String),  # code, null where the answer is whole
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("tokens_cached", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("cost_in_nano", BigInteger),  # null: unknown
    Column("cost_out_nano", BigInteger),
    Column("currency", String),
    Column("price_source", String),
    Column("ttft_ms", Float),  # of streams
    Column("duration_ms", Float, nullable=False),
    Column("part_of", String),  # the request whose attempt this was, one that spent tokens in vain; null: a request
    Column("operation", String, nullable=False, server_default="chat"),
    Column("upstream_ms", Float),
    Column("overhead_ms", Float),
    Column("gaps", Integer, nullable=False, server_default="0"),
    Column("gap_ms", Float),
    Column("longest_gap_ms", Float),
    Column("tokens_saved", BigInteger, nullable=False, server_default="0"),
)
GROUPS: Final = (
    "tenant", "key_name", "model", "route", "data_class", "backend", "tier", "operation", "status", "error",
)  # fmt: skip

_BATCH: Final = 500
_RETRY_S: Final = 1.0
_MOST_WAITING: Final = 100_000  # rows, of about a kilobyte each, that are held while the database cannot be written
_LINGER_S: Final = 0.05
_MILLION: Final = 1_000_000
_log: Final = logging.getLogger("cellwright.gateway")


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over the rows of one group. Costs are None where one is unknown or currencies are mixed."""

    key: tuple[str | int | None, ...]
    requests: int
    failed: int
    estimated: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_saved: int
    cost_in_nano: int | None
    cost_out_nano: int | None
    currency: str | None


def meter_url(config: GatewayConfig, environ: Mapping[str, str]) -> str:
    """Return the URL of the database a configuration meters to; raise UsageError where it names none."""
    if config.meter_url_env is not None:
        return secret(config.meter_url_env, environ, "meter-not-set", "the URL of the meter's database")
    if config.meter_file is None:
        raise UsageError.of("meter-not-set", "nothing says where requests are metered", expected="a file, or a URL")
    return sqlite_url(config.meter_file)


def charge(usage: Usage, price: ModelPrice | None) -> tuple[int | None, int | None]:
    """Return the cost of tokens in and out in nano units, each rounded once half to even; None without a price."""
    if price is None:
        return None, None
    fresh = usage.tokens_in - usage.tokens_cached
    cost_in = fresh * price.input_nano + usage.tokens_cached * price.cached_nano
    return _per_million(cost_in), _per_million(usage.tokens_out * price.output_nano)


def _per_million(amount: int) -> int:
    whole, rest = divmod(amount, _MILLION)
    twice = 2 * rest
    return whole + (twice > _MILLION or (twice == _MILLION and whole % 2 == 1))


class Meter:
    """Keeps rows in a database through one writing thread; `with` closes it and raises when a row could not be kept."""

    def __init__(self, url: str, most_waiting: int = _MOST_WAITING) -> None:
        self.url = url
        self._most_waiting = most_waiting
        self._engine: Engine = open_store(url, series.TABLES)
        self._insertion = Insertion(self._engine, REQUESTS)
        self._adding = series.adding(self._engine)
        self._summing = series.Summing()
        self._rows: queue.SimpleQueue[MeterRow | threading.Event | None] = queue.SimpleQueue()
        self._pending: list[MeterRow] = []
        self._failure: str | None = None
        self._hurry = threading.Event()  # somebody waits for the rows to be written
        self._writer = threading.Thread(target=self._write, name="gateway-meter", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def healthy(self) -> bool:
        """Whether the last batch could be written."""
        return self._failure is None

    @property
    def is_full(self) -> bool:
        """Whether so many rows wait for a database that cannot be written that no more are to come."""
        return self._failure is not None and len(self._pending) + self._rows.qsize() >= self._most_waiting

    def record(self, row: MeterRow) -> None:
        """Keep a row; returns before it is written."""
        self._rows.put(row)

    def flush(self) -> None:
        """Return when every row recorded before was written or has failed to be."""
        reached = threading.Event()
        self._rows.put(reached)
        self._hurry.set()
        reached.wait()

    def close(self) -> None:
        """Write what is left and close the database; raise StorageError when rows could not be kept."""
        if self._writer.is_alive():
            self._rows.put(None)
            self._hurry.set()
            self._writer.join()
        self._engine.dispose()
        lost, self._pending = len(self._pending), []
        if lost:
            raise StorageError.of(
                "meter-rows-lost", f"{lost} metered requests could not be stored", cause=self._failure
            )

    def rows(self) -> Iterator[MeterRow]:
        """Yield all rows in the order of their start."""
        self.flush()
        with _reading(), self._engine.connect() as connection:
            for row in connection.execute(select(REQUESTS).order_by(REQUESTS.c.started_us, REQUESTS.c.request_id)):
                yield MeterRow(**row._asdict())

    def totals(self, *by: str) -> tuple[Total, ...]:
        """Return the sums of all rows by the columns `by` (of GROUPS), in their order; one total without any."""
        self.flush()
        columns = [REQUESTS.c[name] for name in by if name in GROUPS]
        if len(columns) != len(by):
            msg = f"rows are grouped by {', '.join(GROUPS)}"
            raise ValueError(msg)
        query = select(*columns, *_SUMS).group_by(*columns).order_by(*columns)
        with _reading(), self._engine.connect() as connection:
            return tuple(_total(row, len(by)) for row in connection.execute(query))

    def series(self, tenant: str | None = None) -> tuple[Series, ...]:
        """Return what the rows of all workers add up to, or those of one tenant."""
        self.flush()
        with _reading(), self._engine.connect() as connection:
            return series.read(connection, tenant)

    def _write(self) -> None:
        """Run the writing thread until it is told None."""
        running = True
        while running:
            running, reached = self._take()
            self._failure = self._insert() if self._pending else self._failure
            for event in reached:
                event.set()

    def _take(self) -> tuple[bool, list[threading.Event]]:
        """Move what waits to the pending rows; return whether to go on, and who waits for it to be written."""
        reached: list[threading.Event] = []
        with contextlib.suppress(queue.Empty):
            item = self._rows.get(timeout=_RETRY_S if self._pending else None)
            self._hurry.wait(_LINGER_S)  # a transaction costs ten times a row: let some gather
            self._hurry.clear()
            while item is not None:
                self._pending.append(item) if isinstance(item, MeterRow) else reached.append(item)
                if reached or (self.healthy and len(self._pending) >= _BATCH):
                    return True, reached  # else all that waits: who is behind it shall not wait for as many attempts
                item = self._rows.get_nowait()
            return False, reached
        return True, reached

    def _insert(self) -> str | None:
        """Store the pending rows; return why not where that fails, and keep those for another attempt."""
        try:
            while self._pending:
                self._insert_batch(self._pending[:_BATCH])
                del self._pending[:_BATCH]
        except (SQLAlchemyError, OverflowError, ValueError) as error:  # the latter two: a value that no column holds
            if self.healthy:
                what = remedy(error) if isinstance(error, SQLAlchemyError) else "a value fits no column"
                _log.error("metered requests cannot be stored: %s; %s", type(error).__name__, what)
            return str(getattr(error, "orig", None) or type(error).__name__)
        if not self.healthy:
            _log.warning("metered requests are stored again")
        return None

    def _insert_batch(self, rows: list[MeterRow]) -> None:
        with self._engine.begin() as connection:
            if not self.healthy:  # the attempt that failed may have been committed all the same
                ids = [row.request_id for row in rows]
                known = set(connection.scalars(select(REQUESTS.c.request_id).where(REQUESTS.c.request_id.in_(ids))))
                rows = _apart(row for row in rows if row.request_id not in known)
            if rows:
                self._insertion.execute(connection, rows)
                self._adding.execute(connection, series.ordered(self._summing.increments(rows)))


def _apart(rows: Iterable[MeterRow]) -> list[MeterRow]:
    """Return rows of which no two have one id: those that are there twice by some mistake are kept under another."""
    found: dict[str, MeterRow] = {}
    for row in rows:
        name, number = row.request_id, 1
        while name in found:
            number += 1
            name = f"{row.request_id}~{number}"
        found[name] = row._replace(request_id=name)
    return list(found.values())


def _sum(name: str) -> Any:  # noqa: ANN401 - an SQL expression of a type SQLAlchemy keeps to itself
    return func.coalesce(func.sum(REQUESTS.c[name]), 0)


def _count(condition: Any) -> Any:  # noqa: ANN401 - as above
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_SUMS: Final = (
    _count(REQUESTS.c.part_of.is_(None)).label("requests"),
    _count(REQUESTS.c.error.is_not(None) & REQUESTS.c.part_of.is_(None)).label("failed"),
    _count(REQUESTS.c.estimated).label("estimated"),
    *(_sum(name).label(name) for name in ("tokens_in", "tokens_out", "tokens_cached", "tokens_saved")),
    *(_sum(name).label(name) for name in ("cost_in_nano", "cost_out_nano")),
    _count(REQUESTS.c.cost_in_nano.is_(None) | REQUESTS.c.cost_out_nano.is_(None)).label("unpriced"),
    func.count(REQUESTS.c.currency.distinct()).label("currencies"),
    func.max(REQUESTS.c.currency).label("currency"),
)


def _total(row: Row[Any], width: int) -> Total:
    sums = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    known = not sums["unpriced"] and sums["currencies"] <= 1
    return Total(
        key=tuple(row[:width]),
        requests=int(sums["requests"]),
        failed=int(sums["failed"]),
        estimated=int(sums["estimated"]),
        tokens_in=int(sums["tokens_in"]),
        tokens_out=int(sums["tokens_out"]),
        tokens_cached=int(sums["tokens_cached"]),
        tokens_saved=int(sums["tokens_saved"]),
        cost_in_nano=int(sums["cost_in_nano"]) if known else None,
        cost_out_nano=int(sums["cost_out_nano"]) if known else None,
        currency=sums["currency"] if known else None,
    )


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StorageError.of(
            "meter-unreadable",
            "the metered requests cannot be read",
            cause=str(getattr(error, "orig", error)),
            hint=remedy(error),
        ) from error
