"""What listeners share: where they stand, where they hand in what they receive, and what they count."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from cellwright.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from cellwright.estate.documents.tls import Tls
    from cellwright.telemetry.snmp_keys import Usm
    from cellwright.telemetry.spool import Feed

_WAITING: Final = 32 * 2**20  # bytes of datagrams in memory that wait for the disk


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """One listener as it is configured. `users` holds password hashes by name; none: everybody may send."""

    name: str
    protocol: str
    host: str
    port: int
    tls: Tls | None = None
    users: tuple[tuple[str, str], ...] = ()
    most_bytes: int = 16 * 10**6  # of one message
    usm: Usm | None = None  # the keys of SNMPv3 users
    zone: str | None = None  # of the senders' clocks, where messages do not say it; None: UTC


class Gate:
    """How much the spool holds; beyond its limit nothing more is taken until mediation has made room."""

    def __init__(self, held: int, limit: int) -> None:
        self.held, self.limit = held, limit

    @property
    def is_full(self) -> bool:
        """Return whether senders have to wait."""
        return self.held >= self.limit


class FullError(Exception):
    """The spool holds all that it may: the sender has to come again."""


@dataclass(eq=False)
class Intake:
    """The way into one feed: what is kept is durable when `keep` returns; many that wait share one sync.

    `counts` says what became of messages: received, refused, and dropped for lack of room.
    """

    feed: Feed
    gate: Gate
    disk: Executor
    counts: Counter[str] = field(default_factory=Counter)
    _waiting: list[tuple[Sequence[bytes], asyncio.Future[None] | None]] = field(default_factory=list)
    _bytes: int = 0
    _writer: asyncio.Task[None] | None = None

    async def keep(self, records: Sequence[bytes]) -> None:
        """Return when records are durable; raise FullError or StorageError when they are not kept."""
        if self.gate.is_full:
            self.counts["turned-away"] += len(records)
            raise FullError
        done = asyncio.get_running_loop().create_future()
        self._enqueue(records, done)
        await done

    def offer(self, record: bytes) -> bool:
        """Take a record of a sender who cannot wait; return False, and count it, where there is no room."""
        if self.gate.is_full or self._bytes + len(record) > _WAITING:
            self.counts["dropped"] += 1
            return False
        self._enqueue([record], None)
        return True

    async def settled(self) -> None:
        """Return when everything that was handed in is durable or told."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    def _enqueue(self, records: Sequence[bytes], done: asyncio.Future[None] | None) -> None:
        self._waiting.append((records, done))
        self._bytes += sum(map(len, records))
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Write what waits, and what came meanwhile, until nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                taken, self._waiting, self._bytes = self._waiting, [], 0
                records = [record for some, _ in taken for record in some]
                try:
                    await loop.run_in_executor(self.disk, self.feed.append, records)
                except StorageError as error:
                    self._tell(taken, error)
                    continue
                self.gate.held += sum(map(len, records))
                self.counts["received"] += len(records)
                self._tell(taken, None)
        finally:
            self._writer = None

    def _tell(
        self, taken: Sequence[tuple[Sequence[bytes], asyncio.Future[None] | None]], error: StorageError | None
    ) -> None:
        for records, done in taken:
            if error is not None:
                self.counts["dropped" if done is None else "turned-away"] += len(records)
            if done is not None and not done.done():
                done.set_exception(error) if error else done.set_result(None)


class Listener(Protocol):
    """One open door. What it keeps is read by the format it names."""

    format: str

    async def open(self) -> str:
        """Start to receive and return the address; raise UnavailableError."""
        ...

    async def close(self) -> None:
        """Stop to receive; what was acknowledged is with the intake."""
        ...

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the records of a segment as a file of the format."""
        ...

    def counts(self) -> Counter[str]:
        """Return how many messages were received, refused, turned away, dropped, lost before they came."""
        ...


OpenListener: TypeAlias = "Callable[[ListenerSpec, Intake], Listener]"
"""What a plugin of the group `cellwright.listeners` is."""
