"""From the lake's alarms to digests, each with the beginning of the raw events it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.compose import BUDGET_TOKENS, Digest, digest_incident
from cellwright.digest.render_ves import render_ves
from cellwright.digest.storms import incidents
from cellwright.digest.tokens import token_counter
from cellwright.lake import open_lake

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.lake import Address
    from cellwright.wiring.progress import Progress

_EXCERPT_EVENTS: Final = 3


@dataclass(frozen=True, slots=True)
class Storyline:
    """A digest, and the first of its raw events as a VES batch."""

    digest: Digest
    raw_excerpt: str


def digest_lake(place: Path | Address, progress: Progress, budget: int = BUDGET_TOKENS) -> tuple[Storyline, ...]:
    """Return the digests of all incidents of a lake; raise StorageError when there is no lake at `place`."""
    with open_lake(place) as lake:
        alarms = lake.read("alarm_events")
    counter = token_counter()
    found: list[Storyline] = []
    done = 0
    with progress("digest") as advance:
        for incident in incidents(alarms, counter):
            excerpt = render_ves(incident.alarms[:_EXCERPT_EVENTS])
            found.append(Storyline(digest_incident(incident, budget=budget, count=counter), excerpt))
            done += len(incident.alarms)
            advance(done, alarms.num_rows)
    return tuple(found)
