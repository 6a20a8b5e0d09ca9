"""Sends a site's lake to a centre, file by file: what is listed and was not yet sent goes out, and no more.

A file's pieces are sent first, a few at a time, each until the server says that it holds it; the manifest goes last.
Whatever is cut off or killed in between is sent again or known to be there: nothing is lost, and what comes twice is
the same message.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.telemetry.forward_manifest import VERSION, FileLine, Manifest
from cellwright.telemetry.forward_message import Message, Packing
from cellwright.telemetry.forward_outbox import edition_of
from cellwright.telemetry.forward_source import ChangedError, DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.errors import CellwrightError
    from cellwright.telemetry.forward_outbox import Outbox
    from cellwright.telemetry.forward_source import SiteFile, SiteLake

    Tell = Callable[[CellwrightError], None]
    """Told what went wrong and does not end the work."""

_IN_FLIGHT: Final = 8  # messages on their way at once: some 7 MiB
_LOOKS: Final = 3  # at a file that is rewritten while it is read


class Outlet(Protocol):
    """The way to a stream that keeps messages until the centre has them."""

    stream: str  # another one when the stream was made anew
    limit: int  # bytes of one message

    async def publish(self, message: Message) -> None:
        """Return when the stream holds a message; raise UnavailableError when that is not certain."""
        ...


@dataclass(slots=True)
class Sent:
    """What was forwarded so far."""

    files: int = 0
    rows: int = 0
    messages: int = 0
    bytes: int = 0
    refused: int = 0  # files that are damaged at the site


class Forwarder:
    """Brings what a site's lake holds to an outlet."""

    def __init__(self, site: SiteLake, outbox: Outbox, tell: Tell) -> None:
        self.sent = Sent()
        self._refused = set[str]()
        self._site, self._outbox, self._tell = site, outbox, tell

    async def send_pending(self, outlet: Outlet) -> None:
        """Send every file that is listed and was not forwarded, in the order in which they were stored.

        A damaged file is told of once and passed over. Raises UnavailableError where the link fails.
        """
        for record in self._site.pending(self._outbox.forwarded()):
            try:
                await self._send(record.file_id, outlet)
            except DamagedError as error:
                if record.file_id not in self._refused:
                    self._refused.add(record.file_id)
                    self._tell(error)
                self.sent.refused = len(self._refused)

    async def _send(self, file_id: str, outlet: Outlet) -> None:
        for _ in range(_LOOKS):
            try:
                await self._send_now(self._site.file(file_id), outlet)
            except ChangedError:
                continue
            return
        raise DamagedError.about(self._site.folder, f"{file_id} lacks a part, or changes all the time")

    async def _send_now(self, file: SiteFile, outlet: Outlet) -> None:
        record = file.record
        packing = Packing(record.file_id, record.format, outlet.limit)
        pieces = (piece for table, rows in self._site.rows(file) for piece in packing.rows(table, rows))
        await self._send_pieces(pieces, record.file_id, outlet)
        chunks = tuple(packing.chunks)
        line = FileLine.of(record)
        *rest, last = packing.last(Manifest(VERSION, self._site.key(), line, file.quarantined, file.filtered, chunks))
        await self._send_pieces(iter(rest), record.file_id, outlet)
        await self._publish(last, outlet)
        self._outbox.done(record.file_id, edition_of(record))
        self.sent.files += 1
        self.sent.rows += record.rows

    async def _send_pieces(self, pieces: Iterator[Message], file_id: str, outlet: Outlet) -> None:
        """Send the pieces that the stream does not hold yet."""
        there = self._outbox.sent(file_id, outlet.stream)
        window = list[Message]()
        for piece in pieces:
            if piece.id not in there:
                window.append(piece)
            if len(window) == _IN_FLIGHT:
                await self._send_window(window, file_id, outlet)
                window = []
        await self._send_window(window, file_id, outlet)

    async def _send_window(self, window: list[Message], file_id: str, outlet: Outlet) -> None:
        if not window:
            return
        answers = await asyncio.gather(*(self._publish(each, outlet) for each in window), return_exceptions=True)
        held = [each.id for each, answer in zip(window, answers, strict=True) if answer is None]
        self._outbox.add(file_id, outlet.stream, held)
        for answer in answers:
            if answer is not None:
                raise answer

    async def _publish(self, message: Message, outlet: Outlet) -> None:
        await outlet.publish(message)
        self.sent.messages += 1
        self.sent.bytes += len(message.payload)
