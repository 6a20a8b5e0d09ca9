"""What becomes of each kind of identifier: a frozen policy, and how it generalises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.privacy.identifiers import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Action(StrEnum):
    """What is done with what was found."""

    KEEP = "keep"
    DROP = "drop"
    MASK = "mask"
    TOKENISE = "tokenise"
    GENERALISE = "generalise"


class Epoch(StrEnum):
    """For how long one key of pseudonyms is used."""

    NONE = "none"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    def at(self, moment: datetime) -> str:
        """Return the name of the epoch that a moment, with zone, belongs to; empty where keys do not change."""
        return moment.strftime({"none": "", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[self])


PLACES: Final = frozenset({Kind.CELL, Kind.POSITION})
"""Where somebody is rather than who: only these may be kept, and are by default."""
GENERAL: Final = frozenset({Kind.IP, *PLACES})
"""What can be made coarser."""
MASKED: Final = "masked"

_V4_OCTETS: Final = 3  # of a /24
_V6_HEXTETS: Final = 3  # of a /48
_NCI_BITS: Final = 36  # TS 38.413 clause 9.3.1.7; the gNB takes 22 to 32 of them (TS 38.413 clause 9.3.1.6)
_ENB_DIGITS: Final = 5  # 20 bits of a macro eNB (TS 36.413 clause 9.2.1.37) in hexadecimal
_ANGLE: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")
_MINUTES: Final = re.compile(
    r"(\d{1,3})[°ºd: ] ?(\d{1,2})['\u2032\u2019m: ] ?(?:(\d{1,2}(?:\.\d{1,9})?)[\"\u2033\u201ds]?)? ?([nsew])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done with each kind, and how coarse general is; what is not named is done as by default."""

    name: str = "default"
    actions: Mapping[Kind, Action] = field(default_factory=lambda: MappingProxyType({}))
    areas: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # tracking area by cell
    gnb_bits: int = 24
    grid: Decimal = Decimal("0.1")  # degrees
    epoch: Epoch = Epoch.NONE
    per_tenant: bool = False

    def action(self, kind: Kind) -> Action:
        """Return what is done with this kind."""
        return self.actions.get(kind, Action.KEEP if kind in PLACES else Action.TOKENISE)

    @property
    def moves_places(self) -> bool:
        """Whether cells or coordinates are looked for at all."""
        return any(self.action(kind) is not Action.KEEP for kind in PLACES)

    def generalised(self, kind: Kind, canonical: str, written: str) -> str:
        """Return what is written in place of an address, cell or position: it holds less, and is found no more."""
        if kind is Kind.IP:
            return _network(canonical.removeprefix("ip:"))
        if kind is Kind.CELL:
            return self._area(*canonical.split(":", 1))
        return self._rounded(written)

    def _area(self, group: str, cell: str) -> str:
        if cell in self.areas:
            return f"tac~{self.areas[cell]}"
        network, _, number = cell.rpartition("-")
        before = f"{network}-" if network else ""
        if group == "cgi":
            return f"lac~{network}"
        if group in ("ecgi", "eci"):
            return f"enb~{before}x{number[:_ENB_DIGITS]}"
        return f"gnb~{before}x{int(number, 16) >> (_NCI_BITS - self.gnb_bits):x}"

    def _rounded(self, written: str) -> str:
        """Return the coordinates on the grid; doing so twice changes nothing."""
        decimal = _MINUTES.sub(_as_degrees, written)
        return _ANGLE.sub(lambda found: self._on_grid(found[0]), decimal)

    def _on_grid(self, angle: str) -> str:
        steps = (Decimal(angle) / self.grid).quantize(Decimal(1), ROUND_HALF_EVEN)
        sign = "+" if angle.startswith("+") else ""
        return f"{sign}{abs(steps * self.grid) if not steps else steps * self.grid:f}"


def _as_degrees(found: re.Match[str]) -> str:
    degrees, minutes, seconds, hemisphere = found.groups()
    value = Decimal(degrees) + Decimal(minutes) / 60 + Decimal(seconds or 0) / 3600
    return f"{value:.9f}{hemisphere}"


def _network(address: str) -> str:
    """Return the first 24 or 48 bits, so written that no grammar takes it for an address."""
    if ":" not in address:
        return f"ip~{'.'.join(address.split('.')[:_V4_OCTETS])}.x"
    head, _, tail = address.partition("::")
    groups = head.split(":") if head else []
    if "::" in address:
        rest = tail.split(":") if tail else []
        missing = 8 - len(groups) - len(rest) - ("." in tail)
        groups += ["0"] * missing + rest
    return f"ip~{':'.join(groups[:_V6_HEXTETS])}:x"


DEFAULT_POLICY: Final = Policy()
"""Identifiers become pseudonyms under one key; cells and coordinates stay."""
