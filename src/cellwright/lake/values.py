"""Rows of a query as JSON says them."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

_EXACT: Final = 1 << 53  # integers from here on are no exact numbers to most readers of JSON


def rows(found: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; maps become objects, numbers that JSON cannot hold exactly become text."""
    for batch in found.to_batches():
        yield from map(plain, batch.to_pylist(maps_as_pydicts="lossy"))


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value of a query as JSON says it."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return int(value) if value == int(value) and -_EXACT < value < _EXACT else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | str | float) else str(value)
