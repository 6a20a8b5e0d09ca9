"""Templates: read from template sets, kept by exporter, and used to cut data sets into records.

Sources: RFC 7011 clauses 3.4 (template and options template records), 7 (variable length) and 8.1 (withdrawal);
RFC 3954 clauses 5.2, 6.1; Cisco, NetFlow Export Datagram Format, table B-4 (version 5 records).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.telemetry.formats.ipfix_elements import Element, element
from cellwright.telemetry.formats.netflow_limits import (
    FIELDS_KEPT,
    LARGEST_TEMPLATE_FIELDS,
    SMALLEST_ID,
    TEMPLATES_KEPT,
    VARIABLE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

V5, V9, IPFIX = 5, 9, 10
TEMPLATE_SETS: Final = {V9: (0, 1), IPFIX: (2, 3)}
"""Ids of sets that hold templates and options templates, by version."""
_SCOPES: Final = {1: "system", 2: "interface", 3: "lineCard", 4: "cache", 5: "template"}  # RFC 3954, 6.1
_ENTERPRISE_BIT: Final = 0x8000
_LONG_LENGTH: Final = 255


class BadTemplateError(Exception):
    """A template set holds something that is no template from here on."""


class Domain(NamedTuple):
    """Who speaks: exporter address, version of the protocol, observation domain."""

    exporter: str
    version: int
    number: int


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a template: its element and length in octets, `VARIABLE` when each record tells it."""

    element: Element
    size: int


