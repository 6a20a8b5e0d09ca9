"""One pass over the bytes of well-formed objects, compiled by numba where it is installed; imported only when it pays.

It accepts the grammar of `pm_scan` and nothing more. Without numba the same functions run as they stand, slowly, on
bytes in place of arrays.
"""
# ruff: noqa: PLR0913, PLR0917, PLR1714, PLR2004 - numba takes no objects; compiled code compares bytes one by one

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np

from cellwright.telemetry.formats.pm_scan import OTHER, Scan, tags_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    from cellwright.telemetry.formats.pm_scan import Tags

    Text: TypeAlias = bytes | NDArray[np.uint8]
    Longs: TypeAlias = NDArray[np.int64]
    Ints: TypeAlias = NDArray[np.int32]
    # kinds, integers, reals, positions, starts, ends, lengths of vectors, members, which of these are known
    Values: TypeAlias = tuple[
        NDArray[np.uint8], Longs, NDArray[np.float64], Ints, Ints, Ints, Ints, Longs, NDArray[np.uint8]
    ]

_F = TypeVar("_F", bound="Callable[..., object]")

try:
    _numba: Any = importlib.import_module("numba")
except ImportError:
    _numba = None
HAS_COMPILER: Final = _numba is not None

_MOST_VALUES: Final = 65_536  # of one scan
_MOST_MEMBERS: Final = 131_072
_MOST_BLOCKS: Final = 16_384

# Tags by number, in the order of `pm_scan.Tags`.
_VALUE, _VALUE_END, _R, _R_END, _SUSPECT, _SUSPECT_END, _RESULTS, _RESULTS_END, _INFO, _INFO_END, _TYPE = range(11)
_NAME, _P, _TRUE, _FALSE, _DATA_END, _DATA = range(11, 17)


_FASTEST: Final = {"forceinline": True, "_nrt": False}
"""In one piece and, as nothing is allocated, without counting references to arrays: takes half the time."""


def _compiled(function: _F) -> _F:
    """Return the function compiled, kept on disk where a folder for it can be written."""
    if _numba is None:
        return function
    for options in ({"cache": True} | _FASTEST, _FASTEST, {"cache": True}):
        with contextlib.suppress(RuntimeError, KeyError):  # no folder for it; a numba that does not know an option
            return cast("_F", _numba.njit(**options)(function))
    return cast("_F", _numba.njit(function))


@_compiled
def _past_tag(data: Text, at: int, end: int, tags: tuple[Text, Longs], tag: int) -> int:
    """Return the index behind the tag that stands at `at`, 0 where it does not."""
    letters, offsets = tags
    first, last = offsets[tag], offsets[tag + 1]
    if at + last - first > end:
        return 0
    for index in range(first, last):
        if data[at + index - first] != letters[index]:
            return 0
    return int(at + last - first)


@_compiled
def _past_space(data: Text, at: int, end: int) -> int:
    while at < end and (data[at] == 32 or data[at] == 10 or data[at] == 9 or data[at] == 13):
        at += 1
    return at


@_compiled
def _past_attribute(data: Text, at: int, end: int, tags: tuple[Text, Longs], tag: int) -> int:
    """Return the index behind `name="` that follows white space, 0 where it does not."""
    begin = _past_space(data, at, end)
    return _past_tag(data, begin, end, tags, tag) if begin > at else 0


@_compiled
def _end_of_text(data: Text, at: int, end: int) -> int:
    """Return the index of the next `<`, 0 where a byte before it needs the parser or there is none."""
    while at < end:
        byte = data[at]
        if byte == 60:
            return at
        if (
            byte > 126
            or byte == 38
            or byte == 62
            or byte == 34
            or (byte < 32 and byte != 10 and byte != 13 and byte != 9)
        ):
            return 0
        at += 1
    return 0


@_compiled
def _end_of_name(data: Text, at: int, end: int) -> int:
    """Return the index of the closing quote of an attribute, 0 where its value needs the parser."""
    while at < end:
        byte = data[at]
        if byte == 34:
            return at
        if byte > 126 or byte < 32 or byte == 38 or byte == 60:
            return 0
        at += 1
    return 0


