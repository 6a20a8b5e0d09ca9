"""Keeps the two ends at work over a link that comes and goes: bounded attempts for one run, patience for a service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.errors import StorageError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from cellwright.telemetry.forward import Forwarder, Outlet, Tell
    from cellwright.telemetry.forward_centre import Parcel, Receipt, Receiver

ATTEMPTS: Final = 6
"""Attempts of a single run, with 1, 2, 4, 8 and 16 s between them; a service goes on, with a minute at most."""
_LONGEST_S: Final = 60.0


class Inlet(Protocol):
    """The way from a stream to the centre."""

    hold_s: float  # how often a message that is not acknowledged has to be held

    async def fetch(self, wait_s: float) -> Sequence[Parcel]:
        """Return messages, or none after so long; raise UnavailableError."""
        ...

    def missed(self) -> int:
        """Return how many messages the stream dropped before they came here, since this was asked last."""
        ...

    async def settle(self) -> None:
        """Return when all that was said of messages has reached the server."""
        ...

    async def backlog(self) -> int:
        """Return how many messages the stream keeps for the centre, with those that are not acknowledged."""
        ...


class Patience:
    """When to try again, and when to give up."""

    def __init__(self, stop: asyncio.Event, tell: Tell, *, attempts: int | None) -> None:
        """`attempts` in a row without progress before the error is raised; None: never."""
        self.stop = stop
        self._tell, self._attempts, self._failures, self._seen = tell, attempts, 0, 0

    async def keep_on(self, work: Callable[[], Awaitable[None]], progress: Callable[[], int]) -> None:
        """Do `work`, again and again until it ends without an error or is to stop; raise its error after too many."""
        while not self.stop.is_set():
            try:
                await work()
            except (UnavailableError, StorageError) as error:
                self._count(progress())
                if self._attempts is not None and self._failures >= self._attempts:
                    raise
                self._tell(error)
                await self.pause(min(2.0 ** (self._failures - 1), _LONGEST_S))
            else:
                return

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until it is to stop."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return

    async def unless_stopped(self, work: Coroutine[object, object, None]) -> None:
        """Do `work` to its end, or leave it where it is as soon as it is to stop."""
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _count(self, progress: int) -> None:
        self._failures = 1 if progress > self._seen else self._failures + 1
        self._seen = progress


async def forward_while(
    forwarder: Forwarder,
    connect: Callable[[], AbstractAsyncContextManager[Outlet]],
    patience: Patience,
    every_s: float | None,
) -> None:
    """Send what is pending, once or (`every_s`) again and again, until it is to stop."""

    async def work() -> None:
        async with connect() as outlet:
            await patience.unless_stopped(forwarder.send_pending(outlet))
            while every_s is not None and not patience.stop.is_set():
                await patience.pause(every_s)
                await patience.unless_stopped(forwarder.send_pending(outlet))

    await patience.keep_on(work, lambda: forwarder.sent.messages)


async def receive_while(
    receiver: Receiver, connect: Callable[[], AbstractAsyncContextManager[Inlet]], patience: Patience, *, once: bool
) -> None:
    """Store what arrives until it is to stop, or (`once`) until the stream keeps nothing that could be stored."""

    async def work() -> None:
        receiver.forget()
        async with connect() as inlet:
            try:
                await _receive(receiver, inlet, patience.stop, once=once)
            finally:
                await _give_back(receiver, inlet)

    await patience.keep_on(work, lambda: receiver.received.files + receiver.received.duplicates)


async def _receive(receiver: Receiver, inlet: Inlet, stop: asyncio.Event, *, once: bool) -> None:
    clock = asyncio.get_running_loop().time
    held_at = arrived_at = clock()
    while not stop.is_set():
        parcels = await inlet.fetch(1.0)
        receiver.miss(inlet.missed())
        for receipt in await asyncio.to_thread(receiver.take, parcels):
            await receipt.accept()
        await inlet.settle()
        if parcels:
            arrived_at = clock()
        if clock() - held_at >= inlet.hold_s:
            await _say(receiver.receipts(), inlet)
            held_at = clock()
        if once and not parcels and await _is_drained(receiver, inlet, clock() - arrived_at):
            return


async def _is_drained(receiver: Receiver, inlet: Inlet, idle_s: float) -> bool:
    """Return whether nothing more is to come: what another receiver left in the air comes back after a while."""
    return await inlet.backlog() <= len(receiver.receipts()) or idle_s > 4 * inlet.hold_s


async def _say(receipts: Sequence[Receipt], inlet: Inlet) -> None:
    for receipt in receipts:
        await receipt.hold()
    await inlet.settle()


async def _give_back(receiver: Receiver, inlet: Inlet) -> None:
    """Let what is not acknowledged be delivered again at once; where the link is cut, the stream does so in time."""
    try:
        for receipt in receiver.receipts():
            await receipt.give_back()
        await inlet.settle()
    except UnavailableError:
        return
