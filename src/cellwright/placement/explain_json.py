"""Explanations of a plan as JSON, for programs and tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellwright.placement.changes import Change
    from cellwright.placement.explain import Explanation, WhyNot
    from cellwright.placement.plan import Violation


def explanation_json(explanation: Explanation) -> dict[str, object]:
    """Return an explanation as JSON says it."""
    placement = explanation.placement
    return {
        "workload": placement.workload,
        "site": placement.site,
        "tier": placement.tier,
        "decided_by": placement.decided_by,
        "decided_because": placement.decided_because,
        "cost_per_hour": placement.cost_per_hour,
        "currency": explanation.currency,
        "latency_p50_ms": placement.latency_p50_ms,
        "latency_p99_ms": placement.latency_p99_ms,
        "steps": [
            {"dimension": step.dimension, "eliminated": step.eliminated, "remaining": step.remaining}
            for step in explanation.steps
        ],
        "alternatives": [
            {"site": item.site, "tier": item.tier, "cost_per_hour": item.cost_per_hour, "difference": item.difference}
            for item in explanation.alternatives
        ],
    }


def why_not_json(answer: WhyNot) -> dict[str, object]:
    """Return why a workload is not at a site, and what would change it, as JSON says it."""
    return {
        "workload": answer.workload,
        "site": answer.site,
        "tier": answer.tier,
        "chosen": answer.chosen,
        "violations": [_violation_json(violation) for violation in answer.violations],
        "changes": [_change_json(change) for change in answer.changes],
        "verified": answer.verified,
        "chosen_after": answer.chosen_after,
        "cost_per_hour": answer.cost_per_hour,
        "cost_difference": answer.cost_difference,
        "currency": answer.currency,
    }


def _violation_json(violation: Violation) -> dict[str, object]:
    return {name: getattr(violation, name) for name in violation.__dataclass_fields__}


def _change_json(change: Change) -> dict[str, object]:
    names = ("code", "subject", "before", "after", "unit", "text")
    return {name: getattr(change, name) for name in names if hasattr(change, name)}
