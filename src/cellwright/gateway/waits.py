"""How long a request waits for others, told apart from what the gateway itself takes."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Final

_MS_PER_S: Final = 1000.0


class Waits:
    """Adds up the time inside its blocks; blocks that overlap, as those of hedged requests do, count once."""

    __slots__ = ("_inside", "_since_s", "_total_s")

    def __init__(self) -> None:
        self._inside = 0
        self._since_s = 0.0
        self._total_s = 0.0

    def __enter__(self) -> None:
        if not self._inside:
            self._since_s = time.perf_counter()
        self._inside += 1

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            self._total_s += time.perf_counter() - self._since_s

    @property
    def total_ms(self) -> float:
        """The time waited so far."""
        return self._total_s * _MS_PER_S


UPSTREAM: Final[ContextVar[Waits]] = ContextVar("cellwright.gateway.upstream")
"""The waits for backends of the request that is being answered."""
CLIENT: Final[ContextVar[Waits]] = ContextVar("cellwright.gateway.client")
"""Its waits for its client: to send the body, and to take the answer."""


def upstream() -> Waits:
    """Return where to count waiting for a backend; outside a request what nobody reads."""
    return UPSTREAM.get(None) or Waits()


def client() -> Waits:
    """Return where to count waiting for the client; outside a request what nobody reads."""
    return CLIENT.get(None) or Waits()
