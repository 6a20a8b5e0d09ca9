"""What every telemetry format must do, and its outcome in a form that can be compared."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cellwright.lake.schema import FACTS, is_of

if TYPE_CHECKING:
    from cellwright.telemetry.format import Filtered, Format, Quarantined

ROOT = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("CELLWRIGHT_DATA") or ROOT.parent / "shared" / "data")


def public_data(name: str) -> Path:
    """Return a file or folder of the public data, or skip the test and say so."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no public data at {path}: set CELLWRIGHT_DATA")
    return path


class Trickle(io.BytesIO):
    """A stream that hands out a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))


@dataclass
class Outcome:
    """Everything a format said of one file."""

    facts: int
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    filtered: list[Filtered] = field(default_factory=list)

    def ordinals(self) -> list[int]:
        spans = [(item.ordinal, item.facts) for item in [*self.quarantined, *self.filtered]]
        inside = [number for start, count in spans for number in range(start, start + count)]
        return sorted([row["ordinal"] for rows in self.rows.values() for row in rows] + inside)

    def only(self, table: str) -> list[dict[str, Any]]:
        assert set(self.rows) <= {table}
        return self.rows.get(table, [])

    def codes(self) -> list[tuple[str, int, int | None]]:
        return [(item.code, item.facts, item.line) for item in self.quarantined]

    def golden(self) -> dict[str, Any]:
        return {
            "facts": self.facts,
            "rows": {table: [_shown(row) for row in rows] for table, rows in self.rows.items()},
            "quarantined": [
                {"ordinal": q.ordinal, "facts": q.facts, "line": q.line, "code": q.code, "reason": q.reason}
                for q in self.quarantined
            ],
            "filtered": [{"ordinal": f.ordinal, "facts": f.facts, "reason": f.reason} for f in self.filtered],
        }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None and value != []
    }


def read(telemetry_format: Format, data: bytes, stream: type[io.BytesIO] = io.BytesIO) -> Outcome:
    outcome = Outcome(telemetry_format.count_facts(stream(data)))
    for batch in telemetry_format.parse(stream(data)):
        for table, rows in batch.tables.items():
            assert is_of(rows.schema, FACTS[table])
            rows.validate(full=True)
            outcome.rows.setdefault(table, []).extend(rows.cast(FACTS[table]).to_pylist())
        outcome.quarantined += batch.quarantined
        outcome.filtered += batch.filtered
    return outcome


def check_conservation(telemetry_format: Format, data: bytes) -> Outcome:
    """Read any bytes: no exception, and every fact of the raw input becomes exactly one thing."""
    outcome = read(telemetry_format, data)
    assert outcome.ordinals() == list(range(outcome.facts))
    return outcome


def mutated(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Return the data with stretches replaced: (position, length, replacement), positions taken modulo the length."""
    for position, length, replacement in edits:
        start = position % (len(data) + 1)
        data = data[:start] + replacement + data[start + length :]
    return data
