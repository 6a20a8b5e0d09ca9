"""Turns fields of a record into values of the lake's columns, as a mapping says."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from cellwright.lake.schema import FACTS
from cellwright.telemetry.formats.instants import FIRST_US, LAST_US, instant_of, read_instant

if TYPE_CHECKING:
    from cellwright.telemetry.formats.delimited_mapping import Column, Spec

Reader = Callable[[list[str], int], object]
"""(fields of the record, its ordinal) -> value; raises ValueError that says what was expected, never what was found."""

_UNIT_US: Final = MappingProxyType({"s": 1_000_000, "ms": 1_000, "us": 1})
_TRUTH: Final = MappingProxyType({"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False})


def column_readers(spec: Spec) -> tuple[tuple[str, Reader], ...]:
    """Return (column of the lake, reader) for every column of a checked mapping."""
    schema = FACTS[spec.table]
    return tuple((target, _reader(spec, column, schema.field(target))) for target, column in spec.columns.items())


def _reader(spec: Spec, column: Column, field: pa.Field) -> Reader:
    if column.columns:
        return _entries_reader([(name, spec.header.index(name)) for name in column.columns])
    convert = _converter(column, field)
    if column.ordinal:
        return lambda _, ordinal: convert(str(ordinal))
    if column.const is not None:
        constant = convert(str(column.const))
        return lambda _, __: constant
    position = spec.header.index(column.column or "")
    return lambda fields, _: convert(fields[position])


def _entries_reader(places: list[tuple[str, int]]) -> Reader:
    return lambda fields, _: [(name, fields[position]) for name, position in places if fields[position]]


def _converter(column: Column, field: pa.Field) -> Callable[[str], object]:
    """Return text -> value; a blank text is null where the column may be."""
    read = _type_reader(column, field.type)
    words = column.map

    def convert(text: str) -> object:
        text = text.strip()
        if not text:
            if field.nullable:
                return None
            msg = "expected a value"
            raise ValueError(msg)
        if words:
            if text not in words:
                msg = "expected one of the texts that the mapping lists"
                raise ValueError(msg)
            text = str(words[text])
        return read(text)

    return convert


def _type_reader(column: Column, kind: pa.DataType) -> Callable[[str], object]:
    if pa.types.is_string(kind):
        before, after = column.template.split("{}")
        return lambda text: before + text + after
    if pa.types.is_timestamp(kind):
        return _iso_us if column.unit == "iso" else _epoch_reader(column)
    if pa.types.is_integer(kind):
        bits: int = kind.bit_width
        return lambda text: _integer(text, bits)
    return _real if pa.types.is_floating(kind) else _truth


def _integer(text: str, bits: int) -> int:
    if len(text) <= len(str(1 << bits)) and text.isascii() and text.lstrip("+-").isdigit():
        number = int(text)
        if -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            return number
    msg = f"expected an integer of {bits} bits"
    raise ValueError(msg)


def _real(text: str) -> float:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        msg = "expected a finite number"
        raise ValueError(msg)
    return number


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        msg = f"expected one of {', '.join(_TRUTH)}"
        raise ValueError(msg)
    return _TRUTH[text.lower()]


def _iso_us(text: str) -> int:
    instant = read_instant(text)
    if instant is None:
        msg = "expected a date and time of ISO 8601"
        raise ValueError(msg)
    return instant.us


def _epoch_reader(column: Column) -> Callable[[str], int]:
    start_us, unit_us = instant_of(column.epoch).us, _UNIT_US[column.unit]

    def read(text: str) -> int:
        number = _integer(text, 64) if text.lstrip("+-").isdigit() else _real(text)
        since_us = number * unit_us
        if not FIRST_US <= start_us + since_us <= LAST_US:
            msg = "expected a time between the years 1 and 9999"
            raise ValueError(msg)
        return start_us + round(since_us)

    return read
