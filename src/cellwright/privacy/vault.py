"""The way back from pseudonyms: sealed, in a file of its own, and every look is written down."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore
from sqlalchemy.exc import SQLAlchemyError

from cellwright.errors import DeniedError, StorageError, UsageError
from cellwright.privacy.identifiers import find
from cellwright.privacy.keys import derive_key
from cellwright.store import open_store, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from sqlalchemy import Connection, Engine

_TABLES: Final = MetaData()
_NAMES: Final = Table(
    "names",
    _TABLES,
    Column("pseudonym", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
_LOOKS: Final = Table(
    "looks",
    _TABLES,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("pseudonym", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at", String, nullable=False),  # ISO 8601 with zone
    Column("why", String, nullable=False),
    Column("outcome", String, nullable=False),  # revealed or unknown
)
_NONCE_BYTES: Final = 12  # NIST SP 800-38D clause 8.2.2
_PENDING: Final = 8192  # names that wait to be written together
_ASKED: Final = 500  # names in one question: SQLite takes 999 values at least


class Look(NamedTuple):
    """One entry of the access log; it never holds an identifier."""

    pseudonym: str
    who: str
    at: str
    why: str
    outcome: str


class Vault:
    """Canonical forms by pseudonym, each sealed by AES-256-GCM under a key derived from the master key.

    `remember` collects and writes in batches: call `flush`, or leave the `with` block, when what was pseudonymised is
    committed. What is lost before that comes back when the same data is read again.
    """

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._engine = engine
        self._cipher = AESGCM(derive_key(key, "reverse vault"))
        self._pending: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def remember(self, names: Iterable[tuple[str, str]]) -> None:
        """Add pseudonyms with their canonical forms; known ones stay as they are. Raises StorageError."""
        self._pending.update(names)
        if len(self._pending) >= _PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction; raise StorageError when that fails, and keep it."""
        if not self._pending:
            return
        with self._transaction() as connection:
            known = set(self._known(connection, list(self._pending)))
            rows = [
                {"pseudonym": pseudonym, "sealed": self._seal(pseudonym, canonical)}
                for pseudonym, canonical in self._pending.items()
                if pseudonym not in known
            ]
            if rows:
                connection.execute(insert_or_ignore(_NAMES).on_conflict_do_nothing(), rows)
        self._pending.clear()

    def reveal(self, pseudonym: str, *, who: str, why: str, at: datetime) -> str | None:
        """Return the canonical form behind a pseudonym, None where it is unknown, and log the look with it.

        Nothing is returned unless the log entry is committed. Raises UsageError when who, why or the zone of `at` is
        missing, DeniedError when who or why name an identifier, StorageError for another key or a failing database.
        """
        _check_look(who, why, at)
        self.flush()
        with self._transaction() as connection:
            row = connection.execute(select(_NAMES.c.sealed).where(_NAMES.c.pseudonym == pseudonym)).one_or_none()
            canonical = None if row is None else self._unseal(pseudonym, row.sealed)
            outcome = "unknown" if canonical is None else "revealed"
            # What was asked for may be the identifier itself, mistyped into the wrong place.
            asked = pseudonym if canonical is not None else "?"
            look = Look(asked, who, at.isoformat(), why, outcome)
            connection.execute(insert(_LOOKS).values(**look._asdict()))
        return canonical

    def looks(self) -> tuple[Look, ...]:
        """Return the access log, the oldest entry first."""
        columns = [_LOOKS.c[name] for name in Look._fields]
        with self._transaction() as connection:
            return tuple(Look(*row) for row in connection.execute(select(*columns).order_by(_LOOKS.c.number)))

    def close(self) -> None:
        """Write what waits and close the file."""
        try:
            self.flush()
        finally:
            self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StorageError.of(
                "vault-failed",
                "the vault of pseudonyms cannot be read or written",
                cause=type(getattr(error, "orig", None) or error).__name__,  # the message itself may hold values
                hint="check that its file and folder are writable, and that the disk has room",
            ) from None

    def _known(self, connection: Connection, pseudonyms: Sequence[str]) -> Iterator[str]:
        for start in range(0, len(pseudonyms), _ASKED):
            asked = pseudonyms[start : start + _ASKED]
            yield from connection.scalars(select(_NAMES.c.pseudonym).where(_NAMES.c.pseudonym.in_(asked)))

    def _seal(self, pseudonym: str, canonical: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, canonical.encode(errors="surrogatepass"), pseudonym.encode())

    def _unseal(self, pseudonym: str, sealed: bytes) -> str:
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], pseudonym.encode())
        except InvalidTag as error:
            raise StorageError.of(
                "vault-sealed",
                f"what stands for {pseudonym} cannot be opened",
                expected="the key that was in use when it was stored",
                hint="name the right key file with CELLWRIGHT_KEY_FILE",
            ) from error
        return plain.decode(errors="surrogatepass")


def open_vault(path: Path, key: bytes, outside: Sequence[Path]) -> Vault:
    """Return the vault in the file `path`, created with mode 0600 when absent.

    `outside` are the lakes: who holds one must not hold the way back with it. Raises UsageError for a path within one
    of them, StorageError when the file cannot be opened or grants anything to group or world.
    """
    place = path.resolve()
    for lake in outside:
        if place.is_relative_to(lake.resolve()):
            raise UsageError.of(
                "vault-in-lake",
                f"the vault {path} is inside the lake {lake}",
                expected="a file outside of every lake",
                hint="whoever copies the lake would copy the way back to the identifiers with it",
            )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        is_shared = bool(path.stat().st_mode & 0o077)
    except OSError as error:
        raise StorageError.of(
            "vault-unavailable", f"the vault {path} cannot be opened", cause=error.strerror or type(error).__name__
        ) from error
    if is_shared:
        raise StorageError.of(
            "vault-shared", f"the vault {path} can be used by others than its owner", hint=f"chmod 600 {path}"
        )
    return Vault(open_store(sqlite_url(str(place)), _TABLES), key)


def _check_look(who: str, why: str, at: datetime) -> None:
    if not who.strip() or not why.strip() or at.tzinfo is None:
        raise UsageError.of("look-unexplained", "a look needs who, why, and a time with zone")
    if find(who) or find(why):
        raise DeniedError.of(
            "identifier-in-log",
            "the access log holds no identifiers, but the reason or the name given does",
            hint="name the ticket or the case instead",
        )
