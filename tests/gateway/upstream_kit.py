"""Fake model servers for the gateway's tests: what they say, and a gateway asked with one behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from gateway_kit import QUESTION, Upstream, alive, bench, call, config, remote

from cellwright.gateway.model import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from gateway_kit import Bench, Response

    from cellwright.gateway.metering.row import MeterRow

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STREAM = QUESTION | {"stream": True, "stream_options": {"include_usage": True}}
ANSWER = {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "four five"}}]}
USAGE = {"prompt_tokens": 30, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 10}}
SECRETS = {"MODEL_KEY": "PLANTED-SECRET"}


def delta(text: str, **more: object) -> bytes:
    return orjson.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": text}, **more}], "usage": None})


def says(body: object, status: int = 200, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")

    return handler


def streams(*pieces: bytes, cut: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for part in pieces:
            await response.write(part)
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    return handler


def in_turn(*handlers: Handler) -> Handler:
    waiting = iter(handlers)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await next(waiting)(request)

    return handler


def asked(
    folder: Path,
    handler: Handler,
    body: object = QUESTION,
    **details: Any,  # noqa: ANN401
) -> tuple[Response, MeterRow, Upstream]:
    """Ask a gateway with one remote backend; return the answer, its row, and what the upstream saw."""
    upstream = Upstream(handler)
    guard = details.pop("guard", lambda _: None)
    timeouts = details.pop("timeouts", Timeouts())
    path = details.pop("path", "/v1/chat/completions")
    base = details.pop("base", str)
    changes = {"type": "openai", "api_key_env": "MODEL_KEY", "retries": 0} | details
    row: list[MeterRow] = []

    async def main() -> Response:
        async with upstream.open():
            setup = config(remote(base_url=base(upstream.url), **changes), timeouts=timeouts)
            with bench(folder, setup, guard=guard, secrets=SECRETS) as gateway:
                response = await inside(gateway, body, path)
                row.extend(gateway.meter.rows())
                return response

    return asyncio.run(main()), row[0], upstream


async def inside(gateway: Bench, body: object, path: str = "/v1/chat/completions") -> Response:
    """Ask within the running event loop."""
    async with alive(gateway.app):
        return await call(gateway.app, body, path=path)
