"""From a decision to an answer that has begun: backends asked in order, one after another or hedged."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.gateway.attempt import Attempt
from cellwright.gateway.backend import BackendError
from cellwright.gateway.routing.ask import read_ask
from cellwright.gateway.routing.select import order
from cellwright.gateway.tally import Tally
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator, Mapping

    from cellwright.gateway.backend import Backend, Chunk
    from cellwright.gateway.exchange import Exchange
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.routing.route import Decision, DecisionTable
    from cellwright.gateway.routing.standing import Live
    from cellwright.gateway.wire import ModelRequest

    Asked = tuple[Attempt, Chunk]
    Race = dict[asyncio.Future[Chunk], Attempt]

_MS_PER_S: Final = 1000.0
_SOON_S: Final = 1.0  # when to come back where nobody knows
_FULL: Final = "full"
_OPEN: Final = "circuit_open"
_SLOW: Final = "slow"
_LOST: Final = "hedge_lost"


@dataclass(frozen=True, slots=True)
class Answering:
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

    async def begin(
        self, exchange: Exchange, request: ModelRequest, decision: Decision, stack: contextlib.AsyncExitStack
    ) -> Answering:
        """Return the first answer that begins; raise the last ApiError where none does. `stack` closes the answer."""
        if not decision.allowed:
            raise _nobody(decision)
        return await _Asking(self, exchange, request, decision, stack).begin(None)

    async def again(
        self, exchange: Exchange, broken: Answering, failure: BackendError, stack: contextlib.AsyncExitStack
    ) -> Answering:
        """Return the answer of another backend in place of one that broke off; raise `failure` where there is none."""
        request, decision = exchange.request, exchange.decision
        if request is None or decision is None or not decision.policy.restart or not failure.elsewhere:
            raise failure
        await broken.attempt.leave(failure)
        return await _Asking(self, exchange, request, decision, stack).begin(failure)

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
    stack: contextlib.AsyncExitStack

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
        attempt = await self._attempt(live)
        self.exchange.spec, self.exchange.spent = live.spec, True  # so it is where the attempt is cut short
        if (hedge := self.decision.policy.hedge) is not None:
            usual_ms = live.usual_ms(self.dispatch.clock(), stream=self.request.stream)
            after_ms = usual_ms if hedge.after_ms is None else hedge.after_ms
            if after_ms is not None:
                return await self._hedged(attempt, after_ms / _MS_PER_S, others)
        try:
            return attempt, await attempt.first()
        except ApiError as error:
            await _fail(self.exchange, attempt, error)
            raise

    async def _hedged(self, attempt: Attempt, after_s: float, others: Iterator[Live]) -> Asked:
        """Ask another backend too where the first takes longer than `after_s`; whoever begins first answers."""
        race: Race = {asyncio.ensure_future(attempt.first()): attempt}
        try:
            done, _ = await asyncio.wait(race, timeout=after_s)
            if not done and (other := next(others, None)) is not None:
                second = await self._attempt(other)
                race[asyncio.ensure_future(second.first())] = second
                if self.exchange.wanted is attempt.live.spec:
                    self.exchange.missed = _SLOW
            return await _quickest(self.exchange, race)
        finally:
            await _give_up(self.exchange, race)

    async def _attempt(self, live: Live) -> Attempt:
        """Return an attempt that the stack ends."""
        name, backend = live.spec.name, self.dispatch.backends[live.spec.name]
        self.exchange.attempts += 1
        self.exchange.asked.add(name)
        request = self.request if self.request.fit is None else self.request.fit(live.spec.boundary)
        attempt = Attempt(live, backend, request, self.dispatch.clock, self.exchange.is_late)
        return await self.stack.enter_async_context(attempt)


async def _quickest(exchange: Exchange, race: Race) -> Asked:
    """Take out and return whoever begins first; raise the last ApiError where all failed."""
    while True:
        await asyncio.wait(race, return_when=asyncio.FIRST_COMPLETED)
        task = next(task for task in race if task.done())
        attempt = race.pop(task)
        exchange.spec = attempt.live.spec
        error = task.exception()
        if error is None:
            return attempt, task.result()
        await _fail(exchange, attempt, error)
        if not race or not isinstance(error, BackendError) or not error.elsewhere:
            raise error
        if exchange.spent:
            exchange.lose(error.code)
        exchange.spent = True  # the other one still works


async def _give_up(exchange: Exchange, race: Race) -> None:
    """Stop whoever has not won; what they may have spent is metered."""
    for task in race:
        task.cancel()
    if race:
        await asyncio.wait(race)
    for task, attempt in race.items():
        error = None if task.cancelled() else task.exception()
        await attempt.lose(error)
        failed = error if isinstance(error, BackendError) else None
        if attempt.live.spec is not exchange.spec and (failed is None or failed.spent):
            exchange.lost.append((attempt.live.spec, failed.code if failed else _LOST, Tally()))


async def _fail(exchange: Exchange, attempt: Attempt, error: BaseException) -> None:
    """Take note of an attempt that ended before its first piece."""
    if isinstance(error, ApiError):
        exchange.spent = isinstance(error, BackendError) and error.spent
        if attempt.live.spec is exchange.wanted:
            exchange.missed = error.code
    await attempt.leave(error)


def _nobody(decision: Decision) -> ApiError:
    """Return the refusal of a request that no backend may be sent: it names every rule."""
    return ApiError(Diagnostic("sovereignty", decision.sentence), status=403, kind="permission_error")
