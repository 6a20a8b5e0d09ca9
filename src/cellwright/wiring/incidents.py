"""From the lake's alarms to digests, each with the beginning of its raw events, and to what they teach about causes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import alarms_of
from cellwright.digest.causes import ACCEPTED_NATS, CauseGraph, learn
from cellwright.digest.causes_artefact import to_bytes
from cellwright.digest.causes_onsets import columns_of
from cellwright.digest.compose import BUDGET_TOKENS, Digest, digest_incident
from cellwright.digest.render_ves import render_ves
from cellwright.digest.storms import incidents
from cellwright.digest.tokens import token_counter
from cellwright.errors import CellwrightError, Diagnostic, Mark, UsageError
from cellwright.lake import open_lake
from cellwright.wiring.files import read_text, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwright.lake import Address
    from cellwright.wiring.progress import Progress

_EXCERPT_EVENTS: Final = 3
_LINKS_HEADER: Final = ["element", "neighbour"]


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


def learn_causes(place: Path | Address, out: Path, links: Path | None) -> CauseGraph:
    """Write the cause graph that a lake's alarms teach to `out`, and return it.

    `links` is a CSV of adjacent elements by distinguished name. Raises UsageError where there is too little to learn
    from, and CellwrightError, with nothing written, where the graph foretells alarms no better than constant rates do.
    """
    with open_lake(place) as lake:
        columns, elements = columns_of(alarms_of(lake.read("alarm_events")))
    graph = learn(columns, topology=None if links is None else _links(links, elements))
    if not graph.quality.accepted:
        raise CellwrightError.of(
            "not-accepted",
            f"what {place} teaches foretells its last alarms no better than constant rates do; nothing was written",
            expected=f"a gain above {ACCEPTED_NATS:.1f} nats in all",
            cause=f"{graph.quality.gain_nats * graph.quality.tested:.1f} nats over {graph.quality.tested} onsets",
            hint="learn from a longer time",
        )
    write_atomically(out, to_bytes(graph).decode())
    return graph


def _links(path: Path, elements: Mapping[str, tuple[int, ...]]) -> list[tuple[int, int]]:
    """Return the links between elements that have alarms; raise UsageError with all lines that are no links."""
    rows = list(csv.reader(read_text(path).splitlines()))
    problems = [
        Diagnostic("not-a-link", f"{len(row)} columns", Mark(str(path), line, 1), "element,neighbour")
        for line, row in enumerate(rows[1:], 2)
        if len(row) != len(_LINKS_HEADER)
    ]
    if rows[:1] != [_LINKS_HEADER]:
        problems.insert(
            0, Diagnostic("no-header", "the first line is no header", Mark(str(path), 1, 1), "element,neighbour")
        )
    if problems:
        raise UsageError(*problems)
    return [
        (one, other)
        for element, neighbour in rows[1:]
        for one in elements.get(element, ())
        for other in elements.get(neighbour, ())
    ]
