"""Counts the facts of flow messages from the lengths in headers and templates: the oracle of the parser.

It shares the rules of `netflow_limits` with the parser and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.netflow_limits import (
    FIELDS_KEPT,
    LARGEST_TEMPLATE_FIELDS,
    SMALLEST_ID,
    TEMPLATES_KEPT,
    VARIABLE,
    WAITING_BYTES,
    WAITING_SETS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADERS: Final = {5: 24, 9: 20, 10: 16}
_V5_RECORD: Final = 48
_LONG: Final = 255

_Scope = tuple[str, int, int]
_Key = tuple[_Scope, int]


class FlowCounter:
    """The number of facts of the datagrams added so far."""

    def __init__(self) -> None:
        self.facts = 0
        self._sizes: dict[_Key, tuple[int, ...]] = {}  # of the fields of each template
        self._options: set[_Key] = set()
        self._fields = 0
        self._waiting: dict[_Key, list[bytes]] = {}
        self._waiting_sets = self._waiting_bytes = 0

    def facts_in_all(self) -> int:
        """Return the number of facts once every datagram was added: a set that still waits is one."""
        return self.facts + self._waiting_sets

    def add(self, exporter: str, payload: bytes) -> None:
        """Count one datagram."""
        version = _word(payload, 0)
        header = _HEADERS.get(version)
        if header is None or len(payload) < header:
            self.facts += 1
        elif version == 5:  # noqa: PLR2004 - the version says itself
            self.facts += _count_v5(_word(payload, 2), len(payload) - header)
        else:
            before = self.facts + self._waiting_sets
            length = _word(payload, 2) if version == 10 else len(payload)  # noqa: PLR2004 - as above
            if length >= header:
                number = int.from_bytes(payload[header - 4 : header])
                self._walk((exporter, version, number), payload, header, length)
            self.facts += self.facts + self._waiting_sets == before

    def _walk(self, scope: _Scope, payload: bytes, at: int, length: int) -> None:
        end = min(length, len(payload))
        while at + 4 <= end and 4 <= (size := _word(payload, at + 2)) <= end - at:  # noqa: PLR2004 - a set's header
            self._add_set(scope, _word(payload, at), payload[at + 4 : at + size])
            at += size
        self.facts += length > len(payload) or payload[at:end].strip(b"\0") != b""
        self.facts += length < len(payload)

    def _add_set(self, scope: _Scope, number: int, body: bytes) -> None:
        templates = 0 if scope[1] == 9 else 2  # noqa: PLR2004 - the version says itself
        key = (scope, number)
        if number in {templates, templates + 1}:
            self.facts += 1
            self._learn(scope, body, number)
        elif number < SMALLEST_ID or not body:
            self.facts += 1
        elif key in self._sizes:
            self.facts += _count_records(self._sizes[key], body)
        elif self._waiting_sets < WAITING_SETS and self._waiting_bytes + len(body) + 4 <= WAITING_BYTES:
            self._waiting.setdefault(key, []).append(body)
            self._waiting_sets += 1
            self._waiting_bytes += len(body) + 4
        else:
            self.facts += 1

    def _learn(self, scope: _Scope, body: bytes, kind: int) -> None:
        """Take in the sizes of a template set's fields, as far as it can be read."""
        version, is_options = scope[1], kind % 2 == 1
        at = 0
        while at + 4 <= len(body):
            number, count = _word(body, at), _word(body, at + 2)
            if version == 10 and count == 0 and (number >= SMALLEST_ID or number == kind):  # noqa: PLR2004 - as above
                self._forget(scope, number, is_options=is_options)
                at += 4
                continue
            start, count = _extent(body, at, version, is_options=is_options)
            sizes, at = _read_sizes(body, start, count, has_enterprises=version == 10)  # noqa: PLR2004 - as above
            if number < SMALLEST_ID or not sum(sizes):
                return
            self._keep((scope, number), sizes, is_options=is_options)

    def _keep(self, key: _Key, sizes: tuple[int, ...], *, is_options: bool) -> None:
        before = self._sizes.get(key)
        fields = self._fields + len(sizes) - len(before or ())
        if (before is None and len(self._sizes) >= TEMPLATES_KEPT) or fields > FIELDS_KEPT:
            return
        self._fields = fields
        self._sizes[key] = sizes
        (self._options.add if is_options else self._options.discard)(key)
        for body in self._waiting.pop(key, []):
            self._waiting_sets -= 1
            self._waiting_bytes -= len(body) + 4
            self.facts += _count_records(sizes, body)

    def _forget(self, scope: _Scope, number: int, *, is_options: bool) -> None:
        gone = [key for key in self._sizes if key[0] == scope] if number < SMALLEST_ID else [(scope, number)]
        for key in gone:
            if number >= SMALLEST_ID or (key in self._options) == is_options:
                self._fields -= len(self._sizes.pop(key, ()))


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2]) if at + 2 <= len(data) else -1


def _count_v5(said: int, rest: int) -> int:
    there = min(said, rest // _V5_RECORD)
    return max(1, there + (there < said or rest > there * _V5_RECORD))


def _extent(body: bytes, at: int, version: int, *, is_options: bool) -> tuple[int, int]:
    """Return (where the fields of a template start, how many there are), 0 when it is none."""
    count, third = _word(body, at + 2), _word(body, at + 4)
    if not is_options:
        return at + 4, count
    if version == 9:  # noqa: PLR2004 - the version says itself
        return at + 6, 0 if third < 0 or count % 4 or third % 4 else (count + third) // 4
    return at + 6, count if 0 < third <= count else 0


def _read_sizes(body: bytes, at: int, count: int, *, has_enterprises: bool) -> tuple[tuple[int, ...], int]:
    """Return (sizes of the fields, where they end), no sizes when the template cannot be read."""
    sizes = []
    if count > LARGEST_TEMPLATE_FIELDS:
        return (), at
    for _ in range(count):
        long = has_enterprises and _word(body, at) >> 15 == 1
        size = _word(body, at + 2)
        at += 8 if long else 4
        if size < 0 or at > len(body):
            return (), at
        sizes.append(size)
    return tuple(sizes), at


def _count_records(sizes: Sequence[int], body: bytes) -> int:
    """Return the facts of a data set: its records, one more for what is damaged, and never none."""
    least = sum(1 if size == VARIABLE else size for size in sizes)
    if VARIABLE not in sizes:
        return max(1, len(body) // least)
    count = at = 0
    while len(body) - at >= least:
        for size in sizes:
            told = size
            if size == VARIABLE:
                told = body[at] if at < len(body) else _LONG
                at += 1 if told < _LONG else 3
                if told >= _LONG:
                    told = int.from_bytes(body[at - 2 : at])
            at += told
        count += 1  # also the last, when it runs over the end
    return max(1, count)
