"""CSV: tables of sites, machines and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError
from cellwright.inventory.complete import complete
from cellwright.inventory.model import Network, Role
from cellwright.inventory.tables import join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.inventory.model import Imported, Options, Source


class Tables:
    """Reads delimited tables; the header names the columns."""

    name = "csv"
    reads = "tables of sites, machines and links: --sites FILE, --nodes FILE, --links FILE"

    def documents(self, texts: Sequence[Source], options: Options) -> Imported:
        """Return the documents of the tables."""
        if not any(source.role is Role.SITES for source in texts) or any(s.role is Role.INVENTORY for s in texts):
            raise UsageError.of(
                "no-site-table",
                "tables are named by what they hold",
                expected="--sites FILE, and --nodes FILE and --links FILE where there are such",
            )
        return complete(join(Network(), texts, options), options)


INVENTORY: Final = Tables()
