"""The server side of HTTP over connections in memory: cut anywhere, fed garbage, held back, hung up on."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import TYPE_CHECKING

import pytest
from gateway_kit import Memory
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.gateway.http.deadlines import Deadlines
from cellwright.gateway.http.server import Connection, Server
from cellwright.gateway.model import Limits, Timeouts
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cellwright.gateway.http.incoming import Incoming

BODIES = (b"", b"x" * 40, b"{}")
WHOLE = b"".join(
    b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (number, len(body), body)
    for number, body in enumerate(BODIES)
)
CHUNKED = (
    b"POST /0 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;n=v\r\nde\r\n0\r\nT: v\r\n\r\n"
)
LIMITS = Limits(body_bytes=64, header_bytes=512)


async def echo(incoming: Incoming) -> None:
    """Answer with the path and the body."""
    try:
        body = await incoming.body()
    except ApiError as error:
        incoming.respond(error.status, b"", b"")
    else:
        incoming.respond(200, b"", incoming.path.encode() + b"|" + body)


async def exchanged(
    pieces: Sequence[bytes], answer: Callable[[Incoming], Awaitable[None]] = echo
) -> tuple[bytes, Server]:
    """Return what a server writes to pieces of bytes, each sent when what came before was dealt with."""
    server = Server(answer, LIMITS, Timeouts(), Deadlines([1.0]))
    transport, connection = Memory(), Connection(server)
    transport.connect(connection)
    for piece in pieces:
        while transport.is_paused and server.tasks:
            await asyncio.wait(tuple(server.tasks))
        if not transport.is_closing():
            connection.data_received(piece)
        await asyncio.sleep(0)
    while server.tasks:
        await asyncio.wait(tuple(server.tasks))
    await server.stop(5, 1)
    await asyncio.sleep(0)
    server.deadlines.close()
    return transport.written, server


def bodies(written: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in written.split(b"HTTP/1.1 ")[1:]]


CUTS = st.lists(st.integers(0, len(WHOLE)), max_size=8)


@given(CUTS)
@settings(deadline=None)
def test_requests_are_answered_alike_however_they_are_cut(cuts: list[int]) -> None:
    places = sorted({0, *cuts, len(WHOLE)})
    pieces = [WHOLE[begin:end] for begin, end in itertools.pairwise(places)]
    written, _ = asyncio.run(exchanged(pieces))
    assert bodies(written) == [b"/%d|%b" % pair for pair in enumerate(BODIES)]


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=8))
@settings(deadline=None)
def test_chunks_are_put_together_however_they_are_cut(cuts: list[int]) -> None:
    places = sorted({0, *cuts, len(CHUNKED)})
    pieces = [CHUNKED[begin:end] for begin, end in itertools.pairwise(places)]
    written, _ = asyncio.run(exchanged(pieces))
    assert bodies(written) == [b"/0|abcde"]


WORDS = [
    b"GET ", b"POST ", b"/", b"/a?b", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b"Host: x",
    b"Content-Length: 3",
    b"Content-Length: 99", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Connection: close",
    b"Upgrade: h2c",
    b"Connection: Upgrade", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"\x00", b"\xff", b": ", b" ", b"\r\n\r\n",
    b"a" * 600,
]  # fmt: skip
NOISE = st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=24).map(b"".join)


@given(st.lists(NOISE, min_size=1, max_size=4), st.sampled_from([(), (WHOLE,)]))
@settings(deadline=None, max_examples=300)
def test_whatever_comes_is_answered_in_whole_messages_and_leaves_nothing_behind(
    pieces: list[bytes], before: tuple[bytes, ...]
) -> None:
    written, server = asyncio.run(exchanged([*before, *pieces]))
    assert not server.connections
    assert not server.tasks
    heads = [part.partition(b"\r\n\r\n")[0] for part in written.split(b"HTTP/1.1 ")[1:]]
    assert all(head[:3].isdigit() for head in heads)
    if before:
        assert [head[:3] for head in heads[:3]] == [b"200"] * 3


@given(st.binary(max_size=80), st.integers(1, 20))
@settings(deadline=None)
def test_a_stream_arrives_as_it_was_sent(data: bytes, size: int) -> None:
    async def stream(incoming: Incoming) -> None:
        incoming.start(200, b"")
        for begin in range(0, len(data), size):
            await incoming.send(data[begin : begin + size])
        incoming.finish(b"")

    async def main() -> Memory:
        server = Server(stream, LIMITS, Timeouts(), Deadlines([1.0]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await transport.ended.wait()
        await server.stop(0, 1)
        return transport

    assert asyncio.run(main()).body == data


def test_an_answer_in_pieces_to_http_1_0_ends_with_the_connection() -> None:
    async def stream(incoming: Incoming) -> None:
        incoming.start(200, b"")
        await incoming.send(b"abc")
        incoming.finish(b"de")

    written, _ = asyncio.run(exchanged([b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"], stream))
    head, _, body = written.partition(b"\r\n\r\n")
    assert body == b"abcde"
    assert b"connection: close" in head
    assert b"chunked" not in head


def test_a_stream_waits_for_a_client_that_takes_too_little() -> None:
    sent: list[int] = []

    async def stream(incoming: Incoming) -> None:
        incoming.start(200, b"")
        for number in range(3):
            await incoming.send(b"x")
            sent.append(number)
        incoming.finish(b"")

    async def main() -> None:
        server = Server(stream, LIMITS, Timeouts(), Deadlines([1.0]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        connection.pause_writing()
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0)
        assert sent == []
        connection.resume_writing()
        await transport.ended.wait()
        assert sent == [0, 1, 2]
        await server.stop(0, 1)

    asyncio.run(main())


def test_a_client_that_never_takes_its_answer_is_cut_off() -> None:
    async def stream(incoming: Incoming) -> None:
        incoming.start(200, b"")
        await incoming.send(b"x")

    async def main() -> bool:
        server = Server(stream, LIMITS, Timeouts(receive_ms=20), Deadlines([0.02]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        connection.pause_writing()
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await transport.ended.wait()
        await server.stop(0, 1)
        return transport.is_closing()

    assert asyncio.run(main())


def test_an_answer_that_breaks_is_not_taken_for_whole() -> None:
    async def broken(incoming: Incoming) -> None:
        incoming.start(200, b"")
        await incoming.send(b"abc")

    async def main() -> Memory:
        server = Server(broken, LIMITS, Timeouts(), Deadlines([1.0]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await transport.ended.wait()
        return transport

    transport = asyncio.run(main())
    assert transport.is_closing()
    assert not transport.written.endswith(b"0\r\n\r\n")


def test_a_client_that_hangs_up_ends_its_answer_without_a_task_that_watches() -> None:
    gone: list[bool] = []

    async def slow(incoming: Incoming) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            gone.append(incoming.gone)

    async def main() -> int:
        server = Server(slow, LIMITS, Timeouts(), Deadlines([1.0]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0)
        tasks = len(asyncio.all_tasks())
        transport.close()
        await transport.ended.wait()
        await server.stop(5, 1)
        return tasks

    assert asyncio.run(main()) == 2  # this one and the answer
    assert gone == [True]


@pytest.mark.parametrize("stops", [False, True])
def test_a_stop_lets_answers_be_finished_and_closes_what_is_idle(*, stops: bool) -> None:
    go = asyncio.Event()

    async def slow(incoming: Incoming) -> None:
        await go.wait()
        incoming.respond(200, b"", b"done")

    async def main() -> tuple[Memory, Memory]:
        server = Server(slow, LIMITS, Timeouts(), Deadlines([1.0]))
        busy, idle = Memory(), Memory()
        for transport in (busy, idle):
            transport.connect(Connection(server))
        connection = next(each for each in server.connections if each._transport is busy)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0)
        stopping = asyncio.create_task(server.stop(0 if stops else 5, 1))
        await asyncio.sleep(0)
        assert idle.is_closing()
        assert not busy.is_closing()
        if not stops:
            go.set()
        await stopping
        return busy, idle

    busy, _ = asyncio.run(main())
    assert busy.is_closing()
    assert busy.body == (b"" if stops else b"done")


def test_a_client_that_takes_its_answer_late_still_has_to_send_its_next_request_in_time() -> None:
    async def talk() -> float:
        server = Server(echo, LIMITS, Timeouts(), Deadlines([1.0]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        connection.data_received(b"POST / HTTP/1.1\r\nHo")
        connection.pause_writing()
        connection.resume_writing()
        left_s = connection.deadline - asyncio.get_running_loop().time()
        await server.stop(0, 0)
        server.deadlines.close()
        return left_s

    assert asyncio.run(talk()) <= Timeouts().headers_ms / 1000


@pytest.mark.parametrize("cut", [0, 10])
def test_an_answer_may_take_longer_than_a_client_may_take_to_ask_or_to_rest(cut: int) -> None:
    go = asyncio.Event()
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"

    async def slow(incoming: Incoming) -> None:
        await incoming.body()
        await go.wait()
        incoming.respond(200, b"", b"done")

    async def main() -> tuple[list[float], bytes]:
        server = Server(slow, LIMITS, Timeouts(), Deadlines([1.0]))
        transport, connection = Memory(), Connection(server)
        transport.connect(connection)
        deadlines = []
        for _ in range(2):  # the second one comes over a connection that has rested
            go.clear()
            connection.data_received(request[:cut])
            connection.data_received(request[cut:])
            await asyncio.sleep(0)
            deadlines.append(connection.deadline)
            connection.expire()
            go.set()
            assert connection._task is not None
            await connection._task
        await server.stop(0, 0)
        server.deadlines.close()
        return deadlines, transport.body

    deadlines, body = asyncio.run(main())
    assert deadlines == [math.inf, math.inf]
    assert body.count(b"done") == 2
