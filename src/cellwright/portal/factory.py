"""What the portal asks of the factory it shows; wiring fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.explain import WhyNot
    from cellwright.report.model import FactoryReport


class Factory(Protocol):
    """A running factory as its pages see it: values, read anew for each request; nothing can be changed through it.

    Each method may raise CellwrightError, whose sentences the reader is shown.
    """

    def estate(self) -> Estate:
        """Return the estate that the plan was made from."""

    def report(self) -> FactoryReport:
        """Return the plan and what has been measured so far."""

    def why_not(self, workload: str, site: str) -> WhyNot:
        """Return what stands against a workload at a site; raise UsageError naming the nearest valid name."""
