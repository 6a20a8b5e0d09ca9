"""Numbers and names as a reader sees them: each number with its unit, the unknown as `?`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN: Final = "?"
_SIGN: Final = re.compile(r"(?<=[/,=_:.-])(?=[^/,=_:.\s-])")
_CENT: Final = 0.01
_SPANS: Final = (  # unit, its duration, below how many ms it is used
    ("ms", 1.0, 1e4),
    ("s", 1e3, 3e5),
    ("min", 6e4, 7.2e6),
    ("h", 3.6e6, 2.592e8),
)
_LONGEST: Final = ("d", 8.64e7)
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_NAMES: Final = {
    "onprem": "on-premises",
    "ai_factory": "AI factory",
    "realtime_inference": "real-time inference",
    "subscriber_pii": "subscriber PII",
    "aggregated_kpi": "aggregated KPI",
    "edge_prefilter": "edge pre-filter",
}


def phrase(name: str) -> str:
    """Return a name of the documents (`far_edge`) as words ("far edge")."""
    return _NAMES.get(name) or name.replace("_", " ")


def title(name: str) -> str:
    """Return a name of the documents as words that open a line ("Far edge")."""
    words = phrase(name)
    return words[:1].upper() + words[1:]


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant digits and thousands separated; `?` where it is unknown."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: float | None) -> str:
    """Return a whole number with thousands separated."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def duration(value_ms: float | None) -> str:
    """Return a latency in ms, or where that would be a long number in s, min, h or d."""
    if value_ms is None or math.isnan(value_ms):
        return UNKNOWN
    unit, size = next(((unit, size) for unit, size, bound in _SPANS if value_ms < bound), _LONGEST)
    return f"{number(value_ms / size)} {unit}"


def amount(value: float | None) -> str:
    """Return an amount of money with cents, or two significant digits below one cent."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return number(value, 2) if 0 < abs(value) < _CENT else f"{value:,.2f}"


def hourly(value: float | None, currency: str) -> str:
    """Return a cost per hour in `currency`; an unknown one keeps its unit out."""
    text = amount(value)
    return text if text == UNKNOWN else f"{text} {currency}/h"


def percent(share: float | None) -> str:
    """Return a share (0..1) in percent with one decimal."""
    return UNKNOWN if share is None else f"{share * 100:.1f} %"


def fold(before: float, after: float) -> str:
    """Return how many times `after` goes into `before` ("7.4-fold"); `?` where `after` is nothing."""
    return f"{before / after:,.1f}-fold" if after > 0 else UNKNOWN


def seconds(value: float | None) -> str:
    """Return a duration in the units people say it in ("12 min 30 s")."""
    if value is None:
        return UNKNOWN
    if value < _MINUTE_S:
        return f"{number(value)} s"
    whole = round(value)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S:,} h {whole % _HOUR_S // _MINUTE_S} min"


def measure(value: float | str | None, unit: str) -> str:
    """Return a measured value or limit of a violation with its unit; words stand for themselves."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    return duration(value) if unit == "ms" else f"{number(value, 4)} {unit}".rstrip()


def plural(quantity: int, noun: str, nouns: str | None = None) -> str:
    """Return the count with its noun ("1 site", "218 sites")."""
    return f"{quantity:,} {noun if quantity == 1 else nouns or noun + 's'}"


def listed(items: Iterable[str]) -> str:
    """Return the items as an enumeration in a sentence ("a, b and c")."""
    *first, last = list(items) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def middle(words: str, most: int) -> str:
    """Return words of at most `most` characters: of longer ones the beginning and the end, which tell names apart."""
    if len(words) <= most:
        return words
    tail = most // 2
    return f"{words[: most - tail - 1]}…{words[len(words) - tail :]}"


def breakable(name: str) -> Markup:
    """Return a name that a browser may break behind the signs between its parts."""
    return Markup("<wbr>").join(_SIGN.split(name))
