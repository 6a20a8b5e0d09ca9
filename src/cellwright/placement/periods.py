"""The periods of the day between which nothing starts or stops, cut where the windows of workloads begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwright.estate.model import Window

_DAY_MIN: Final = 1440


class Periods:
    """The periods of one day, UTC, in order from the first cut after midnight on; one where no window cuts the day."""

    def __init__(self, windows: Iterable[Window]) -> None:
        cuts = sorted({minute for window in windows for minute in (window.start_min, window.end_min)})
        self.starts: tuple[int, ...] = tuple(cuts) or (0,)  # minutes after midnight

    def __len__(self) -> int:
        return len(self.starts)

    def within(self, window: Window | None) -> tuple[int, ...]:
        """Return the periods that lie in a window, all of them where there is none."""
        everything = range(len(self.starts))
        if window is None:
            return tuple(everything)
        length = (window.end_min - window.start_min) % _DAY_MIN
        return tuple(each for each in everything if (self.starts[each] - window.start_min) % _DAY_MIN < length)
