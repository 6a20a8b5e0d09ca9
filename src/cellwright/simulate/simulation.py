"""Puts network, faults and telemetry together, with a ground truth that is kept apart from what a product may read."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from cellwright.errors import StorageError, UsageError
from cellwright.simulate.counters import pm_files, pm_values
from cellwright.simulate.events import INTERVAL, ves_files
from cellwright.simulate.faults import inject_faults
from cellwright.simulate.logs import log_files
from cellwright.simulate.network import build_network, dice
from cellwright.simulate.story import Story
from cellwright.simulate.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cellwright.simulate.faults import Fault
    from cellwright.simulate.subscribers import Planted

DEFAULT_START: Final = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
TELEMETRY: Final = "telemetry"
TRUTH: Final = "truth.json"
TOPOLOGY: Final = "topology.csv"
_SUBSCRIBERS: Final = 60


@dataclass(frozen=True, slots=True)
class Scenario:
    """What to simulate; `start` carries an offset."""

    seed: int
    gnbs: int = 24
    hours: int = 6
    faults: int = 8
    start: datetime = DEFAULT_START


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was written."""

    files: int
    fault_events: int
    heartbeats: int
    pm_values: int
    log_lines: int


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What really happened, and which subscriber identifiers were planted."""

    seed: int
    start: datetime
    end: datetime
    faults: tuple[Fault, ...]
    planted: tuple[Planted, ...]
    counts: Counts

    def to_json(self) -> str:
        """Return the truth as a JSON text."""
        return json.dumps(_shown(self), indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Simulation:
    """The telemetry as (relative path, bytes), the truth behind it, and the network's adjacent elements."""

    files: tuple[tuple[str, bytes], ...]
    truth: GroundTruth
    adjacency: tuple[tuple[str, str], ...]

    def topology(self) -> str:
        """Return the adjacency as CSV."""
        return "".join(f"{one},{other}\n" for one, other in (("element", "neighbour"), *self.adjacency))


def generate(scenario: Scenario) -> Simulation:
    """Return the telemetry of a scenario; same scenario, same bytes.

    Raises UsageError when the faults do not fit into the time or a number makes no network.
    """
    _check(scenario)
    start = scenario.start.astimezone(UTC)
    end = start + timedelta(hours=scenario.hours)
    network = build_network(scenario.gnbs)
    happened = inject_faults(network, scenario.seed, scenario.faults, start, end - start)
    subscribers = Subscribers(dice(scenario.seed, "subscribers"), _SUBSCRIBERS)
    story = Story(network, happened, subscribers, scenario.seed, start, end)
    logs = tuple(log_files(story))
    files = (*ves_files(story), *pm_files(story), *logs)
    counts = Counts(
        files=len(files),
        fault_events=2 * sum(len(fault.alarms) for fault in happened),
        heartbeats=len(network.elements) * ((end - start) // INTERVAL),
        pm_values=pm_values(story),
        log_lines=sum(content.count(b"\n") for _, content in logs),
    )
    truth = GroundTruth(scenario.seed, start, end, happened, subscribers.planted, counts)
    return Simulation(files, truth, network.adjacency)


def _check(scenario: Scenario) -> None:
    if scenario.gnbs < 1 or scenario.hours < 1 or scenario.faults < 0:
        raise UsageError.of("empty-simulation", "a simulation needs a gNB and an hour", expected="gnbs, hours >= 1")
    if scenario.start.tzinfo is None:
        raise UsageError.of("no-utc-offset", f"the start {scenario.start.isoformat()} has no offset", hint="add +00:00")


def _shown(truth: GroundTruth) -> dict[str, Any]:
    return {
        "seed": truth.seed,
        "start": truth.start.isoformat(),
        "end": truth.end.isoformat(),
        "faults": [_shown_fault(fault) for fault in truth.faults],
        "planted": [{"kind": kind, "value": value} for kind, value in truth.planted],
        "counts": {name: getattr(truth.counts, name) for name in Counts.__dataclass_fields__},
    }


def _shown_fault(fault: Fault) -> dict[str, Any]:
    return {
        "name": fault.name,
        "kind": fault.kind,
        "started": fault.started.isoformat(),
        "ended": fault.ended.isoformat(),
        "root_dn": fault.root.dn,
        "root_element": fault.root.element,
        "root_alarm": fault.root_alarm,
        "alarms": [
            {
                "event_id": alarm.event_id,
                "object_dn": alarm.place.dn,
                "alarm": alarm.kind.condition,
                "raised": alarm.raised.isoformat(),
                "cleared": alarm.cleared.isoformat(),
            }
            for alarm in fault.alarms
        ],
    }


def write(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Write files below a folder, each whole or not at all; raise StorageError where that cannot be."""
    for name, content in files:
        target = folder / PurePosixPath(name)
        try:
            _replace(target, content)
        except OSError as error:
            raise StorageError.of("cannot-write", f"{target} cannot be written", cause=error.strerror) from error


def _replace(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def simulate(out: Path, scenario: Scenario) -> GroundTruth:
    """Write a simulation to `out`: the telemetry below `telemetry/`, beside it `truth.json` and `topology.csv`.

    An earlier simulation there is replaced. Raises StorageError where `telemetry/` is something else.
    """
    simulation = generate(scenario)
    _clear(out)
    write([(TRUTH, simulation.truth.to_json().encode()), (TOPOLOGY, simulation.topology().encode())], out)
    write(simulation.files, out / TELEMETRY)
    return simulation.truth


def _clear(out: Path) -> None:
    """Remove the telemetry of an earlier simulation, which has its truth beside it."""
    old = out / TELEMETRY
    if old.exists() and not (out / TRUTH).is_file():
        raise StorageError.of(
            "not-a-simulation", f"{old} exists and is no simulation", hint="choose another folder, or remove it"
        )
    shutil.rmtree(old, ignore_errors=True)
