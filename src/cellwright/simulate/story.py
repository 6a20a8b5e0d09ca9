"""One simulated stretch of time, as every writer of telemetry is given it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from cellwright.simulate.faults import Fault
    from cellwright.simulate.network import Network
    from cellwright.simulate.subscribers import Subscribers


@dataclass(frozen=True, slots=True)
class Story:
    """Who is there, what goes wrong, and when; `seed` is where each writer's random numbers come from."""

    network: Network
    faults: tuple[Fault, ...]
    subscribers: Subscribers
    seed: int
    start: datetime
    end: datetime
