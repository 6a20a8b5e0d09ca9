"""NetFlow v5, v9 and IPFIX in captures: rows of `flows`.

What counts as a fact is said in `netflow_limits`. Templates and options are left out, and applied to the flows. The
sampling that options tell holds for the flows that follow them. In a capture that also holds other datagrams these are
left out as `other-protocol`; one with flow messages and SNMP notifications is read by the format that is asked first,
which is this one, unless the other is forced.
"""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.facts import FactBuffer
from cellwright.telemetry.formats.netflow_count import FlowCounter
from cellwright.telemetry.formats.netflow_limits import SMALLEST_ID
from cellwright.telemetry.formats.netflow_messages import FlowReader
from cellwright.telemetry.formats.netflow_templates import TEMPLATE_SETS, V5, V9
from cellwright.telemetry.formats.pcap import Datagram, packets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

_LOOKED_AT: Final = 256  # packets by which a capture is known


class NetFlow:
    """A fact is a flow, or what carries none: see `netflow_limits`."""

    name = "netflow"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether one of the first datagrams of a capture is a flow message."""
        found = islice(packets(io.BytesIO(head)), _LOOKED_AT)
        return any(isinstance(packet, Datagram) and is_flow_message(packet.payload) for packet in found)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of facts, from the lengths in headers and templates alone."""
        counter = FlowCounter()
        for packet in packets(stream):
            if isinstance(packet, Datagram):
                counter.add(packet.source, packet.payload)
            else:
                counter.facts += 1
        return counter.facts_in_all()

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; data sets that waited for their template stand behind it, those without one at the end."""
        facts = FactBuffer()
        reader = FlowReader(facts)
        for packet in packets(stream):
            if isinstance(packet, Datagram):
                reader.read(packet)
                while reader.read_late():
                    if facts.full():
                        yield from facts.take()
            elif packet.is_lost:
                facts.quarantine(packet.code, packet.reason, packet.raw)
            else:
                facts.leave_out(packet.code)
            if facts.full():
                yield from facts.take()
        reader.finish()
        yield from facts.take()


def is_flow_message(payload: bytes) -> bool:
    """Return whether a datagram begins as a flow message does and its lengths agree."""
    version, second = int.from_bytes(payload[:2]), int.from_bytes(payload[2:4])
    if version == V5:
        return second > 0 and len(payload) == 24 + 48 * second
    if version not in TEMPLATE_SETS:
        return False
    start = 20 if version == V9 else 16
    number, size = int.from_bytes(payload[start : start + 2]), int.from_bytes(payload[start + 2 : start + 4])
    is_set = number >= SMALLEST_ID or number in TEMPLATE_SETS[version]
    is_sized = 4 <= size <= len(payload) - start  # noqa: PLR2004 - the header of a set
    return is_set and is_sized and (version == V9 or second == len(payload))
