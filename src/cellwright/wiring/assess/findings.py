"""What each step meant, told from the plan that the answers led to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.estate.model import Tier
from cellwright.placement.plan import Dimension
from cellwright.placement.wording import listing, money, number, span
from cellwright.policy.residency import may_leave
from cellwright.report.text import count, fold, hourly, phrase, plural
from cellwright.wiring.assess.ask_tokens import ASSUMPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Placement, Plan
    from cellwright.wiring.assess.ask_tokens import TokenCost
    from cellwright.wiring.assess.interview import Interview


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step meant, a sentence a line."""

    title: str
    sentences: tuple[str, ...]


def findings(found: Interview, estate: Estate, plan: Plan) -> tuple[Finding, ...]:
    """Return what the four steps meant, and what to do next."""
    return (
        Finding("1 what the law leaves", tuple(_law(found, estate))),
        Finding("2 what latency rests on", tuple(_latency(found, plan))),
        Finding("3 what tokens cost", tuple(_tokens(found))),
        Finding("4 which tiers remain", tuple(_tiers(plan))),
        Finding("what to measure and look up next", tuple(_next(found, plan))),
    )


def _law(found: Interview, estate: Estate) -> Iterator[str]:
    for each in found.data:
        dataset = estate.datasets[each.dataset.name]
        home = estate.sites[dataset.home]
        allowed = [
            site
            for site in estate.sites.values()
            if may_leave(dataset, home, site, estate.regulations.values()).allowed
        ]
        barred = [tier for tier in _present(estate) if not any(site.tier is tier for site in allowed)]
        lost = f"; eliminated tiers: {_tier_names(barred)}" if barred else ""
        tied = "; bound to its home" if dataset.bound else ""
        yield (
            f"{dataset.name} is {dataset.sensitivity} ({each.because}): "
            f"{len(allowed)} of {plural(len(estate.sites), 'site')}{tied}{lost}"
        )


def _latency(found: Interview, plan: Plan) -> Iterator[str]:
    estimated = sum(link.estimated for link in found.network.links)
    yield f"{estimated} of {plural(len(found.network.links), 'link')} estimated from distance, the others measured"
    for placement in plan.placements:
        if placement.latency_p99_ms is not None:
            p99 = span(placement.latency_p99_ms)
            yield f"{placement.label}: P99 {p99} at {placement.site} ({placement.latency_source})"


def _tokens(found: Interview) -> Iterator[str]:
    money_name = found.costs.token_currency
    if not found.costs.tokens:
        yield "none of these functions sends tokens to a cloud model"
    for each in found.costs.tokens:
        yield _saving(each, money_name)


def _saving(each: TokenCost, currency: str) -> str:
    saved = each.saved
    return (
        f"{each.function}: {hourly(saved.cost_before, currency)} with raw events, "
        f"{hourly(saved.cost_after, currency)} with the edge filter at {each.compression * 100:g} % "
        f"({hourly(each.at_floor.cost_after, currency)} at the floor of 60 %): {count(saved.before.tokens_in)} tokens "
        f"become {count(saved.after.tokens_in)}, {fold(saved.cost_before, saved.cost_after)} less cost, since answers "
        "cost as much as before"
    )


def _tiers(plan: Plan) -> Iterator[str]:
    for placement in plan.placements:
        where = (
            f"{placement.site} ({phrase(placement.tier)})" if placement.site and placement.tier else "no feasible site"
        )
        lost = "; ".join(f"{phrase(tier)}: {', '.join(why)}" for tier, why in _eliminated(placement))
        cost = money(placement.cost_per_hour, plan.currency) if placement.site else "?"
        gone = f"; eliminated: {lost}" if lost else ""
        yield f"{placement.label} at {where}, {cost}, decided by {placement.decided_by}{gone}"
    unused = sorted({site.tier for site in plan.sites} - {each.tier for each in plan.placements if each.tier})
    if unused:
        yield f"tiers that nothing needs: {_tier_names(unused)}"


def _eliminated(placement: Placement) -> Iterator[tuple[Tier, list[str]]]:
    """Yield the tiers of which no site remains, with the dimensions that stand against the nearest miss."""
    reasons: dict[Tier, list[list[str]]] = {}
    for rejection in placement.rejections:
        hard = [each.dimension for each in rejection.violations if each.dimension is not Dimension.COST]
        reasons.setdefault(rejection.tier, []).append(list(dict.fromkeys(hard)))
    for tier in Tier:
        if tier in reasons and tier is not placement.tier and all(reasons[tier]):
            yield tier, min(reasons[tier], key=len)


def _next(found: Interview, plan: Plan) -> Iterator[str]:
    homeless = [each.label for each in plan.placements if each.site is None]
    if homeless:
        yield f"no feasible site for {listing(homeless)}: cellwright explain ESTATE WORKLOAD says what would help"
    measured = {each.name for each in found.functions if each.measured}
    late = [each.workload for each in plan.placements if each.decided_by is Dimension.LATENCY]
    unmeasured = sorted(set(late) - measured)
    if unmeasured:
        yield f"measure P50, P95 and P99 of {listing(unmeasured)} first: latency decided where they run"
    guessed = [link for link in found.network.links if link.estimated]
    if guessed:
        names = [f"{link.a} to {link.b}" for link in sorted(guessed, key=lambda link: (-link.rtt_p99_ms, link.name))]
        yield f"measure the round trip of {plural(len(guessed), 'link')}: {listing(names)}"
    open_rules = [f"{rule.sensitivity} from {rule.country}" for rule in found.rules if not rule.reviewed]
    if open_rules:
        yield f"have counsel review {plural(len(open_rules), 'rule')}: {listing(open_rules)}"
    if found.costs.source == ASSUMPTION:
        yield "replace assumed prices in prices.yaml by those of your contracts"
    unpriced = [each.label for each in plan.placements if each.site and each.cost_per_hour is None]
    if unpriced:
        yield f"look up the prices that {listing(unpriced)} lack"
    yield f"valid until {plan.valid_until or number(None)}: check rules and prices again before that day"


def _present(estate: Estate) -> list[Tier]:
    return [tier for tier in Tier if any(site.tier is tier for site in estate.sites.values())]


def _tier_names(tiers: list[Tier]) -> str:
    return ", ".join(phrase(tier) for tier in tiers)
