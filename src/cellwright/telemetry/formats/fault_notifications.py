"""3GPP fault notifications (TS 28.532)."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.format import Batch


class FaultNotifications:
    """3GPP fault notifications (TS 28.532)."""

    name = "fault-notifications"

    def detects(self, head: bytes, name: str) -> bool:
        """Return whether the content is of this format."""
        return False

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of facts."""
        return 0

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches."""
        return iter(())
