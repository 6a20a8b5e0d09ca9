"""The ledger of a lake in an object store: its log there decides, a database of this machine answers.

The database is a copy that may be lost at any time: it is made anew from the newest checkpoint and the entries behind
it. A writer says in the log when it begins and ends. Whoever finds a writer that was silent for long takes its place,
and from then on no change of the former is taken: its next entry would need a number that is not free.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Integer, MetaData, String, Table, delete, event, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import StorageError
from cellwright.lake import log
from cellwright.lake.bucket import ExistsError
from cellwright.lake.ledger import METADATA, NAME, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cellwright.lake.bucket import Bucket, Object
    from cellwright.lake.ledger import Part, Piece, Range, Rewrite
    from cellwright.lake.record import FileRecord

PATIENCE: Final = timedelta(minutes=5)  # without an entry, after which a writer of another machine counts as dead
CHECKPOINT_EVERY: Final = 128  # entries at least
_CHECKPOINT_SHARE, _CHECKPOINT_MOST = 8, 2048  # as many as a share of the files, but not more than this
_RETAINED: Final = timedelta(days=7)  # that an entry stays behind a checkpoint: nobody stops half-way for so long
_AT_ONCE: Final = 16  # requests
_TOGETHER: Final = 256  # entries of one transaction of the copy
_TRIES: Final = 4  # to read a log of which others throw away the beginning
_NUMBERS: Final = 24  # bits: part numbers that one claim has for its own

_STATE: Final = Table(
    "state",
    MetaData(),
    Column("number", Integer, primary_key=True),  # of the last entry that the copy holds
    Column("tag", String, nullable=False),
    Column("at", String, nullable=False),
    Column("claim", Integer, nullable=False),  # the entry by which the writer began, 0 when it ended
    Column("holder", String, nullable=False),
    Column("checkpoint", Integer, nullable=False),
    Column("remembers", Integer, nullable=False),  # whether entries may hold what was to be forgotten
)


@dataclass(frozen=True, slots=True)
class State:
    """How far the copy is, and who writes."""

    number: int = 0
    tag: str = ""
    at: str = datetime.min.replace(tzinfo=UTC).isoformat()
    claim: int = 0
    holder: str = ""
    checkpoint: int = 0
    remembers: int = 0


class _GoneError(Exception):
    """An entry or checkpoint was thrown away by somebody who made a newer checkpoint."""


class RemoteLedger(Ledger):
    """A ledger whose changes are entries of a log in a bucket; reads answer as of the last `refresh`."""

    def __init__(self, bucket: Bucket, cache: Path, now: Callable[[], datetime] | None = None) -> None:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bucket, self._cache = bucket, cache
        self._now = now or (lambda: datetime.now(tz=UTC))
        self._me = _name(cache)
        self._claim = 0
        self.unsure = False  # whether the store may hold something of this writer that nobody will list
        try:
            self._open()
        except (StorageError, SQLAlchemyError):  # the copy is damaged, or of another version
            for path in cache.glob(f"{NAME}*"):
                path.unlink()
            self._open()

    def _open(self) -> None:
        super().__init__(self._cache)
        event.listen(self._engine, "connect", _relax)
        self._engine.dispose()  # connections from before
        _STATE.metadata.create_all(self._engine)
        try:
            self._state()
        except SQLAlchemyError:
            self.close()
            raise

    @property
    def exists(self) -> bool:
        """Return whether there is a lake."""
        return self._state().number > 0

    @property
    def holder(self) -> str | None:
        """Return who writes the lake just now, or None."""
        return self._state().holder or None

    @property
    def reserved(self) -> int:
        """Return the number from which on part numbers are those of later writers."""
        return (self._claim + 1) << _NUMBERS

    @contextlib.contextmanager
    def claimed(self) -> Iterator[bool]:
        """Be the writer for the block; whether the one before left without saying that it ended is yielded.

        Raises StorageError where another machine writes.
        """
        self.refresh()
        before = self._state()
        silent = self._now() - datetime.fromisoformat(before.at)
        if before.holder not in {"", self._me} and silent < PATIENCE:
            raise self._locked_by(before.holder)
        self.unsure = False
        self._append(log.Claimed(self._me))
        try:
            self._scrub()
            yield before.claim > 0
        finally:
            if not self.unsure:
                with contextlib.suppress(StorageError):
                    self._append(log.Released())
            self._claim = 0

    def refresh(self) -> None:
        """Bring the copy to where the log is."""
        with self._alone():
            for _ in range(_TRIES):
                with contextlib.suppress(_GoneError):
                    self._catch_up()
                    return
        raise self._damaged()

    def commit(
        self, file: FileRecord, parts: tuple[Part, ...], pieces: tuple[Piece, ...], ranges: tuple[Range, ...]
    ) -> None:
        """List a file with all that became of it, in place of what was listed of it before."""
        self._append(log.Stored(file, parts, pieces, ranges))

    def rewrite(self, change: Rewrite) -> None:
        """Put new parts in the place of others, and take what is left of expired files out."""
        self._append(log.Rewritten(change))
        self._scrub()

    def forget_payloads(self, before: datetime) -> int:
        """Drop the sealed content of quarantined pieces of files stored before a time; return how many had some."""
        forgotten = self._append(log.Forgotten(before))
        self._scrub()
        return forgotten

    def bind_key(self, fingerprint: str) -> bool:
        """Return whether the lake is written with the key of this fingerprint; the first to ask decides."""
        known = self.key()
        if known is None:
            self._append(log.Bound(fingerprint))
        return known in {None, fingerprint}

    def next_part(self) -> int:
        """Return the number of the next part; no other writer ever uses it."""
        return max(super().next_part(), self._claim << _NUMBERS)

    def _append(self, change: log.Change) -> int:
        """Add an entry to the log and apply it; raise StorageError where another writer took over."""
        with self._alone():
            state = self._state()
            if not isinstance(change, log.Claimed) and state.claim != self._claim:
                self.unsure = False
                raise self._locked_by(state.holder)
            number, token, at = state.number + 1, uuid.uuid4().hex, self._now()
            self.unsure = True
            try:
                tag = self._bucket.create(log.entry_path(number), log.encode(token, at, change))
            except ExistsError:
                tag = self._tag_of_own(number, token)
            self.unsure = False
            with self.changing():
                result = self._apply(number, tag, at, change)
            self._claim = number if isinstance(change, log.Claimed) else self._claim
            if number - state.checkpoint >= CHECKPOINT_EVERY and self._is_due(number - state.checkpoint):
                with contextlib.suppress(StorageError):  # the change itself is made; the next one tries again
                    self._checkpoint()
        return result

    def _tag_of_own(self, number: int, token: str) -> str:
        """Return the tag of an entry that an earlier try of the same request stored."""
        found = next((each for each in self._listed(number - 1) if log.number_of(each.path) == number), None)
        with contextlib.suppress(_GoneError):
            if found and self._entry(found).token == token:
                return found.tag
            self.unsure = found is None  # somebody else's: this change was not taken
        raise self._locked_by("")

    def _catch_up(self) -> None:
        state = self._state()
        listed = self._listed(state.number - 1) if state.number else []
        is_there = bool(listed) and (log.number_of(listed[0].path), listed[0].tag) == (state.number, state.tag)
        if is_there and _is_row(listed, state.number):
            self._replay(listed[1:])
            return
        newest = max(log.checkpoints(self._bucket), default=0)  # the copy is empty, too old, or of another lake
        self._load(newest)
        listed = self._listed(newest)
        if not _is_row(listed, newest + 1):
            raise _GoneError
        self._replay(listed)

    def _listed(self, after: int) -> list[Object]:
        return list(self._bucket.list(f"{log.FOLDER}/log", log.entry_path(max(after, 0))))

    def _replay(self, listed: Sequence[Object]) -> None:
        for start in range(0, len(listed), _TOGETHER):
            some = listed[start : start + _TOGETHER]
            with ThreadPoolExecutor(_AT_ONCE) as pool, self.changing():
                for each, entry in zip(some, pool.map(self._entry, some), strict=True):
                    self._apply(log.number_of(each.path), each.tag, entry.at, entry.change)

    def _entry(self, listed: Object) -> log.Entry:
        try:
            data = self._bucket.get(listed.path)
        except FileNotFoundError:
            data = b""
        if not data:
            raise _GoneError
        return log.decode(data, self._bucket.url)

    def _apply(self, number: int, tag: str, at: datetime, change: log.Change) -> int:
        """Apply an entry to the copy; return how many lines it forgot."""
        result = 0
        state = replace(self._state(), number=number, tag=tag, at=at.isoformat())
        match change:
            case log.Stored():
                super().commit(change.file, change.parts, change.pieces, change.ranges)
            case log.Rewritten():
                super().rewrite(change.change)
                state = replace(state, remembers=state.remembers | bool(change.change.expired))
            case log.Forgotten():
                result = super().forget_payloads(change.before)
                state = replace(state, remembers=state.remembers | bool(result))
            case log.Bound():
                super().bind_key(change.fingerprint)
            case log.Claimed():
                state = replace(state, claim=number, holder=change.holder)
            case log.Released():
                state = replace(state, claim=0, holder="")
        self._put_state(state)
        return result

    def _state(self) -> State:
        with contextlib.nullcontext(self._changing) if self._changing else self._engine.connect() as connection:
            row = connection.execute(select(_STATE)).mappings().first()
        return State(**row) if row else State()

    def _put_state(self, state: State) -> None:
        with self.changing() as connection:
            connection.execute(delete(_STATE))
            connection.execute(insert(_STATE), [{name: getattr(state, name) for name in state.__slots__}])

    def _is_due(self, entries: int) -> bool:
        with self._engine.connect() as connection:
            files = connection.execute(select(func.count()).select_from(METADATA.tables["files"])).scalar_one()
        return entries >= min(files // _CHECKPOINT_SHARE, _CHECKPOINT_MOST)

    def _checkpoint(self) -> None:
        """Store the copy as a checkpoint, and throw away what is not needed beside it."""
        number, database = self._state().number, self._cache / "checkpoint.db"
        database.unlink(missing_ok=True)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(database),))
        log.put_checkpoint(self._bucket, number, database)
        database.unlink()
        with self.changing():
            self._put_state(replace(self._state(), checkpoint=number))
        for each in log.checkpoints(self._bucket):
            if each < number:
                self._bucket.delete(log.checkpoint_path(each))
        limit = self._now() - _RETAINED
        for listed in self._listed(0):
            if log.number_of(listed.path) < number and listed.at < limit:
                self._bucket.delete(listed.path)

    def _scrub(self) -> None:
        """Empty the entries behind a checkpoint where they hold what was to be forgotten. Their numbers stay taken."""
        with self._alone():
            if not self._state().remembers:
                return
            self._checkpoint()
            number = self._state().number
            full = [each.path for each in self._listed(0) if each.size and log.number_of(each.path) < number]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(lambda path: self._bucket.put(path, b""), full))
            with self.changing():
                self._put_state(replace(self._state(), remembers=0))

    def _load(self, number: int) -> None:
        """Make the copy what a checkpoint holds, or empty for 0, in one transaction."""
        database = self._cache / "checkpoint.db"
        try:
            if number:
                log.fetch_checkpoint(self._bucket, number, database)
            else:
                database.unlink(missing_ok=True)
        except FileNotFoundError as error:
            raise _GoneError from error
        tables = [*METADATA.sorted_tables, _STATE]
        with self._engine.connect() as connection:
            connection.exec_driver_sql("ATTACH DATABASE ? AS checkpoint", (str(database),))
            for table in tables:
                connection.execute(delete(table))
                if number:
                    columns = ", ".join(f'"{column.name}"' for column in table.columns)
                    connection.exec_driver_sql(
                        f'INSERT INTO main."{table.name}" ({columns}) SELECT {columns} FROM checkpoint."{table.name}"'  # noqa: S608 - our own names
                    )
            connection.commit()
            connection.exec_driver_sql("DETACH DATABASE checkpoint")
        database.unlink(missing_ok=True)
        with self.changing():
            self._put_state(replace(self._state(), checkpoint=number))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this machine from bringing the copy up to date meanwhile."""
        with (self._cache / "copy.lock").open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _locked_by(self, holder: str) -> StorageError:
        who = f"by {holder.partition('/')[0]}" if holder else "by another machine"
        return StorageError.of(
            "lake-locked",
            f"the lake {self._bucket.url} is being written {who}; nothing more was written here",
            expected="one writer at a time; --commit delta takes many",
            hint=f"wait until it has finished; one that died is given up {PATIENCE.seconds // 60} minutes later",
        )

    def _damaged(self) -> StorageError:
        return StorageError.of(
            "ledger-damaged",
            f"the ledger of the lake {self._bucket.url} lacks entries",
            hint="restore the objects in ledger/ from a backup",
        )


def _relax(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection has no public type
    """Sync the copy now and then: a power cut may take its last entries, which the log has, and damages nothing."""
    connection.execute("PRAGMA synchronous=NORMAL")


def _is_row(listed: Sequence[Object], first: int) -> bool:
    """Return whether entries are numbered one by one from the first on."""
    return [log.number_of(each.path) for each in listed] == list(range(first, first + len(listed)))


def _name(cache: Path) -> str:
    """Return what tells this cache from others: the machine, and an id that is drawn once."""
    path = cache / "writer-id"
    with contextlib.suppress(FileExistsError), path.open("x", encoding="ascii") as stream:
        stream.write(f"{socket.gethostname()}/{uuid.uuid4().hex}")
    return path.read_text(encoding="ascii")
