"""Finds identifiers in whole columns: what `scan` finds in each text, without looking at every character of each.

RE2 tells in one pass which texts may hold any; these are joined and matched only at the places where a match can begin.
The joint is a line feed, which no alternative crosses. A text that reads otherwise than it is written
is scanned by itself.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cellwright.privacy.hints import HINTS, SLOW, SLOW_MARKS, any_hint
from cellwright.privacy.identifiers import DOUBTFUL, Kind, names_someone, read, scan
from cellwright.privacy.patterns import FAMILIES, HINT, pattern_of
from cellwright.privacy.starts import STARTS, starts_by_family

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Known = dict[tuple[str, str], str]
    """What was written for a group of the pattern and what it matched."""
    Naming = Callable[[Sequence[tuple[Kind, str]], Sequence[str]], list[str]]
    """What to write for kinds with canonical forms, and how each was written."""

_JOINT: Final = "\n"
_NOTHING: Final = pa.scalar("", pa.large_string())
_SMALL: Final = 4096  # texts
_FEW: Final = 64  # texts that take as long, one by one, as RE2 needs to compile
_IS_DIGIT: Final = np.isin(np.arange(256), list(b"0123456789"))
_BLOCK_BYTES: Final = 1 << 20  # of texts that are joined at once: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Column:
    """Where the texts of a column name someone, in order of row and place; places count characters."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    keys: list[tuple[str, str]]  # group of the pattern and what it matched, or kind and canonical form

    def names(self) -> list[tuple[Kind, str]]:
        """Return kind and canonical form of each; costs a microsecond each that is unlike those before."""
        known: dict[tuple[str, str], tuple[Kind, str]] = {}
        return [known.get(key) or known.setdefault(key, _name(key)) for key in self.keys]


