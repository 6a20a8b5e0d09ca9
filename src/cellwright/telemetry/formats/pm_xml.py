"""3GPP performance measurement files (TS 32.435 measCollecFile, TS 28.532 measDataFile), read as they stream past."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.parsers import expat

from cellwright.telemetry.formats.facts import RAW_LIMIT_BYTES, chunks
from cellwright.telemetry.formats.pm_count import ValueCounter
from cellwright.telemetry.formats.pm_elements import ROOTS, Elements, ElementText

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

_ROOT: Final = re.compile(rb"<(?:[^\s<>:/]+:)?(?:" + "|".join(ROOTS).encode() + rb")[\s/>]")


class PmXml:
    """A fact is one value: an `<r>` element or one word of a `<measResults>` list.

    Rows carry what stands around the value: element, object, period and whether the element called it suspect.
    """

    name = "pm-xml"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head mentions a root of the two schemas, in UTF-8 or UTF-16."""
        return _ROOT.search(head.replace(b"\0", b"")) is not None

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of values, counted from the bytes."""
        counter = ValueCounter()
        for chunk in chunks(stream):
            counter.feed(chunk)
        return counter.close()

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield the rows of every complete object; from a break in the XML on, the rest is one quarantined piece."""
        return _Reading().batches(stream)


class _RefusedError(Exception):
    """The file is XML of another kind, or uses what is never read; carries the code and the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Break(NamedTuple):
    """Where and why reading ended before the file did."""

    code: str
    reason: str
    line: int


class _Reading:
    """One pass over one file: expat drives the elements; the bytes since the last complete object are held back."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.SkippedEntityHandler = self._refuse_entity
        self._elements = Elements()
        self._open: ElementText | None = None  # the element whose text is being read
        self._counter = ValueCounter()
        self._started = False
        self._held = bytearray()
        self._held_from = 0  # index in the file of the first byte held
        self._settled = 0  # index in the file up to which every value became a fact

    def batches(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; the counter follows in step, so that after a break it knows what is left."""
        pieces = chunks(stream)
        broken = None
        for chunk in pieces:
            self._hold(chunk)
            broken = self._advance(chunk)
            if broken is not None:
                break
            self._release()
            if self._elements.facts.full():
                yield from self._elements.facts.take()
        broken = broken or self._advance(None)
        for chunk in pieces:
            self._hold(chunk)
        if broken is not None:
            self._set_rest_aside(broken)
        yield from self._elements.facts.take()

    def _advance(self, chunk: bytes | None) -> _Break | None:
        try:
            self._parser.Parse(chunk or b"", chunk is None)
        except expat.ExpatError as error:
            return _Break("malformed-xml", f"not well-formed XML: {expat.ErrorString(error.code)}", error.lineno)
        except _RefusedError as error:
            return _Break(error.code, error.reason, self._parser.CurrentLineNumber)
        except ValueError:  # an encoding that expat asks Python for and that is not of single bytes
            return _Break("unknown-encoding", "the declared encoding cannot be read", 1)
        return None

    def _hold(self, chunk: bytes) -> None:
        self._counter.feed(chunk)
        if len(self._held) < RAW_LIMIT_BYTES:
            self._held += chunk

    def _release(self) -> None:
        surplus = min(self._settled - self._held_from, len(self._held))
        del self._held[:surplus]
        self._held_from += surplus

    def _set_rest_aside(self, broken: _Break) -> None:
        self._release()
        facts = self._elements.facts
        left = self._counter.close() - facts.ordinal
        facts.quarantine(broken.code, broken.reason, bytes(self._held), facts=left, line=broken.line)

    def _refuse_entity(self, *_: object) -> None:
        raise _RefusedError("entity-refused", "entities of its own or from outside are never expanded")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._started and name not in ROOTS:
            raise _RefusedError("not-a-measurement-file", "expected the root element " + " or ".join(ROOTS))
        self._started = True
        self._close_text(whole=False)
        if name in Elements.TEXTS:
            self._open = ElementText(name, attributes, [], self._parser.CurrentLineNumber)
        elif name in Elements.STARTS:
            Elements.STARTS[name](self._elements, attributes)

    def _end(self, tag: str) -> None:
        self._close_text(whole=True)
        if tag.rpartition(":")[2] == "measValue":
            self._elements.end_object()
            self._settled = self._parser.CurrentByteIndex

    def _text(self, text: str) -> None:
        if self._open is not None:
            self._open.parts.append(text)

    def _close_text(self, *, whole: bool) -> None:
        if self._open is not None:
            closed, self._open = self._open, None
            Elements.TEXTS[closed.name](self._elements, closed if whole else closed.interrupted())
