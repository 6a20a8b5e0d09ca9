"""UDP: NetFlow, IPFIX and SNMP datagrams as captures, syslog datagrams as lines; what the kernel dropped is counted."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import struct
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError, UsageError
from cellwright.telemetry.formats.netflow_carry import Carry
from cellwright.telemetry.formats.pcap import LARGEST_PAYLOAD, capture_header, capture_record
from cellwright.telemetry.listener import FullError
from cellwright.telemetry.listeners.snmp_answers import Answers, Engine
from cellwright.telemetry.listeners.sockets import address, bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.telemetry.listener import Intake, ListenerSpec
    from cellwright.telemetry.listeners.snmp_answers import Answer

_BUFFER: Final = 8 * 2**20  # asked of the kernel, which may give less
_AT_ONCE: Final = 256  # datagrams before others get their turn
_DROPS: Final = getattr(socket, "SO_RXQ_OVFL", 40)  # Linux: the datagrams that the socket's queue had no room for
_FORCED: Final = getattr(socket, "SO_RCVBUFFORCE", 33)
_COUNT: Final = struct.Struct("I")


class _Datagrams:
    """Receives datagrams and offers them to the intake; who sends by UDP is never told anything."""

    scheme: str

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        if spec.tls or spec.users:
            raise UsageError.of("no-tls-over-udp", f"listener {spec.name} has tls or users, which UDP cannot ask for")
        self._spec, self._intake = spec, intake
        self._socket: socket.socket | None = None
        self._lost = 0
        self._here = ("", 0)

    async def open(self) -> str:
        """Start to receive and return the address."""
        self._socket = bind(self._spec, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        with contextlib.suppress(OSError):  # beyond net.core.rmem_max, for who may administer the network
            self._socket.setsockopt(socket.SOL_SOCKET, _FORCED, _BUFFER)
        with contextlib.suppress(OSError):  # not on every kernel: then gaps in sequence numbers alone tell of losses
            self._socket.setsockopt(socket.SOL_SOCKET, _DROPS, 1)
        self._here = self._socket.getsockname()[:2]
        asyncio.get_running_loop().add_reader(self._socket, self._receive)
        return address(self._socket, self.scheme)

    async def close(self) -> None:
        """Take what the kernel still holds, then close the port."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            while self._receive():
                pass
            self._socket.close()
            self._socket = None

    def counts(self) -> Counter[str]:
        """Return what became of datagrams; `lost-in-kernel` came while the receiving queue was full."""
        return self._intake.counts + Counter({"lost-in-kernel": self._lost} if self._lost else {})

    def record(self, payload: bytes, source: tuple[str, int], here: tuple[str, int]) -> bytes:
        """Return a datagram as it is kept."""
        raise NotImplementedError

    def _receive(self) -> bool:
        """Take what is there, up to a fair share; return whether there may be more."""
        for _ in range(_AT_ONCE):
            try:
                payload, ancillary, _, source = self._socket.recvmsg(LARGEST_PAYLOAD + 20, socket.CMSG_SPACE(4))  # type: ignore[union-attr]
            except (BlockingIOError, InterruptedError):
                return False
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == _DROPS:
                    self._lost = _COUNT.unpack(data[: _COUNT.size])[0]
            self.take(payload, source)
        return True

    def take(self, payload: bytes, source: tuple[str, int]) -> None:
        """Offer a datagram to the intake; `source` may have more to it than address and port."""
        self._intake.offer(self.recorded(payload, source))

    def recorded(self, payload: bytes, source: tuple[str, int]) -> bytes:
        """Return a datagram as it is kept; the zone of an address is left out."""
        return self.record(payload, (source[0].partition("%")[0], source[1]), self._here)

    def reply(self, payload: bytes, source: tuple[str, int]) -> None:
        """Send an answer if it can be sent at once: who misses it asks again."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(payload, source)


class _Captured(_Datagrams):
    """Datagrams with the time and the address they came from."""

    def record(self, payload: bytes, source: tuple[str, int], here: tuple[str, int]) -> bytes:
        """Return the record of a capture."""
        unspecified = here[0] in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        local = (source[0], here[1]) if unspecified else here
        return capture_record(time.time_ns() // 1000, source, local, payload)

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the capture."""
        return capture_header() + b"".join(records)


