"""From a decision to an answer that has begun: backends asked in order, one after another or hedged."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.errors import Diagnostic
from cellwright.gateway.attempt import Attempt
from cellwright.gateway.backend import BackendError
from cellwright.gateway.race import Race, fail
from cellwright.gateway.routing.ask import read_ask
from cellwright.gateway.routing.select import order
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from cellwright.gateway.backend import Backend, Chunk
    from cellwright.gateway.exchange import Exchange
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.race import Asked
    from cellwright.gateway.routing.route import Decision, DecisionTable
    from cellwright.gateway.routing.standing import Live
    from cellwright.gateway.wire import ModelRequest

_MS_PER_S: Final = 1000.0
_SOON_S: Final = 1.0  # when to come back where nobody knows
_FULL: Final = "full"
_OPEN: Final = "circuit_open"


class Answering(NamedTuple):
    """A backend that has begun to answer."""

    first: Chunk
    attempt: Attempt

    @property
    def spec(self) -> BackendSpec:
        """Which backend it is."""
        return self.attempt.live.spec


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Asks backends for answers; the rules are asked again before each attempt, in whichever way it comes about."""

    table: DecisionTable
    backends: Mapping[str, Backend]
    lives: Mapping[str, Live]
    clock: Callable[[], float] = time.monotonic

    def begin(self, exchange: Exchange, request: ModelRequest, decision: Decision) -> Awaitable[Answering]:
        """Return the first answer that begins; raise the last ApiError where none does; the exchange ends it."""
        if not decision.allowed:
            raise _nobody(decision)
        return _Asking(self, exchange, request, decision).begin(None)

    async def again(self, exchange: Exchange, broken: Answering, failure: BackendError) -> Answering:
        """Return the answer of another backend in place of one that broke off; raise `failure` where there is none."""
        request, decision = exchange.request, exchange.decision
        if request is None or decision is None or not decision.policy.restart or not failure.elsewhere:
            raise failure
        await broken.attempt.leave(failure)
        return await _Asking(self, exchange, request, decision).begin(failure)

    def busy(self, decision: Decision) -> ApiError:
        """Return the refusal where every allowed backend is full or is left alone."""
        now_s = self.clock()
        lives = [self.lives[name] for name in decision.allowed]
        soonest_s = min(live.breaker.wait_s(now_s) or _SOON_S for live in lives)
        after_s = math.ceil(soonest_s) if math.isfinite(soonest_s) else math.ceil(_SOON_S)
        told = "; ".join(live.sentence(now_s) for live in lives)
        return ApiError(
            Diagnostic("no_backend_available", f"no backend of route {decision.route} can be asked now: {told}"),
            status=503,
            kind="server_error",
            headers={"retry-after": str(after_s)},
        )


@dataclass(slots=True)
class _Asking:
    """Goes through the backends for one request."""

    dispatch: Dispatch
    exchange: Exchange
    request: ModelRequest
    decision: Decision

    async def begin(self, failure: BackendError | None) -> Answering:
        """Return the first answer that begins; raise `failure`, or the last one, where none does."""
        candidates = self._candidates()
        for live in candidates:
            if failure is not None and failure.spent:
                self.exchange.lose(failure.code)
            try:
                attempt, first = await self._ask(live, candidates)
            except BackendError as error:
                if not error.elsewhere:
                    raise
                failure = error
            else:
                self.exchange.spec = attempt.live.spec
                return Answering(first, attempt)
        raise failure or self.dispatch.busy(self.decision)

    def _candidates(self) -> Iterator[Live]:
        """Yield the backends to ask in order; each is judged once more when its turn comes."""
        exchange, admits, data_class = self.exchange, self.dispatch.table.admits, self.decision.data_class
        lives = self._ordered()
        if exchange.wanted is None:
            exchange.wanted = lives[0].spec
        for live in lives:
            if live.spec.name in exchange.asked or not admits(data_class, live.spec.name):
                continue
            if live.full or live.breaker.wait_s(self.dispatch.clock()):
                if live.spec is exchange.wanted:
                    exchange.missed = _FULL if live.full else _OPEN
                continue
            yield live

    def _ordered(self) -> list[Live]:
        """Return the allowed backends by preference."""
        policy, found = self.decision.policy, self.dispatch.lives
        lives = [found[name] for name in self.decision.allowed]
        if not policy.selective or len(lives) == 1:
            return lives
        now_s = self.dispatch.clock()
        ask = read_ask(policy, self.request)
        self.exchange.difficulty = ask.difficulty
        return [found[each.spec.name] for each in order(policy, ask, [live.standing(now_s) for live in lives])]

    async def _ask(self, live: Live, others: Iterator[Live]) -> Asked:
        """Return an attempt and its first piece; raise ApiError where it, and its hedge, failed."""
        attempt = self._attempt(live)
        self.exchange.spec, self.exchange.spent = live.spec, True  # so it is where the attempt is cut short
        if (hedge := self.decision.policy.hedge) is not None:
            usual_ms = live.usual_ms(self.dispatch.clock(), stream=self.request.stream)
            after_ms = usual_ms if hedge.after_ms is None else hedge.after_ms
            if after_ms is not None:
                return await Race(self.exchange, attempt, lambda: self._next(others)).run(after_ms / _MS_PER_S)
        try:
            return attempt, await attempt.first()
        except ApiError as error:
            await fail(self.exchange, attempt, error)
            raise

    def _next(self, others: Iterator[Live]) -> Attempt | None:
        """Return an attempt at the next backend there is to ask."""
        live = next(others, None)
        return self._attempt(live) if live is not None else None

    def _attempt(self, live: Live) -> Attempt:
        """Return an attempt that the exchange ends."""
        name, backend = live.spec.name, self.dispatch.backends[live.spec.name]
        self.exchange.attempts += 1
        self.exchange.asked.add(name)
        request = self.request if self.request.fit is None else self.request.fit(live.spec.boundary)
        attempt = Attempt(live, backend, request, self.dispatch.clock, self.exchange.is_late)
        self.exchange.under_way.append(attempt)
        return attempt


def _nobody(decision: Decision) -> ApiError:
    """Return the refusal of a request that no backend may be sent: it names every rule."""
    return ApiError(Diagnostic("sovereignty", decision.sentence), status=403, kind="permission_error")
