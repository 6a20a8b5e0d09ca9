"""An estate in which every key that a document may have is written, each with a value that is not its default."""

from __future__ import annotations

from estate_texts import DATASET, HEAD, LINK, OTHER_SITE, REGULATION, TENANT

FINE_SITE = (
    HEAD
    + """kind: Site
metadata: {name: roma, labels: {hardware: mig, ring: south}}
spec:
  tier: metro
  jurisdiction: IT
  control: provider
  isolated: true
  location: {lat: 41.9, lon: 12.5}
  operations: {managed: true, skills: [ml-operations], onCall: 24x7}
  powerBudget: 20 kW
  pue: 1.4
  nodes:
    - name: a
      count: 2
      arch: arm64
      sockets: 2
      cells: 4
      cores: 64
      threadsPerCore: 2
      memory: 512 GiB
      hugepages: {2MiB: 64 GiB, 1GiB: 128 GiB}
      nvme: 4 TB
      gpus: {model: NVIDIA-A100-SXM4-80GB, count: 4, memory: 80 GiB, mig: true}
      unifiedMemory: true
      nics:
        - {name: south, functions: 16, bandwidth: 100 Gbit/s}
        - {name: north, cell: 3, functions: 8, bandwidth: 25 Gbit/s}
      dpu: true
      fabric: rail
      executions: [kubernetes, bare_metal]
      power: 1.2 kW
"""
)
FINE_WORKLOADS = (
    HEAD
    + """kind: Workload
metadata: {name: scoring}
spec:
  phase: interactive_inference
  tenant: noc
  description: Scores
  class: best_effort
  execution: bare_metal
  untrusted: true
  window: {from: '22:00', to: '06:30'}
  demand:
    cores: 8
    pinned: true
    singleCell: true
    memory: 32 GiB
    hugepages: {size: 1 GiB, amount: 16 GiB}
    gpus: 1
    gpuShare: 0.5
    gpuMemory: 20 GiB
    gpuModels: [NVIDIA-A100-SXM4-80GB]
    sriov: 2
    nvme: 500 GB
    archs: [arm64]
  consumes:
    - {dataset: counters, transfer: 40 MB, every: 1 min, within: 10 s}
  replicas: {count: 4}
  gang: true
  spread: node
  togetherWith: [language]
  apartFrom: [radio]
  latency: {users: roma, p99: 50 ms}
  serviceTime: {p50: 10 ms, p99: 20 ms}
  readiness: {skills: [ml-operations], onCall: business_hours}
  calls:
    - {workload: language, traffic: 2 GB/h, p99: 30 ms}
---
apiVersion: cellwright.io/v1alpha1
kind: Workload
metadata: {name: language}
spec:
  phase: interactive_inference
  tenant: noc
  demand: {cores: 8, memory: 32 GiB, migProfile: 2g.20gb}
  model:
    minAccuracy: 0.97
    quantisations:
      - {name: fp16, gpuMemory: 16 GiB, accuracy: 1, serviceTime: {p50: 20 ms, p99: 40 ms}}
      - {name: int4, gpuMemory: 5 GiB, accuracy: 0.975, serviceTime: {p50: 9 ms, p99: 18 ms}, migProfile: 1g.10gb}
  consumes:
    - {dataset: counters, transfer: 40 MB, every: 1 min, within: 10 s}
  replicas: {perHome: [counters]}
  latency: {p99: 50 ms}
  serviceTime: {p50: 20 ms, p99: 40 ms}
---
apiVersion: cellwright.io/v1alpha1
kind: Workload
metadata: {name: radio}
spec:
  phase: interactive_inference
  tenant: noc
  demand: {cores: 8, memory: 32 GiB}
  replicas: {perSite: {tiers: [metro], jurisdictions: [IT], labels: {hardware: mig}}}
  spread: site
  latency: {p99: 50 ms}
  serviceTime: {p50: 20 ms, p99: 40 ms}
"""
)
FINE_PRICES = (
    HEAD
    + """kind: PriceBook
metadata: {name: book}
spec:
  currency: EUR
  source: a contract
  checked: 2026-01-01
  expires: 2026-12-31
  compute:
    - {tier: metro, site: roma, coreHour: 0.05, memoryGibHour: 0.005, gpuHour: {L40S: 2}, ingressGb: 0.01}
  owned:
    - {tier: metro, site: roma, node: a, capex: 90000, lifetime: 5 years, utilisation: 0.6, power: 0.8 kW, kwh: 0.21}
  tokens:
    - {model: small, inputPerMillion: 0.5, outputPerMillion: 2}
"""
)
MEASUREMENT = (
    HEAD
    + """kind: Measurement
metadata: {name: scoring-from-milano}
spec:
  workload: scoring
  users: milano
  site: roma
  roundTrip: {p50: 9 ms, p95: 14 ms, p99: 18 ms}
  firstToken: {p50: 90 ms, p95: 140 ms, p99: 180 ms}
  source: a test
  checked: 2026-01-01
"""
)
FINE_LINK = LINK.replace("10 Gbit/s}", "10 Gbit/s, estimated: true}")
FINE_TENANT = TENANT.replace("Operations}", "Operations, quota: {cores: 256, memory: 2 TiB, gpus: 16}}")
FINE_DATA = DATASET.replace("bound: false", "bound: true") + DATASET.replace("name: counters", "name: logs").replace(
    "bound: false", "bound: false, derivedFrom: [counters]"
)
FINE_RULE = REGULATION.replace("source: a law", "source: a law\n  url: https://example.org/law")
FINE = (
    FINE_SITE
    + OTHER_SITE
    + FINE_LINK
    + FINE_DATA
    + FINE_TENANT
    + FINE_RULE
    + FINE_WORKLOADS
    + FINE_PRICES
    + MEASUREMENT
)
