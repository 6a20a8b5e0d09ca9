"""Where files and batches are kept: SQLite or PostgreSQL, bounded for each tenant, shared by all workers."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import StorageError
from cellwright.store import open_store, remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from cellwright.gateway.model import AccessKey, BatchSettings
    from cellwright.gateway.wire import JsonObject

TABLES: Final = MetaData()
FILES: Final = Table(
    "gateway_files",
    TABLES,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("purpose", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
_ABOUT: Final = [FILES.c[name] for name in ("id", "purpose", "name", "created_s", "size")]
BATCHES: Final = Table(
    "gateway_batches",
    TABLES,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("key_name", String, nullable=False),
    Column("key_sha256", String, nullable=False),  # or the name in the certificate that stands for the key
    Column("endpoint", String, nullable=False),
    Column("data_class", String),
    Column("input_file_id", String, nullable=False),
    Column("metadata", String),  # JSON
    Column("status", String, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False),
    Column("began_s", BigInteger),
    Column("cancelling_s", BigInteger),
    Column("ended_s", BigInteger),
    Column("total", Integer, nullable=False),
    Column("output_file_id", String),
    Column("error_file_id", String),
)
REQUESTS: Final = Table(
    "gateway_batch_requests",
    TABLES,
    Column("batch_id", String, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("custom_id", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    # Under way: a worker that died holds it until then. Waiting: when it was put back, 0 where it was never tried.
    Column("lease_us", BigInteger, nullable=False),
    Column("status", Integer),
    Column("request_id", String),
    Column("answer", LargeBinary),
    Index("gateway_batch_requests_state", "state", "lease_us"),
)
FULL: Final = ("files-full", "queue-full")  # what a tenant keeps is bounded
PENDING, RUNNING, ANSWERED, FAILED = "pending", "running", "answered", "failed"
_OPEN: Final = ("in_progress", "cancelling")
_OK: Final = 200
_MOST_FILES: Final = 10_000  # of a tenant; files of no bytes take room too
_LOCK: Final = 0x62617463  # sets locks of tenants apart from those of others in the database
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file without its content."""

    id: str
    purpose: str
    name: str
    created_s: int
    size: int