@_compiled
def _integer(data: Text, at: int, end: int) -> tuple[bool, int]:
    """Return whether the bytes are an integer of at most 18 digits, which fit 64 bits, and which."""
    negative = data[at] == 45
    if negative or data[at] == 43:
        at += 1
    if at == end or end - at > 18:
        return False, 0
    number = 0
    for index in range(at, end):
        if data[index] < 48 or data[index] > 57:
            return False, 0
        number = number * 10 + (data[index] - 48)
    return True, -number if negative else number


@_compiled
def _decimal(data: Text, at: int, end: int) -> tuple[bool, float]:
    """Return whether the bytes are a decimal fraction whose nearest real one division gives, and that real.

    The digits as an integer below 2**53 and the power of ten up to 10**22 are exact, so the quotient is rounded once
    (Clinger, How to read floating point numbers accurately, 1990).
    """
    negative = data[at] == 45
    if negative or data[at] == 43:
        at += 1
    if end - at < 2 or end - at > 16:
        return False, 0.0
    number, scale, point = 0, 1.0, False
    for index in range(at, end):
        if data[index] == 46 and not point:
            point = True
        elif data[index] < 48 or data[index] > 57:
            return False, 0.0
        else:
            number = number * 10 + (data[index] - 48)
            if point:
                scale *= 10.0
    real = number / scale
    return point, -real if negative else real


@_compiled
def _vector(data: Text, at: int, end: int, members: Longs, known: NDArray[np.uint8], member: int) -> int:
    """Write the members of a list of integers and blanks from `member` on; return the next, 0 where it is none."""
    commas = False
    while at <= end:
        stop = at
        while stop < end and data[stop] != 44:
            stop += 1
        commas = commas or stop < end
        if not commas or member == len(members):
            return 0
        first, last = at, stop
        while first < last and data[first] <= 32:
            first += 1
        while first < last and data[last - 1] <= 32:
            last -= 1
        known[member], members[member] = 0, 0
        if first < last:
            fits, number = _integer(data, first, last)
            if not fits:
                return 0
            known[member], members[member] = 1, number
        member += 1
        at = stop + 1
    return member


@_compiled
def _read(data: Text, first: int, last: int, values: Values, value: int, member: int) -> int:
    """Set value number `value` from the bytes between `first` and `last`; return the next free member."""
    kinds, integers, reals, _, starts, ends, lengths, members, known = values
    while first < last and data[first] <= 32:
        first += 1
    while first < last and data[last - 1] <= 32:
        last -= 1
    integers[value], reals[value], lengths[value], starts[value], ends[value] = 0, 0.0, 0, first, last
    if first == last:
        kinds[value] = 3
        return member
    fits, number = _integer(data, first, last)
    if fits:
        kinds[value], integers[value] = 0, number
        return member
    fits, real = _decimal(data, first, last)
    if fits:
        kinds[value], reals[value] = 1, real
        return member
    after = _vector(data, first, last, members, known, member)
    kinds[value] = 2 if after else 4
    lengths[value] = after - member if after else 0
    return after or member


@_compiled
def _short(data: Text, at: int, end: int, values: Values, value: int, member: int) -> tuple[int, int]:
    """Set value number `value` where digits, signs and commas alone stand before the next `<`.

    Return the index of that `<`, 0 where it is otherwise or no integer, blank or vector, and the next free member.
    """
    kinds, integers, reals, _, _, _, lengths, members, known = values
    next_member = member
    while at < end:
        negative = data[at] == 45
        first = at + 1 if negative or data[at] == 43 else at
        stop, number = first, 0
        while stop < end and 48 <= data[stop] <= 57:
            number = number * 10 + (data[stop] - 48)
            stop += 1
        is_last = stop < end and data[stop] == 60
        if stop - first > 18 or not (is_last or (stop < end and data[stop] == 44)) or (first == stop and first > at):
            return 0, member
        number = -number if negative else number
        if is_last and next_member == member:
            kinds[value], integers[value] = 3 if first == stop else 0, number
            reals[value], lengths[value] = 0.0, 0
            return stop, member
        if next_member == len(members):
            return 0, member
        members[next_member], known[next_member] = number, 1 if stop > first else 0
        next_member += 1
        if is_last:
            kinds[value], integers[value], reals[value], lengths[value] = 2, 0, 0.0, next_member - member
            return stop, next_member
        at = stop + 1
    return 0, member


