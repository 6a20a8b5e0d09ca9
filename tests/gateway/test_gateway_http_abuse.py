"""What clients should not send, over sockets to a running gateway: each is answered, ended and never taken for more."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from gateway_kit import KEY, Scripted, bench, config, opener, whole

from cellwright.gateway.model import Limits, Timeouts
from cellwright.gateway.serve import running
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
Address = tuple[str, int]
QUESTION = b'{"model": "auto", "messages": [{"role": "user", "content": "one two three"}]}'
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n".encode()
LENGTH = b"Content-Length: %d\r\n\r\n" % len(QUESTION)
GOOD = HEAD + LENGTH + QUESTION
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = HEALTH.replace(b"Host", b"Connection: close\r\nHost")
WRONG = HEAD.replace(KEY.encode(), b"wrong")
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Serve with small limits and short times."""
    timeouts = Timeouts(headers_ms=300, receive_ms=300, idle_ms=400)
    with listening(tmp_path_factory.mktemp("meter"), timeouts) as address:
        yield address


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Address]:
    """Serve with small limits, for clients that are kept waiting by nothing but a busy machine."""
    with listening(tmp_path, Timeouts()) as address:
        yield address


@contextlib.contextmanager
def listening(folder: Path, timeouts: Timeouts) -> Iterator[Address]:
    limits = Limits(body_bytes=4096, header_bytes=2048, connections=16)
    backend = Scripted((whole(usage=Usage(3, 2)),))
    setup = config(limits=limits, timeouts=timeouts)
    with bench(folder, setup, opener(backend)) as gateway, running(gateway.app) as url:
        yield ("127.0.0.1", int(url.rpartition(":")[2].removesuffix("/v1")))


def said(address: Address, *pieces: bytes) -> bytes:
    """Return all that the server says to pieces of bytes until it closes the connection."""
    heard = b""
    with socket.create_connection(address, timeout=20) as client:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                client.sendall(piece)
        with contextlib.suppress(ConnectionError):
            while data := client.recv(65536):
                heard += data
    return heard


def statuses(heard: bytes) -> list[int]:
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


