"""Simulated telemetry on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.simulate.simulation import TELEMETRY, TRUTH, Scenario, simulate

if TYPE_CHECKING:
    from pathlib import Path


def simulate_into(out: Path, seed: int) -> str:
    """Write a simulated network's telemetry and truth to `out`; return what was written, in a sentence."""
    truth = simulate(out, Scenario(seed))
    counts = truth.counts
    return (
        f"wrote {counts.files} files to {out / TELEMETRY}: {counts.fault_events:,} fault events of {len(truth.faults)} "
        f"faults, {counts.pm_values:,} counter values, {counts.log_lines:,} log lines; the truth, with "
        f"{len(truth.planted)} planted identifiers, is in {out / TRUTH}"
    )
