"""Simulated networks for benchmarks: their alarms as a lake holds them, the truth behind them, and their topology."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from cellwright.digest.correlate_topology import Topology
from cellwright.lake.schema import TABLES
from cellwright.simulate.simulation import Scenario, generate
from cellwright.telemetry.formats.ves import Ves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.simulate.faults import Fault


@dataclass(frozen=True, slots=True)
class Simulated:
    """One network: its `alarm_events`, which fault each alarm identifier is of, and who is beside whom."""

    alarms: pa.Table
    fault_of: Mapping[str, Fault]
    faults: tuple[Fault, ...]
    pairs: tuple[tuple[str, str], ...]

    @property
    def topology(self) -> Topology:
        """Return the whole topology."""
        return Topology.of(self.pairs)


def simulated(scenario: Scenario) -> Simulated:
    """Return a simulated network whose VES files went through the format as in mediation."""
    simulation = generate(scenario)
    faults = simulation.truth.faults
    fault_of = {alarm.event_id: fault for fault in faults for alarm in fault.alarms}
    return Simulated(_events(simulation.files), fault_of, faults, simulation.adjacency)


def _events(files: Sequence[tuple[str, bytes]]) -> pa.Table:
    """Return the alarm events of all VES files in the lake's schema."""
    schema = TABLES["alarm_events"]
    tables = []
    for name, content in files:
        if not Ves().detects(content[:65536], name):
            continue
        for batch in Ves().parse(io.BytesIO(content)):
            if facts := batch.tables.get("alarm_events"):
                envelope = {"tenant": "bench", "source": "simulation", "file_id": name, "ingest_ts": 0}
                constants = {
                    key: pa.repeat(pa.scalar(value, schema.field(key).type), facts.num_rows)
                    for key, value in envelope.items()
                }
                columns = [constants[each] if each in constants else facts[each] for each in schema.names]
                tables.append(pa.table(columns, schema))
    return pa.concat_tables(tables)
