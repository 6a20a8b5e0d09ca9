"""Drives the elements of a measurement file with expat, which is the authority on what is well-formed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from xml.parsers import expat

from cellwright.telemetry.formats.pm_elements import ROOTS, Elements, ElementText

if TYPE_CHECKING:
    from typing_extensions import Buffer

# In these the bytes of ASCII are ASCII; other encodings are left to expat alone.
_ASCII_WITHIN: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1"})


class Break(NamedTuple):
    """Where and why reading ended before the file did."""

    code: str
    reason: str
    line: int


class _RefusedError(Exception):
    """The file is XML of another kind, or uses what is never read; carries the code and the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ElementParser:
    """Feeds a file, or parts of it in their order, to expat. Places are indices in the file."""

    def __init__(self) -> None:
        self.elements = Elements()
        self.path: list[str] = []  # the elements that are open, with their prefixes
        self.event = -1  # place of the tag that was seen last
        self.settled = 0  # place up to which every value became a fact
        self.is_simple = True  # no document type, and an encoding whose ASCII is ASCII
        self.skipped_lines = 0  # in the parts that expat is not given
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.SkippedEntityHandler = self._refuse_entity
        self._parser.XmlDeclHandler = self._declare
        self._parser.StartDoctypeDeclHandler = self._declare_type
        self._open: ElementText | None = None  # the element whose text is being read
        self._fed = 0  # bytes that expat was given
        self._offset = 0  # of a place from expat's index
        self._started = False

    def feed(self, data: Buffer, place: int) -> Break | None:
        """Read the bytes that stand at `place`."""
        self._offset = place - self._fed
        self._fed += memoryview(data).nbytes
        return self._parse(data, is_last=False)

    def close(self) -> Break | None:
        """Read the end of the file."""
        return self._parse(b"", is_last=True)

    def _parse(self, data: Buffer, *, is_last: bool) -> Break | None:
        try:
            self._parser.Parse(data, is_last)
        except expat.ExpatError as error:
            reason = f"not well-formed XML: {expat.ErrorString(error.code)}"
            return Break("malformed-xml", reason, error.lineno + self.skipped_lines)
        except _RefusedError as error:
            return Break(error.code, error.reason, self._line())
        except (ValueError, LookupError):  # an encoding that Python does not know, or that is not of single bytes
            return Break("unknown-encoding", "the declared encoding cannot be read", 1)
        return None

    def _line(self) -> int:
        return self._parser.CurrentLineNumber + self.skipped_lines

    def _declare(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ASCII_WITHIN:
            self.is_simple = False

    def _declare_type(self, *_: object) -> None:
        self.is_simple = False  # it may give elements attributes that do not stand in them

    def _refuse_entity(self, *_: object) -> None:
        raise _RefusedError("entity-refused", "entities of its own or from outside are never expanded")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._started and name not in ROOTS:
            raise _RefusedError("not-a-measurement-file", "expected the root element " + " or ".join(ROOTS))
        self._started = True
        self.path.append(tag)
        self.event = self._parser.CurrentByteIndex + self._offset
        self._close_text(whole=False)
        if name in Elements.TEXTS:
            self._open = ElementText(name, attributes, [], self._line())
        elif name in Elements.STARTS:
            Elements.STARTS[name](self.elements, attributes)

    def _end(self, tag: str) -> None:
        self.path.pop()
        self.event = self._parser.CurrentByteIndex + self._offset
        self._close_text(whole=True)
        if tag.rpartition(":")[2] == "measValue":
            self.elements.end_object()
            self.settled = self.event

    def _text(self, text: str) -> None:
        if self._open is not None:
            self._open.parts.append(text)

    def _close_text(self, *, whole: bool) -> None:
        if self._open is not None:
            closed, self._open = self._open, None
            Elements.TEXTS[closed.name](self.elements, closed if whole else closed.interrupted())
