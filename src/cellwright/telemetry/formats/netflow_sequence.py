"""Notices messages that got lost, by the sequence numbers of each stream of an exporter.

NetFlow v5 numbers flows, NetFlow v9 packets (RFC 3954 clause 5.1), IPFIX data records (RFC 7011 clause 3.1); each says
how many there were before the message, v9 how many packets with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MODULUS: Final = 1 << 32
_HALF: Final = 1 << 31
_STREAMS: Final = 65_536  # of one file; further ones are not watched


@dataclass(slots=True)
class _Stream:
    expected: int | None = None
    restarted: int | None = None  # what follows if a number that went back was a restart
    is_late: bool = False
    flags: tuple[str, ...] = ()


class Sequences:
    """The streams of all exporters."""

    def __init__(self) -> None:
        self._streams: dict[object, _Stream] = {}

    def arrive(self, key: object, number: int) -> None:
        """Note the number of a message.

        One ahead of what was expected is a gap. One behind is a late message, or a restart if the next one follows it.
        """
        stream = self._stream(key)
        if stream is None:
            return
        ahead = 0 if stream.expected is None else (number - stream.expected) % _MODULUS
        stream.is_late = ahead >= _HALF and number != stream.restarted
        if stream.is_late:
            stream.flags = ("sequence-back",)
        elif 0 < ahead < _HALF:
            stream.flags = ("sequence-gap", f"lost-before:{ahead}")

    def leave(self, key: object, number: int, units: int | None) -> None:
        """Note how many flows, packets or records the message held that arrived last; None: it is not known."""
        stream = self._streams.get(key)
        if stream is None:
            return
        following = None if units is None else (number + units) % _MODULUS
        if stream.is_late:
            stream.restarted = following
        else:
            stream.expected, stream.restarted = following, None

    def take_flags(self, key: object) -> tuple[str, ...]:
        """Return the flags of the next row of a stream: what its numbers said since the last one."""
        stream = self._streams.get(key)
        flags = stream.flags if stream else ()
        if stream:
            stream.flags = ()
        return flags

    def expected(self, key: object) -> int | None:
        """Return the number that the next message of a stream should have, None when that is not known."""
        stream = self._streams.get(key)
        return stream.expected if stream else None

    def expect(self, key: object, number: int) -> None:
        """Go on where a stream was left."""
        if (stream := self._stream(key)) is not None:
            stream.expected = number

    def _stream(self, key: object) -> _Stream | None:
        if key not in self._streams and len(self._streams) < _STREAMS:
            self._streams[key] = _Stream()
        return self._streams.get(key)
