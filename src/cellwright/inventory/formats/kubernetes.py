"""Kubernetes: the nodes of clusters, with the labels of Node Feature Discovery and of the vendors' GPU plugins.

Sources: Kubernetes documentation ("Reserve Compute Resources", "Manage HugePages", "Well-Known Labels"), Node Feature
Discovery ("Features"), NVIDIA GPU Feature Discovery (labels, MIG strategies), AMD GPU operator (node labeller).
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from cellwright.errors import UsageError
from cellwright.estate.model import Arch, Execution, Nic, Node
from cellwright.inventory.complete import complete
from cellwright.inventory.findings import Findings
from cellwright.inventory.formats.kubernetes_gpus import gpus
from cellwright.inventory.jsontext import items, struct
from cellwright.inventory.model import FoundSite, Network, Role
from cellwright.inventory.names import Names, slug
from cellwright.inventory.tables import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cellwright.errors import Mark
    from cellwright.inventory.model import Imported, Options, Source

_ZONE: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_REGION: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_ARCH: Final = ("kubernetes.io/arch", "beta.kubernetes.io/arch")
_SMT: Final = "feature.node.kubernetes.io/cpu-hardware_multithreading"
_NUMA: Final = "feature.node.kubernetes.io/memory-numa"
_VIRTUAL_MACHINES: Final = "kubevirt.io/schedulable"
_ARCHS: Final = {"amd64": Arch.X86_64, "arm64": Arch.ARM64}
_QUANTITY: Final = re.compile(r"([0-9.]+(?:[eE][-+]?[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_DECIMAL: Final = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY: Final = {f"{letter}i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGTPE")}
_FACTORS: Final = {**_DECIMAL, **_BINARY}
_GIB: Final = 1024.0**3


class Taint(msgspec.Struct):
    """What keeps pods away."""

    key: str
    effect: str


class Condition(msgspec.Struct):
    """What the kubelet says of itself."""

    type: str
    status: str


class Info(msgspec.Struct):
    """What the kubelet found."""

    architecture: str = ""


class Metadata(msgspec.Struct):
    """Name and labels."""

    name: str
    labels: dict[str, str] = {}


class Spec(msgspec.Struct):
    """What the administrator wants."""

    unschedulable: bool = False
    taints: list[Taint] | None = None


class Status(msgspec.Struct):
    """What there is."""

    capacity: dict[str, str | int] = {}
    allocatable: dict[str, str | int] = {}
    conditions: list[Condition] | None = None
    nodeInfo: Info = msgspec.field(default_factory=Info)  # noqa: N815 - Kubernetes' own key


class KubernetesNode(msgspec.Struct):
    """A node, of which everything else is skipped."""

    metadata: Metadata
    status: Status
    spec: Spec = msgspec.field(default_factory=Spec)
    kind: str = "Node"

    @property
    def resources(self) -> Mapping[str, float]:
        """What pods may have: allocatable, else capacity; bytes, cores and counts."""
        given = self.status.allocatable or self.status.capacity
        return {key: value for key, text in given.items() if (value := quantity(str(text))) is not None}


class Kubernetes:
    """Reads the nodes of one cluster a file; a zone is a site."""

    name = "kubernetes"
    reads = "the nodes of a cluster: kubectl get nodes -o json > FILE"

    def documents(self, texts: Sequence[Source], options: Options) -> Imported:
        """Return the documents of one or more clusters."""
        clusters = [source for source in texts if source.role is Role.INVENTORY]
        if not clusters:
            raise UsageError.of("no-input", "no cluster is given", expected="kubectl get nodes -o json > FILE")
        findings = Findings()
        sites: dict[str, tuple[FoundSite, list[Node]]] = {}
        for source in clusters:
            for node, mark in sorted(_nodes(source, options, findings), key=lambda pair: pair[0].metadata.name):
                site = _site(node, mark, source, options, findings)
                machine = _machine(node, mark, site.name, options, findings)
                if machine is not None:
                    sites.setdefault(site.key, (site, []))[1].append(machine)
        found = tuple(replace(site, nodes=_folded(machines)) for site, machines in sites.values())
        network = Network(found, (), findings.diagnostics(), findings.remarks())
        return complete(join(network, texts, options), options)


def _nodes(source: Source, options: Options, findings: Findings) -> Iterator[tuple[KubernetesNode, Mark]]:
    """Yield the nodes that take pods."""
    seen: dict[str, Mark] = {}
    for item in items(source, ("items",), options, findings):
        node = struct(item, KubernetesNode, "Kubernetes node", findings)
        if node is None:
            continue
        name = node.metadata.name
        if node.kind != "Node":
            hint = "kubectl get nodes -o json"
            findings.problem("wrong-kind", f"{name!r} is a {node.kind}", item.mark, expected="a Node", hint=hint)
        elif name in seen:
            findings.problem(
                "duplicate-node", f"the node {name!r} occurs twice", item.mark, hint=f"first at {seen[name]}"
            )
        elif reason := _closed(node, options):
            findings.skipped(f"nodes that are {reason}", name)
        else:
            yield node, item.mark
        seen.setdefault(name, item.mark)


def _closed(node: KubernetesNode, options: Options) -> str | None:
    """Return why a node takes no pods, None where it does."""
    if node.spec.unschedulable:
        return "cordoned (unschedulable)"
    ready = next((c.status for c in node.status.conditions or () if c.type == "Ready"), "True")
    if ready != "True":
        return "not ready"
    for taint in node.spec.taints or ():
        own = taint.key in node.resources  # pods that ask for the resource tolerate it: ExtendedResourceToleration
        if taint.effect in {"NoSchedule", "NoExecute"} and not own and taint.key not in options.tolerate:
            return f"tainted {taint.key}:{taint.effect} (--tolerate {taint.key})"
    return None


def _site(node: KubernetesNode, mark: Mark, source: Source, options: Options, findings: Findings) -> FoundSite:
    labels = node.metadata.labels
    region, zone = _first(labels, _REGION), _first(labels, _ZONE)
    if options.site_by is not None:
        name = labels.get(options.site_by, "")
        if not name:
            message = f"node {node.metadata.name!r} has no label {options.site_by!r}"
            findings.problem("no-site", message, mark, expected="the label that --site-by names")
    elif zone and region and not zone.startswith(region):
        name = f"{region}-{zone}"
    else:
        name = zone or region
    if not name:
        name = source.name.replace("\\", "/").rpartition("/")[2].partition(".")[0] or "cluster"
        findings.assumed(f"site: {name}, from the file's name, as nodes have no zone or region", node.metadata.name)
    facts = {key: value for key, value in (("region", region), ("zone", zone)) if value}
    return FoundSite(key=name, name=name, mark=mark, attributes=facts)


def _machine(node: KubernetesNode, mark: Mark, site: str, options: Options, findings: Findings) -> Node | None:
    """Return one machine as placement sees it, None where its processor cannot be used."""
    labels, has, name = node.metadata.labels, node.resources, node.metadata.name
    arch = _first(labels, _ARCH) or node.status.nodeInfo.architecture
    threads, memory = has.get("cpu"), has.get("memory")
    if arch not in _ARCHS:
        findings.skipped(f"nodes of the architecture {arch or 'unknown'}", name)
        return None
    if not threads or not memory:
        message = f"node {name!r} says no {'memory' if threads else 'cpu'}"
        findings.problem("no-capacity", message, mark, expected="status.allocatable with cpu and memory")
        return None
    smt = 2 if labels.get(_SMT) == "true" else 1
    pages = [has.get(f"hugepages-{size}", 0.0) / _GIB for size in ("2Mi", "1Gi")]
    cells = 2 if labels.get(_NUMA) == "true" else 1
    if cells > 1:
        findings.assumed("NUMA cells: 2, as the label says that there are several", name)
    if not node.status.allocatable:
        findings.assumed("capacity in place of allocatable, which the node does not say", name)
    return Node(
        name="",
        count=1,
        arch=_ARCHS[arch],
        cores=max(1, int(threads) // smt),
        memory_gib=_memory_gib(memory, pages, counted=not node.status.allocatable),
        gpus=gpus(labels, has, name, findings),
        unified_memory=False,
        sockets=1,
        cells=cells,
        threads_per_core=smt,
        hugepages_2mib_gib=int(pages[0] * 512) / 512,
        hugepages_1gib_gib=float(int(pages[1])),
        nics=_nics(has, name, options, findings),
        fabric=_fabric(labels, has, site, name, findings),
        executions=frozenset(
            {Execution.KUBERNETES} | ({Execution.VM} if labels.get(_VIRTUAL_MACHINES) == "true" else set())
        ),
    )


def _memory_gib(memory: float, pages: Sequence[float], *, counted: bool) -> float:
    """Return all memory in whole GiB, rounded down; allocatable memory does not count huge pages, capacity does."""
    total = memory / _GIB + (0.0 if counted else sum(pages))
    return max(float(math.floor(total)), sum(pages), 0.5)


def _nics(has: Mapping[str, float], name: str, options: Options, findings: Findings) -> tuple[Nic, ...]:
    """Return a card for every resource of SR-IOV functions."""
    names = Names("nic")
    cards = []
    for resource in sorted(has):
        functions = int(has[resource])
        if "/" in resource and "sriov" in resource.lower().replace("-", "").replace("_", "") and functions > 0:
            findings.assumed(f"network cards: {options.nic_gbps:g} Gbit/s, NUMA cell 0 (--nic-bandwidth)", name)
            cards.append(Nic(names.give(resource.rpartition("/")[2]), 0, functions, options.nic_gbps))
    return tuple(cards)


def _fabric(
    labels: Mapping[str, str], has: Mapping[str, float], site: str, name: str, findings: Findings
) -> str | None:
    able = any("rdma" in key.lower() and value == "true" for key, value in labels.items())
    if not able and not any(key.startswith("rdma/") and value > 0 for key, value in has.items()):
        return None
    findings.assumed("fabric: one for each site, of its nodes with RDMA", name)
    return slug(f"rdma-{site}")


def _folded(machines: Sequence[Node]) -> tuple[Node, ...]:
    """Return identical machines as one entry with their count, the most numerous first."""
    counts: dict[Node, int] = {}
    for machine in machines:
        counts[machine] = counts.get(machine, 0) + 1
    names = Names("node")
    order = sorted(counts, key=lambda node: -counts[node])  # stable: equal counts stay in order of name
    return tuple(
        replace(node, name=names.give(node.gpus.model if node.gpus else "general"), count=counts[node])
        for node in order
    )


def _first(labels: Mapping[str, str], keys: Sequence[str]) -> str:
    return next((labels[key] for key in keys if labels.get(key)), "")


def quantity(text: str) -> float | None:
    """Return a Kubernetes quantity ("63920m", "528280248Ki", "2Gi") as a number, None where it is none."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    try:
        value = float(match[1]) * _FACTORS[match[2] or ""]
    except ValueError:
        return None
    return value if math.isfinite(value) else None


INVENTORY: Final = Kubernetes()
