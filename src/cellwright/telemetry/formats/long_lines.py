"""Reads the lines of a stream in bounded memory, and counts them without splitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LONGEST_LINE: Final = 16 << 20
"""A longer line is cut and marked: no format here has any, and a hostile file must not fill the memory."""
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end."""

    number: int  # 1-based
    raw: bytes
    is_cut: bool


def bounded_lines(stream: BinaryIO, longest: int = LONGEST_LINE) -> Iterator[Line]:
    """Yield every line of a stream; a byte order mark is no part of the first."""
    number = 0
    while raw := stream.readline(longest):
        number += 1
        ends = raw.endswith(b"\n")
        is_cut = False
        while not ends and (rest := stream.readline(longest)):
            is_cut = True
            ends = rest.endswith(b"\n")
        if number == 1:
            raw = raw.removeprefix(_BOM)
        yield Line(number, raw.rstrip(b"\r\n"), is_cut)
