"""Circles in a directed graph, found without recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def cycles(edges: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Return one cycle for each edge that closes one in a depth-first walk, in the order of the mapping.

    A cycle `(a, b)` stands for a -> b -> a. Takes time linear in nodes, edges and the cycles' lengths.
    """
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in edges:
        if start not in done:
            found.extend(_walk(start, edges, done))
    return tuple(found)


def _walk(start: str, edges: Mapping[str, Iterable[str]], done: set[str]) -> Iterator[tuple[str, ...]]:
    trail = {start: 0}  # nodes on the way from the start, with their position
    stack = [iter(edges.get(start, ()))]
    while stack:
        target = next(stack[-1], None)
        if target is None:
            stack.pop()
            done.add(trail.popitem()[0])
        elif target in trail:
            yield tuple(trail)[trail[target] :]
        elif target not in done:
            trail[target] = len(trail)
            stack.append(iter(edges.get(target, ())))
