"""What goes on from one file to the next when a stream of flow messages is cut into files.

Templates and options are told again (`netflow_recall`); an empty message before the first of each stream says which
sequence number is due, so that a loss between two files shows; and a data set whose template has not come yet is taken
out, its header left in place, and read in the file in which the template comes, or set aside there once it is too old.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.netflow_limits import SMALLEST_ID
from cellwright.telemetry.formats.netflow_recall import Recall, message_of, sets_of
from cellwright.telemetry.formats.netflow_sequence import Sequences
from cellwright.telemetry.formats.netflow_templates import (
    IPFIX,
    TEMPLATE_SETS,
    V5,
    V9,
    BadTemplateError,
    Domain,
    Templates,
    read_templates,
)
from cellwright.telemetry.formats.pcap import Datagram, capture_header, capture_record, packets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_V5_HEADER: Final = struct.Struct(">HHIIIIHH")
_HEADERS: Final = {V9: 20, IPFIX: 16}
_SET_HEADER: Final = 4
_STREAMS: Final = 16_384
_WAITING_BYTES: Final = 4 << 20
_WAIT_US: Final = 1_800_000_000  # as long as the longest interval at which templates are repeated
_NOBODY: Final = 0  # the port of messages that no exporter sent as they are
_Stream = tuple[str, int, int, int]  # exporter, version, domain, port


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message of one data set without its template, and when it came."""

    us: int
    exporter: str
    payload: bytes

    @property
    def key(self) -> tuple[Domain, int]:
        """Return what would describe the set."""
        version = int.from_bytes(self.payload[:2])
        start = _HEADERS[version]
        domain = Domain(self.exporter, version, int.from_bytes(self.payload[start - 4 : start]))
        return domain, int.from_bytes(self.payload[start : start + 2])


