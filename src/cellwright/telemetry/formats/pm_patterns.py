"""Scans with regular expressions that accept what is plain and NumPy that reads it: ready at once, no compiler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.telemetry.formats.pm_scan import BLANK, INTEGER, OTHER, VECTOR, Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.telemetry.formats.pm_scan import Tags

_SPACES: Final = re.compile(rb"[ \t\r\n]*+")
_WORD: Final = re.compile(rb"[^ \t\r\n]++")
_SURE_DIGITS: Final = 18  # fit 64 bits whatever they are
_LT, _QUOTE, _GT, _SLASH, _COMMA, _PLUS, _MINUS, _ZERO = (ord(each) for each in '<">/,+-0')


class PatternScanner:
    """Scans with regular expressions and array arithmetic."""

    def scan(self, data: bytes, at: int, tags: Tags, *, is_open: bool, is_inside: bool) -> Scan:
        """Return what is plain from `at` on, which lies behind the start tag of an object if `is_open`."""
        spans: list[tuple[int, int]] = []
        groups: list[tuple[int, int, int]] = []
        lists: list[tuple[int, int]] = []
        stop, run = at, tags.rest if is_open else tags.run
        while True:
            begin = _past_space(data, stop)
            if not is_inside:
                end = _end_of_head(data, begin, tags)
                if not end:
                    break
                split = data.find(tags.type_start, begin, end)
                groups.append((begin, split if split >= 0 else end, end))
                stop, is_inside = end, True
            elif match := run.match(data, stop):
                spans.append(match.span())
                stop, run = match.end(), tags.run
            elif match := (tags.listed_rest if run is tags.rest else tags.listed).match(data, stop):
                spans.append(match.span())
                lists.append(match.span(1))
                stop, run = match.end(), tags.run
            elif run is tags.run and data.startswith(tags.info_end, begin):
                stop, is_inside = begin + len(tags.info_end), False
            else:
                break
        if not spans:
            return _nothing(stop, groups, is_inside=is_inside)
        marks = _Marks.of(data, tags, at, spans, is_open=is_open)
        return _scan(data, marks, lists, groups, stop, is_inside=is_inside)


def _past_space(data: bytes, at: int) -> int:
    match = _SPACES.match(data, at)
    return match.end() if match else at


def _end_of_head(data: bytes, at: int, tags: Tags) -> int:
    """Return where the first object or the end of the group stands that begins at `at`, 0 where it needs the parser."""
    if data.startswith(tags.data_end, at):
        if not data.startswith(tags.data_start, _past_space(data, at + len(tags.data_end))):
            return 0
    elif not data.startswith(tags.info_start, at):
        return 0
    end = data.find(tags.info_end, at)
    first = data.find(tags.value_start, at, end if end >= 0 else len(data))
    end = first if first >= 0 else end
    return 0 if end < 0 or data.find(b"<!", at, end) >= 0 or data.find(b"<?", at, end) >= 0 else end


class _Marks(NamedTuple):
    """Where things stand in the accepted spans: indices in the data, in order."""

    letters: NDArray[np.uint8]
    tags: NDArray[np.int64]  # every <
    quotes: NDArray[np.int64]
    closers: NDArray[np.int64]  # every >
    begins: NDArray[np.int64]  # of objects: the start tag, or where the scan began
    ends: NDArray[np.int64]  # of objects: the end tag
    names: NDArray[np.int64]  # (objects, 2): where their names begin and end, -1 for one that was open
    values: NDArray[np.int64]  # every <r
    doubts: NDArray[np.int64]  # every <suspect>true, <suspect>false
    is_true: NDArray[np.bool_]

    @staticmethod
    def of(data: bytes, tags: Tags, at: int, spans: list[tuple[int, int]], *, is_open: bool) -> _Marks:
        """Return the marks of the spans."""
        letters = np.frombuffer(data, np.uint8)
        region = letters[at : spans[-1][1]]
        lt, quotes, closers = (np.flatnonzero(region == each) + at for each in (_LT, _QUOTE, _GT))
        bounds = np.array(spans, np.int64)
        index = np.searchsorted(bounds[:, 0], lt, side="right") - 1
        lt = lt[(index >= 0) & (lt < bounds[index, 1])]
        skip = len(tags.prefix) + 1
        first, closing = letters[lt + skip], letters[lt + 1] == _SLASH
        opening = ~closing
        ends = lt[closing & _is_value(letters, lt + skip + 1)]
        starts = lt[opening & _is_value(letters, lt + skip)]
        doubts = lt[opening & (first == ord("s"))]
        at_name = np.searchsorted(quotes, starts)
        names = np.stack([quotes[at_name] + 1, quotes[at_name + 1]], 1)
        if is_open:
            starts = np.concatenate([[at], starts])
            names = np.concatenate([[[-1, -1]], names])
        true = letters[doubts + skip + len("suspect>")] == ord("t")
        values = lt[opening & (first == ord("r"))]
        return _Marks(letters, lt, quotes, closers, starts, ends, names, values, doubts, true)


def _is_value(letters: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where the name of an object's tag, and no other of the grammar, stands."""
    at = np.minimum(at, len(letters) - 5)
    is_value: NDArray[np.bool_] = (letters[at] == ord("m")) & (letters[at + 4] == ord("V"))
    return is_value


