"""What one worker holds of the allowances of a caller, and takes requests off without asking anybody."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.errors import Diagnostic
from cellwright.gateway.allowance import Share, Take
from cellwright.gateway.model_quota import Period, Unit
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from cellwright.gateway.model_quota import Bound

_MINUTE_S: Final = 60
SLICES: Final = 8  # a worker takes so much of what is left at once
MILLION: Final = 1_000_000
_LEAST_SHARE: Final = 1_024
_MOST_SHARE: Final = 16_384
_NEVER: Final = -math.inf
_SHUT_S: Final = 0.1  # the store is not asked again so soon for room that it did not have
_REFUSED_S: Final = 0.5  # the store is not asked again so soon about what it did not have
_LAPSE_S: Final = 30.0  # after which a worker that says nothing is taken for gone
_DAY_S: Final = 86_400
_SPANS_S: Final = {Period.MINUTE: 60, Period.DAY: _DAY_S}
_KEPT_S: Final = {Period.MINUTE: 3_600, Period.DAY: 40 * _DAY_S, Period.MONTH: 400 * _DAY_S}
"""What counters outlast their periods by: a clock that was set forward and back finds them again."""
_NAMES: Final = {Period.MINUTE: "a minute", Period.DAY: "a day", Period.MONTH: "a month"}
_NO_RETRY: Final = {"x-should-retry": "false"}  # the official clients would try again otherwise


class Needs(NamedTuple):
    """What a request takes off, in the order of Unit: known to be so, or reserved."""

    requests: int
    tokens: int
    cost: int  # nano units


class Pot:
    """What a worker holds of one allowance in the period that runs.

    A clock may be set, also back into a period that was over: what is held of another period waits for it.
    """

    __slots__ = (
        "_others", "balance", "begins_s", "bound", "counter", "ends_s", "holder", "idle", "left", "place", "refused_s",
    )  # fmt: skip

    def __init__(self, holder: str, bound: Bound) -> None:
        self.holder = holder
        self.bound = bound
        self.place = list(Unit).index(bound.unit)  # in Needs
        self.begins_s = self.ends_s = 0.0
        self.counter = ""
        self.balance = 0
        self.left = 0  # for all workers, when the store was last asked
        self.refused_s = _NEVER
        self.idle = True
        self._others: dict[float, int] = {}  # balances by the begin of their period

    @property
    def kept_s(self) -> float:
        """Until when the counter is kept."""
        return self.ends_s + _KEPT_S[self.bound.period]

    def turn(self, now_s: float) -> None:
        """Begin anew where another period runs; what was held of the one before stays for when it comes again."""
        if self.begins_s <= now_s < self.ends_s:
            return
        before_s = self.begins_s
        self._others[before_s] = self.balance
        self.begins_s, self.ends_s = _period(self.bound.period, now_s)
        self.counter = self._counter(self.begins_s)
        self.balance = self._others.pop(self.begins_s, 0)
        self.left, self.refused_s = self.bound.size, _NEVER
        self._others = {each: held for each, held in self._others.items() if each > self.begins_s or each == before_s}

    def give(self, begins_s: float, amount: int) -> None:
        """Put an amount back into what is held of a period (or, negative, take it off), unless that is long over."""
        if begins_s == self.begins_s:
            self.balance += amount
        elif begins_s in self._others:
            self._others[begins_s] += amount

    def ahead(self) -> list[tuple[str, int, float]]:
        """Take out what is held of periods that have not begun: counters, amounts, and until when they are kept."""
        found, self._others = self._others, {}
        every = [
            (each, held, _period(self.bound.period, each)[1] + _KEPT_S[self.bound.period])
            for each, held in found.items()
        ]
        return [
            (self._counter(each), held, kept_s) for each, held, kept_s in every if each > self.begins_s and held > 0
        ]

    def lacks(self, needs: Needs, now_s: float) -> int:
        """Return how much is missing for a request; to one that takes nothing of this, nothing is."""
        self.turn(now_s)
        return max(0, needs[self.place] - self.balance) if needs[self.place] else 0

    def asking(self, missing: int, now_s: float) -> Take | None:
        """Return what to ask the store for, None where it has just said that there is nothing."""
        if not missing or _lately(self.refused_s, now_s, _REFUSED_S):
            return None
        return Take(self.counter, self.bound.size, max(missing, self.left // SLICES), missing, self.kept_s)

    def fill(self, amount: int, left: int, now_s: float) -> None:
        """Put in what the store gave when it was asked, be it in another period than the one that runs by now."""
        self.turn(now_s)
        self.balance += amount
        self.left = left
        if not amount:
            self.refused_s = now_s

    def spare(self, now_s: float) -> int:
        """Return what is not needed here (or, negative, what was used beyond it) since this was asked before."""
        self.turn(now_s)
        keep = 0 if self.idle else max(1, self.left // SLICES)
        self.idle = True
        return self.balance if self.balance < 0 else max(0, self.balance - keep)

    def refusal(self, needs: Needs, now_s: float, headers: dict[str, str]) -> ApiError:
        """Return the refusal of a request that this is too little for."""
        period, size = self.bound.period, self.bound.size
        most = f"{self.holder.replace(':', ' ')} may use {self._amount(size)} {_NAMES[period]}"
        takes = f"this request may take {self._amount(needs[self.place])}, less with a lower max_tokens"
        if needs[self.place] > size:
            message = f"{most}, and {takes}"
            return _refused("request_exceeds_limit", message, "rate_limit_error", headers | _NO_RETRY)
        wait = max(1, math.ceil(self.ends_s - now_s))
        headers = headers | {"retry-after": str(wait)}
        left = (
            ""
            if self.bound.unit is Unit.REQUESTS or not needs[self.place]
            else f"; {self.rest()} are left, and {takes}"
        )
        message = f"{most}{left}; more comes in {duration(wait)}"
        if period is Period.MINUTE:
            return _refused("rate_limit_exceeded", message, "rate_limit_error", headers)
        return _refused("insufficient_quota", message, "insufficient_quota", headers | _NO_RETRY)

    def rest(self) -> str:
        """Return what may still be used, as far as this worker knows."""
        return self._amount(max(0, _remaining(self)))

    def _counter(self, begins_s: float) -> str:
        return f"{self.holder}:{self.bound.unit}:{self.bound.period}:{begins_s:.0f}"

    def _amount(self, amount: int) -> str:
        if self.bound.unit is Unit.COST:
            return f"{amount / 1e9:.6g} {self.bound.currency}"
        return f"{amount} {self.bound.unit}"


class Gate:
    """How many requests of a holder a worker may have in flight."""

    __slots__ = ("holder", "in_flight", "refused_s", "share", "size")

    def __init__(self, holder: str, size: int) -> None:
        self.holder = holder
        self.size = size
        self.share = 0
        self.in_flight = 0
        self.refused_s = _NEVER

    def was_refused(self, now_s: float) -> bool:
        """Whether the store has just said that there is no room."""
        return _lately(self.refused_s, now_s, _SHUT_S)

    @property
    def is_shut(self) -> bool:
        """Whether one more request would be too many."""
        return self.in_flight >= self.share

    def asking(self, worker: str, now_s: float, spare: int) -> Share:
        """Return what to ask the store for, with room for so many more requests."""
        wanted = self.in_flight + spare
        return Share(f"{self.holder}:at-once", worker, self.size, wanted, now_s, now_s + _LAPSE_S)

    def fill(self, share: int, now_s: float) -> None:
        """Take note of what the store gave."""
        self.share = share
        self.refused_s = now_s if self.is_shut else _NEVER

    def refusal(self, headers: dict[str, str]) -> ApiError:
        """Return the refusal of a request that is one too many."""
        message = f"{self.holder.replace(':', ' ')} may have {self.size} requests in flight, and has as many"
        return _refused("rate_limit_exceeded", message, "rate_limit_error", headers | {"retry-after": "1"})


class Account:
    """All that limits one caller: of its tenant and of its key."""

    __slots__ = ("_budgets", "_shares", "_told", "gates", "pots", "rates_only")

    def __init__(self, pots: tuple[Pot, ...], gates: tuple[Gate, ...]) -> None:
        self.pots = pots
        self.gates = gates
        self._shares: dict[int, int] = {}
        self.rates_only = all(pot.bound.unit is Unit.REQUESTS for pot in pots)
        minutes = [pot for pot in pots if pot.bound.period is Period.MINUTE]
        by_unit = ((unit, [pot for pot in minutes if pot.bound.unit is unit]) for unit in (Unit.REQUESTS, Unit.TOKENS))
        self._told = tuple((unit.value, found) for unit, found in by_unit if found)
        longer = sorted({(pot.bound.unit, pot.bound.period) for pot in pots if pot.bound.period is not Period.MINUTE})
        self._budgets = tuple(
            (
                f"x-cellwright-budget-{unit}-{period}: ",
                [pot for pot in pots if (pot.bound.unit, pot.bound.period) == (unit, period)],
            )
            for unit, period in longer
        )

    def reserve(self, needs: Needs, now_s: float) -> bool:
        """Take a request off everything, or off nothing where something is too little."""
        for gate in self.gates:
            if gate.in_flight >= gate.share:
                return False
        for pot in self.pots:
            if not pot.begins_s <= now_s < pot.ends_s:
                pot.turn(now_s)
            if pot.balance < needs[pot.place] and needs[pot.place]:
                return False
        for pot in self.pots:
            pot.balance -= needs[pot.place]
            pot.idle = False
        for gate in self.gates:
            gate.in_flight += 1
        return True

    def share(self, price_out: int) -> int:
        """Return how many tokens to reserve for an answer that nobody says the limit of, at a price of a million.

        They are an eighth of the smallest allowance, within bounds: one such request seldom takes more, and a few of
        them do not keep all others out.
        """
        if price_out not in self._shares:
            sizes = [pot.bound.size for pot in self.pots if pot.bound.unit is Unit.TOKENS]
            costs = [pot.bound.size for pot in self.pots if pot.bound.unit is Unit.COST and price_out]
            smallest = min([*sizes, *(size * MILLION // price_out for size in costs)], default=_MOST_SHARE)
            self._shares[price_out] = min(max(smallest // SLICES, _LEAST_SHARE), _MOST_SHARE)
        return self._shares[price_out]

    def refusal(self, needs: Needs, now_s: float) -> ApiError:
        """Return the refusal of a request, for the first reason there is."""
        headers = dict(line.split(": ") for line in self.lines(now_s).splitlines())
        for gate in self.gates:
            if gate.is_shut:
                return gate.refusal(headers)
        pots = (pot for pot in self.pots if pot.lacks(needs, now_s))
        return next(pots).refusal(needs, now_s, headers)

    def lines(self, now_s: float) -> str:
        """Return the header lines that say what is left: rates as clients of OpenAI know them, then budgets."""
        found = ""
        for unit, pots in self._told:
            pot = pots[0] if len(pots) == 1 else min(pots, key=_remaining)
            left, reset = max(0, pot.balance + pot.left), duration(max(0, math.ceil(pot.ends_s - now_s)))
            found += (
                f"x-ratelimit-limit-{unit}: {pot.bound.size}\r\nx-ratelimit-remaining-{unit}: {left}\r\n"
                f"x-ratelimit-reset-{unit}: {reset}\r\n"
            )
        for name, pots in self._budgets:
            found += f"{name}{min(pots, key=_remaining).rest()}\r\n"
        return found


class Hold:
    """What one request has reserved, until it is known what it used."""

    __slots__ = ("_account", "_begins", "_needs", "headers")

    def __init__(self, account: Account, needs: Needs, now_s: float) -> None:
        self._account = account
        self._needs = needs
        self._begins = tuple([pot.begins_s for pot in account.pots])
        self.headers = account.lines(now_s)

    def settle(self, tokens: int, cost_nano: int | None) -> None:
        """Replace the reservation by what was used; a cost that is unknown is taken to be what was reserved."""
        used = Needs(1, tokens, self._needs.cost if cost_nano is None else cost_nano)
        for pot, begins_s in zip(self._account.pots, self._begins, strict=True):
            pot.give(begins_s, self._needs[pot.place] - used[pot.place])
        for gate in self._account.gates:
            gate.in_flight -= 1


def _lately(when_s: float, now_s: float, span_s: float) -> bool:
    """Return whether a moment lies within a span of now; one that is to come does not: the clock was set back."""
    return 0 <= now_s - when_s < span_s


def duration(seconds: int) -> str:
    """Return a time as clients of OpenAI read it: 6m0s."""
    if seconds < _MINUTE_S:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"


def _remaining(pot: Pot) -> int:
    """Return what may still be used, as far as this worker knows."""
    return pot.balance + pot.left


def _period(period: Period, now_s: float) -> tuple[float, float]:
    """Return when the period around a moment begins and ends, in seconds since 1970."""
    if period is Period.MONTH:
        first = datetime.fromtimestamp(now_s, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return first.timestamp(), after.timestamp()
    span = _SPANS_S[period]
    begins_s = now_s // span * span
    return begins_s, begins_s + span


def _refused(code: str, message: str, kind: str, headers: dict[str, str]) -> ApiError:
    return ApiError(Diagnostic(code, message), status=429, kind=kind, headers=headers)
