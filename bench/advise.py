"""How good advice from past tickets is: learned from the earlier ones, judged on the later ones, beside two peers.

Data: `--tickets FILE --mapping FILE` for histories of your own (repeatable, in pairs); without them, histories made up
about the simulator's faults (`advise_history.py`), one a seed, with codes and with free texts alone; what is right
there is what the ticket says was done, wrong labels included. Peers in the same run: the most frequent resolutions, and
those of the tickets whose whole text is nearest by TF-IDF.

Seeds from 0 on are judged. Nothing may be tuned on them: seeds from 10,000 on (`--first-seed`) are for development; so
is the earlier part of a file (`--until 0.6`).
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from advise_history import history
from cellwright.digest.advise import Adviser
from cellwright.digest.advise_judge import EARLIER, NEAREST, OURS, VOTE, judge
from cellwright.digest.advise_mapping import Spec, fit, load_ticket_mapping, tickets_of
from cellwright.digest.advise_tickets import Resolutions
from cellwright.wiring.advising import read_table
from cellwright.wiring.files import read_text
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cellwright.digest.advise_judge import Report, Share
    from cellwright.digest.advise_tickets import Ticket

SEEDS: Final = 5
QUICK_SEEDS: Final = 2
TICKETS: Final = (400, 1200, 3600)  # of a made-up history, in turn
LEARNED: Final = (1000, 4000, 16000)  # whose time is taken
QUICK_TICKETS: Final = (400, 1200)
ALONE: Final = 1200


def main() -> None:
    """Print one row a figure; with --json one object last."""
    options = _options()
    rows = list(_of_files(options) if options.tickets else _made_up(options))
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:32} {row.figure:34} {row.ours:>8.4g} {row.unit:3} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        print(json.dumps({"bench": "advise", "machine": machine, "rows": [asdict(row) for row in rows]}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=Path, action="append", default=[])
    parser.add_argument(
        "--mapping", type=Path, action="append", default=[], help="one for each --tickets, in their order"
    )
    parser.add_argument(
        "--until", type=float, default=1.0, help="share of a file's tickets that are looked at, by opening"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds, small histories")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.mapping and len(options.mapping) != len(options.tickets):
        parser.error("give one --mapping for each --tickets, or none")
    return options


def _of_files(options: argparse.Namespace) -> Iterator[Row]:
    for place, path in enumerate(options.tickets):
        mapping = options.mapping[place] if options.mapping else None
        spec = load_ticket_mapping(read_text(mapping), str(mapping)).spec if mapping else Spec()
        table = read_table(path)
        fitted = fit(spec, tuple(table), str(path))
        found = sorted(tickets_of(table, fitted).tickets, key=lambda each: (each.opened_us or 0, each.name))
        report = judge(found[: round(len(found) * options.until)])
        if isinstance(report, str):
            print(f"{path.name}: {report}")
            continue
        yield from _figures(path.stem, [report], _interval)


def _made_up(options: argparse.Namespace) -> Iterator[Row]:
    seeds = range(options.first_seed, options.first_seed + (QUICK_SEEDS if options.quick else options.seeds))
    for case, coded in (("made up, codes", True), ("made up, free text", False)):
        by_size: dict[int, list[Report]] = defaultdict(list)
        grouped = []
        for seed in seeds:
            for size in QUICK_TICKETS if options.quick else TICKETS:
                told = history(seed, size, coded=coded)
                report = judge([ticket for ticket, _ in told])
                if isinstance(report, str):
                    print(f"{case}, seed {seed}, {size} tickets: {report}")
                    continue
                by_size[size].append(report)
                grouped.append(_purity(told, Resolutions([ticket for ticket, _ in told]).name))
        for size, reports in by_size.items():
            yield from _figures(f"{case}, {size} tickets", reports, _range)
        if not coded:
            spread = f"{min(grouped):.3g} to {max(grouped):.3g}"
            yield Row(case, "tickets in a group of their action", "%", statistics.mean(grouped), spread=spread)
    yield from _alarms_alone(seeds)
    if not options.quick:
        yield from _growth(options.first_seed)


def _alarms_alone(seeds: Sequence[int]) -> Iterator[Row]:
    """Yield how good advice is on what has alarms and no text, as an incident of a lake, beside the same with texts."""
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in seeds:
        tickets = [ticket for ticket, _ in history(seed, ALONE)]
        cut = round(len(tickets) * EARLIER)
        adviser = Adviser(tickets[:cut])
        later = [ticket for ticket in tickets[cut:] if ticket.symptoms.alarm_types]
        for way, without in (("ours", {"text": ""}), ("with texts", {})):
            judged = [adviser.judge(replace(ticket.symptoms, **without)) for ticket in later]
            ranks = [[adviser.classes[place] for place in each.order[:3]] for each in judged]
            hits = [(each.code in rank[:1], each.code in rank) for each, rank in zip(later, ranks, strict=True)]
            answered = [adviser.abstains(each) is None for each in judged]
            for figure, values in (
                ("top-1 by alarms alone", [first for first, _ in hits]),
                ("top-3 by alarms alone", [three for _, three in hits]),
                ("answered by alarms alone", answered),
            ):
                shares[figure][way].append(100 * statistics.mean(values))
    for figure, ways in shares.items():
        note = f"{min(ways['ours']):.3g} to {max(ways['ours']):.3g} over seeds"
        peers = {"with texts": statistics.mean(ways["with texts"])}
        yield Row(f"made up, codes, {ALONE} tickets", figure, "%", statistics.mean(ways["ours"]), peers, spread=note)


def _growth(first_seed: int) -> Iterator[Row]:
    """Yield the processor time that learning takes, and the log-log slope over the sizes of histories."""
    spent = []
    for size in LEARNED:
        tickets = [ticket for ticket, _ in history(first_seed, size)]
        begun = time.process_time()
        Adviser(tickets)
        spent.append(time.process_time() - begun)
        yield Row("made up, codes", f"processor time, {size} tickets", "s", spent[-1], higher_is_better=False)
    slope = statistics.linear_regression([math.log(size) for size in LEARNED], [math.log(each) for each in spent]).slope
    yield Row("made up, codes", "log-log slope of time", "", slope, higher_is_better=False)


def _purity(told: Sequence[tuple[Ticket, str]], name: Callable[[Ticket], str | None]) -> float:
    """Return the share of tickets, in percent, whose group is mostly about what was truly done; wrong labels count."""
    groups: dict[str | None, Counter[str]] = defaultdict(Counter)
    for ticket, action in told:
        groups[name(ticket)][action] += 1
    return 100 * sum(max(actions.values()) for actions in groups.values()) / len(told)


def _figures(case: str, reports: Sequence[Report], spread: Callable[[Sequence[Share]], str]) -> Iterator[Row]:
    judged = statistics.mean(report.judged for report in reports)
    for figure, at in (("top-1", 0), ("top-3", 1)):
        shares = {
            method: [(report.methods[method].top1, report.methods[method].top3)[at] for report in reports]
            for method in reports[0].methods
        }
        means = {method: 100 * statistics.mean(share.value for share in each) for method, each in shares.items()}
        ours = means.pop(OURS)
        note = f"{spread(shares[OURS])}, {judged:.0f} judged, {reports[0].resolutions} resolutions"
        yield Row(case, figure, "%", ours, means, ours / max(*means.values(), 1e-9), spread=note)
        for peer in (NEAREST, VOTE):
            ahead = [(report.methods[peer].ahead1, report.methods[peer].ahead3)[at] for report in reports]
            points = 100 * statistics.mean(share.value for share in ahead)
            yield Row(case, f"{figure} ahead of {peer}", "pp", points, spread=spread(ahead))
    for figure, values in (
        ("answered", [report.answered for report in reports]),
        ("top-1 of answered", [report.answered_top1 or 0.0 for report in reports]),
        ("top-3 of answered", [report.answered_top3 or 0.0 for report in reports]),
        ("resolution known", [report.known for report in reports]),
    ):
        yield Row(
            case,
            figure,
            "%",
            100 * statistics.mean(values),
            spread=f"{100 * min(values):.3g} to {100 * max(values):.3g}",
        )
    errors = [report.calibration for report in reports]
    note, mean = f"{min(errors):.3f} to {max(errors):.3f}", statistics.mean(errors)
    yield Row(case, "calibration error of the first", "", mean, higher_is_better=False, spread=note)


def _interval(shares: Sequence[Share]) -> str:
    return f"95 % {100 * shares[0].low:.3g} to {100 * shares[0].high:.3g}"


def _range(shares: Sequence[Share]) -> str:
    values = [100 * share.value for share in shares]
    return f"{min(values):.3g} to {max(values):.3g} over seeds"


if __name__ == "__main__":
    main()