def _scan(  # noqa: PLR0913 - the parts of one scan
    data: bytes,
    marks: _Marks,
    lists: list[tuple[int, int]],
    groups: list[tuple[int, int, int]],
    stop: int,
    *,
    is_inside: bool,
) -> Scan:
    starts, ends, positions = _values(marks)
    if lists:
        starts, ends, positions = _with_lists(data, lists, starts, ends, positions)
    kinds, integers, lengths, members, known = _read(marks.letters, starts, ends)
    blocks = np.zeros((len(marks.ends), 8), np.int32)
    blocks[:, 0], blocks[:, 1], blocks[:, 2:4] = marks.begins, marks.ends, marks.names
    blocks[np.searchsorted(marks.ends, marks.doubts), 4] = marks.is_true
    blocks[np.searchsorted(marks.ends, [begin for begin, _ in lists]), 5] = 1
    blocks[:, 6] = np.searchsorted(starts, marks.ends)
    blocks[:, 7] = np.concatenate([[0], np.cumsum(lengths)])[blocks[:, 6]]
    others = np.flatnonzero(kinds == OTHER)
    texts = [(number, data[starts[number] : ends[number]].decode("ascii")) for number in others.tolist()]
    return Scan(
        stop,
        is_inside,
        kinds,
        integers,
        np.zeros(len(kinds)),
        positions.astype(np.int32),
        lengths,
        members,
        known,
        texts,
        blocks,
        _group_table(groups, marks.ends),
    )


def _nothing(stop: int, groups: list[tuple[int, int, int]], *, is_inside: bool) -> Scan:
    longs, ints, bytes_ = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8)
    table = _group_table(groups, longs)
    reals, blocks = np.zeros(0), np.zeros((0, 8), np.int32)
    return Scan(stop, is_inside, bytes_, longs, reals, ints, ints, longs, bytes_, [], blocks, table)


def _group_table(groups: list[tuple[int, int, int]], ends: NDArray[np.int64]) -> NDArray[np.int32]:
    table = np.zeros((len(groups), 4), np.int32)
    table[:, :3] = np.array(groups, np.int32).reshape(-1, 3)
    table[:, 3] = np.searchsorted(ends, table[:, 0])
    return table


