"""From the lake's alarms to digests, each with its probable roots and the beginning of the raw events behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import alarms_of
from cellwright.digest.causes_artefact import from_bytes
from cellwright.digest.compose import BUDGET_TOKENS, Digest, digest_incident
from cellwright.digest.correlate import correlated
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.fold import fold
from cellwright.digest.ledger import content_hash
from cellwright.digest.notation import incident_name
from cellwright.digest.rank import rank
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.digest.render_ves import render_ves
from cellwright.digest.storms import incidents
from cellwright.digest.tokens import token_counter
from cellwright.errors import UsageError, nearest
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    from cellwright.digest.beside import Beside
    from cellwright.digest.causes_artefact import Learned
    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.rank import Candidate
    from cellwright.digest.rank_precedence import Precedence
    from cellwright.digest.storms import Incident
    from cellwright.digest.tokens import TokenCounter
    from cellwright.lake.address import Address
    from cellwright.wiring.progress import Progress

_EXCERPT_EVENTS: Final = 3
_LEAST_ROOM: Final = 400  # tokens, for counters and logs
_LEAST_LETTERS: Final = 8  # of a hash that is cut


@dataclass(frozen=True, slots=True)
class Storyline:
    """A digest, its alarm types as root causes, likeliest first, and the first of its raw events as a VES batch."""

    incident: Incident
    digest: Digest
    roots: tuple[Candidate, ...]
    raw_excerpt: str
    beside: Beside  # what counters and logs say, in the tokens that the digest leaves

    @property
    def text(self) -> str:
        """Return all that is told of the incident: the digest, and each section behind an empty line."""
        return self.digest.text + self.beside.text

    @property
    def tokens(self) -> int:
        """Return the tokens of the text, as counted for its sections one by one."""
        return self.digest.tokens + self.beside.tokens


@dataclass(frozen=True, slots=True)
class Known:
    """What incidents are joined and ranked by: what was declared, and what the lake's past says."""

    surroundings: Surroundings
    precedence: Precedence
    learned: Learned | None = None  # by `digest learn`


def learn(alarms: pa.Table, topology: Topology | None, counter: TokenCounter) -> tuple[Known, tuple[Incident, ...]]:
    """Return what a lake's alarms say of its alarm types, and the incidents that they make.

    With a topology, lags between alarm types are learned first, and incidents joined by both.
    """
    if topology is None:
        plain = tuple(incidents(alarms, counter))
        return Known(Surroundings(), learn_precedence(each.alarms for each in plain)), plain
    past = correlated(alarms_of(alarms), Surroundings(topology))
    precedence = learn_precedence(each.alarms for each in past)
    known = Known(Surroundings(topology, precedence.lags()), precedence)
    return known, tuple(incidents(alarms, counter, known.surroundings))


def tell(incident: Incident, known: Known, budget: int, counter: TokenCounter, evidence: Evidence) -> Storyline:
    """Return the digest of an incident, its roots, and its raw beginning."""
    salience = known.learned.salience if known.learned else None
    roots = roots_of(incident, known)
    digest = digest_incident(incident, budget=budget, count=counter, root=roots[0].alarm_type)
    room = min(budget - digest.tokens, max(_LEAST_ROOM, digest.tokens))  # what stands beside the alarms is no longer
    sections = evidence.beside(incident, room=room, count=counter, salience=salience)
    return Storyline(incident, digest, roots, render_ves(incident.alarms[:_EXCERPT_EVENTS]), sections)


def roots_of(incident: Incident, known: Known) -> tuple[Candidate, ...]:
    """Return the alarm types of an incident, the likeliest root first, by all of it: whatever a budget leaves out."""
    return rank(fold(incident.alarms, ""), known.precedence, known.learned.causes if known.learned else None)


def load_causes(path: Path) -> Learned:
    """Return what `cellwright digest learn` wrote; raise UsageError or StorageError for what is none."""
    with storage_errors("read", path):
        return from_bytes(path.read_bytes(), str(path))


def digest_lake(  # noqa: PLR0913 - what digests are asked for with
    place: Path | Address,
    progress: Progress,
    budget: int = BUDGET_TOKENS,
    topology: Topology | None = None,
    causes: Learned | None = None,
    *,
    only: str | None = None,
) -> tuple[Storyline, ...]:
    """Return the digests of all incidents of a lake, or of the one that `only` names, by name or hash.

    Raises StorageError when there is no lake at `place`, and UsageError where no incident has that name.
    """
    counter = token_counter()
    with open_lake(place) as lake:
        alarms = lake.read("alarm_events")
        known, found = learn(alarms, topology, counter)
        known = replace(known, learned=causes)
        if only is not None:
            found = (_named(only, found),)
        evidence = Evidence(lake, found)
    told: list[Storyline] = []
    done, events = 0, sum(len(incident.alarms) for incident in found)
    with progress("digest") as advance:
        for incident in found:
            told.append(tell(incident, known, budget, counter, evidence))
            done += len(incident.alarms)
            advance(done, events)
    return tuple(told)


def bears(sha256: str, wanted: str) -> bool:
    """Return whether `wanted` is the name of what has this hash, or eight letters or more of the hash."""
    return wanted == incident_name(sha256) or (len(wanted) >= _LEAST_LETTERS and sha256.startswith(wanted.lower()))


def no_such_digest(wanted: str, names: Iterable[str]) -> UsageError:
    """Return what to raise where no digest bears the name or hash that is wanted."""
    return UsageError.of(
        "no-such-digest",
        f"no digest of this lake bears {wanted!r}",
        expected="the name of an incident or log, or eight letters or more of its sha256 from -o json",
        hint=nearest(wanted, names)
        or "other alarms and another --topology make other incidents; `cellwright digest` tells their names as of now",
    )


def _named(wanted: str, found: Iterable[Incident]) -> Incident:
    names = []
    for incident in found:
        sha256 = content_hash(incident.alarms)
        if bears(sha256, wanted):
            return incident
        names.append(incident_name(sha256))
    raise no_such_digest(wanted, names)
