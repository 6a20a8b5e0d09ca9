"""GPU names as drivers and catalogues print them, as the models that estates and price books name."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from cellwright.estate import mig

_VENDORS: Final = re.compile(r"^(?:nvidia|amd|intel|tesla|quadro|instinct|geforce|corporation)[\s_-]+", re.IGNORECASE)
_MEMORY: Final = re.compile(r"(?<![\d.])(\d{1,3})\s?G(?:i?B)?(?![\w.])", re.IGNORECASE)
_FORM: Final = re.compile(
    r"[\s_-]+(?:sxm\d?|pcie|pci|hbm\d?e?|nvl|oam|mig|shared|gpu|tensor|core|graphics|\d+\s?gi?b?)(?![a-z0-9]).*$",
    re.IGNORECASE,
)
_SIZES: Final = (
    "T4:16 P4:8 V100:16 A2:16 A10:24 A16:16 A30:24 A40:48 L4:24 L40:48 L40S:48 H100:80 H200:141 B200:180 "
    "RTX-A6000:48 RTX-6000-ADA:48 MI210:64 MI250X:128 MI300X:192 MI325X:256"
)
_CARDS: Final = MappingProxyType(
    {name: int(size) for name, _, size in (word.partition(":") for word in _SIZES.split())}
)
"""GB of each card, of models that have one size or whose name without a size means this one: vendors' data sheets."""

_OTHERS_MEMORY: Final = frozenset(("GH200", "GB200"))  # the size in their names is the processor's


def card_memory_gib(product: str) -> float | None:
    """Return the memory that a product's name says, or its data sheet; None where it has several sizes.

    Memory of GPUs is sold in GiB that are called GB, so that no factor lies between the two.
    """
    family = _family(product).upper()
    match = None if family in _OTHERS_MEMORY else _MEMORY.search(product)
    if match:
        return float(match[1])
    size = 94 if family == "H100" and "NVL" in product.upper() else _CARDS.get(family)
    return None if size is None else float(size)


def card_model(product: str, memory_gib: float | None = None) -> str:
    """Return the model of a product: `NVIDIA-A100-SXM4-80GB` is A100-80GB, `NVIDIA-L40S` is L40S.

    The size stays in the name only where it decides which MIG geometry applies.
    """
    family = _family(product)
    size = memory_gib or card_memory_gib(product)
    if size is None:
        return family
    alone = mig.geometry(family)
    sized = {name: mig.geometry(name) for name in mig.MODELS if name.split("-")[0] == family.upper()}
    if not sized:
        return family
    nearest = min(sized, key=lambda name: (abs(int(name.split("-")[1].removesuffix("GB")) - size), name))
    return family if alone is not None and sized[nearest] is alone else nearest


def _family(product: str) -> str:
    text = product.strip()
    while (bare := _VENDORS.sub("", text)) != text:
        text = bare
    family = _FORM.sub("", text)
    return re.sub(r"[\s_]+", "-", family) or text
