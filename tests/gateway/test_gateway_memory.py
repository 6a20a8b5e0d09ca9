"""What a request holds while it is answered, and what the process gives back."""

from __future__ import annotations

import asyncio
import ctypes
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import orjson
import pytest
from gateway_kit import QUESTION, Scripted, bench, config, opener, piece, spec

from cellwright.digest.tokens import exact_counter
from cellwright.gateway.memory import keep_trimmed
from cellwright.gateway.wire import Operation

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 2_000_000
RESIDENT = """
import os
from cellwright.digest.tokens import token_counter
from cellwright.gateway.memory import trim

def resident():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

"""
HOLES = """
bodies = [bytes(80_000) for _ in range(1_000)]
full = resident()
bodies = bodies[::10]
before = resident()
trim()
print(full - before, before - resident())
"""
COUNTING = """
trim()
text, counter = "<134>1 registration rejected " * 99, token_counter()
counted = counter.count(text)
before = resident()
trim()
print(before - resident(), counter.count(text) - counted)
"""


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("/v1/chat/completions", QUESTION | {"messages": [{"role": "user", "content": "x" * SIZE}]}),
        ("/v1/completions", {"model": "auto", "prompt": "x" * SIZE}),
        ("/v1/completions", {"model": "auto", "prompt": ["x" * SIZE]}),
        ("/v1/responses", {"model": "auto", "input": "x" * SIZE}),
        ("/v1/messages", {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "x" * SIZE}]}),
    ],
)
def test_a_request_holds_what_was_read_of_its_body_and_no_more(tmp_path: Path, path: str, question: object) -> None:
    raw = orjson.dumps(question | {"stream": True})  # type: ignore[operator]
    held: list[int] = []

    async def look() -> None:
        held.append(tracemalloc.get_traced_memory()[0])

    backend = Scripted((piece("four"), look(), piece("five")), operations=frozenset(Operation))
    with bench(tmp_path, config(spec()), opener(backend)) as gateway:
        tracemalloc.start()
        try:
            response = gateway.ask(raw, path=path)
        finally:
            tracemalloc.stop()
    assert response.status == 200
    assert SIZE < held[0] < SIZE * 1.2


def run(code: str) -> str:
    command = [sys.executable, "-c", RESIDENT + code]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library gives nothing back when told")
def test_holes_that_bodies_leave_in_the_heap_are_given_back() -> None:
    by_itself, told = map(int, run(HOLES).split())
    assert by_itself < 20_000_000
    assert told > 60_000_000


@pytest.mark.skipif(
    sys.platform != "linux" or exact_counter() is None, reason="no tables are read, or none is given back"
)
def test_tables_of_tokens_are_let_go_of_once_they_are_read_and_counts_stay_as_they_are() -> None:
    told, changed = map(int, run(COUNTING).split())
    assert told > 25_000_000
    assert changed == 0


def test_memory_is_given_back_again_and_again_until_the_server_stops() -> None:
    times: list[None] = []

    async def main() -> None:
        thrice = asyncio.Event()
        loop = asyncio.get_running_loop()

        def trim() -> None:
            times.append(None)
            if len(times) == 3:
                loop.call_soon_threadsafe(thrice.set)

        trimming = asyncio.ensure_future(keep_trimmed(trim, 0.0))
        await thrice.wait()
        trimming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trimming

    asyncio.run(main())
    assert len(times) >= 3
