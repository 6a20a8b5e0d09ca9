"""What a picture of an estate shows: all of it, the neighbourhood of one site, or what one workload touches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError, nearest
from cellwright.estate.model import SensitivityClass, Tier
from cellwright.placement.plan import PlannedSite
from cellwright.report.picture.reach import Reach, Verdict, reaches, together
from cellwright.report.text import listed, phrase, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.estate.model import Dataset, Estate, Link, Node, Site, Workload

MOST_PANELS: Final = 8  # small maps of where data may go
_FEW: Final = 4  # neighbours; with fewer, theirs are shown too
_MOST_NEIGHBOURS: Final = 400
_MOST_HUBS: Final = 12  # sites that are named for their links


@dataclass(frozen=True, slots=True)
class Scene:
    """Sites and links to draw, datasets to name, and where these may go."""

    title: str
    focus: str | None
    sites: tuple[PlannedSite, ...]
    links: tuple[Link, ...]
    datasets: tuple[Dataset, ...]
    named: tuple[str, ...]  # sites that the focus is about, the most important first
    roles: dict[str, str]  # what such a site is to the focus
    reaches: tuple[Reach, ...]  # all of them; a picture draws the first MOST_PANELS
    joint: Reach | None  # where all data of the focused workload may be together
    facts: tuple[str, ...]  # sentences below the title

    @property
    def tiers(self) -> tuple[tuple[Tier, int], ...]:
        """The tiers on the drawing, with how many sites."""
        found = Counter(site.tier for site in self.sites)
        return tuple((tier, found[tier]) for tier in Tier if found[tier])

    @property
    def classes(self) -> tuple[tuple[SensitivityClass, int], ...]:
        """The classes of the datasets, with how many."""
        found = Counter(dataset.sensitivity for dataset in self.datasets)
        return tuple((each, found[each]) for each in SensitivityClass if found[each])

    @property
    def jurisdictions(self) -> tuple[tuple[str, int], ...]:
        """The jurisdictions on the drawing, with how many sites, the most first."""
        found = Counter(site.jurisdiction for site in self.sites)
        return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def described(self) -> str:
        """What the drawing shows, for those who do not see it."""
        tiers = listed(f"{number:,} {phrase(tier)}" for tier, number in self.tiers) or "none"
        estimated = sum(link.estimated for link in self.links)
        return (
            f"{plural(len(self.sites), 'site')}: {tiers}. {plural(len(self.links), 'link')}, {estimated:,} of them "
            f"estimated from distance. {plural(len(self.datasets), 'dataset')}."
        )


def scene(estate: Estate, title: str, focus: str | None = None) -> Scene:
    """Return the scene of an estate, or of the site or workload called `focus`; raise UsageError for neither."""
    if focus is None:
        return _whole(estate, title)
    if focus in estate.sites:
        return _around_site(estate, title, estate.sites[focus])
    if focus in estate.workloads:
        return _around_workload(estate, title, estate.workloads[focus])
    known = sorted((*estate.sites, *estate.workloads))
    raise UsageError.of(
        "unknown-focus",
        f"the estate has no site and no workload {focus!r}",
        expected=f"one of {plural(len(estate.sites), 'site')} and {plural(len(estate.workloads), 'workload')}",
        hint=nearest(focus, known),
    )


def _whole(estate: Estate, title: str) -> Scene:
    homes = Counter(dataset.home for dataset in estate.datasets.values())
    sites, datasets = tuple(estate.sites.values()), tuple(estate.datasets.values())
    return Scene(
        title=title,
        focus=None,
        sites=_planned(sites),
        links=tuple(estate.links.values()),
        datasets=datasets,
        named=(*sorted(homes, key=lambda name: (-homes[name], name)), *_hubs(estate)),
        roles={},
        reaches=reaches(estate, datasets, sites),
        joint=None,
        facts=(),
    )


def _around_site(estate: Estate, title: str, site: Site) -> Scene:
    names = _neighbourhood(estate, site.name)
    sites = tuple(each for each in estate.sites.values() if each.name in names)
    here = tuple(dataset for dataset in estate.datasets.values() if dataset.home == site.name)
    return Scene(
        title=title,
        focus=site.name,
        sites=_planned(sites),
        links=tuple(link for link in estate.links.values() if link.a in names and link.b in names),
        datasets=tuple(dataset for dataset in estate.datasets.values() if dataset.home in names),
        named=(site.name, *(name for name in sorted(names) if name != site.name)),
        roles={site.name: "in focus"},
        reaches=reaches(estate, here, sites),
        joint=None,
        facts=(_machines(site), *_arriving(estate, site)),
    )


def _around_workload(estate: Estate, title: str, workload: Workload) -> Scene:
    sites = tuple(estate.sites.values())
    datasets = tuple(estate.datasets[name] for name in sorted({use.dataset for use in workload.consumes}))
    found = reaches(estate, datasets, sites)
    joint = Reach(datasets, together(found), ()) if found else None
    roles = {dataset.home: "home of its data" for dataset in datasets}
    users = workload.latency.users
    if users in estate.sites:
        roles[users] = "its users and data" if users in roles else "its users"
    limit = workload.latency.p99_ms
    facts = [
        f"{workload.name}: {phrase(workload.phase)}, "
        + (f"answers within {limit:g} ms (P99)." if limit else "nobody waits for it.")
    ]
    if joint is not None:
        allowed, review = joint.count(Verdict.ALLOWED), joint.count(Verdict.REVIEW)
        facts.append(
            f"All its data may be together at {allowed:,} of {plural(len(sites), 'site')}"
            + (f", at {review:,} more after a legal review." if review else ".")
        )
    return Scene(
        title=title,
        focus=workload.name,
        sites=_planned(sites),
        links=tuple(estate.links.values()),
        datasets=datasets,
        named=tuple(roles),
        roles=roles,
        reaches=found,
        joint=joint,
        facts=tuple(facts),
    )


def _hubs(estate: Estate) -> list[str]:
    """Return the sites with most links."""
    ends = Counter(end for link in estate.links.values() for end in (link.a, link.b))
    return sorted(ends, key=lambda name: (-ends[name], name))[:_MOST_HUBS]


def _neighbourhood(estate: Estate, name: str) -> frozenset[str]:
    """Return a site and those it has a link to; where these are few, also those next to them."""
    near = _beside(estate, {name})
    names = near if len(near) > _FEW else _beside(estate, near)
    others = sorted(names - {name})[:_MOST_NEIGHBOURS]
    return frozenset({name, *others})


def _beside(estate: Estate, names: set[str]) -> set[str]:
    ends = ((link.a, link.b) for link in estate.links.values() if link.a in names or link.b in names)
    return names | {end for pair in ends for end in pair}


def _machines(site: Site) -> str:
    kinds = [
        f"{node.count:,} of {node.name} ({node.arch}, {plural(node.threads, 'thread')}{_gpus(node)})"
        for node in site.nodes
    ]
    machines = listed(kinds) or "no machine"
    return f"{site.name}: {phrase(site.tier)} in {site.jurisdiction}, controlled by the {site.control}; {machines}."


def _gpus(node: Node) -> str:
    return f", {plural(node.gpus.count, 'GPU')} {node.gpus.model}" if node.gpus else ""


def _arriving(estate: Estate, site: Site) -> tuple[str, ...]:
    """Return which data from elsewhere may come here."""
    away = tuple(each for each in estate.datasets.values() if each.home != site.name and not each.bound)
    told: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for reach in reaches(estate, away, (site,)):
        told[reach.verdicts[0]] += [dataset.name for dataset in reach.datasets]
    words = {
        Verdict.ALLOWED: "Data from elsewhere that may come here by law, and is not bound to its home",
        Verdict.REVIEW: "After a legal review",
        Verdict.FORBIDDEN: "Never",
    }
    return tuple(f"{words[verdict]}: {_few(sorted(names))}." for verdict, names in told.items() if names)


def _few(names: Sequence[str]) -> str:
    more = len(names) - 6
    return listed([*names[:6], *([f"{more:,} more"] if more > 0 else [])])


def _planned(sites: Sequence[Site]) -> tuple[PlannedSite, ...]:
    return tuple(
        PlannedSite(site.name, site.tier, site.jurisdiction, site.location.lat, site.location.lon) for site in sites
    )
