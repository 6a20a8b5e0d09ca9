"""What the cause graph is measured against: simple graphs, and gcastle's TTPM in an environment of its own.

Run as a program, it is TTPM's side: it reads alarms from a file of arrays and prints the edges it learned.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.digest.causes_onsets import AlarmColumns

WINDOW_US: Final = 900_000_000
MINUTE_US: Final = 60_000_000
SIGNIFICANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Case:
    """Alarms, the links of their elements where known, and the graph they are held against."""

    name: str
    alarms: AlarmColumns
    links: NDArray[np.int64] | None
    truth: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answer:
    """A method's edges and its score of every ordered pair."""

    edges: NDArray[np.bool_]
    score: NDArray[np.float64]


def complete(case: Case) -> Answer:
    """Return all edges, all alike."""
    ones = np.ones_like(case.truth, dtype=bool)
    return Answer(ones, ones.astype(float))


def precedes(case: Case) -> Answer:
    """Return who precedes whom: within 15 minutes on the same element, more often than it follows."""
    n_types = len(case.alarms.types)
    before = np.zeros((n_types, n_types))
    for kinds, at in _by_element(case.alarms):
        for kind in range(n_types):
            causes = at[kinds == kind]
            near = np.searchsorted(causes, at, "left") > np.searchsorted(causes, at - WINDOW_US, "left")
            before[kind] += np.bincount(kinds, near, n_types)
    return Answer(before > before.T, before)


def lagged_information(case: Case) -> Answer:
    """Return mutual information between minutes with a type and next minutes with another, on the same element.

    An edge is significant (G-test at 1 % over all pairs) and stronger than its reverse.
    """
    n_types = len(case.alarms.types)
    both, seen, minutes = np.zeros((n_types, n_types)), np.zeros(n_types), 0
    first, last = (int(edge) // MINUTE_US for edge in (case.alarms.onset_us.min(), case.alarms.onset_us.max()))
    for kinds, at in _by_element(case.alarms):
        distinct = np.unique(np.stack([at // MINUTE_US, kinds], 1), axis=0)
        at_minute = {kind: distinct[distinct[:, 1] == kind, 0] for kind in np.unique(kinds).tolist()}
        for one, early in at_minute.items():
            seen[one] += len(early)
            for other, late in at_minute.items():
                both[one, other] += len(np.intersect1d(early + 1, late))
        minutes += max(last - first, 1)
    cause, effect, total = seen[:, None], seen[None, :], float(minutes)
    information = np.zeros((n_types, n_types))
    for joint, one, other in (
        (both, cause, effect),
        (cause - both, cause, total - effect),
        (effect - both, total - cause, effect),
        (total - cause - effect + both, total - cause, total - effect),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            information += np.nan_to_num(joint / total * np.log(joint * total / (one * other)))
    limit = NormalDist().inv_cdf(1 - SIGNIFICANCE / (n_types * (n_types - 1)) / 2) ** 2
    information *= both * total > cause * effect
    return Answer((2 * total * information > limit) & (information > information.T), information)


def ttpm(case: Case, python: str, limit_s: float) -> Answer | None:
    """Return what TTPM learns with its default settings, run by `python`; None where it takes longer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alarms.npz"
        n_elements = 1 + max(int(case.alarms.element_codes.max()), -1 if case.links is None else int(case.links.max()))
        topology = np.zeros((n_elements, n_elements), np.int64)
        if case.links is not None:
            topology[case.links[:, 0], case.links[:, 1]] = topology[case.links[:, 1], case.links[:, 0]] = 1
        alarms = case.alarms
        columns = {"event": alarms.type_codes, "node": alarms.element_codes, "timestamp": alarms.onset_us / 1e6}
        np.savez(path, topology=topology, **columns)
        try:
            done = subprocess.run(
                [python, __file__, str(path)], capture_output=True, text=True, check=True, timeout=limit_s
            )
        except subprocess.TimeoutExpired:
            print(f"TTPM is LEFT OUT for {case.name}: it took longer than {limit_s:g} s", file=sys.stderr)
            return None
    edges = np.zeros_like(case.truth)
    for cause, effect in json.loads(done.stdout.splitlines()[-1]):
        edges[cause, effect] = True
    return Answer(edges, edges.astype(float))


def _by_element(alarms: AlarmColumns) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the types and times of each element in the order of time."""
    order = np.lexsort((alarms.onset_us, alarms.element_codes))
    elements = alarms.element_codes[order]
    for part in np.split(order, np.flatnonzero(np.diff(elements)) + 1):
        yield alarms.type_codes[part], alarms.onset_us[part]


def _learn(arrays: dict[str, NDArray[Any]]) -> list[tuple[int, int]]:
    """Return TTPM's edges."""
    import pandas as pd  # noqa: PLC0415 - only in an environment that has it
    from castle.algorithms import TTPM  # noqa: PLC0415 - likewise

    learner = TTPM(arrays.pop("topology"))
    learner.learn(pd.DataFrame(arrays))
    found = learner.causal_matrix
    names = [int(float(name)) for name in found.index]
    return [(names[one], names[other]) for one, other in np.argwhere(np.asarray(found) > 0).tolist() if one != other]


if __name__ == "__main__":
    with np.load(sys.argv[1]) as stored:
        print(json.dumps(_learn(dict(stored))))
