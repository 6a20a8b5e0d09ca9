"""Many lines at once as bytes in arrays: where they are cut, words at any place, and which of them fit a pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Words = NDArray[np.uint64]

BLOCK_BYTES: Final = 4 << 20
MARGIN: Final = bytes(64)
_BLANKS_BEHIND: Final = 8  # zeros of the margin that are blanks of no line, for those that have too few
_ASCII: Final = 0x80
_SPACE: Final = ord(" ")
_NEWLINE: Final = ord("\n")
_RETURN: Final = ord("\r")


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the stream in blocks of whole lines, each of about four mebibytes, or as long as its longest line.

    Behind each block stands a margin of zeros, so that a word may be read at any place of it.
    """
    held: list[bytes] = []
    size = 0
    while chunk := stream.read(BLOCK_BYTES):
        size += len(chunk)
        cut = chunk.rfind(b"\n") + 1 if size >= BLOCK_BYTES else 0
        if cut:
            yield b"".join((*held, memoryview(chunk)[:cut], MARGIN))
            held, size = [], len(chunk) - cut
        held.append(chunk[cut:])
    if size:
        yield b"".join((*held, MARGIN))


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block: where each starts and ends without its line end, and its first blank or control byte."""

    data: bytes  # the block and its margin
    size: int  # of the block
    octets: NDArray[np.uint8]  # of both
    starts: Places
    ends: Places
    blanks: Places  # places of all bytes up to the space, some in the margin
    first_blank: Places  # of each line, as an index into `blanks`
    is_ascii: bool

    def words(self, places: Places) -> Words:
        """Return the eight bytes from each place on; the first is the lowest."""
        size = len(self.octets) - 7
        every = np.ndarray((size,), np.dtype("<u8"), buffer=self.octets, strides=(1,))
        return every[places]

    def foreign(self) -> Flags:
        """Return which lines hold a byte that is not ASCII."""
        flags = np.zeros(len(self.starts), bool)
        if not self.is_ascii:
            places = np.flatnonzero(self.octets >= _ASCII)
            flags[np.searchsorted(self.starts, places, "right") - 1] = True
        return flags


def lines_of(block: bytes) -> Lines:
    """Return the lines of a block; bytes between the last newline and the margin are a line too."""
    octets = np.frombuffer(block, np.uint8)
    size = len(block) - len(MARGIN)
    blanks = np.flatnonzero(octets[: size + _BLANKS_BEHIND] <= _SPACE)
    breaks = np.flatnonzero(octets[blanks] == _NEWLINE)
    ends = blanks[breaks]
    if not block.endswith(b"\n" + MARGIN):
        ends = np.append(ends, size)
    starts = np.concatenate(([0], ends[:-1] + 1))
    first_blank = np.concatenate(([0], breaks + 1))[: len(starts)]
    return Lines(
        block, size, octets, starts, _without_returns(octets, starts, ends), blanks, first_blank, block.isascii()
    )


def _without_returns(octets: NDArray[np.uint8], starts: Places, ends: Places) -> Places:
    """Return the ends without the carriage returns before them, however many."""
    ends = ends.copy()
    left = np.flatnonzero((octets[ends - 1] == _RETURN) & (ends > starts))
    while len(left):
        ends[left] -= 1
        left = left[(octets[ends[left] - 1] == _RETURN) & (ends[left] > starts[left])]
    return ends


class _Pattern(NamedTuple):
    """A word to compare with: bytes that stand for themselves, and bytes that are decimal digits."""

    fixed: np.uint64
    fixed_mask: np.uint64
    digits: np.uint64


def pattern_of(text: str) -> _Pattern:
    """Return the pattern of eight characters, where d is a digit and ? any byte."""
    fixed = mask = digits = 0
    for place, mark in enumerate(text):
        if mark == "d":
            digits |= 0xFF << 8 * place
        elif mark != "?":
            fixed |= ord(mark) << 8 * place
            mask |= 0xFF << 8 * place
    return _Pattern(np.uint64(fixed), np.uint64(mask), np.uint64(digits))


def fits(words: Words, pattern: _Pattern) -> Flags:
    """Return which words fit a pattern."""
    high, zero, six = (np.uint64(byte * 0x0101010101010101) & pattern.digits for byte in (0xF0, 0x30, 0x06))
    inside = words & pattern.digits
    is_fixed: Flags = (words & pattern.fixed_mask) == pattern.fixed
    is_numeric: Flags = ((inside & high) == zero) & ((inside + six) & high == zero)
    return is_fixed & is_numeric


def digit(words: Words, place: int) -> Places:
    """Return the decimal digit at a place of each word."""
    return ((words >> np.uint64(8 * place)) & np.uint64(0x0F)).astype(np.int64)


def two_digits(words: Words, place: int) -> Places:
    """Return the number that two digits say."""
    return digit(words, place) * 10 + digit(words, place + 1)


def next_of(octets: NDArray[np.uint8], marked: Flags, places: Places) -> Places:
    """Return the next marked place from each place on, the last byte of the margin where none follows."""
    marks = np.append(np.flatnonzero(marked), len(octets) - 2)
    return marks[np.searchsorted(marks, places)]
