"""Calls that no model answers, let in within the quotas of whoever makes them: each is one request, of no tokens."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.paths import Handler, Path
    from cellwright.gateway.quota_setup import Quotas


class Limited:
    """Puts the rates of requests, and the requests that may be in flight, before handlers."""

    def __init__(self, callers: Callers, quotas: Quotas) -> None:
        self._callers = callers
        self._quotas = quotas

    def to(self, path: Path) -> Path:
        """Return a line of the table of paths whose handler is asked by those alone who may ask now."""
        handler = functools.partial(self._answer, path.handler)
        return replace(path, handler=functools.update_wrapper(handler, path.handler))  # told of by the same words

    async def _answer(self, handler: Handler, call: Call) -> None:
        """Have a handler answer, and say in the headers what is left; raise ApiError (429, 503)."""
        hold = await self._quotas.hold(await self._callers.identify(call.headers, call.names))
        if hold is None:
            await handler(call)
            return
        call.reply.more = hold.headers
        try:
            await handler(call)
        finally:
            hold.settle(0, 0)
