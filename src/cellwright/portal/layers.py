"""The four layers of the factory, and which parts of the estate and the plan sit in each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.estate.model import Tier
from cellwright.report.text import count, duration, listed, number, phrase, plural

if TYPE_CHECKING:
    from cellwright.estate.model import Estate, Node
    from cellwright.report.model import FactoryReport


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it is made of, and what it does in this factory."""

    name: str
    purpose: str
    parts: tuple[str, ...]


def layers(estate: Estate, report: FactoryReport) -> tuple[Layer, ...]:
    """Return the layers from the ground up."""
    return (
        Layer("Infrastructure", "Places and machines", _infrastructure(estate)),
        Layer("Virtualisation", "Shares of machines that placements take", _virtualisation(estate, report)),
        Layer("Network", "What joins the places", _network(estate, report)),
        Layer("Service", "What people and systems use", _service(estate, report)),
    )


def _infrastructure(estate: Estate) -> tuple[str, ...]:
    tiers = Counter(site.tier for site in estate.sites.values())
    nodes = [node for site in estate.sites.values() for node in site.nodes]
    archs: Counter[str] = Counter()
    gpus: Counter[str] = Counter()
    for node in nodes:
        archs[node.arch] += node.count
        if node.gpus:
            gpus[node.gpus.model] += node.gpus.count * node.count
    places = listed(f"{tiers[tier]:,} {phrase(tier)}" for tier in Tier if tiers[tier])
    return (
        f"{plural(len(estate.sites), 'site')}: {places}",
        f"{plural(sum(archs.values()), 'machine')}: {_ranked(archs)}",
        f"{plural(sum(gpus.values()), 'GPU')}: {_ranked(gpus)}" if gpus else "no GPUs",
    )


def _virtualisation(estate: Estate, report: FactoryReport) -> tuple[str, ...]:
    placed = [placement for placement in report.plan.placements if placement.site is not None]
    demands = [
        estate.workloads[placement.workload].demand for placement in placed if placement.workload in estate.workloads
    ]
    machines = {(placement.site, placement.node) for placement in placed if placement.node is not None}
    memory_gib = sum(demand.memory_gib for demand in demands)
    gpus = sum(demand.gpus * demand.gpu_share for demand in demands if demand.mig_profile is None)
    instances = sum(demand.mig_profile is not None for demand in demands)
    threads = sum(map(_threads, _nodes(estate)))
    mig = f" and {plural(instances, 'MIG instance')}" if instances else ""
    return (
        f"{plural(len(placed), 'placement')} on {plural(len(machines), 'machine')}",
        f"{count(sum(demand.cores for demand in demands))} of {count(threads)} hardware threads",
        f"{number(memory_gib, 4)} GiB memory, {number(gpus)} {'GPU' if gpus == 1 else 'GPUs'}{mig} taken",
    )


def _network(estate: Estate, report: FactoryReport) -> tuple[str, ...]:
    links = estate.links.values()
    slowest = max((link.rtt_p99_ms for link in links), default=None)
    calls = sum(len(placement.calls) for placement in report.plan.placements)
    capacity = sum(link.bandwidth_gbps for link in links)
    estimated = sum(link.estimated for link in links)
    return (
        f"{plural(len(estate.links), 'link')}, {number(capacity, 4)} Gbit/s together",
        f"slowest round trip P99 {duration(slowest)}",
        f"{count(estimated)} of them estimated from distance, {plural(len(estate.measurements), 'measurement')}",
        f"{plural(calls, 'call')} between workloads",
    )


def _service(estate: Estate, report: FactoryReport) -> tuple[str, ...]:
    answers = report.answers
    workloads = len({placement.workload for placement in report.plan.placements})
    return (
        f"{plural(workloads, 'workload')} of {plural(len(estate.tenants), 'tenant')}",
        f"{plural(report.storms, 'storm')} digested" if report.storms else "no storm digested yet",
        f"gateway answering with {answers.model}" if answers else "gateway without a measurement yet",
    )


def _nodes(estate: Estate) -> list[Node]:
    return [node for site in estate.sites.values() for node in site.nodes]


def _threads(node: Node) -> int:
    return node.threads * node.count


def _ranked(counts: Counter[str]) -> str:
    return listed(f"{number:,} {name}" for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
