"""How often the root-cause ranking puts the true root first, on incidents of the simulator whose faults are known.

Data: none to give; each seed is a simulated 5G network of its own size, whose VES files go through the format, the
incidents, the digest and its decoder before they are ranked. The ranking sees what a digest says and what it learned
from the incidents of other networks, of other seeds and sizes, and nothing of any truth. Peers in the same run: the
ranking of one digest alone, the type that began first, the most frequent one, and one drawn from all (expected value).
Seeds from 0 on are judged. Nothing may be tuned on them: seeds from 10,000 on (`--first-seed`) are for development,
those from 20,000 on are what is learned from, four networks for every five that are judged.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import statistics
from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.digest.compose import BUDGET_TOKENS, digest_incident
from cellwright.digest.rank import rank
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import token_counter
from cellwright.simulate.simulation import Scenario
from rows import Row
from simulated import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cellwright.digest.fold import Facts
    from cellwright.digest.rank_precedence import Precedence
    from cellwright.digest.storms import Incident
    from cellwright.digest.tokens import TokenCounter
    from cellwright.simulate.faults import Fault

SEEDS: Final = 40
QUICK_SEEDS: Final = 4
GNBS: Final = (6, 12, 24, 48, 96)  # in turn
LEARNED_SEED: Final = 20_000
LEARNED_GNBS: Final = (9, 18, 36, 72)  # one network of each
FAULTS: Final = 10
HOURS: Final = 6
GROUP: Final = 5  # seeds that share networks to learn from; the spread is over groups
ALL: Final = "all faults"


class Trial(NamedTuple):
    """One incident: the fault behind it, and what each ranker scores on its type, and on type and element."""

    seed: int
    kind: str
    by_type: Mapping[str, float]
    by_place: Mapping[str, float]


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + (QUICK_SEEDS if options.quick else options.seeds))
    count = token_counter()
    trials, whole = [], []
    for seed in seeds:
        found, faults = judge(seed, count, learned(seed // GROUP, count))
        trials += found
        whole.append(100 * len(found) / faults)
    rows = [
        Row(ALL, "incidents for each fault", "%", statistics.mean(whole), spread=f"{len(trials)} incidents"),
        *(row for case in (ALL, *sorted({trial.kind for trial in trials})) for row in figures(case, trials)),
    ]
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:18} {row.figure:34} {row.ours:>8.4g} {row.unit:3} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, tokens by {count.name}"
        print(json.dumps({"bench": "digest_rank", "machine": machine, "rows": [asdict(row) for row in rows]}))


@functools.cache
def learned(group: int, count: TokenCounter) -> Precedence:
    """Return what the incidents of one group's networks to learn from say, without their labels."""
    networks = [
        simulated(Scenario(seed=LEARNED_SEED + 100 * group + place, gnbs=gnbs, hours=HOURS, faults=FAULTS))
        for place, gnbs in enumerate(LEARNED_GNBS)
    ]
    return learn_precedence(each.alarms for network in networks for each in incidents(network.alarms, count))


def judge(seed: int, count: TokenCounter, precedence: Precedence) -> tuple[list[Trial], int]:
    """Return a trial for every incident of one simulated network, and how many faults it had."""
    network = simulated(Scenario(seed=seed, gnbs=GNBS[seed % len(GNBS)], hours=HOURS, faults=FAULTS))
    trials = []
    for incident in incidents(network.alarms, count):
        causes = Counter(network.fault_of[alarm.alarm_id].name for alarm in incident.alarms)
        name = causes.most_common(1)[0][0]
        fault = next(each for each in network.faults if each.name == name)
        trials.append(_trial(seed, incident, fault, count, precedence))
    return trials, len(network.faults)


def _trial(seed: int, incident: Incident, fault: Fault, count: TokenCounter, precedence: Precedence) -> Trial:
    facts = decode(digest_incident(incident, budget=BUDGET_TOKENS, count=count).text)
    picks = _picks(facts, precedence)
    pairs = facts.pairs()
    types = [kind.name for kind in facts.types]
    by_type = {name: float(_is_root(fault, pick[1])) for name, pick in picks.items()}
    by_place = {name: float(_is_root(fault, *reversed(pick))) for name, pick in picks.items()}
    by_type["any (expected)"] = sum(_is_root(fault, name) for name in types) / len(types)
    by_place["any (expected)"] = sum(_is_root(fault, name, element) for element, name in pairs) / len(pairs)
    return Trial(seed, fault.kind, by_type, by_place)


def _picks(facts: Facts, precedence: Precedence) -> dict[str, tuple[str, str]]:
    """Return the first choice of each ranker: element and alarm type."""
    best, alone = rank(facts, precedence)[0], rank(facts)[0]
    frequent = max(facts.types, key=lambda kind: sum(each.times or 0 for each in kind.occurrences))
    return {
        "ours": (best.element, best.alarm_type),
        "one digest alone": (alone.element, alone.alarm_type),
        "earliest": (facts.types[0].occurrences[0].element, facts.types[0].name),
        "most frequent": (frequent.occurrences[0].element, frequent.name),
    }


def _is_root(fault: Fault, alarm_type: str, element: str | None = None) -> bool:
    """Return whether an alarm type, and where given its element, is where the fault truly began."""
    return alarm_type.partition("/")[0] == fault.root_alarm and element in {None, fault.root.dn}


def figures(case: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Yield hit@1 of the trials of one kind of fault, or of all."""
    chosen = [trial for trial in trials if case in {ALL, trial.kind}]
    for figure, scores in (
        ("hit@1, alarm type", [(trial.seed, trial.by_type) for trial in chosen]),
        ("hit@1, alarm type and element", [(trial.seed, trial.by_place) for trial in chosen]),
    ):
        means = {name: 100 * statistics.mean(score[name] for _, score in scores) for name in scores[0][1]}
        ours = means.pop("ours")
        shares = defaultdict(list)
        for seed, score in scores:
            shares[seed // GROUP].append(100 * score["ours"])
        spread = sorted(statistics.mean(share) for share in shares.values())
        ratio = ours / max(*means.values(), 1e-9)
        note = f"{spread[0]:.4g} to {spread[-1]:.4g} over groups of {GROUP} seeds, {len(scores)} incidents"
        yield Row(case, figure, "%", ours, means, ratio, spread=note)


if __name__ == "__main__":
    main()
