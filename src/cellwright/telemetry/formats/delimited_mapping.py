"""The document that says how a delimited table becomes rows, checked with file, line and column for every problem."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cellwright.errors import Diagnostic, Mark, UsageError, nearest
from cellwright.lake.schema import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

Scalar = str | int | float | bool
Location = tuple[str | int, ...]
_NOT_MAPPED: Final = frozenset(("ordinal", "dq_flags", "vendor"))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Column(_Strict):
    """Where the value of one column of the lake comes from: exactly one of the first four."""

    column: str | None = None
    columns: tuple[str, ...] = Field(default=(), strict=False)  # for map columns: each becomes an entry
    const: Scalar | None = None
    ordinal: Literal[True] | None = None  # the number of the record, from 0
    template: str = "{}"  # for text columns: what to write around the value
    map: dict[str, Scalar] = {}  # replaces the text of a field; a text that is not listed is refused
    unit: Literal["s", "ms", "us", "iso"] = "s"  # of timestamps
    epoch: Annotated[datetime, Field(strict=False)] = datetime(1970, 1, 1, tzinfo=UTC)  # second 0 of timestamps

    def sources(self) -> int:
        """Return how many sources are given."""
        return sum((self.column is not None, bool(self.columns), self.const is not None, self.ordinal is not None))


class Spec(_Strict):
    """One table and the columns that fill it."""

    table: str
    header: tuple[str, ...] = Field(strict=False, min_length=1)
    columns: dict[str, Column]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    vendor: str | None = None
    dq_flags: tuple[str, ...] = Field(default=(), strict=False)
    ignore: tuple[str, ...] = Field(default=(), strict=False)  # columns left out on purpose


class Metadata(_Strict):
    """What the mapping is called."""

    name: str


class Mapping(_Strict):
    """A document of kind TelemetryMapping."""

    apiVersion: Literal["cellwright.io/v1alpha1"]  # noqa: N815 - the spelling of the documents
    kind: Literal["TelemetryMapping"]
    metadata: Metadata
    spec: Spec


def load_mapping(text: str, file: str) -> Mapping:
    """Return the mapping that a YAML text holds; raise UsageError with all problems, each marked in `file`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        mark = getattr(error, "problem_mark", None)
        where = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
        raise UsageError(Diagnostic("invalid-yaml", "the mapping is not YAML", where)) from None
    try:
        mapping = Mapping.model_validate(document)
    except ValidationError as error:
        found = [(problem["loc"], _wording(problem["type"], problem["msg"])) for problem in error.errors()]
        raise UsageError(*(_diagnostic(root, file, location, message) for location, message in found)) from None
    problems = [_diagnostic(root, file, location, *message) for location, *message in _problems(mapping.spec)]
    problems += [Diagnostic("invalid-mapping", "a key stands twice", mark) for mark in _repeated(root, file)]
    if problems:
        raise UsageError(*problems)
    return mapping


def _wording(kind: str, message: str) -> str:
    return "this key does not exist" if kind == "extra_forbidden" else message[0].lower() + message[1:]


def _diagnostic(
    root: yaml.Node | None, file: str, location: Location, message: str, hint: str | None = None
) -> Diagnostic:
    place = ".".join(str(part) for part in location) or "the document"
    return Diagnostic("invalid-mapping", f"{place}: {message}", _mark(root, file, location), hint=hint)


def _mark(node: yaml.Node | None, file: str, location: Location) -> Mark:
    """Return the place of the innermost node on the way to a location that the file holds."""
    mark = node.start_mark if node else None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            pair = (node.value[part], node.value[part])
        else:
            pair = None
        if pair is None:
            break
        mark, node = pair[0].start_mark, pair[1]
    return Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)


def _repeated(node: yaml.Node | None, file: str) -> Iterator[Mark]:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        for index, (key, value) in enumerate(node.value):
            if key.value in keys[:index]:
                yield Mark(file, key.start_mark.line + 1, key.start_mark.column + 1)
            yield from _repeated(value, file)


def _problems(spec: Spec) -> Iterator[tuple[Any, ...]]:
    """Yield (location, message, hint) of everything that the table or the header contradicts."""
    if spec.table not in FACTS:
        yield ("spec", "table"), f"there is no table {spec.table!r}", nearest(spec.table, FACTS)
        return
    schema = FACTS[spec.table]
    targets = [name for name in schema.names if name not in _NOT_MAPPED]
    for target, column in spec.columns.items():
        at = ("spec", "columns", target)
        if target not in targets:
            yield at, f"{spec.table} has no such column", nearest(target, targets)
        else:
            yield from ((at, message, None) for message in _contradictions(column, schema.field(target).type))
        for name in (*column.columns, *([column.column] if column.column is not None else [])):
            if name not in spec.header:
                yield at, f"the header has no column {name!r}", nearest(name, spec.header)
    yield from _gaps(spec, targets)


def _gaps(spec: Spec, targets: list[str]) -> Iterator[tuple[Any, ...]]:
    used = {name for column in spec.columns.values() for name in (column.column, *column.columns)}
    for name in spec.header:
        if name not in used and name not in spec.ignore:
            yield ("spec", "header"), f"column {name!r} is neither used nor in spec.ignore", None
    for target in targets:
        if not FACTS[spec.table].field(target).nullable and target not in spec.columns:
            yield ("spec", "columns"), f"{target} is required by {spec.table}", None
    if len(set(spec.header)) < len(spec.header):
        yield ("spec", "header"), "a column is named twice", None


def _contradictions(column: Column, kind: pa.DataType) -> Iterator[str]:
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
