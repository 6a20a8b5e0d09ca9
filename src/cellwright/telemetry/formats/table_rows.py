"""Turns records of a mapped table into facts: rows by the readers of the mapping's columns, or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cellwright.telemetry.formats.delimited_columns import column_readers
from cellwright.telemetry.formats.facts import BATCH_FACTS

if TYPE_CHECKING:
    from cellwright.telemetry.formats.delimited_columns import Reader
    from cellwright.telemetry.formats.delimited_mapping import Mapping
    from cellwright.telemetry.formats.facts import FactBuffer


class Refusal(NamedTuple):
    """Why a record is no row."""

    code: str
    reason: str


class TableRows:
    """The rows of one file on their way into the facts; they are added together, before the next refusal."""

    def __init__(self, mapping: Mapping) -> None:
        self._table = mapping.spec.table
        self._shared: dict[str, object] = {"vendor": mapping.spec.vendor, "dq_flags": mapping.spec.dq_flags}
        self._readers: tuple[tuple[str, Reader], ...] = column_readers(mapping.spec)
        self._waiting: list[list[object]] = []

    def add(self, facts: FactBuffer, record: list[str] | Refusal, raw: bytes, line: int | None) -> None:
        """Add a record, given as its fields in the order of the mapping's header."""
        ordinal = facts.ordinal + len(self._waiting)
        read = record if isinstance(record, Refusal) else self._read(record, ordinal)
        if isinstance(read, Refusal):
            self.settle(facts)
            facts.quarantine(read.code, read.reason, raw, line=line)
            return
        self._waiting.append(read)
        if len(self._waiting) == BATCH_FACTS:
            self.settle(facts)

    def settle(self, facts: FactBuffer) -> None:
        """Add the rows that wait."""
        if self._waiting:
            targets = [target for target, _ in self._readers]
            varied = dict(zip(targets, zip(*self._waiting, strict=True), strict=True))
            facts.rows(self._table, len(self._waiting), self._shared, varied)
            self._waiting = []

    def _read(self, cells: list[str], ordinal: int) -> list[object] | Refusal:
        values: list[object] = []
        for target, read in self._readers:
            try:
                values.append(read(cells, ordinal))
            except ValueError as error:
                return Refusal("unreadable-field", f"{target}: {error}")
        return values
