"""Records of a data set as columns of `flows`.

Times of NetFlow v5 and v9 are milliseconds of the exporter's uptime and become absolute by the header, which gives
uptime and time of day at export (RFC 3954 clause 5.1); IPFIX has absolute times, times before the export, or uptime
since systemInitTimeMilliseconds (RFC 7012, IANA elements 150 to 160).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats import netflow_values as values
from cellwright.telemetry.formats.netflow_limits import VARIABLE
from cellwright.telemetry.formats.netflow_options import RATE_NAMES, rate_of, selectors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwright.telemetry.formats.netflow_options import Options
    from cellwright.telemetry.formats.netflow_templates import Template

_INT32: Final = 31
_INT64: Final = 63
_MOST_BYTES: Final = 8
_NUMBERS: Final = {
    **dict.fromkeys(
        (
            "protocolIdentifier",
            "sourceTransportPort",
            "destinationTransportPort",
            "ipClassOfService",
            "tcpControlBits",
            "flowDirection",
        ),
        _INT32,
    ),
    **dict.fromkeys(
        (
            "ingressInterface",
            "egressInterface",
            "bgpSourceAsNumber",
            "bgpDestinationAsNumber",
            "octetDeltaCount",
            "packetDeltaCount",
        ),
        _INT64,
    ),
}
_ADDRESSES: Final[dict[str, Callable[[bytes], str | None]]] = {
    **dict.fromkeys(("sourceIPv4Address", "destinationIPv4Address", "ipNextHopIPv4Address"), values.ipv4_text),
    **dict.fromkeys(("sourceIPv6Address", "destinationIPv6Address", "ipNextHopIPv6Address"), values.ipv6_text),
}
_ENDS: Final = ("flowStart", "flowEnd")
_ABSOLUTE: Final[dict[str, Callable[[bytes], int | None]]] = {
    "Microseconds": values.ntp_us,
    "Nanoseconds": values.ntp_us,
    "Milliseconds": values.milliseconds_us,
    "Seconds": values.seconds_us,
}
_DELTA: Final = "DeltaMicroseconds"
_UPTIME: Final = "SysUpTime"
_TIMES: Final = (*_ABSOLUTE, _DELTA, _UPTIME)  # the first of these that a template has is taken
_PADDING: Final = "paddingOctets"
_UPTIME_MODULUS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Clock:
    """When a message was exported, microseconds since 1970, and the exporter's uptime then, None where not told."""

    export_us: int
    uptime_ms: int | None

    def at_uptime(self, raw: bytes, started_us: int | None) -> int | None:
        """Return the time of an uptime in milliseconds, which wraps every 50 days; None when it cannot be known."""
        uptime = int.from_bytes(raw)
        if self.uptime_ms is not None:
            half = _UPTIME_MODULUS // 2
            behind = (self.uptime_ms - uptime + half) % _UPTIME_MODULUS - half
            return self.export_us - behind * 1000
        return None if started_us is None else started_us + uptime * 1000


