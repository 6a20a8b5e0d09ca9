"""Numbers and names as a plan's sentences print them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPANS: Final = (("d", 8.64e7), ("h", 3.6e6), ("min", 6e4), ("s", 1e3))
_SHOWN: Final = 3


def number(value: float | None) -> str:
    """Return a number in at most six significant digits; the unknown is `?`."""
    return "?" if value is None else f"{value:.6g}"


def counted(value: float, unit: str) -> str:
    """Return a number with its unit, in the singular where it is one of a plural."""
    return f"{number(value)} {unit.removesuffix('s') if value == 1 else unit}"


def money(value: float | None, currency: str) -> str:
    """Return a cost per hour."""
    return f"{number(value)} {currency}/h"


def span(duration_ms: float) -> str:
    """Return a duration in the largest unit that it fills."""
    unit, size = _unit_of(duration_ms)
    return f"{number(duration_ms / size)} {unit}"


def round_span_up(duration_ms: float) -> float:
    """Return a duration in milliseconds, not below the given one, that is round in the unit it is printed in."""
    _, size = _unit_of(duration_ms)
    return max(duration_ms, round_up(duration_ms / size) * size)


def listing(names: Sequence[str]) -> str:
    """Return the first names and how many more there are."""
    more = len(names) - _SHOWN
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def round_up(value: float, digits: int = 4) -> float:
    """Return the smallest number of `digits` significant digits that is not below `value`: a limit people would set."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    rounded = float(f"{math.ceil(value / step - 1e-9) * step:.{digits}g}")
    return rounded if rounded >= value else float(f"{rounded + step:.{digits}g}")


def _unit_of(duration_ms: float) -> tuple[str, float]:
    """Return the largest unit that a duration fills and its milliseconds."""
    return next(((unit, size) for unit, size in _SPANS if duration_ms >= size), ("ms", 1.0))
