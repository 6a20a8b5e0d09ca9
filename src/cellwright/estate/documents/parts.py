"""Building blocks of the documents: strict scalars, quantities with their unit, enums with nearest names."""

from __future__ import annotations

import re
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from cellwright.errors import nearest
from cellwright.estate.documents.countries import COUNTRIES, SPOKEN
from cellwright.units import BANDWIDTH, DATA_RATE, DURATION, MEMORY, POWER, VOLUME, Dimension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

API_VERSION: Final = "cellwright.io/v1alpha1"
NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"  # a DNS label, RFC 1123 clause 2.1
NAME_WORDS: Final = "name of lowercase letters, digits and inner hyphens, at most 63"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHOWN: Final = 60  # characters of a value that a message repeats
_LIFETIME: Final = Dimension(
    "lifetime", "years", MappingProxyType({"years": 1.0, "year": 1.0, "months": 1 / 12, "month": 1 / 12}), "5 years"
)
_SPOKEN: Final = MappingProxyType(
    {
        "ms": ("msec", "msecs", "millis", "millisecond", "milliseconds"),
        "us": ("usec", "usecs", "\N{GREEK SMALL LETTER MU}s", "microsecond", "microseconds"),  # as the micro sign folds
        "min": ("m", "mins", "minute", "minutes"),
        "Mbit/s": ("mbps", "mb/s"),
        "Gbit/s": ("gbps", "gb/s"),
        "Tbit/s": ("tbps", "tb/s"),
        "GiB": ("g",),
        "GB": ("gigabyte", "gigabytes"),
        "MB": ("megabyte", "megabytes"),
        "TB": ("terabyte", "terabytes"),
        "W": ("watt", "watts"),
        "years": ("y", "yr", "yrs"),
    }
)
_MEANT: Final = MappingProxyType({word: unit for unit, words in _SPOKEN.items() for word in words})
"""The units that were probably meant, by the words that people use, in small letters."""


class Part(BaseModel):
    """A mapping in a document: unknown keys are refused, keys are written in camelCase."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


def refuse(
    code: str, message: str, *, expected: str | None = None, hint: str | None = None, at: tuple[str | int, ...] = ()
) -> PydanticCustomError:
    """Return the error that becomes a Diagnostic of this code; `message` continues "spec.x is ...".

    `at` leads from the value that is validated to the one that is wrong.
    """
    return PydanticCustomError(
        "refused", "{message}", {"code": code, "message": message, "expected": expected, "hint": hint, "at": at}
    )


def shown(value: object) -> str:
    """Return the value as a message repeats it, shortened."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            text = repr(value)
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case _:
            text = f"the number {value}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def first_repeated(names: Iterable[str]) -> tuple[int, str] | None:
    """Return the position and the name of the first that occurred before."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            return index, name
        seen.add(name)
    return None


def _quantity(dimension: Dimension) -> Callable[[object], float]:
    """Return the validator that turns "4 ms" into the canonical unit's float."""
    expected = f"a {dimension.name} such as {dimension.example!r} (units: {', '.join(dimension.factors)})"

    def parse(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            hint = f"with a unit: '{value} {dimension.unit}'"
            raise refuse("wrong-unit", f"{shown(value)} without a unit", expected=expected, hint=hint)
        if not isinstance(value, str) or len(value) > _SHOWN:
            raise refuse("wrong-type", shown(value), expected=expected)
        try:
            return dimension.parse(value)
        except ValueError as error:
            if "out of range" in str(error):
                zero = f"a {dimension.name} of zero or more, such as {dimension.example!r}"
                raise refuse("out-of-range", shown(value), expected=zero) from error
            raise refuse("wrong-unit", shown(value), expected=expected, hint=_unit_hint(value, dimension)) from error

    return parse


def _unit_hint(value: str, dimension: Dimension) -> str | None:
    """Return the unit that was probably meant."""
    number, unit = _split(value)
    if unit in dimension.factors:
        return None
    if not unit:
        return f"with a unit: '{number} {dimension.unit}'" if number else None
    if dimension is BANDWIDTH and unit in ("GB/s", "MB/s", "TB/s"):
        return f"a byte has 8 bits: 1 {unit} is '8 {unit[0]}bit/s'"
    if (meant := _MEANT.get(unit.casefold())) in dimension.factors:
        return f"did you mean {meant!r}?"
    spelt_out = [known for known in dimension.factors if unit.casefold().startswith(known.casefold())]  # "hours", "sec"
    return _nearest_folded(max(spelt_out, key=len) if spelt_out else unit, dimension.factors)


def _split(value: str) -> tuple[str, str]:
    """Return the number that a text begins with and what follows, its unit."""
    text = value.strip()
    unit = text.lstrip("+-.0123456789").strip()
    return text.removesuffix(unit).strip(), unit


def _nearest_folded(name: str, valid: Iterable[str]) -> str | None:
    """Return the hint for the same letters in another case, or for the nearest name."""
    folded = {known.casefold(): known for known in valid}
    same = folded.get(name.casefold())
    return f"did you mean {same!r}?" if same else nearest(name, folded.values())


def _quantity_schema(dimension: Dimension) -> WithJsonSchema:
    units = "|".join(re.escape(unit) for unit in dimension.factors)
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*({units})\s*$",
            "examples": [dimension.example],
            "description": f"a {dimension.name} with its unit, such as {dimension.example}",
        }
    )


