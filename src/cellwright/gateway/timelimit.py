"""How long one request may take; `asyncio.timeout` says the same at three times the cost, which every request pays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from types import TracebackType


class TimeLimit:
    """A context whose task is cancelled when it takes too long; leaving it then raises ApiError (504)."""

    __slots__ = ("_cancelled", "_expired", "_limit_s", "_task", "_timer")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._expired = False

    def expired(self) -> bool:
        """Return whether the time is over."""
        return self._expired

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "time is limited within a task"
            raise RuntimeError(msg)
        self._task = task
        self._cancelled = task.cancelling()  # by others
        self._timer = task.get_loop().call_later(self._limit_s, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired and self._task.uncancel() <= self._cancelled and kind is asyncio.CancelledError:
            message = f"no whole answer within {self._limit_s:g} s"
            raise ApiError(Diagnostic("timeout", message), status=504, kind="server_error") from None

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()
