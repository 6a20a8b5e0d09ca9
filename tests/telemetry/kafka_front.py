"""A door before the mock broker of librdkafka that can be shut, wants TLS or a password, and makes topics.

The mock speaks the protocol of messages, but not that of administration, SASL or static members, and takes three
seconds to let anybody into a group; that is done here, after https://kafka.apache.org/protocol, for a group of one
static member. Where the mock names its own address, the door names its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from confluent_kafka import Producer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Iterator

PRODUCE, FETCH, METADATA, COMMIT, JOIN, HEARTBEAT, SYNC, HANDSHAKE, VERSIONS = 0, 1, 3, 8, 11, 12, 14, 17, 18
LEAVE, CREATE, CONFIGS, AUTHENTICATE = 13, 19, 32, 36
OURS = {HANDSHAKE: 1, CREATE: 4, CONFIGS: 1, AUTHENTICATE: 0}  # with the highest version
TOPIC_DENIED, SASL_FAILED, FENCED = 29, 58, 82
GROUPS = {JOIN: 5, SYNC: 3, HEARTBEAT: 3, LEAVE: 1}  # with the version that clients of the mock speak


def text(value: str | None) -> bytes:
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


@dataclass
class Reader:
    data: bytes
    at: int = 0

    def take(self, layout: str) -> int:
        (value,) = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return int(value)

    def raw(self, size: int) -> bytes:
        self.at += max(0, size)
        return self.data[self.at - max(0, size) : self.at]

    def text(self) -> str:
        return self.raw(self.take("h")).decode()

    def count(self) -> int:
        """Read a number of the compact encoding."""
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


@dataclass
class Login:
    """A user of the broker, and how far a connection has come to be one."""

    user: str
    password: str
    mechanism: str = ""
    first: bytes = b""
    salted: bytes = b""

    def answer(self, said: bytes) -> bytes | None:
        """Return what the broker says next, or None where the user is not let in."""
        if self.mechanism == "PLAIN":
            return b"" if said == f"\0{self.user}\0{self.password}".encode() else None
        return self._challenge(said[3:]) if not self.first else self._verdict(said)

    def _challenge(self, said: bytes) -> bytes:  # RFC 5802, section 3
        name, nonce = said.split(b",r=")
        assert name == f"n={self.user}".encode()
        self.salted = hashlib.pbkdf2_hmac("sha512", self.password.encode(), b"salt", 4096)
        challenge = b"r=%ss,s=%s,i=4096" % (nonce, base64.b64encode(b"salt"))
        self.first = said + b"," + challenge
        return challenge

    def _verdict(self, said: bytes) -> bytes | None:
        without, proof = said.rsplit(b",p=", 1)
        all_said = self.first + b"," + without
        key = self._mac(self.salted, b"Client Key")
        signature = self._mac(hashlib.sha512(key).digest(), all_said)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, signature, strict=True)):
            return None
        return b"v=" + base64.b64encode(self._mac(self._mac(self.salted, b"Server Key"), all_said))

    @staticmethod
    def _mac(key: bytes, said: bytes) -> bytes:
        return hmac.digest(key, said, "sha512")


@dataclass
class Front:
    """One address in front of a mock cluster of one broker; use it as a context."""

    tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None  # user and password
    may_create: bool = True
    configs: dict[str, str] = field(
        default_factory=lambda: {"max.message.bytes": "1048588", "cleanup.policy": "delete"}
    )
    made: dict[str, dict[str, str]] = field(default_factory=dict)  # topics, with the configuration asked for
    asked: list[int] = field(default_factory=list)  # kinds of requests
    cut_before: Callable[[int], bool] = lambda _: False  # whether the link breaks before a kind of request
    cut_after: Callable[[int], bool] = lambda _: False  # whether it breaks when the broker has done it
    shut_before: Callable[[int], bool] = lambda _: False  # whether the door is shut, until it is opened again
    members: list[str] = field(default_factory=list)  # of the one group, static: who joins anew takes the place
    port: int = 0
    is_open: bool = False

    def __enter__(self) -> Self:
        self.mock = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = self.mock.list_topics(timeout=10).brokers.values()
        self._mock_port, self._open = broker.port, set[asyncio.StreamWriter]()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.unlock()
        return self

    def __exit__(self, *_: object) -> None:
        self.lock()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"kafka{'+tls' if self.tls else ''}://127.0.0.1:{self.port}"

    def unlock(self) -> None:
        """Let clients in."""
        self._run(self._listen())

    def lock(self) -> None:
        """Break all connections and take no more."""
        self._run(self._shut())

    def _run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self.is_open = True
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        await self._close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # one that takes a connection begins another
            await asyncio.gather(*others, return_exceptions=True)

    async def _close(self) -> None:
        self.is_open = False
        for listening in self._server.sockets:
            self._loop.remove_reader(listening)
        await asyncio.sleep(0)  # for those let in already: a closed server takes none, and leaves them open
        self._server.close()
        self._break()

    def _break(self) -> None:
        for each in tuple(self._open):
            each.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        login = Login(*self.login) if self.login else None
        with contextlib.suppress(OSError, EOFError), self._held(writer):
            upstream, there = await asyncio.open_connection("127.0.0.1", self._mock_port)
            with self._held(there):
                while self.is_open:  # the door may have been shut meanwhile
                    request = await _frame(reader)
                    answer = await self._answer(request, login, upstream, there)
                    writer.write(struct.pack(">i", len(answer)) + answer)
                    await writer.drain()

    @contextlib.contextmanager
    def _held(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(
        self, request: bytes, login: Login | None, upstream: asyncio.StreamReader, there: asyncio.StreamWriter
    ) -> bytes:
        kind, version = struct.unpack_from(">hh", request)
        self.asked.append(kind)
        if self.shut_before(kind):
            await self._close()
            raise EOFError
        if self.cut_before(kind):
            self._break()
            raise EOFError
        if kind in OURS:
            reader = Reader(request, 8)
            reader.text()
            return request[4:8] + self._ours(kind, reader, login)
        if kind in GROUPS:
            assert version == GROUPS[kind], (kind, version)
            answer = request[4:8] + self._of_group(kind, request)
        else:
            answer = await _exchange(request, upstream, there)
        if self.cut_after(kind):
            self._break()
        return self._rewritten(kind, version, answer)

    def _of_group(self, kind: int, request: bytes) -> bytes:
        reader = Reader(request, 8)
        for _ in "name", "group":
            reader.text()
        reader.raw({JOIN: 8, LEAVE: 0}.get(kind, 4))  # timeouts or generation
        member = reader.text()
        if kind == LEAVE:
            return struct.pack(">ih", 0, 0)
        instance = reader.text()
        if kind == JOIN and not member:
            self.members.append(f"member-{len(self.members)}")
            member = self.members[-1]
        if member != self.members[-1]:
            return struct.pack(">ih", 0, FENCED)
        if kind == HEARTBEAT:
            return struct.pack(">ih", 0, 0)
        if kind == SYNC:
            assert reader.take("i") == 1
            reader.text()
            return struct.pack(">ih", 0, 0) + request[reader.at :]  # what the member, its own leader, assigned
        reader.text()  # the type of protocol
        reader.take("i")
        protocol = reader.text()
        metadata = reader.raw(reader.take("i"))
        one = text(member) + text(instance) + struct.pack(">i", len(metadata)) + metadata
        head = struct.pack(">ihi", 0, 0, len(self.members)) + text(protocol) + text(member) + text(member)
        return head + struct.pack(">i", 1) + one

    def _rewritten(self, kind: int, version: int, answer: bytes) -> bytes:
        if kind == VERSIONS and version == 0:  # to a later one the mock says that it knows this alone
            count = Reader(answer, 6).take("i") + len(OURS)
            more = b"".join(struct.pack(">hhh", each, 0, highest) for each, highest in OURS.items())
            return answer[:6] + struct.pack(">i", count) + answer[10:] + more
        if kind == METADATA:
            answer = _with_controller(answer)
        host = b"127.0.0.1"
        return answer.replace(host + struct.pack(">i", self._mock_port), host + struct.pack(">i", self.port))

    def _ours(self, kind: int, reader: Reader, login: Login | None) -> bytes:
        if kind == HANDSHAKE and login:
            login.mechanism = reader.text()
            return struct.pack(">hi", 0, 0)
        if kind == AUTHENTICATE and login:
            said = login.answer(reader.raw(reader.take("i")))
            code = struct.pack(">h", 0 if said is not None else SASL_FAILED)
            return code + text(None) + struct.pack(">i", len(said or b"")) + (said or b"")
        return self._created(reader) if kind == CREATE else self._configured(reader)

    def _created(self, reader: Reader) -> bytes:
        assert reader.take("i") == 1
        name = reader.text()
        assert (reader.take("i"), reader.take("h"), reader.take("i")) == (-1, -1, 0)
        if not self.may_create:
            return struct.pack(">ii", 0, 1) + text(name) + struct.pack(">h", TOPIC_DENIED) + text(None)
        self.made[name] = {reader.text(): reader.text() for _ in range(reader.take("i"))}
        self.mock.list_topics(name, timeout=10)  # the mock makes what it is asked for so
        return struct.pack(">ii", 0, 1) + text(name) + struct.pack(">h", 0) + text(None)

    def _configured(self, reader: Reader) -> bytes:
        assert (reader.take("i"), reader.take("b")) == (1, 2)
        lines = b"".join(
            text(name) + text(value) + struct.pack(">BbBi", 0, 5, 0, 0) for name, value in self.configs.items()
        )
        head = struct.pack(">iih", 0, 1, 0) + text(None) + struct.pack(">b", 2) + text(reader.text())
        return head + struct.pack(">i", len(self.configs)) + lines


async def _exchange(request: bytes, upstream: asyncio.StreamReader, there: asyncio.StreamWriter) -> bytes:
    there.write(struct.pack(">i", len(request)) + request)
    return await _frame(upstream)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


def _with_controller(answer: bytes) -> bytes:
    """Return metadata of version 9 or later in which the first broker is the controller; the mock names none."""
    reader = Reader(answer, 9)
    for _ in range(reader.count() - 1):
        broker = reader.take("i")
        reader.raw(reader.count() - 1)
        reader.take("i")
        reader.raw(reader.count() - 1)
        reader.take("B")
    reader.raw(reader.count() - 1)
    return answer[: reader.at] + struct.pack(">i", broker) + answer[reader.at + 4 :]
