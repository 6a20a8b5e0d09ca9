"""Units as types: quantities are parsed from text with their unit, kept as floats in one canonical unit, printed back.

Inside the program a quantity is a plain float whose canonical unit is in the name (`rtt_ms`, `memory_gib`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUANTITY: Final = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A physical dimension: its canonical unit and the factor of every accepted unit into it."""

    name: str
    unit: str
    factors: Mapping[str, float]
    example: str

    def parse(self, text: str) -> float:
        """Return `text` ("4 ms", "64GiB") in the canonical unit; raise ValueError that says what was expected."""
        match = _QUANTITY.fullmatch(text)
        unit = str(match.group(2) or "") if match else ""
        if match is None or unit not in self.factors:
            given = f"unknown unit {unit!r}" if unit else "no unit" if match else "not a number with a unit"
            msg = f"{given} in {text!r}; expected a {self.name} such as {self.example!r} ({', '.join(self.factors)})"
            raise ValueError(msg)
        value = float(match.group(1)) * self.factors[unit]
        if not math.isfinite(value) or value < 0:
            msg = f"{text!r} is out of range; expected a {self.name} of zero or more, such as {self.example!r}"
            raise ValueError(msg)
        return value

    def format(self, value: float | None, digits: int = 6) -> str:
        """Return the value with its unit; None, the unknown, prints as `?`."""
        return "?" if value is None else f"{value:.{digits}g} {self.unit}"


def _dimension(name: str, unit: str, example: str, **factors: float) -> Dimension:
    return Dimension(name, unit, MappingProxyType({unit: 1.0, **factors}), example)


_KIB: Final = 1024.0
_GB_PER_GIB: Final = _KIB**3 / 1e9

DURATION: Final = _dimension("duration", "ms", "4 ms", us=1e-3, s=1e3, min=6e4, h=3.6e6, d=8.64e7)
MEMORY: Final = _dimension("memory size", "GiB", "64 GiB", MiB=1 / _KIB, TiB=_KIB, GB=1 / _GB_PER_GIB)
VOLUME: Final = _dimension(
    "data volume", "GB", "500 GB", kB=1e-6, MB=1e-3, TB=1e3, PB=1e6, GiB=_GB_PER_GIB, TiB=_GB_PER_GIB * _KIB
)
DATA_RATE: Final = Dimension(
    "data rate",
    "GB/h",
    MappingProxyType({"GB/h": 1.0, "MB/h": 1e-3, "TB/h": 1e3, "GB/d": 1 / 24, "TB/d": 1e3 / 24}),
    "2 GB/h",
)
BANDWIDTH: Final = Dimension(
    "bandwidth", "Gbit/s", MappingProxyType({"Gbit/s": 1.0, "Mbit/s": 1e-3, "Tbit/s": 1e3}), "10 Gbit/s"
)
POWER: Final = _dimension("power", "kW", "1.2 kW", W=1e-3, MW=1e3)


def transfer_s(volume_gb: float, bandwidth_gbps: float) -> float:
    """Return the seconds that `volume_gb` (decimal gigabytes) takes over `bandwidth_gbps` without overhead."""
    return volume_gb * 8.0 / bandwidth_gbps if bandwidth_gbps > 0 else math.inf
