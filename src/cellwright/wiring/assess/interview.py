"""The guided path: which questions are asked in which order, and what their answers amount to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cellwright.estate.model import OnCall
from cellwright.wiring.assess import ask_data, ask_latency, ask_network, ask_tokens
from cellwright.wiring.assess.network import SKILLS, Team, staffed
from cellwright.wiring.assess.question import Question
from cellwright.wiring.assess.reading import chosen, listed, member, yes_no

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.estate.model import Estate
    from cellwright.wiring.assess.ask_data import Classified, Ruled
    from cellwright.wiring.assess.ask_latency import Function
    from cellwright.wiring.assess.ask_network import Network
    from cellwright.wiring.assess.ask_tokens import Costs
    from cellwright.wiring.assess.question import Asker


@dataclass(frozen=True, slots=True)
class Interview:
    """What the answers amount to."""

    network: Network
    data: tuple[Classified, ...]
    rules: tuple[Ruled, ...]
    functions: tuple[Function, ...]
    costs: Costs


def interview(asker: Asker, load: Callable[[str], Estate]) -> Interview:
    """Return what the answers of `asker` amount to; `load` reads the estate of a folder that an answer names."""
    asker.step(
        "Before the first step: your network",
        "Where your data lives, what you run there, and which tiers you could use beside it. Assumed figures are "
        "marked as assumptions in the files, to be replaced.",
    )
    network = ask_network.network(asker, load)
    asker.step(
        "Step 1: classify data and map regulations",
        "Which data may leave, which may not, and which needs a legal review? Everything else follows: what the law "
        "forbids is eliminated before latency or cost are looked at.",
    )
    data, rules = ask_data.data(asker, network)
    asker.step(
        "Step 2: measure latency",
        "P50, P95 and P99 of the time to the first token and of the full round trip. Without measurements the latency "
        "dimension rests on estimates, and the plan says so.",
    )
    functions, links = ask_latency.latency(asker, network, data)
    asker.step(
        "Step 3: model tokens and cost",
        "How many tokens each function sends, what a filter at the edge takes off (60 % is the floor, 90 % the target "
        "of a tuned small model), and what an hour costs.",
    )
    costs = ask_tokens.costs(asker, network, functions)
    asker.step(
        "Step 4: evaluate tiers",
        "What could your own people operate? A tier that a provider manages asks for no hardware expertise of yours.",
    )
    team = _team(asker)
    sites = tuple(staffed(site, team) for site in network.sites)
    return Interview(replace(network, sites=sites, links=links), data, rules, functions, costs)


def _team(asker: Asker) -> Team:
    managed = asker.ask(
        Question(
            "team.managed",
            "Does a provider manage the machines in your own halls?",
            "A managed rack needs no firmware updates and no hardware on-call of yours.",
            ("yes: a managed rack", "no: your own servers"),
            "no",
            yes_no,
        )
    )
    skills = asker.ask(
        Question(
            "team.skills",
            "What can your own team do at these sites?",
            "A function is only placed where somebody can look after it.",
            ("ml-operations", "data-engineering, ml-operations", "none"),
            "data-engineering, ml-operations",
            listed(chosen(SKILLS), least=0),
        )
    )
    on_call = asker.ask(
        Question(
            "team.on_call",
            "When does somebody attend to an incident there?",
            "Functions that answer in real time ask for somebody around the clock.",
            tuple(each.value for each in OnCall),
            OnCall.ALWAYS.value,
            member(OnCall),
        )
    )
    return Team(managed, skills, on_call)