def _nearest_member(kind: type[StrEnum]) -> Callable[[object], object]:
    """Return the validator that turns text into a member, or refuses it with the nearest one."""
    names = [member.value for member in kind]

    def parse(value: object) -> object:
        if isinstance(value, str) and value in names:
            return kind(value)
        hint = _nearest_folded(value, names) if isinstance(value, str) else None
        raise refuse("unknown-value", shown(value), expected=f"one of {', '.join(names)}", hint=hint)

    return parse


def one_of(kind: type[StrEnum]) -> BeforeValidator:
    """Return the annotation of a field that takes one name of an enum."""
    return BeforeValidator(_nearest_member(kind))


def _iso_date(value: object) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise refuse("wrong-type", shown(value), expected="a date such as '2026-03-31'")


def _country(value: object) -> object:
    if isinstance(value, str) and value in COUNTRIES:
        return value
    code = SPOKEN.get(value.upper(), value.upper()) if isinstance(value, str) else ""
    hint = f"did you mean {code!r}?" if code in COUNTRIES else None
    expected = "a country as two capital letters (ISO 3166-1 alpha-2), such as 'IT'"
    raise refuse("wrong-format", shown(value), expected=expected, hint=hint)


Text = Annotated[str, Field(strict=True)]
Name = Annotated[str, Field(strict=True, pattern=NAME_PATTERN)]
Reference = Text  # the name of another document, checked against those that exist
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
PositiveCount = Annotated[int, Field(strict=True, ge=1)]
Price = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Country = Annotated[
    str, BeforeValidator(_country), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["IT"]})
]
Day = Annotated[date, BeforeValidator(_iso_date)]
Duration = Annotated[float, BeforeValidator(_quantity(DURATION)), _quantity_schema(DURATION)]
Memory = Annotated[float, BeforeValidator(_quantity(MEMORY)), _quantity_schema(MEMORY)]
Volume = Annotated[float, BeforeValidator(_quantity(VOLUME)), _quantity_schema(VOLUME)]
DataRate = Annotated[float, BeforeValidator(_quantity(DATA_RATE)), _quantity_schema(DATA_RATE)]
Bandwidth = Annotated[float, BeforeValidator(_quantity(BANDWIDTH)), _quantity_schema(BANDWIDTH)]
Power = Annotated[float, BeforeValidator(_quantity(POWER)), _quantity_schema(POWER)]
Lifetime = Annotated[float, BeforeValidator(_quantity(_LIFETIME)), _quantity_schema(_LIFETIME)]
Share = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]


class Percentiles(Part):
    """Median and 99th percentile of one duration."""

    p50: Duration = Field(description="the median, such as 2 ms")
    p99: Duration = Field(description="the 99th percentile, such as 3 ms")

    @field_validator("p99")
    @classmethod
    def _not_below_the_median(cls, p99: float, info: ValidationInfo) -> float:
        if p99 < info.data.get("p50", 0.0):
            raise refuse("out-of-range", "less than p50", expected="a 99th percentile of at least the median p50")
        return p99


class Sourced(Part):
    """Where a figure or a rule comes from."""

    source: Text = Field(min_length=1, description="where it comes from: instrument and article, contract, or test")
    checked: Day = Field(description="the day it was last checked against its source, such as '2026-03-31'")


class Evidence(Sourced):
    """Where a rule or a price comes from, and how long it may be trusted."""

    expires: Day = Field(description="the day after which it must be checked again, such as '2027-03-31'")

    @field_validator("expires")
    @classmethod
    def _not_before_the_check(cls, expires: date, info: ValidationInfo) -> date:
        checked = info.data.get("checked")
        if checked is not None and expires < checked:
            raise refuse("out-of-range", f"{str(expires)!r}, before it was checked", expected=f"{checked} or later")
        return expires


class Metadata(Part):
    """Who a document is about."""

    name: Name = Field(description=f"a unique {NAME_WORDS}")
    labels: dict[str, Text] = Field(default_factory=dict, description="free text by key, for people and tools")


class Document(Part):
    """What all documents have in common."""

    api_version: Literal["cellwright.io/v1alpha1"] = Field(description=f"the version, {API_VERSION}")
    kind: str
    metadata: Metadata = Field(description="the document's name and labels")