class Carry:
    """The state between two files; `state` and `of` bring it over a restart."""

    def __init__(self) -> None:
        self._recall, self._templates = Recall(), Templates()
        self._due: dict[_Stream, int] = {}  # sequence numbers, of the stream that was silent longest first
        self._waiting: list[_Waiting] = []

    @classmethod
    def of(cls, state: bytes) -> Carry:
        """Return what `state` returned bytes of; raise ValueError for others."""
        carry = cls()
        try:
            told = json.loads(state)
            for us, exporter, payload in told["told"]:
                carry._note(Datagram(us, exporter, _NOBODY, _NOBODY, bytes.fromhex(payload)), Sequences(), _File())
            carry._due = {
                (exporter, version, number, port): due for exporter, version, number, port, due in told["due"]
            }
            carry._waiting = [_Waiting(us, exporter, bytes.fromhex(text)) for us, exporter, text in told["waiting"]]
        except (KeyError, TypeError) as error:
            raise ValueError from error
        return carry

    def state(self) -> bytes:
        """Return everything that goes on, for `of`."""
        told = zip(self._recall.times(), self._recall.messages(), strict=True)
        return json.dumps(
            {
                "told": [(us, exporter, payload.hex()) for us, (exporter, payload) in told],
                "due": [(*stream, due) for stream, due in self._due.items()],
                "waiting": [(each.us, each.exporter, each.payload.hex()) for each in self._waiting],
            }
        ).encode()

    @property
    def waiting(self) -> int:
        """Return how many data sets wait for their template."""
        return len(self._waiting)

    def next_file(self, records: Sequence[bytes]) -> bytes:
        """Return the capture of packet records, each a datagram, with what goes on from the files before it."""
        capture = capture_header() + b"".join(records)
        datagrams = [each for each in packets(io.BytesIO(capture)) if isinstance(each, Datagram)]
        told = list(self._recall.messages())
        begun = list(self._begun(datagrams))
        file, sequences = _File(), Sequences()
        for stream, due in self._due.items():
            sequences.expect(stream, due)
        for datagram in datagrams:
            self._note(datagram, sequences, file)
        self._recall.settle(max((datagram.us for datagram in datagrams), default=0))
        late = list(self._late(datagrams, file))
        exporters = {datagram.source for datagram in datagrams} | {each.exporter for each in late}
        again = [_record(exporter, payload) for exporter, payload in told if exporter in exporters]
        ahead = [_record(each.exporter, each.payload) for each in late]
        kept = [self._kept(*pair, file) for pair in zip(records, datagrams, strict=True)]
        self._go_on(file, sequences)
        return capture_header() + b"".join([*ahead, *again, *begun, *kept])

    def _begun(self, datagrams: Sequence[Datagram]) -> Iterator[bytes]:
        """Yield an empty message of each stream that went on, with the sequence number that is due."""
        streams = dict.fromkeys(stream for each in datagrams if (stream := _stream_of(each)))
        for stream in streams:
            if stream in self._due:
                exporter, version, number, port = stream
                yield _record(exporter, _empty_message(version, number, self._due[stream]), port)

    def _note(self, datagram: Datagram, sequences: Sequences, file: _File) -> None:
        """Take in the templates and sequence number of a datagram, and which of its sets nothing describes."""
        stream, payload = _stream_of(datagram), datagram.payload
        if stream is None:
            return
        exporter, version, number, _ = stream
        file.streams[stream] = None
        if version == V5:
            sequence = int.from_bytes(payload[16:20])
            sequences.arrive(stream, sequence)
            sequences.leave(stream, sequence, int.from_bytes(payload[2:4]))
            return
        self._recall.note(exporter, payload, datagram.us)
        start = _HEADERS[version]
        sequence = int.from_bytes(payload[start - 8 : start - 4])
        sequences.arrive(stream, sequence)
        records = self._records(Domain(exporter, version, number), payload, file)
        sequences.leave(stream, sequence, 1 if version == V9 else records)

    def _records(self, domain: Domain, payload: bytes, file: _File) -> int | None:
        """Return how many data records a message holds, None when that is not known."""
        records: int | None = 0
        at = _HEADERS[domain.version]
        end = min(int.from_bytes(payload[2:4]), len(payload)) if domain.version == IPFIX else len(payload)
        for number, whole in sets_of(payload[:end], at):
            at += len(whole)
            found: int | None = 0
            if number in TEMPLATE_SETS[domain.version]:
                self._define(domain, number, whole[_SET_HEADER:], file)
            else:
                template = self._templates.find(domain, number)
                found = template.count(whole[_SET_HEADER:]) if template else None
                if template is None and number >= SMALLEST_ID and len(whole) > _SET_HEADER:
                    file.undescribed.add((domain, number))
            records = None if records is None or found is None else records + found
        return None if any(payload[at:]) or len(payload) < end else records

    def _define(self, domain: Domain, number: int, body: bytes, file: _File) -> None:
        is_options = number == TEMPLATE_SETS[domain.version][1]
        with contextlib.suppress(BadTemplateError):
            for each, template in read_templates(domain.version, body, is_options=is_options):
                if template is None:
                    self._templates.withdraw(domain, each, is_options=is_options)
                elif self._templates.define(domain, each, template):
                    file.defined.add((domain, each))

    def _late(self, datagrams: Sequence[Datagram], file: _File) -> Iterator[_Waiting]:
        """Yield what waited and can be read in this file, or waited long enough, and keep it no longer."""
        now_us = max((datagram.us for datagram in datagrams), default=0)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if each.key in file.defined or self._templates.find(*each.key) or now_us - each.us > _WAIT_US:
                yield each
            else:
                self._waiting.append(each)

    def _kept(self, record: bytes, datagram: Datagram, file: _File) -> bytes:
        """Return a record as the file has it: without the sets that no template describes yet, which wait."""
        stream, payload = _stream_of(datagram), datagram.payload
        if not file.undescribed - file.defined or stream is None or stream[1] == V5:
            return record
        exporter, version, number, port = stream
        start = _HEADERS[version]
        domain, pieces, at = Domain(exporter, version, number), [payload[:start]], start
        for each, whole in sets_of(payload, start):
            key, at = (domain, each), at + len(whole)
            is_kept = key not in file.undescribed or key in file.defined or len(whole) == _SET_HEADER
            pieces.append(whole if is_kept or not self._wait(datagram, payload[:start], whole) else _emptied(each))
        pieces.append(payload[at:])
        shorter = b"".join(pieces)
        if len(shorter) == len(payload):
            return record
        if version == IPFIX:
            size = int.from_bytes(payload[2:4]) + len(shorter) - len(payload)
            shorter = shorter[:2] + size.to_bytes(2) + shorter[4:]
        return _record(exporter, shorter, port, datagram.us)

    def _wait(self, datagram: Datagram, header: bytes, whole: bytes) -> bool:
        """Keep a set until its template comes; return False when there is no room."""
        payload = message_of(header, whole, 1)
        if sum(len(each.payload) for each in self._waiting) + len(payload) > _WAITING_BYTES:
            return False
        self._waiting.append(_Waiting(datagram.us, datagram.source, payload))
        return True

    def _go_on(self, file: _File, sequences: Sequences) -> None:
        for stream in file.streams:
            self._due.pop(stream, None)
            if (due := sequences.expected(stream)) is not None:
                self._due[stream] = due
        while len(self._due) > _STREAMS:
            del self._due[next(iter(self._due))]


@dataclass(slots=True)
class _File:
    """What one file holds."""

    streams: dict[_Stream, None] = field(default_factory=dict)
    defined: set[tuple[Domain, int]] = field(default_factory=set)
    undescribed: set[tuple[Domain, int]] = field(default_factory=set)


def _stream_of(datagram: Datagram) -> _Stream | None:
    """Return whose sequence numbers a message has, None for other datagrams."""
    payload = datagram.payload
    version = int.from_bytes(payload[:2])
    size = _V5_HEADER.size if version == V5 else _HEADERS.get(version, 0)
    if not size or len(payload) < size:
        return None
    number = payload[20:22] if version == V5 else payload[size - 4 : size]
    return datagram.source, version, int.from_bytes(number), datagram.source_port


def _empty_message(version: int, number: int, due: int) -> bytes:
    """Return a message without records after which `due` is the next sequence number."""
    if version == V5:
        return _V5_HEADER.pack(V5, 0, 0, 0, 0, due, number, 0)
    if version == V9:
        return struct.pack(">HHIIII", V9, 0, 0, 0, (due - 1) % (1 << 32), number)
    return struct.pack(">HHIII", IPFIX, _HEADERS[IPFIX], 0, due, number)


def _emptied(number: int) -> bytes:
    return struct.pack(">HH", number, _SET_HEADER)


def _record(exporter: str, payload: bytes, port: int = _NOBODY, us: int = 0) -> bytes:
    return capture_record(us, (exporter, port), (exporter, _NOBODY), payload)
