"""A FactBuffer for formats that find their rows one by one: it adds neighbours of one table together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.lake.schema import FACTS
from cellwright.telemetry.formats.facts import BATCH_FACTS, FactBuffer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.telemetry.format import Batch


class GatheredFacts:
    """Rows, quarantined and filtered facts in the order of their ordinals, as FactBuffer numbers them.

    Adding rows one by one to a FactBuffer costs three times as much.
    """

    def __init__(self) -> None:
        self._facts = FactBuffer()
        self._table = ""
        self._waiting: list[Mapping[str, object]] = []

    @property
    def ordinal(self) -> int:
        """Return the ordinal of the next fact."""
        return self._facts.ordinal + len(self._waiting)

    def row(self, table: str, values: Mapping[str, object]) -> None:
        """Add one row; absent columns are null."""
        if table != self._table or len(self._waiting) == BATCH_FACTS:
            self._settle()
            self._table = table
        self._waiting.append(values)

    def quarantine(self, code: str, reason: str, raw: bytes, *, facts: int = 1, line: int | None = None) -> None:
        """Set a piece of input aside; facts 0: the file is damaged where it holds no fact."""
        self._settle()
        self._facts.quarantine(code, reason, raw, facts=facts, line=line)

    def leave_out(self, reason: str, *, facts: int = 1) -> None:
        """Count facts as left out on purpose."""
        self._settle()
        self._facts.leave_out(reason, facts=facts)

    def full(self) -> bool:
        """Return whether a micro-batch is due."""
        if len(self._waiting) >= BATCH_FACTS:
            self._settle()
        return self._facts.full()

    def take(self) -> Iterator[Batch]:
        """Yield what was collected since the last call as one batch, nothing when there is nothing."""
        self._settle()
        yield from self._facts.take()

    def _settle(self) -> None:
        if not self._waiting:
            return
        names = [name for name in FACTS[self._table].names if name != "ordinal"]
        varied = {name: [row.get(name) for row in self._waiting] for name in names}
        varied["dq_flags"] = [flags or () for flags in varied["dq_flags"]]
        self._facts.rows(self._table, len(self._waiting), {}, varied)
        self._waiting = []
