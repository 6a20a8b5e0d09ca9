"""Server-sent events as they arrive, in pieces cut anywhere.

Format: WHATWG HTML, "Server-sent events", clause 9.2.6.
"""

from __future__ import annotations

from typing import Final

_MARK: Final = b"\xef\xbb\xbf"  # the byte order mark that a stream may begin with
_MARKED: Final = _MARK + b"data:"
EVENT_LIMIT: Final = 4 * 1024 * 1024  # bytes of one event; bounds what a peer can make us hold


class EventReader:
    """Turns pieces of bytes into the data of whole events."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()  # a line that has not ended
        self._data: list[bytes] = []  # lines of an event that has not ended
        self._held = 0
        self._after_return = False  # what comes next is of the same line end if it is a line feed

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events that `piece` completes; raise ValueError past the limit."""
        if self._after_return and piece:
            piece, self._after_return = piece.removeprefix(b"\n"), False
        if b"\r" in piece:
            self._after_return = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        start = len(self._rest)
        self._rest += piece
        events: list[bytes] = []
        if self._rest.find(b"\n", start) >= 0:
            *lines, rest = self._rest.split(b"\n")
            self._rest = rest
            for line in lines:
                self._line(bytes(line), events)
        if len(self._rest) + self._held > self._limit:
            msg = f"an event is longer than {self._limit} bytes"
            raise ValueError(msg)
        return events

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if line.startswith(b"data:"):
            data = line[5:].removeprefix(b" ")
            self._data.append(data)
            self._held += len(data)
        elif not line and self._data:
            events.append(b"\n".join(self._data))
            self._data.clear()
            self._held = 0
        elif line.startswith(_MARKED):
            self._line(line.removeprefix(_MARK), events)
