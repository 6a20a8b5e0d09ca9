"""Reads flow messages, one datagram after another, into facts.

Sources: RFC 7011 clause 3 (IPFIX message and set headers), RFC 3954 clause 5 (NetFlow v9), Cisco, NetFlow Export
Datagram Format (version 5). `netflow_limits` says what counts as a fact.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.netflow_limits import SMALLEST_ID, WAITING_BYTES, WAITING_SETS
from cellwright.telemetry.formats.netflow_options import SYSTEM, Options
from cellwright.telemetry.formats.netflow_rows import Clock, Layout
from cellwright.telemetry.formats.netflow_sequence import Sequences
from cellwright.telemetry.formats.netflow_templates import (
    IPFIX,
    TEMPLATE_SETS,
    V5,
    V5_TEMPLATE,
    V9,
    BadTemplateError,
    Domain,
    Template,
    Templates,
    read_templates,
)

if TYPE_CHECKING:
    from cellwright.telemetry.formats.facts import FactBuffer
    from cellwright.telemetry.formats.pcap import Datagram

_V5_HEADER: Final = struct.Struct(">HHIIIIBBH")
_V5_RECORD: Final = 48
_V9_HEADER: Final = struct.Struct(">HHIIII")
_IPFIX_HEADER: Final = struct.Struct(">HHIII")
_SET_HEADER: Final = struct.Struct(">HH")
_INTERVAL: Final = 0x3FFF  # of the field whose upper two bits are the sampling mode
_DOMAINS: Final = 65_536  # whose options are kept
_WHOLE_EXPORTER: Final = -1  # in place of a domain's number
_NO_OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True)
class _Message:
    """What the header of a message says of its records."""

    domain: Domain
    stream: tuple[Domain, int]  # with the source port: processes of one exporter number their messages on their own
    sequence: int
    clock: Clock


class FlowReader:
    """Adds what flow messages hold to `facts`; remembers templates, options and sequence numbers between them."""

    def __init__(self, facts: FactBuffer) -> None:
        self._facts = facts
        self._templates = Templates()
        self._sequences = Sequences()
        self._options: dict[Domain, Options] = {}
        self._waiting = _Waiting()
        self._due: deque[tuple[_Message, bytes, Template]] = deque()

    def read(self, datagram: Datagram) -> None:
        """Read one datagram, of whatever protocol; `read_late` reads what waited for the templates in it."""
        version = int.from_bytes(datagram.payload[:2]) if len(datagram.payload) > 1 else 0
        before = self._noted()
        if version == V5:
            self._v5(datagram)
        elif version == V9:
            self._v9(datagram)
        elif version == IPFIX:
            self._ipfix(datagram)
        else:
            self._facts.leave_out("other-protocol")
        if self._noted() == before:
            self._facts.leave_out("empty-message")

    def read_late(self) -> bool:
        """Read one data set that waited for its template; return False when there is none to read."""
        if not self._due:
            return False
        message, whole, template = self._due.popleft()
        self._data(message, template, whole, flags=("template-late",))
        return True

    def finish(self) -> None:
        """Set the data sets aside whose templates never came."""
        for body in self._waiting.rest():
            self._facts.quarantine("no-template", "no template describes the data set", body)

    def _noted(self) -> int:
        """Return a number that grows with everything found in a message."""
        return self._facts.ordinal + self._waiting.count + len(self._due)

    def _v5(self, datagram: Datagram) -> None:
        payload = datagram.payload
        if len(payload) < _V5_HEADER.size:
            self._cut_short(payload)
            return
        _, count, uptime, seconds, nanoseconds, sequence, kind, engine, sampling = _V5_HEADER.unpack_from(payload)
        end = _V5_HEADER.size + min(count * _V5_RECORD, (len(payload) - _V5_HEADER.size) // _V5_RECORD * _V5_RECORD)
        domain = Domain(datagram.source, V5, kind << 8 | engine)
        clock = Clock(seconds * 1_000_000 + nanoseconds // 1000, uptime)
        message = _Message(domain, (domain, datagram.source_port), sequence, clock)
        self._sequences.arrive(message.stream, sequence)
        self._sequences.leave(message.stream, sequence, count)
        records, _ = V5_TEMPLATE.cut(payload[_V5_HEADER.size : end])
        options = Options()
        options.learn({"samplingInterval": (sampling & _INTERVAL).to_bytes(2)})
        if records:
            self._rows(message, V5_TEMPLATE, records, options)
        if len(records) < count:
            self._cut_short(payload[end:])
        elif end < len(payload):
            self._facts.quarantine("trailing-bytes", "bytes follow the last record", payload[end:])

    def _v9(self, datagram: Datagram) -> None:
        payload = datagram.payload
        if len(payload) < _V9_HEADER.size:
            self._cut_short(payload)
            return
        _, _, uptime, seconds, sequence, number = _V9_HEADER.unpack_from(payload)
        domain = Domain(datagram.source, V9, number)
        message = _Message(domain, (domain, datagram.source_port), sequence, Clock(seconds * 1_000_000, uptime))
        self._sequences.arrive(message.stream, sequence)
        self._sequences.leave(message.stream, sequence, 1)
        at, _ = self._sets(message, payload, _V9_HEADER.size, len(payload))
        if any(payload[at:]):
            self._facts.quarantine("bad-set", "expected a set within the message", payload[at:])

    def _ipfix(self, datagram: Datagram) -> None:
        payload = datagram.payload
        if len(payload) < _IPFIX_HEADER.size:
            self._cut_short(payload)
            return
        _, size, seconds, sequence, number = _IPFIX_HEADER.unpack_from(payload)
        if size < _IPFIX_HEADER.size:
            self._facts.quarantine("bad-length", "the message is shorter than its header", payload)
            return
        domain = Domain(datagram.source, IPFIX, number)
        message = _Message(domain, (domain, datagram.source_port), sequence, Clock(seconds * 1_000_000, None))
        end = min(size, len(payload))
        self._sequences.arrive(message.stream, sequence)
        at, records = self._sets(message, payload, _IPFIX_HEADER.size, end)
        is_whole = size <= len(payload) and not any(payload[at:end])
        self._sequences.leave(message.stream, sequence, records if is_whole else None)
        if size > len(payload):
            self._cut_short(payload[at:])
        elif any(payload[at:end]):
            self._facts.quarantine("bad-set", "expected a set within the message", payload[at:end])
        if end < len(payload):
            self._facts.quarantine("trailing-bytes", "bytes follow the message", payload[end:])

    def _sets(self, message: _Message, payload: bytes, at: int, end: int) -> tuple[int, int | None]:
        """Read the sets from `at` on; return (where they end, data records in them or None when that is not known)."""
        records: int | None = 0
        while end - at >= _SET_HEADER.size:
            number, size = _SET_HEADER.unpack_from(payload, at)
            if size < _SET_HEADER.size or at + size > end:
                break
            found = self._set(message, number, payload[at : at + size])
            records = None if records is None or found is None else records + found
            at += size
        return at, records

    def _set(self, message: _Message, number: int, whole: bytes) -> int | None:
        """Read one set; return how many data records it held, None when that is not known."""
        kinds = TEMPLATE_SETS[message.domain.version]
        if number in kinds:
            self._define(message.domain, whole, is_options=number == kinds[1])
            return 0
        if number < SMALLEST_ID:
            self._facts.quarantine("reserved-set", "the id of the set is reserved", whole)
            return None
        template = self._templates.find(message.domain, number)
        if template is not None:
            return self._data(message, template, whole)
        if len(whole) == _SET_HEADER.size:
            self._facts.leave_out("empty-set")  # nothing in it waits for a template
        elif not self._waiting.add(message, number, whole):
            self._facts.quarantine("no-template", "no template describes the data set, and too many wait", whole)
        return None

    def _define(self, domain: Domain, whole: bytes, *, is_options: bool) -> None:
        """Take in the templates of a set, which is one fact; what waited for them is due."""
        has_room = True
        try:
            for number, template in read_templates(domain.version, whole[_SET_HEADER.size :], is_options=is_options):
                if template is None:
                    self._templates.withdraw(domain, number, is_options=is_options)
                elif self._templates.define(domain, number, template):
                    self._due += [(*waiting, template) for waiting in self._waiting.take(domain, number)]
                else:
                    has_room = False
        except BadTemplateError:
            self._facts.quarantine("bad-template", "expected a template of the set", whole)
        else:
            if has_room:
                self._facts.leave_out("flow-template")
            else:
                self._facts.quarantine("too-many-templates", "there is no room for another template", whole)

    def _data(self, message: _Message, template: Template, whole: bytes, flags: tuple[str, ...] = ()) -> int | None:
        body = whole[_SET_HEADER.size :]
        records, end = template.cut(body)
        if template.is_options:
            self._learn(message.domain, template, records)
        elif records:
            self._rows(message, template, records, self._options_of(message.domain), flags)
        is_damaged = len(body) - end >= template.smallest
        if is_damaged:
            self._facts.quarantine("bad-record", "a record is longer than what is left of its set", body[end:])
        elif not records:
            self._facts.leave_out("empty-set")
        return None if is_damaged else len(records)

    def _learn(self, domain: Domain, template: Template, records: list[tuple[bytes, ...]]) -> None:
        """Take in options records; those of the whole exporter hold where a domain's own say nothing of sampling."""
        if records:
            self._facts.leave_out("flow-options", facts=len(records))
        told = [_layout(template).named(record) for record in records]
        is_of_all = any(field.element.name == SYSTEM for field in template.fields)
        for key, known in ((domain, told), (domain._replace(number=_WHOLE_EXPORTER), told if is_of_all else [])):
            if known and key not in self._options and len(self._options) < _DOMAINS:
                self._options[key] = Options()
            if options := self._options.get(key):
                for values in known:
                    options.learn(values)

    def _options_of(self, domain: Domain) -> Options:
        own = self._options.get(domain)
        if own is None or own.is_silent:
            return self._options.get(domain._replace(number=_WHOLE_EXPORTER)) or own or _NO_OPTIONS
        return own

    def _rows(
        self,
        message: _Message,
        template: Template,
        records: list[tuple[bytes, ...]],
        options: Options,
        flags: tuple[str, ...] = (),
    ) -> None:
        columns = _layout(template).columns(records, message.clock, options)
        told = columns["dq_flags"]
        shared = {
            "export_ts": message.clock.export_us,
            "exporter": message.domain.exporter,
            "domain": message.domain.number,
            "sequence": message.sequence,
        }
        first = () if flags else self._sequences.take_flags(message.stream)
        columns["dq_flags"] = [
            [*flags, *(first if row == 0 else ()), *own] for row, own in enumerate(told) if isinstance(own, list)
        ]
        self._facts.rows("flows", len(records), shared, columns)

    def _cut_short(self, rest: bytes) -> None:
        self._facts.quarantine("message-truncated", "the datagram ends within the message", rest)


class _Waiting:
    """Data sets whose template has not come yet, by what would describe them."""

    def __init__(self) -> None:
        self._sets: dict[tuple[Domain, int], list[tuple[_Message, bytes]]] = {}
        self.count = self._bytes = 0

    def add(self, message: _Message, number: int, whole: bytes) -> bool:
        """Keep a set; return False when there is no room."""
        if self.count >= WAITING_SETS or self._bytes + len(whole) > WAITING_BYTES:
            return False
        self._sets.setdefault((message.domain, number), []).append((message, whole))
        self.count += 1
        self._bytes += len(whole)
        return True

    def take(self, domain: Domain, number: int) -> list[tuple[_Message, bytes]]:
        """Return the sets that wait for a template, and keep them no longer."""
        found = self._sets.pop((domain, number), [])
        self.count -= len(found)
        self._bytes -= sum(len(whole) for _, whole in found)
        return found

    def rest(self) -> list[bytes]:
        """Return the sets that still wait, in the order in which the first of each template came."""
        return [whole for sets in self._sets.values() for _, whole in sets]


@lru_cache(maxsize=4096)
def _layout(template: Template) -> Layout:
    return Layout(template)
