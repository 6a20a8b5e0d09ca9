"""How a value is made coarser, step by step: times to buckets, numbers to magnitudes, objects to their parents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY: Final = "any"
_BUCKETS_S: Final = (0, 60, 900, 3600, 86_400, 7 * 86_400)  # 0: as it is
_BUCKET_NAMES: Final = ("as it is", "1 min", "15 min", "1 h", "1 day", "7 days")
_DIGITS: Final = (0, 2, 1)  # significant decimal digits that stay; 0: all
_DIGIT_NAMES: Final = ("as it is", "2 significant digits", "1 significant digit", "power of ten")
_ROUNDING: Final = 1e-9  # so that 0.3 is three tenths
_MOST_PARTS: Final = 12  # of a distinguished name that are told apart
_GNB_CELL_BITS: Final = 14  # of an NR cell identity that follow a gNB identifier of 22 bits (TS 38.413 clause 9.3.1.7)


class Ladder(StrEnum):
    """The ways to make values coarser."""

    TIME = "time"
    NUMBER = "number"
    OBJECT = "object"  # a distinguished name, or a mapping written as one: the last parts go first
    CELL = "cell"  # an NR cell identity as a number, then its gNB
    CATEGORY = "category"  # itself, or nothing
    EXACT = "exact"  # always itself: rows that cannot stay so are left out


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a ladder over one column: its codes, whose equality is that of the coarse values."""

    meaning: str
    loss: float  # 0 where nothing is lost, 1 where all is
    codes: NDArray[np.int64]
    values: pa.Array


def levels(column: pa.Array, ladder: Ladder) -> tuple[Level, ...]:
    """Return the column at every step, the finest first; the last says nothing, except for `exact`."""
    made = _STEPS[ladder](column)
    if ladder is not Ladder.EXACT:
        made.append((ANY, pa.nulls(len(column), made[0][1].type)))
    top = max(1, len(made) - 1)
    return tuple(
        Level(meaning, step / top, _codes(values), values) for step, (meaning, values) in enumerate(_distinct(made))
    )


def plain(column: pa.Array) -> pa.Array:
    """Return nested values as text, `key=value` parts in order of key, so that they can be compared; others as is."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.dictionary_decode())
    if pa.types.is_map(kind):
        texts = [
            None if v is None else ",".join(f"{key}={item}" for key, item in sorted(v)) for v in column.to_pylist()
        ]
        return pa.array(texts, pa.string())
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else ",".join(map(str, v)) for v in column.to_pylist()], pa.string())
    return column


def _distinct(made: list[tuple[str, pa.Array]]) -> list[tuple[str, pa.Array]]:
    """Return the steps without those that change nothing."""
    kept = made[:1]
    for step in made[1:]:
        if not step[1].equals(kept[-1][1]):
            kept.append(step)
    return kept


def _codes(values: pa.Array) -> NDArray[np.int64]:
    encoded = values.dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _time(column: pa.Array) -> list[tuple[str, pa.Array]]:
    if not pa.types.is_timestamp(column.type):
        return _category(column)
    steps = []
    for name, seconds in zip(_BUCKET_NAMES, _BUCKETS_S, strict=True):
        scale = seconds * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        whole = column.cast(pa.int64())
        floored = whole if not scale else pc.multiply(_floor_divide(whole, scale), scale)
        steps.append((name, floored.cast(column.type)))
    return steps


def _floor_divide(values: pa.Array, by: int) -> pa.Array:
    """Return integers divided and rounded down, also below zero."""
    negative = pc.less(values, 0)
    shifted = pc.if_else(negative, pc.subtract(values, by - 1), values)
    return pc.divide(shifted, by)


def _number(column: pa.Array) -> list[tuple[str, pa.Array]]:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return _category(column)
    floats = column.cast(pa.float64(), safe=False)
    steps = [(_DIGIT_NAMES[0], column)]
    magnitude = pc.floor(pc.log10(pc.if_else(pc.equal(floats, 0), 1.0, pc.abs(floats))))
    for name, digits in zip(_DIGIT_NAMES[1:], (*_DIGITS[1:], None), strict=True):
        unit = pc.power(10.0, pc.subtract(magnitude, (digits or 1) - 1))
        floored = (
            pc.multiply(pc.floor(pc.add(pc.divide(floats, unit), _ROUNDING)), unit)
            if digits
            else pc.multiply(pc.sign(floats), unit)
        )
        steps.append((name, floored.cast(column.type, safe=False)))
    return steps


def _object(column: pa.Array) -> list[tuple[str, pa.Array]]:
    texts = column.cast(pa.string())
    depth = min(_MOST_PARTS, 1 + (pc.max(pc.count_substring(texts, ",")).as_py() or 0))
    steps = [("as it is", texts)]
    for kept in range(depth - 1, 0, -1):
        shorter = pc.replace_substring_regex(texts, rf"^((?:[^,]*,){{{kept - 1}}}[^,]*),.*$", r"\1")
        steps.append((f"the first {kept} parts of the name", shorter))
    return steps


def _cell(column: pa.Array) -> list[tuple[str, pa.Array]]:
    if not pa.types.is_integer(column.type):
        return _category(column)
    return [
        ("as it is", column),
        ("its gNB", pc.shift_right(column.cast(pa.int64()), _GNB_CELL_BITS).cast(column.type)),
    ]


def _category(column: pa.Array) -> list[tuple[str, pa.Array]]:
    return [("as it is", column)]


_STEPS: Final = {
    Ladder.TIME: _time,
    Ladder.NUMBER: _number,
    Ladder.OBJECT: _object,
    Ladder.CELL: _cell,
    Ladder.CATEGORY: _category,
    Ladder.EXACT: _category,
}
