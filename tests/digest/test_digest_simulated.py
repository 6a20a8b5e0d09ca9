"""Correlation and ranking on simulated faults whose truth is known, learned on another network."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from alarm_tables import alarm_table

from cellwright.digest.alarms import alarms_of
from cellwright.digest.compose import digest_incident
from cellwright.digest.correlate import correlated
from cellwright.digest.correlate_episodes import Surroundings
from cellwright.digest.correlate_topology import Topology
from cellwright.digest.rank import rank
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter
from cellwright.simulate.faults import inject_faults
from cellwright.simulate.network import build_network
from cellwright.simulate.simulation import DEFAULT_START

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from cellwright.digest.rank_precedence import Precedence
    from cellwright.simulate.faults import Fault

COUNT = EstimatingCounter()


def faults(seed: int, gnbs: int) -> tuple[Fault, ...]:
    return inject_faults(build_network(gnbs), seed, 10, DEFAULT_START, timedelta(hours=6))


def table(happened: Iterable[Fault]) -> pa.Table:
    rows = []
    for fault in happened:
        for alarm in fault.alarms:
            row = {
                "alarm_id": alarm.event_id,
                "object_dn": alarm.place.dn,
                "probable_cause": alarm.kind.condition,
                "specific_problem": alarm.kind.problem,
                "additional": [("fault", fault.name)],
            }
            rows.append({**row, "event_ts": alarm.raised, "perceived_severity": alarm.kind.severity})
            rows.append({**row, "event_ts": alarm.cleared, "perceived_severity": "CLEARED"})
    return alarm_table(rows)


@pytest.fixture(scope="module")
def learned() -> Precedence:
    networks = [table(faults(seed, gnbs)) for seed, gnbs in ((101, 9), (102, 18))]
    return learn_precedence(each.alarms for network in networks for each in incidents(network, COUNT))


def moved(fault: Fault, to: Fault, seconds: float) -> Fault:
    shift = to.started - fault.started + timedelta(seconds=seconds)
    alarms = (replace(each, raised=each.raised + shift, cleared=each.cleared + shift) for each in fault.alarms)
    return replace(fault, alarms=tuple(alarms))


@pytest.mark.parametrize(("seed", "gnbs"), [(1, 6), (2, 24), (3, 48)])
def test_roots_of_unseen_networks_come_first_the_sleeping_cell_too(seed: int, gnbs: int, learned: Precedence) -> None:
    happened = {fault.name: fault for fault in faults(seed, gnbs)}
    found = list(incidents(table(happened.values()), COUNT))
    assert len(found) == len(happened)
    for incident in found:
        fault = happened[dict(incident.alarms[0].additional)["fault"]]
        facts = decode(digest_incident(incident, count=COUNT).text)
        best = rank(facts, learned)[0]
        assert (best.alarm_type.partition("/")[0], best.element) == (fault.root_alarm, fault.root.dn)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_faults_at_once_become_two_incidents(seed: int, learned: Precedence) -> None:
    network = build_network(48)
    cut, overload, power, storm, asleep, *_ = faults(seed, 48)
    surroundings = Surroundings(Topology.of(network.adjacency), learned.lags())
    for one, other in ((cut, overload), (power, storm), (overload, storm), (asleep, overload)):
        both = alarms_of(table([one, moved(other, one, 20)]))
        found = correlated(both, surroundings)
        causes = [Counter(dict(alarm.additional)["fault"] for alarm in each.alarms) for each in found]
        assert sorted(map(dict, causes), key=str) == sorted(
            ({each.name: 2 * len(each.alarms)} for each in (one, other)), key=str
        )
        assert len(correlated(both, Surroundings())) == 1