@dataclass(frozen=True)  # not slotted: the plan is worked out once for each template
class Layout:
    """Which field of a template goes to which column."""

    template: Template

    @cached_property
    def _places(self) -> dict[str, int]:
        places: dict[str, int] = {}
        for index, field in enumerate(self.template.fields):
            if field.size:
                places.setdefault(field.element.name, index)
        return places

    @cached_property
    def _times(self) -> dict[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        for end in _ENDS:
            for form in _TIMES:
                if end + form in self._places:
                    found.setdefault(end, (form, self._places[end + form]))
        return found

    @cached_property
    def _others(self) -> list[tuple[int, str, Callable[[bytes], str]]]:
        """Return (index, name, writer) of what has no column; a name that comes again is numbered."""
        taken = {self._places[name] for name in (*_NUMBERS, *_ADDRESSES) if name in self._places}
        taken |= {index for _, index in self._times.values()}
        seen: dict[str, int] = {}
        others = []
        for index, field in enumerate(self.template.fields):
            name = field.element.name
            seen[name] = seen.get(name, 0) + 1
            if index not in taken and field.size and name != _PADDING:
                numbered = name if seen[name] == 1 else f"{name}#{seen[name]}"
                others.append((index, numbered, values.writer_of(field.element)))
        return others

    def named(self, record: tuple[bytes, ...]) -> dict[str, bytes]:
        """Return the raw values of a record by the names of their elements."""
        return {name: record[index] for name, index in self._places.items()}

    def columns(self, records: list[tuple[bytes, ...]], clock: Clock, options: Options) -> dict[str, Sequence[object]]:
        """Return columns of `flows`, with `elements` and `dq_flags`, of at least one record."""
        raw = list(zip(*records, strict=True))
        table = _Table(len(records), self.template, raw)
        texts = [list(map(text, raw[index])) for index, _, text in self._others]
        names = [name for _, name, _ in self._others]
        if any(field.size and values.is_withheld(field.element) for field in self.template.fields):
            table.flag_all("content-withheld")
        if texts:
            table.elements = [list(zip(names, written, strict=True)) for written in zip(*texts, strict=True)]
        for name, index in self._places.items():
            if name in _NUMBERS:
                table.number(name, index, _NUMBERS[name])
            elif name in _ADDRESSES:
                table.address(name, index, _ADDRESSES[name])
        self._add_times(table, records, clock, options)
        self._add_rates(table, records, options)
        return {**table.columns, "elements": table.elements, "dq_flags": table.flags}

    def _add_times(self, table: _Table, records: list[tuple[bytes, ...]], clock: Clock, options: Options) -> None:
        for end, (form, index) in self._times.items():
            table.time(f"{end}Microseconds", index, self._instants(form, index, records, clock, options))
        starts, ends = (table.columns.get(f"{end}Microseconds", ()) for end in _ENDS)
        for row, (first, last) in enumerate(zip(starts, ends, strict=False)):
            if isinstance(first, int) and isinstance(last, int) and last < first:
                table.flags[row].append("ends-before-start")

    def _instants(
        self, form: str, index: int, records: list[tuple[bytes, ...]], clock: Clock, options: Options
    ) -> list[int | None]:
        if form in _ABSOLUTE:
            return list(map(_ABSOLUTE[form], (record[index] for record in records)))
        if form == _DELTA:
            return [clock.export_us - int.from_bytes(record[index]) for record in records]
        own = self._places.get("systemInitTimeMilliseconds")
        if own is None:
            return [clock.at_uptime(record[index], options.started_us) for record in records]
        return [clock.at_uptime(record[index], values.milliseconds_us(record[own])) for record in records]

    def _add_rates(self, table: _Table, records: list[tuple[bytes, ...]], options: Options) -> None:
        tells_rate = not RATE_NAMES.isdisjoint(self._places)
        if options.is_uniform and not tells_rate:
            table.columns["sampling_rate"] = [options.rate([])[0]] * len(records)
            return
        rates: list[int | None] = []
        for row, record in enumerate(records):
            named = self.named(record)
            rate, is_ambiguous = rate_of(named), False
            if rate is None:
                rate, is_ambiguous = options.rate(selectors_of(named))
            if is_ambiguous:
                table.flags[row].append("sampling-ambiguous")
            rates.append(rate)
        table.columns["sampling_rate"] = rates


class _Table:
    """Columns being made of raw ones; what does not fit its column goes to `elements` with a flag."""

    def __init__(self, rows: int, template: Template, raw: list[tuple[bytes, ...]]) -> None:
        self._template, self._raw = template, raw
        self.columns: dict[str, Sequence[object]] = {}
        self.elements: list[list[tuple[str, str]]] = [[] for _ in range(rows)]
        self.flags: list[list[str]] = [[] for _ in range(rows)]

    def flag_all(self, flag: str) -> None:
        """Flag every row."""
        for flags in self.flags:
            flags.append(flag)

    def number(self, name: str, index: int, bits: int) -> None:
        """Add a column of integers below 2^bits."""
        size = self._template.fields[index].size
        numbers: list[int | None] = list(map(int.from_bytes, self._raw[index]))
        if size == VARIABLE or size * 8 > bits:
            for row, number in enumerate(numbers):
                if number is not None and (number >> bits or len(self._raw[index][row]) > _MOST_BYTES):
                    numbers[row] = None
                    self._misfit(row, index, f"beyond-int{bits + 1}")
        self.columns[name] = numbers

    def address(self, name: str, index: int, text: Callable[[bytes], str | None]) -> None:
        """Add a column of addresses."""
        texts = list(map(text, self._raw[index]))
        self.columns[name] = texts
        for row, found in enumerate(texts):
            if found is None:
                self._misfit(row, index, "unreadable-address")

    def time(self, name: str, index: int, instants: list[int | None]) -> None:
        """Add a column of times."""
        for row, us in enumerate(instants):
            if us is None or not values.is_readable(us):
                instants[row] = None
                self._misfit(row, index, "unreadable-time" if us is not None else "no-absolute-time")
        self.columns[name] = instants

    def _misfit(self, row: int, index: int, flag: str) -> None:
        element = self._template.fields[index].element
        self.elements[row].append((element.name, values.writer_of(element)(self._raw[index][row])))
        if flag not in self.flags[row]:
            self.flags[row].append(flag)
