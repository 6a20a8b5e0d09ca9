"""Quantities as inventories write them: the unit in the value, in the column's name, or the base unit of a tool."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER: Final = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*?)?\s*")
_GB_PER_GIB: Final = 1024.0**3 / 1e9


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of quantity: its canonical unit, and the factor into it of every spelling, folded by `spelt`."""

    what: str
    unit: str
    factors: Mapping[str, float]
    example: str

    def parse(self, text: str, column_unit: str | None) -> float:
        """Return the value in the canonical unit; raise ValueError with what was expected.

        A unit in the value goes before the unit of its column.
        """
        match = _NUMBER.fullmatch(text)
        unit = (match[2] if match else None) or column_unit
        if match is None:
            raise ValueError(self._expected())
        if unit is None:
            msg = f"a unit, in the value ({self.example!r}) or in the column's name"
            raise ValueError(msg)
        factor = self.factors.get(spelt(unit))
        if factor is None:
            raise ValueError(self._expected())
        value = float(match[1]) * factor
        if not math.isfinite(value) or value < 0:
            msg = f"a {self.what} of zero or more, such as {self.example!r}"
            raise ValueError(msg)
        return rounded(value)

    def knows(self, unit: str) -> bool:
        """Return whether `unit` is one of its spellings."""
        return spelt(unit) in self.factors

    def _expected(self) -> str:
        return f"a {self.what} such as {self.example!r}"


def rounded(value: float) -> float:
    """Return a value with seven significant digits: more than any inventory knows, and the same in YAML and back."""
    return float(f"{value:.7g}")


def spelt(unit: str) -> str:
    """Return a unit without letter case, slashes and spaces: "Gbit/s" and "gbit_s" are one."""
    return re.sub(r"[\W_]+", "", unit.replace("µ", "u")).lower()


def _measure(what: str, unit: str, example: str, **factors: float) -> Measure:
    return Measure(what, unit, MappingProxyType(factors), example)


def _rates() -> Mapping[str, float]:
    prefixes = {"": 1e-9, "k": 1e-6, "m": 1e-3, "g": 1.0, "t": 1e3}
    endings = ("bps", "bits", "bit", "b", "bitps", "bitsec", "be", "baset")
    found = {prefix + ending: factor for prefix, factor in prefixes.items() for ending in endings}
    return MappingProxyType({**found, "k": 1e-6, "m": 1e-3, "g": 1.0, "t": 1e3, "ge": 1.0})


MEMORY: Final = _measure(
    "memory size",
    "GiB",
    "64 GiB",
    gib=1.0,
    mib=1 / 1024,
    tib=1024.0,
    kib=1 / 1024**2,
    gb=1 / _GB_PER_GIB,
    mb=1e-3 / _GB_PER_GIB,
    tb=1e3 / _GB_PER_GIB,
    gi=1.0,
    mi=1 / 1024,
    ti=1024.0,
    ki=1 / 1024**2,
)
VOLUME: Final = _measure(
    "data volume", "GB", "500 GB", gb=1.0, mb=1e-3, tb=1e3, gib=_GB_PER_GIB, tib=1024 * _GB_PER_GIB
)
DURATION: Final = _measure("duration", "ms", "4 ms", ms=1.0, us=1e-3, s=1e3, sec=1e3, msec=1.0, usec=1e-3)
RATE: Final = Measure("data rate", "Gbit/s", _rates(), "10 Gbit/s")
LENGTH: Final = _measure("length", "km", "12.5 km", km=1.0, m=1e-3, mi=1.609344, miles=1.609344, ft=3.048e-4, cm=1e-5)
POWER: Final = _measure("power", "kW", "1.2 kW", kw=1.0, w=1e-3, mw=1e3)
