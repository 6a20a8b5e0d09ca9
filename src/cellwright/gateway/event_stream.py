"""Amazon's binary event streams as they arrive, in pieces cut anywhere; every checksum is verified.

Format: Amazon event stream encoding (application/vnd.amazon.eventstream): lengths, a checksum of them, headers,
payload, a checksum of all; numbers are big-endian, checksums CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MESSAGE_LIMIT: Final = 24 * 1024 * 1024  # bytes of one message; bounds what a peer can make us hold
_PRELUDE: Final = struct.Struct(">III")  # length of the message, of its headers, checksum of the two
_CHECKSUM: Final = struct.Struct(">I")
_TEXT: Final = 7
_BYTES: Final = 6
_WIDTHS: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # bytes of the other types of headers


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its headers that are texts, and what it carries."""

    headers: Mapping[str, str]
    payload: bytes


class MessageReader:
    """Turns pieces of bytes into whole messages."""

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()

    @property
    def amid(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._held)

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Yield the messages that `piece` completes; raises ValueError for what is none."""
        self._held += piece
        while len(self._held) >= _PRELUDE.size:
            length, headers, checksum = _PRELUDE.unpack_from(self._held)
            _check("lengths", holds=zlib.crc32(self._held[: _PRELUDE.size - _CHECKSUM.size]) == checksum)
            least = _PRELUDE.size + headers + _CHECKSUM.size
            _check("length", holds=least <= length <= self._limit)
            if len(self._held) < length:
                return
            message = bytes(self._held[:length])
            del self._held[:length]
            (checksum,) = _CHECKSUM.unpack_from(message, length - _CHECKSUM.size)
            _check("checksum", holds=zlib.crc32(message[: -_CHECKSUM.size]) == checksum)
            begin = _PRELUDE.size + headers
            yield Message(dict(_headers(message[_PRELUDE.size : begin])), message[begin : -_CHECKSUM.size])


def _headers(block: bytes) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of headers; those of other types are passed over."""
    place = 0
    try:
        while place < len(block):
            end = place + 1 + block[place]
            name, kind = block[place + 1 : end].decode(), block[end]
            place = end + 1
            if kind in (_TEXT, _BYTES):
                (size,) = struct.unpack_from(">H", block, place)
                place += 2 + size
                _check("header", holds=place <= len(block))
                if kind == _TEXT:
                    yield name, block[place - size : place].decode()
            else:
                place += _WIDTHS[kind]
    except (IndexError, KeyError, struct.error) as error:
        msg = "a message does not read: its headers"
        raise ValueError(msg) from error


def _check(what: str, *, holds: bool) -> None:
    """Raise ValueError unless it holds."""
    if not holds:
        msg = f"a message does not read: its {what}"
        raise ValueError(msg)
