"""Rate limits and budgets: what each request reserves before it is let in, and what it has used in the end.

A worker holds slices of the allowances (`pots`) and takes requests off them without asking anybody. The slices of all
workers together are never more than the allowance, so it is never exceeded; what workers hold unused, an eighth of
what is left at most each, may keep a request out that another worker would still let in.

Tokens and costs are reserved before they are known: the prompt, reckoned at four characters a token, and the most
tokens that the request asks for; where it names no limit, the most that the backends of its route give, or else a share
of the allowance. What it takes beyond that is taken off afterwards, before anything else is let in.
Where the store does not answer, nobody who has a quota is let in beyond what is held.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple, Unpack

from cellwright.errors import Diagnostic, StorageError
from cellwright.gateway.model_quota import Holder
from cellwright.gateway.pots import MILLION, SLICES, Account, Gate, Hold, Needs, Pot
from cellwright.gateway.wire import ApiError, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cellwright.gateway.allowance import AllowanceStore, Slice, Take
    from cellwright.gateway.exchange import Exchange
    from cellwright.gateway.metering.row import MeterRow
    from cellwright.gateway.model import AccessKey, BackendSpec
    from cellwright.gateway.model_quota import Bound, Quota
    from cellwright.gateway.wire import ModelRequest

_log: Final = logging.getLogger("cellwright.gateway")
_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")
_RENEW_S: Final = 5.0  # between two times at which a worker says that it lives, and gives back what it does not need
_EXPIRE: Final = 100  # renewals between two times at which what is over is forgotten
_CHARACTERS: Final = 4  # that make a token
_NONE: Final = Needs(1, 0, 0)
_SOME: Final = Needs(1, 1, 0)


class Limiter:
    """Lets requests in within the quotas of their tenant and key; an admission of the pipeline."""

    def __init__(self, store: AllowanceStore, clock: Callable[[], float] = time.time) -> None:
        self._quotas: dict[tuple[Holder, str | None], Quota] = {}
        self._prices: Mapping[str, tuple[int, int]] = {}
        self._outputs: Mapping[str, int] = {}
        self._store = store
        self._clock = clock
        self._worker = uuid.uuid4().hex
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="gateway-quota")
        self._accounts: dict[tuple[str, str], Account] = {}
        self._pots: dict[tuple[str, Bound], Pot] = {}  # by holder
        self._gates: dict[str, Gate] = {}
        self._asking = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    def renew(
        self,
        quotas: Iterable[Quota],
        prices: Mapping[str, tuple[int, int]],
        outputs: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Keep to these quotas from now on, and to what is held and under way as far as they are the same.

        `prices` are those of a million tokens in and out at most, in nano units, by the name of a model; `outputs` the
        most tokens of an answer, where that is known.
        """
        self._outputs = outputs
        self._quotas = {(quota.holder, quota.name): quota for quota in quotas}
        self._prices = prices
        self._accounts.clear()

    async def close(self) -> None:
        """Give back all that is held."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        with contextlib.suppress(StorageError):
            await self._renew(leaving=True)
        self._threads.shutdown()
        self._store.close()

    async def admit(self, exchange: Exchange, request: ModelRequest) -> None:
        """Let a request in and note what it holds; raise ApiError (429, or 503 where that cannot be told)."""
        exchange.hold = await self.hold(exchange.key, request)

    async def hold(
        self, key: AccessKey, request: ModelRequest | None = None, *, is_part: bool = False, spends: bool = False
    ) -> Hold | None:
        """Return what a request holds, None where nothing limits it; raise ApiError as above.

        What is no request of a model reserves no tokens and asks for none; what `spends` some all the same, such as a
        call of a tool, is let in while there are any, and they are taken off afterwards. What `is_part` of a request
        that is in flight itself is not one more of those that may be.
        """
        account = self._account(key)
        if is_part:
            account = Account(account.pots, ())
        if not account.pots and not account.gates:
            return None
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew_always())
        needs, now_s = _SOME if spends else self._needs(account, request), self._clock()
        if not account.reserve(needs, now_s):
            async with self._asking:
                if not account.reserve(needs, now_s):
                    await self._ask(account, needs, now_s)
                    if not account.reserve(needs, now_s):
                        raise account.refusal(needs, now_s)
        return Hold(account, needs, now_s)

    def _account(self, key: AccessKey) -> Account:
        """Return what limits a caller."""
        known = self._accounts.get((key.tenant, key.name))
        if known is None:
            quotas = [
                (f"{holder}:{name}", quota)
                for holder, name in ((Holder.TENANT, key.tenant), (Holder.KEY, key.name))
                if (quota := self._quotas.get((holder, name)) or self._quotas.get((holder, None)))
            ]
            pots = tuple(self._pot(holder, bound) for holder, quota in quotas for bound in quota.bounds)
            gates = tuple(self._gate(holder, quota.at_once) for holder, quota in quotas if quota.at_once is not None)
            known = self._accounts[key.tenant, key.name] = Account(pots, gates)
        return known

    def _pot(self, holder: str, bound: Bound) -> Pot:
        return self._pots.setdefault((holder, bound), Pot(holder, bound))

    def _gate(self, holder: str, size: int) -> Gate:
        gate = self._gates.setdefault(holder, Gate(holder, size))
        gate.size = size
        return gate

    def _needs(self, account: Account, request: ModelRequest | None) -> Needs:
        """Return what a request reserves."""
        if request is None or account.rates_only:
            return _NONE
        tokens_in = request.characters // _CHARACTERS + request.tokens_given + 1
        price_in, price_out = self._prices.get(request.model, (0, 0))
        tokens_out = 0
        if request.operation is not Operation.EMBEDDINGS:
            most = _most_out(request.body) or self._outputs.get(request.model) or account.share(price_out)
            tokens_out = most * _times(request.body)
        return Needs(1, tokens_in + tokens_out, (tokens_in * price_in + tokens_out * price_out) // MILLION + 1)

    async def _ask(self, account: Account, needs: Needs, now_s: float) -> None:
        """Ask the store for what is missing."""
        asked = [(pot, pot.asking(pot.lacks(needs, now_s), now_s)) for pot in account.pots]
        takes = [(pot, take) for pot, take in asked if take is not None]
        try:
            if takes:
                await self._take(takes, now_s)
            for gate in account.gates:
                if gate.is_shut and not gate.was_refused(now_s):
                    share = gate.asking(self._worker, now_s, max(1, gate.size // SLICES))
                    gate.fill(await self._in_thread(self._store.share, share), now_s)
        except StorageError as error:
            raise ApiError(
                Diagnostic("quota_unknown", "what is left of the quota cannot be told now"),
                status=503,
                kind="server_error",
                headers={"retry-after": "1"},
            ) from error

    async def _take(self, takes: Sequence[tuple[Pot, Take]], now_s: float) -> None:
        """Put into pots what the store gives; where whoever asked leaves meanwhile, it is for others."""

        def fill(given: asyncio.Future[list[Slice]]) -> None:
            if given.exception() is None:
                for (pot, _), slice_ in zip(takes, given.result(), strict=True):
                    pot.fill(slice_.amount, slice_.left, now_s)

        given = self._in_thread(self._store.take, [take for _, take in takes])
        try:
            await asyncio.shield(given)
        except asyncio.CancelledError:
            given.add_done_callback(fill)
            raise
        fill(given)

    async def _renew_always(self) -> None:
        renewals = 0
        while True:
            try:
                if renewals % _EXPIRE == 0:
                    await self._in_thread(self._store.expire, self._clock())
                renewals += 1
                await self._renew()
            except StorageError as error:
                _log.warning("quotas cannot be renewed: %s", error.diagnostics[0].code)
            await asyncio.sleep(_RENEW_S)

    async def _renew(self, *, leaving: bool = False) -> None:
        """Say that this worker lives, give back what it does not need, and count what was used beyond what was held."""
        async with self._asking:
            now_s = self._clock()
            for pot in self._pots.values():
                pot.idle = pot.idle or leaving
                if spare := pot.spare(now_s):
                    pot.balance, pot.left = pot.balance - spare, pot.left + spare
                    try:
                        await self._in_thread(self._store.add, pot.counter, -spare, pot.kept_s)
                    except StorageError:
                        pot.turn(now_s)  # another period may have begun meanwhile
                        pot.balance, pot.left = pot.balance + spare, pot.left - spare
                        raise
                for counter, amount, kept_s in pot.ahead() if leaving else ():
                    await self._in_thread(self._store.add, counter, -amount, kept_s)
            for gate in self._gates.values():
                room = max(1, gate.size // SLICES) if gate.in_flight and not leaving else 0
                if gate.share or gate.in_flight:
                    gate.share = await self._in_thread(self._store.share, gate.asking(self._worker, now_s, room))

    def _in_thread(
        self, work: Callable[[Unpack[_Arguments]], _Result], *arguments: *_Arguments
    ) -> asyncio.Future[_Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def worst_prices(chains: Mapping[str, Sequence[str]], backends: Iterable[BackendSpec]) -> dict[str, tuple[int, int]]:
    """Return what a million tokens in and out cost at most, in nano units, by the name clients ask for as a model."""
    specs = {spec.name: spec.price for spec in backends}
    prices = {model: [price for name in names if (price := specs[name])] for model, names in chains.items()}
    return {
        model: (max(price.input_nano for price in found), max(price.output_nano for price in found))
        for model, found in prices.items()
        if found
    }


def spent(rows: Sequence[MeterRow]) -> tuple[int, int | None]:
    """Return the tokens of a request and what they cost in nano units, None where that is unknown."""
    tokens, cost_nano, is_known = 0, 0, True
    for row in rows:
        tokens += row.tokens_in + row.tokens_out
        if row.cost_in_nano is None or row.cost_out_nano is None:
            is_known = False
        else:
            cost_nano += row.cost_in_nano + row.cost_out_nano
    return tokens, cost_nano if is_known else None


def worst_outputs(chains: Mapping[str, Sequence[str]], backends: Iterable[BackendSpec]) -> dict[str, int]:
    """Return the most tokens of an answer by the name clients ask for as a model, where all that may answer say it."""
    most = {spec.name: spec.max_output for spec in backends if spec.max_output is not None}
    known = {model: names for model, names in chains.items() if names and all(name in most for name in names)}
    return {model: max(most[name] for name in names) for model, names in known.items()}


def _most_out(body: Mapping[str, object]) -> int | None:
    """Return the most tokens that a choice of the answer may have as its request says it."""
    for name in ("max_completion_tokens", "max_tokens"):
        most = body.get(name)
        if isinstance(most, int) and most > 0:
            return most
    return None


def _times(body: Mapping[str, object]) -> int:
    """Return how many choices are asked for."""
    choices = body.get("n")
    return choices if isinstance(choices, int) and choices > 0 else 1
