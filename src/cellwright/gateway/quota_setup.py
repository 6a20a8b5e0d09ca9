"""The limiter of a gateway, with the store that its configuration names; it outlives changes of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.gateway.allowance import SqlAllowances
from cellwright.gateway.allowance_redis import SCHEMES, RedisAllowances
from cellwright.gateway.quota import Limiter, worst_outputs, worst_prices
from cellwright.gateway.secret import secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwright.gateway.allowance import AllowanceStore
    from cellwright.gateway.model import AccessKey, GatewayConfig
    from cellwright.gateway.pipeline import Admission
    from cellwright.gateway.pots import Hold
    from cellwright.gateway.wire import ModelRequest


class Quotas:
    """What keeps to the quotas of one configuration after the other; the store stays the first one that was named."""

    def __init__(self, meter_url: str, secrets: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._meter_url = meter_url
        self._secrets = secrets
        self._clock = clock
        self._limiter: Limiter | None = None

    def renew(self, config: GatewayConfig, chains: Mapping[str, Sequence[str]]) -> tuple[Admission, ...]:
        """Keep to the quotas of a configuration; return what lets requests in, nothing where it has none.

        Raises UsageError where the environment lacks the URL, StorageError where nothing answers there.
        """
        if self._limiter is None:
            if not config.quotas:
                return ()
            self._limiter = Limiter(open_allowances(self._url(config)), self._clock)
        prices, outputs = worst_prices(chains, config.backends), worst_outputs(chains, config.backends)
        self._limiter.renew(config.quotas, prices, outputs)
        return (self._limiter.admit,)

    async def hold(self, key: AccessKey, *, spends: bool = False) -> Hold | None:
        """Return what a call holds that asks no model, and `spends` tokens or not; raise ApiError as `Limiter.hold`."""
        return None if self._limiter is None else await self._limiter.hold(key, spends=spends)

    async def hold_part(self, key: AccessKey, request: ModelRequest) -> Hold | None:
        """Return what a request to a model holds that is part of a caller's; raise ApiError as `Limiter.hold`."""
        return None if self._limiter is None else await self._limiter.hold(key, request, is_part=True)

    async def open(self) -> None:
        """Do nothing: what there is to do begins with the first request."""

    async def close(self) -> None:
        """Give back what is held."""
        if self._limiter is not None:
            await self._limiter.close()

    def _url(self, config: GatewayConfig) -> str:
        if config.quota_url_env is None:
            return self._meter_url
        expected = "the URL of a database, or of Redis"
        return secret(config.quota_url_env, self._secrets, "quota-store-not-set", expected)


def open_allowances(url: str) -> AllowanceStore:
    """Return the store at a URL: Redis by its schemes, else SQLite or PostgreSQL."""
    return RedisAllowances(url) if url.startswith(SCHEMES) else SqlAllowances(url)
