"""What mediation did, as its callers show it: no content, and names only as pseudonyms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.lake.record import FileState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.lake.record import FileRecord

_LOSSY = frozenset({FileState.PARTIAL, FileState.QUARANTINED, FileState.UNBALANCED, FileState.UNREADABLE})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file; counts are facts. A duplicate was in the lake before and was not stored again."""

    source: str
    file_id: str  # empty for a file that could not be read
    format: str | None
    state: FileState
    raw: int
    rows: int
    quarantined: int
    filtered: int
    reasons: Mapping[str, int]
    duplicate: bool = False

    @classmethod
    def of(cls, record: FileRecord, source: str, *, duplicate: bool) -> Outcome:
        """Return the outcome that the ledger's record states."""
        return cls(
            source,
            record.file_id,
            record.format,
            record.state,
            record.raw,
            record.rows,
            record.quarantined,
            record.filtered,
            record.reasons,
            duplicate,
        )

    @classmethod
    def unreadable(cls, source: str, reason: str) -> Outcome:
        """Return the outcome of a file of which nothing could be stored."""
        return cls(source, "", None, FileState.UNREADABLE, 0, 0, 0, 0, {reason: 0})


@dataclass(frozen=True, slots=True)
class MediationResult:
    """All outcomes, in the order of the sources."""

    outcomes: tuple[Outcome, ...]

    @property
    def raw(self) -> int:
        """Return the raw facts of all files."""
        return sum(outcome.raw for outcome in self.outcomes)

    @property
    def rows(self) -> int:
        """Return the rows of all files."""
        return sum(outcome.rows for outcome in self.outcomes)

    @property
    def quarantined(self) -> int:
        """Return the quarantined facts of all files."""
        return sum(outcome.quarantined for outcome in self.outcomes)

    @property
    def filtered(self) -> int:
        """Return the facts of all files that were left out on purpose."""
        return sum(outcome.filtered for outcome in self.outcomes)

    @property
    def reasons(self) -> dict[str, int]:
        """Return the files by the reasons for which facts, or they themselves, are not rows."""
        return dict(sorted(Counter(reason for outcome in self.outcomes for reason in outcome.reasons).items()))

    @property
    def partial(self) -> bool:
        """Return whether anything was quarantined, lost or unreadable, now or when a duplicate was stored.

        Files of no known format lie beside telemetry everywhere; where there is nothing else, nothing was understood.
        """
        states = {outcome.state for outcome in self.outcomes}
        return bool(states & _LOSSY) or states == {FileState.SKIPPED}
