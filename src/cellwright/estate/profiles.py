"""Profiles of lifecycle phases and tiers: for explanations, reports and warnings, never an input to placement.

Source of the rows: "Flexible Telecom AI Workload Deployment Across AWS Hybrid Cloud" (AWS for Industries), sections
"Telecom AI Lifecycle & Infrastructure Implications", "AWS Hybrid Cloud Infrastructure Components" and Table 1. The
paper names the five characteristics of a phase and describes them in prose; the levels are our reading of that prose.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cellwright.estate.model import Phase, Tier


class Stage(StrEnum):
    """The five phases of the AI lifecycle in the paper's figure 1; a `Phase` is a row of its Table 1."""

    DATA_PREPARATION = "data preparation"
    TRAINING = "training"
    CONTEXT_CREATION = "context creation"
    INFERENCE = "inference"
    OPTIMISATION = "optimisation"


class Level(StrEnum):
    """How much of a characteristic a phase shows."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


@dataclass(frozen=True, slots=True)
class PhaseProfile:
    """What is characteristic of a phase, and what its declared numbers usually are."""

    stage: Stage
    compute_intensity: Level
    memory_bandwidth: Level
    storage_throughput: Level
    latency_sensitivity: Level
    data_sensitivity: Level
    needs_gpu: bool
    p99_range_ms: tuple[float, float] | None  # exclusive and inclusive bound of the target; None: no target is usual


@dataclass(frozen=True, slots=True)
class TierProfile:
    """What a tier can do and what it means for compliance."""

    title: str
    known_as: str  # an example of such a place
    capabilities: tuple[str, ...]
    compliance: str
    isolated_variant: str | None  # what `isolated: true` adds
    latency_to_users: str


_LOW, _MEDIUM, _HIGH, _EXTREME = Level.LOW, Level.MEDIUM, Level.HIGH, Level.EXTREME

PHASE_PROFILES: Final = MappingProxyType(
    {
        Phase.DATA_PREPARATION: PhaseProfile(
            Stage.DATA_PREPARATION, _MEDIUM, _MEDIUM, _EXTREME, _LOW, _HIGH, needs_gpu=False, p99_range_ms=None
        ),
        Phase.TRAINING: PhaseProfile(
            Stage.TRAINING, _EXTREME, _EXTREME, _HIGH, _LOW, _HIGH, needs_gpu=True, p99_range_ms=None
        ),
        Phase.FINE_TUNING: PhaseProfile(
            Stage.TRAINING, _HIGH, _HIGH, _MEDIUM, _LOW, _HIGH, needs_gpu=True, p99_range_ms=None
        ),
        Phase.CONTEXT_CREATION: PhaseProfile(
            Stage.CONTEXT_CREATION, _MEDIUM, _MEDIUM, _HIGH, _MEDIUM, _HIGH, needs_gpu=False, p99_range_ms=(0.0, 5e3)
        ),
        Phase.REALTIME_INFERENCE: PhaseProfile(
            Stage.INFERENCE, _MEDIUM, _HIGH, _LOW, _EXTREME, _HIGH, needs_gpu=False, p99_range_ms=(0.0, 10.0)
        ),
        Phase.INTERACTIVE_INFERENCE: PhaseProfile(
            Stage.INFERENCE, _MEDIUM, _HIGH, _LOW, _HIGH, _MEDIUM, needs_gpu=False, p99_range_ms=(10.0, 50.0)
        ),
        Phase.BATCH_INFERENCE: PhaseProfile(
            Stage.INFERENCE, _HIGH, _HIGH, _HIGH, _LOW, _MEDIUM, needs_gpu=False, p99_range_ms=None
        ),
        Phase.EDGE_PREFILTER: PhaseProfile(
            Stage.INFERENCE, _MEDIUM, _HIGH, _MEDIUM, _HIGH, _EXTREME, needs_gpu=False, p99_range_ms=(0.0, 1e3)
        ),
        Phase.MODEL_OPTIMISATION: PhaseProfile(
            Stage.OPTIMISATION, _HIGH, _HIGH, _MEDIUM, _LOW, _MEDIUM, needs_gpu=True, p99_range_ms=None
        ),
        Phase.AGENT_ORCHESTRATION: PhaseProfile(
            Stage.INFERENCE, _LOW, _LOW, _LOW, _MEDIUM, _MEDIUM, needs_gpu=False, p99_range_ms=(0.0, 6e4)
        ),
    }
)
"""Ranges: real-time below 10 ms, interactive 10 to 50 ms, filtering below a second by the paper; the rest is ours."""

TIER_PROFILES: Final = MappingProxyType(
    {
        Tier.REGION: TierProfile(
            title="Region",
            known_as="a cloud region",
            capabilities=(
                "training and fine-tuning of foundation models",
                "large batch inference",
                "elastic storage and the full catalogue of services",
            ),
            compliance="data leaves the operator's premises; the provider holds the building and the machines",
            isolated_variant=None,
            latency_to_users="tens of milliseconds",
        ),
        Tier.METRO: TierProfile(
            title="Metro",
            known_as="a local zone of a cloud",
            capabilities=("interactive inference on GPUs near users", "the programming interfaces of its region"),
            compliance="stays in the country, but on the provider's premises",
            isolated_variant="no other customer's machines in it, for stricter residency rules",
            latency_to_users="single-digit milliseconds",
        ),
        Tier.ONPREM: TierProfile(
            title="On-premises",
            known_as="a managed rack in a central office",
            capabilities=("real-time inference", "retrieval and semantic filtering beside the data"),
            compliance="data stays where the operator put it; anonymisation before anything leaves",
            isolated_variant=None,
            latency_to_users="a few milliseconds",
        ),
        Tier.AI_FACTORY: TierProfile(
            title="AI factory",
            known_as="hyperscale AI machines in the operator's own hall",
            capabilities=("training and inference at scale", "fast fabric and storage", "managed by its supplier"),
            compliance="data stays on the operator's premises, at the scale of a region",
            isolated_variant=None,
            latency_to_users="a few milliseconds near its hall",
        ),
        Tier.FAR_EDGE: TierProfile(
            title="Far edge",
            known_as="a machine at a cell site or aggregation point",
            capabilities=("small, compressed models beside the radio",),
            compliance="the operator's premises, with little physical protection",
            isolated_variant=None,
            latency_to_users="below a millisecond to a few",
        ),
    }
)
"""The paper has no far edge; that row follows its remarks on cell-site aggregation points and thousands of sites."""
