"""Cohorts: the replicas of a workload that are alike, which planning judges once and places together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cellwright.errors import EstateError
from cellwright.estate.model import ServiceClass, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.estate.model import Estate, Workload


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Replicas `first` to `first + count - 1` of a workload, all for the same users and the same data."""

    workload: Workload  # as these replicas see it: their users, their datasets
    count: int
    first: int  # from 1
    total: int  # replicas of the workload in all
    pinned: str | None  # the only site they may be at

    @property
    def name(self) -> str:
        """The workload's name."""
        return self.workload.name

    @property
    def replicas(self) -> range:
        """The numbers of its replicas."""
        return range(self.first, self.first + self.count)

    @property
    def moves_freely(self) -> bool:
        """Whether where one of its replicas goes is nobody's concern but its own."""
        workload = self.workload
        coupled = workload.gang or workload.together_with or workload.spread is Spread.SITE
        return self.pinned is None and not coupled


def cohorts(estate: Estate) -> tuple[Cohort, ...]:
    """Return the cohorts of every workload, by workload name and replica."""
    return tuple(cohort for name in sorted(estate.workloads) for cohort in _expanded(estate, estate.workloads[name]))


def _expanded(estate: Estate, workload: Workload) -> Iterator[Cohort]:
    """Yield the cohorts of one workload."""
    replicas = workload.replicas
    if replicas.per_site is not None:
        chosen = [name for name in sorted(estate.sites) if replicas.per_site.selects(estate.sites[name])]
        for number, site in enumerate(chosen, start=1):
            yield Cohort(_serving(workload, site), 1, number, len(chosen), site)
    elif replicas.per_home:
        others = tuple(use for use in workload.consumes if use.dataset not in replicas.per_home)
        for number, dataset in enumerate(replicas.per_home, start=1):
            own = tuple(use for use in workload.consumes if use.dataset == dataset)
            served = _serving(workload, estate.datasets[dataset].home)
            yield Cohort(replace(served, consumes=(*own, *others)), 1, number, len(replicas.per_home), None)
    else:
        yield Cohort(workload, replicas.count, 1, replicas.count, None)


def _serving(workload: Workload, users: str) -> Workload:
    return replace(workload, latency=replace(workload.latency, users=users))


def stages(estate: Estate) -> tuple[frozenset[str], ...]:
    """Return the workloads in the order in which they are placed.

    Guaranteed ones go before best-effort ones, except those that a guaranteed one waits for; whoever is called or
    followed goes before those who do so. Raises EstateError (`call-cycle`) for workloads that wait for each other,
    which loading an estate refuses.
    """
    awaited = {name: _awaited(workload) for name, workload in estate.workloads.items()}
    levels = _levels(awaited)
    early = {name for name, workload in estate.workloads.items() if workload.service_class is ServiceClass.GUARANTEED}
    for name in sorted(levels, key=lambda each: -levels[each]):
        early |= awaited[name] if name in early else set()
    ranks: dict[tuple[bool, int], set[str]] = {}
    for name, level in levels.items():
        ranks.setdefault((name not in early, level), set()).add(name)
    return tuple(frozenset(ranks[rank]) for rank in sorted(ranks))


def _awaited(workload: Workload) -> frozenset[str]:
    return frozenset(call.workload for call in workload.calls) | workload.together_with


def _levels(awaited: Mapping[str, frozenset[str]]) -> Mapping[str, int]:
    """Return for each workload how long the longest chain of workloads is that it waits for."""
    levels: dict[str, int] = {}
    left = set(awaited)
    while left:
        ready = {name for name in left if awaited[name] <= levels.keys()}
        if not ready:
            names = ", ".join(sorted(left))
            raise EstateError.of("call-cycle", f"workloads wait for each other in a circle or call nobody: {names}")
        levels |= {name: max((levels[each] + 1 for each in awaited[name]), default=0) for name in ready}
        left -= ready
    return levels
