"""The replicas of a plan, each beside the documents it is about; and what is wrong with who is there at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cellwright.placement.verify.breach import Breach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Consumption, Demand, Estate, Node, Quantisation, Site, Window, Workload
    from cellwright.placement.plan import Placement, Plan


@dataclass(frozen=True, slots=True, eq=False)
class Seated:
    """One placed replica and everything it was promised."""

    placement: Placement
    workload: Workload
    users: str  # the site it serves
    consumes: tuple[Consumption, ...]  # its own data
    demand: Demand  # of its form
    service_p50_ms: float
    service_p99_ms: float
    form_accuracy: float | None  # None: the workload has one form only
    site: Site
    node: Node
    number: int  # of the machine, from 1

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.placement.label

    @property
    def machine(self) -> tuple[str, str, int]:
        """The machine it is on."""
        return self.site.name, self.node.name, self.number

    def runs_at(self, minute: int) -> bool:
        """Return whether it runs at a minute after midnight."""
        return within(self.workload.window, minute)

    def breach(self, code: str, measured: float | str | None, limit: float | str | None, message: str) -> Breach:
        """Return a breach of this replica."""
        return Breach(code, self.label, self.site.name, measured, limit, f"{self.label} at {self.site.name}: {message}")


def within(window: Window | None, minute: int) -> bool:
    """Return whether a minute of the day lies in a window, which may pass midnight."""
    if window is None:
        return True
    if window.start_min < window.end_min:
        return window.start_min <= minute < window.end_min
    return minute >= window.start_min or minute < window.end_min


def moments(workloads: list[Workload]) -> list[int]:
    """Return the minutes of the day at which most can be running: what is taken rises only where a window begins."""
    return sorted({0} | {each.window.start_min for each in workloads if each.window})


def promised(estate: Estate, workload: Workload) -> list[tuple[str, tuple[Consumption, ...]]]:
    """Return users and data of every replica there must be, in the order of their numbers."""
    wanted = workload.replicas
    if wanted.per_site is not None:
        chosen = [site.name for site in estate.sites.values() if wanted.per_site.selects(site)]
        return [(name, workload.consumes) for name in sorted(chosen)]
    if wanted.per_home:
        return [
            (
                estate.datasets[own].home,
                tuple(use for use in workload.consumes if use.dataset == own or use.dataset not in wanted.per_home),
            )
            for own in wanted.per_home
        ]
    return [(workload.latency.users, workload.consumes)] * wanted.count


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What an estate has and wants, looked up often: who there must be, and every machine by site and label."""

    estate: Estate
    replicas: dict[str, list[tuple[str, tuple[Consumption, ...]]]]
    machines: dict[str, dict[str, tuple[Node, int]]]

    @classmethod
    def by(cls, estate: Estate) -> Wanted:
        """Return what `estate` has and wants."""
        machines: dict[str, dict[str, tuple[Node, int]]] = defaultdict(dict)
        for site in estate.sites.values():
            for node in site.nodes:
                for number in range(1, node.count + 1):
                    machines[site.name][node.name if node.count == 1 else f"{node.name}#{number}"] = node, number
        return cls(estate, {name: promised(estate, each) for name, each in estate.workloads.items()}, machines)


def who_is_there(wanted: Wanted, plan: Plan) -> Iterator[Breach]:
    """Yield what is wrong with the list of replicas: strangers, doubles, missing ones, wrong facts about them."""
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for each in plan.placements:
        seen[each.workload][each.replica] += 1
        if each.workload not in wanted.replicas:
            yield _said(each, "replica.unknown", each.workload, None, "the estate has no such workload")
        else:
            yield from _facts(wanted, each)
            yield from _place(wanted, each)
    for name in sorted(wanted.replicas):
        there, expected = seen[name], len(wanted.replicas[name])
        for number in sorted(number for number, times in there.items() if times > 1):
            message = f"{name}#{number} is listed {there[number]} times"
            yield Breach("replica.twice", f"{name}#{number}", None, there[number], 1, message)
        if there.keys() != set(range(1, expected + 1)):
            message = f"{name} has the replicas {sorted(there)[:9]} in the plan, the estate asks for {expected}"
            yield Breach("replica.count", name, None, len(there), expected, message)


