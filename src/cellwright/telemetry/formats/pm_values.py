"""Reads one value of a measurement file: integer, real, vector, blank or a word for "none"."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_REAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NONE_WORDS: Final = MappingProxyType(
    {"nil": "nil", "null": "nil", "none": "nil", "n/a": "nil", "na": "nil", "-": "nil", "nan": "nan"}
)
_INT64: Final = range(-(2**63), 2**63)
_INT64_DIGITS: Final = 19  # more digits cannot fit, unless they are leading zeros


class Value(NamedTuple):
    """One value in the columns of `pm_counters`; at most one of the three values is set, otherwise `null_reason`."""

    i64: int | None = None
    f64: float | None = None
    vec: tuple[int | None, ...] | None = None
    null_reason: str | None = None
    flag: str | None = None


@lru_cache(maxsize=16_384)  # files repeat themselves: zeros, blanks, empty histograms
def read_value(text: str) -> Value | None:
    """Return the value of a text, None when it is none.

    TS 32.435 leaves a value that could not be collected blank or NIL. An integer beyond 64 bits is kept as the nearest
    real and flagged `beyond-int64`. Vectors are comma-separated; a blank member is null.
    """
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if not text:
        return Value(null_reason="blank")
    if "," in text:
        return _vector(text)
    if _REAL.fullmatch(text):
        real = float(text)
        return Value(f64=real) if math.isfinite(real) else None
    word = text.lower()
    return Value(null_reason=_NONE_WORDS[word]) if word in _NONE_WORDS else None


def _integer(text: str) -> Value | None:
    if len(text) < _INT64_DIGITS or len(text.lstrip("+-").lstrip("0")) <= _INT64_DIGITS:
        number = int(text)
        if number in _INT64:
            return Value(i64=number)
    real = float(text)
    return Value(f64=real, flag="beyond-int64") if math.isfinite(real) else None


def _vector(text: str) -> Value | None:
    members: list[int | None] = []
    for part in text.split(","):
        member = read_value(part)
        if member is None or (member.i64 is None and member.null_reason is None):
            return None
        members.append(member.i64)
    return Value(vec=tuple(members))
