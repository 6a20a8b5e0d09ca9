"""Answers the requests of batches in the background: a few at a time, and again later where no backend is reached."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError
from cellwright.gateway.threads import to_its_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cellwright.gateway.batches.store import BatchStore, Task

    Ask = Callable[[Task], Awaitable["Outcome"]]

_log: Final = logging.getLogger("cellwright.gateway")
_LEASE_S: Final = 900.0  # longer than a request may take
_PASSING: Final = frozenset({408, 429, 499, 502, 503, 504})  # what is worth another attempt later
_LONGEST_REST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking once."""

    status: int
    request_id: str
    body: bytes


class Drain:
    """Works a queue off while the gateway runs; several workers may share one queue."""

    def __init__(self, store: BatchStore, concurrency: int, rest_s: float) -> None:
        self._store = store
        self.ask: Ask | None = None  # how a request is answered; may change
        self._concurrency = concurrency
        self._first_rest_s = self._rest_s = rest_s
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop; requests under way wait again."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._store.close()

    def hurry(self) -> None:
        """Look into the queue now."""
        self._more.set()

    async def _work(self) -> None:
        while True:
            try:
                tasks = await self._take()
                unreached = await self._answer_all(tasks)
                await to_its_end(self._store.finish)
            except StorageError as error:
                _log.error("batches rest: %s", error.diagnostics[0].message)
                tasks, unreached = [], True
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S) if unreached else self._first_rest_s
            if unreached or not tasks:
                await self._rest()

    async def _answer_all(self, tasks: list[Task]) -> bool:
        """Ask for all of some requests; return whether none of them could be answered now."""
        outcomes = await asyncio.gather(*(self._answer(task) for task in tasks))
        return bool(outcomes) and all(outcomes)

    async def _answer(self, task: Task) -> bool:
        try:
            outcome = await self._asked(task)
        except asyncio.CancelledError:
            self._store.put_back(task)
            raise
        if outcome.status in _PASSING:
            await to_its_end(self._store.put_back, task)
            return True
        await to_its_end(self._store.settle, task, outcome.status, outcome.request_id, outcome.body)
        return False

    async def _take(self) -> list[Task]:
        taking = asyncio.ensure_future(asyncio.to_thread(self._store.take, self._concurrency, _LEASE_S))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            for task in await taking:
                self._store.put_back(task)
            raise

    async def _asked(self, task: Task) -> Outcome:
        if self.ask is None:
            msg = "nothing says how requests are answered"
            raise RuntimeError(msg)
        return await self.ask(task)

    async def _rest(self) -> None:
        """Wait until something new is queued, or for a while: another worker may have queued it."""
        self._more.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._rest_s):
                await self._more.wait()
