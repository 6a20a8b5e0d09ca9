"""A backend asked for the first piece of an answer and, where that takes its time, a second one beside it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, cast

from cellwright.gateway.backend import BackendError
from cellwright.gateway.tally import Tally
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.attempt import Attempt
    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.exchange import Exchange

    Asked = tuple[Attempt, Chunk]

_SLOW: Final = "slow"
_LOST: Final = "hedge_lost"


class Race:
    """Whoever begins first answers; `another` gives the second attempt, None where there is nobody to ask.

    The first one is waited for in the task of its request: only a second one needs a task of its own.
    """

    __slots__ = ("_another", "_decided", "_exchange", "_first", "_running", "_second", "_task", "_waits")

    def __init__(self, exchange: Exchange, first: Attempt, another: Callable[[], Attempt | None]) -> None:
        self._exchange = exchange
        self._first = first
        self._another = another
        self._second: tuple[Attempt, asyncio.Task[Chunk]] | None = None
        self._running = [first]  # those that have neither won nor failed
        self._waits = True  # for the first one
        self._task = cast("asyncio.Task[object]", asyncio.current_task())  # of the request
        self._decided = False  # by the second one, while the first was waited for

    async def run(self, after_s: float) -> Asked:
        """Return the attempt that begins first and its first piece; raise the last ApiError where none does."""
        timer = self._task.get_loop().call_later(after_s, self._hedge)
        cancelled = self._task.cancelling()
        try:
            try:
                chunk = await self._first.first()
            finally:
                self._waits = False  # from now on the second one decides nothing
        except asyncio.CancelledError:
            if self._second is None or not self._decided or self._task.uncancel() > cancelled:
                raise  # for another reason, told as asyncio.timeout tells its own
            return await self._from_second(*self._second)
        except ApiError as error:
            await self._lose(self._first, error)
            if self._second is None or _failed(self._second[1]) or not _goes_on(error):
                raise
            if self._exchange.spent:
                self._exchange.lose(error.code)
            self._exchange.spent = True  # the other one still works
            return await self._from_second(*self._second)
        else:
            self._running.remove(self._first)
            return self._first, chunk
        finally:
            timer.cancel()
            if self._running:
                await self._give_up()

    def _hedge(self) -> None:
        """Ask another backend too."""
        attempt = None
        with contextlib.suppress(ApiError):  # what cannot be asked of another one is left to the first
            attempt = self._another()
        if attempt is None:
            return
        task = self._task.get_loop().create_task(attempt.first())
        self._second = attempt, task
        self._running.append(attempt)
        task.add_done_callback(self._decide)
        if self._exchange.wanted is self._first.live.spec:
            self._exchange.missed = _SLOW

    def _decide(self, task: asyncio.Task[Chunk]) -> None:
        """Wait for the first one no longer where the second one has begun; its failures say nothing of the first."""
        if self._waits and not task.cancelled() and task.exception() is None:
            self._decided = True
            self._task.cancel()

    async def _from_second(self, attempt: Attempt, task: asyncio.Task[Chunk]) -> Asked:
        self._exchange.spec = attempt.live.spec
        try:
            chunk = await task
        except ApiError as error:
            await self._lose(attempt, error)
            raise
        self._running.remove(attempt)
        return attempt, chunk

    async def _lose(self, attempt: Attempt, error: ApiError) -> None:
        self._running.remove(attempt)
        await fail(self._exchange, attempt, error)

    async def _give_up(self) -> None:
        """Stop whoever has not won; what they may have spent is metered."""
        errors: dict[Attempt, BaseException | None] = {}
        try:
            if self._second is not None:
                await _stop(self._second[1])
        finally:
            if self._second is not None:
                attempt, task = self._second
                errors[attempt] = None if task.cancelled() else task.exception()
            for attempt in self._running:
                self._exchange.attempts -= not attempt.asked
                error = errors.get(attempt)
                await attempt.lose(error)
                is_spent = error.spent if isinstance(error, BackendError) else not isinstance(error, ApiError)
                if attempt.live.spec is not self._exchange.spec and attempt.asked and is_spent:
                    code = error.code if isinstance(error, ApiError) else _LOST
                    self._exchange.lost.append((attempt.live.spec, code, Tally()))


async def _stop(task: asyncio.Task[Chunk]) -> None:
    """Stop a task and return when it has stopped; whoever is cancelled meanwhile is so afterwards."""
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _failed(task: asyncio.Task[Chunk]) -> bool:
    """Return whether a task has ended without an answer."""
    return task.done() and (task.cancelled() or task.exception() is not None)


async def fail(exchange: Exchange, attempt: Attempt, error: ApiError) -> None:
    """Take note of an attempt that ended before its first piece."""
    exchange.spent = isinstance(error, BackendError) and error.spent
    if attempt.live.spec is exchange.wanted:
        exchange.missed = error.code
    await attempt.leave(error)


def _goes_on(error: BaseException | None) -> bool:
    """Return whether another backend may still answer."""
    return isinstance(error, BackendError) and error.elsewhere