@_compiled
def _one(
    data: Text, at: int, end: int, tags: tuple[Text, Longs], values: Values, value: int, member: int
) -> tuple[int, int]:
    """Read what follows `<r`; return the index behind the element, 0 where it needs the parser, and the next member."""
    number = _past_attribute(data, at, end, tags, _P)
    position, at = 0, number
    while number and at < end and at - number < 9 and 48 <= data[at] <= 57:
        position = position * 10 + (data[at] - 48)
        at += 1
    if at == number or at + 2 >= end or data[at] != 34 or value == len(values[0]):
        return 0, member
    values[3][value] = position
    at = _past_space(data, at + 1, end)
    if at + 1 < end and data[at] == 47 and data[at + 1] == 62:
        return at + 2, _read(data, at, at, values, value, member)
    if at == end or data[at] != 62:
        return 0, member
    last, after_member = _short(data, at + 1, end, values, value, member)
    if last:
        return _past_tag(data, last, end, tags, _R_END), after_member
    last = _end_of_text(data, at + 1, end)
    after = _past_tag(data, last, end, tags, _R_END) if last else 0
    return (after, _read(data, at + 1, last, values, value, member)) if after else (0, member)


@_compiled
def _list(
    data: Text, at: int, end: int, tags: tuple[Text, Longs], values: Values, value: int, member: int
) -> tuple[int, int, int]:
    """Read what follows `<measResults>`; return the index behind the element, 0 as in `_one`, next value and member."""
    last = _end_of_text(data, at, end)
    after = _past_tag(data, last, end, tags, _RESULTS_END) if last else 0
    if not after:
        return 0, value, member
    first, position = _past_space(data, at, last), 1
    while first < last:
        stop = first
        while stop < last and data[stop] > 32:
            stop += 1
        if value == len(values[0]):
            return 0, value, member
        values[3][value] = position
        member = _read(data, first, stop, values, value, member)
        value, position = value + 1, position + 1
        first = _past_space(data, stop, last)
    return after, value, member


@_compiled
def _block(
    data: Text, at: int, tags: tuple[Text, Longs], values: Values, blocks: Ints, block: int, value: int, member: int
) -> int:
    """Read an object from behind its start tag; return the index behind its end tag, 0 where it needs the parser."""
    end, suspect, listed, first = len(data), 0, 0, value
    while True:
        at = _past_space(data, at, end)
        after = _past_tag(data, at, end, tags, _R)
        if after:
            at, member = _one(data, after, end, tags, values, value, member)
            value += 1
            if not at or listed:
                return 0
            continue
        after = _past_tag(data, at, end, tags, _VALUE_END)
        if after:
            blocks[block, 1], blocks[block, 4], blocks[block, 5] = at, suspect, listed
            blocks[block, 6], blocks[block, 7] = value, member
            return after
        after = _past_tag(data, at, end, tags, _SUSPECT)
        if after:
            true = _past_tag(data, after, end, tags, _TRUE)
            at = true or _past_tag(data, after, end, tags, _FALSE)
            suspect = 1 if true else 0
        else:
            after = _past_tag(data, at, end, tags, _RESULTS)
            if not after or listed or value > first:
                return 0
            listed = 1
            at, value, member = _list(data, after, end, tags, values, value, member)
        if not at:
            return 0


@_compiled
def _start(data: Text, at: int, tags: tuple[Text, Longs], blocks: Ints, block: int) -> int:
    """Read the start tag of an object that stands at `at`; return the index behind it, 0 where it needs the parser."""
    end = len(data)
    after = _past_tag(data, at, end, tags, _VALUE)
    name = _past_attribute(data, after, end, tags, _NAME) if after else 0
    quote = _end_of_name(data, name, end) if name else 0
    after = _past_space(data, quote + 1, end) if quote else end
    if after == end or data[after] != 62:
        return 0
    blocks[block, 2], blocks[block, 3] = name, quote
    return after + 1


