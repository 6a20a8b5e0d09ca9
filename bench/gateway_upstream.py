"""A model server that does no work: it answers chat completions whole or as a stream and counts what it said.

Every answer repeats the number behind `id-` in the request, so that a client can tell whether it got its own. Prints
its port on one line. GET /count tells requests and tokens; content is `WORDS` words, one token each by its own count.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Final

WORDS: Final = 20
_ID: Final = re.compile(rb"id-(\d+)")
_LENGTH: Final = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_STREAMS: Final = re.compile(rb'"stream":\s*true')
_IN: Final = 150  # tokens that it says every prompt had
_USAGE: Final = b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}' % (_IN, WORDS, _IN + WORDS)
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Count:
    """What was answered."""

    requests = 0
    tokens_in = 0
    tokens_out = 0


class Upstream(asyncio.Protocol):
    """One connection, whose requests come one after the other."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._held = bytearray()
        self._need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._held, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._held) < whole:
                return
            request = bytes(self._held[:whole])
            del self._held[:whole]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET"):
            told = {"requests": Count.requests, "tokens_in": Count.tokens_in, "tokens_out": Count.tokens_out}
            said = json.dumps(told).encode()
            self._transport.write(_HEAD % (len(said), said))
            return
        found = _ID.search(request)
        number = found[1] if found else b"0"
        Count.requests += 1
        Count.tokens_in += _IN
        if _STREAMS.search(request):
            asyncio.get_running_loop().create_task(self._stream(number))
            return
        Count.tokens_out += WORDS
        text = b" ".join([b"id-" + number, *[b"word"] * (WORDS - 1)])
        body = (
            b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,'
            b'"message":{"role":"assistant","content":"%b"},"finish_reason":"stop"}],"usage":%b}' % (text, _USAGE)
        )
        self._transport.write(_HEAD % (len(body), body))

    async def _stream(self, number: bytes) -> None:
        self._transport.write(_STREAM_HEAD)
        for place in range(WORDS):
            if self._transport.is_closing():
                return
            word = b"id-" + number if place == 0 else b" id-" + number if place == WORDS - 1 else b" word"
            self._event(b'"delta":{"content":"%b"},"finish_reason":null' % word)
            Count.tokens_out += 1
            if self._gap_s:
                await asyncio.sleep(self._gap_s)
        self._event(b'"delta":{},"finish_reason":"stop"')
        self._chunk(
            b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
            b'"choices":[],"usage":%b}\n\n' % _USAGE
        )
        self._chunk(b"data: [DONE]\n\n")
        self._transport.write(b"0\r\n\r\n")

    def _event(self, choice: bytes) -> None:
        self._chunk(
            b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
            b'"choices":[{"index":0,%b}]}\n\n' % choice
        )

    def _chunk(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))


async def main(gap_s: float) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(gap_s), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000))
