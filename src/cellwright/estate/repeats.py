"""What is declared twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.errors import Mark


def twice(code: str, what: str, places: Iterable[tuple[str, Mark]]) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each key that occurred before; `what` continues after the key."""
    first: dict[str, Mark] = {}
    for key, mark in places:
        if key in first:
            yield Diagnostic(code, f"{key} {what}", mark, hint=f"first at {first[key]}")
        first.setdefault(key, mark)
