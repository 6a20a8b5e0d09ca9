"""Which backends may answer a request, in which order and why not the others: a sentence each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import SensitivityClass
from cellwright.gateway.model_policy import Criterion
from cellwright.gateway.routing.route import place
from cellwright.gateway.routing.select import (
    COST_UNITS,
    STEP,
    Fit,
    cost,
    fit,
    graded,
    keys,
    latency,
    load,
    order,
    shares_known,
    simple,
)
from cellwright.policy.residency import WIDENING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.gateway.model_policy import Policy
    from cellwright.gateway.routing.route import Barred, Decision, DecisionTable
    from cellwright.gateway.routing.select import Ask
    from cellwright.gateway.routing.standing import Figure, Standing

_BUDGET: Final = "latencyBudget"
_GRADE: Final = "grade"
_LISTED: Final = "listed"
_UNREAD: Final = (
    "never sent this: the egress guard cannot read a document in it, such as a picture or a PDF; it may answer without "
    "that, or with takesUnread"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands for or against one backend."""

    backend: str
    may_answer: bool
    place: int | None  # in the order of asking, from 1; None: never asked
    decided_by: str  # rule, guard, latencyBudget, a criterion, grade, or listed
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to one request."""

    route: str
    data_class: SensitivityClass
    rules: str  # names of those about the class
    verdicts: tuple[Verdict, ...]  # in the order of asking, then those that may not answer
    difficulty: float | None = None  # of the request, where its route asks
    contributions: tuple[tuple[str, float], ...] = ()  # of features to the log-odds, the strongest first


def explain(
    table: DecisionTable, decision: Decision, ask: Ask, standings: Mapping[str, Standing], *, unread: bool = False
) -> Explanation:
    """Return the order of the backends of a decision, and a sentence for each; `standings` by name.

    `unread` says that the request holds a document that the egress guard cannot read.
    """
    every = [standings[name] for name in decision.allowed]
    allowed = [one for one in every if not unread or one.spec.on_premises or one.spec.takes_unread]
    ordered = order(decision.policy, ask, allowed)
    told = [
        *(_allowed(decision.policy, ask, allowed, ordered, position) for position in range(len(ordered))),
        *(_unread(one) for one in every if one not in allowed),
        *(_barred(table, name, decision) for name in dict.fromkeys(item.backend for item in decision.barred)),
    ]
    return Explanation(decision.route, decision.data_class, decision.rules, tuple(told))


def _barred(table: DecisionTable, backend: str, decision: Decision) -> Verdict:
    """Return the verdict on a backend that rules keep the data from, with the smallest changes that would admit it."""
    against = [item for item in decision.barred if item.backend == backend]
    reasons = " and ".join(
        f"rule {item.rule.name} keeps data of class {decision.data_class} {place(item.rule.boundary)} "
        f"({item.rule.source})"
        for item in against
    )
    tightest = _tightest(against)
    free = [data_class for data_class in SensitivityClass if table.admits(data_class, backend)]
    change = f"if it stood {place(tightest.rule.boundary)}"
    change += f", or for data of class {' or '.join(free)}" if free else ""
    sentence = f"never asked: it stands {place(tightest.boundary)}, but {reasons}; it may answer {change}"
    return Verdict(backend, may_answer=False, place=None, decided_by="rule", sentence=sentence)


def _unread(one: Standing) -> Verdict:
    return Verdict(one.spec.name, may_answer=False, place=None, decided_by="guard", sentence=_UNREAD)


def _tightest(against: Sequence[Barred]) -> Barred:
    return min(against, key=lambda item: WIDENING.index(item.rule.boundary))


def _allowed(
    policy: Policy, ask: Ask, allowed: Sequence[Standing], ordered: Sequence[Standing], position: int
) -> Verdict:
    """Return the verdict on a backend that may answer: what puts it behind the one before it, or in front."""
    one = ordered[position]
    if position == 0:
        by, sentence = _first(policy, ask, allowed, ordered)
    else:
        by, sentence = _behind(policy, ask, allowed, ordered[position - 1], one)
    return Verdict(one.spec.name, may_answer=True, place=position + 1, decided_by=by, sentence=sentence)


def _first(policy: Policy, ask: Ask, allowed: Sequence[Standing], ordered: Sequence[Standing]) -> tuple[str, str]:
    """Return what puts the first one first, and its sentence."""
    if len(ordered) == 1:
        return _LISTED, f"asked first: it is the only one that may answer{_budget_note(policy, ordered[0])}"
    by = _deciding(policy, ask, allowed, ordered[0], ordered[1])
    return by, f"asked first: {_strength(by, policy, ask, allowed, ordered[0])}{_budget_note(policy, ordered[0])}"


def _behind(policy: Policy, ask: Ask, allowed: Sequence[Standing], before: Standing, one: Standing) -> tuple[str, str]:
    """Return what puts one behind the one before it, with the smallest change that would turn the two."""
    by = _deciding(policy, ask, allowed, before, one)
    name = before.spec.name
    match by:
        case "latencyBudget":
            words = _over(policy, one)
        case Criterion.LATENCY:
            words = _slower(latency(ask, one), latency(ask, before), name)
        case Criterion.PRICE:
            words = _dearer(ask, one, before)
        case Criterion.LOAD:
            words = f"{_load(one, allowed)} is more than {_load(before, allowed)} of {name}"
        case "grade":
            kind = "simple" if simple(policy, ask) else "difficult"
            words = f"the model of {name} is {before.spec.grade} and the request {kind} ({_difficulty(policy, ask)})"
        case _:
            words = f"the route lists it behind {name}; it goes before {name} if listed so"
    return by, f"asked after {name}: {words}"


def _deciding(policy: Policy, ask: Ask, allowed: Sequence[Standing], first: Standing, second: Standing) -> str:
    """Return what puts `first` before `second`."""
    found = keys(policy, ask, allowed)
    ranks = {standing.spec.name: key for standing, key in zip(allowed, found, strict=True)}
    names = (_BUDGET, *policy.prefer, _LISTED)
    one, other = ranks[first.spec.name], ranks[second.spec.name]
    if one > other:
        return _GRADE  # the cloud tier's own places were filled anew
    same_fit = one[0] == other[0]
    if (
        same_fit
        and graded(policy, ask)
        and first.spec.tier is second.spec.tier
        and (first.spec.grade is not second.spec.grade)
    ):
        return _GRADE
    return next(name for name, mine, theirs in zip(names, one, other, strict=True) if mine != theirs)


def _strength(by: str, policy: Policy, ask: Ask, allowed: Sequence[Standing], one: Standing) -> str:
    match by:
        case "latencyBudget":
            return "it keeps the latency budget best"
        case Criterion.LATENCY:
            return f"it is the quickest with {_figure(latency(ask, one))}"
        case Criterion.PRICE:
            return f"it is the cheapest with {_money(one, cost(ask, one))}"
        case Criterion.LOAD:
            return f"it has the least to do with {_load(one, allowed)}"
        case "grade":
            kind = "simple" if simple(policy, ask) else "difficult"
            return f"its model is {one.spec.grade} and the request {kind} ({_difficulty(policy, ask)})"
        case _:
            return "the route lists it first"


def _budget_note(policy: Policy, one: Standing) -> str:
    """Return what a first backend's stand to the budget is where that is not simply within it."""
    if fit(policy, one) is Fit.OVER:
        return f", though {_over(policy, one)}"
    unknown = [words for words, limit_ms, figure in _limits(policy, one) if limit_ms is not None and figure.ms is None]
    return f"; {' and '.join(unknown)} is not known yet, so that one request at a time goes to it" if unknown else ""


