"""SNMP traps and informs in captures: rows of `alarm_events` and `logs`.

A notification that is an alarm by a public MIB becomes an alarm event, any other a log record. Community strings and
user names are never stored. In a capture that also holds other datagrams these are left out; one with flow messages is
read by `netflow`, which is asked first, unless this format is forced.
"""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.facts import FactBuffer
from cellwright.telemetry.formats.pcap import Datagram, count_packets, packets
from cellwright.telemetry.formats.snmp_messages import UnreadError, is_message, read_notification
from cellwright.telemetry.formats.snmp_rows import row_of
from cellwright.telemetry.formats.snmp_usm import EngineClocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.snmp_keys import Usm

_LOOKED_AT: Final = 256  # packets by which a capture is known
_TRAP_PORT: Final = 162  # RFC 3417, 3.1
_POLLED_PORT: Final = 161
_UNOPENED: Final = frozenset({"snmp-encrypted", "snmp-wrong-digest", "snmp-wrong-key"})


class Snmp:
    """A fact is a packet of the capture, and a damaged rest is one."""

    name = "snmp"

    def __init__(self, usm: Usm | None = None) -> None:
        """`usm` knows the keys of version 3 users; without it what is encrypted is quarantined."""
        self._usm = usm

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether one of the first datagrams of a capture is a notification, or one that is encrypted."""
        found = islice(packets(io.BytesIO(head)), _LOOKED_AT)
        return any(isinstance(packet, Datagram) and _is_notification(packet) for packet in found)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of packets, by the lengths that the capture file says."""
        return count_packets(stream)

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches in file order."""
        facts, clocks = FactBuffer(), EngineClocks()
        for packet in packets(stream):
            if isinstance(packet, Datagram):
                self._add(facts, packet, clocks)
            elif packet.is_lost:
                facts.quarantine(packet.code, packet.reason, packet.raw)
            else:
                facts.leave_out(packet.code)
            if facts.full():
                yield from facts.take()
        yield from facts.take()

    def _add(self, facts: FactBuffer, datagram: Datagram, clocks: EngineClocks) -> None:
        if not ((datagram.destination_port == _TRAP_PORT and datagram.payload) or is_message(datagram.payload)):
            facts.leave_out("other-protocol")
            return
        try:
            notification = read_notification(datagram.payload, self._usm, clocks)
            table, row = row_of(notification, datagram.source, datagram.us)
        except UnreadError as error:
            if error.is_left_out:
                facts.leave_out(error.code)
            elif error.code in _UNOPENED and _is_polling(datagram):
                facts.leave_out("not-a-notification")
            else:
                facts.quarantine(error.code, error.reason, datagram.payload)
        else:
            facts.row(table, row)


def _is_polling(datagram: Datagram) -> bool:
    """Return whether the ports say that a manager asks or an agent answers: nobody can look into what is encrypted."""
    ports = (datagram.source_port, datagram.destination_port)
    return _POLLED_PORT in ports and datagram.destination_port != _TRAP_PORT


def _is_notification(datagram: Datagram) -> bool:
    if not is_message(datagram.payload):
        return False
    try:
        read_notification(datagram.payload)
    except UnreadError as error:
        return error.code == "snmp-encrypted" and not _is_polling(datagram)
    return True
