"""What workloads ask for and nothing in the estate offers: not wrong, but nothing can come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic, Severity, nearest
from cellwright.estate import mig
from cellwright.estate.documents.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.estate.model import Estate, Node, Workload
    from cellwright.estate.parsing import Parsed
    from cellwright.estate.yaml_nodes import Path


def unmet(parsed: Parsed, estate: Estate) -> Iterator[Diagnostic]:
    """Yield a warning for each wish of a workload that no site or machine can grant."""
    nodes = [node for site in estate.sites.values() for node in site.nodes]
    models = sorted({node.gpus.model for node in nodes if node.gpus})
    profiles = {model: _profiles(node for node in nodes if node.gpus and node.gpus.model == model) for model in models}
    fabrics, dpus = any(node.fabric for node in nodes), any(node.dpu for node in nodes)
    for workload in estate.workloads.values():
        for found in (
            _sites(workload, estate),
            _models(workload, models),
            _instances(workload, profiles),
            () if fabrics or not workload.gang else [(("gang",), "is a gang, but no machine names a fabric", None)],
            ()
            if dpus or not workload.untrusted
            else [(("untrusted",), "is untrusted, but no machine has a DPU", None)],
        ):
            for path, words, hint in found:
                declaration = parsed.declarations[Kind.WORKLOAD, workload.name]
                mark = declaration.node.descend(("spec", *path)).mark
                message = f"{workload.name} {words}"
                yield Diagnostic("unmet-wish", message, mark, hint=hint, severity=Severity.WARNING)


def _profiles(nodes: Iterable[Node]) -> frozenset[str]:
    """Return the MIG profiles that machines with GPUs of one model offer."""
    cuts = (mig.geometry(node.gpus.model) for node in nodes if node.gpus and node.gpus.mig)
    return frozenset(name for cut in cuts if cut for name in cut.profiles)


def _sites(workload: Workload, estate: Estate) -> Iterator[tuple[Path, str, str | None]]:
    selector = workload.replicas.per_site
    if selector and not any(selector.selects(site) for site in estate.sites.values()):
        yield ("replicas", "perSite"), "has a replica for each site of a kind, but there is no such site", None


def _models(workload: Workload, models: list[str]) -> Iterator[tuple[Path, str, str | None]]:
    for model in sorted(workload.demand.gpu_models - set(models)):
        yield ("demand", "gpuModels"), f"names the GPU model {model!r}, which no machine has", nearest(model, models)


def _instances(workload: Workload, profiles: dict[str, frozenset[str]]) -> Iterator[tuple[Path, str, str | None]]:
    wanted = workload.demand.gpu_models or profiles.keys()
    offered = sorted({name for model in wanted for name in profiles.get(model, ())})
    hint = f"offered: {', '.join(offered)}" if offered else "gpus: {mig: true} says that a machine's GPUs are cut"
    wishes: list[tuple[Path, str | None]] = [(("demand", "migProfile"), workload.demand.mig_profile)]
    for index, form in enumerate(workload.quantisations):
        wishes.append((("model", "quantisations", index, "migProfile"), form.mig_profile))
    for path, profile in wishes:
        if profile is not None and profile not in offered:
            yield path, f"asks for a MIG instance {profile!r}, which no machine offers", hint