@dataclass(frozen=True)  # not slotted: what is derived from the fields is worked out once
class Template:
    """The fields of a record in order; of an options template the first are scope."""

    fields: tuple[Field, ...]
    is_options: bool = False

    @cached_property
    def smallest(self) -> int:
        """Return the octets of the shortest record."""
        return sum(1 if field.size == VARIABLE else field.size for field in self.fields)

    @cached_property
    def _layout(self) -> struct.Struct | None:
        if any(field.size == VARIABLE for field in self.fields):
            return None
        return struct.Struct("".join(f"{field.size}s" for field in self.fields))

    def cut(self, data: bytes) -> tuple[list[tuple[bytes, ...]], int]:
        """Return (records as raw field values, where the last one ends).

        Fewer octets than the shortest record has behind that are padding; more mean that a record runs over the end.
        """
        if self._layout is not None:
            end = len(data) - len(data) % self.smallest
            return list(self._layout.iter_unpack(data[:end])), end
        records: list[tuple[bytes, ...]] = []
        at = 0
        while len(data) - at >= self.smallest and (record := self._record(data, at)):
            values, at = record
            records.append(values)
        return records, at

    def count(self, data: bytes) -> int | None:
        """Return how many records `cut` finds, None when one runs over the end."""
        if self._layout is not None:
            return len(data) // self.smallest
        records, end = self.cut(data)
        return len(records) if len(data) - end < self.smallest else None

    def _record(self, data: bytes, at: int) -> tuple[tuple[bytes, ...], int] | None:
        values = []
        for field in self.fields:
            size = field.size
            if size == VARIABLE:
                size, at = _length(data, at)
            values.append(data[at : at + size])
            at += size
            if at > len(data):
                return None
        return tuple(values), at


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return (length, where the value starts) of a value of variable length (RFC 7011, 7)."""
    if at < len(data) and data[at] < _LONG_LENGTH:
        return data[at], at + 1
    return int.from_bytes(data[at + 1 : at + 3]), at + 3


def _v5_template() -> Template:
    numbers = (8, 12, 15, 10, 14, 2, 1, 22, 21, 7, 11, 210, 6, 4, 5, 16, 17, 9, 13, 210)
    sizes = (4, 4, 4, 2, 2, 4, 4, 4, 4, 2, 2, 1, 1, 1, 1, 2, 2, 1, 1, 2)
    return Template(tuple(Field(element(0, number), size) for number, size in zip(numbers, sizes, strict=True)))


V5_TEMPLATE: Final = _v5_template()
"""The one record of NetFlow v5, named by the elements that mean the same."""


def read_templates(version: int, data: bytes, *, is_options: bool) -> Iterator[tuple[int, Template | None]]:
    """Yield (id, template) of a template set's body, None for a withdrawal; raises BadTemplateError where none follows.

    The id of a withdrawal of all templates is that of the set (RFC 7011, 8.1).
    """
    at = 0
    while len(data) - at >= 4:  # noqa: PLR2004 - fewer are padding
        number, count = struct.unpack_from(">HH", data, at)
        if not number and not any(data[at:]):
            return  # padding too
        if version == IPFIX and count == 0 and (number >= SMALLEST_ID or number == 2 + is_options):
            yield number, None
            at += 4
            continue
        if number < SMALLEST_ID:
            raise BadTemplateError
        fields, at = _fields(version, data, at, is_options=is_options)
        template = Template(fields, is_options)
        if not template.smallest:
            raise BadTemplateError
        yield number, template


def _fields(version: int, data: bytes, at: int, *, is_options: bool) -> tuple[tuple[Field, ...], int]:
    """Return (fields, where they end) of a template record at `at`."""
    try:
        scopes, count = 0, struct.unpack_from(">H", data, at + 2)[0]
        at += 4
        if is_options:
            second = struct.unpack_from(">H", data, at)[0]
            at += 2
            scopes, count = (second, count) if version == IPFIX else _v9_counts(count, second)
        if not 0 < count <= LARGEST_TEMPLATE_FIELDS or (is_options and version == IPFIX and not 0 < scopes <= count):
            raise BadTemplateError
        fields = []
        for index in range(count):
            field, at = _field(version, data, at, is_scope=index < scopes)
            fields.append(field)
    except struct.error as error:
        raise BadTemplateError from error
    return tuple(fields), at


def _v9_counts(scope_bytes: int, option_bytes: int) -> tuple[int, int]:
    """Return (scope fields, all fields) of a NetFlow v9 options template, which says their octets (RFC 3954, 6.1)."""
    if scope_bytes % 4 or option_bytes % 4:
        raise BadTemplateError
    return scope_bytes // 4, (scope_bytes + option_bytes) // 4


def _field(version: int, data: bytes, at: int, *, is_scope: bool) -> tuple[Field, int]:
    number, size = struct.unpack_from(">HH", data, at)
    at += 4
    if version == V9:
        if is_scope:
            return Field(Element(f"scope.{_SCOPES.get(number, number)}", "unsigned32"), size), at
        return Field(element(0, number), size), at
    if number & _ENTERPRISE_BIT:
        enterprise = struct.unpack_from(">I", data, at)[0]
        return Field(element(enterprise, number & ~_ENTERPRISE_BIT), size), at + 4
    return Field(element(0, number), size), at


class Templates:
    """The templates known so far."""

    def __init__(self) -> None:
        self._known: dict[Domain, dict[int, Template]] = {}
        self._count = self._fields = 0

    def find(self, domain: Domain, number: int) -> Template | None:
        """Return the template of a data set, None when it is not known."""
        return self._known.get(domain, {}).get(number)

    def define(self, domain: Domain, number: int, template: Template) -> bool:
        """Keep a template, in place of any other of its id; return False when there is no room."""
        before = self.find(domain, number)
        if before == template:
            return True
        fields = self._fields + len(template.fields) - (len(before.fields) if before else 0)
        count = self._count + (before is None)
        if fields > FIELDS_KEPT or count > TEMPLATES_KEPT:
            return False
        self._known.setdefault(domain, {})[number] = template
        self._fields, self._count = fields, count
        return True

    def withdraw(self, domain: Domain, number: int, *, is_options: bool) -> None:
        """Forget a template, or with the id of a template set all of its kind."""
        known = self._known.get(domain, {})
        gone = [number] if number >= SMALLEST_ID else [key for key in known if known[key].is_options is is_options]
        for key in gone:
            template = known.pop(key, None)
            if template is not None:
                self._count -= 1
                self._fields -= len(template.fields)