@dataclass(frozen=True, slots=True)
class Task:
    """A request of a batch that a worker has taken on."""

    batch_id: str
    ordinal: int
    body: bytes
    endpoint: str
    tenant: str
    key_name: str
    key_known_by: str
    data_class: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A request of a batch as its file has it."""

    custom_id: str
    body: bytes


class BatchStore:
    """Files and batches of all tenants; every method but `close` takes part in one transaction and may block."""

    def __init__(self, url: str, settings: BatchSettings, clock_s: Callable[[], float] = time.time) -> None:
        self._engine = open_store(url, TABLES)
        self._settings = settings
        self._clock_s = clock_s
        self._lock = threading.Lock()  # SQLite has one writer; waiting here is cheaper than its retries

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def add_file(self, tenant: str, purpose: str, name: str, content: bytes) -> StoredFile:
        """Keep a file; raise StorageError (`files-full`) past what a tenant may keep."""
        with self._writing(tenant) as connection:
            self._forget_old(connection)
            return self._add_file(connection, tenant, purpose, name, content)

    def files(self, tenant: str) -> list[StoredFile]:
        """Return the files of a tenant, the newest first."""
        query = select(*_ABOUT).where(FILES.c.tenant == tenant).order_by(FILES.c.created_s.desc(), FILES.c.id)
        with self._reading() as connection:
            return [StoredFile(*row) for row in connection.execute(query)]

    def about(self, tenant: str, file_id: str) -> StoredFile | None:
        """Return a file without its content, None where the tenant has none of that name."""
        with self._reading() as connection:
            row = connection.execute(select(*_ABOUT).where(_is(FILES, file_id, tenant))).first()
        return None if row is None else StoredFile(*row)

    def file(self, tenant: str, file_id: str) -> tuple[StoredFile, bytes] | None:
        """Return a file with its content, None where the tenant has none of that name."""
        with self._reading() as connection:
            row = connection.execute(select(FILES).where(_is(FILES, file_id, tenant))).first()
        return (
            None if row is None else (StoredFile(row.id, row.purpose, row.name, row.created_s, row.size), row.content)
        )

    def remove_file(self, tenant: str, file_id: str) -> bool:
        """Delete a file; return whether there was one."""
        with self._writing() as connection:
            return bool(connection.execute(delete(FILES).where(_is(FILES, file_id, tenant))).rowcount)

    def add_batch(  # noqa: PLR0913 - what a batch is made of
        self,
        key: AccessKey,
        endpoint: str,
        file_id: str,
        lines: Sequence[Line],
        *,
        window_s: int,
        data_class: str | None,
        metadata: JsonObject | None,
    ) -> Row[Any]:
        """Queue the requests of a file; raise StorageError (`queue-full`) past what a tenant may have waiting."""
        now = int(self._clock_s())
        batch = {
            "id": f"batch_{secrets.token_hex(16)}",
            "tenant": key.tenant,
            "key_name": key.name,
            "key_sha256": key.known_by,
            "endpoint": endpoint,
            "data_class": data_class,
            "input_file_id": file_id,
            "metadata": None if metadata is None else orjson.dumps(metadata).decode(),
            "status": "in_progress",
            "created_s": now,
            "expires_s": now + window_s,
            "total": len(lines),
        }
        with self._writing(key.tenant) as connection:
            waiting = select(func.count()).select_from(REQUESTS.join(BATCHES, REQUESTS.c.batch_id == BATCHES.c.id))
            mine = waiting.where(BATCHES.c.tenant == key.tenant, REQUESTS.c.state.in_((PENDING, RUNNING)))
            if (already := connection.scalar(mine) or 0) + len(lines) > self._settings.pending:
                raise StorageError.of(
                    "queue-full",
                    f"{already} requests of the tenant wait already, and {self._settings.pending} are the most",
                    hint="wait until some are answered, or cancel a batch",
                )
            connection.execute(insert(BATCHES), batch)
            rows = [
                {"batch_id": batch["id"], "ordinal": ordinal, "custom_id": line.custom_id, "body": line.body,
                 "state": PENDING, "lease_us": 0}
                for ordinal, line in enumerate(lines)
            ]  # fmt: skip
            connection.execute(insert(REQUESTS), rows)
            return connection.execute(select(BATCHES).where(BATCHES.c.id == batch["id"])).one()

    def batch(self, tenant: str, batch_id: str) -> tuple[Row[Any], int, int] | None:
        """Return a batch and how many of its requests were answered and failed; None where the tenant has none such."""
        with self._reading() as connection:
            row = connection.execute(select(BATCHES).where(_is(BATCHES, batch_id, tenant))).first()
            return None if row is None else (row, *_counts(connection, batch_id))

    def batches(self, tenant: str, limit: int, after: str | None) -> list[tuple[Row[Any], int, int]] | None:
        """Return batches of a tenant, the newest first, from behind `after` on; None where it has none of that name."""
        query = select(BATCHES).where(BATCHES.c.tenant == tenant).order_by(BATCHES.c.created_s.desc(), BATCHES.c.id)
        with self._reading() as connection:
            if after is not None:
                last = connection.execute(select(BATCHES.c.created_s).where(_is(BATCHES, after, tenant))).first()
                if last is None:
                    return None
                same_second = and_(BATCHES.c.created_s == last.created_s, BATCHES.c.id > after)
                query = query.where(or_(BATCHES.c.created_s < last.created_s, same_second))
            rows = connection.execute(query.limit(limit)).all()
            return [(row, *_counts(connection, row.id)) for row in rows]

    def cancel(self, tenant: str, batch_id: str) -> None:
        """Let no further request of a batch begin."""
        with self._writing() as connection:
            is_open = and_(_is(BATCHES, batch_id, tenant), BATCHES.c.status == "in_progress")
            now = int(self._clock_s())
            if connection.execute(
                update(BATCHES).where(is_open).values(status="cancelling", cancelling_s=now)
            ).rowcount:
                self._give_up(connection, REQUESTS.c.batch_id == batch_id, "batch_cancelled", "the batch was cancelled")

    def take(self, most: int, lease_s: float) -> list[Task]:
        """Take on requests that wait, or that a worker took on and left.

        Those never tried go first, of the oldest batch; then those tried longest ago: none keeps others waiting.
        """
        now_us = int(self._clock_s() * _US_PER_S)
        free = or_(REQUESTS.c.state == PENDING, and_(REQUESTS.c.state == RUNNING, REQUESTS.c.lease_us < now_us))
        query = (
            select(REQUESTS.c.batch_id, REQUESTS.c.ordinal, REQUESTS.c.body, BATCHES)
            .join(BATCHES, REQUESTS.c.batch_id == BATCHES.c.id)
            .where(free, BATCHES.c.status == "in_progress")
            .order_by(REQUESTS.c.lease_us, BATCHES.c.created_s, REQUESTS.c.batch_id, REQUESTS.c.ordinal)
            .limit(most)
        )
        with self._writing() as connection:
            self._expire(connection)
            rows = connection.execute(query).all()
            return [_task(row) for row in rows if self._claim(connection, row, free, now_us + int(lease_s * _US_PER_S))]

    def _claim(self, connection: Connection, row: Row[Any], free: ColumnElement[bool], until_us: int) -> bool:
        """Return whether no other worker took a request on in between."""
        taken = update(REQUESTS).where(_of(row.batch_id, row.ordinal), free).values(state=RUNNING, lease_us=until_us)
        won = bool(connection.execute(taken).rowcount)
        if won:
            began = and_(BATCHES.c.id == row.batch_id, BATCHES.c.began_s.is_(None))
            connection.execute(update(BATCHES).where(began).values(began_s=int(self._clock_s())))
        return won

    def put_back(self, task: Task) -> None:
        """Let a request wait again, behind the others."""
        with self._writing() as connection:
            held = and_(_of(task.batch_id, task.ordinal), REQUESTS.c.state == RUNNING)
            now_us = int(self._clock_s() * _US_PER_S)
            connection.execute(update(REQUESTS).where(held).values(state=PENDING, lease_us=now_us))

    def settle(self, task: Task, status: int, request_id: str, answer: bytes) -> None:
        """Keep the answer to a request; an answer to one that was given up meanwhile is dropped."""
        state = ANSWERED if status == _OK else FAILED
        with self._writing() as connection:
            held = and_(_of(task.batch_id, task.ordinal), REQUESTS.c.state == RUNNING)
            values = {"state": state, "status": status, "request_id": request_id, "answer": answer}
            connection.execute(update(REQUESTS).where(held).values(**values))

    def finish(self) -> None:
        """Close the batches of which nothing waits or is under way any more: write their files."""
        with self._writing() as connection:
            self._expire(connection)
            under_way = select(REQUESTS.c.batch_id).where(REQUESTS.c.state.in_((PENDING, RUNNING)))
            done = select(BATCHES).where(BATCHES.c.status.in_(_OPEN), BATCHES.c.id.not_in(under_way))
            for row in connection.execute(done).all():
                self._close(connection, row)

    def _close(self, connection: Connection, row: Row[Any]) -> None:
        query = select(REQUESTS).where(REQUESTS.c.batch_id == row.id).order_by(REQUESTS.c.ordinal)
        answered: list[bytes] = []
        failed: list[bytes] = []
        expired = False
        for each in connection.execute(query):
            (answered if each.state == ANSWERED else failed).append(_result(each))
            expired = expired or each.request_id == "batch_expired"
        files = {
            f"{kind}_file_id": self._add_file(
                connection, row.tenant, "batch_output", f"{row.id}_{kind}.jsonl", b"".join(lines), bounded=False
            ).id
            for kind, lines in (("output", answered), ("error", failed))
            if lines
        }
        status = "cancelled" if row.status == "cancelling" else "expired" if expired else "completed"
        values = {"status": status, "ended_s": int(self._clock_s())} | files
        connection.execute(update(BATCHES).where(BATCHES.c.id == row.id).values(**values))
        forgotten = update(REQUESTS).where(REQUESTS.c.batch_id == row.id).values(body=b"", answer=None)
        connection.execute(forgotten)  # what was asked and answered stands in the files alone

    def _expire(self, connection: Connection) -> None:
        late = select(BATCHES.c.id).where(
            BATCHES.c.status == "in_progress", BATCHES.c.expires_s <= int(self._clock_s())
        )
        self._give_up(connection, REQUESTS.c.batch_id.in_(late), "batch_expired", "the batch's window has passed")

    def _give_up(self, connection: Connection, which: ColumnElement[bool], code: str, message: str) -> None:
        """Fail what waits; what is under way is let finish."""
        said = orjson.dumps({"error": {"code": code, "message": message}})
        values = {"state": FAILED, "request_id": code, "answer": said}
        connection.execute(update(REQUESTS).where(which, REQUESTS.c.state == PENDING).values(**values))

    def _add_file(  # noqa: PLR0913 - what a file is made of
        self, connection: Connection, tenant: str, purpose: str, name: str, content: bytes, *, bounded: bool = True
    ) -> StoredFile:
        if bounded:
            size = func.coalesce(func.sum(FILES.c.size), 0)
            held, count = connection.execute(select(size, func.count()).where(FILES.c.tenant == tenant)).one()
            if int(held) + len(content) > self._settings.file_bytes or count >= _MOST_FILES:
                raise StorageError.of(
                    "files-full",
                    f"the tenant has {count} files of {held} bytes already; {_MOST_FILES} files and"
                    f" {self._settings.file_bytes} bytes are the most",
                    hint="delete files that are no longer needed",
                )
        stored = StoredFile(f"file-{secrets.token_hex(16)}", purpose, name, int(self._clock_s()), len(content))
        values = {"tenant": tenant, "content": content} | {name: getattr(stored, name) for name in stored.__slots__}
        connection.execute(insert(FILES), values)
        return stored

    def _forget_old(self, connection: Connection) -> None:
        """Delete files and ended batches that are older than they are kept."""
        before = int(self._clock_s() - self._settings.keep_ms / 1000)
        connection.execute(delete(FILES).where(FILES.c.created_s < before))
        old = select(BATCHES.c.id).where(BATCHES.c.ended_s < before)
        connection.execute(delete(REQUESTS).where(REQUESTS.c.batch_id.in_(old)))
        connection.execute(delete(BATCHES).where(BATCHES.c.ended_s < before))

    @contextlib.contextmanager
    def _writing(self, tenant: str | None = None) -> Iterator[Connection]:
        """Run the block as one transaction; of those that count what a tenant keeps, one at a time."""
        with self._lock, _told("written"), self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # a transaction that reads first could not write any more
            elif tenant is not None:
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(tenant, _LOCK))))
            yield connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told("read"), self._engine.connect() as connection:
            yield connection


def _is(table: Table, identity: str, tenant: str) -> ColumnElement[bool]:
    return and_(table.c.id == identity, table.c.tenant == tenant)


def _of(batch_id: str, ordinal: int) -> ColumnElement[bool]:
    return and_(REQUESTS.c.batch_id == batch_id, REQUESTS.c.ordinal == ordinal)


def _counts(connection: Connection, batch_id: str) -> tuple[int, int]:
    query = select(REQUESTS.c.state, func.count()).where(REQUESTS.c.batch_id == batch_id).group_by(REQUESTS.c.state)
    found = {str(state): int(count) for state, count in connection.execute(query)}
    return found.get(ANSWERED, 0), found.get(FAILED, 0)


def _task(row: Row[Any]) -> Task:
    return Task(
        row.batch_id, row.ordinal, row.body, row.endpoint, row.tenant, row.key_name, row.key_sha256, row.data_class
    )


def _result(row: Row[Any]) -> bytes:
    """Return the line that tells what became of a request."""
    body = orjson.loads(row.answer or b"{}")
    response = None if row.status is None else {"status_code": row.status, "request_id": row.request_id, "body": body}
    told = {
        "id": f"batch_req_{row.batch_id.removeprefix('batch_')}_{row.ordinal}",
        "custom_id": row.custom_id,
        "response": response,
        "error": body.get("error") if response is None else None,
    }
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


@contextlib.contextmanager
def _told(action: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or type(error).__name__)
        words = f"the queue of batches cannot be {action}"
        raise StorageError.of("batches-unavailable", words, cause=cause, hint=remedy(error)) from error
