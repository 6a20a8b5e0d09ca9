"""How well and how fast the streaming correlator joins alarms into incidents.

Data: none to give; each seed is a simulated 5G network of its own size, whose VES files go through the format. Faults
follow each other as simulated, or two begin within a minute of each other (`two at once`), the pairs drawn by the seed;
in `half a topology` half of the elements, drawn by the seed, are taken out of it. Purity is the share of an incident's
alarms that are of its main fault, completeness the share of a fault's alarms in its main incident; both weighted by
alarms. Roots count where the root alarm is in the main incident of its fault. Of two faults at once on one and the same
element hardly anything in the alarms tells one from the other: purity is given without such pairs, too. Lags between
alarm types are learned from four other networks, of other seeds and sizes, without labels. Peers in the same run:
topology without lags, lags without topology, and time alone, where incidents end at a gap of 15 minutes.

Speed is of one core, on alarms of a network of 96 gNBs repeated in time. Latency is that of a queue with one server:
alarms come at even intervals by the alarms' clock, each waits for those before it. Both are in time of the processor,
so that other work on the machine does not count. Memory is counted in blocks of the interpreter after each hour of a
simulated day, in which fifty networks run through the same faults.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from random import Random
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import alarms_of, in_order
from cellwright.digest.correlate import Correlator, correlated
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.simulate.simulation import Scenario
from rows import Row
from simulated import simulated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.correlate import Correlated
    from cellwright.digest.correlate_episodes import Lags
    from cellwright.simulate.faults import Fault
    from simulated import Simulated

SEEDS: Final = 20
QUICK_SEEDS: Final = 3
FIGURES: Final = ("purity", "completeness", "roots in the main incident", "purity, faults at different elements")
GNBS: Final = (24, 48, 96)  # in turn
SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
RATES: Final = (1_000, 5_000)  # alarms a second whose latency is measured
STREAM: Final = 200_000
QUICK_STREAM: Final = 20_000
LEAVES: Final = 3_000  # neighbours of the element that floods
SOURCES: Final = 50  # networks that run through the same day


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds, {QUICK_STREAM} alarms, four hours")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    networks = [
        simulated(Scenario(seed=seed, gnbs=GNBS[seed % len(GNBS)], hours=6, faults=10))
        for seed in range(QUICK_SEEDS if options.quick else options.seeds)
    ]
    size = QUICK_STREAM if options.quick else STREAM
    rows = [*joined(networks), *speeds(size), *flood(size), *memory(4 if options.quick else 24)]
    for row in rows:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
        print(f"{row.case:32} {row.figure:34} {row.ours:>10.4g} {row.unit:10} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        print(json.dumps({"bench": "correlate", "machine": machine, "rows": [asdict(row) for row in rows]}))


def joined(networks: Sequence[Simulated]) -> Iterator[Row]:
    """Yield purity and completeness for faults after each other and two at once, with all and half of the topology."""
    apart = [alarms_of(network.alarms) for network in networks]
    at_once = [_two_at_once(network, seed) for seed, network in enumerate(networks)]
    lags = _learned()
    halves = [_half(network.pairs, seed) for seed, network in enumerate(networks)]
    wholes = [network.topology for network in networks]
    for case, streams, topologies in (
        ("faults after each other", apart, wholes),
        ("two at once", at_once, wholes),
        ("faults after each other, half", apart, halves),
        ("two at once, half", at_once, halves),
    ):
        scores: dict[str, list[tuple[float, ...]]] = {}
        for seed, (network, alarms, topology) in enumerate(zip(networks, streams, topologies, strict=True)):
            among = (
                _at_different_elements(network, seed) if streams is at_once else {each.name for each in network.faults}
            )
            ways = {
                "ours": Surroundings(topology, lags),
                "topology alone": Surroundings(topology),
                "lags alone": Surroundings(lags=lags),
                "time alone": Surroundings(),
            }
            for name, way in ways.items():
                scores.setdefault(name, []).append(
                    _judged(correlated(sorted(alarms, key=in_order), way), network, among)
                )
        for place, figure in enumerate(FIGURES if streams is at_once else FIGURES[:3]):
            means = {name: 100 * statistics.mean(each[place] for each in found) for name, found in scores.items()}
            mine = [100 * each[place] for each in scores["ours"]]
            spread = f"{min(mine):.4g} to {max(mine):.4g} over {len(mine)} seeds"
            ours = means.pop("ours")
            yield Row(case, figure, "%", ours, means, ours / max(means.values()), spread=spread)


def _learned() -> Lags:
    """Return the lags that four networks of their own show, from incidents by time alone."""
    networks = [simulated(Scenario(seed=20_000 + gnbs, gnbs=gnbs, hours=6, faults=10)) for gnbs in (9, 18, 36, 72)]
    past = (each.alarms for network in networks for each in correlated(alarms_of(network.alarms)))
    return learn_precedence(past).lags()


def _judged(incidents: Sequence[Correlated], network: Simulated, among: Collection[str]) -> tuple[float, ...]:
    """Return purity, completeness, roots in the main incident, and the purity of the alarms of some faults, 0..1."""
    main, whole, faults = Counter(), Counter(), Counter()
    home: dict[str, Correlated] = {}
    for incident in incidents:
        causes = Counter(network.fault_of[alarm.alarm_id].name for alarm in incident.alarms)
        name, size = causes.most_common(1)[0]
        main[name] += size
        faults += causes
        for name, size in causes.items():
            if size > whole[name]:
                whole[name], home[name] = size, incident
    rooted = sum(_has_root(home[fault.name], fault) for fault in network.faults)
    pure = sum(main[name] for name in among) / max(sum(faults[name] for name in among), 1)
    return main.total() / faults.total(), whole.total() / faults.total(), rooted / len(network.faults), pure


def _has_root(incident: Correlated, fault: Fault) -> bool:
    root = (fault.root.dn, fault.root_alarm)
    return any((alarm.element, alarm.probable_cause) == root for alarm in incident.alarms)


def _drawn(network: Simulated, seed: int) -> tuple[Random, list[Fault]]:
    """Return the faults, of which each two in turn begin at once, and the dice as they lie then."""
    dice = Random(f"{seed}/pairs")  # noqa: S311 - a benchmark must repeat
    return dice, dice.sample(network.faults, len(network.faults))


def _two_at_once(network: Simulated, seed: int) -> list[Alarm]:
    """Return the alarms with the faults moved so that they begin in pairs, each pair an hour after the one before."""
    dice, faults = _drawn(network, seed)
    shift_us = {}
    for place, fault in enumerate(faults):
        begin_s = place // 2 * 3_600 + (dice.uniform(0, 60) if place % 2 else 0)
        shift_us[fault.name] = round(
            (network.faults[0].started.timestamp() + begin_s - fault.started.timestamp()) * 1e6
        )
    alarms = alarms_of(network.alarms)
    return [_moved(alarm, shift_us[network.fault_of[alarm.alarm_id].name]) for alarm in alarms]


def _at_different_elements(network: Simulated, seed: int) -> set[str]:
    """Return the names of the faults whose element the other fault of their pair does not strike."""
    _, faults = _drawn(network, seed)
    pairs = zip(faults[::2], faults[1::2], strict=True)
    return {fault.name for pair in pairs if pair[0].root.element != pair[1].root.element for fault in pair}


def _moved(alarm: Alarm, us: int) -> Alarm:
    return replace(alarm, event_ts=alarm.event_ts + us, raised_ts=alarm.raised_ts and alarm.raised_ts + us)


def _half(pairs: Sequence[tuple[str, str]], seed: int) -> Topology:
    names = sorted({name for pair in pairs for name in pair})
    dice = Random(f"{seed}/half")  # noqa: S311 - a benchmark must repeat
    known = set(dice.sample(names, len(names) // 2))
    return Topology.of(pair for pair in pairs if known.issuperset(pair))


def speeds(size: int) -> Iterator[Row]:
    """Yield the alarms a second of one core, and the latency that correlation adds at set rates."""
    network = simulated(Scenario(seed=1, gnbs=96, hours=6, faults=10))
    for case, surroundings in (("96 gNBs, topology", Surroundings(network.topology)), ("time alone", Surroundings())):
        alarms = list(_repeated(network, size, 1_000))
        start = time.process_time()
        correlator = Correlator(surroundings)
        for alarm in alarms:
            correlator.push(alarm)
            correlator.advance(alarm.ts)
        seconds = time.process_time() - start
        del alarms
        gc.collect()
        yield Row(case, "alarms a second, one core", "alarms/s", size / seconds, spread=f"{size} alarms at 1000/s")
        for rate in RATES:
            delays = sorted(_delays(_repeated(network, size // 2, rate), surroundings, rate))
            spread = f"median {delays[len(delays) // 2]:.3g}, largest {delays[-1]:.3g}"
            figure = f"latency added at {rate}/s, p99"
            yield Row(case, figure, "ms", delays[len(delays) * 99 // 100], higher_is_better=False, spread=spread)


def flood(size: int) -> Iterator[Row]:
    """Yield the alarms a second of one core when the neighbour of all others floods while all are in alarm."""
    alarm = alarms_of(simulated(Scenario(seed=1, gnbs=6, hours=1, faults=1)).alarms)[0]
    names = [f"leaf-{number}" for number in range(LEAVES)]
    raised = [replace(alarm, object_dn=name, event_ts=alarm.ts + place) for place, name in enumerate(names)]
    raised += [replace(alarm, object_dn="hub", event_ts=alarm.ts + LEAVES + 1_000 * place) for place in range(size)]
    correlator = Correlator(Surroundings(Topology.of(("hub", name) for name in names)))
    start = time.process_time()
    for each in raised:
        correlator.push(each)
        correlator.advance(each.ts)
    seconds = time.process_time() - start
    yield Row(f"a hub of {LEAVES} floods", "alarms a second, one core", "alarms/s", len(raised) / seconds)


def _repeated(network: Simulated, size: int, rate: int) -> Iterator[Alarm]:
    """Yield the alarms of a network over and over, evenly in time at a rate."""
    alarms = alarms_of(network.alarms)
    start = alarms[0].ts
    for number in range(size):
        alarm = alarms[number % len(alarms)]
        yield replace(alarm, event_ts=start + number * SECOND_US // rate, ordinal=number)


def _delays(alarms: Iterator[Alarm], surroundings: Surroundings, rate: int) -> Iterator[float]:
    """Yield how long after its arrival each alarm was in its incident, in ms, behind those before it."""
    correlator, free_s = Correlator(surroundings), 0.0
    for number, alarm in enumerate(alarms):
        arrived_s = number / rate
        start = time.process_time()
        correlator.push(alarm)
        correlator.advance(alarm.ts)
        free_s = max(free_s, arrived_s) + time.process_time() - start
        yield 1_000 * (free_s - arrived_s)


def memory(hours: int) -> Iterator[Row]:
    """Yield the blocks in use after the last of some simulated hours, beside those after the second."""
    network = simulated(Scenario(seed=1, gnbs=48, hours=hours, faults=2 * hours))
    alarms, correlator = alarms_of(network.alarms), Correlator(Surroundings(network.topology))
    blocks: list[int] = []
    closed, hour = 0, alarms[0].ts + HOUR_US
    del network
    gc.collect()
    begin = sys.getallocatedblocks()
    for alarm in alarms:
        if alarm.ts > hour:
            gc.collect()
            blocks.append(sys.getallocatedblocks() - begin)
            hour += HOUR_US
        for source in range(SOURCES):
            correlator.push(replace(alarm, source=f"network {source}"))
        closed += len(correlator.advance(alarm.ts))
    half = len(blocks) // 2
    first, last = statistics.mean(blocks[:half]), statistics.mean(blocks[half:])
    spread = f"largest {max(blocks)}, {closed} incidents closed of {SOURCES * len(alarms)} alarms"
    peers = {"first half": first}
    figure = f"blocks held, second half of {hours} hours"
    yield Row(f"{SOURCES} networks", figure, "blocks", last, peers, last / first, higher_is_better=False, spread=spread)


if __name__ == "__main__":
    main()
