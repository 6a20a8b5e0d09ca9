"""A collector: listeners write to the spool, and at even intervals what they wrote goes to the lake.

Order of things: received, durable in the spool, acknowledged, mediated, durable in the lake, released from the spool.
A process that dies at any point leaves each message where the next one finds it, and the lake knows what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.errors import CellwrightError
from cellwright.telemetry.listener import Gate, Intake
from cellwright.telemetry.outcome import MediationResult
from cellwright.telemetry.sources import RawFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwright.telemetry.drop_folder import DropFolder
    from cellwright.telemetry.listener import Listener, ListenerSpec, OpenListener
    from cellwright.telemetry.sources import Entry
    from cellwright.telemetry.spool import Segment, Spool

    Mediate = Callable[[RawFile, str], MediationResult]
    """Stores one file, read as the format of a name; must not return before it is durable."""

_PREFIX: Final = "collect"
_DAMAGED: Final = "spool-damaged"


@dataclass(slots=True)
class Progress:
    """What mediation made of segments and dropped files so far, in facts."""

    facts: Counter[str] = field(default_factory=Counter)
    segments: int = 0

    def add(self, result: MediationResult) -> None:
        """Count one segment that is in the lake."""
        self.segments += 1
        self.facts.update(raw=result.raw, rows=result.rows, quarantined=result.quarantined, filtered=result.filtered)


class Collector:
    """Open doors, a spool behind them, and the way from there to the lake."""

    def __init__(self, spool: Spool, limit: int, mediate: Mediate) -> None:
        """`limit`: bytes that the spool may hold; `mediate` runs in a thread of its own."""
        self.gate = Gate(spool.size(), limit)
        self.progress = Progress()
        self._spool, self._mediate = spool, mediate
        self._at_end: Callable[[], None] | None = None
        self._chore: tuple[Callable[[], None], float] | None = None
        self._next_chore_s = 0.0
        self._listeners: dict[str, Listener] = {}
        self._intakes: list[Intake] = []
        self._folders: list[tuple[DropFolder, Callable[[Sequence[Entry]], MediationResult]]] = []
        self._disk = ThreadPoolExecutor(1, "spool")
        self._lake = ThreadPoolExecutor(1, "lake")

    def watch(self, folder: DropFolder, mediate: Callable[[Sequence[Entry]], MediationResult]) -> None:
        """Watch a drop folder; `mediate` stores files of it."""
        self._folders.append((folder, mediate))

    def add(self, spec: ListenerSpec, open_listener: OpenListener) -> None:
        """Set up a listener; raise UsageError where it cannot be as it is configured."""
        intake = Intake(self._spool.feed(spec.name), self.gate, self._disk)
        self._listeners[spec.name] = open_listener(spec, intake)
        self._intakes.append(intake)

    def keep_house(self, work: Callable[[], None], every_s: float) -> None:
        """Do something with the lake after a flush, at intervals of so many seconds; first an interval from now."""
        self._chore, self._next_chore_s = (work, every_s), time.monotonic() + every_s

    def at_end(self, work: Callable[[], None]) -> None:
        """Do something when all is closed."""
        self._at_end = work

    async def open(self) -> Mapping[str, str]:
        """Open all doors, or none; return the address of each listener. Raises UnavailableError."""
        opened: dict[str, str] = {}
        try:
            for name, listener in self._listeners.items():
                opened[name] = await listener.open()
        except CellwrightError:
            for name in opened:
                await self._listeners[name].close()
            raise
        return opened

    async def flush(self) -> None:
        """Bring all that was received until now into the lake; after a StorageError it may be tried again."""
        loop = asyncio.get_running_loop()
        for intake in self._intakes:
            await intake.settled()
        await loop.run_in_executor(self._disk, self._spool.close_segments)
        for segment in await loop.run_in_executor(self._disk, self._spool.ready):
            listener = self._listeners.get(segment.feed)
            if listener is not None:  # what a listener of another name left waits for it
                result = await loop.run_in_executor(self._lake, self._store, segment, listener)
                await loop.run_in_executor(self._disk, self._spool.release, segment)
                self.progress.add(result)
        self.gate.held = await loop.run_in_executor(self._disk, self._spool.size)
        for folder, mediate in self._folders:
            if entries := await loop.run_in_executor(self._lake, folder.settled):
                result = await loop.run_in_executor(self._lake, mediate, entries)
                await loop.run_in_executor(self._lake, folder.done, entries, result)
                self.progress.add(result)

        if self._chore is not None and time.monotonic() >= self._next_chore_s:
            work, every_s = self._chore
            self._next_chore_s = time.monotonic() + every_s
            await loop.run_in_executor(self._lake, work)

    async def close(self) -> None:
        """Close all doors, then bring the rest into the lake; what cannot be brought stays in the spool."""
        for listener in self._listeners.values():
            await listener.close()
        try:
            await self.flush()
        finally:
            self._disk.shutdown()
            self._lake.shutdown()
            if self._at_end is not None:
                self._at_end()

    def waiting(self) -> tuple[str, ...]:
        """Return the feeds whose segments no listener of this collector reads."""
        return tuple(sorted({segment.feed for segment in self._spool.ready()} - set(self._listeners)))

    def counts(self) -> dict[str, Counter[str]]:
        """Return what became of messages, by listener."""
        return {name: listener.counts() for name, listener in self._listeners.items()}

    def _store(self, segment: Segment, listener: Listener) -> MediationResult:
        content = self._spool.read(segment)
        if not content.records and not content.damaged:
            return MediationResult(())
        raw = listener.content(content.records)
        damage = _DAMAGED if content.damaged else ""
        file = RawFile(f"{_PREFIX}/{segment.name}", io.BytesIO(raw), len(raw), content.identity, damage)
        return self._mediate(file, listener.format)


async def run_until(
    stop: asyncio.Event, collector: Collector, every_s: float, tell: Callable[[Exception], None]
) -> None:
    """Flush at even intervals until `stop` is set, then close; what goes wrong meanwhile is told and tried again."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
        if not stop.is_set():
            try:
                await collector.flush()
            except Exception as error:  # noqa: BLE001 - the process's boundary: it goes on to receive, and tries again
                tell(error)
    await collector.close()
