"""Looks for identifiers that survive in Arrow columns: in strings however nested, in bytes, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from cellwright.privacy.audit import Place, Survivor, column_name, kinds_in, label_of, survivors_in_blob
from cellwright.privacy.identifiers import Kind
from cellwright.privacy.patterns import HINT

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIKE_ALL: Final = 0.9  # share of the numbers in a column that speaks for the column
_IMSI: Final = (10**14, 10**15)  # 15 digits; the mobile country codes begin at 200 (ITU-T E.212), but for 001 and 999
_LEAST_IMSI: Final = 2 * 10**14
_EXACT: Final = 2.0**53
_FEW: Final = 8  # numbers that look alike by chance

_Leaf = tuple[pa.Array, pa.Array, str]  # values, the row of each, label


def survivors_in_batch(batch: pa.RecordBatch, first_row: int, table: str | None = None) -> Iterator[Survivor]:
    """Yield the identifiers in a batch whose first row is row `first_row` of its table, counted from 1."""
    rows = pa.array(range(first_row, first_row + batch.num_rows), pa.int64())
    for number, (name, values) in enumerate(zip(batch.schema.names, batch.columns, strict=True), 1):
        called = column_name(name, number)
        for leaf in _leaves(values, rows, label_of(name)):
            for kind, row in _in_leaf(leaf):
                yield Survivor(kind, Place(table=table, column=called, row=row))


def survivors_in_schema(schema: pa.Schema, table: str | None = None) -> Iterator[Survivor]:
    """Yield the identifiers in names of columns and in metadata."""
    for number, field in enumerate(schema, 1):
        for kind in kinds_in(field.name):
            yield Survivor(kind, Place(table=table, column=number, part="name of column"))
    for metadata in (schema.metadata, *(field.metadata for field in schema)):
        for key, value in (metadata or {}).items():
            for kind in (*survivors_in_blob(key), *survivors_in_blob(value)):
                yield Survivor(kind, Place(table=table, part="metadata"))


def _leaves(values: pa.Array, rows: pa.Array, label: str) -> Iterator[_Leaf]:
    """Yield what is not nested in a column; what a labelled column or key holds is labelled too."""
    kind = values.type
    if isinstance(values, pa.ExtensionArray):
        yield from _leaves(values.storage, rows, label)
    elif pa.types.is_dictionary(kind):
        yield from _leaves(values.dictionary_decode(), rows, label)
    elif pa.types.is_map(kind):
        yield from _map_leaves(values, rows, label)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(pc.list_flatten(values), rows.take(pc.list_parent_indices(values)), label)
    elif pa.types.is_struct(kind):
        for field, child in zip(kind, values.flatten(), strict=True):
            yield from _leaves(child, rows, label_of(field.name) or label)
    elif not pa.types.is_null(kind):
        yield values, rows, label


def _map_leaves(values: pa.MapArray, rows: pa.Array, label: str) -> Iterator[_Leaf]:
    listed = values.cast(pa.list_(pa.struct([("key", values.type.key_type), ("value", values.type.item_type)])))
    entries, rows = pc.list_flatten(listed), rows.take(pc.list_parent_indices(listed))
    keys, items = entries.flatten()
    yield from _leaves(keys, rows, label)
    if not pa.types.is_string(keys.type):
        yield from _leaves(items, rows, label)
        return
    encoded = keys.dictionary_encode()
    labels = [label_of(key or "") or label for key in encoded.dictionary.to_pylist()]
    for each in dict.fromkeys(labels):
        called = [index for index, known in enumerate(labels) if known == each]
        mine = pc.is_in(encoded.indices, pa.array(called, encoded.indices.type))
        yield from _leaves(items.filter(mine), rows.filter(mine), each)


def _in_leaf(leaf: _Leaf) -> Iterator[tuple[Kind, int]]:
    values, rows, label = leaf
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        yield from _in_strings(values, rows, label)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        for row, data in zip(rows.to_pylist(), values.to_pylist(), strict=True):
            for found in survivors_in_blob(data or b""):
                yield found, row
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        whole, rows = _whole_numbers(values, rows)
        if label:
            yield from _in_strings(whole.cast(pa.string()), rows, label)
        elif _are_imsis(whole):
            yield from ((Kind.IMSI, row) for row in rows.to_pylist())


def _in_strings(values: pa.Array, rows: pa.Array, label: str) -> Iterator[tuple[Kind, int]]:
    try:
        suspect = pc.match_substring_regex(values.cast(pa.large_string()), HINT, ignore_case=True)
        texts = values.filter(suspect).to_pylist()
        rows = rows.filter(suspect)
    except (UnicodeDecodeError, pa.ArrowInvalid):  # strings of a file need not be UTF-8
        texts = [None if each is None else each.decode(errors="replace") for each in _raw(values).to_pylist()]
    for row, text in zip(rows.to_pylist(), texts, strict=True):
        for kind in kinds_in(text, label) if text else ():
            yield kind, row


def _raw(values: pa.Array) -> pa.Array:
    return values.cast(pa.large_string()).view(pa.large_binary())


def _whole_numbers(values: pa.Array, rows: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the numbers that are whole and fit 64 bits, and their rows; tables turn integers with gaps into floats."""
    there = values.is_valid()
    values, rows = values.filter(there), rows.filter(there)
    if not pa.types.is_integer(values.type):
        floats = values.cast(pa.float64())
        is_whole = pc.and_(pc.equal(pc.floor(floats), floats), pc.less(pc.abs(floats), _EXACT))
        return floats.filter(is_whole).cast(pa.int64()), rows.filter(is_whole)
    if pa.types.is_uint64(values.type):
        fits = pc.less(values, pa.scalar(2**63, pa.uint64()))
        values, rows = values.filter(fits), rows.filter(fits)
    return values.cast(pa.int64()), rows


def _are_imsis(numbers: pa.Array) -> bool:
    """Return whether nearly all numbers have the 15 digits of an IMSI, which no time and no counter keeps to."""
    if len(numbers) < _FEW:
        return False
    low, high = _IMSI
    shaped = pc.and_(pc.greater_equal(numbers, low), pc.less(numbers, high))
    told = pc.mean(shaped.cast(pa.float64())).as_py()
    return bool(told >= _LIKE_ALL and pc.min(numbers.filter(shaped)).as_py() >= _LEAST_IMSI)
