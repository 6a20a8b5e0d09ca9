"""The protocol every telemetry format implements, and the batches it yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One piece of input that did not become rows; it stands for `facts` facts from `ordinal` on."""

    ordinal: int
    facts: int
    line: int | None  # 1-based line in the file, None where the format has no lines
    code: str  # kebab-case
    reason: str  # never quotes content: it is shown and logged
    raw: bytes  # the piece itself, kept encrypted


@dataclass(frozen=True, slots=True)
class Filtered:
    """Facts a format leaves out on purpose, from `ordinal` on, with the declared reason."""

    ordinal: int
    facts: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch: rows for tables in the schema `lake.schema.FACTS[table]`, and what became none.

    Strings of which there are few may come as `lake.schema.ENCODED`.
    """

    tables: dict[str, pa.RecordBatch] = field(default_factory=dict)
    quarantined: tuple[Quarantined, ...] = ()
    filtered: tuple[Filtered, ...] = ()


class Format(Protocol):
    """One telemetry format. Ordinals of rows, quarantined and filtered facts partition 0..count_facts-1.

    `parse` never raises on bad content: it quarantines what it cannot read and keeps the good part.
    """

    name: str

    def detects(self, head: bytes, name: str) -> bool:
        """Return whether the first 64 KiB and the file name look like this format."""
        ...

    def count_facts(self, stream: BinaryIO) -> int:
        """Return how many facts the raw input holds, counted without the parser: the conservation check's oracle."""
        ...

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield micro-batches in file order."""
        ...
