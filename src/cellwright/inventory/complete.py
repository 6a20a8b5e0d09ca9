"""A network becomes the places of an estate: what a source leaves out comes from the options and is said, or refused.

Never guessed: whose law applies. Reckoned and marked: places without coordinates, round-trip times without measurement.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from cellwright.errors import Severity
from cellwright.estate.model import Control, Operations, Site
from cellwright.inventory.connect import connect
from cellwright.inventory.countries import jurisdiction_of
from cellwright.inventory.documents import link_document, site_document
from cellwright.inventory.findings import Findings
from cellwright.inventory.model import ELEMENT_LIMIT, Imported
from cellwright.inventory.names import Names, plain, slug
from cellwright.inventory.placing import place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.estate.model import Location, Tier
    from cellwright.inventory.model import FoundSite, Network, Options, TierRule

ESTIMATED_LABEL: Final = ("location", "estimated")
ASSUMED_LABEL: Final = ("location", "assumed")
NAME_LABEL: Final = "source-name"
_NAMED: Final = 5  # names that a message repeats


def complete(network: Network, options: Options) -> Imported:
    """Return the documents of a network with everything unknown filled in, or every problem."""
    findings = Findings()
    findings.add(network.diagnostics, network.remarks)
    if not network.sites and not findings.failed:
        left_out = "; ".join(f"{each.text} ({each.count})" for each in network.remarks if each.kind == "skipped")
        hint = f"left out: {left_out}" if left_out else None
        findings.problem("empty-inventory", "no site was found", None, expected="at least one site", hint=hint)
    if max(len(network.sites), len(network.links), sum(len(s.nodes) for s in network.sites)) > ELEMENT_LIMIT:
        message = f"more than {ELEMENT_LIMIT:,} sites, machines or links"
        findings.problem("too-large", message, None, hint="import parts")
    if findings.failed:
        return Imported((), findings.diagnostics(), findings.remarks())
    names = _names(network.sites, findings)
    estimated, located = _locations(network, names, options, findings)
    kept = [site for site in network.sites if site.key in located]
    countries = _countries(kept, options, findings)
    links = connect(network.links, names, located, estimated, options, findings)
    unused_rules(options, kept, findings)
    if findings.failed:
        return Imported((), findings.diagnostics(), findings.remarks())
    sites = tuple(
        _site(site, names[site.key], located[site.key], countries[site.key], estimated, options, findings)
        for site in kept
    )
    documents = (*map(site_document, sites), *map(link_document, links))
    return Imported(documents, findings.diagnostics(), findings.remarks(), sites, links)


def _names(sites: Sequence[FoundSite], findings: Findings) -> dict[str, str]:
    """Return the document name of every site by its key."""
    names = Names("site")
    given = {site.key: names.give(site.name) for site in sites}
    for site in sites:
        name, wanted = given[site.key], slug(site.name)
        if name != wanted:
            text = (
                "a name that occurs more than once got a number"
                if wanted
                else "a name without Latin letters became its number; the label source-name keeps it"
            )
            findings.changed(text, f"{plain(site.name)} -> {name}")
    return given


def _locations(
    network: Network, names: Mapping[str, str], options: Options, findings: Findings
) -> tuple[dict[str, str], dict[str, Location]]:
    """Return how each location that the source lacks was found, and all locations, by key."""
    known = {site.key: site.location for site in network.sites if site.location is not None}
    neighbours: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for site in network.sites:
        neighbours[site.key] = {}
    for link in network.links:
        if link.a in names and link.b in names and link.a != link.b:
            neighbours[link.a][link.b] = neighbours[link.b][link.a] = None
    placed = place(known, {key: tuple(others) for key, others in neighbours.items()}) if len(known) < len(names) else {}
    how = dict.fromkeys(placed, ESTIMATED_LABEL[1])
    for key in placed:
        findings.assumed("location: the mean of its neighbours (label location: estimated)", names[key])
    unplaced = [site for site in network.sites if site.key not in known and site.key not in placed]
    if options.location is not None:
        for site in unplaced:
            placed[site.key] = options.location
            how[site.key] = ASSUMED_LABEL[1]
            findings.assumed("location: the one of --location (label location: assumed)", names[site.key])
    elif options.skip_unplaced:
        for site in unplaced:
            findings.skipped("sites without coordinates and without placed neighbours", names[site.key])
    elif unplaced:
        findings.problem(
            "no-location",
            f"{_several(unplaced)} no coordinates and no neighbour that has some",
            unplaced[0].mark,
            expected="latitude and longitude, or a link to a site that has them",
            hint="give them in a table (--sites FILE with name, lat, lon), name one place for all with --location "
            "LAT,LON, or leave these sites out with --skip-unplaced",
        )
    return how, {**known, **placed}


def _countries(sites: Sequence[FoundSite], options: Options, findings: Findings) -> dict[str, str]:
    """Return the jurisdiction of every site by key; what no source says has to come from the user."""
    found: dict[str, str] = {}
    silent: list[FoundSite] = []
    unknown: defaultdict[str, list[FoundSite]] = defaultdict(list)
    for site in sites:
        code = jurisdiction_of(site.country) if site.country else None
        if code is not None:
            found[site.key] = code
        elif site.country:
            unknown[site.country].append(site)
        else:
            silent.append(site)
    asked = options.jurisdiction
    if asked is not None:
        for site in (*silent, *(site for group in unknown.values() for site in group)):
            found[site.key] = asked
            why = f"{plain(site.country)!r} is no country" if site.country else "the source names no country"
            findings.assumed(f"jurisdiction: {asked} (--jurisdiction), as {why}", plain(site.name))
        return found
    hint = "pass --jurisdiction XX where one law applies to all of them, or a table: --sites FILE with name, country"
    if silent:
        findings.problem("no-jurisdiction", f"{_several(silent)} no country", silent[0].mark, hint=hint)
    for country, group in unknown.items():
        message = f"{plain(country)!r} is no country that is known here ({_several(group)} it)"
        findings.problem(
            "unknown-country", message, group[0].mark, expected="a name, or a code of ISO 3166-1 such as IT", hint=hint
        )
    return found


def _several(sites: Sequence[FoundSite]) -> str:
    shown = ", ".join(repr(plain(site.name)) for site in sites[:_NAMED])
    more = f" and {len(sites) - _NAMED} more" if len(sites) > _NAMED else ""
    return f"{shown}{more}: {len(sites)} site{'s have' if len(sites) > 1 else ' has'}"


def _site(  # noqa: PLR0913, PLR0917 - every fact of a site has its own source
    found: FoundSite,
    name: str,
    location: Location,
    jurisdiction: str,
    estimated: Mapping[str, str],
    options: Options,
    findings: Findings,
) -> Site:
    control = found.control or options.control
    if found.control is None:
        findings.assumed(f"control: {options.control} (--control)", name)
    if found.on_call is None or found.managed is None:
        words = f"managed {str(options.managed).lower()}, on call {options.on_call}"
        findings.assumed(f"operations: {words} (--managed, --on-call, --skill)", name)
    labels = {plain(key): plain(value) for key, value in found.attributes.items() if plain(value) and plain(key)}
    if plain(found.name) != name:
        labels[NAME_LABEL] = plain(found.name)
    if found.key in estimated:
        labels[ESTIMATED_LABEL[0]] = estimated[found.key]
    return Site(
        name=name,
        tier=_tier(found, name, options, findings),
        jurisdiction=jurisdiction,
        control=Control(control),
        isolated=bool(found.isolated),
        location=location,
        operations=Operations(
            options.managed if found.managed is None else found.managed,
            options.skills if found.skills is None else found.skills,
            found.on_call or options.on_call,
        ),
        nodes=found.nodes,
        labels=frozenset(labels.items()),
        power_budget_kw=found.power_budget_kw,
        pue=found.pue,
    )


def _tier(found: FoundSite, name: str, options: Options, findings: Findings) -> Tier:
    """Return the tier: what the source says, else what the first rule that fits says, else the option."""
    if found.tier is not None:
        return found.tier
    attributes = {key.casefold(): value for key, value in found.attributes.items()}
    for rule in options.tier_rules:
        if _fits(rule, attributes):
            return rule.tier
    findings.assumed(f"tier: {options.tier} (--tier, --tier-by)", name)
    return options.tier


def _fits(rule: TierRule, attributes: Mapping[str, str]) -> bool:
    value = attributes.get(rule.attribute.casefold())
    return value is not None and value.strip().casefold() == rule.value.strip().casefold()


def unused_rules(options: Options, sites: Sequence[FoundSite], findings: Findings) -> None:
    """Warn about tier rules for an attribute that no site has: probably a misspelling."""
    known = {key.casefold() for site in sites for key in site.attributes}
    for rule in options.tier_rules:
        if rule.attribute.casefold() not in known:
            findings.problem(
                "unused-tier-rule",
                f"no site has {rule.attribute!r}, which --tier-by names",
                None,
                expected=f"one of {', '.join(sorted(known)) or '(sites have no further facts)'}",
                severity=Severity.WARNING,
            )
