"""What learned salience keeps in a short budget beside incidents, on simulated networks that it was not learned from.

Data: none to give; each seed is a simulated 5G network of its own size, mediated into a lake. Signals are the log lines
that a fault's alarms left on the elements of their incident, by template, and the counters that broke there; all other
lines are of everyday work. Salience is learned from three other lakes in turn, of other seeds and sizes, unlabelled.
The peer is the same digest without it. Seeds from 0 on are judged; nothing may be tuned on them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.cli.main import run
from cellwright.digest.beside import beside
from cellwright.digest.correlate_topology import pairs_topology
from cellwright.digest.salience import keys_of
from cellwright.digest.salience_fit import learn_salience, signals_of
from cellwright.digest.tokens import token_counter
from cellwright.lake.delta_lake import open_lake
from cellwright.simulate.simulation import TELEMETRY, TOPOLOGY, Scenario, simulate
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.incidents import learn
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.digest.salience import LearnedSalience
    from cellwright.digest.salience_fit import Company
    from cellwright.digest.tokens import TokenCounter

SEEDS: Final = 6
QUICK_SEEDS: Final = 1
GNBS: Final = (6, 12, 24)  # in turn
LEARNED: Final = tuple(Scenario(seed=20_000 + gnbs, gnbs=gnbs, hours=16, faults=30) for gnbs in (9, 15, 18))
ROOMS: Final = (200, 250, 300, 400)  # tokens
FAULT: Final = " at ManagedElement="  # in what the simulator logs of an alarm, and in nothing else


class Told(NamedTuple):
    """What one incident's sections tell."""

    signals: int
    kept: int
    lines: int
    of_fault: int
    tokens: int


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = token_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CELLWRIGHT_KEY_FILE"] = f"{folder}/key"
        learned = []
        for place, scenario in enumerate(LEARNED[: 1 if options.quick else None]):
            companies, evidence = lake_of(scenario, Path(folder) / f"learned-{place}", count)
            learned.append(learn_salience(companies, evidence.breaks(), evidence.lines(), count))
        judged = []
        for place in range(QUICK_SEEDS if options.quick else options.seeds):
            seed = options.first_seed + place
            scenario = Scenario(seed=seed, gnbs=GNBS[seed % len(GNBS)], hours=8, faults=15)
            companies, _ = lake_of(scenario, Path(folder) / str(seed), count)
            judged.append((companies, learned[place % len(learned)]))
    rows = [row for room in ROOMS for row in figures(room, judged, count)]
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:12} {row.figure:44} {row.ours:>8.4g} {row.unit:7} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, tokens by {count.name}"
        print(json.dumps({"bench": "salience", "machine": machine, "rows": [asdict(row) for row in rows]}))


def lake_of(scenario: Scenario, folder: Path, count: TokenCounter) -> tuple[list[Company], Evidence]:
    """Return what stands beside the incidents of a simulated network, and all there is to read of its elements."""
    simulate(folder, scenario)
    with contextlib.redirect_stdout(io.StringIO()):
        run(["mediate", str(folder / TELEMETRY), "--lake", str(folder / "lake")])
    topology = pairs_topology((folder / TOPOLOGY).read_text(encoding="utf-8"), TOPOLOGY)
    with open_lake(folder / "lake") as lake:
        _, found = learn(lake.read("alarm_events"), topology, count)
        evidence = Evidence(lake, found)
    return [evidence.company(incident) for incident in found], evidence


def figures(
    room: int, judged: Sequence[tuple[list[Company], LearnedSalience | None]], count: TokenCounter
) -> Iterator[Row]:
    """Yield what a budget keeps, what else it tells, and what it takes of it."""
    told = {
        "ours": [[sections(each, room, count, salience) for each in companies] for companies, salience in judged],
        "unlearned": [[sections(each, room, count, None) for each in companies] for companies, _ in judged],
    }
    for figure, unit, part, whole, is_higher_better in (
        ("signals kept", "%", "kept", "signals", True),
        ("told lines that are of a fault", "%", "of_fault", "lines", True),
        ("tokens of both sections, mean", "tokens", "tokens", None, False),
    ):
        shares = {name: [_share(seed, part, whole) for seed in seeds] for name, seeds in told.items()}
        ours, plain = (statistics.mean(shares[name]) for name in ("ours", "unlearned"))
        spread = f"{min(shares['ours']):.4g} to {max(shares['ours']):.4g} over {len(judged)} seeds"
        yield Row(
            f"{room} tokens",
            figure,
            unit,
            ours,
            {"unlearned": plain},
            ours / plain,
            higher_is_better=is_higher_better,
            spread=spread,
        )


def sections(company: Company, room: int, count: TokenCounter, salience: LearnedSalience | None) -> Told:
    """Return what the sections beside one incident tell in a budget."""
    logs = frozenset(keys_of([text for text in company.lines.texts if FAULT in text]))
    counters = {each.counter for each in company.breaks}
    section = beside(company.breaks, company.lines, room=room, count=count, salience=salience)
    lines, changes = signals_of(section)
    return Told(
        len(logs) + len(counters),
        len(logs & lines) + len(counters & changes),
        len(section.told),
        sum(FAULT in each.text for each in section.told),
        section.tokens,
    )


def _share(seed: Sequence[Told], part: str, whole: str | None) -> float:
    total = sum(getattr(each, part) for each in seed)
    return total / len(seed) if whole is None else 100 * total / max(sum(getattr(each, whole) for each in seed), 1)


if __name__ == "__main__":
    main()
