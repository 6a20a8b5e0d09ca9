"""Questions of the first step: which data there is, what it reveals, and what may not leave which boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Boundary, Dataset, SensitivityClass
from cellwright.units import VOLUME
from cellwright.wiring.assess.classes import propose
from cellwright.wiring.assess.question import Question
from cellwright.wiring.assess.reading import any_text, chosen, country, listed, member, name, quantity, yes_no
from cellwright.wiring.assess.rules import BOUNDARIES, EEA, Start, starting_rule

if TYPE_CHECKING:
    from cellwright.estate.model import Effect
    from cellwright.wiring.assess.ask_network import Network
    from cellwright.wiring.assess.question import Asker

_KNOWN: Final = {
    "subscriber-register": "imsi, msisdn, name, address",
    "core-signalling": "imsi, procedure, cell, cause",
    "network-configuration": "element, port, parameter, firmware",
    "trouble-tickets": "ticket, text, resolution",
    "pm-counters": "cell, counter, value, hour",
    "anonymised-history": "cell, hour, count",
}
_VOLUMES: Final = {SensitivityClass.SIGNALLING: "80 TB", SensitivityClass.AGGREGATED_KPI: "40 TB"}
_USUAL_VOLUME: Final = "500 GB"
_BOUND: Final = frozenset({SensitivityClass.SIGNALLING})


@dataclass(frozen=True, slots=True)
class Classified:
    """A dataset, and why it has its class."""

    dataset: Dataset
    because: str


@dataclass(frozen=True, slots=True)
class Ruled:
    """What data of one class from one country may not leave."""

    country: str
    sensitivity: SensitivityClass
    boundary: Boundary
    effect: Effect
    members: tuple[str, ...]
    source: str
    url: str | None

    @property
    def reviewed(self) -> bool:
        """Whether somebody has named a source of their own."""
        return not self.source.startswith("To be reviewed")


def data(asker: Asker, network: Network) -> tuple[tuple[Classified, ...], tuple[Ruled, ...]]:
    """Return the datasets with their classes, and a rule for every class of every country where data lives."""
    names = asker.ask(
        Question(
            "datasets",
            "Which datasets feed your AI functions?",
            "Only data that is named can be kept where it must be.",
            ("core-signalling, pm-counters",),
            ", ".join(_KNOWN),
            listed(name),
        )
    )
    found = tuple(_classified(asker, each, network) for each in names)
    sites = {site.name: site for site in network.sites}
    kinds = sorted({(sites[each.dataset.home].jurisdiction, each.dataset.sensitivity) for each in found})
    return found, tuple(_ruled(asker, home, sensitivity) for home, sensitivity in kinds)


def _classified(asker: Asker, called: str, network: Network) -> Classified:
    key = f"data.{called}"
    fields = asker.ask(
        Question(
            f"{key}.fields",
            f"{called}: names of some of its fields?",
            "Names such as imsi or latitude tell what the data reveals; no content is asked for.",
            ("imsi, cell, cause", "cell, counter, value"),
            _KNOWN.get(called, "unknown"),
            any_text,
        )
    )
    proposal = propose(called, fields)
    sensitivity = asker.ask(
        Question(
            f"{key}.class",
            f"{called}: is it {proposal.sensitivity}?",
            f"Proposed because {proposal.because}. Regulations speak of these classes.",
            tuple(each.value for each in SensitivityClass),
            proposal.sensitivity.value,
            member(SensitivityClass),
        )
    )
    names = tuple(site.name for site in network.sites)
    home = asker.ask(
        Question(
            f"{key}.home",
            f"{called}: at which site does it live?",
            "The law of that place applies, and every move starts there.",
            names[:3],
            network.first.name,
            chosen(names),
        )
    )
    volume_gb = asker.ask(
        Question(
            f"{key}.volume",
            f"{called}: how large is it?",
            "Large data draws functions to itself: data gravity.",
            ("500 GB", "80 TB"),
            _VOLUMES.get(sensitivity, _USUAL_VOLUME),
            quantity(VOLUME),
        )
    )
    bound = asker.ask(
        Question(
            f"{key}.bound",
            f"{called}: is it bound to the equipment there?",
            "Raw records on appliances beside network elements cannot be copied, whatever the law says.",
            ("yes: on the core's appliances", "no: in a database"),
            "yes" if sensitivity in _BOUND else "no",
            yes_no,
        )
    )
    because = proposal.because if sensitivity is proposal.sensitivity else "the operator says so"
    return Classified(Dataset(called, sensitivity, home, volume_gb, bound, ()), because)


def _ruled(asker: Asker, home: str, sensitivity: SensitivityClass) -> Ruled:
    start = starting_rule(home, sensitivity)
    key = f"rules.{home}.{sensitivity}"
    answer = asker.ask(
        Question(
            f"{key}.boundary",
            f"What may {sensitivity} from {home} not leave?",
            "premises: sites under your control; country; bloc: countries you list; review: off the premises only "
            f"after a legal review; anywhere. A starting point, no legal advice; {start.source.lower()}.",
            tuple(BOUNDARIES),
            start.answer,
            chosen(tuple(BOUNDARIES)),
        )
    )
    boundary, effect = BOUNDARIES[answer]
    members = _members(asker, key, home) if boundary is Boundary.BLOC else ()
    source = asker.ask(
        Question(
            f"{key}.source",
            "Which law, article or licence clause says so?",
            "A rule without a source cannot be defended. Keep the default and it stays marked as to be reviewed.",
            ("Legislative Decree 196/2003, Article 123",),
            _source(start, answer),
            any_text,
        )
    )
    return Ruled(home, sensitivity, boundary, effect, members, source, start.url if source == start.source else None)


def _members(asker: Asker, key: str, home: str) -> tuple[str, ...]:
    return asker.ask(
        Question(
            f"{key}.members",
            "Which countries belong to the bloc?",
            "Those where the data may be processed as if it were at home. Members of the European Economic Area are "
            "offered it.",
            ("DE, FR, IT",),
            ", ".join(EEA) if home in EEA else home,
            listed(country),
        )
    )


def _source(start: Start, answer: str) -> str:
    return start.source if answer == start.answer else "To be reviewed: the operator's own answer; name the source"
