"""Turns the elements of a 3GPP measurement file into rows of `pm_counters`; knows the schema, not the XML parser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from cellwright.telemetry.formats.facts import FactBuffer
from cellwright.telemetry.formats.instants import FIRST_US, read_duration_s, read_instant
from cellwright.telemetry.formats.names import class_of, join_dn, split_counter
from cellwright.telemetry.formats.pm_head import types_of
from cellwright.telemetry.formats.pm_rows import Around
from cellwright.telemetry.formats.pm_values import Value, read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from cellwright.telemetry.formats.pm_head import Head, Opening, Types

    _Said: TypeAlias = Mapping[str, object]

ROOTS: Final = ("measCollecFile", "measDataFile")
_WORDS: Final = re.compile(r"[^ \t\r\n]+")  # parted by the white space of XML 1.0, 2.3
_TWO_NAMES: Final = "two measurement types have one position p"
_DOUBT: Final = MappingProxyType({"true": True, "1": True, "false": False, "0": False, "": False})
_POSITION: Final = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)


@lru_cache(maxsize=4096)
def _position(text: str) -> int | None:
    match = _POSITION.fullmatch(text)
    return int(match[1]) or None if match else None


@dataclass(slots=True)
class ElementText:
    """An element that holds text; `whole` is false where another element stands inside it."""

    name: str
    attributes: dict[str, str]
    parts: list[str]
    line: int
    whole: bool = True

    @property
    def text(self) -> str:
        """Everything up to the end, or to the first element inside."""
        return "".join(self.parts)

    @property
    def position(self) -> int | None:
        """The attribute `p`, a positive integer, None when it is none."""
        return _position(self.attributes.get("p", ""))

    def interrupted(self) -> ElementText:
        """Return the same element, not whole."""
        return replace(self, whole=False)


class _Reported(NamedTuple):
    """One value as it stands in the file; `code` and `reason` say why it becomes no row."""

    counter: str
    value: Value
    text: str
    line: int
    code: str = ""
    reason: str = ""


@dataclass(slots=True)
class _Group:
    """One <measInfo>: the measurement types by position from 1, and what all its values have in common."""

    types: Mapping[int, str] = field(default_factory=dict)
    ambiguous: frozenset[int] = frozenset()  # positions that two measurement types claim
    shared: _Said = field(default_factory=dict)  # never changed, so that it is told by identity
    flags: tuple[str, ...] = ("no-period",)
    table: Types | None = None  # what the types come to, until another is named: then they are a copy

    def name(self, position: int, name: str) -> None:
        """Give one position its name; the first stays, and a second makes it ambiguous."""
        types = self.types if isinstance(self.types, dict) and self.table is None else dict(self.types)
        if types.setdefault(position, name) != name:
            self.ambiguous |= {position}
        self.types, self.table = types, None

    def take_job(self, attributes: dict[str, str]) -> None:
        """Name the measurement job."""
        self.shared = {**self.shared, "job_id": attributes.get("jobId")}

    def take_period(self, attributes: dict[str, str]) -> None:
        """Set the granularity period, which lasts `duration` and ends at `endTime`."""
        period = _period(attributes.get("duration", ""), attributes.get("endTime", "").strip())
        self.flags = period.flags
        self.shared = {**self.shared, **period.columns}


def _group(attributes: dict[str, str]) -> _Group:
    """Return a <measInfo> that begins."""
    return _Group(shared={"meas_info_id": attributes.get("measInfoId")})


@lru_cache(maxsize=512)
def _group_of(opening: Opening) -> _Group:
    """Return the group that a head opens, before its measurement types; it is shared and never changed."""
    (_, own), *items = opening.group
    group = _group(own)
    for name, attributes in items:
        if name == "job":
            group.take_job(attributes)
        elif name == "granPeriod":
            group.take_period(attributes)
    return group


class _Period(NamedTuple):
    """A granularity period: what is odd about it, and its columns."""

    flags: tuple[str, ...]
    columns: Mapping[str, object]


@lru_cache(maxsize=256)
def _period(duration: str, end_time: str) -> _Period:
    end, duration_s = read_instant(end_time), read_duration_s(duration)
    checks = {
        "unreadable-end-time": end is None,
        "no-utc-offset": end is not None and end.offset_s is None,
        "unreadable-duration": duration_s is None,
    }
    begin_us = end.us - round(duration_s * 1e6) if end and duration_s else None
    columns = {
        "begin_ts": begin_us if begin_us is not None and begin_us >= FIRST_US else None,
        "end_ts": end.us if end else None,
        "utc_offset_s": end.offset_s if end else None,
        "gran_s": duration_s,
    }
    return _Period(tuple(flag for flag, found in checks.items() if found), MappingProxyType(columns))


class Elements:
    """What was read so far of one file: header, group and object around the next value, and the facts."""

    STARTS: ClassVar[Mapping[str, Callable[[Elements, dict[str, str]], None]]]
    TEXTS: ClassVar[Mapping[str, Callable[[Elements, ElementText], None]]]

    def __init__(self) -> None:
        self.facts = FactBuffer()
        self._header: dict[str, str] = {}
        self._owner: _Said = {"vendor": None, "ne_dn": None}  # never changed, as what a group shares
        self._group = _Group()
        self._object: str | None = None  # measObjLdn of the open <measValue>
        self._suspect: bool | None = False
        self._values: list[_Reported] = []

    def start_header(self, attributes: dict[str, str]) -> None:
        """Take the prefix of all names and the vendor."""
        self._header = attributes
        self._owner = {**self._owner, "vendor": attributes.get("vendorName") or None}

    def start_data(self, _: dict[str, str]) -> None:
        """Forget the element of the <measData> before."""
        self._owner = {**self._owner, "ne_dn": join_dn(self._header.get("dnPrefix"))}

    def start_element(self, attributes: dict[str, str]) -> None:
        """Name the measured element: prefix and local name, either may be empty."""
        self._owner = {**self._owner, "ne_dn": join_dn(self._header.get("dnPrefix"), attributes.get("localDn"))}

    def start_group(self, attributes: dict[str, str]) -> None:
        """Open a <measInfo>."""
        self._group = _group(attributes)

    def start_job(self, attributes: dict[str, str]) -> None:
        """Name the measurement job."""
        self._group.take_job(attributes)

    def start_period(self, attributes: dict[str, str]) -> None:
        """Set the granularity period."""
        self._group.take_period(attributes)

    def start_object(self, attributes: dict[str, str]) -> None:
        """Open a <measValue>."""
        self.end_object()
        self._object = attributes.get("measObjLdn", "")
        self._suspect = False  # TS 32.432: the default, and then it may be left out

    def read_type(self, element: ElementText) -> None:
        """Name one measurement type."""
        position = element.position
        name = element.text.strip()
        if position and name:
            self._group.name(position, name)

    def read_types(self, element: ElementText) -> None:
        """Name all measurement types of the group."""
        self._group.table = None
        self._group.types = dict(self._group.types) | dict(enumerate(_WORDS.findall(element.text), start=1))

    def read_suspect(self, element: ElementText) -> None:
        """Take the element's own doubt (xs:boolean, of any case) about the values of the object, None if unreadable."""
        self._suspect = _DOUBT.get(element.text.strip().lower())

    def read_value(self, element: ElementText) -> None:
        """Take one `<r>`."""
        text, line = element.text, element.line
        position = element.position or 0
        counter = self._group.types.get(position)
        if not element.whole:
            reported = _refused(text, line, "nested-markup", "a value holds another element")
        elif counter is None:
            reported = _refused(text, line, "unknown-position", "no measurement type has its position p")
        elif position in self._group.ambiguous:
            reported = _refused(text, line, "ambiguous-position", _TWO_NAMES)
        else:
            reported = _reported(counter, text, line)
        self._report([reported])

    def read_results(self, element: ElementText) -> None:
        """Take a list of values; one that is not as long as the list of types cannot be told apart and is refused."""
        words = _WORDS.findall(element.text)
        types = [self._group.types[position] for position in sorted(self._group.types)]
        if self._group.ambiguous:
            self._report([_refused(word, element.line, "ambiguous-position", _TWO_NAMES) for word in words])
        elif element.whole and len(words) == len(types):
            self._report([_reported(name, word, element.line) for name, word in zip(types, words, strict=True)])
        else:
            reason = f"expected {len(types)} results, one for each measurement type, found {len(words)}"
            self._report([_refused(word, element.line, "results-mismatch", reason) for word in words])

    def end_object(self) -> None:
        """Turn the values of the open object into facts, in their order."""
        good: list[_Reported] = []
        for reported in self._values:
            if not reported.code:
                good.append(reported)
                continue
            self._add_rows(good)
            good = []
            self._refuse(reported)
        self._add_rows(good)
        self._values = []
        self._object = None

    @property
    def object(self) -> str | None:
        """The name of the open object, None where none is open."""
        return self._object

    def mark(self) -> tuple[_Said, _Group]:
        """Return where reading heads may begin anew."""
        return self._owner, self._group

    def reset(self, mark: tuple[_Said, _Group]) -> None:
        """Forget the heads that were read since."""
        self._owner, self._group = mark

    def read_head(self, head: Head) -> None:
        """Take the head of a group, read elsewhere."""
        for name, attributes in head.opening.around:
            self.STARTS[name](self, attributes)
        known, types = _group_of(head.opening), head.types
        self._group = _Group(types.names, types.ambiguous, known.shared, known.flags, types)

    def types(self) -> Types:
        """Return the measurement types of the open group."""
        group = self._group
        if group.table is None:
            group.table = types_of(dict(group.types), group.ambiguous)
        return group.table

    def around(self) -> Around:
        """Return what all values of the open group have in common."""
        flags = self._group.flags if self._owner["ne_dn"] else (*self._group.flags, "no-element-name")
        return Around(self._group.shared, self._owner, flags)

    def _report(self, values: list[_Reported]) -> None:
        if self._object is not None:
            self._values += values
            return
        for value in values:
            self._refuse(value._replace(code="value-outside-object", reason="expected values only within <measValue>"))

    def _refuse(self, reported: _Reported) -> None:
        raw = reported.text.encode()
        self.facts.quarantine(reported.code, reported.reason, raw, line=reported.line)

    def _add_rows(self, values: Sequence[_Reported]) -> None:
        if not values:
            return
        names = [split_counter(reported.counter) for reported in values]
        around = self.around()
        flags = (*around.flags, *(["unreadable-suspect"] if self._suspect is None else []))
        shared = {
            **around.group,
            **around.owner,
            "obj_ldn": self._object or None,
            "obj_class": class_of(self._object or ""),
            "suspect": self._suspect,
        }
        varied: dict[str, Sequence[object]] = {
            "counter": [counter for counter, _ in names],
            "subcounter": [subcounter for _, subcounter in names],
            "value_i64": [reported.value.i64 for reported in values],
            "value_f64": [reported.value.f64 for reported in values],
            "vec": [reported.value.vec for reported in values],
            "null_reason": [reported.value.null_reason for reported in values],
            "dq_flags": [(*flags, reported.value.flag) if reported.value.flag else flags for reported in values],
        }
        self.facts.rows("pm_counters", len(values), shared, varied)


Elements.STARTS = MappingProxyType(
    {
        "fileHeader": Elements.start_header,
        "measData": Elements.start_data,
        "managedElement": Elements.start_element,  # TS 32.435
        "measEntity": Elements.start_element,  # TS 28.532
        "measuredEntity": Elements.start_element,
        "measInfo": Elements.start_group,
        "job": Elements.start_job,
        "granPeriod": Elements.start_period,
        "measValue": Elements.start_object,
    }
)
Elements.TEXTS = MappingProxyType(
    {
        "measType": Elements.read_type,
        "measTypes": Elements.read_types,
        "suspect": Elements.read_suspect,
        "r": Elements.read_value,
        "measResults": Elements.read_results,
    }
)


def _reported(counter: str, text: str, line: int) -> _Reported:
    value = read_value(text)
    if value is None:
        return _refused(text, line, "unreadable-value", "expected an integer, a real, a vector of integers or a blank")
    return _Reported(counter, value, text, line)


def _refused(text: str, line: int, code: str, reason: str) -> _Reported:
    return _Reported("", Value(), text, line, code, reason)