class _Block:
    """ASCII texts, each ended by the joint: as written, in lower case, and where each begins, and the end."""

    def __init__(self, texts: pa.Array) -> None:
        ended = pc.binary_join_element_wise(texts, pa.scalar(_JOINT, pa.large_string()), _NOTHING)
        offsets = np.frombuffer(ended.buffers()[1], np.int64)[ended.offset : ended.offset + len(ended) + 1]
        content = memoryview(ended.buffers()[2])[offsets[0] : offsets[-1]]
        self.texts = pc.ascii_lower(texts)
        self.content = np.frombuffer(content, np.uint8)
        self.written = str(content, "ascii")
        self.lower = self.written.lower()
        self.begins = offsets - offsets[0]

    def rows_of(self, places: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows in which these places are."""
        return np.searchsorted(self.begins, np.asarray(places, np.int64), "right") - 1

    def row_start(self, place: int) -> int:
        """Return the place itself where a row begins there, else 0."""
        return place if self.written[place - 1] == _JOINT else 0

    def within_digits(self, places: list[int]) -> NDArray[np.int64]:
        """Return the places before which there is a digit as well as behind."""
        at = np.array(places, np.int64)
        is_digit = _IS_DIGIT[self.content]
        return at[is_digit[at] & is_digit[at - 1]]


@dataclass(slots=True)
class _Matches:
    """Places in a block, and the rows that have to be scanned by themselves."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)  # group of the pattern, and what it matched
    odd: list[int] = field(default_factory=list)


def scan_column(texts: pa.Array) -> Column:
    """Return what `scan` finds in each text of a string array; nulls hold nothing.

    Cost: a quarter of a microsecond a text of 100 characters without identifiers, some 5 with.
    """
    plain = texts.cast(pa.large_string())
    rows: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    keys: list[tuple[str, str]] = []
    few = _few(plain)
    singly: list[NDArray[np.int64]] = [] if few is None else [few]
    for chunk in _suspects(plain) if few is None else ():
        block, kept, slow = _joined(plain, chunk)
        matches = _matches(block)
        at = block.rows_of(matches.starts)
        rows.append(kept[at])
        starts.append(np.asarray(matches.starts, np.int64) - block.begins[at])
        ends.append(np.asarray(matches.ends, np.int64) - block.begins[at])
        keys += matches.keys
        singly += [slow, kept[matches.odd]]
    alone = [(row, found) for row, text in _texts(plain, singly) for found in scan(text)]
    rows.append(np.array([row for row, _ in alone], np.int64))
    starts.append(np.array([found.match.start for _, found in alone], np.int64))
    ends.append(np.array([found.match.end for _, found in alone], np.int64))
    keys += [(found.match.kind, found.canonical) for _, found in alone]
    by_row, by_start = np.concatenate(rows), np.concatenate(starts)
    order = np.lexsort((by_start, by_row))
    return Column(by_row[order], by_start[order], np.concatenate(ends)[order], [keys[at] for at in order.tolist()])


def _name(key: tuple[str, str]) -> tuple[Kind, str]:
    group, written = key
    return (group, written) if isinstance(group, Kind) else read(group, written)


def replace_column(texts: pa.Array, known: Known, name: Naming, text: Callable[[str], str]) -> pa.Array:
    """Return the texts, a large string array without nulls, with every identifier replaced by what `name` says.

    Repeated until none is left, as replacing one may uncover another; `text` does all that to a single text. What was
    named is added to `known`. Returns the array itself where nothing is found.
    """
    places: list[NDArray[np.int64]] = []
    clean: list[pa.Array] = []
    current, remaining = texts, np.arange(len(texts))
    while len(remaining):
        changed: list[tuple[NDArray[np.int64], pa.Array]] = []
        few = _few(current)
        singly: list[NDArray[np.int64]] = [] if few is None else [few]
        for chunk in _suspects(current) if few is None else ():
            block, kept, slow = _joined(current, chunk)
            matches = _matches(block)
            at, replaced = _replaced(block, matches, known, name)
            changed.append((remaining[kept[at]], replaced))
            singly += [slow, kept[matches.odd]]
        alone = list(_texts(current, singly))
        clean += [*(each for _, each in changed), pa.array([text(each) for _, each in alone], pa.large_string())]
        places += [*(rows for rows, _ in changed), remaining[[row for row, _ in alone]]]
        remaining = np.concatenate([rows for rows, _ in changed]) if changed else remaining[:0]
        current = pa.concat_arrays([each for _, each in changed]) if changed else current
    return _put(texts, places, clean)


def _put(texts: pa.Array, places: list[NDArray[np.int64]], clean: list[pa.Array]) -> pa.Array:
    """Return the texts with those at `places` replaced, the last of a place's standing."""
    at = np.concatenate([*places, np.empty(0, np.int64)])
    if not len(at):
        return texts
    source = np.arange(len(texts))
    source[at] = len(texts) + np.arange(len(at))
    return pa.concat_arrays([texts, *clean]).take(pa.array(source))


def _few(texts: pa.Array) -> NDArray[np.int64] | None:
    """Return the rows that may hold identifiers where these are so few that preparing to join them costs more."""
    if len(texts) > _SMALL:
        return None
    lower = pc.ascii_lower(texts)
    rows = _hits(lower, HINT)
    if len(rows) > _FEW:
        rows = rows[_hits(lower.take(pa.array(rows)), any_hint())]
    return rows if len(rows) <= _FEW else None


def _suspects(texts: pa.Array) -> Iterator[NDArray[np.int64]]:
    """Yield rows that may hold identifiers, in pieces whose texts have about `_BLOCK_BYTES`, one row at least."""
    rows = _hits(pc.ascii_lower(texts), any_hint())
    if len(rows):
        sizes = pc.binary_length(texts.take(pa.array(rows))).to_numpy(zero_copy_only=False).cumsum(dtype=np.int64)
        yield from np.split(rows, np.flatnonzero(np.diff(sizes // _BLOCK_BYTES)) + 1)


def _hits(lower: pa.Array, pattern: str) -> NDArray[np.int64]:
    hit = pc.fill_null(pc.match_substring_regex(lower, pattern), fill_value=False)
    return np.flatnonzero(hit.to_numpy(zero_copy_only=False))


def _joined(texts: pa.Array, rows: NDArray[np.int64]) -> tuple[_Block, NDArray[np.int64], NDArray[np.int64]]:
    """Return the texts of these rows as a block, which rows it holds, and which have to be scanned by themselves."""
    chosen = texts.take(pa.array(rows))
    written = bytes(chosen.buffers()[2] or b"")
    slow = rows[:0] if written.isascii() and not any(map(written.count, SLOW_MARKS)) else _slow(chosen)
    if not len(slow):
        return _Block(chosen), rows, rows[:0]
    kept = np.delete(np.arange(len(rows)), slow)
    return _Block(chosen.take(pa.array(kept))), rows[kept], rows[slow]


def _slow(texts: pa.Array) -> NDArray[np.int64]:
    return _hits(pc.ascii_lower(texts), SLOW)


def _texts(texts: pa.Array, rows: list[NDArray[np.int64]]) -> Iterator[tuple[int, str]]:
    chosen = np.concatenate([*rows, np.empty(0, np.int64)])
    yield from zip(chosen.tolist(), texts.take(pa.array(chosen)).to_pylist(), strict=True)


def _matches(block: _Block) -> _Matches:
    """Return where the alternatives match in the rows of a block."""
    lower = block.lower
    places, shown = _places(block)
    matchers = {flags: _pattern(flags).match for flags in np.unique(shown).tolist()}
    found = _Matches()
    add_start, add_end, add_key = found.starts.append, found.ends.append, found.keys.append
    reached, wholes = 0, []
    for place, flags in zip(places.tolist(), shown.tolist(), strict=True):
        if place < reached or (one := matchers[flags](lower, place)) is None:
            continue
        reached = one.end()
        wholes.append(reached)
        group, index = one.lastgroup or "", one.lastindex or 0
        if group in DOUBTFUL and not names_someone(group, lower, *one.span(index), block.row_start(one.start(index))):
            continue
        start, end = one.span(index)
        add_start(start)
        add_end(end)
        add_key((group, lower[start:end]))
    odd = block.within_digits(wholes)
    return _without(found, block, odd) if len(odd) else found


def _without(found: _Matches, block: _Block, odd: NDArray[np.int64]) -> _Matches:
    """Return the matches outside the rows of `odd` places: there one ended within a run, in which more may begin."""
    rows = np.unique(block.rows_of(odd))
    kept = np.flatnonzero(~np.isin(block.rows_of(found.starts), rows)).tolist()
    starts, ends = [found.starts[at] for at in kept], [found.ends[at] for at in kept]
    return _Matches(starts, ends, [found.keys[at] for at in kept], rows.tolist())


def _places(block: _Block) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where a match may begin, in order, and as bits the families that its row has to be matched with."""
    shown = np.zeros(len(block.begins), np.int64)
    places = list(starts_by_family(block.content).values())
    for bit, found in enumerate(places):
        shown[block.rows_of(found)] |= 1 << bit
    for bit, hint in enumerate(HINTS, len(places)):
        rows = _hits(block.texts, hint.text) if hint.may_hold(block.lower, block.content) else places[0][:0]
        shown[rows] |= 1 << bit
        spans = zip(block.begins[rows].tolist(), block.begins[rows + 1].tolist(), strict=True)
        starts = [one.start() for begin, end in spans for one in hint.place.finditer(block.lower, begin, end)]
        places.append(np.array(starts, np.int64))
    at = np.sort(np.concatenate(places), kind="stable")  # each part is sorted; the same place twice does no harm
    return at, shown[block.rows_of(at)]


@functools.cache
def _pattern(flags: int) -> re.Pattern[str]:
    families = [(family,) for family in STARTS] + [hint.families for hint in HINTS]
    held = {family for bit, group in enumerate(families) if flags >> bit & 1 for family in group}
    return pattern_of(*(family in held for family in FAMILIES))


def _replaced(block: _Block, matches: _Matches, known: Known, name: Naming) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the rows of a block that held identifiers, and these texts without them."""
    fresh = [key for key in dict.fromkeys(matches.keys) if key not in known]
    known.update(zip(fresh, name([read(*key) for key in fresh], [written for _, written in fresh]), strict=True))
    names = [known[key] for key in matches.keys]
    written, ends = block.written, [0, *matches.ends]
    pieces = [""] * (2 * len(names) + 1)
    pieces[::2] = [written[begin:end] for begin, end in zip(ends, [*matches.starts, len(written)], strict=True)]
    pieces[1::2] = names
    rows = block.rows_of(matches.starts)
    lengths = np.diff(block.begins)
    grown = np.fromiter(map(len, names), np.int64, len(names)) + matches.starts - ends[1:]
    np.add.at(lengths, rows, grown)
    offsets = pa.py_buffer(np.concatenate([[0], lengths.cumsum()]))
    whole = pa.LargeStringArray.from_buffers(len(lengths), offsets, pa.py_buffer("".join(pieces).encode()))
    changed = np.unique(rows)
    return changed, pc.utf8_slice_codeunits(whole.take(pa.array(changed)), 0, -1)
