"""How often the root-cause ranking puts a true root first on real alarm sets, learned on the earlier part of each.

Data: alarm sets (folders or tar.gz of `Alarm.csv`, `DAG.npy` and perhaps `Topology.npy`). The first half of the alarms,
as time passes, is what the ranking learns from, without labels; incidents that begin later are judged. Incidents are
those of `cellwright digest` with the set's topology where it has one, cut as for digests; the ranking sees what a
digest says. One setting for all sets.

Labels are derived from the experts' cause graph: the roots of an incident are its alarm types of which no ancestor in
the graph is present. Incidents of one type, or of root types only, cannot be got wrong and are not judged. Peers in the
same run, each given the better of equals by its frequency in the earlier part: the type that began first, the most
frequent in the incident, and of the present types the most frequent in the earlier part; and a type drawn by chance
(expected). Nothing is drawn by chance in ours.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from alarm_sets import read
from cellwright.digest.causes import learn
from cellwright.digest.causes_onsets import columns_of
from cellwright.digest.compose import digest_incident
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.rank import rank
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import token_counter
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from alarm_sets import AlarmSet
    from cellwright.digest.alarms import Alarm
    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.fold import Facts
    from cellwright.digest.tokens import TokenCounter

QUICK_EVENTS: Final = 8_000
EARLIER: Final = 0.5  # of the alarms
PARTS: Final = 5  # of the judged incidents in the order of time, whose spread is shown
CHANCE: Final = "chance (expected)"
GRAPH: Final = "ours with the learned cause graph"


class Trial(NamedTuple):
    """One judged incident: how many types it has, and what each ranker scores."""

    types: int
    scores: Mapping[str, float]


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path, help="alarm sets: folders or .tar.gz")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_EVENTS} events of each set")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = token_counter()
    found = [each for path in options.sets for each in read(path, QUICK_EVENTS if options.quick else None)]
    for each in found:
        if each.causes is None:
            print(f"{each.name}: no cause graph, not judged")
    rows = [row for each in found if each.causes is not None for row in figures(each.name, judge(each, count))]
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:20} {row.figure:32} {row.ours:>8.4g} {row.unit:10} {peers}; {row.spread}")
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, tokens by {count.name}"
        print(json.dumps({"bench": "root_cause", "machine": machine, "rows": [asdict(row) for row in rows]}))


def judge(alarms: AlarmSet, count: TokenCounter) -> list[Trial]:
    """Return a trial for every incident of the later part whose types are not all roots."""
    surroundings = Surroundings(_topology(alarms))
    found = list(incidents(alarms.table, count, surroundings))
    until = int(np.quantile(alarms.onset_us, EARLIER))
    past = [incident.alarms for incident in found if incident.alarms[-1].ts < until]
    precedence = learn_precedence(past)
    often = Counter(alarm.alarm_type for each in past for alarm in each)
    graph = _graph(alarms, [alarm for each in past for alarm in each])
    ancestors = _closure(alarms.causes)
    trials = []
    for incident in found:
        if incident.alarms[0].ts < until:
            continue
        present = {alarm.alarm_type for alarm in incident.alarms}
        roots = {one for one in present if not any(ancestors[_number(other), _number(one)] for other in present)}
        if roots == present or not roots:
            continue
        facts = decode(digest_incident(incident, count=count).text)
        picks = {
            "ours": rank(facts, precedence)[0].alarm_type,
            GRAPH: rank(facts, precedence, graph)[0].alarm_type,
            **_peers(facts, often),
        }
        scores = {name: float(pick in roots) for name, pick in picks.items()}
        trials.append(Trial(len(present), {**scores, CHANCE: len(roots) / len(present)}))
    return trials


def _graph(alarms: AlarmSet, past: Sequence[Alarm]) -> CauseGraph:
    """Return the cause graph that past alarms teach."""
    columns, elements = columns_of(past)
    links = None if alarms.links is None else alarms.links.tolist()
    codes = {name: found[0] for name, found in elements.items()}
    known = [(f"Device={one}", f"Device={other}") for one, other in links or ()]
    adjacent = [(codes[one], codes[other]) for one, other in known if one in codes and other in codes]
    return learn(columns, topology=None if links is None else adjacent)


def _topology(alarms: AlarmSet) -> Topology | None:
    if alarms.links is None:
        return None
    elements = {f"Device={number}" for number in alarms.elements.tolist()}
    links = [(f"Device={one}", f"Device={other}") for one, other in alarms.links.tolist()]
    return Topology.of([*((name, name) for name in elements), *links])


def _closure(causes: np.ndarray) -> np.ndarray:
    """Return who is an ancestor of whom; nobody is their own."""
    reach = causes.astype(bool)
    for middle in range(len(reach)):
        reach = reach | np.outer(reach[:, middle], reach[middle])
    return reach & ~np.eye(len(reach), dtype=bool)


def _number(alarm_type: str) -> int:
    return int(alarm_type.rpartition("=")[2])


def _peers(facts: Facts, often: Mapping[str, int]) -> dict[str, str]:
    """Return the first choice of each simple ranker."""
    times = {kind.name: sum(each.times or 0 for each in kind.occurrences) for kind in facts.types}
    first_us = {kind.name: kind.occurrences[0].first_us for kind in facts.types}
    earliest = [name for name, first in first_us.items() if first == first_us[facts.types[0].name]]
    return {
        "earliest": max(earliest, key=lambda name: often[name]),
        "most frequent in the incident": max(times, key=lambda name: (times[name], often[name])),
        "most frequent before": max(times, key=lambda name: often[name]),
    }


def figures(case: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Yield hit@1 over all judged incidents, and over those of three types or more."""
    for figure, least in (("hit@1", 2), ("hit@1, three types or more", 3)):
        chosen = [trial.scores for trial in trials if trial.types >= least]
        if not chosen:
            continue
        means = {name: statistics.mean(scores[name] for scores in chosen) for name in chosen[0]}
        ours, with_graph = means.pop("ours"), means.pop(GRAPH)
        best = max(means, key=means.__getitem__)
        parts = [part.tolist() for part in np.array_split([scores["ours"] for scores in chosen], PARTS) if len(part)]
        over = [part.tolist() for part in np.array_split([each["ours"] - each[best] for each in chosen], PARTS)]
        spread = [statistics.mean(part) for part in parts]
        margins = [statistics.mean(part) for part in over if part]
        note = (
            f"{min(spread):.3f} to {max(spread):.3f} over {len(parts)} parts of the time, {len(chosen)} incidents; "
            f"over {best}: {min(margins):+.3f} to {max(margins):+.3f}"
        )
        yield Row(case, figure, "of 1", ours, means, ours / max(means[best], 1e-9), spread=note)
        yield Row(case, f"{figure}, with the cause graph", "of 1", with_graph, {"without": ours}, with_graph / ours)


if __name__ == "__main__":
    main()
