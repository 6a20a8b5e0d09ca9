"""A synthetic report of the size of a national operator, the same on every call."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cellwright.estate.model import Phase, Tier
from cellwright.placement.plan import (
    CostItem,
    Dimension,
    Finding,
    Placement,
    Plan,
    PlannedSite,
    Rejections,
    Violation,
)
from cellwright.report.model import (
    AnswerFigures,
    FactoryReport,
    IncidentView,
    MediationRow,
    Percentiles,
    TokenCost,
)

FAR_EDGE_SITES = 200
_CORE = (
    ("region-milano", Tier.REGION, "IT", 45.46, 9.19),
    ("region-dublin", Tier.REGION, "IE", 53.35, -6.26),
    ("metro-roma", Tier.METRO, "IT", 41.90, 12.50),
    ("metro-napoli", Tier.METRO, "IT", 40.85, 14.27),
    ("metro-torino", Tier.METRO, "IT", 45.07, 7.69),
    ("dc-bologna", Tier.ONPREM, "IT", 44.49, 11.34),
    ("dc-bari", Tier.ONPREM, "IT", 41.12, 16.87),
    ("dc-palermo", Tier.ONPREM, "IT", 38.12, 13.36),
    ("aif-bologna", Tier.AI_FACTORY, "IT", 44.51, 11.39),
)
_CHOICES = (
    ("agents", Phase.AGENT_ORCHESTRATION, "region-milano", Dimension.COST),
    ("anomaly-detector", Phase.REALTIME_INFERENCE, "metro-roma", Dimension.LATENCY),
    ("assistant", Phase.INTERACTIVE_INFERENCE, "metro-roma", Dimension.LATENCY),
    ("embedding-store", Phase.CONTEXT_CREATION, "dc-bologna", Dimension.GRAVITY),
    ("fine-tuner", Phase.FINE_TUNING, "dc-bologna", Dimension.SOVEREIGNTY),
    ("pre-filter", Phase.EDGE_PREFILTER, "edge-000", Dimension.LATENCY),
    ("quantiser", Phase.MODEL_OPTIMISATION, "region-dublin", Dimension.COST),
    ("record-cleaner", Phase.DATA_PREPARATION, "dc-bari", Dimension.SOVEREIGNTY),
    ("report-writer", Phase.BATCH_INFERENCE, "region-dublin", Dimension.COST),
    ("trainer", Phase.TRAINING, "aif-bologna", Dimension.SOVEREIGNTY),
)


def report() -> FactoryReport:
    """Return a report with every part filled."""
    return FactoryReport(
        title="The operator's factory",
        plan=plan(),
        mediation=mediation(),
        incidents=tuple(incident(index) for index in range(4)),
        storms=12,
        median_saving_ves=0.9123,
        median_saving_csv=0.6789,
        answers=answers(),
        token_costs=token_costs(),
        notes=("The public data folder is absent: only simulated telemetry was read.",),
    )


def plan() -> Plan:
    sites = sites_of_a_country()
    placements = tuple(_placement(*choice, sites) for choice in _CHOICES)
    calls = (("anomaly-detector", "metro-roma", Tier.METRO), ("record-cleaner", "dc-bari", Tier.ONPREM))
    return Plan("ab" * 32, "EUR", "2027-03-31", sites, (replace(placements[0], calls=calls), *placements[1:]))


def sites_of_a_country() -> tuple[PlannedSite, ...]:
    """Return two regions, one of them abroad, and 200 far-edge sites along the peninsula."""
    core = [PlannedSite(*row) for row in _CORE]
    edge = [_edge(index) for index in range(FAR_EDGE_SITES)]
    return tuple(sorted(core + edge, key=lambda site: site.name))


def _edge(index: int) -> PlannedSite:
    share = index / FAR_EDGE_SITES
    lat = 45.8 - share * 8.2 + 0.35 * math.sin(index * 2.4)
    lon = 8.3 + share * 8.4 + 1.1 * math.cos(index * 1.7) * (1 - 0.6 * share)
    return PlannedSite(f"edge-{index:03}", Tier.FAR_EDGE, "IT", lat, lon)


def violation(dimension: Dimension, code: str, measured: float | str | None, limit: float | str | None) -> Violation:
    unit = "ms" if isinstance(measured, float) else ""
    return Violation(
        dimension, f"{dimension}.{code}", "core-signalling", measured, limit, unit, f"{code} is broken", "link:a-b"
    )


def _placement(name: str, phase: Phase, chosen: str, decided: Dimension, sites: tuple[PlannedSite, ...]) -> Placement:
    index = next(number for number, site in enumerate(sites) if site.name == chosen)
    rejections = Rejections(sites, _findings(sites, index), index)
    eliminated: dict[Dimension, int] = {}
    for rejection in rejections:
        first = rejection.violations[0].dimension
        eliminated[first] = eliminated.get(first, 0) + 1
    tier = next(site.tier for site in sites if site.name == chosen)
    cost = 2.5 + len(name)
    return Placement(
        workload=name,
        phase=phase,
        tenant="operator",
        site=chosen,
        tier=tier,
        node="gpu-a",
        cost_per_hour=None if name == "trainer" else cost,
        cost_items=(
            CostItem("16 cores", cost * 0.2, "book: list prices, 2026-10-01"),
            CostItem("64 GiB memory", cost * 0.1, "book: list prices, 2026-10-01"),
            CostItem("2 GPUs L4", None if name == "trainer" else cost * 0.7, "book: list prices, 2026-10-01"),
        ),
        latency_p50_ms=4.2,
        latency_p99_ms=9.75,
        decided_by=decided,
        decided_because=f"Only sites near the users answer {name} in time; metro-roma is the cheapest of them.",
        eliminated=eliminated,
        calls=(),
        rejections=rejections,
    )


def _findings(sites: tuple[PlannedSite, ...], chosen: int) -> tuple[Finding, ...]:
    """Return what stands against each site but the chosen one: cost in the core, law, distance or room at the edge."""
    edge = np.array([site.tier is Tier.FAR_EDGE for site in sites])
    third = np.arange(len(sites)) % 3 == 0
    other = np.arange(len(sites)) != chosen
    late = 14.5 + np.arange(len(sites))
    return (
        finding(Dimension.SOVEREIGNTY, "boundary", edge & ~third & other, "IE", "IT"),
        finding(Dimension.LATENCY, "p99", edge & ~third & other, late, 10.0),
        finding(Dimension.CAPACITY, "gpu-memory", edge & third & other, None, 80.0),
        finding(Dimension.COST, "higher", ~edge & other, 12.5, 9.5),
    )


def finding(dimension: Dimension, code: str, at: object, measured: object, limit: float | str | None) -> Finding:
    """Return a finding that holds at the sites of `at`, a list or array of truth values."""
    unit = "" if isinstance(measured, str) or measured is None else "ms"
    sites = np.asarray(at, dtype=np.bool_)
    told = (f"{dimension}.{code}", "core-signalling", limit, unit, f"{code} is broken", "link:a-b")
    return Finding(dimension, *told, sites, measured)  # type: ignore[arg-type]


def mediation() -> tuple[MediationRow, ...]:
    reasons = (("no event time", 7), ("not well-formed at line 31", 5))
    return (
        MediationRow("alarms", "delimited", 2, 184_211, 184_199, 12, 0, reasons),
        MediationRow("pm", "3gpp-pm-xml", 5, 5_120, 5_000, 20, 100, (("heartbeat", 100), ("truncated", 20))),
        MediationRow("simulated", "ves7", 40, 22_000, 22_000, 0, 0, ()),
    )


def incident(index: int) -> IncidentView:
    return IncidentView(
        incident=f"storm-{index:02}",
        source="18V_55N_Wireless",
        started="2026-05-01T10:00:00Z",
        duration_s=754.0,
        events=120 + index,
        elements=17,
        alarm_types=6,
        ves_tokens=19_200 - 900 * index,
        csv_tokens=6_100 - 200 * index,
        digest_tokens=1_720 + 40 * index,
        digest_text="root  NE-17  loss-of-signal   first 10:00:00\n" * 20,
        raw_excerpt='{"event": {"commonEventHeader": {"domain": "fault", "sequence": 1}}}\n' * 20,
        answer="Probable root cause: NE-17, loss of signal.\nCheck the fibre between NE-17 and NE-4 first.",
        left_out=(("repeated events", 81), ("cleared within 5 s", 12)),
    )


def answers() -> AnswerFigures:
    return AnswerFigures(
        model="cellwright-reasoner",
        language_model=False,
        requests=12,
        failed=0,
        ttft=Percentiles(2.1, 3.4, 4.9),
        round_trip=Percentiles(6.3, 9.8, 12.2),
        tokens_in=21_400,
        tokens_out=2_410,
        token_counter="o200k_base",
    )


def token_costs() -> tuple[TokenCost, ...]:
    return (
        _token_cost("Published example, unfiltered", 1000, 20_000, 52.0),
        _token_cost("Published example, filtered", 1000, 2_000, 7.0),
        _token_cost("As measured, unfiltered", 1000, 18_000, 47.0),
        _token_cost("As measured, filtered", 1000, 1_780, 6.45),
    )


def _token_cost(label: str, events: float, tokens_in: float, cost: float) -> TokenCost:
    return TokenCost(label, events, tokens_in, 200, 2.5, 10.0, cost, "USD", "stated assumptions")
