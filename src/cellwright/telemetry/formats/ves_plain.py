"""Reads plain documents and events from bytes without a value for each member; says of which it is sure."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Raw

from cellwright.telemetry.formats import ves_model as model
from cellwright.telemetry.formats.ves_check import OWN_BLOCKS, has_wrong_address
from cellwright.telemetry.formats.ves_editions import EDITIONS, SEVEN
from cellwright.telemetry.formats.ves_model import PlainEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cellwright.telemetry.formats.ves_editions import Edition

_SEPARATORS: Final = re.compile(rb"[ \t\r\n,]*")
_BETWEEN: Final = b" \t\r\n,[]"
_SPACE: Final = b" \t\r\n"
_SOLE_EVENT: Final = re.compile(rb'\{[ \t]*"event"[ \t]*:')
_SOLE_LIST: Final = re.compile(rb'\{[ \t\r\n]*"eventList"[ \t\r\n]*:[ \t\r\n]*')
_ENDS: Final = (b"}}\n", b"}}")
_TAIL: Final = 16
CHUNK_EVENTS: Final = 256
_SHALLOW: Final = 64  # brackets in an event that can then not be nested too deeply
_SHORT: Final = 256  # bytes of a member beside the events that can neither be nested too deeply nor say a long integer
_LONG: Final = 1 << 14  # bytes from which on numpy counts faster
_QUOTE: Final = b'"'
_ESCAPED_QUOTE: Final = b"\\u0022"
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_ONE, _MANY = "event", "eventList"
_EVENT_PATH, _LIST_PATH = f"$.{_ONE}", f"$.{_MANY}"


_document = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.Encoder().encode


class _Reader(NamedTuple):
    """How the plain events of an edition are read."""

    edition: Edition
    decode: Callable[[bytes | Raw], PlainEvent]

    def read(self, raw: bytes | Raw) -> PlainEvent:
        """Return the event; raise one of `_UNREADABLE` when it is not plain."""
        event = self.decode(raw)
        domain = event.common_event_header.domain
        own = OWN_BLOCKS.get(domain)
        if own is not None and getattr(event, own) is None:
            raise ValueError(own)
        if own == "measurement_fields":
            msgspec.convert(event.measurement_fields, self.edition.shape)
        if event.pnf_registration_fields is not None and has_wrong_address(event.pnf_registration_fields):
            raise ValueError(domain)
        return event

    def renewed(self, event: PlainEvent) -> PlainEvent:
        """Return the event with members as VES 7 has them."""
        if self.edition is SEVEN:
            return event
        changes: dict[str, Any] = {}
        for attribute, struct in _RENEWED.items():
            record = getattr(event, attribute)
            changed = record and self.edition.renewed(struct, record)
            if changed is not record:
                changes[attribute] = changed
        return msgspec.structs.replace(event, **changes) if changes else event


_READERS: Final = tuple(
    _Reader(edition, msgspec.json.Decoder(edition.types[PlainEvent]).decode) for edition in EDITIONS
)
_RENEWED: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(
    {
        "common_event_header": model.Header,
        "fault_fields": model.Fault,
        "syslog_fields": model.Syslog,
        "threshold_crossing_alert_fields": model.ThresholdCrossingAlert,
    }
)
"""The parts of an event that rows are made of, and that an older edition may say otherwise."""


class PlainDocument(NamedTuple):
    """A document with one event or one list of events."""

    path: str  # of the event or the list
    events: Sequence[bytes | Raw]
    quotes: int = 0  # how many quotation marks an event that is in no list has
    start: int | None = None  # where the list stands in the piece, None: no list

    @property
    def is_list(self) -> bool:
        """Return whether the events are members of a list."""
        return self.start is not None

    def places(self, piece: bytes) -> EventPlaces:
        """Return where the events of the list stand in the piece."""
        return EventPlaces(piece, (self.start or 0) + 1, self.events)


class EventPlaces:
    """Where the events of a list stand in a piece; they are asked for as they follow each other."""

    def __init__(self, piece: bytes, start: int, events: Sequence[bytes | Raw]) -> None:
        self._piece = piece
        self._events = events
        self._index = 0
        self._position = self._behind_separators(start)

    def of(self, index: int) -> int:
        """Return the place of an event that is not before the last one asked for."""
        while self._index < index:
            end = self._position + len(memoryview(self._events[self._index]))
            self._position = self._behind_separators(end)
            self._index += 1
        return self._position

    def _behind_separators(self, position: int) -> int:
        match = _SEPARATORS.match(self._piece, position)
        return match.end() if match else position


def plain_document(raw: bytes) -> PlainDocument | None:
    """Return the document that a piece is, None when not sure that it is one, valid and plain."""
    try:
        if not raw.isascii():
            raw.decode()
        if document := _sole_member(raw):
            return document
        members = _document.decode(_unwrapped(raw))
    except _UNREADABLE:
        return None
    name = _ONE if _ONE in members else _MANY
    value = members.pop(name, None)
    if value is None or _MANY in members:
        return None
    quotes = _quotes(raw) - 2
    for other in map(bytes, members.values()):
        if len(other) > _SHORT:
            return None
        quotes -= 2 + other.count(_QUOTE)
    if name == _ONE:
        return PlainDocument(_EVENT_PATH, (value,), quotes)
    return _plain_list(raw, value, quotes)


def _sole_member(raw: bytes) -> PlainDocument | None:
    """Return the document when nothing else is in it: what stands between its braces is then read but once."""
    if raw.endswith(_ENDS) and (event := _SOLE_EVENT.match(raw)):
        # Whoever reads the event finds out whether it is one, and the only one.
        return PlainDocument(_EVENT_PATH, (raw[event.end() : raw.rfind(b"}")],), raw.count(_QUOTE) - 2)
    named, end = _SOLE_LIST.match(raw), raw.rfind(b"}")
    if named is None or raw[end + 1 :].strip(_SPACE):
        return None
    try:
        events = _list.decode(memoryview(raw)[named.end() : end])
    except _UNREADABLE:
        return None
    return PlainDocument(_LIST_PATH, events, start=named.end())


def _plain_list(raw: bytes, value: Raw, quotes: int) -> PlainDocument | None:
    """Return the document with a list; a name that stands there twice has quotes that are not in what was found."""
    if quotes != _quotes(value) or len(memoryview(value)) <= _SHORT:  # another member could hold a short list too
        return None
    try:
        return PlainDocument(_LIST_PATH, _list.decode(value), start=raw.find(value))
    except _UNREADABLE:
        return None


def _unwrapped(raw: bytes) -> bytes:
    """Return the piece without the marks of an array around its document."""
    is_bare = raw.startswith(b"{") and raw[-_TAIL:].rstrip(_SPACE).endswith(b"}")
    return raw if is_bare else raw.strip(_BETWEEN)


def _quotes(text: bytes | Raw) -> int:
    if isinstance(text, bytes) and len(text) < _LONG:
        return text.count(_QUOTE)
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(_QUOTE)))


def plain_events(documents: Sequence[PlainDocument]) -> Iterator[PlainEvent | None]:
    """Yield each event that is valid for sure, and holds no name twice and no depth in a block; None when not sure.

    The documents are one with a list, or some with one event each.
    """
    first = documents[0]
    if not first.is_list:
        yield from _plain_chunk([one.events[0] for one in documents], [one.quotes for one in documents])
        return
    for start in range(0, len(first.events), CHUNK_EVENTS):
        yield from _plain_chunk(first.events[start : start + CHUNK_EVENTS])


def _plain_chunk(raws: Sequence[bytes | Raw], quotes: list[int] | None = None) -> list[PlainEvent | None]:
    """Return the same as `_plain_event` of each: all written anew have as many quotes when each of them has."""
    together = b"".join(raws)
    for reader in _READERS:
        try:
            events = [reader.read(raw) for raw in raws]
            expected = _quotes(together) if quotes is None else sum(quotes)
            if _quotes(_encode(events)) == expected and not _has_escaped_quote(together):
                return [*map(reader.renewed, events)]
        except _UNREADABLE:
            pass
    texts = [*map(bytes, raws)]
    return [*map(_plain_event, texts, quotes or [text.count(_QUOTE) for text in texts])]


def _plain_event(raw: bytes, quotes: int) -> PlainEvent | None:
    """Return the event when sure of it; `quotes` is how many quotation marks it has.

    What is written anew says each name once, so fewer quotes tell that one stood there twice, or with its default.
    """
    if _has_escaped_quote(raw):
        return None
    for reader in _READERS:
        try:
            event = reader.read(raw)
            if _quotes(_encode(event)) == quotes:
                return reader.renewed(event)
        except _UNREADABLE:
            pass
    return None


def _has_escaped_quote(raw: bytes) -> bool:
    return b"\\" in raw and _ESCAPED_QUOTE in raw


def is_shallow(raw: bytes | Raw) -> bool:
    """Return whether nothing in the event can be nested too deeply."""
    text = bytes(raw)
    return text.count(b"{") + text.count(b"[") <= _SHALLOW
