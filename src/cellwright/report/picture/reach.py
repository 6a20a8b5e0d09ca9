"""Where regulations let each dataset go: one verdict for each site, datasets with the same verdicts together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from cellwright.policy.residency import FORBIDDEN, rules_around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.estate.model import Dataset, Estate, Site
    from cellwright.policy.residency import Rule


class Verdict(IntEnum):
    """What the law says about data at a site, in rising order of no."""

    ALLOWED = 0
    REVIEW = 1
    FORBIDDEN = 2


@dataclass(frozen=True, slots=True)
class Reach:
    """Datasets that may go to the same sites."""

    datasets: tuple[Dataset, ...]
    verdicts: tuple[Verdict, ...]  # aligned with the sites that were asked about
    rules: tuple[str, ...]  # regulations that draw the line; a class that none names has none

    @property
    def homes(self) -> tuple[str, ...]:
        """Where they live, by name."""
        return tuple(sorted({dataset.home for dataset in self.datasets}))

    def count(self, verdict: Verdict) -> int:
        """Return how many sites have this verdict."""
        return Counter(self.verdicts)[verdict]


def reaches(estate: Estate, datasets: Sequence[Dataset], sites: Sequence[Site]) -> tuple[Reach, ...]:
    """Return where the datasets may go, the most confined first; those alike whose homes the law would admit share."""
    groups: dict[tuple[tuple[Verdict, ...], tuple[str, ...]], list[Dataset]] = {}
    judged: dict[tuple[str, str], tuple[tuple[Verdict, ...], tuple[str, ...]]] = {}
    for dataset in datasets:
        asked = dataset.home, dataset.sensitivity.value
        if asked not in judged:
            judged[asked] = _judged(estate, dataset, sites)
        groups.setdefault(judged[asked], []).append(dataset)
    found = (Reach(tuple(group), verdicts, rules) for (verdicts, rules), group in groups.items())
    return tuple(sorted(found, key=lambda reach: (reach.count(Verdict.ALLOWED), reach.datasets[0].name)))


def together(found: Sequence[Reach]) -> tuple[Verdict, ...]:
    """Return the verdicts on data of all reaches at once: the gravest at each site."""
    return tuple(max(column) for column in zip(*(reach.verdicts for reach in found), strict=True))


def _judged(estate: Estate, dataset: Dataset, sites: Sequence[Site]) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """Return a verdict for each site and the regulations that have a say; sites that a rule cannot tell apart share."""
    home = estate.sites[dataset.home]
    rules = rules_around(dataset, home, estate.regulations.values())
    kinds: dict[tuple[str, str], Verdict] = {}
    for site in sites:
        kind = site.jurisdiction, site.control
        if kind not in kinds and site.name != home.name:
            kinds[kind] = _verdict(rules, home, site)
    verdicts = tuple(
        Verdict.ALLOWED if site.name == home.name else kinds[site.jurisdiction, site.control] for site in sites
    )
    return verdicts, tuple(rule.regulation for rule in rules if rule.regulation)


def _verdict(rules: Sequence[Rule], home: Site, site: Site) -> Verdict:
    against = [rule.code for rule in rules if rule.stands_against(home, site)]
    if not against:
        return Verdict.ALLOWED
    return Verdict.FORBIDDEN if FORBIDDEN in against else Verdict.REVIEW
