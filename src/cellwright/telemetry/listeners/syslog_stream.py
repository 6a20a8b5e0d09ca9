"""Syslog over TCP and TLS (RFC 6587, RFC 5425): octet-counted frames, or lines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError, UsageError
from cellwright.telemetry.listener import FullError
from cellwright.telemetry.listeners.datagrams import as_lines
from cellwright.telemetry.listeners.sockets import address, bind, tls_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.telemetry.listener import Intake, ListenerSpec

_CHUNK: Final = 1 << 16
_LONGEST: Final = 1 << 20  # bytes of a message: RFC 5425 asks for 8 KiB at least
_AGAIN_S: Final = 0.5  # between two tries while the spool is full: the sender is held back by TCP meanwhile
_DIGITS: Final = 10


class SyslogStreamListener:
    """Takes messages as fast as they become durable; who sends faster is held back, not cut off."""

    format = "syslog"

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        if spec.users:
            raise UsageError.of("no-users-in-syslog", f"listener {spec.name} has users, which syslog cannot name")
        self._spec, self._intake = spec, intake
        self._counts: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._senders: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._is_closing = False

    async def open(self) -> str:
        """Start to receive and return the address."""
        context = tls_context(self._spec.name, self._spec.tls) if self._spec.tls else None
        bound = bind(self._spec, socket.SOCK_STREAM)
        self._server = await asyncio.start_server(self._serve, sock=bound, ssl=context, limit=_CHUNK)
        return address(bound, "syslog+tls" if context else "syslog+tcp")

    async def close(self) -> None:
        """Close the port and the connections; what was read of them whole is kept."""
        if self._server is not None:
            self._server.close()
            self._is_closing = True
            for writer in self._senders.values():
                writer.transport.abort()  # what was read before is still handed out
            await asyncio.gather(*self._senders, return_exceptions=True)
            await self._server.wait_closed()

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the messages, a line for each."""
        return as_lines(records)

    def counts(self) -> Counter[str]:
        """Return what became of messages and connections."""
        return self._counts + self._intake.counts

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        self._senders[task] = writer
        held = b""
        try:
            while chunk := await reader.read(_CHUNK):
                messages, held = split_messages(held + chunk)
                await self._keep(messages)
                if len(held) > _LONGEST:
                    self._counts["refused-too-long"] += 1
                    held = b""
                    break
        except OSError:
            self._counts["broken-connections"] += 1
        finally:
            await self._keep([held] if held.strip() else [])
            del self._senders[task]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _keep(self, messages: Sequence[bytes]) -> None:
        """Return when messages are durable, however long that takes; when the port closes they are tried once more."""
        while messages:
            try:
                await self._intake.keep(messages)
            except (FullError, StorageError):
                if self._is_closing:
                    return  # the intake counted them
                self._intake.counts["turned-away"] -= len(messages)  # they are not: they wait here
                await asyncio.sleep(_AGAIN_S)
            else:
                return


def split_messages(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole messages at the start of a stream and what is left: `MSG-LEN SP MSG`, or a line of its own."""
    messages, at = list[bytes](), 0
    while at < len(data):
        if data[at] in b"\n\r\0":
            at += 1
            continue
        space = data.find(b" ", at, at + _DIGITS)
        if data[at : at + 1] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9") and data[at:space].isdigit():
            end = space + 1 + int(data[at:space])
            if space < 0 or end > len(data):
                break
            messages.append(data[space + 1 : end])
        else:
            end = data.find(b"\n", at)
            if end < 0:
                break
            messages.append(data[at:end])
        at = end
    return messages, data[at:]
