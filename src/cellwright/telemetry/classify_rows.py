"""From rows to profiles: Arrow batches of any schema, a field for each column and each key of a map."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from cellwright.telemetry.classify_values import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELDS: Final = 400  # of one table; further keys of a map are looked at as one


class Profiler:
    """The profiles of one table's fields, in the order in which they were met."""

    def __init__(self) -> None:
        self.rows = 0
        self._profiles: dict[str, Profile] = {}

    def profiles(self) -> tuple[Profile, ...]:
        """Return the profile of every field."""
        return tuple(self._profiles.values())

    def batch(self, rows: pa.RecordBatch) -> None:
        """Look at the rows of a batch."""
        self.rows += rows.num_rows
        for name, column in zip(rows.schema.names, rows.columns, strict=True):
            self._column(name, column)

    def record(self, record: Mapping[str, object]) -> None:
        """Look at one row given as names and values; a value may be a mapping or a list of more."""
        self.rows += 1
        for name, value in record.items():
            self._value(name, value)

    def _of(self, name: str) -> Profile:
        if name not in self._profiles and len(self._profiles) >= _FIELDS:
            name = f"{name.partition('.')[0]}.*"
        return self._profiles.setdefault(name, Profile(name))

    def _column(self, name: str, column: pa.Array) -> None:
        kind = column.type
        if pa.types.is_nested(kind):
            for value in column.to_pylist():
                self._value(name, dict(value) if pa.types.is_map(kind) and value else value)
            return
        profile = self._of(name)
        for text in _texts(column):
            profile.add(text)

    def _value(self, name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                self._value(f"{name}.{key}", item)
        elif isinstance(value, list | tuple):
            for item in value:
                self._value(name, item)
        else:
            self._of(name).add(_text(value))


def _texts(column: pa.Array) -> Iterator[str | None]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _texts(column.dictionary_decode())
    elif pa.types.is_floating(kind):
        yield from (_text(value) for value in column.to_pylist())
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        yield from (None if value is None else value.decode(errors="replace") for value in column.to_pylist())
    elif pa.types.is_timestamp(kind):
        yield from pc.strftime(column, "%Y-%m-%d %H:%M:%S").to_pylist()
    else:
        yield from (_text(value) for value in column.to_pylist())


def _text(value: object) -> str | None:
    """Return a value as a text file would hold it; a float that is whole is the integer that a gap made a float."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 2**53 else repr(value)
    return json.dumps(value) if isinstance(value, int) else str(value)
