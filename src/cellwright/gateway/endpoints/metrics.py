"""GET /metrics: what the rows of all workers add up to, for whoever may see it.

A key of the role `metrics` sees every tenant, any other key its own tenant alone. Without a key only the networks that
the configuration names see anything (by default this machine), and those see every tenant; a request that came through
a proxy does not count as coming from where the proxy stands.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.gateway.keys import credential, unauthorised
from cellwright.gateway.metering import genai

if TYPE_CHECKING:
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.metering.meter import Meter
    from cellwright.gateway.model import GatewayConfig

ROLE: Final = "metrics"
_PROXIED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
_NO_KEY: Final = "a key is needed from this address: send it as 'Authorization: Bearer ...'"


class Metrics:
    """The endpoint of metrics."""

    def __init__(self, config: GatewayConfig, callers: Callers, meter: Meter) -> None:
        self._networks = config.metrics_from
        self._callers = callers
        self._meter = meter
        self._types = MappingProxyType({spec.name: spec.type for spec in config.backends})

    async def answer(self, call: Call) -> None:
        """Answer with Prometheus text."""
        tenant = await self._tenant(call)
        found = await asyncio.to_thread(self._meter.series, tenant)
        await call.reply.whole(genai.prometheus(found, self._types).encode(), genai.CONTENT_TYPE)

    async def _tenant(self, call: Call) -> str | None:
        """Return the one tenant that a caller may see, None for all of them; raise ApiError (401)."""
        if credential(call.headers) is not None:
            key = await self._callers.identify(call.headers, call.names)
            return None if ROLE in key.roles else key.tenant
        if self._is_near(call):
            return None
        raise unauthorised(_NO_KEY)

    def _is_near(self, call: Call) -> bool:
        if call.client is None or any(call.header(name) is not None for name in _PROXIED):
            return False
        address = ip_address(call.client)
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)
