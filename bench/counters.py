"""How well breaks of counters are found, and how often there is said to be one where none was made.

Made data: a daily swing that scatters by a tenth, with one quarter of an hour or a level from then on at a share of
what it was. Files given are KPI series (`train` of an .npz, time by channel, of servers, not of base stations), into
which the same is put at a place drawn by chance; what is found elsewhere in them is not known to be wrong. Peers in the
same run: a value beyond three standard deviations of its series, and one that lost or won half against the one before.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cellwright.digest.counters import breaks
from cellwright.lake.schema import TABLES
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Series = NDArray[np.float64]

SEEDS: Final = 3
SERIES: Final = 200
DAY: Final = 96
DAYS: Final = 3
PERIOD_US: Final = 900_000_000
SHARES: Final = (0.0, 0.3, 0.5, 2.0)
EDGE: Final = 8  # periods at both ends in which nothing is put
NEAR: Final = 2  # periods beside a break that are taken for it


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help=".npz with an array train, (n_times, n_channels)")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help="one seed, a quarter of the series")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds, series = (1, SERIES // 4) if options.quick else (options.seeds, SERIES)
    sources: dict[str, Callable[[np.random.Generator, int], Series]] = {"daily swing": swings}
    for path in options.files:
        sources[path.stem] = drawn_from(np.load(path)["train"].astype(float))
    rows = [row for name, source in sources.items() for row in judge(name, source, seeds, series)]
    for row in rows:
        peers = ", ".join(f"{name} {value:.3g}" for name, value in row.peers.items())
        print(f"{row.case:14} {row.figure:44} {row.ours:>9.3g} {row.unit:12} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        print(json.dumps({"bench": "counters", "machine": machine, "rows": [asdict(row) for row in rows]}))


def swings(rng: np.random.Generator, count: int) -> Series:
    """Return series of a daily swing, (count, periods)."""
    at = np.arange(DAYS * DAY)
    level = 600 * (0.55 - 0.4 * np.cos(2 * np.pi * (at / 4 - 3) / 24))
    return level * rng.uniform(0.9, 1.1, (count, len(at)))


def drawn_from(channels: Series) -> Callable[[np.random.Generator, int], Series]:
    """Return what draws stretches of channels that move."""
    moving = channels[:, channels.std(axis=0) > 0]

    def draw(rng: np.random.Generator, count: int) -> Series:
        length = min(DAYS * DAY, len(moving))
        begins = rng.integers(0, len(moving) - length + 1, count)
        chosen = rng.integers(0, moving.shape[1], count)
        return np.stack([moving[begin : begin + length, at] for begin, at in zip(begins, chosen, strict=True)])

    return draw


def judge(name: str, draw: Callable[[np.random.Generator, int], Series], seeds: int, count: int) -> Iterator[Row]:
    """Yield how many of the breaks put in are found, and how many others."""
    found: dict[tuple[str, str], list[float]] = {}
    speeds = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        quiet = draw(rng, count)
        started = time.process_time()
        unasked = ours(quiet)
        speeds.append(quiet.size / (time.process_time() - started))
        for finder, places in {"ours": unasked, **{peer: find(quiet) for peer, find in PEERS.items()}}.items():
            found.setdefault(("breaks in 1,000 values where none was put", finder), []).append(
                1000 * sum(map(len, places)) / quiet.size
            )
        at = rng.integers(DAY + EDGE, quiet.shape[1] - EDGE, count)
        for share in SHARES:
            for what, lasting in (("period", False), ("level", True)):
                shown = put(quiet, at, share, lasting=lasting)
                for finder, find in {"ours": ours, **PEERS}.items():
                    hits = [
                        any(abs(place - own) <= NEAR for place in each)
                        for each, own in zip(find(shown), at, strict=True)
                    ]
                    found.setdefault((f"a {what} at {share:.0%} is found", finder), []).append(100 * np.mean(hits))
    for figure in dict.fromkeys(figure for figure, _ in found):
        mine = found[figure, "ours"]
        peers = {peer: statistics.mean(found[figure, peer]) for peer in PEERS}
        unit = "1/1000" if figure.startswith("breaks") else "%"
        spread = f"{min(mine):.3g} to {max(mine):.3g} over {seeds} seeds"
        yield Row(name, figure, unit, statistics.mean(mine), peers, None, higher_is_better=unit == "%", spread=spread)
    yield Row(name, "values judged a second", "1/s", statistics.median(speeds))


def put(series: Series, at: NDArray[np.int64], share: float, *, lasting: bool) -> Series:
    """Return the series with one period, or all from it on, at a share of what they were."""
    place = np.arange(series.shape[1])[None, :]
    chosen = place >= at[:, None] if lasting else place == at[:, None]
    return np.where(chosen, series * share, series)


def ours(series: Series) -> list[list[int]]:
    """Return the places of the breaks of each series."""
    count, periods = series.shape
    columns = {
        "counter": pa.array(np.repeat([f"c{number}" for number in range(count)], periods)),
        "gran_s": pa.repeat(pa.scalar(900.0), series.size),
        "begin_ts": pa.array(np.tile(np.arange(periods) * PERIOD_US, count)),
        "value_f64": pa.array(series.reshape(-1)),
    }
    schema = TABLES["pm_counters"]
    table = pa.table(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(series.size, field.type)
            for field in schema
        ],
        names=schema.names,
    )
    places: list[list[int]] = [[] for _ in range(count)]
    for each in breaks(table):
        places[int(each.counter[1:])].append(each.at_us // PERIOD_US)
    return places


def three_sigma(series: Series) -> list[list[int]]:
    """Return where values lie beyond three standard deviations of their series."""
    apart = np.abs(series - series.mean(axis=1, keepdims=True)) > 3 * series.std(axis=1, keepdims=True)
    return [np.flatnonzero(each).tolist() for each in apart]


def halved(series: Series) -> list[list[int]]:
    """Return where values are half of the one before, or less, or double of it, or more."""
    before, here = series[:, :-1], series[:, 1:]
    odd = (2 * here <= before) | (here >= 2 * before)
    return [(np.flatnonzero(each) + 1).tolist() for each in odd & (before != here)]


PEERS: Final = {"three sigma": three_sigma, "halved or doubled": halved}


if __name__ == "__main__":
    main()
