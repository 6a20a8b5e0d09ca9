"""GET /healthz: whether the gateway can do its work; needs no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.gateway.connection import Call
    from cellwright.gateway.meter import Meter


class Health:
    """The endpoint of health."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def answer(self, call: Call) -> None:
        """Say whether requests are answered; what cannot be metered should not be sent."""
        if self._meter.healthy:
            await call.reply.json(b'{"status":"ok"}')
        else:
            await call.reply.json(b'{"status":"degraded","reason":"requests cannot be metered"}', 503)
