"""Small estates as text, and the example's files."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/operator"
CASES = ROOT / "tests/cases/estate"
HEAD = "---\napiVersion: cellwright.io/v1alpha1\n"

SITE = (
    HEAD
    + """kind: Site
metadata: {name: roma}
spec:
  tier: metro
  jurisdiction: IT
  control: provider
  location: {lat: 41.9, lon: 12.5}
  operations: {managed: true, skills: [ml-operations], onCall: 24x7}
  nodes:
    - {name: a, arch: x86_64, cores: 64, memory: 256 GiB, gpus: {model: L40S, count: 4, memory: 48 GiB}}
"""
)
OTHER_SITE = SITE.replace("name: roma", "name: milano")
LINK = (
    HEAD
    + """kind: Link
metadata: {name: roma-milano}
spec: {a: roma, b: milano, rtt: {p50: 8 ms, p99: 12 ms}, bandwidth: 10 Gbit/s}
"""
)
DATASET = (
    HEAD
    + """kind: Dataset
metadata: {name: counters}
spec: {class: aggregated_kpi, home: roma, volume: 1 TB, bound: false}
"""
)
TENANT = (
    HEAD
    + """kind: Tenant
metadata: {name: noc}
spec: {displayName: Operations}
"""
)
REGULATION = (
    HEAD
    + """kind: Regulation
metadata: {name: rule}
spec:
  jurisdictions: [IT]
  classes: [aggregated_kpi]
  boundary: bloc
  members: [IT, NO]
  effect: deny
  source: a law
  checked: 2026-01-01
  expires: 2026-12-31
"""
)
WORKLOAD = (
    HEAD
    + """kind: Workload
metadata: {name: scoring}
spec:
  phase: interactive_inference
  tenant: noc
  demand: {cores: 8, memory: 32 GiB}
  consumes:
    - {dataset: counters, transfer: 40 MB, every: 1 min, within: 10 s}
  latency: {users: roma, p99: 50 ms}
  serviceTime: {p50: 10 ms, p99: 20 ms}
"""
)
PRICES = (
    HEAD
    + """kind: PriceBook
metadata: {name: book}
spec:
  currency: EUR
  source: a contract
  checked: 2026-01-01
  expires: 2026-12-31
  compute:
    - {tier: metro, coreHour: 0.05, memoryGibHour: 0.005, gpuHour: {L40S: 2}, ingressGb: 0}
"""
)
SMALL = SITE + OTHER_SITE + LINK + DATASET + TENANT + REGULATION + WORKLOAD + PRICES


def example_texts() -> list[tuple[str, str]]:
    """Return the example's files as `parse` takes them."""
    return [(path.name, path.read_text(encoding="utf-8")) for path in sorted(EXAMPLE.glob("*.yaml"))]
