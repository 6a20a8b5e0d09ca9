"""Root-cause ranking: which alarm type, and where, most likely began an incident; deterministic and explained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.digest.alarms import JITTER_US, SEVERITIES
from cellwright.digest.notation import write_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.fold import Facts, TypeFacts
    from cellwright.digest.rank_precedence import Precedence

# Judgement, not a fit: a cause comes first, so onset weighs most; grave and lasting alarms, types that others follow on
# the same elements, and types confined to few of the elements are circumstance; what an element itself calls a root
# cause (rootCauseIndicator, TS 28.532) outweighs all that is inferred. Order and followers only guess at what explains
# what: where that was learned from the past, it has their weight in their place. What a digest calls the probable
# root was ranked first by all of this and the past: it outweighs the rest. Shares among the evidence that there is.
# Measured by bench/digest_rank.py on simulated faults and by bench/root_cause.py on real alarm lists.
WEIGHTS: Final = MappingProxyType(
    {
        "onset": 0.55,
        "followers": 0.1,
        "precedence": 0.65,
        "causes": 0.15,
        "severity": 0.15,
        "open": 0.1,
        "confined": 0.1,
        "flagged": 1.1,
        "stated": 2.2,
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason: how far it speaks for the candidate, 0..1, and what it rests on in words."""

    name: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An alarm type as the root cause, and the element where it began; score 0..1."""

    alarm_type: str
    element: str
    score: float
    evidence: tuple[Evidence, ...]


def rank(facts: Facts, precedence: Precedence | None = None, graph: CauseGraph | None = None) -> tuple[Candidate, ...]:
    """Return all alarm types of an incident, the likeliest root cause first; equal scores by onset.

    Uses only what a digest says; what it left out counts neither for nor against. What past incidents say of its types
    stands in place of the order of onsets in this one; a learned cause graph speaks beside it. Where no past is given,
    the probable root that the digest names comes first.
    """
    names = [kind.name for kind in facts.types]
    nets = precedence.nets(names) if precedence else {}
    causes = _causes(graph, names) if graph else {}
    facts = facts if precedence is None else replace(facts, root=None)
    elements = len(facts.elements())
    candidates = [_candidate(facts, position, elements, nets, causes) for position in range(len(facts.types))]
    return tuple(sorted(candidates, key=lambda each: -each.score))


def _candidate(
    facts: Facts, position: int, elements: int, nets: Mapping[str, float], causes: Mapping[str, Evidence]
) -> Candidate:
    kind = facts.types[position]
    learned = _precedence(nets[kind.name]) if kind.name in nets else None
    evidence = tuple(
        filter(
            None,
            (
                learned,
                causes.get(kind.name),
                None if learned or facts.start_s is None else _onset(facts.types, position),
                None if learned or facts.start_s is None else _followers(facts.types, position),
                _confined(elements, kind),
                _severity(kind),
                _open(kind),
                _flagged(facts, kind),
                _stated(facts, kind),
            ),
        )
    )
    total = sum(WEIGHTS[each.name] for each in evidence)
    score = sum(WEIGHTS[each.name] * each.value for each in evidence) / total
    return Candidate(kind.name, kind.occurrences[0].element, round(score, 6), evidence)


def _precedence(net: float) -> Evidence:
    """Return how far past incidents say that the type explains the others rather than they it."""
    words = f"in past incidents explains the others by {net:+.2f} on a scale of -1 to 1"
    return Evidence("precedence", (1 + net) / 2, words)


def _causes(graph: CauseGraph, names: Sequence[str]) -> Mapping[str, Evidence]:
    """Return what a cause graph says of each type that it knows, where it knows two or more of an incident."""
    codes = {name: code for name in names if (code := graph.code(name)) is not None}
    known = list(codes.values())
    others = len(known) - 1
    if others < 1:
        return {}
    edges = graph.edges[np.ix_(known, known)]
    one_way = edges & ~edges.T  # a pair that is kept both ways says nothing of the root
    return {
        name: Evidence("causes", (1 + (brings - brought) / others) / 2, _words(brings, brought, others))
        for name, brings, brought in zip(codes, one_way.sum(1).tolist(), one_way.sum(0).tolist(), strict=True)
    }


def _words(brings: int, brought: int, others: int) -> str:
    return f"as learned, brings about {brings} of {others} other types and is brought about by {brought}"


def _onset(types: Sequence[TypeFacts], position: int) -> Evidence:
    """Return how early the type began among all types; what began within the jitter of detection began together."""
    first = types[position].occurrences[0].first_us
    earlier = sum(_before(kind.occurrences[0].first_us, first) for kind in types[:position])
    after = "" if first is None else f", {write_seconds(first)} s after the start"
    value = 1 - earlier / max(len(types) - 1, 1)
    return Evidence("onset", value, f"number {earlier + 1} of {len(types)} types to begin{after}")


def _before(one_us: int | None, other_us: int | None) -> bool:
    """Return whether the first instant was clearly before the second; where one is not known, the order says so."""
    return one_us is None or other_us is None or other_us - one_us > JITTER_US


def _followers(types: Sequence[TypeFacts], position: int) -> Evidence | None:
    """Return the share of the other types that began later and have an element in common with this one."""
    others = len(types) - 1
    if not others:
        return None
    mine = {each.element for each in types[position].occurrences}
    following = sum(any(each.element in mine for each in kind.occurrences) for kind in types[position + 1 :])
    return Evidence("followers", following / others, f"{following} of {others} other types followed on its elements")


def _confined(elements: int, kind: TypeFacts) -> Evidence:
    """Return the share of the incident's elements that are not of this type: a cause has its place, effects spread."""
    mine = len(kind.occurrences)
    return Evidence("confined", 1 - mine / elements, f"on {mine} of {elements} elements")


def _severity(kind: TypeFacts) -> Evidence | None:
    if kind.severity is None:
        return None
    value = 1 - SEVERITIES.index(kind.severity) / (len(SEVERITIES) - 1)
    return Evidence("severity", value, f"severity {kind.severity.lower()}")


def _open(kind: TypeFacts) -> Evidence | None:
    states = [each.cleared for each in kind.occurrences]
    if None in states:
        return None
    return Evidence("open", states.count(False) / len(states), f"{states.count(False)} of {len(states)} not cleared")


def _flagged(facts: Facts, kind: TypeFacts) -> Evidence | None:
    """Return whether an element calls it a root cause; None where no element of the incident names any."""
    if not any(each.root_cause for other in facts.types for each in other.occurrences):
        return None
    flagged = sum(each.root_cause for each in kind.occurrences)
    return Evidence("flagged", float(flagged > 0), f"called the root cause by {flagged} of its elements")


def _stated(facts: Facts, kind: TypeFacts) -> Evidence | None:
    """Return whether the digest calls it the probable root; None where it names none."""
    if facts.root is None:
        return None
    is_root = kind.name == facts.root
    return Evidence("stated", float(is_root), f"its digest calls {'it' if is_root else 'another'} the probable root")
