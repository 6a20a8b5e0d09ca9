"""Allowances in Redis, or a server that speaks its protocol: each call is one script, which the server runs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cellwright.errors import StorageError
from cellwright.gateway.allowance import Slice
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.gateway.allowance import Share, Take

SCHEMES: Final = ("redis://", "rediss://", "unix://")
_PREFIX: Final = "cellwright:gateway:"
_TIMEOUT_S: Final = 2.0
_GRACE_S: Final = 60  # that a counter outlives its period
_TAKE: Final = """
local got = {}
for index, counter in ipairs(KEYS) do
  local at = (index - 1) * 4
  local size, wanted = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local left, amount = size - tonumber(redis.call('GET', counter) or '0'), 0
  if left >= tonumber(ARGV[at + 3]) then amount = math.min(wanted, left) end
  if amount > 0 then
    redis.call('INCRBY', counter, string.format('%.0f', amount))
    redis.call('EXPIREAT', counter, ARGV[at + 4])
  end
  got[#got + 1] = string.format('%.0f', amount)
  got[#got + 1] = string.format('%.0f', left - amount)
end
return got
"""
_ADD: Final = """
if redis.call('INCRBY', KEYS[1], ARGV[1]) < 0 then redis.call('SET', KEYS[1], '0') end
redis.call('EXPIREAT', KEYS[1], ARGV[2])
"""
_SHARE: Final = """
local others, now = 0, tonumber(ARGV[4])
local found = redis.call('HGETALL', KEYS[1])
for index = 1, #found, 2 do
  local slots, ends = string.match(found[index + 1], '^(%d+) (.+)$')
  if tonumber(ends) <= now then redis.call('HDEL', KEYS[1], found[index])
  elseif found[index] ~= ARGV[1] then
    others = others + tonumber(slots)
    if tonumber(ends) > tonumber(ARGV[5]) then redis.call('HSET', KEYS[1], found[index], slots .. ' ' .. ARGV[5]) end
  end
end
local slots = math.max(0, math.min(tonumber(ARGV[3]), tonumber(ARGV[2]) - others))
redis.call('HSET', KEYS[1], ARGV[1], slots .. ' ' .. ARGV[5])
redis.call('EXPIREAT', KEYS[1], ARGV[6])
return slots
"""


class RedisAllowances:
    """Allowances in Redis. Amounts stay exact up to 2^53."""

    def __init__(self, url: str) -> None:
        self._redis: Any = load_extra("redis", "quotas in Redis need", "redis")
        try:
            self._client = self._redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
            self._take = self._client.register_script(_TAKE)
            self._add = self._client.register_script(_ADD)
            self._share = self._client.register_script(_SHARE)
            self._client.ping()
        except (self._redis.RedisError, ValueError) as error:
            raise _unavailable(error) from error

    def take(self, takes: Sequence[Take]) -> list[Slice]:
        """Return what was taken of each allowance."""
        arguments = [value for take in takes for value in (take.size, take.wanted, take.least, _until(take.ends_s))]
        try:
            got = self._take([_PREFIX + take.counter for take in takes], arguments)
        except self._redis.RedisError as error:
            raise _unavailable(error) from error
        return [Slice(int(amount), int(left)) for amount, left in zip(got[::2], got[1::2], strict=True)]

    def add(self, counter: str, amount: int, ends_s: float) -> None:
        """Count what was used beyond what was taken, or give back what was not used."""
        try:
            self._add([_PREFIX + counter], (amount, _until(ends_s)))
        except self._redis.RedisError as error:
            raise _unavailable(error) from error

    def share(self, share: Share) -> int:
        """Set and return a worker's share."""
        values = (share.worker, share.size, share.wanted, share.now_s, share.ends_s, _until(share.ends_s))
        try:
            return int(self._share([_PREFIX + share.counter], values))
        except self._redis.RedisError as error:
            raise _unavailable(error) from error

    def expire(self, now_s: float) -> None:
        """Do nothing: Redis forgets by itself."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _until(ends_s: float) -> int:
    return int(ends_s) + _GRACE_S


def _unavailable(error: Exception) -> StorageError:
    """Return the error without its message, which may quote the URL and the password in it."""
    return StorageError.of(
        "allowances-unavailable", "what tenants may use cannot be counted", cause=type(error).__name__
    )
