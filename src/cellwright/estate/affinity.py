"""Workloads that must and must not share a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cellwright.errors import Mark
    from cellwright.estate.declarations import Declaration

    Wishes = Mapping[str, Mapping[str, Mark]]  # who names whom, and where


def torn_apart(workloads: Sequence[Declaration]) -> Iterator[Diagnostic]:
    """Yield each `apartFrom` that no placement can honour beside the `togetherWith` of the same workloads.

    Together is inherited: who must be where b is, and b where c is, must be where c is. Two workloads that must both be
    where a third is share its site only if the third has one replica.
    """
    together, apart = _wishes(workloads, "togetherWith"), _wishes(workloads, "apartFrom")
    single = {item.name for item in workloads if item.name and _has_one_replica(item)}
    reached: dict[str, Mapping[str, str]] = {}
    for name, others in apart.items():
        for other, mark in others.items():
            if name == other:
                hint = "spread: site keeps the replicas of one workload apart"
                yield Diagnostic("self-reference", f"{name} must be apart from itself", mark, "another workload", hint)
                continue
            for end in (name, other):
                if end not in reached:
                    reached[end] = _reached(end, together)
            if ways := _shared(name, other, reached, single):
                route = " and ".join(" -> ".join(way) for way in ways)
                first = together[ways[0][0]][ways[0][1]]
                message = f"{name} must be apart from {other}, but also together with it: {route}"
                hint = f"take one of the references out; together at {first}"
                yield Diagnostic("contradictory-affinity", message, mark, hint=hint)


def _wishes(workloads: Sequence[Declaration], key: str) -> dict[str, dict[str, Mark]]:
    found: dict[str, dict[str, Mark]] = {}
    for item in workloads:
        if item.name is not None:
            wishes = found.setdefault(item.name, {})
            for other, mark in item.texts("spec", key, "*"):
                wishes.setdefault(other, mark)
    return found


def _has_one_replica(workload: Declaration) -> bool:
    return all(
        isinstance(replicas, dict) and replicas.get("count", 1) == 1 and not {"perSite", "perHome"} & replicas.keys()
        for replicas, _ in workload.values("spec", "replicas")
    )


def _reached(start: str, together: Wishes) -> dict[str, str]:
    """Return every workload at whose sites `start` must be, itself among them, each with the one before on the way."""
    found = {start: start}
    pending = [start]
    for name in pending:
        for other in together.get(name, ()):
            if other not in found:
                found[other] = name
                pending.append(other)
    return found


def _shared(
    name: str, other: str, reached: Mapping[str, Mapping[str, str]], single: set[str]
) -> tuple[tuple[str, ...], ...]:
    """Return the ways along `togetherWith` that put the two at one site: from one to the other, or both to a third."""
    for one, two in ((name, other), (other, name)):
        if two in reached[one]:
            return (_way(two, reached[one]),)
    thirds = (third for third in reached[name] if third in single and third in reached[other])
    third = next(thirds, None)
    return (_way(third, reached[name]), _way(third, reached[other])) if third else ()


def _way(end: str, before: Mapping[str, str]) -> tuple[str, ...]:
    way = [end]
    while before[way[-1]] != way[-1]:
        way.append(before[way[-1]])
    return tuple(reversed(way))
