"""One backend asked for one answer, and what that tells about the backend."""

from __future__ import annotations

import email.utils
import math
import time
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError, NotAskedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.backend import Backend, Chunk
    from cellwright.gateway.routing.standing import Live
    from cellwright.gateway.wire import ModelRequest

_MS_PER_S: Final = 1000.0
_LONGEST_REST_S: Final = 300.0  # that a backend is left alone because it asked for it
_REST_S: Final = 1.0  # where it did not say for how long
_TOO_MANY: Final = "upstream_rate_limited"


class Attempt:
    """Asks a backend; when it is left, the backend's standing learns how it went, once."""

    __slots__ = (
        "_answer", "_backend", "_began_s", "_clock", "_is_late", "_probe", "_request", "_settled", "_waiting",
        "asked", "live",
    )  # fmt: skip

    def __init__(
        self,
        live: Live,
        backend: Backend,
        request: ModelRequest,
        clock: Callable[[], float],
        is_late: Callable[[], bool],
    ) -> None:
        """`is_late` says whether the time that the whole request may take is over."""
        self.live = live
        self.asked = False  # the backend: a hedge may be given up before that
        self._clock = clock
        self._is_late = is_late
        self._waiting = False  # for the backend, not for the client
        live.take()
        self._probe = live.breaker.begin()
        self._began_s = clock()
        self._settled = False
        self._request = request
        self._backend = backend
        self._answer = backend.stream(request) if request.stream else None

    async def first(self) -> Chunk:
        """Return the first piece of the answer, or all of it; raises BackendError, ApiError."""
        self.asked = True
        if self._answer is None:
            self._waiting = True
            whole = await self._backend.whole(self._request)
            self._waiting = False
            return whole
        chunk = await self.further()
        if chunk is None:
            message = f"backend {self.live.spec.name} answered with nothing"
            raise BackendError(Diagnostic("upstream_empty", message), spent=True)
        self._note_first()
        return chunk

    async def further(self) -> Chunk | None:
        """Return the next piece, None behind the last; raises BackendError, ApiError."""
        if self._answer is None:
            return None
        self._waiting = True
        chunk = await anext(self._answer, None)
        self._waiting = False
        return chunk

    async def lose(self, error: BaseException | None) -> None:
        """End an answer that another backend was quicker with; how long it has taken so far counts as its latency."""
        if error is None and self.asked and not self._settled:
            self._note_first()
        await self._settle(error, wanted=False)

    async def leave(self, error: BaseException | None) -> None:
        """End the answer; `error` is what ended it before it was whole."""
        await self._settle(error, wanted=True)

    async def _settle(self, error: BaseException | None, *, wanted: bool) -> None:
        if self._settled:
            return
        self._settled = True
        self.live.release()
        self._tell(error, wanted=wanted)
        if self._answer is not None:
            await self._answer.aclose()

    def _note_first(self) -> None:
        now_s = self._clock()
        if self._answer is not None:
            self.live.began((now_s - self._began_s) * _MS_PER_S, now_s)

    def _tell(self, error: BaseException | None, *, wanted: bool) -> None:
        """Tell the circuit, and the latencies of a whole answer."""
        now_s = self._clock()
        breaker = self.live.breaker
        if error is None and wanted:
            self.live.ended((now_s - self._began_s) * _MS_PER_S, now_s)
            breaker.succeed(now_s)
        elif isinstance(error, BackendError):
            if error.retry_after is not None or error.code == _TOO_MANY:
                breaker.rest(now_s + _rest_s(error.retry_after))
            if error.code == _TOO_MANY or isinstance(error, NotAskedError):
                breaker.abandon(probe=self._probe)
            elif error.elsewhere:
                breaker.fail(now_s, probe=self._probe)
            else:
                breaker.succeed(now_s)  # it refused the request: it answers
        elif self._waiting and self._is_late():
            breaker.fail(now_s, probe=self._probe)
        else:
            breaker.abandon(probe=self._probe)


def _rest_s(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header, a number or a date (RFC 9110 clause 10.2.3), within bounds."""
    if retry_after is None:
        return _REST_S
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        asked_s = float(text)
    else:
        try:
            asked_s = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            asked_s = _REST_S
    return min(max(asked_s, 0.0), _LONGEST_REST_S) if math.isfinite(asked_s) else _REST_S
