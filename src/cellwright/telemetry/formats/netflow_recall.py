"""What exporters told of their templates and options, to begin another capture with.

An exporter repeats its templates every few minutes or more rarely (RFC 7011 clause 8.4, RFC 3954 clause 9), so a
capture that is cut into files holds flows that its own file does not describe. Whoever cuts it notes every datagram,
and writes `messages` at the start of the next file, from source port 0: there they are a stream of their own, so that
their sequence numbers make no gap. What an exporter no longer repeats is forgotten after a day: the longest interval in
use is half an hour, and RFC 7011 clause 8.4 lets templates live for three of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.netflow_limits import FIELDS_KEPT, SMALLEST_ID
from cellwright.telemetry.formats.netflow_templates import IPFIX, TEMPLATE_SETS, V9, BadTemplateError, read_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADERS: Final = {V9: 20, IPFIX: 16}
_DOMAINS: Final = 16_384
_BYTES: Final = 60_000  # of one domain, so that one datagram holds them; the oldest go first
_ALL_BYTES: Final = 16 << 20
_TEMPLATE_BYTES: Final = 4 * FIELDS_KEPT  # of them a reader takes no more
_LIFETIME_US: Final = 86_400_000_000
_SET_HEADER: Final = 4


@dataclass(slots=True)
class _Told:
    """What one observation domain told: sets by the templates they define, or by the options template they follow."""

    header: bytes = b""
    us: int = 0  # when it last told a template
    templates: dict[tuple[int, ...], bytes] = field(default_factory=dict)
    options: dict[int, bytes] = field(default_factory=dict)
    options_ids: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Return the bytes of all sets."""
        return sum(map(len, self.templates.values())) + sum(map(len, self.options.values()))

    def forget(self, numbers: set[int]) -> None:
        """Drop the sets that define one of these templates."""
        self.templates = {ids: whole for ids, whole in self.templates.items() if numbers.isdisjoint(ids)}

    def shrink(self) -> None:
        """Drop the oldest sets, those of options first, until the rest fits."""
        size = self.size
        while size > _BYTES:
            if self.options:
                size -= len(self.options.pop(next(iter(self.options))))
            else:
                size -= len(self.templates.pop(next(iter(self.templates))))


class Recall:
    """The templates and options of all exporters; cost of a datagram without any: a walk over its set headers."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, bytes, bytes], _Told] = {}

    def note(self, exporter: str, payload: bytes, us: int = 0) -> None:
        """Take in a datagram, of whatever protocol, received `us` microseconds after 1970."""
        version = int.from_bytes(payload[:2])
        start = _HEADERS.get(version, 0)
        if not start or len(payload) < start:
            return
        key = (exporter, payload[:2], payload[start - 4 : start])
        told = self._told.get(key)
        if told is None:
            if len(self._told) >= _DOMAINS:
                return
            told = self._told[key] = _Told(us=us)
        told.header = payload[:start]
        for number, whole in sets_of(payload, start):
            if number in TEMPLATE_SETS[version]:
                told.us = max(told.us, us)
            _note_set(told, version, number, whole)
        told.shrink()

    def settle(self, now_us: int) -> None:
        """Forget what is too old, and the oldest of what is too much for memory or for a reader."""
        kept, templates, size = dict[tuple[str, bytes, bytes], _Told](), 0, 0
        for key, told in sorted(self._told.items(), key=lambda item: item[1].us, reverse=True):
            templates += sum(map(len, told.templates.values()))
            size += told.size
            if templates > _TEMPLATE_BYTES or size > _ALL_BYTES or now_us - told.us > _LIFETIME_US:
                break
            kept[key] = told
        self._told = kept

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Yield (exporter, datagram) of everything noted that still holds."""
        for (exporter, _, _), told in self._told.items():
            sets = [*told.templates.values(), *told.options.values()]
            if sets:
                yield exporter, message_of(told.header, b"".join(sets), len(sets))

    def times(self) -> Iterator[int]:
        """Yield when each domain last told a template, in the order of `messages`."""
        return (told.us for told in self._told.values() if told.templates or told.options)


def message_of(header: bytes, body: bytes, sets: int) -> bytes:
    """Return the message of sets that a header begins."""
    second = len(header) + len(body) if int.from_bytes(header[:2]) == IPFIX else sets
    return header[:2] + struct.pack(">H", second) + header[4:] + body


def sets_of(payload: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield (id, set) of a message from `at` on, as far as lengths agree."""
    while len(payload) - at >= _SET_HEADER:
        number, size = struct.unpack_from(">HH", payload, at)
        if not _SET_HEADER <= size <= len(payload) - at:
            return
        yield number, payload[at : at + size]
        at += size


def _note_set(told: _Told, version: int, number: int, whole: bytes) -> None:
    if number in TEMPLATE_SETS[version]:
        _note_templates(told, version, whole, is_options=number == TEMPLATE_SETS[version][1])
    elif number in told.options_ids:
        told.options.pop(number, None)
        told.options[number] = whole


def _note_templates(told: _Told, version: int, whole: bytes, *, is_options: bool) -> None:
    defined, gone, all_gone = set(), set(), False
    try:
        for number, template in read_templates(version, whole[_SET_HEADER:], is_options=is_options):
            if template is not None:
                defined.add(number)
            elif number >= SMALLEST_ID:
                gone.add(number)
            else:
                all_gone = True
    except BadTemplateError:
        return
    if all_gone:
        gone |= {number for ids in told.templates for number in ids if (number in told.options_ids) == is_options}
    told.forget(gone)
    if defined:
        (told.options_ids.update if is_options else told.options_ids.difference_update)(defined)
        told.templates.pop(tuple(sorted(defined)), None)
        told.templates[tuple(sorted(defined))] = whole
    for number in gone | (set() if is_options else defined):
        told.options.pop(number, None)
