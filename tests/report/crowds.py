"""Plans of whole networks, made by hand: many workloads, or many replicas of a few."""

from __future__ import annotations

import numpy as np
import specimen

from cellwright.estate.model import Phase, Tier
from cellwright.placement.plan import CostItem, Dimension, Placement, Plan, PlannedSite, Rejections
from cellwright.placement.slots import Draw, Seating

TIERS = (Tier.REGION, Tier.METRO, Tier.ONPREM, Tier.FAR_EDGE, Tier.FAR_EDGE, Tier.FAR_EDGE)


def sites(number: int) -> tuple[PlannedSite, ...]:
    """Return sites of all tiers spread over a country."""
    return tuple(
        PlannedSite(
            f"site-{index:05}",
            TIERS[index % len(TIERS)],
            "DE",
            47.5 + 7.0 * ((index * 0.618034) % 1),
            6.5 + 8.0 * ((index * 0.754878) % 1),
        )
        for index in range(number)
    )


def plan(workloads: int, places: int, replicas: int = 1) -> Plan:
    """Return a plan of `workloads` with `replicas` each; the last workload has a replica without a site."""
    network = sites(places)
    far = np.array([site.tier is Tier.FAR_EDGE for site in network])
    findings = (
        specimen.finding(Dimension.SOVEREIGNTY, "boundary", far & (np.arange(places) % 2 == 0), "DE", "FR"),
        specimen.finding(Dimension.LATENCY, "p99", far, 10.0 + np.arange(places), 8.0),
        specimen.finding(Dimension.COST, "higher", ~far, 5.0, 4.0),
    )
    eliminated = {Dimension.SOVEREIGNTY: int(far.sum()) // 2, Dimension.LATENCY: int(far.sum()) // 2}
    placements = []
    for number in range(workloads):
        for replica in range(1, replicas + 1):
            at = (number * 7 + replica * 13) % places
            homeless = number == workloads - 1 and replica == replicas
            rejections = Rejections(network, findings, None if homeless else at)
            placements.append(_placement(f"work-{number:05}", (replica, replicas), rejections, eliminated, number))
    return Plan("cd" * 32, "EUR", "2027-03-31", network, tuple(placements))


def _placement(
    name: str, which: tuple[int, int], rejections: Rejections, eliminated: dict[Dimension, int], number: int
) -> Placement:
    site = None if rejections.chosen is None else rejections.sites[rejections.chosen]
    cost = 1.0 + number % 50
    return Placement(
        workload=name,
        phase=Phase.REALTIME_INFERENCE,
        tenant="operator",
        site=site and site.name,
        tier=site and site.tier,
        node=f"gpu#{which[0] % 9 + 1}" if site else None,
        cost_per_hour=cost if site else None,
        cost_items=(CostItem("16 cores", cost, "book: list prices"),) if site else (),
        latency_p50_ms=2.0,
        latency_p99_ms=5.0 + which[0] % 3,
        decided_by=Dimension.LATENCY,
        decided_because="Only sites near the users answer in time.",
        eliminated=eliminated,
        calls=(),
        rejections=rejections,
        replica=which[0],
        replicas=which[1],
        users="site-00000",
        latency_source="links of the estate + service time (estimated from distance)",
        quantisation="int8" if number % 2 else None,
        seating=Seating((0,), (Draw(16),), (which[0] % 4,), ((0, 4),) if number % 3 == 0 else ()) if site else None,
    )
