"""How answers are read: each reader returns the value of a text, or raises ValueError that says what was expected."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, TypeVar

from cellwright.errors import nearest
from cellwright.estate.documents.parts import NAME_PATTERN, NAME_WORDS
from cellwright.estate.model import Latencies, Location
from cellwright.inventory.countries import jurisdiction_of
from cellwright.units import DURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from enum import StrEnum

    from cellwright.units import Dimension

    EnumT = TypeVar("EnumT", bound=StrEnum)

_ValueT = TypeVar("_ValueT")

NOTHING: Final = "none"
_LAST_LATITUDE: Final = 90
_LAST_LONGITUDE: Final = 180
_YES: Final = frozenset({"y", "yes", "true"})
_NO: Final = frozenset({"n", "no", "false"})
_PERCENTILES: Final = 3


def any_text(text: str) -> str:
    """Return the text; an empty one is no answer."""
    if not text:
        msg = "some text"
        raise ValueError(msg)
    return text


def yes_no(text: str) -> bool:
    """Return whether the answer is yes."""
    if text.lower() not in _YES | _NO:
        msg = "yes or no"
        raise ValueError(msg)
    return text.lower() in _YES


def country(text: str) -> str:
    """Return the code of a country that is given by code or name."""
    found = jurisdiction_of(text)
    if found is None:
        msg = "a country, such as IT or Italy"
        raise ValueError(msg)
    return found


def place(text: str) -> Location:
    """Return coordinates given as "45.46, 9.19"."""
    parts = re.split(r"[,;\s]+", text.strip())
    try:
        lat, lon = map(float, parts)
    except ValueError:
        lat = lon = math.nan
    if not (abs(lat) <= _LAST_LATITUDE and abs(lon) <= _LAST_LONGITUDE):
        msg = "latitude and longitude in degrees, such as 45.46, 9.19"
        raise ValueError(msg)
    return Location(lat, lon)


def number(least: float = 0.0, most: float = math.inf) -> Callable[[str], float]:
    """Return the reader of a number within bounds."""

    def read(text: str) -> float:
        try:
            value = float(text.replace(" ", "").replace("_", "").removesuffix("%"))
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and least <= value <= most):
            bound = f"{least:g} to {most:g}" if math.isfinite(most) else f"{least:g} or more"
            msg = f"a number, {bound}"
            raise ValueError(msg)
        return value

    return read


def quantity(dimension: Dimension) -> Callable[[str], float]:
    """Return the reader of a quantity with its unit; zero is none."""

    def read(text: str) -> float:
        value = dimension.parse(text)
        if value <= 0:
            msg = f"a {dimension.name} above zero, such as {dimension.example!r}"
            raise ValueError(msg)
        return value

    return read


def optional(read: Callable[[str], _ValueT]) -> Callable[[str], _ValueT | None]:
    """Return a reader that also takes "none"."""
    return lambda text: None if text.lower() == NOTHING else read(text)


def chosen(options: Collection[str]) -> Callable[[str], str]:
    """Return the reader of one of `options`."""

    def read(text: str) -> str:
        folded = {option.casefold(): option for option in options}
        if text.casefold() not in folded:
            hint = nearest(text.casefold(), folded)
            shown = ", ".join(list(options)[:12]) + (", ..." if len(options) > 12 else "")  # noqa: PLR2004 - those shown
            msg = f"one of {shown}" + (f"; {hint}" if hint else "")
            raise ValueError(msg)
        return folded[text.casefold()]

    return read


def member(kind: type[EnumT]) -> Callable[[str], EnumT]:
    """Return the reader of one member of an enum."""
    read = chosen([each.value for each in kind])
    return lambda text: kind(read(text))


def listed(read: Callable[[str], _ValueT], least: int = 1) -> Callable[[str], tuple[_ValueT, ...]]:
    """Return the reader of several answers with commas between them, none of them twice."""

    def read_all(text: str) -> tuple[_ValueT, ...]:
        parts = [] if text.lower() == NOTHING else [part.strip() for part in text.split(",") if part.strip()]
        if len(parts) < least:
            msg = f"at least {least}, with commas between them"
            raise ValueError(msg)
        return tuple(dict.fromkeys(read(part) for part in parts))

    return read_all


def name(text: str) -> str:
    """Return a name as documents take it; spaces and capitals are mended."""
    plain = re.sub(r"[\s_]+", "-", text.strip().lower())
    if not re.fullmatch(NAME_PATTERN, plain):
        msg = f"a {NAME_WORDS}, such as central-office-1"
        raise ValueError(msg)
    return plain


def currency(text: str) -> str:
    """Return a currency code."""
    code = text.upper()
    if not re.fullmatch("[A-Z]{3}", code):
        msg = "a currency as three letters, such as EUR"
        raise ValueError(msg)
    return code


def percentiles(text: str) -> Latencies:
    """Return P50, P95 and P99 given as "9 / 12 / 15 ms"."""
    parts = [part.strip() for part in text.split("/")]
    unit = re.sub(r"^[\d.\s]*", "", parts[-1])
    try:
        p50, p95, p99 = (
            DURATION.parse(part if re.search("[a-z]", part) else f"{part} {unit or 'ms'}") for part in parts
        )
    except ValueError:
        p50, p95, p99 = 1.0, 0.0, 0.0
    if len(parts) != _PERCENTILES or not p50 <= p95 <= p99:
        msg = "P50, P95 and P99 in rising order, such as 9 / 12 / 15 ms"
        raise ValueError(msg)
    return Latencies(p50, p95, p99)
