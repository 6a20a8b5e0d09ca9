"""VES events in JSON (ONAP VES Event Listener 5.x, 6.x and 7.x): single, batch, lines or arrays of either."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.telemetry.formats.ves_check import Checked, Flaw, check_event
from cellwright.telemetry.formats.ves_count import count_documents, count_event
from cellwright.telemetry.formats.ves_documents import (
    BrokenError,
    LineCount,
    find_events,
    read_event,
    split_pieces,
)
from cellwright.telemetry.formats.ves_gather import Gathered
from cellwright.telemetry.formats.ves_plain import CHUNK_EVENTS, plain_document, plain_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.ves_documents import Found, Piece
    from cellwright.telemetry.formats.ves_plain import PlainDocument

_HEAD: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*[\[{].*"(?:commonEventHeader|event|eventList)"\s*:', re.DOTALL)

_RUN_BYTES: Final = 4 << 20


class Ves:
    """A fact is an event, and of measurement events each measured number.

    Faults, threshold crossings and 3GPP fault notifications become alarms, syslog becomes logs, measurements become
    counters. Events of other domains are valid and left out, by name.
    """

    name = "ves"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head is JSON that speaks of events."""
        return _HEAD.match(head) is not None

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of facts, counted from braces, keys and numbers."""
        return sum(count_documents(piece.raw) for piece in split_pieces(stream))

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; an invalid event is quarantined alone, damaged JSON from the damage to the next document."""
        gathered = Gathered()
        for run in _runs(split_pieces(stream)):
            for batches in _read_run(gathered, run):
                yield from batches
                if gathered.facts.full():
                    yield from gathered.take()
        yield from gathered.take()


class _Run(NamedTuple):
    """Pieces that are read together: plain documents of one event each, one with a list, or one of any kind."""

    pieces: list[Piece]
    documents: list[PlainDocument]


def _runs(pieces: Iterator[Piece]) -> Iterator[_Run]:
    run, size = _Run([], []), 0
    for piece in pieces:
        document = plain_document(piece.raw)
        is_one = document is not None and not document.is_list
        if run.pieces and (not is_one or len(run.pieces) >= CHUNK_EVENTS or size > _RUN_BYTES):
            yield run
            run, size = _Run([], []), 0
        run.pieces.append(piece)
        size += len(piece.raw)
        if document is not None:
            run.documents.append(document)
        if not is_one:
            yield run
            run, size = _Run([], []), 0
    if run.pieces:
        yield run


def _read_run(gathered: Gathered, run: _Run) -> Iterator[Iterator[Batch]]:
    """Yield the batches of one piece after the other."""
    if not run.documents:
        yield _read_text(gathered, run.pieces[0])
    elif run.documents[0].is_list:
        yield _read_list(gathered, run.pieces[0], run.documents[0])
    else:
        for piece, document, event in zip(run.pieces, run.documents, plain_events(run.documents), strict=True):
            is_added = event is not None and gathered.add_plain(event, document.events[0])
            yield iter(()) if is_added else _read_text(gathered, piece)


def _read_list(gathered: Gathered, piece: Piece, document: PlainDocument) -> Iterator[Batch]:
    """Add the events of a plain list: those that are plain too by the column, others as `_read_text` does."""
    first = gathered.facts.ordinal
    lines = LineCount(piece.raw, piece.line)
    places = document.places(piece.raw)
    for index, (event, member) in enumerate(zip(plain_events([document]), document.events, strict=True)):
        if event is None or not gathered.add_plain(event, member):
            raw = bytes(member)
            found = read_event(raw.decode(), f"{document.path}[{index}]")
            if found is None:
                yield from _read_text(gathered, piece, first=first, skipped=index)
                return
            _read_event(gathered, found, raw, lines.at(places.of(index)))
        if gathered.facts.full():
            yield from gathered.take()


def _read_text(gathered: Gathered, piece: Piece, *, first: int | None = None, skipped: int = 0) -> Iterator[Batch]:
    """Add the events of a piece, whatever it is; of the first `skipped` the facts are there, from `first` on."""
    text = piece.raw.decode("utf-8", "surrogateescape")
    facts, lines = gathered.facts, LineCount(text, piece.line)
    first, settled = facts.ordinal if first is None else first, 0
    try:
        for index, found in enumerate(find_events(text)):
            if index >= skipped:
                _read_event(gathered, found, _bytes(text[found.start : found.end]), lines.at(found.start))
            settled = found.end
            if facts.full():
                yield from gathered.take()
    except BrokenError as broken:
        left = count_documents(piece.raw) - (facts.ordinal - first)
        line = lines.at(broken.position)
        facts.quarantine("malformed-json", broken.reason, _bytes(text[settled:]), facts=left, line=line)


def _read_event(gathered: Gathered, found: Found, raw: bytes, line: int) -> None:
    flawed = Flaw("invalid-event", f"{found.path}: {found.flaw}") if found.flaw else None
    checked = flawed or check_event(found.value, found.path)
    if isinstance(checked, Checked):
        gathered.add_checked(checked)
    else:
        facts = 1 if found.path == "$" else count_event(raw)
        gathered.facts.quarantine(checked.code, checked.reason, raw, facts=facts, line=line)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
