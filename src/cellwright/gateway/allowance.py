"""Where workers share what tenants and keys may use: one database for all of them, SQLite or PostgreSQL.

A worker takes a slice of an allowance, uses it without asking again, and gives back what it did not need. All that
workers hold was taken before, so that together they never use more than there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sqlalchemy import BigInteger, Column, Float, MetaData, String, Table, case, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import StorageError
from cellwright.store import insert_or_update, open_store, remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

TABLES: Final = MetaData()
ALLOWANCES: Final = Table(
    "gateway_allowances",
    TABLES,
    Column("counter", String, primary_key=True),
    Column("used", BigInteger, nullable=False),
    Column("ends_s", Float, nullable=False),
)
SHARES: Final = Table(
    "gateway_shares",
    TABLES,
    Column("counter", String, primary_key=True),
    Column("worker", String, primary_key=True),
    Column("slots", BigInteger, nullable=False),
    Column("ends_s", Float, nullable=False),
)


class Take(NamedTuple):
    """A slice that a worker wants of an allowance."""

    counter: str
    size: int  # of the whole allowance
    wanted: int
    least: int  # nothing is taken where less is left
    ends_s: float  # since 1970; afterwards the counter may be forgotten


class Slice(NamedTuple):
    """What a worker got."""

    amount: int
    left: int  # for others


class Share(NamedTuple):
    """The requests in flight that a worker wants to be able to have."""

    counter: str
    worker: str
    size: int  # of all workers together
    wanted: int
    now_s: float
    ends_s: float  # when it lapses, should the worker be gone


class AllowanceStore(Protocol):
    """What holds allowances. Calls block; each changes all it changes at once. Raises StorageError."""

    def take(self, takes: Sequence[Take]) -> list[Slice]:
        """Return what was taken of each allowance."""
        ...

    def add(self, counter: str, amount: int, ends_s: float) -> None:
        """Count what was used beyond what was taken, or give back what was not used (negative), never below nothing."""
        ...

    def share(self, share: Share) -> int:
        """Set and return a worker's share: what it wants, as far as the others leave room for it.

        None lapses later than this one: a clock that was set back since would keep that of a worker that is gone.
        """
        ...

    def expire(self, now_s: float) -> None:
        """Forget what is of no interest any more."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class SqlAllowances:
    """Allowances in SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._engine = open_store(url, TABLES)

    def take(self, takes: Sequence[Take]) -> list[Slice]:
        """Return what was taken of each allowance."""
        found: dict[Take, Slice] = {}
        try:
            with self._engine.begin() as connection:
                for take in sorted(takes):  # all workers lock in one order
                    left = take.size - self._used(connection, take.counter, take.ends_s)
                    amount = min(take.wanted, left) if left >= take.least else 0
                    if amount:
                        self._change(connection, take.counter, amount)
                    found[take] = Slice(amount, left - amount)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        return [found[take] for take in takes]

    def add(self, counter: str, amount: int, ends_s: float) -> None:
        """Count what was used beyond what was taken, or give back what was not used."""
        try:
            with self._engine.begin() as connection:
                self._used(connection, counter, ends_s)
                self._change(connection, counter, amount)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def share(self, share: Share) -> int:
        """Set and return a worker's share."""
        try:
            with self._engine.begin() as connection:
                self._used(connection, share.counter, share.ends_s)  # holds back other workers
                too_long = (SHARES.c.counter == share.counter) & (SHARES.c.ends_s > share.ends_s)
                connection.execute(update(SHARES).where(too_long).values(ends_s=share.ends_s))
                others = select(func.coalesce(func.sum(SHARES.c.slots), 0)).where(
                    SHARES.c.counter == share.counter, SHARES.c.worker != share.worker, SHARES.c.ends_s > share.now_s
                )
                slots = max(0, min(share.wanted, share.size - int(connection.scalar(others) or 0)))
                values = {"counter": share.counter, "worker": share.worker, "slots": slots, "ends_s": share.ends_s}
                statement = insert_or_update(connection, SHARES).values(values)
                connection.execute(
                    statement.on_conflict_do_update(index_elements=list(SHARES.primary_key), set_=values)
                )
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        return slots

    def expire(self, now_s: float) -> None:
        """Forget what is of no interest any more."""
        try:
            with self._engine.begin() as connection:
                for table in (ALLOWANCES, SHARES):
                    connection.execute(delete(table).where(table.c.ends_s <= now_s))
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _used(self, connection: Connection, counter: str, ends_s: float) -> int:
        """Return what was used of an allowance, and hold back others who ask until the transaction ends."""
        statement = insert_or_update(connection, ALLOWANCES).values(counter=counter, used=0, ends_s=ends_s)
        latest = case((ALLOWANCES.c.ends_s < ends_s, ends_s), else_=ALLOWANCES.c.ends_s)
        locked = statement.on_conflict_do_update(index_elements=[ALLOWANCES.c.counter], set_={"ends_s": latest})
        return int(connection.scalar(locked.returning(ALLOWANCES.c.used)) or 0)

    def _change(self, connection: Connection, counter: str, amount: int) -> None:
        used = ALLOWANCES.c.used + amount
        connection.execute(
            update(ALLOWANCES).where(ALLOWANCES.c.counter == counter).values(used=case((used < 0, 0), else_=used))
        )


def _unavailable(error: SQLAlchemyError) -> StorageError:
    cause = str(getattr(error, "orig", None) or type(error).__name__)
    words = "what tenants may use cannot be counted"
    return StorageError.of("allowances-unavailable", words, cause=cause, hint=remedy(error))
