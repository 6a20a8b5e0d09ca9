"""The client side of HTTP: connections that are kept, answers cut anywhere, servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.gateway.http.client import Pool, Times
from cellwright.gateway.http.deadlines import Deadlines
from cellwright.gateway.upstream import BrokenOffError, ConnectFailedError, NetworkError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    Handler = Callable[["Peer"], Awaitable[None]]

pytestmark = pytest.mark.integration
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
UNTIL_END = b"HTTP/1.1 200 OK\r\n\r\nabcde"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


class Peer:
    """One connection as a server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heads: list[bytes] = []

    async def request(self) -> bytes:
        """Return the next request's head; its body is read too."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self.reader.readexactly(length)
        self.heads.append(head)
        return head


class Peers:
    """A server that does with each connection what it was told to; `count` says how many there were."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.count = 0
        self.url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.handler(Peer(reader, writer))
        writer.close()

    @contextlib.asynccontextmanager
    async def open(self, times: Times | None = None) -> AsyncIterator[Pool]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1?q=1"
        times = times or Times(5, 5)
        deadlines = Deadlines([times.read_s])
        pool = Pool(times, deadlines)
        try:
            yield pool
        finally:
            pool.close()
            deadlines.close()
            server.close()
            for _ in range(5):
                await asyncio.sleep(0)


def always(*pieces: bytes) -> Handler:
    """Answer every request of a connection with these pieces."""

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            for piece in pieces:
                peer.writer.write(piece)
                await peer.writer.drain()
                await asyncio.sleep(0)

    return handler


