"""Builds rows of `pm_counters` out of whole arrays of values, a micro-batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from cellwright.lake.encoding import taken
from cellwright.lake.schema import ENCODED, FACTS
from cellwright.telemetry.formats.names import class_of
from cellwright.telemetry.formats.pm_scan import BLANK, INTEGER, REAL, VECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cellwright.telemetry.formats.pm_head import Types
    from cellwright.telemetry.formats.pm_scan import Scan

NIL, NAN, BEYOND_INT64 = range(BLANK + 2, BLANK + 5)  # kinds that are found when OTHER texts are read
_NULL_REASONS: Final = pa.array(["blank", "nil", "nan"], pa.string())
_REASON_OF: Final = np.array([-1, -1, -1, 0, -1, 1, 2, -1], np.int8)
_SCHEMA: Final = FACTS["pm_counters"]
_TYPES: Final = {field.name: ENCODED if pa.types.is_string(field.type) else field.type for field in _SCHEMA}
_TEXT: Final = pa.string()


class Around(NamedTuple):
    """What stands around the values of some objects, by column: what their group says, and their element; and flags."""

    group: Mapping[str, object]
    owner: Mapping[str, object]
    flags: tuple[str, ...]


_V = TypeVar("_V")


class _Distinct(Generic[_V]):
    """Objects in the order in which they came first, told by identity: most come time and again."""

    def __init__(self) -> None:
        self.values: list[_V] = []  # holding them keeps their ids their own
        self._places: dict[int, int] = {}

    def place(self, value: _V) -> int:
        """Return the number of a value."""
        place = self._places.get(id(value))
        if place is None:
            place = self._places[id(value)] = len(self.values)
            self.values.append(value)
        return place


class Plain(NamedTuple):
    """A scan with the counter of each value, as an index in the counters of the batch."""

    scan: Scan
    counters: NDArray[np.int32]

    def values(self, blocks: range) -> tuple[int, int]:
        """Return the first value of some neighbouring objects and the one behind the last."""
        ends = self.scan.blocks
        return int(ends[blocks.start - 1, 6]) if blocks.start else 0, int(ends[blocks.stop - 1, 6])


class _Piece(NamedTuple):
    """Some neighbouring objects of one scan, and the ordinal of their first value."""

    plain: Plain
    blocks: range
    ordinal: int

    def part(self, column: NDArray[Any]) -> NDArray[Any]:
        """Return of a column of the values what belongs to these objects."""
        first, last = self.plain.values(self.blocks)
        return column[first:last]

    def members(self, column: NDArray[Any]) -> NDArray[Any]:
        """Return of a column of the members of vectors what belongs to these objects."""
        ends = self.plain.scan.blocks
        return column[ends[self.blocks.start - 1, 7] if self.blocks.start else 0 : ends[self.blocks.stop - 1, 7]]

    def ordinals(self) -> NDArray[np.int64]:
        """Return those of the values."""
        first, last = self.plain.values(self.blocks)
        return np.arange(self.ordinal, self.ordinal + last - first)

    def next_ordinal(self) -> int:
        """Return that of a value behind the last."""
        first, last = self.plain.values(self.blocks)
        return self.ordinal + last - first

    def sizes(self) -> NDArray[np.int32]:
        """Return how many values each object has."""
        return np.diff(self.of_objects(6), prepend=np.int32(self.plain.values(self.blocks)[0]))

    def of_objects(self, column: int) -> NDArray[np.int32]:
        """Return a column of the objects."""
        return self.plain.scan.blocks[self.blocks.start : self.blocks.stop, column]


class PlainRows:
    """Values of plain objects, collected for one micro-batch."""

    def __init__(self) -> None:
        self.count = 0
        self._pieces: list[_Piece] = []
        self._objects: list[str] = []
        self._stretches: list[tuple[int, int, int, int]] = []  # objects, and places of their Around's parts
        self._groups: _Distinct[Mapping[str, object]] = _Distinct()
        self._owners: _Distinct[Mapping[str, object]] = _Distinct()
        self._flag_lists: _Distinct[tuple[str, ...]] = _Distinct()
        self._counters: list[tuple[str, str | None]] = []
        self._bases: dict[int, tuple[int, Types]] = {}

    def base(self, types: Types) -> int:
        """Return where the counters of a group begin among those of the batch."""
        known = self._bases.get(id(types))
        if known is None:
            known = self._bases[id(types)] = (len(self._counters), types)  # holding it keeps its id its own
            self._counters += types.counters
        return known[0]

    def add(
        self, plain: Plain, blocks: range, arounds: Sequence[tuple[Around, int]], names: list[str], ordinal: int
    ) -> int:
        """Add the values of neighbouring objects and return how many; `arounds` says of how many objects each is."""
        first, last = plain.values(blocks)
        before = self._pieces[-1] if self._pieces else None
        if before and before.plain is plain and before.blocks.stop == blocks.start and before.next_ordinal() == ordinal:
            self._pieces[-1] = before._replace(blocks=range(before.blocks.start, blocks.stop))
        else:
            self._pieces.append(_Piece(plain, blocks, ordinal))
        self._objects += names
        group, owner, flags = self._groups.place, self._owners.place, self._flag_lists.place
        self._stretches += [
            (objects, group(around.group), owner(around.owner), flags(around.flags)) for around, objects in arounds
        ]
        self.count += last - first
        return last - first

    def batch(self) -> pa.RecordBatch:
        """Return all rows in the order they were added."""
        kinds = self._joined("kinds")
        sizes = np.concatenate([piece.sizes() for piece in self._pieces])
        by_object = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        objects, groups, owners, flags = np.array(self._stretches, np.int32).T
        stretch = np.repeat(np.arange(len(objects), dtype=np.int32), objects)[by_object]
        counters = np.concatenate([piece.part(piece.plain.counters) for piece in self._pieces])
        columns = {
            **_shared(self._groups.values, groups[stretch]),
            **_shared(self._owners.values, owners[stretch]),
            **self._of_objects(by_object),
            "counter": taken([counter for counter, _ in self._counters], counters),
            "subcounter": taken([subcounter for _, subcounter in self._counters], counters),
            "value_i64": pa.array(self._joined("integers"), mask=kinds != INTEGER),
            "value_f64": pa.array(self._joined("reals"), mask=(kinds != REAL) & (kinds != BEYOND_INT64)),
            "vec": self._vectors(kinds),
            "null_reason": _null_reasons(kinds),
            "ordinal": pa.array(np.concatenate([piece.ordinals() for piece in self._pieces])),
            "dq_flags": self._flags(flags[stretch], kinds),
        }
        arrays = [columns[name] if name in columns else pa.nulls(len(kinds), kind) for name, kind in _TYPES.items()]
        fields = [field.with_type(array.type) for field, array in zip(_SCHEMA, arrays, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _joined(self, name: str) -> NDArray[Any]:
        return np.concatenate([piece.part(getattr(piece.plain.scan, name)) for piece in self._pieces])

    def _of_objects(self, by_object: NDArray[np.int32]) -> dict[str, pa.Array]:
        suspect = np.concatenate([piece.of_objects(4) for piece in self._pieces]) == 1
        return {
            "obj_ldn": taken([name or None for name in self._objects], by_object),
            "obj_class": taken([class_of(name) for name in self._objects], by_object),
            "suspect": pa.array(suspect[by_object]),
        }

    def _vectors(self, kinds: NDArray[np.uint8]) -> pa.Array:
        offsets = np.zeros(len(kinds) + 1, np.int32)
        np.cumsum(self._joined("lengths"), out=offsets[1:])
        members = np.concatenate([piece.members(piece.plain.scan.members) for piece in self._pieces])
        known = np.concatenate([piece.members(piece.plain.scan.known) for piece in self._pieces])
        mask = pa.array(kinds != VECTOR)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(members, mask=known == 0), mask=mask)

    def _flags(self, place: NDArray[np.int32], kinds: NDArray[np.uint8]) -> pa.Array:
        beyond = kinds == BEYOND_INT64
        lists = self._flag_lists.values
        if not any(lists) and not beyond.any():
            return pa.ListArray.from_arrays(pa.array(np.zeros(len(kinds) + 1, np.int32)), pa.array([], _TEXT))
        both = [*lists, *((*flags, "beyond-int64") for flags in lists)]
        return _taken(both, place + beyond * np.int32(len(lists)), pa.list_(_TEXT))


def _shared(said: Sequence[Mapping[str, object]], place: NDArray[np.int32]) -> dict[str, pa.Array]:
    """Return a column for each name, given by value which of the mappings says it."""
    columns = {}
    for name in dict.fromkeys(name for each in said for name in each):
        values: list[Any] = [each.get(name) for each in said]
        kind = _TYPES[name]
        columns[name] = taken(values, place) if kind == ENCODED else _taken(values, place, kind)
    return columns


def _null_reasons(kinds: NDArray[np.uint8]) -> pa.Array:
    reasons = _REASON_OF[kinds]
    return pa.DictionaryArray.from_arrays(pa.array(reasons, pa.int32(), mask=reasons < 0), _NULL_REASONS)


def _taken(values: Sequence[object], indices: NDArray[np.int32], kind: pa.DataType) -> pa.Array:
    """Return `values` by index; what is the same everywhere is repeated."""
    if values and all(value == values[0] for value in values):
        return pa.repeat(pa.scalar(values[0], kind), len(indices))
    return pa.array(values, kind).take(pa.array(indices))
