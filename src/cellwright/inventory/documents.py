"""Sites and links as estate documents, and documents as YAML that reads back as the same values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from cellwright.estate.documents.parts import API_VERSION
from cellwright.estate.model import Execution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.estate.model import Link, Node, Site

    Plain = dict[str, object]

SITES_FILE: Final = "sites.yaml"
LINKS_FILE: Final = "links.yaml"
_WIDTH: Final = 120
_MIB_PER_GIB: Final = 1024
_NUMBER_LIKE: Final = re.compile(r"[-+.]?[\d.][\d.eE+_:-]*|true|false|null|~|", re.IGNORECASE)


def site_document(site: Site) -> Plain:
    """Return the document of a site; what has its default is left out."""
    operations = site.operations
    people: Plain = {"managed": operations.managed}
    if operations.skills:
        people["skills"] = sorted(operations.skills)
    people["onCall"] = operations.on_call.value
    spec: Plain = {
        "tier": site.tier.value,
        "jurisdiction": site.jurisdiction,
        "control": site.control.value,
        **({"isolated": True} if site.isolated else {}),
        "location": {"lat": site.location.lat, "lon": site.location.lon},
        "operations": people,
        "nodes": [_node(node) for node in site.nodes],
        **({} if site.power_budget_kw is None else {"powerBudget": _amount(site.power_budget_kw, "kW")}),
        **({} if site.pue is None else {"pue": site.pue}),
    }
    return _document("Site", site.name, spec, dict(sorted(site.labels)))


def link_document(link: Link) -> Plain:
    """Return the document of a link."""
    spec: Plain = {
        "a": link.a,
        "b": link.b,
        "rtt": {"p50": _amount(link.rtt_p50_ms, "ms"), "p99": _amount(link.rtt_p99_ms, "ms")},
        "bandwidth": _amount(link.bandwidth_gbps, "Gbit/s"),
        **({"estimated": True} if link.estimated else {}),
    }
    return _document("Link", link.name, spec, {})


def _document(kind: str, name: str, spec: Plain, labels: Mapping[str, str]) -> Plain:
    metadata: Plain = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _node(node: Node) -> Plain:
    pages = {
        key: f"{round(gib * _MIB_PER_GIB)} MiB"
        for key, gib in (("2MiB", node.hugepages_2mib_gib), ("1GiB", node.hugepages_1gib_gib))
        if gib
    }
    nics = [
        {"name": nic.name, "cell": nic.cell, "functions": nic.functions, "bandwidth": _amount(nic.gbps, "Gbit/s")}
        for nic in node.nics
    ]
    gpus = node.gpus and {
        "model": node.gpus.model,
        "count": node.gpus.count,
        "memory": _amount(node.gpus.memory_gib, "GiB"),
        **({"mig": True} if node.gpus.mig else {}),
    }
    optional = (
        ("sockets", node.sockets, node.sockets > 1),
        ("cells", node.cells, node.cells != node.sockets),
        ("threadsPerCore", node.threads_per_core, node.threads_per_core > 1),
        ("hugepages", pages, bool(pages)),
        ("nvme", _amount(node.nvme_gb, "GB"), bool(node.nvme_gb)),
        ("gpus", gpus, gpus is not None),
        ("unifiedMemory", True, node.unified_memory),
        ("nics", nics, bool(nics)),
        ("dpu", True, node.dpu),
        ("fabric", node.fabric, node.fabric is not None),
        ("executions", sorted(each.value for each in node.executions), node.executions != frozenset(Execution)),
        ("power", _amount(node.power_kw or 0.0, "kW"), node.power_kw is not None),
    )
    return {
        "name": node.name,
        "count": node.count,
        "arch": node.arch.value,
        "cores": node.cores,
        "memory": _amount(node.memory_gib, "GiB"),
        **{key: value for key, value, given in optional if given},
    }


def _amount(value: float, unit: str) -> str:
    return f"{value:.10g} {unit}"


def _text(dumper: Any, value: str) -> Any:  # noqa: ANN401 - PyYAML's own types
    """Return text so that a reader of YAML 1.2 never takes it for a number, truth value or null."""
    style = "'" if _NUMBER_LIKE.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style=style)


def _dumper() -> Any:  # noqa: ANN401 - PyYAML's C classes have no stubs
    """Return a dumper class that writes equal parts out instead of aliases."""
    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    made: Any = type("EstateDumper", (fast,), {"ignore_aliases": lambda _self, _data: True})
    made.add_representer(str, _text)
    return made


_DUMPER: Final = _dumper()


def to_yaml(documents: Iterable[Mapping[str, object]], heading: str) -> str:
    """Return documents as YAML below a comment."""
    body = yaml.dump_all(
        documents,
        Dumper=_DUMPER,
        explicit_start=True,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDTH,
        default_flow_style=None,
    )
    return "".join(f"# {line}\n" for line in heading.splitlines()) + body


def to_files(documents: Iterable[Mapping[str, object]], heading: str) -> dict[str, str]:
    """Return the text of each file of an estate folder by name; both are always there."""
    sites: list[Mapping[str, object]] = []
    links: list[Mapping[str, object]] = []
    for document in documents:
        (links if document["kind"] == "Link" else sites).append(document)
    return {SITES_FILE: to_yaml(sites, heading), LINKS_FILE: to_yaml(links, heading)}
