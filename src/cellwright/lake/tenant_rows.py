"""A lake as one tenant may see it: its own rows, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from cellwright.lake.folder import Kept, Lake
    from cellwright.lake.query import QueryLimits


class TenantRows:
    """The rows of one tenant in an open lake; closing it stays with whoever opened it."""

    def __init__(self, lake: Lake, tenant: str) -> None:
        self._lake = lake
        self._own = pc.field("tenant") == tenant

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - as the lake has it
        kept: Kept | None = None,
    ) -> pa.Table:
        """Return the rows of a table that satisfy `filter`, and are kept, in the order of the lake."""
        return self._lake.read(table, columns, self._own if filter is None else self._own & filter, kept)

    def query(self, sql: str, limits: QueryLimits | None = None) -> pa.Table:
        """Return what a SELECT finds in the rows of the tables; raise UsageError for one that cannot be answered."""
        return self._lake.query(sql, self._own, limits)