def _values(marks: _Marks) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where the text of each `<r>` begins and ends, and its position."""
    at = np.searchsorted(marks.quotes, marks.values)
    opened, closed = marks.quotes[at], marks.quotes[at + 1]
    positions = np.zeros(len(at), np.int64)
    for step in range(1, int((closed - opened).max(initial=1))):
        here = opened + step
        within = here < closed
        digits = marks.letters[np.where(within, here, 0)].astype(np.int64) - _ZERO
        positions = np.where(within, positions * 10 + digits, positions)
    starts = marks.closers[np.searchsorted(marks.closers, closed)] + 1
    ends = marks.tags[np.searchsorted(marks.tags, starts)]
    return starts, np.where(marks.letters[starts - 2] == _SLASH, starts, ends), positions


def _with_lists(
    data: bytes,
    lists: list[tuple[int, int]],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    positions: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the values with the words of lists among them."""
    words = [
        (word.start(), word.end(), n) for span in lists for n, word in enumerate(_WORD.finditer(data, *span), start=1)
    ]
    added = np.array(words, np.int64).reshape(-1, 3)
    starts, ends = np.append(starts, added[:, 0]), np.append(ends, added[:, 1])
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order], np.append(positions, added[:, 2])[order]


def _read(
    letters: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]]:
    """Return kinds, integers and lengths of vectors by value, and the members of all vectors and which are known."""
    first, last = (int(starts[0]), int(ends[-1])) if len(starts) else (0, 0)
    commas = np.flatnonzero(letters[first:last] == _COMMA) + first
    owner = np.searchsorted(starts, commas, side="right") - 1
    within = commas < ends[owner] if len(starts) else np.zeros(0, np.bool_)
    commas, owner = commas[within], owner[within]
    sizes = np.bincount(owner, minlength=len(starts)) + 1
    heads = np.cumsum(sizes) - sizes
    part_starts, part_ends = np.empty((2, len(starts) + len(commas)), np.int64)
    places = np.arange(len(commas)) + owner  # of the parts that commas end
    part_starts[heads], part_starts[places + 1] = starts, commas + 1
    part_ends[places], part_ends[heads + sizes - 1] = commas, ends
    is_integer, is_blank, integers = _integers(letters, part_starts, part_ends)
    single = sizes == 1
    kinds = np.full(len(starts), OTHER, np.uint8)
    kinds[single & is_integer[heads]] = INTEGER
    kinds[single & is_blank[heads]] = BLANK
    if len(commas):
        kinds[~single & (np.add.reduceat(is_integer | is_blank, heads, dtype=np.int64) == sizes)] = VECTOR
    lengths = np.where(kinds == VECTOR, sizes, 0).astype(np.int32)
    members = np.repeat(kinds == VECTOR, sizes)
    return (
        kinds,
        np.where(kinds == INTEGER, integers[heads], 0),
        lengths,
        integers[members],
        is_integer[members].astype(np.uint8),
    )


def _integers(
    letters: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Return where integers of at most 18 digits stand, where only white space, and the integers, 0 elsewhere."""
    starts, ends = starts.copy(), ends.copy()
    while (spaced := (starts < ends) & (letters[starts] <= ord(" "))).any():
        starts += spaced
    while (spaced := (starts < ends) & (letters[ends - 1] <= ord(" "))).any():
        ends -= spaced
    is_blank = starts == ends
    sign = np.where(is_blank, 0, letters[starts])
    starts += (sign == _MINUS) | (sign == _PLUS)
    sizes = ends - starts
    fits = (sizes > 0) & (sizes <= _SURE_DIGITS)
    numbers = np.zeros(len(starts), np.int64)
    left = np.flatnonzero(fits)
    for step in range(_SURE_DIGITS):
        left = left[sizes[left] > step]
        if not len(left):
            break
        digits = letters[starts[left] + step].astype(np.int64) - _ZERO
        good = (digits >= 0) & (digits <= 9)  # noqa: PLR2004 - decimal
        fits[left[~good]] = False
        left, digits = left[good], digits[good]
        numbers[left] = numbers[left] * 10 + digits
    return fits, is_blank, np.where(fits, np.where(sign == _MINUS, -numbers, numbers), 0)
