"""Puts the fragments of IP packets together again, within bounds.

Sources: RFC 791 clause 3.2 and RFC 8200 clause 4.5 (reassembly, given up 60 seconds after the first fragment); RFC 5722
clause 4 (fragments that overlap are an attack: all of the packet is refused; the same fragment twice is not).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.pcap_packets import Datagram, Fragment, Skipped, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_US: Final = 60_000_000
_PACKETS: Final = 4096  # that are being put together; the oldest is given up for another
_BYTES: Final = 8 << 20  # of frames that are held


@dataclass(slots=True)
class _Packet:
    """What came of a packet so far."""

    first_us: int
    parts: dict[int, Fragment] = field(default_factory=dict)  # by where they start
    starts: list[int] = field(default_factory=list)  # in order
    have: int = 0  # octets
    total: int | None = None  # octets, once the last fragment came
    is_refused: bool = False

    def clashes(self, fragment: Fragment) -> bool:
        """Return whether a fragment shares octets with others, or one of them lies behind the end."""
        place = bisect_left(self.starts, fragment.start)
        if place and self._end(place - 1) > fragment.start:
            return True
        if place < len(self.starts):
            return fragment.is_last or fragment.end > self.starts[place]
        return self.total is not None

    def add(self, fragment: Fragment) -> None:
        """Take in a fragment that does not clash."""
        self.parts[fragment.start] = fragment
        insort(self.starts, fragment.start)
        self.have += len(fragment.content)
        if fragment.is_last:
            self.total = fragment.end

    def content(self) -> bytes | None:
        """Return the whole content, None while a part is missing."""
        if self.have != self.total:
            return None
        return b"".join(self.parts[start].content for start in self.starts)

    def _end(self, place: int) -> int:
        return self.parts[self.starts[place]].end


class Fragments:
    """The packets of which fragments came, the oldest first."""

    def __init__(self) -> None:
        self._packets: dict[tuple[bytes, int, int], _Packet] = {}
        self._bytes = 0

    def add(self, fragment: Fragment) -> Iterator[Datagram | Skipped]:
        """Yield what a fragment settles: the fragments of its packet and the datagram, or what is given up for it."""
        yield from self._expired(fragment.us)
        packet = self._packets.setdefault(fragment.of, _Packet(fragment.us))
        if packet.is_refused:
            yield _overlapping(fragment)
        elif packet.parts.get(fragment.start) and packet.parts[fragment.start].content == fragment.content:
            yield Skipped("ip-fragment-repeated", "the fragment came before", fragment.frame, is_lost=False)
        elif packet.clashes(fragment):
            yield from self._refuse(packet)
            yield _overlapping(fragment)
        else:
            yield from self._place(packet, fragment)

    def rest(self) -> Iterator[Skipped]:
        """Yield the fragments whose packets never became whole."""
        while self._packets:
            yield from self._give_up(next(iter(self._packets)))

    def _place(self, packet: _Packet, fragment: Fragment) -> Iterator[Datagram | Skipped]:
        packet.add(fragment)
        self._bytes += len(fragment.frame)
        content = packet.content()
        if content is not None:
            self._forget(fragment.of)
            for part in packet.parts.values():
                if part is not fragment:
                    yield Skipped("ip-fragment", "the fragment is a part of a datagram", part.frame, is_lost=False)
            yield whole(fragment.us, fragment, content)
        while self._bytes > _BYTES or len(self._packets) > _PACKETS:
            yield from self._give_up(next(iter(self._packets)))

    def _expired(self, now_us: int) -> Iterator[Skipped]:
        while self._packets:
            oldest = next(iter(self._packets))
            if now_us - self._packets[oldest].first_us <= _WAIT_US:
                return
            yield from self._give_up(oldest)

    def _refuse(self, packet: _Packet) -> Iterator[Skipped]:
        """Yield the fragments of a packet that nothing more is taken of; it is remembered until its time is over."""
        for part in packet.parts.values():
            self._bytes -= len(part.frame)
            yield _overlapping(part)
        packet.parts, packet.starts, packet.is_refused = {}, [], True

    def _give_up(self, of: tuple[bytes, int, int]) -> Iterator[Skipped]:
        for part in self._forget(of).parts.values():
            yield Skipped(
                "ip-fragments-incomplete", "other fragments of the packet are missing", part.frame, is_lost=True
            )

    def _forget(self, of: tuple[bytes, int, int]) -> _Packet:
        packet = self._packets.pop(of)
        self._bytes -= sum(len(part.frame) for part in packet.parts.values())
        return packet


def _overlapping(part: Fragment) -> Skipped:
    return Skipped("ip-fragments-overlap", "fragments of the packet overlap", part.frame, is_lost=True)
