"""The gateway on a socket, and the client that asks and measures."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from gateway_kit import KEY, Scripted, Upstream, bench, config, opener, piece, spec

from cellwright.errors import Diagnostic, UnavailableError
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.client import ask_all
from cellwright.gateway.serve import bind, running, serve
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.gateway.client import Answer

pytestmark = pytest.mark.integration
PROMPT = [{"role": "user", "content": "one two three"}]
CLOSING = Chunk(b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}', "", Usage(3, 2), closing=True)
GOOD = Scripted((piece("four "), piece("five"), CLOSING))
BROKEN = Scripted((piece("four "), BackendError(Diagnostic("upstream_broke_off", "backend edge broke off"))))


def asked(url: str, count: int = 1, key: str = KEY, **details: object) -> tuple[Answer, ...]:
    return asyncio.run(ask_all(url, key, "auto", [PROMPT] * count, **details))  # type: ignore[arg-type]


def test_answers_come_over_a_socket_and_are_measured_on_both_sides(tmp_path: Path) -> None:
    steps: list[tuple[float, float | None]] = []
    with bench(tmp_path, config(), opener(GOOD)) as gateway:
        with running(gateway.app) as url:
            answers = asked(url, 20, concurrency=4, progress=lambda done, total: steps.append((done, total)))
        rows = list(gateway.meter.rows())
        (total,) = gateway.meter.totals()
    assert {(answer.text, answer.tokens_in, answer.tokens_out, answer.error) for answer in answers} == {
        ("four five", 3, 2, None)
    }
    assert all(answer.ttft_ms is not None and 0 < answer.ttft_ms <= answer.round_trip_ms for answer in answers)
    assert steps == [(number, 20) for number in range(1, 21)]
    assert {answer.headers["x-cellwright-request-id"] for answer in answers} == {row.request_id for row in rows}
    assert (total.requests, total.tokens_in, total.tokens_out) == (20, 60, 40)


@pytest.mark.parametrize(
    ("backend", "key", "status", "error"),
    [
        (GOOD, "wrong", 401, "the key is not known here (invalid_api_key)"),
        (BROKEN, KEY, 200, "backend edge broke off (upstream_broke_off)"),
        (Scripted((RuntimeError(),)), KEY, 500, "the gateway failed; its log names this request (internal_error)"),
    ],
)
def test_an_answer_that_fails_says_why(tmp_path: Path, backend: Scripted, key: str, status: int, error: str) -> None:
    with bench(tmp_path, config(), opener(backend)) as gateway, running(gateway.app) as url:
        (answer,) = asked(url, key=key)
    assert (answer.status, answer.error, answer.tokens_in) == (status, error, None)


@pytest.mark.parametrize("raw", [b"data: {}\n\n", b"data: {garbage\n\n"])
def test_the_client_tells_an_answer_that_breaks_off(raw: bytes) -> None:
    async def cut(_: web.Request) -> web.StreamResponse:
        return web.Response(body=raw, content_type="text/event-stream")

    async def main() -> tuple[Answer, ...]:
        async with Upstream(cut).open() as upstream:
            return await ask_all(upstream.url, KEY, "auto", [PROMPT])

    (answer,) = asyncio.run(main())
    assert answer.error is not None
    assert "broke off" in answer.error


def test_where_nobody_listens_the_client_says_so() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(UnavailableError, match=f"no answer from http://127.0.0.1:{port}/v1"):
        asked(f"http://127.0.0.1:{port}/v1", 3)


def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with (
            bench(tmp_path, config(port=port), opener(GOOD)) as gateway,
            pytest.raises(UnavailableError, match=rf"port-taken.*port {port}.*choose another port"),
            running(gateway.app),
        ):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 64])
def test_an_address_that_is_none_of_this_machine_is_told(host: str) -> None:
    with pytest.raises(UnavailableError, match=r"port-unavailable.*the gateway.*give an address of this machine"):
        bind(host, 0)


def test_a_client_that_hangs_up_is_noticed_on_a_socket(tmp_path: Path) -> None:
    left = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    body = b'{"model": "auto", "messages": [{"role": "user", "content": "one two three"}], "stream": true}'
    with bench(tmp_path, config(), opener(Scripted((piece("four "), hang())))) as gateway:
        with running(gateway.app) as url:
            address = ("127.0.0.1", int(url.rpartition(":")[2].removesuffix("/v1")))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            with socket.create_connection(address, timeout=10) as client:
                client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                heard = b""
                while b"four" not in heard:
                    heard += client.recv(4096)
            assert left.wait(10)
        (row,) = gateway.meter.rows()
    assert (row.error, row.tokens_in, row.tokens_out, row.estimated) == ("client_gone", 3, 1, True)


def test_a_gateway_in_the_foreground_stops_on_an_interrupt(tmp_path: Path) -> None:
    announced: list[str] = []

    def interrupt(url: str) -> None:
        announced.append(url)
        os.kill(os.getpid(), signal.SIGINT)

    with bench(tmp_path, config(spec()), opener(GOOD)) as gateway:
        serve(gateway.app, interrupt)
    assert announced[0].startswith("http://127.0.0.1:")


def test_while_requests_are_answered_no_thread_has_the_interpreter_for_long(tmp_path: Path) -> None:
    usual_s, served_s = sys.getswitchinterval(), []

    def interrupt(_: str) -> None:
        served_s.append(sys.getswitchinterval())
        os.kill(os.getpid(), signal.SIGINT)

    with bench(tmp_path, config(spec()), opener(GOOD)) as gateway:
        serve(gateway.app, interrupt)
    assert served_s == [pytest.approx(0.0005)]
    assert sys.getswitchinterval() == usual_s
