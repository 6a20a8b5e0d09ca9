"""GET /healthz: whether the gateway can do its work; needs no key, and tells who has one how each backend does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from cellwright.gateway.keys import credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.metering.meter import Meter
    from cellwright.gateway.routing.standing import Standings


class Health:
    """The endpoint of health."""

    def __init__(self, meter: Meter, callers: Callers, standings: Standings, clock: Callable[[], float]) -> None:
        self._meter = meter
        self._callers = callers
        self._standings = standings
        self._clock = clock

    async def answer(self, call: Call) -> None:
        """Say whether requests are answered; what cannot be metered should not be sent."""
        said: dict[str, Any] = {"status": "ok"}
        if not self._meter.healthy:
            said = {"status": "degraded", "reason": "requests cannot be metered"}
        if credential(call.headers) is not None:
            await self._callers.identify(call.headers, call.names)
            said["backends"] = self._standings.states(self._clock())
        await call.reply.json(orjson.dumps(said), 200 if self._meter.healthy else 503)