class NetFlowListener(_Captured):
    """NetFlow v5 and v9, and IPFIX (port 2055 or 4739 by custom).

    Exporters repeat their templates now and then, captures are short: each goes on where the one before it ended, also
    over a restart. A capture that is asked for again is the same again, for the lake may not have it yet.
    """

    format, scheme = "netflow", "netflow"

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        super().__init__(spec, intake)
        self._last, self._before, self._after = _noted(intake.feed.note())
        self._waiting = Carry.of(self._after).waiting

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the capture, after what earlier ones left; what this one leaves is durable then."""
        digest = hashlib.sha256(b"".join(records)).digest()
        if digest != self._last:
            self._last, self._before = digest, self._after
        carry = Carry.of(self._before)
        capture = carry.next_file(records)
        self._after, self._waiting = carry.state(), carry.waiting
        self._intake.feed.keep_note(digest + len(self._before).to_bytes(4) + self._before + self._after)
        return capture

    def counts(self) -> Counter[str]:
        """Return what became of datagrams, and how many data sets wait for their template."""
        return super().counts() + Counter({"sets-waiting-for-template": self._waiting})


def _noted(note: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (digest of the last capture's records, what went on before it, what goes on after it) of a note."""
    size = hashlib.sha256().digest_size
    end = size + 4 + int.from_bytes(note[size : size + 4])
    before, after = note[size + 4 : end], note[end:]
    try:
        Carry.of(before)
        Carry.of(after)
    except ValueError:  # there is none, or it is from another version: exporters tell their templates again
        return b"", Carry().state(), Carry().state()
    return note[:size], before, after


class SnmpListener(_Captured):
    """SNMP traps and informs (port 162 by custom). An inform is answered once it is durable."""

    format, scheme = "snmp", "snmp"

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        super().__init__(spec, intake)
        self._engine = Engine.after(intake.feed.note())
        self._answers = Answers(self._engine, spec.usm)
        self._began_s = time.monotonic()
        self._keeping: dict[bytes, asyncio.Task[None]] = {}
        self._told: Counter[str] = Counter()

    async def open(self) -> str:
        """Start to receive and return the address; that this engine began once more is noted before."""
        self._intake.feed.keep_note(self._engine.note())
        return await super().open()

    async def close(self) -> None:
        """Take what the kernel still holds, answer what was kept, then close the port."""
        if self._socket is not None:
            while self._receive():
                pass
            await asyncio.gather(*self._keeping.values())
        await super().close()

    def counts(self) -> Counter[str]:
        """Return what became of datagrams, and what was answered."""
        return super().counts() + self._told

    def take(self, payload: bytes, source: tuple[str, int]) -> None:
        """Offer a trap to the intake; keep an inform, and answer."""
        answer = self._answers.to(source[0], payload, int(time.monotonic() - self._began_s))
        if answer.mark and answer.mark not in self._keeping:
            task = asyncio.get_running_loop().create_task(self._keep(payload, source, answer))
            self._keeping[answer.mark] = task
        elif answer.keeps and not answer.mark:
            super().take(payload, source)
        elif answer.reply and not answer.mark:
            self._told[answer.counted or ""] += 1
            self.reply(answer.reply, source)

    async def _keep(self, payload: bytes, source: tuple[str, int], answer: Answer) -> None:
        """Keep an inform, then answer it; its sender tries again where it cannot be kept."""
        try:
            await self._intake.keep([self.recorded(payload, source)])
        except (FullError, StorageError):  # which are counted
            return
        finally:
            del self._keeping[answer.mark]
        self._answers.was_kept(answer)
        self._told[answer.counted or ""] += 1
        self.reply(answer.reply or b"", source)


class SyslogUdpListener(_Datagrams):
    """Syslog over UDP (RFC 5426): one message a datagram."""

    format, scheme = "syslog", "syslog+udp"

    def record(self, payload: bytes, source: tuple[str, int], here: tuple[str, int]) -> bytes:  # noqa: ARG002 - as others
        """Return the message."""
        return payload

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the messages, a line for each."""
        return as_lines(records)


def as_lines(records: Sequence[bytes]) -> bytes:
    """Return messages as lines; a line end within one is written as #012, as syslog daemons do."""
    return b"".join(record.rstrip(b"\r\n\0").replace(b"\n", b"#012") + b"\n" for record in records)
