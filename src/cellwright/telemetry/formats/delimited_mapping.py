"""The document that says how a table becomes rows, checked with file, line and column for every problem."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import pyarrow as pa
from pydantic import BeforeValidator, Field

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.documents.parts import Document, Part, Text, refuse, shown
from cellwright.estate.refusals import path_text
from cellwright.estate.single import load_single
from cellwright.lake.schema import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.yaml_nodes import Node


def _scalar(value: object) -> object:
    if isinstance(value, str | int | float):
        return value
    raise refuse("wrong-type", shown(value), expected="text, a number, true or false")


Scalar = Annotated[str | int | float | bool, BeforeValidator(_scalar)]
Place = tuple[str, ...]
_NOT_MAPPED: Final = frozenset(("ordinal", "dq_flags", "vendor"))


class Column(Part):
    """Where the value of one column of the lake comes from: exactly one of the first four."""

    column: Text | None = None
    columns: tuple[Text, ...] = Field(default=(), description="for map columns: each becomes an entry")
    const: Scalar | None = None
    ordinal: Literal[True] | None = Field(default=None, description="the number of the record, from 0")
    template: Text = Field(default="{}", description="for text columns: what to write around the value")
    map: dict[str, Scalar] = Field(default={}, description="replaces the text of a field; others are refused")
    unit: Literal["s", "ms", "us", "iso"] = Field(default="s", description="of timestamps")
    epoch: datetime = Field(
        default=datetime(1970, 1, 1, tzinfo=UTC), description="second 0 of timestamps, such as 1970-01-01T00:00:00Z"
    )

    def sources(self) -> int:
        """Return how many sources are given."""
        return sum((self.column is not None, bool(self.columns), self.const is not None, self.ordinal is not None))


class Spec(Part):
    """One table and the columns that fill it."""

    table: Text = Field(description=f"a table of the lake, one of {', '.join(FACTS)}")
    format: Literal["delimited", "ndjson", "parquet"] = Field(
        default="delimited", description="how the table is written: delimited text, JSON objects in lines, or Parquet"
    )
    header: tuple[Text, ...] = Field(
        min_length=1,
        description="the names in the first line, all and in their order; of ndjson and parquet the names of all"
        " members or columns, in any order, those within others by a path with points",
    )
    columns: dict[str, Column] = Field(description="columns of the lake by name")
    delimiter: Annotated[Text, Field(min_length=1, max_length=1)] = Field(
        default=",", description="one character, of delimited"
    )
    vendor: Text | None = None
    dq_flags: tuple[Text, ...] = Field(default=(), alias="dq_flags", description="what is odd about every row")
    ignore: tuple[Text, ...] = Field(default=(), description="columns left out on purpose")


class Mapping(Document):
    """A document of kind TelemetryMapping."""

    kind: Literal["TelemetryMapping"] = Field(description="TelemetryMapping")
    spec: Spec = Field(description="the table, its header and its columns")


def load_mapping(text: str, file: str) -> Mapping:
    """Return the mapping that a YAML text holds; raise UsageError with all problems, each marked in `file`."""
    return load_single(Mapping, "not-a-mapping", text, file, _inconsistencies)


def _inconsistencies(document: Mapping, node: Node) -> Iterator[Diagnostic]:
    for place, message, hint in _contradictions(document.spec):
        at = ("spec", *place)
        yield Diagnostic("invalid-mapping", f"{path_text(at)}: {message}", node.key_mark(at), hint=hint)


def _contradictions(spec: Spec) -> Iterator[tuple[Place, str, str | None]]:
    """Yield (place, message, hint) of everything that the table or the header contradicts."""
    if spec.table not in FACTS:
        yield ("table",), f"there is no table {spec.table!r}", nearest(spec.table, FACTS)
        return
    schema = FACTS[spec.table]
    targets = [name for name in schema.names if name not in _NOT_MAPPED]
    for target, column in spec.columns.items():
        at = ("columns", target)
        if target not in targets:
            yield at, f"{spec.table} has no such column", nearest(target, targets)
        else:
            yield from ((at, message, None) for message in _misfits(column, schema.field(target).type))
        for name in (*column.columns, *([column.column] if column.column is not None else [])):
            if name not in spec.header:
                yield at, f"the header has no column {name!r}", nearest(name, spec.header)
    yield from _nestings(spec)
    yield from _gaps(spec, targets)


def _nestings(spec: Spec) -> Iterator[tuple[Place, str, str | None]]:
    """Yield what only one of the formats can have."""
    if spec.format == "delimited":
        return
    if "delimiter" in spec.model_fields_set:
        yield ("delimiter",), f"a delimiter is for delimited tables, not for {spec.format}", None
    for name in spec.header:
        if any(other.startswith(f"{name}.") for other in spec.header):
            yield ("header",), f"column {name!r} holds another one: name the whole or its parts", None


def _gaps(spec: Spec, targets: list[str]) -> Iterator[tuple[Place, str, str | None]]:
    used = {name for column in spec.columns.values() for name in (column.column, *column.columns)}
    for name in spec.header:
        if name not in used and name not in spec.ignore:
            yield ("header",), f"column {name!r} is neither used nor in spec.ignore", None
    for target in targets:
        if not FACTS[spec.table].field(target).nullable and target not in spec.columns:
            yield ("columns",), f"{target} is required by {spec.table}", None
    if len(set(spec.header)) < len(spec.header):
        yield ("header",), "a column is named twice", None


def _misfits(column: Column, kind: pa.DataType) -> Iterator[str]:
    if column.sources() != 1:
        yield "give exactly one of column, columns, const and ordinal"
    if bool(column.columns) != pa.types.is_map(kind):
        yield "map columns, and only those, are filled by `columns`"
    if column.template.count("{}") != 1 or (column.template != "{}" and not pa.types.is_string(kind)):
        yield "a template is for text columns and holds {} once"
    if pa.types.is_list(kind):
        yield "list columns cannot be filled from a delimited table"
    if column.epoch.tzinfo is None:
        yield "an epoch needs an offset, such as 1970-01-01T00:00:00Z"
