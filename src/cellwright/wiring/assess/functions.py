"""Archetypes of AI functions, one for each row of Table 1 of the placement guidance, with assumed demands.

Rows, primary tiers and latency bands: AWS for Industries, "Flexible Telecom AI Workload Deployment Across AWS Hybrid
Cloud", Table 1 and Dimension 2. Demands, service times and volumes are assumptions of a plausible size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import OnCall, Phase, SensitivityClass

if TYPE_CHECKING:
    from collections.abc import Mapping

_C: Final = SensitivityClass


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of AI function."""

    name: str
    phase: Phase
    what: str
    usually: str  # where the guidance puts it
    data: tuple[SensitivityClass, ...]  # classes it works on, the likeliest first
    demand: Mapping[str, object]
    service: tuple[str, str]  # P50, P99
    p99: str | None  # limit of the round trip; None: nobody waits
    transfer: tuple[str, str, str]  # how much, how often, within which time
    on_call: OnCall = OnCall.BUSINESS_HOURS
    skills: tuple[str, ...] = ("ml-operations",)
    tokens: tuple[int, int] | None = None  # events an hour, raw tokens of each, where a cloud model reads what it makes
    calls: tuple[str, ...] = field(default=())


_SMALL: Final = {"cores": 8, "memory": "32 GiB", "gpus": 1, "gpuMemory": "16 GiB"}
_LARGE: Final = {"cores": 32, "memory": "256 GiB", "gpus": 2, "gpuMemory": "80 GiB"}

ARCHETYPES: Final = {
    each.name: each
    for each in (
        Archetype(
            "alarm-filter", Phase.EDGE_PREFILTER, "filters alarms, so that only digests go on to a cloud model",
            "on premises or an AI factory, always when data gravity is a driver",
            (_C.SIGNALLING, _C.NETWORK_CONFIGURATION),
            {"cores": 16, "memory": "64 GiB", "gpus": 2, "gpuMemory": "40 GiB"}, ("250 ms", "600 ms"), "1 s",
            ("30 GB", "1 h", "10 min"), OnCall.ALWAYS, tokens=(1000, 20_000),
        ),
        Archetype(
            "policy-control", Phase.REALTIME_INFERENCE, "decides on slice and traffic policy while a session is set up",
            "on premises or an AI factory, always", (_C.AGGREGATED_KPI, _C.SIGNALLING), _SMALL,
            ("2.5 ms", "5 ms"), "10 ms", ("80 MB", "1 min", "10 s"), OnCall.ALWAYS,
        ),
        Archetype(
            "care-assistant", Phase.INTERACTIVE_INFERENCE, "helps an agent while a customer is on the line",
            "a metro zone, when data residency allows it", (_C.AGGREGATED_KPI, _C.TROUBLE_TICKET), _SMALL,
            ("15 ms", "30 ms"), "50 ms", ("4 GB", "1 h", "10 min"), OnCall.ALWAYS, tokens=(200, 6_000),
        ),
        Archetype(
            "network-knowledge", Phase.CONTEXT_CREATION, "embeds and searches configuration, tickets and documentation",
            "wherever the knowledge base is", (_C.NETWORK_CONFIGURATION, _C.TROUBLE_TICKET),
            {"cores": 16, "memory": "128 GiB", "gpus": 1, "gpuMemory": "40 GiB"}, ("120 ms", "400 ms"), "800 ms",
            ("60 GB", "1 d", "1 h"), OnCall.ALWAYS,
        ),
        Archetype(
            "capacity-forecast", Phase.BATCH_INFERENCE, "forecasts each night where capacity runs out",
            "a region, when the data can be transferred", (_C.AGGREGATED_KPI, _C.ANONYMISED),
            {"cores": 16, "memory": "128 GiB", "gpus": 1, "gpuMemory": "40 GiB"}, ("1 h", "2 h"), None,
            ("600 GB", "1 d", "8 h"),
        ),
        Archetype(
            "model-tuning", Phase.FINE_TUNING, "adapts a language model to the operator's own cases",
            "a region, unless the training data cannot leave", (_C.ANONYMISED, _C.TROUBLE_TICKET), _LARGE,
            ("6 h", "9 h"), None, ("40 GB", "7 d", "1 d"),
        ),
        Archetype(
            "model-training", Phase.TRAINING, "trains the operator's own model from its history",
            "a region; an AI factory if sovereignty asks for it", (_C.ANONYMISED, _C.AGGREGATED_KPI),
            {"cores": 96, "memory": "1 TiB", "gpus": 8, "gpuMemory": "80 GiB"}, ("40 h", "60 h"), None,
            ("2 TB", "7 d", "1 d"),
        ),
        Archetype(
            "data-preparation", Phase.DATA_PREPARATION, "cleans and joins the counters of the day",
            "a region, unless residency prevents the transfer", (_C.AGGREGATED_KPI, _C.SIGNALLING),
            {"cores": 32, "memory": "128 GiB"}, ("2 h", "4 h"), None, ("1.2 TB", "1 d", "6 h"),
            skills=("data-engineering",),
        ),
        Archetype(
            "model-compression", Phase.MODEL_OPTIMISATION, "quantises and distils models for each tier",
            "a region; its artefacts go to the edge", (_C.MODEL_ARTEFACT, _C.ANONYMISED),
            {"cores": 32, "memory": "256 GiB", "gpus": 1, "gpuMemory": "80 GiB"}, ("3 h", "5 h"), None,
            ("300 GB", "7 d", "12 h"), skills=("ml-operations", "model-optimisation"),
        ),
        Archetype(
            "incident-agents", Phase.AGENT_ORCHESTRATION, "plans the analysis of an incident beside its tools",
            "hybrid: agents near the data, the orchestrator in the cloud", (_C.ANONYMISED, _C.NETWORK_CONFIGURATION),
            {"cores": 8, "memory": "32 GiB"}, ("900 ms", "2 s"), "3 s", ("200 MB", "1 h", "5 min"), OnCall.ALWAYS,
            tokens=(50, 12_000), calls=("network-knowledge", "alarm-filter"),
        ),
    )
}  # fmt: skip
USUAL: Final = (
    "alarm-filter",
    "policy-control",
    "care-assistant",
    "network-knowledge",
    "capacity-forecast",
    "model-tuning",
)
