"""Questions of the second step: which AI functions there are, and how long anything takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.units import BANDWIDTH, DURATION
from cellwright.wiring.assess.functions import ARCHETYPES, USUAL, Archetype
from cellwright.wiring.assess.network import estimated
from cellwright.wiring.assess.question import Question
from cellwright.wiring.assess.reading import NOTHING, chosen, listed, optional, percentiles, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.estate.model import Latencies, Link, Site
    from cellwright.wiring.assess.ask_data import Classified
    from cellwright.wiring.assess.ask_network import Network
    from cellwright.wiring.assess.question import Asker

_ESTIMATE: Final = "estimate"


@dataclass(frozen=True, slots=True)
class Measured:
    """What users of a function measured where it runs today."""

    site: str
    round_trip: Latencies
    first_token: Latencies | None


@dataclass(frozen=True, slots=True)
class Function:
    """One AI function as the operator has it."""

    archetype: Archetype
    users: str
    p99_ms: float | None
    dataset: str
    measured: Measured | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.archetype.name


def latency(
    asker: Asker, network: Network, data: Sequence[Classified]
) -> tuple[tuple[Function, ...], tuple[Link, ...]]:
    """Return the functions with their limits and measurements, and the links with their round trips."""
    names = asker.ask(
        Question(
            "functions",
            "Which AI functions do you run or plan?",
            "; ".join(f"{each.name}: {each.what}, usually {each.usually}" for each in ARCHETYPES.values()),
            tuple(ARCHETYPES),
            ", ".join(USUAL),
            listed(chosen(tuple(ARCHETYPES))),
        )
    )
    functions = tuple(_function(asker, ARCHETYPES[each], network, data) for each in names)
    return functions, network.links or _links(asker, network)


def _function(asker: Asker, kind: Archetype, network: Network, data: Sequence[Classified]) -> Function:
    key, sites = f"function.{kind.name}", tuple(site.name for site in network.sites)
    users = asker.ask(
        Question(
            f"{key}.users",
            f"{kind.name}: at which site do its requests arise?",
            "Latency is counted from there.",
            sites[:3],
            network.first.name,
            chosen(sites),
        )
    )
    p99_ms = asker.ask(
        Question(
            f"{key}.p99",
            f"{kind.name}: within which time must 99 of 100 answers be there?",
            "Network and service together. Below 10 ms only nearby sites can answer; 10 to 50 ms leave metro zones; "
            "`none` where nobody waits.",
            ("10 ms", "1 s", NOTHING),
            kind.p99 or NOTHING,
            optional(quantity(DURATION)),
        )
    )
    datasets = tuple(each.dataset.name for each in data)
    dataset = asker.ask(
        Question(
            f"{key}.data",
            f"{kind.name}: which dataset does it work on?",
            "It can only run where that data may be and can come in time.",
            datasets[:3],
            _likeliest(kind, data),
            chosen(datasets),
        )
    )
    return Function(kind, users, p99_ms, dataset, _measured(asker, kind, network, users))


def _measured(asker: Asker, kind: Archetype, network: Network, users: str) -> Measured | None:
    key, sites = f"function.{kind.name}.measured", tuple(site.name for site in network.sites)
    round_trip = asker.ask(
        Question(
            f"{key}.round_trip",
            f"{kind.name}: measured round trip today, P50 / P95 / P99?",
            "A measurement goes before every estimate. `none` if nobody has measured it yet.",
            ("9 / 12 / 15 ms", NOTHING),
            NOTHING,
            optional(percentiles),
        )
    )
    if round_trip is None:
        return None
    site = asker.ask(
        Question(
            f"{key}.site",
            f"{kind.name}: where did it run when that was measured?",
            "The measurement holds for that site and these users.",
            sites[:3],
            users,
            chosen(sites),
        )
    )
    first = asker.ask(
        Question(
            f"{key}.first_token",
            f"{kind.name}: measured time to the first token, P50 / P95 / P99?",
            "What a person waits for before anything appears.",
            ("120 / 180 / 240 ms", NOTHING),
            NOTHING,
            optional(percentiles),
        )
    )
    return Measured(site, round_trip, first)


def _links(asker: Asker, network: Network) -> tuple[Link, ...]:
    """Return a star around the first site."""
    hub = network.first
    return tuple(_link(asker, hub, site) for site in network.sites if site.name != hub.name)


def _link(asker: Asker, hub: Site, site: Site) -> Link:
    key = f"links.{site.name}"
    gbps = asker.ask(
        Question(
            f"{key}.bandwidth",
            f"How much can flow between {hub.name} and {site.name}?",
            "Data that must move has to arrive in time.",
            ("10 Gbit/s", "400 Mbit/s"),
            "100 Gbit/s" if site.tier != hub.tier else "10 Gbit/s",
            quantity(BANDWIDTH),
        )
    )
    guess = estimated(hub, site, gbps)
    rtt = asker.ask(
        Question(
            f"{key}.rtt",
            f"Measured round trip between {hub.name} and {site.name}, P50 / P95 / P99?",
            f"`estimate` takes {guess.rtt_p50_ms:g} ms (P99 {guess.rtt_p99_ms:g} ms) from the distance, and marks it.",
            ("0.8 / 1.1 / 1.4 ms", _ESTIMATE),
            _ESTIMATE,
            lambda text: None if text.lower() == _ESTIMATE else percentiles(text),
        )
    )
    if rtt is None or rtt.p50_ms is None:
        return guess
    return replace(guess, rtt_p50_ms=rtt.p50_ms, rtt_p99_ms=rtt.p99_ms, estimated=False)


def _likeliest(kind: Archetype, data: Sequence[Classified]) -> str:
    ranked = {sensitivity: rank for rank, sensitivity in enumerate(kind.data)}
    order = sorted(data, key=lambda each: ranked.get(each.dataset.sensitivity, len(ranked)))
    return order[0].dataset.name
