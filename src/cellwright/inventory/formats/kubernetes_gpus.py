"""The GPUs of a Kubernetes node: whole, time-sliced, or cut into MIG instances by the single or the mixed strategy."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from cellwright.estate import mig
from cellwright.estate.model import Gpus
from cellwright.inventory.gpus import card_memory_gib, card_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.inventory.findings import Findings

_MIB_PER_GIB: Final = 1024
_MIG_RESOURCE: Final = re.compile(r"nvidia\.com/mig-(\d+g\.\d+gb)(?:\.me)?")
_MIG_PRODUCT: Final = re.compile(r"(.+?)-MIG-(\d+g\.\d+gb)(?:\.me)?.*")
_AMD_PRODUCT: Final = ("amd.com/gpu.product-name", "beta.amd.com/gpu.product-name")
_AMD_MEMORY: Final = ("amd.com/gpu.vram", "beta.amd.com/gpu.vram")


def gpus(labels: Mapping[str, str], has: Mapping[str, float], node: str, findings: Findings) -> Gpus | None:
    """Return the GPUs of a node, None where it has none or does not say which."""
    instances = {match[1]: int(has[key]) for key in sorted(has) if (match := _MIG_RESOURCE.fullmatch(key)) and has[key]}
    devices = int(has.get("nvidia.com/gpu", 0)) + int(has.get("nvidia.com/gpu.shared", 0))
    if instances or devices:
        return _nvidia(labels, instances, devices, node, findings)
    if has.get("amd.com/gpu"):
        product = _first(labels, _AMD_PRODUCT)
        memory = re.match(r"\d+", _first(labels, _AMD_MEMORY))
        size = float(memory[0]) if memory else card_memory_gib(product)
        return _made(product, size, int(has["amd.com/gpu"]), node, findings)
    return None


def _nvidia(
    labels: Mapping[str, str], instances: Mapping[str, int], devices: int, node: str, findings: Findings
) -> Gpus | None:
    product = labels.get("nvidia.com/gpu.product", "")
    memory = labels.get("nvidia.com/gpu.memory", "")
    size = int(memory) / _MIB_PER_GIB if memory.isdecimal() else None
    said = labels.get("nvidia.com/gpu.count", "")
    count = int(said) if said.isdecimal() else 0
    single = _MIG_PRODUCT.fullmatch(product)
    if single:  # every device that the plugin counts is an instance, and so is the memory that it says
        product, instances, size, count = single[1], {single[2]: devices}, None, 0
    if not instances:
        return _made(product, size, count or devices, node, findings)
    model = card_model(product, size)
    geometry = mig.geometry(model)
    if geometry is None:
        findings.skipped("GPUs cut into MIG instances of a model whose geometry is not known", f"{node}: {product}")
        return None
    if not count:
        used = sum(
            number / len(geometry.profiles[name].starts)
            for name, number in instances.items()
            if name in geometry.profiles
        )
        count = max(1, math.ceil(used - 1e-9))
        findings.assumed("GPUs that are cut: as many as the instances need", node)
    return _made(product, size or card_memory_gib(product), count, node, findings, cut=True)


def _made(  # noqa: PLR0913 - the facts of one kind of card
    product: str, size: float | None, count: int, node: str, findings: Findings, *, cut: bool = False
) -> Gpus | None:
    size = size or (card_memory_gib(product) if product else None)
    if not product or not size:
        findings.skipped("GPUs whose model or memory no label says (is GPU Feature Discovery running?)", node)
        return None
    return Gpus(card_model(product, size), count, math.floor(size * 100) / 100, cut)


def _first(labels: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((labels[key] for key in keys if labels.get(key)), "")
