"""May this data go there? Pure: the same question always gets the same verdict, with every reason and its source.

The rule fails closed. Data may always be processed at its home. Anywhere else every regulation of the home's
jurisdiction that names the data's class must be content; a class that no regulation names is a grey area and stays on
the premises until somebody has reviewed it. A class that may go anywhere has a regulation document with boundary
`none`: free movement is something an operator has looked up, never something it has forgotten to forbid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Boundary, Control, Effect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.model import Dataset, Regulation, Site

FORBIDDEN: Final = "sovereignty.forbidden"
NEEDS_REVIEW: Final = "sovereignty.needs-review"
UNCLASSIFIED: Final = "sovereignty.unclassified"

WIDENING: Final = (Boundary.PREMISES, Boundary.COUNTRY, Boundary.BLOC, Boundary.NONE)


class Outcome(StrEnum):
    """What may be done with the data at the target; only `allowed` means yes."""

    ALLOWED = "allowed"
    NEEDS_REVIEW = "needs-review"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that stands against a transfer: what the target is, what it would have to be, and who says so."""

    code: str
    regulation: str | None  # None: no regulation names the class
    boundary: Boundary
    measured: str
    limit: str
    message: str
    source: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether data may leave for a site, with every reason against it by regulation name."""

    reasons: tuple[Reason, ...]

    @property
    def outcome(self) -> Outcome:
        """The gravest of the reasons; a review that nobody has made is not a permission."""
        if not self.reasons:
            return Outcome.ALLOWED
        forbidden = any(reason.code == FORBIDDEN for reason in self.reasons)
        return Outcome.FORBIDDEN if forbidden else Outcome.NEEDS_REVIEW

    @property
    def allowed(self) -> bool:
        """Whether nothing stands against it."""
        return self.outcome is Outcome.ALLOWED


@dataclass(frozen=True, slots=True)
class Rule:
    """What is drawn around a dataset at its home: one regulation that names its class, or that none does.

    In `message`, `{site}` stands for a target's name and `{measured}` for what `described` says of it.
    """

    code: str
    regulation: str | None  # None: no regulation names the class
    boundary: Boundary
    members: frozenset[str]
    limit: str
    message: str
    source: str

    def stands_against(self, home: Site, target: Site) -> bool:
        """Return whether a target that is not the home lies outside; its jurisdiction and control alone decide."""
        return not lies_within(self.boundary, home, target, self.members)


def may_leave(dataset: Dataset, home: Site, target: Site, regulations: Iterable[Regulation]) -> Verdict:
    """Return whether `dataset` may be processed at `target`, naming every regulation that stands against it."""
    if target.name == home.name:
        return Verdict(())
    rules = rules_around(dataset, home, regulations)
    return Verdict(tuple(_reason(rule, target) for rule in rules if rule.stands_against(home, target)))


def rules_around(dataset: Dataset, home: Site, regulations: Iterable[Regulation]) -> tuple[Rule, ...]:
    """Return all that is drawn around `dataset`: its regulations by name, or the premises where it has none."""
    applicable = applicable_to(dataset, home, regulations)
    data = f"{dataset.name} ({dataset.sensitivity}, home {home.name} in {home.jurisdiction})"
    return tuple(_rule(regulation, data, home) for regulation in applicable) or (_unclassified(data, home),)


def applicable_to(dataset: Dataset, home: Site, regulations: Iterable[Regulation]) -> tuple[Regulation, ...]:
    """Return the regulations of the home's jurisdiction that name the class of `dataset`, by name."""
    found = (
        regulation
        for regulation in regulations
        if home.jurisdiction in regulation.jurisdictions and dataset.sensitivity in regulation.classes
    )
    return tuple(sorted(found, key=lambda regulation: regulation.name))


def lies_within(boundary: Boundary, home: Site, target: Site, members: frozenset[str]) -> bool:
    """Return whether `target` lies within the boundary that is drawn around `home`.

    `premises` asks for the operator's control, not for a kind of building: an isolated metro zone that a provider
    controls lies outside. The home's own jurisdiction belongs to every bloc, listed or not.
    """
    at_home = target.jurisdiction == home.jurisdiction
    match boundary:
        case Boundary.PREMISES:
            return at_home and target.control is Control.OPERATOR
        case Boundary.COUNTRY:
            return at_home
        case Boundary.BLOC:
            return at_home or target.jurisdiction in members
        case Boundary.NONE:
            return True


def tightest(home: Site, target: Site) -> Boundary:
    """Return the tightest boundary around `home` that `target` lies within, its jurisdiction being made a member."""
    members = frozenset({target.jurisdiction})
    return next(boundary for boundary in WIDENING if lies_within(boundary, home, target, members))


def described(site: Site) -> str:
    """Return what a rule looks at in a target, in words."""
    return f"a site in {site.jurisdiction} that the {site.control} controls"


def _reason(rule: Rule, target: Site) -> Reason:
    """Return the reason for which `rule` stands against `target`."""
    kind = described(target)
    message = rule.message.replace("{site}", target.name).replace("{measured}", kind)
    return Reason(rule.code, rule.regulation, rule.boundary, kind, rule.limit, message, rule.source)


def _rule(regulation: Regulation, data: str, home: Site) -> Rule:
    """Return what a regulation draws around data."""
    review = regulation.effect is Effect.REVIEW
    verb = "needs a legal review to leave" if review else "may not leave"
    limit = _limit(regulation.boundary, home, regulation.members)
    inside = "the bloc" if regulation.boundary is Boundary.BLOC else limit
    return Rule(
        code=NEEDS_REVIEW if review else FORBIDDEN,
        regulation=regulation.name,
        boundary=regulation.boundary,
        members=regulation.members,
        limit=limit,
        message=f"{data} {verb} {inside} ({regulation.name}); {{site}} is {{measured}}",
        source=regulation.source,
    )


def _unclassified(data: str, home: Site) -> Rule:
    """Return what is drawn around data of a class that no regulation names: the premises."""
    limit = _limit(Boundary.PREMISES, home, frozenset())
    message = (
        f"{data} stays within {limit} until a review: no regulation of {home.jurisdiction} names its class; "
        "{site} is {measured}"
    )
    return Rule(UNCLASSIFIED, None, Boundary.PREMISES, frozenset(), limit, message, "no regulation document")


def _limit(boundary: Boundary, home: Site, members: frozenset[str]) -> str:
    """Return the boundary in words."""
    match boundary:
        case Boundary.PREMISES:
            return f"sites in {home.jurisdiction} that the operator controls"
        case Boundary.COUNTRY:
            return f"sites in {home.jurisdiction}"
        case Boundary.BLOC:
            return "sites in " + ", ".join(sorted(members | {home.jurisdiction}))
        case Boundary.NONE:
            return "any site"
