"""The table of files and what became of their facts, as mediation and the lake's balance print it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.cli import console
from cellwright.cli.plans import number

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTS: Final = ("raw", "rows", "quarantined", "filtered")
_MOST_ROWS: Final = 40


def print_counts(items: Iterable[tuple[str, str, object]]) -> None:
    """Print a line for each file, the largest first."""
    ranked = sorted(items, key=lambda item: (-getattr(item[2], "raw"), item[0]))  # noqa: B009 - two types of record
    rows = [
        (name, form, *(number(getattr(item, count), 0) for count in COUNTS), _reasons(item))
        for name, form, item in ranked[:_MOST_ROWS]
    ]
    console.table(None, ("file", "format", *COUNTS, "why"), rows, COUNTS)
    if len(ranked) > len(rows):
        console.say(f"and {len(ranked) - len(rows)} smaller files; -o json lists all")


def _reasons(item: object) -> str:
    reasons: dict[str, int] = getattr(item, "reasons", {})
    return ", ".join(reasons)
