"""Turns columns of Arrow into the texts that the readers of a mapping take."""

from __future__ import annotations

import json
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_MIDNIGHT: Final = "T00:00:00"


def column_texts(batch: pa.RecordBatch, name: str) -> list[str | None]:
    """Return the values of a column, or of a member within columns, as texts: nulls are "", what is no text None.

    Times become ISO 8601 in UTC, dates the start of their day, lists and maps JSON.
    """
    column = _column(batch, name)
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_nested(kind)):
        try:
            return ["" if text is None else text for text in _texts(column, kind)]
        except (pa.ArrowException, ValueError, OverflowError):
            pass  # one of them cannot be converted: which one shows when each is alone
    return [_one(value) for value in column]


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name in batch.schema.names:
        return batch.column(name)
    first = next(field for field in batch.schema.names if name.startswith(f"{field}."))
    column = batch.column(first)
    rest = name[len(first) + 1 :]
    while rest:
        fields = [field.name for field in column.type]
        member = rest if rest in fields else next(field for field in fields if rest.startswith(f"{field}."))
        column = pc.struct_field(column, [fields.index(member)])
        rest = rest[len(member) + 1 :]
    return column


def _texts(column: pa.Array, kind: pa.DataType) -> list[str | None]:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return list(column.to_pylist())
    if pa.types.is_timestamp(kind):
        naive = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()).cast(pa.timestamp("us"))
        return [None if text is None else f"{text}Z" for text in naive.cast(pa.string()).to_pylist()]
    if pa.types.is_date(kind):
        days = column.cast(pa.date32()).cast(pa.string()).to_pylist()
        return [None if text is None else text + _MIDNIGHT for text in days]
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        column = column.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64())
    return list(column.cast(pa.string()).to_pylist())


def _one(scalar: pa.Scalar) -> str | None:
    """Return one value as text, None for what is none."""
    try:
        value = scalar.as_py()
        if isinstance(value, bytes):
            return value.decode()
        if value is None or isinstance(value, str):
            return value or ""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except (pa.ArrowException, ValueError, OverflowError, TypeError):
        return None
