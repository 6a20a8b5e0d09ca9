"""Questions about the network: the country, the places where data lives, and the tiers that could be used beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import EstateError
from cellwright.estate.model import Location, Site, Tier
from cellwright.wiring.assess.capitals import capital, currency_of
from cellwright.wiring.assess.network import KITS, TIER_KITS, equipped, site
from cellwright.wiring.assess.question import Question
from cellwright.wiring.assess.reading import any_text, chosen, country, currency, listed, name, place, yes_no

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.estate.model import Estate, Link
    from cellwright.wiring.assess.question import Asker

NEW: Final = "new"
_ABROAD: Final = "region_abroad"
_TIERS: Final = {"metro": Tier.METRO, "ai_factory": Tier.AI_FACTORY, "region": Tier.REGION, _ABROAD: Tier.REGION}
_AWAY: Final = {  # degrees north and east of the first office
    "metro": (0.1, 0.1),
    "ai_factory": (0.6, -0.4),
    "region": (3.0, 1.0),
    _ABROAD: (0.0, 0.0),
}
_WHAT: Final = {
    "metro": "a provider's zone in your city",
    "ai_factory": "a provider's AI machines in your own hall",
    "region": "a provider's cloud region in your country",
    _ABROAD: "a cloud region in another country",
}
_POLE: Final = 85.0  # degrees; nothing is guessed farther north


@dataclass(frozen=True, slots=True)
class Network:
    """Sites and links; without links yet where the sites are new."""

    country: str
    currency: str
    sites: tuple[Site, ...]
    links: tuple[Link, ...]

    @property
    def first(self) -> Site:
        """The place that most things are about: the first that the operator controls, else the first."""
        return next((each for each in self.sites if each.control == "operator"), self.sites[0])


def network(asker: Asker, load: Callable[[str], Estate]) -> Network:
    """Return the network of the answers."""
    home = asker.ask(
        Question(
            "country",
            "In which country is your network?",
            "Its law applies to the data that lives there.",
            ("IT", "Germany", "IN"),
            "IT",
            country,
        )
    )
    money = asker.ask(
        Question(
            "currency",
            "In which currency do you reckon?",
            "All prices of machines and traffic are in it.",
            ("EUR", "USD"),
            currency_of(home),
            currency,
        )
    )
    source = asker.ask(
        Question(
            "network",
            "A folder that `cellwright import` wrote, or a new network?",
            "An import knows your real sites and links; a new network starts from a few questions.",
            (NEW, "./estate"),
            NEW,
            any_text,
        )
    )
    if source != NEW:
        return _imported(asker, home, money, load(source))
    offices = _offices(asker, home)
    return Network(home, money, (*offices, *_candidates(asker, home, offices[0])), ())


def _imported(asker: Asker, home: str, money: str, estate: Estate) -> Network:
    if not estate.sites:
        raise EstateError.of("no-sites", "the estate that was named has no sites", hint="answer `new`, or import some")
    sites = tuple(estate.sites.values())
    if not all(each.nodes for each in sites):
        assume = asker.ask(
            Question(
                "machines",
                "Some sites have no machines. Assume usual ones for their tier?",
                "Nothing can be placed where there is no machine; assumed ones must be replaced by real ones.",
                ("yes", "no"),
                "yes",
                yes_no,
            )
        )
        sites = equipped(sites) if assume else sites
    return Network(home, money, sites, tuple(estate.links.values()))


def _offices(asker: Asker, home: str) -> tuple[Site, ...]:
    names = asker.ask(
        Question(
            "offices",
            "Names of your data centres and central offices?",
            "Data lives here, and so does what must not leave. The first one is the hub of the others.",
            ("core-1, core-2", "central-office-roma"),
            "core-1, core-2",
            listed(name),
        )
    )
    found: list[Site] = []
    for number, each in enumerate(names):
        known = capital(home)
        guess = _beside(found[0].location, (1.5 * number, -1.2 * number)) if found else known and known[1]
        where = asker.ask(
            Question(
                f"places.{each}.at",
                f"Where is {each}? Latitude, longitude",
                "Round-trip times that nobody has measured are estimated from distance."
                + ("" if found or known is None else f" The default is {known[0]}."),
                ("45.46, 9.19",),
                _spelt(guess),
                place,
            )
        )
        kit = asker.ask(
            Question(
                f"places.{each}.machines",
                f"Which machines does {each} have?",
                "What does not fit is eliminated. small: 2 with an L4; medium: 2 with four L40S; large: 2 with eight "
                "H100; each beside 4 without GPUs.",
                tuple(KITS),
                "medium" if number == 0 else "small",
                chosen(tuple(KITS)),
            )
        )
        found.append(site(each, Tier.ONPREM, home, where, KITS[kit]))
    return tuple(found)


def _candidates(asker: Asker, home: str, first: Site) -> tuple[Site, ...]:
    wanted = asker.ask(
        Question(
            "tiers",
            "Which tiers could you use beside your own sites?",
            "Each is evaluated against the same rules: " + "; ".join(f"{key}: {what}" for key, what in _WHAT.items()),
            ("metro, region", "none"),
            ", ".join(_TIERS),
            listed(chosen(tuple(_TIERS)), least=0),
        )
    )
    return tuple(_candidate(asker, key, home, first) for key in wanted)


def _candidate(asker: Asker, key: str, home: str, first: Site) -> Site:
    where = home
    if key == _ABROAD:
        where = asker.ask(
            Question(
                f"tiers_at.{key}.country",
                "In which country is the region abroad?",
                "What may not leave the country or the bloc cannot go there.",
                ("US", "Ireland"),
                "US" if home != "US" else "IE",
                country,
            )
        )
    abroad = capital(where)
    guess = abroad[1] if key == _ABROAD and abroad else _beside(first.location, _AWAY[key])
    location = asker.ask(
        Question(
            f"tiers_at.{key}.at",
            f"Where is {_WHAT[key]}? Latitude, longitude",
            "Its distance decides which latency limits it can keep. The default is a guess.",
            ("45.46, 9.19",),
            _spelt(guess),
            place,
        )
    )
    tier = _TIERS[key]
    return site(key.replace("_", "-"), tier, where, location, TIER_KITS[tier])


def _beside(start: Location, away: tuple[float, float]) -> Location:
    """Return coordinates some degrees north and east, short of the pole and on this side of the antimeridian."""
    lon = start.lon + away[1]
    return Location(round(min(start.lat + away[0], _POLE), 2), round((lon + 180) % 360 - 180, 2))


def _spelt(location: Location | None) -> str:
    return "" if location is None else f"{location.lat:g}, {location.lon:g}"
