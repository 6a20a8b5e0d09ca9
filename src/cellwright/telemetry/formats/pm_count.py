"""Counts the values of a 3GPP measurement file from its bytes, well formed or not, without an XML parser."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.telemetry.formats.facts import chunks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from numpy.typing import NDArray

_MARK: Final = re.compile(
    rb"(?P<comment><!--)|(?P<cdata><!\[CDATA\[)|(?P<instruction><\?)"
    rb"|<(?:[^\s<>/!?'\"=&]*:)?(?:(?P<value>r)|(?P<results>measResults))(?=[\s/>])"
)
_UNFINISHED: Final = re.compile(rb"<[^\s<>]*\Z")
_TAG_END: Final = re.compile(rb"(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_REFERENCE: Final = re.compile(rb"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));")
_PREFIXED: Final = re.compile(rb"<[^\s<>/!?'\"=&]*:r[\s/>]")
_RESULTS: Final = b"measResults"
_ENDS_NAME: Final = np.isin(np.arange(256), list(b" \t\n\r\f\v/>"))
_CHUNK_BYTES: Final = 1 << 17
_SPACES: Final = frozenset((9, 10, 13, 32))
_CLOSING: Final = {b"<!--": b"-->", b"<?": b"?>", b"<![CDATA[": b"]]>"}
_LONGEST_OPENING: Final = len(b"<![CDATA[")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")


class _Marks:
    """Where in a piece of a file plain `<r>` begin, and where something begins that needs a closer look."""

    def __init__(self, data: bytes) -> None:
        letters = np.frombuffer(data, np.uint8)
        tags = np.flatnonzero(letters == ord("<"))
        self.last = int(tags[-1]) if len(tags) else 0  # the tags before it are complete, or broken
        tags = tags[:-1]
        after = letters[1:][tags]
        values = tags[after == ord("r")]
        self._values = values[_ENDS_NAME[letters[np.minimum(values + 2, self.last)]]]
        if ((letters[:-1] == ord(":")) & (letters[1:] == ord("r"))).any():
            more = [found.start() for found in _PREFIXED.finditer(data, 0, self.last)]
            self._values = np.sort(np.append(self._values, np.array(more, np.int64)))
        odd = tags[(after == ord("!")) | (after == ord("?"))].tolist()
        if _RESULTS in data:
            odd += [data.rfind(b"<", 0, found.start()) for found in re.finditer(_RESULTS, data)]
        self._odd: NDArray[np.int64] = np.array(sorted(odd), np.int64)

    def count(self, start: int, stop: int) -> int:
        """Return how many `<r>` begin from `start` to before `stop`."""
        first, last = np.searchsorted(self._values, (start, stop))
        return int(last - first)

    def next_odd(self, position: int) -> int:
        """Return the place of the first that needs a closer look from `position` on, or of the last tag."""
        index = int(np.searchsorted(self._odd, position))
        return min(int(self._odd[index]), self.last) if index < len(self._odd) else self.last


class ValueCounter:
    """Counts `<r>` elements and the words of `<measResults>`, fed in pieces of any size; memory is bounded by a tag.

    Comments and processing instructions hold no values; CDATA holds text, hence no elements (XML 1.0, 2.4-2.7).
    """

    def __init__(self) -> None:
        self._total = 0
        self._rest = b""
        self._marks = _Marks(b"")
        self._decoder: codecs.IncrementalDecoder | None = None
        self._started = False
        self._state: Callable[[bytes, int], int] = self._between
        self._closing = b""
        self._words: list[bytes] | None = None  # text of the open <measResults>

    def feed(self, chunk: bytes) -> None:
        """Count what one more piece of the file shows."""
        data = self._rest + self._utf8(chunk)
        self._marks = _Marks(data)
        position, state = 0, None
        while True:
            before, state = position, self._state
            position = self._state(data, position)
            if position == before and state == self._state:
                break
        self._rest = data[position:]

    def close(self) -> int:
        """Return the number of values; a list that the file breaks off in counts as far as it goes."""
        if self._words is not None:
            if self._state == self._in_results or self._closing == _CLOSING[b"<![CDATA["]:
                self._words.append(self._rest)
            self._end_results()
        return self._total

    def _utf8(self, chunk: bytes) -> bytes:
        if not self._started and chunk:
            self._started = True
            if chunk.startswith(_UTF16):
                self._decoder = codecs.getincrementaldecoder(_utf16_of(chunk))("replace")
        return self._decoder.decode(chunk).encode() if self._decoder else chunk

    def _between(self, data: bytes, position: int) -> int:
        odd = self._marks.next_odd(position)
        if odd > position:
            self._total += self._marks.count(position, odd)
            position = odd
        mark = _MARK.search(data, position)
        if mark is None:
            unfinished = _UNFINISHED.search(data, position)
            return unfinished.start() if unfinished else len(data)
        if mark["value"]:
            self._total += 1
        elif mark["results"]:
            return self._open_results(data, mark)
        else:
            self._closing, self._state = _CLOSING[mark[0]], self._in_skipped
        return mark.end()

    def _open_results(self, data: bytes, mark: re.Match[bytes]) -> int:
        end = _TAG_END.match(data, mark.end())
        if end is None:
            broken = b"<" in data[mark.end() :]
            return mark.end() if broken else mark.start()
        if data[end.end() - 2 : end.end()] != b"/>":
            self._words, self._state = [], self._in_results
        return end.end()

    def _in_skipped(self, data: bytes, position: int) -> int:
        end = data.find(self._closing, position)
        held = len(data) - len(self._closing) + 1
        stop = end if end >= 0 else max(position, held)
        if self._words is not None and self._closing == _CLOSING[b"<![CDATA["]:
            self._words.append(data[position:stop])
        if end < 0:
            return stop
        self._state = self._between if self._words is None else self._in_results
        return end + len(self._closing)

    def _in_results(self, data: bytes, position: int) -> int:
        words = self._words if self._words is not None else []
        tag = data.find(b"<", position)
        words.append(data[position:] if tag < 0 else data[position:tag])
        if tag < 0:
            return len(data)
        head = data[tag : tag + _LONGEST_OPENING]
        for opening, closing in _CLOSING.items():
            if head.startswith(opening):
                self._closing, self._state = closing, self._in_skipped
                return tag + len(opening)
            if opening.startswith(head):
                return tag  # the piece ends within what may become an opening
        self._end_results()
        return tag

    def _end_results(self) -> None:
        text = _REFERENCE.sub(_space_or_letter, b"".join(self._words or ()))
        self._total += len(text.split())
        self._words, self._state = None, self._between


def count_values(stream: BinaryIO) -> int:
    """Return how many values the rest of a stream holds."""
    counter = ValueCounter()
    for chunk in chunks(stream, _CHUNK_BYTES):
        counter.feed(chunk)
    return counter.close()


def _utf16_of(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-16-le" if head[:1] == b"<" else "utf-16-be"


def _space_or_letter(reference: re.Match[bytes]) -> bytes:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    return b" " if code in _SPACES else b"x"