REFUSED = {
    "length and chunked": (400, HEAD + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HEALTH),
    "chunked and length": (400, HEAD + CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n" + HEALTH),
    "two lengths": (400, HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + HEALTH),
    "the same length twice": (400, HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" + HEALTH),
    "a list of lengths": (400, HEAD + b"Content-Length: 4, 4\r\n\r\nabcd" + HEALTH),
    "a length with a sign": (400, HEAD + b"Content-Length: +4\r\n\r\nabcd" + HEALTH),
    "a negative length": (400, HEAD + b"Content-Length: -4\r\n\r\nabcd" + HEALTH),
    "a hexadecimal length": (400, HEAD + b"Content-Length: 0x4\r\n\r\nabcd" + HEALTH),
    "a length past all numbers": (400, HEAD + b"Content-Length: 99999999999999999999\r\n\r\nabcd" + HEALTH),
    "a folded field": (400, HEAD + b"X-A: a\r\n b\r\n\r\n" + HEALTH),
    "a folded coding": (400, HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + HEALTH),
    "lines that end in LF": (400, b"GET /healthz HTTP/1.1\nHost: x\n\n" + HEALTH),
    "one field that ends in LF": (400, HEAD + b"X-A: a\nContent-Length: 4\r\n\r\nabcd" + HEALTH),
    "a bare CR": (400, HEAD + b"X-A: a\rContent-Length: 4\r\n\r\nabcd" + HEALTH),
    "an unknown coding": (501, HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HEALTH),
    "a second coding": (501, HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + HEALTH),
    "chunked not last": (400, HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HEALTH),
    "chunked in HTTP/1.0": (501, HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n" + HEALTH),
    "a space before a colon": (400, HEAD + b"Content-Length : 4\r\n\r\nabcd" + HEALTH),
    "a space before a field": (400, b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n" + HEALTH),
    "a field without a name": (400, HEAD + b": a\r\n\r\n" + HEALTH),
    "NUL in a value": (400, HEAD + b"X-A: a\x00b\r\n\r\n" + HEALTH),
    "NUL in a name": (400, HEAD + b"X\x00A: a\r\n\r\n" + HEALTH),
    "NUL in the target": (400, b"GET /healthz\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH),
    "no ASCII in the target": (400, b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH),
    "no Host": (400, b"GET /healthz HTTP/1.1\r\n\r\n" + HEALTH),
    "two Hosts": (400, b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + HEALTH),
    "CONNECT": (501, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH),
    "an unknown method": (400, b"FROB /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
    "HTTP/0.9": (505, b"GET /healthz\r\n\r\n"),
    "HTTP/1.2": (505, b"GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n" + HEALTH),
    "the hello of TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
    "garbage": (400, b"\xff\xfe\xfd\xfc" * 100),
    "an unknown expectation": (417, HEAD + b"Expect: wonders\r\n" + LENGTH + QUESTION + HEALTH),
    "a target past its limit": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH),
    "fields past their limit": (431, HEAD + b"X-A: " + b"a" * 3000 + b"\r\n\r\n" + HEALTH),
    "too many fields": (431, HEAD + b"X-A: a\r\n" * 200 + b"\r\n" + HEALTH),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_request_is_refused_and_nothing_behind_it_is_read(served: Address, case: str) -> None:
    status, raw = REFUSED[case]
    heard = said(served, raw)
    assert statuses(heard) == [status]
    assert b"connection: close" in heard
    assert b'"error"' in heard


BROKEN_BODIES = {
    "a chunk past all numbers": b"FFFFFFFFFFFFFFFFF\r\nabc\r\n",
    "a negative chunk": b"-1\r\nabc\r\n",
    "a chunk that is longer than it says": b"3\r\nabcXX0\r\n\r\n",
    "chunks whose lines end in LF": b"3\nabc\n0\n\n",
    "an extension that ends in LF": b"3;a\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", BROKEN_BODIES)
def test_a_body_that_breaks_its_form_is_not_answered_as_if_it_were_whole(served: Address, case: str) -> None:
    heard = said(served, HEAD + CHUNKED + b"\r\n" + BROKEN_BODIES[case] + HEALTH)
    assert statuses(heard) == [400]


SERVED = {
    "absolute form": (b"GET http://elsewhere.example/healthz?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "a path in percent signs": (b"GET /%68ealthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "a path that is no UTF-8": (HEAD.replace(b"POST /v1/chat/completions", b"GET /v1/models/%ff%00") + b"\r\n", 404),
    "HEAD": (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "OPTIONS": (b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "OPTIONS of nothing": (b"OPTIONS /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "empty lines before": (b"\r\n\r\n" + HEALTH, 200),
    "chunks": (HEAD + CHUNKED + b"\r\n%x;a=b\r\n" % len(QUESTION) + QUESTION + b"\r\n0\r\n\r\n", 200),
    "a body that is no UTF-8": (HEAD + b"Content-Length: 2\r\n\r\n\xff\xfe", 400),
    "a key of strange bytes": (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n", 401),
    "two keys": (HEAD + b"Authorization: Bearer other\r\n" + LENGTH + QUESTION, 401),
    "a trailer with a key": (WRONG + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + HEAD.split(b"\r\n")[2] + b"\r\n\r\n", 401),
    "an offer of HTTP/2": (HEAD + OFFER + LENGTH + QUESTION, 200),
    "an offer of HTTP/2 in chunks": (HEAD + OFFER + CHUNKED + b"\r\n4d\r\n" + QUESTION + b"\r\n0\r\n\r\n", 200),
}  # fmt: skip


@pytest.mark.parametrize("case", SERVED)
def test_what_is_odd_but_allowed_is_answered_once(served: Address, case: str) -> None:
    raw, status = SERVED[case]
    heard = said(served, raw if b"Connection" in raw else raw.replace(b"Host", b"Connection: close\r\nHost", 1))
    assert statuses(heard) == [status]
    assert (b"allow: POST, OPTIONS" in heard) == (case == "OPTIONS")
    assert heard.endswith(b"\r\n\r\n") == (case in {"HEAD", "OPTIONS"})


def test_an_offer_of_http_2_is_served_however_it_is_cut(served: Address) -> None:
    raw, _ = SERVED["an offer of HTTP/2"]
    place = raw.index(QUESTION)
    for cut in (place - 2, place, place + 5):
        assert statuses(said(served, raw[:cut], raw[cut:])) == [200]


def test_requests_in_one_go_are_answered_in_order(served: Address) -> None:
    missing = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(said(served, GOOD + missing + HEALTH + GOOD + missing)) == [200, 404, 200, 200, 404]


def test_what_follows_the_end_of_a_connection_is_not_read(served: Address) -> None:
    assert statuses(said(served, HEALTH + LAST + HEALTH)) == [200, 200]


def test_a_client_that_asks_whether_to_go_on_is_told_and_served(patient: Address) -> None:
    with socket.create_connection(patient, timeout=20) as client:
        client.sendall(HEAD + b"Expect: 100-continue\r\n" + LENGTH)
        assert client.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(QUESTION)
        assert statuses(client.recv(65536)) == [200]


def test_a_client_that_asks_whether_to_go_on_without_a_key_is_not_told_to(served: Address) -> None:
    assert statuses(said(served, WRONG + b"Expect: 100-continue\r\n" + LENGTH)) == [401]


@pytest.mark.parametrize(
    "sent", [b"Content-Length: 5000\r\n\r\n", CHUNKED + b"\r\n" + b"800\r\n%b\r\n" % bytes(2048) * 3]
)
def test_a_body_past_the_limit_is_refused_before_it_is_there(served: Address, sent: bytes) -> None:
    heard = said(served, HEAD + sent)
    assert statuses(heard) == [413]
    assert b"connection: close" in heard


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", []),
        (b"\r\n", []),
        (b"P", [408]),
        (HEAD, [408]),
        (HEALTH + b"GET", [200, 408]),
        (HEAD + LENGTH, [408]),
        (HEAD + LENGTH + QUESTION[:-1], [408]),
        (HEAD + CHUNKED + b"\r\n1\r\n", [408]),
        (HEALTH, [200]),
    ],
)
def test_who_is_too_slow_is_told_and_sent_away(served: Address, raw: bytes, status: list[int]) -> None:
    assert statuses(said(served, raw)) == status


def test_a_field_that_drips_does_not_hold_a_connection(served: Address) -> None:
    heard = b""
    with socket.create_connection(served, timeout=0.05) as client, contextlib.suppress(ConnectionError):
        client.sendall(HEAD + b"X-A: ")
        for _ in range(400):
            client.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                heard = client.recv(1024)
                break
    assert statuses(heard) == [408]


def test_connections_past_the_limit_are_sent_away_with_when_to_come_back(patient: Address) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(patient, timeout=20)) for _ in range(16)]
        for client in held:
            client.sendall(HEALTH)
            assert statuses(client.recv(4096)) == [200]
        heard = said(patient, b"")
    assert statuses(heard) == [503]
    assert b"retry-after: 1" in heard
    status = [503]
    while status == [503]:  # until it is noticed that the others left
        status = statuses(said(patient, LAST))
    assert status == [200]


def test_requests_past_the_limit_are_sent_away_with_when_to_come_back(tmp_path: Path) -> None:
    never = Scripted((asyncio.Event().wait(),))
    with bench(tmp_path, config(limits=Limits(requests=1)), opener(never)) as gateway, running(gateway.app) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2].removesuffix("/v1")))
        with (
            socket.create_connection(address, timeout=20) as first,
            socket.create_connection(address, timeout=20) as client,
        ):
            first.sendall(GOOD)
            status = [200]
            while status != [503]:
                client.sendall(GOOD.replace(b"auto", b"none"))  # answered at once: 404 before the first is under way
                heard = client.recv(65536)
                status = statuses(heard)
            assert b"retry-after: 1" in heard
            client.sendall(HEALTH)
            assert statuses(client.recv(4096)) == [200]
