"""Asks a gateway for chat completions from a process of its own, and tells what a client saw.

Reads one JSON object with the load from standard input, prints one with what came of it. Closed loop: `connections`
keep-alive connections, each with one request under way, for `requests` requests or for `seconds`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

_LENGTH: Final = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d\d\d)")
_SAID: Final = re.compile(rb"id-(\d+)")
_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Load:
    """What is asked, of whom."""

    port: int
    path: str
    headers: dict[str, str]
    model: str
    stream: bool
    size: int  # bytes of a body
    connections: int
    requests: int = 0
    seconds: float = 0.0
    fresh: bool = False  # a connection of its own for each request
    gap_s: float = 0.0
    records: int = 0  # lines of syslog besides

    def request(self, number: int) -> bytes:
        """Return a request that is told apart by its number."""
        content = f"id-{number} "
        body: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": content}]}
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        filling = "which alarm of this storm came first, and why? "
        room = max(0, self.size - len(json.dumps(body)))
        body["messages"][0]["content"] = content + (filling * (room // len(filling) + 1))[:room] + self._records(number)
        data = json.dumps(body).encode()
        lines = [f"POST {self.path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()] + [f"content-length: {len(data)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def _records(self, number: int) -> str:
        """Return lines of syslog that no other request has."""
        lines = (
            f"\n<{134 + line % 7}>Nov 22 06:{line // 60 % 60:02d}:{line % 60:02d} router{line % 37} bgpd[{number}]: "
            f"peer {line % 50} down, hold timer {line} expired"
            for line in range(self.records)
        )
        return "".join(lines)


@dataclass(slots=True)
class Seen:
    """What came of it."""

    latencies_ms: list[float] = field(default_factory=list)
    ttft_ms: list[float] = field(default_factory=list)
    failed: int = 0
    mixed: int = 0  # answers that were somebody else's
    statuses: dict[str, int] = field(default_factory=dict)


class Client:
    """One connection."""

    def __init__(self, load: Load, seen: Seen) -> None:
        self._load = load
        self._seen = seen
        self._pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, number: int) -> None:
        """Ask once and take note."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, ttft_s, body = await self._exchange(number, began)
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError) as error:
            self._seen.failed += 1
            kind = type(error).__name__
            self._seen.statuses[kind] = self._seen.statuses.get(kind, 0) + 1
            self.close()
            return
        seen = self._seen
        seen.latencies_ms.append((time.perf_counter() - began) * 1000)
        if ttft_s is not None:
            seen.ttft_ms.append(ttft_s * 1000)
        seen.statuses[status] = seen.statuses.get(status, 0) + 1
        said = set(_SAID.findall(body))
        whole = status == "200" and (not self._load.stream or b"[DONE]" in body)
        if not whole or not said:
            seen.failed += 1
        elif said != {str(number).encode()}:
            seen.mixed += 1
        if self._load.fresh:
            self.close()

    async def _exchange(self, number: int, began: float) -> tuple[str, float | None, bytes]:
        if self._pipes is None:
            self._pipes = await asyncio.open_connection("127.0.0.1", self._load.port)
        reader, writer = self._pipes
        writer.write(self._load.request(number))
        head = await reader.readuntil(b"\r\n\r\n")
        status = _STATUS.match(head)
        length = _LENGTH.search(head)
        if length:
            return status[1].decode(), None, await reader.readexactly(int(length[1]))
        body, ttft_s = bytearray(), None
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
            if ttft_s is None and b'"content":"id-' in bytes(body).replace(b'": "', b'":"'):
                ttft_s = time.perf_counter() - began
        await reader.readuntil(b"\r\n")
        return status[1].decode(), ttft_s, bytes(body)

    def close(self) -> None:
        """Give the connection up."""
        if self._pipes is not None:
            self._pipes[1].close()
            self._pipes = None


async def run(load: Load) -> dict[str, Any]:
    """Return what a load came to."""
    seen, numbers = Seen(), iter(range(10**9))
    began = time.perf_counter()

    def goes_on(number: int) -> bool:
        return number < load.requests if load.requests else time.perf_counter() - began < load.seconds

    async def one() -> None:
        client = Client(load, seen)
        while goes_on(number := next(numbers)):
            await client.ask(number)
        client.close()

    await asyncio.gather(*(one() for _ in range(load.connections)))
    took_s = time.perf_counter() - began
    return {
        "requests": len(seen.latencies_ms),
        "failed": seen.failed,
        "mixed": seen.mixed,
        "statuses": seen.statuses,
        "seconds": took_s,
        "latencies_ms": sorted(seen.latencies_ms),
        "ttft_ms": sorted(seen.ttft_ms),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Load(**json.load(sys.stdin))))))