def _facts(wanted: Wanted, placement: Placement) -> Iterator[Breach]:
    """Yield what a placement says of its workload that is not so."""
    workload, replicas = wanted.estate.workloads[placement.workload], wanted.replicas[placement.workload]
    said = (placement.tenant, placement.phase.value, placement.replicas)
    true = (workload.tenant, workload.phase.value, len(replicas))
    if said != true:
        yield _said(placement, "replica.facts", str(said), str(true), f"tenant, phase, replicas are {true}, not {said}")
    if 1 <= placement.replica <= len(replicas) and placement.users != replicas[placement.replica - 1][0]:
        users = replicas[placement.replica - 1][0]
        yield _said(placement, "replica.users", placement.users, users, f"it serves {users}, not {placement.users}")
    if placement.site is not None and (workload.quantisations or placement.quantisation is not None):
        names = ", ".join(each.name for each in workload.quantisations) or "none"
        if form_of(workload, placement) is None:
            message = f"quantisation {placement.quantisation}; the workload has {names}"
            yield _said(placement, "replica.form", placement.quantisation, names, message)


def _place(wanted: Wanted, placement: Placement) -> Iterator[Breach]:
    """Yield what is wrong with where a placement says it is."""
    if placement.site is None:
        return
    site = wanted.estate.sites.get(placement.site)
    if site is None or placement.node not in wanted.machines[site.name]:
        message = f"there is no machine {placement.node} at {placement.site}"
        yield _said(placement, "replica.machine", f"{placement.site}/{placement.node}", None, message)
    elif placement.tier != site.tier:
        yield _said(placement, "replica.tier", placement.tier, site.tier, f"{site.name} is {site.tier}")
    per_site = wanted.estate.workloads[placement.workload].replicas.per_site
    if per_site is not None and placement.site != placement.users:
        message = f"there is one for each site, so this one belongs at {placement.users}"
        yield _said(placement, "replica.site", placement.site, placement.users, message)
    if placement.seating is None:
        yield _said(placement, "replica.seating", None, None, "it has a site but takes nothing of a machine")


def _said(
    placement: Placement, code: str, measured: float | str | None, limit: float | str | None, message: str
) -> Breach:
    return Breach(code, placement.label, placement.site, measured, limit, f"{placement.label}: {message}")


def form_of(workload: Workload, placement: Placement) -> Quantisation | None:
    """Return the quantisation that a placement names."""
    return next((each for each in workload.quantisations if each.name == placement.quantisation), None)


def seated(wanted: Wanted, plan: Plan) -> list[Seated]:
    """Return the placed replicas that can be judged; who cannot has a breach of `who_is_there`."""
    found = []
    for each in plan.placements:
        workload = wanted.estate.workloads.get(each.workload)
        seat = wanted.machines.get(each.site or "", {}).get(each.node or "")
        if workload is None or seat is None or each.seating is None or each.site is None:
            continue
        if not 1 <= each.replica <= len(wanted.replicas[workload.name]):
            continue
        users, consumes = wanted.replicas[workload.name][each.replica - 1]
        form = form_of(workload, each)
        demand, p50, p99, accuracy = workload.demand, workload.service_p50_ms, workload.service_p99_ms, None
        if form:
            profile = form.mig_profile or demand.mig_profile
            demand = replace(demand, gpu_memory_gib=form.gpu_memory_gib, mig_profile=profile)
            p50, p99, accuracy = form.service_p50_ms, form.service_p99_ms, form.accuracy
        site = wanted.estate.sites[each.site]
        found.append(Seated(each, workload, users, consumes, demand, p50, p99, accuracy, site, *seat))
    return found