def once(answer: bytes) -> Handler:
    """Answer one request, then hang up."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(answer)

    return handler


async def read(pool: Pool, url: str, *, repeatable: bool = False) -> bytes:
    with await pool.request("POST", url, headers={"x-b": "1"}, body=b"{}", repeatable=repeatable) as response:
        return await response.read(1 << 20)


def talk(peers: Peers, talk: Callable[[Pool], Coroutine[object, object, object]], times: Times | None = None) -> object:
    async def main() -> object:
        async with asyncio.timeout(30):
            async with peers.open(times) as pool:
                return await talk(pool)

    return asyncio.run(main())


def test_a_request_is_sent_whole_and_its_answer_read() -> None:
    heads: list[bytes] = []

    async def handler(peer: Peer) -> None:
        heads.append(await peer.request())
        peer.writer.write(INTERIM + OK)

    async def main(pool: Pool) -> None:
        with await pool.request("POST", peers.url, headers={"x-b": "1"}, body=b"{}") as response:
            assert (response.status, response.headers["x-a"], response.headers.get("link")) == (200, "1, 2", None)
            assert await response.read(10) == b"ok"

    peers = Peers(handler)
    talk(peers, main)
    authority = peers.url.split("/")[2]
    assert heads[0].split(b"\r\n")[0] == b"POST /v1?q=1 HTTP/1.1"
    assert f"host: {authority}".encode() in heads[0]
    assert b"\r\naccept-encoding: identity\r\n" in heads[0]


@pytest.mark.parametrize("answer", [OK, CHUNKED])
def test_a_connection_is_used_again_after_a_whole_answer(answer: bytes) -> None:
    async def main(pool: Pool) -> None:
        for _ in range(5):
            await read(pool, peers.url)

    peers = Peers(always(answer))
    talk(peers, main)
    assert peers.count == 1


@pytest.mark.parametrize(
    "answer",
    [
        UNTIL_END,
        OK.replace(b"X-A", b"Connection: close\r\nX-A"),
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        OK + b"poison",
    ],
)
def test_a_connection_that_cannot_be_trusted_again_is_not_used_again(answer: bytes) -> None:
    async def main(pool: Pool) -> set[bytes]:
        return {await read(pool, peers.url) for _ in range(3)}

    peers = Peers(once(answer))
    assert talk(peers, main) == {b"abcde" if answer is UNTIL_END else b"ok"}
    assert peers.count == 3


@given(st.sampled_from([OK, CHUNKED, UNTIL_END, INTERIM + OK]), st.lists(st.integers(0, 90), max_size=6))
@settings(deadline=None, max_examples=40)
def test_an_answer_is_read_alike_however_it_is_cut(answer: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(min(cut, len(answer)) for cut in cuts), len(answer)})
    pieces = [answer[begin:end] for begin, end in itertools.pairwise(places)]

    async def cut(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            peer.writer.write(piece)
            await peer.writer.drain()
            await asyncio.sleep(0)

    peers = Peers(cut)
    assert talk(peers, lambda pool: read(pool, peers.url)) == (b"ok" if answer.endswith(b"ok") else b"abcde")


@given(st.binary(min_size=1, max_size=60) | st.sampled_from([OK, CHUNKED]).map(lambda answer: answer[:-3]))
@settings(deadline=None, max_examples=40)
def test_what_is_no_whole_answer_is_told_apart(answer: bytes) -> None:
    peers = Peers(once(answer))
    with pytest.raises(BrokenOffError):
        talk(peers, lambda pool: read(pool, peers.url))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_not_waited_for(answer: bytes) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(answer)
        await peer.reader.read()

    peers = Peers(handler)
    with pytest.raises(BrokenOffError):
        talk(peers, lambda pool: read(pool, peers.url))


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_kept_connection_that_died_is_replaced_only_where_the_request_may_be_repeated(*, repeatable: bool) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(OK)
        if peers.count == 1:
            await peer.request()  # taken, and not answered

    async def main(pool: Pool) -> bytes:
        await read(pool, peers.url)
        return await read(pool, peers.url, repeatable=repeatable)

    peers = Peers(handler)
    if repeatable:
        assert talk(peers, main) == b"ok"
        assert peers.count == 2
    else:
        with pytest.raises(BrokenOffError):
            talk(peers, main)
        assert peers.count == 1


def test_a_request_is_not_repeated_once_something_came_back() -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(OK)
        await peer.request()
        peer.writer.write(b"HTTP/1.1 2")

    async def main(pool: Pool) -> None:
        await read(pool, peers.url)
        await read(pool, peers.url, repeatable=True)

    peers = Peers(handler)
    with pytest.raises(BrokenOffError):
        talk(peers, main)
    assert peers.count == 1


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_silent_server_is_given_up(begin: bytes) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(begin)
        await peer.reader.read()

    peers = Peers(silent)
    with pytest.raises(TimedOutError):
        talk(peers, lambda pool: read(pool, peers.url), Times(5, 0.05))


def test_a_server_that_is_not_there_is_told() -> None:
    async def main(pool: Pool) -> None:
        await read(pool, "http://127.0.0.1:1/")

    with pytest.raises(ConnectFailedError):
        talk(Peers(always(OK)), main)


def test_a_body_past_the_limit_is_refused_and_its_connection_closed() -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(OK if peers.count > 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcdef")
        await peer.reader.read()

    async def main(pool: Pool) -> None:
        response = await pool.request("POST", peers.url, headers={}, body=b"")
        with response, pytest.raises(ValueError, match="longer than 4 bytes"):
            await response.read(4)
        await read(pool, peers.url)

    peers = Peers(handler)
    talk(peers, main)
    assert peers.count == 2


def test_a_server_is_held_back_while_nobody_takes_its_answer() -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        peer.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 26))
        for _ in range(1 << 10):
            peer.writer.write(bytes(1 << 16))
            await peer.writer.drain()
            sent += 1 << 16

    async def main(pool: Pool) -> tuple[int, int]:
        with await pool.request("POST", peers.url, headers={}, body=b"") as response:
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.05)  # until the buffers of both sides are full
            held = sent
            size = 0
            async for piece in response.pieces():
                size += len(piece)
            return held, size

    peers = Peers(flood)
    held, size = talk(peers, main)  # type: ignore[misc]
    assert held < 1 << 25
    assert size == 1 << 26


@pytest.mark.parametrize("ends", [True, False])
def test_the_rest_of_an_answer_is_let_in_so_that_its_connection_serves_again(*, ends: bool) -> None:
    gate = asyncio.Event()

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            peer.writer.write(CHUNKED[:-5])
            await gate.wait()
            peer.writer.write(CHUNKED[-5:] if ends else b"")

    async def main(pool: Pool) -> None:
        for _ in range(2):
            with await pool.request("POST", peers.url, headers={}, body=b"") as response:
                assert await anext(aiter(response.pieces())) == b"abcde"
                await response.drain()
            gate.set()
            if ends:
                while not any(pool._idle.values()):  # noqa: ASYNC110 - nothing tells that a connection is kept
                    await asyncio.sleep(0)

    peers = Peers(handler)
    talk(peers, main)
    assert peers.count == (1 if ends else 2)


def test_an_answer_that_is_left_early_ends_its_connection() -> None:
    left = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(CHUNKED[:-5])
        await peer.reader.read()
        left.set()

    async def main(pool: Pool) -> None:
        with await pool.request("POST", peers.url, headers={}, body=b"") as response:
            assert await anext(aiter(response.pieces())) == b"abcde"
        await left.wait()

    peers = Peers(handler)
    talk(peers, main)
    assert peers.count == 1


def test_many_requests_at_once_are_not_mixed_up() -> None:
    async def handler(peer: Peer) -> None:
        while True:
            head = await peer.request()
            number = head.partition(b"x-number: ")[2].partition(b"\r\n")[0]
            await asyncio.sleep(0)
            peer.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(number), number))

    async def one(pool: Pool, number: int) -> bytes:
        headers = {"x-number": str(number)}
        with await pool.request("POST", peers.url, headers=headers, body=b"") as response:
            return await response.read(10)

    async def main(pool: Pool) -> list[list[bytes]]:
        return [await asyncio.gather(*(one(pool, number) for number in range(20))) for _ in range(5)]

    peers = Peers(handler)
    assert talk(peers, main) == [[str(number).encode() for number in range(20)]] * 5
    assert peers.count <= 20


def test_a_connection_that_opens_after_the_end_is_closed_and_asked_nothing() -> None:
    asked: list[bytes] = []
    ended = asyncio.Event()

    async def note(peer: Peer) -> None:
        asked.append(await peer.reader.read())
        ended.set()

    async def main() -> None:
        peers = Peers(note)
        async with peers.open() as pool:
            opening = asyncio.create_task(read(pool, peers.url))
            while not peers.count and not opening.done():
                await asyncio.sleep(0)
                pool.close()
            with pytest.raises(ConnectFailedError):
                await opening
            with pytest.raises(ConnectFailedError):
                await read(pool, peers.url)
            assert not pool._open
            if peers.count:
                await ended.wait()

    asyncio.run(main())
    assert not any(asked)


@pytest.mark.parametrize("value", ["a\r\nx-b: 1", "a\nb", "a\rb", "a\0b"])
def test_a_header_cannot_end_its_line(value: str) -> None:
    async def main(pool: Pool) -> None:
        await pool.request("POST", peers.url, headers={"x-a": value}, body=b"")

    peers = Peers(always(OK))
    with pytest.raises(ValueError, match="line end") as caught:
        talk(peers, main)
    assert not isinstance(caught.value, NetworkError)
    assert peers.count == 0
