"""MIG geometry: which instances a GPU model can be cut into, and where on it each may begin.

Source: NVIDIA, Multi-Instance GPU User Guide, "Supported MIG Profiles"; starts as its `nvidia-smi mig -lgipp` prints
them. Two instances exclude each other where their memory slices overlap, and nothing else has to be checked: on every
model here, instances that share no memory slice never ask for more compute slices than there are. The variants with
media engines (+me) take the same slices and are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of instance."""

    name: str
    memory_gib: float  # what a workload finds in it: less than the name says, for the driver keeps some
    compute_slices: int
    memory_slices: int
    starts: tuple[int, ...]  # memory slices at which it may begin, from 0


@dataclass(frozen=True, slots=True)
class Geometry:
    """What one GPU of a model is made of."""

    memory_slices: int
    compute_slices: int
    profiles: Mapping[str, Profile]  # by name, the smallest first


def _cut(compute_slices: int, sizes: Mapping[int, tuple[int, float]], rows: Sequence[_Row]) -> Geometry:
    """Return the geometry; `sizes` are the GB in a profile's name and its GiB by memory slices."""
    profiles = {}
    for compute, memory, starts in rows:
        label, gib = sizes[memory]
        name = f"{compute}g.{label}gb"
        profiles[name] = Profile(name, gib, compute, memory, starts)
    return Geometry(max(sizes), compute_slices, MappingProxyType(profiles))


_Row = tuple[int, int, tuple[int, ...]]  # compute slices, memory slices, starts
_EIGHTHS: Final[tuple[_Row, ...]] = (
    (1, 1, (0, 1, 2, 3, 4, 5, 6)),
    (1, 2, (0, 2, 4, 6)),
    (2, 2, (0, 2, 4)),
    (3, 4, (0, 4)),
    (4, 4, (0,)),
    (7, 8, (0,)),
)
_QUARTERS: Final[tuple[_Row, ...]] = ((1, 1, (0, 1, 2, 3)), (2, 2, (0, 2)), (4, 4, (0,)))

_GEOMETRIES: Final = MappingProxyType(
    {
        ("A30", 24): _cut(4, {1: (6, 5.81), 2: (12, 11.69), 4: (24, 23.44)}, _QUARTERS),
        ("A100", 40): _cut(7, {1: (5, 4.75), 2: (10, 9.62), 4: (20, 19.5), 8: (40, 39.25)}, _EIGHTHS),
        ("A100", 80): _cut(7, {1: (10, 9.5), 2: (20, 19.5), 4: (40, 39.25), 8: (80, 78.5)}, _EIGHTHS),
        ("H100", 80): _cut(7, {1: (10, 9.62), 2: (20, 19.5), 4: (40, 39.25), 8: (80, 78.5)}, _EIGHTHS),
        ("H100", 94): _cut(7, {1: (12, 10.62), 2: (24, 21.5), 4: (47, 46.12), 8: (94, 92.62)}, _EIGHTHS),
        ("H100", 96): _cut(7, {1: (12, 11.0), 2: (24, 23.0), 4: (48, 46.5), 8: (96, 93.0)}, _EIGHTHS),
        ("H200", 141): _cut(7, {1: (18, 16.0), 2: (35, 32.0), 4: (71, 66.0), 8: (141, 131.0)}, _EIGHTHS),
    }
)
"""GiB: the least that published listings of `nvidia-smi mig -lgip` show; drivers differ by a quarter of a GiB. Of the
H200 they show the smallest alone: two slices count as twice that, larger ones as the GB of their name."""

_ALONE: Final = MappingProxyType({"A30": 24, "H100": 80, "H200": 141})  # which memory a name without one means
_OTHER_NAMES: Final = MappingProxyType(
    {("GH200", 96): ("H100", 96), ("GH200", 480): ("H100", 96)}  # 480 GB is what its processor has
)
_PACKAGING: Final = re.compile(r"NVIDIA|TESLA|SXM\d?|PCIE|HBM\d?E?|GPU|SHARED|GI?B")
_MEMORY: Final = re.compile(r"(\d{2,3})(?:GI?B|G)?")

MODELS: Final = tuple(f"{family}-{memory}GB" for family, memory in _GEOMETRIES)
"""The models that can be cut, each by a name that `geometry` knows."""


@lru_cache(maxsize=256)
def geometry(model: str) -> Geometry | None:
    """Return the geometry of a GPU model, None where it has no MIG or its name is too vague.

    `NVIDIA-A100-SXM4-80GB`, `A100 80 GB` and `a100-80gb` are one model. A bare `A100` may have 40 or 80 GB: None.
    """
    words = [word for word in re.split(r"[\s_-]+", model.upper()) if word and not _PACKAGING.fullmatch(word)]
    if not words:
        return None
    family, *rest = words
    if family == "H100" and rest == ["NVL"]:
        rest = ["94GB"]
    rest = [word for word in rest if word != "NVL"]
    memory = _MEMORY.fullmatch(rest[0]) if len(rest) == 1 else None
    if rest and memory is None:
        return None
    key = (family, int(memory[1]) if memory else _ALONE.get(family, 0))
    return _GEOMETRIES.get(_OTHER_NAMES.get(key, key))
