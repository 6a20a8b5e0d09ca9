"""Reads the numbers of rows from the footer of a Parquet file (Parquet file format; Thrift compact protocol)."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAGIC: Final = b"PAR1"
ENCRYPTED: Final = b"PARE"
"""The magic of files whose footer is encrypted (Parquet modular encryption)."""
_TAIL: Final = 8  # length of the footer, magic
_LONGEST_FOOTER: Final = 256 << 20
_MOST_ROWS_PER_BYTE: Final = 1 << 16  # a column of one value takes a few bytes for a million rows
# Fields of FileMetaData and of RowGroup.
_NUM_ROWS: Final = 3
_ROW_GROUPS: Final = 4
_GROUP_ROWS: Final = 3
_GROUP_OFFSET: Final = 5
_GROUP_SIZE: Final = 6
_DEEPEST: Final = 32
# Types of the Thrift compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_INTEGERS: Final = frozenset((_I16, _I32, _I64))
_FIXED_BYTES: Final = MappingProxyType({_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8})


class _MalformedError(Exception):
    """The bytes are no struct of the Thrift compact protocol."""


class Group(NamedTuple):
    """What the footer says of a row group."""

    rows: int
    offset: int  # of its first byte in the file
    size: int  # bytes, compressed


def footer_rows(stream: BinaryIO) -> int | None:
    """Return the number of rows that the footer says, None where it cannot be read or says what cannot be."""
    size = stream.seek(0, os.SEEK_END)
    try:
        rows = _Compact(_footer(stream, size)).integers({_NUM_ROWS}).get(_NUM_ROWS)
    except (_MalformedError, IndexError):
        return None
    return rows if rows is not None and 0 <= rows <= size * _MOST_ROWS_PER_BYTE else None


def footer_groups(stream: BinaryIO) -> tuple[Group, ...] | None:
    """Return the row groups that the footer says, None where it cannot be read. Time: linear in the footer."""
    size = stream.seek(0, os.SEEK_END)
    try:
        found = _Compact(_footer(stream, size)).structs(_ROW_GROUPS, {_GROUP_ROWS, _GROUP_OFFSET, _GROUP_SIZE})
    except (_MalformedError, IndexError):
        return None
    return tuple(
        Group(max(0, each.get(_GROUP_ROWS, 0)), each.get(_GROUP_OFFSET, 0), each.get(_GROUP_SIZE, 0)) for each in found
    )


def _footer(stream: BinaryIO, size: int) -> bytes:
    tail = _read(stream, size - _TAIL, _TAIL) if size >= len(MAGIC) + _TAIL else b""
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or not 0 < length <= min(size - _TAIL - len(MAGIC), _LONGEST_FOOTER):
        raise _MalformedError
    return _read(stream, size - _TAIL - length, length)


def is_encrypted(stream: BinaryIO) -> bool:
    """Return whether the footer of a file is encrypted."""
    size = stream.seek(0, os.SEEK_END)
    return size >= len(ENCRYPTED) and _read(stream, size - len(ENCRYPTED), len(ENCRYPTED)) == ENCRYPTED


def _read(stream: BinaryIO, start: int, length: int) -> bytes:
    stream.seek(start)
    data = bytearray()
    while len(data) < length and (chunk := stream.read(length - len(data))):
        data += chunk
    return bytes(data)


class _Compact:
    """A struct in the Thrift compact protocol, read as far as a field."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integers(self, wanted: set[int], *, is_last: bool = True) -> dict[int, int]:
        """Return integer fields of the struct here; `is_last`: nothing behind the last of them matters."""
        found: dict[int, int] = {}
        for field, kind in self._fields():
            if field in wanted and kind in _INTEGERS:
                found[field] = self._zigzag()
                if is_last and len(found) == len(wanted):
                    break
            else:
                self._skip(kind, 0)
        return found

    def structs(self, wanted: int, integers: set[int]) -> list[dict[int, int]]:
        """Return integer fields of every struct in a list that is a field of the struct here."""
        for field, kind in self._fields():
            if field == wanted and kind == _LIST:
                element, count = self._list_header()
                if element != _STRUCT:
                    raise _MalformedError
                return [self.integers(integers, is_last=False) for _ in range(count)]
            self._skip(kind, 0)
        return []

    def _fields(self) -> Iterator[tuple[int, int]]:
        """Yield (number, type) of every field of the struct here; what reads one moves behind it."""
        field = 0
        while header := self._byte():
            field = field + (header >> 4) if header >> 4 else self._zigzag()
            yield field, header & 0x0F

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 - the bit that says whether more follows
                return value
            if shift >= 70:  # noqa: PLR2004 - 64 bits take ten bytes
                raise _MalformedError

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _MalformedError
        if kind in _INTEGERS:
            self._varint()
        elif kind in _FIXED_BYTES:
            self._at += _FIXED_BYTES[kind]
        elif kind == _BINARY:
            length = self._varint()
            self._at += length
        elif kind in {_LIST, _SET}:
            self._skip_list(depth)
        elif kind == _MAP:
            self._skip_map(depth)
        elif kind == _STRUCT:
            for _, inner in self._fields():
                self._skip(inner, depth + 1)
        else:
            raise _MalformedError

    def _skip_list(self, depth: int) -> None:
        kind, count = self._list_header()
        self._skip_many(kind, count, depth)

    def _list_header(self) -> tuple[int, int]:
        header = self._byte()
        count = header >> 4
        return header & 0x0F, self._bounded(self._varint() if count == 0x0F else count)  # noqa: PLR2004 - 15: long

    def _skip_map(self, depth: int) -> None:
        count = self._varint()
        kinds = self._byte() if count else 0
        for _ in range(self._bounded(count)):
            self._skip_many(kinds >> 4, 1, depth)
            self._skip_many(kinds & 0x0F, 1, depth)

    def _skip_many(self, kind: int, count: int, depth: int) -> None:
        for _ in range(self._bounded(count)):
            if kind in {_TRUE, _FALSE}:
                self._at += 1  # in lists a truth takes a byte
            else:
                self._skip(kind, depth + 1)

    def _bounded(self, count: int) -> int:
        """Return a number of elements that the bytes left can hold."""
        if count > len(self._data) - self._at:
            raise _MalformedError
        return count