def _over(policy: Policy, one: Standing) -> str:
    """Return how a backend fails the budget, and the budget that would admit it."""
    told = [
        f"{words} takes {_figure(figure)} against a budget of {limit_ms:g} ms; a budget of {figure.ms:.0f} ms admits it"
        for words, limit_ms, figure in _limits(policy, one)
        if limit_ms is not None and figure.ms is not None and figure.ms > limit_ms
    ]
    return " and ".join(told) or "its latency is not known yet and a request is in flight that will tell"


def _limits(policy: Policy, one: Standing) -> tuple[tuple[str, float | None, Figure], ...]:
    return (
        ("the first token", policy.budget.first_token_ms, one.first_token),
        ("the round trip", policy.budget.round_trip_ms, one.round_trip),
    )


def _figure(figure: Figure) -> str:
    return (
        f"{figure.ms:,.0f} ms at p95 ({figure.source})" if figure.ms is not None else f"? ms at p95 ({figure.source})"
    )


def _slower(mine: Figure, theirs: Figure, name: str) -> str:
    """Return how one latency stands behind another, and which would not."""
    if mine.ms is None:
        return "its latency is not known yet and a request is in flight that will tell"
    if theirs.ms is None:
        return f"the latency of {name} is not known yet, so that one request at a time goes to it"
    enough_ms = theirs.ms / STEP
    return f"{_figure(mine)} is slower than {_figure(theirs)} of {name}; below {enough_ms:,.0f} ms it goes before it"


def _dearer(ask: Ask, one: Standing, before: Standing) -> str:
    """Return how one price stands behind another, and what would turn them."""
    mine, theirs, name = cost(ask, one), cost(ask, before), before.spec.name
    if mine is None or theirs is None:
        return f"its price is unknown, that of {name} is {_money(before, theirs)}; with a price it is compared"
    return (
        f"{_money(one, mine)} for this request is more than {_money(before, theirs)} of {name}; "
        f"it goes before if it costs over {_money(one, mine - theirs)} less"
    )


def _money(one: Standing, amount: int | None) -> str:
    currency = one.spec.price.currency if one.spec.price else ""
    return f"{amount / COST_UNITS:.6f} {currency}" if amount is not None else "an unknown price"


def _load(one: Standing, allowed: Sequence[Standing]) -> str:
    if shares_known(allowed):
        return f"{one.in_flight} of {one.spec.max_concurrency} requests in flight"
    return f"{load(one, shares=False):.0f} requests in flight"


def _difficulty(policy: Policy, ask: Ask) -> str:
    return f"difficulty {ask.difficulty:.2f}, simple below {policy.light_below:g}"