@_compiled
def _header(data: Text, at: int, tags: tuple[Text, Longs], groups: Ints, group: int) -> int:
    """Find the end of the head of a group that stands at `at`, where its first object or its own end stands, or 0."""
    end, split = len(data), 0
    groups[group, 0] = at
    ended = _past_tag(data, at, end, tags, _DATA_END)
    at = (
        _past_tag(data, _past_space(data, ended, end), end, tags, _DATA)
        if ended
        else _past_tag(data, at, end, tags, _INFO)
    )
    while at and at < end:
        if data[at] == 60:
            if _past_tag(data, at, end, tags, _VALUE) or _past_tag(data, at, end, tags, _INFO_END):
                groups[group, 1], groups[group, 2] = split or at, at
                return at
            if at + 1 == end or data[at + 1] == 33 or data[at + 1] == 63:
                return 0
            if not split and _past_tag(data, at, end, tags, _TYPE):
                split = at
        at += 1
    return 0


@_compiled
def scan(
    data: Text,
    at: int,
    within: tuple[bool, bool],
    tags: tuple[Text, Longs],
    values: Values,
    blocks: Ints,
    groups: Ints,
) -> tuple[int, int, int, bool]:
    """Fill the arrays as `pm_scan.Scan` describes them; return where it stopped, objects, groups, if in a group.

    `within` says whether the scan begins in an open object, and whether in a group.
    """
    is_open, is_inside = within
    end, block, group, stop = len(data), 0, 0, at
    while block < len(blocks) and group < len(groups):
        at = stop if is_open else _past_space(data, stop, end)
        if not is_inside:
            after = _header(data, at, tags, groups, group)
            groups[group, 3] = block
            group += 1 if after else 0
            is_inside = after > 0
        elif is_open or _past_tag(data, at, end, tags, _VALUE):
            blocks[block, 0], blocks[block, 2], blocks[block, 3] = at, -1, -1
            value = int(blocks[block - 1, 6]) if block else 0
            member = int(blocks[block - 1, 7]) if block else 0
            after = at if is_open else _start(data, at, tags, blocks, block)
            after = _block(data, after, tags, values, blocks, block, value, member) if after else 0
            block += 1 if after else 0
            is_open = False
        else:
            after = _past_tag(data, at, end, tags, _INFO_END)
            is_inside = after == 0
        if not after:
            break
        stop = after
    return stop, block, group, is_inside


class KernelScanner:
    """Scans in compiled code, into arrays that are used again; not for two threads at once.

    What the compiler brought with it stays: the garbage collector is spared looking through it time and again.
    """

    def __init__(self) -> None:
        sizes = [_MOST_VALUES] * 7 + [_MOST_MEMBERS] * 2
        kinds = (np.uint8, np.int64, np.float64, np.int32, np.int32, np.int32, np.int32, np.int64, np.uint8)
        self._values = tuple(np.zeros(size, kind) for size, kind in zip(sizes, kinds, strict=True))
        self._blocks = np.zeros((_MOST_BLOCKS, 8), np.int32)
        self._groups = np.zeros((_MOST_BLOCKS, 4), np.int32)
        self.scan(b"", 0, tags_of(b""), is_open=False, is_inside=False)  # loads what was compiled
        gc.freeze()
        atexit.register(gc.unfreeze)  # what frees its objects at the end, as DuckDB's module does, finds them again

    def scan(self, data: bytes, at: int, tags: Tags, *, is_open: bool, is_inside: bool) -> Scan:
        """Return what is plain from `at` on, which lies behind the start tag of an object if `is_open`."""
        text = np.frombuffer(data, np.uint8) if HAS_COMPILER else data
        letters = np.frombuffer(tags.letters, np.uint8) if HAS_COMPILER else tags.letters
        arrays = (cast("Values", self._values), self._blocks, self._groups)
        stop, n_blocks, n_groups, inside = scan(text, at, (is_open, is_inside), (letters, tags.offsets), *arrays)
        blocks = self._blocks[:n_blocks].copy()
        n_values, n_members = (int(blocks[-1, 6]), int(blocks[-1, 7])) if n_blocks else (0, 0)
        kinds, integers, reals, positions, starts, ends, lengths = (each[:n_values] for each in self._values[:7])
        others = np.flatnonzero(kinds == OTHER).tolist()
        return Scan(
            stop,
            inside,
            kinds.copy(),
            integers.copy(),
            reals.copy(),
            positions.copy(),
            lengths.copy(),
            self._values[7][:n_members].copy(),
            self._values[8][:n_members].copy(),
            [(number, data[starts[number] : ends[number]].decode("ascii")) for number in others],
            blocks,
            self._groups[:n_groups].copy(),
        )
