"""Faults and how they cascade along the network's dependencies into alarms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from cellwright.errors import UsageError
from cellwright.simulate.network import AMF, CORE_ROUTER, SMF, UPF, Network, dice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from random import Random

STORM: Final = timedelta(minutes=8)
"""No cascade lasts longer, clearing included."""
QUIET: Final = timedelta(minutes=16)
"""Between two faults nothing alarms for at least so long."""
_MOST_GNBS: Final = 24  # that one overload of the core is felt by
_SHORTEST_S: Final = 120.0
_LONGEST_S: Final = 170.0


class Place(NamedTuple):
    """Where an alarm arises: the element, and the part of it as class and local name, or the element itself."""

    element: str
    part_class: str = "other"
    part: str | None = None

    @property
    def dn(self) -> str:
        """Distinguished name."""
        return f"ManagedElement={self.element}" + (f",{self.part}" if self.part else "")


@dataclass(frozen=True, slots=True)
class AlarmType:
    """What an alarm says; severities are those of VES."""

    condition: str
    problem: str
    severity: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm from its raising to its clearing."""

    event_id: str
    place: Place
    kind: AlarmType
    raised: datetime
    cleared: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault: its root, which is the first place of the cascade, and every alarm that follows from it."""

    name: str
    kind: str
    started: datetime
    ended: datetime
    root: Place
    root_alarm: str
    alarms: tuple[Alarm, ...]  # by time of raising
    silent: frozenset[str]  # distinguished names of the cells that carry nothing meanwhile


class _Effect(NamedTuple):
    """One step of a cascade: which places, which alarm, and how many seconds after the fault."""

    reach: Callable[[Network, str, Random], Iterable[Place]]
    alarm: AlarmType
    lag_s: tuple[float, float]


class _Kind(NamedTuple):
    """A kind of fault: which elements it can strike, and its cascade, the root first."""

    strikes: Callable[[Network], tuple[str, ...]]
    effects: tuple[_Effect, ...]
    silences: bool  # whether the cells behind the root carry nothing


def _port(element: str, peer: str) -> Place:
    return Place(element, "port", f"Port=to-{peer}")


def _uplink(_: Network, router: str, __: Random) -> Iterator[Place]:
    yield _port(router, CORE_ROUTER)


def _far_end(_: Network, router: str, __: Random) -> Iterator[Place]:
    yield _port(CORE_ROUTER, router)


def _itself(_: Network, element: str, __: Random) -> Iterator[Place]:
    yield Place(element)


def _smf_itself(_: Network, __: str, ___: Random) -> Iterator[Place]:
    yield Place(SMF)


def _gnbs_behind(network: Network, router: str, _: Random) -> Iterator[Place]:
    return (Place(gnb.name) for gnb in network.behind(router))


def _cells_behind(network: Network, router: str, _: Random) -> Iterator[Place]:
    return (Place(gnb.name, "NRCellDU", cell) for gnb in network.behind(router) for cell in gnb.cells)


def _amf_side(network: Network, router: str, _: Random) -> Iterator[Place]:
    return (Place(AMF, "EP_N2", f"EP_N2={gnb.name}") for gnb in network.behind(router))


def _upf_side(network: Network, router: str, _: Random) -> Iterator[Place]:
    return (Place(UPF, "EP_N3", f"EP_N3={gnb.name}") for gnb in network.behind(router))


def _many_gnbs(network: Network, _: str, random: Random) -> Iterator[Place]:
    chosen = random.sample(network.gnbs, min(_MOST_GNBS, len(network.gnbs)))
    return (Place(gnb.name) for gnb in chosen)


def _some_cells(network: Network, _: str, random: Random) -> Iterator[Place]:
    chosen = random.sample(network.gnbs, min(_MOST_GNBS, len(network.gnbs)) // 2)
    return (Place(gnb.name, "NRCellDU", random.choice(gnb.cells)) for gnb in chosen)


def _the_cell(network: Network, element: str, _: Random) -> Iterator[Place]:
    yield Place(element, "NRCellDU", _gnb_cells(network, element)[0])


def _neighbours(network: Network, element: str, random: Random) -> Iterator[Place]:
    router = next(gnb.router for gnb in network.gnbs if gnb.name == element)
    first = next(_the_cell(network, element, random))
    return (place for place in _cells_behind(network, router, random) if place != first)


def _gnb_cells(network: Network, element: str) -> tuple[str, ...]:
    return next(gnb.cells for gnb in network.gnbs if gnb.name == element)


_ADJACENCY: Final = AlarmType("OspfAdjacencyLost", "OSPF neighbour is down", "MAJOR")
_CUT_OFF: Final = (
    _Effect(_far_end, AlarmType("LinkDown", "Remote end does not answer", "MAJOR"), (1, 4)),
    _Effect(_gnbs_behind, AlarmType("NgConnectionLost", "No NG connection to any AMF", "CRITICAL"), (12, 45)),
    _Effect(_cells_behind, AlarmType("CellOutOfService", "Cell is disabled by dependency", "MAJOR"), (20, 80)),
    _Effect(_amf_side, AlarmType("SctpAssociationLost", "SCTP association to the gNB timed out", "MAJOR"), (15, 60)),
    _Effect(_upf_side, AlarmType("GtpPathFailure", "No answer to GTP-U echo requests", "MINOR"), (20, 90)),
)
_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "link-cut": _Kind(
            lambda network: network.routers,
            (
                _Effect(_uplink, AlarmType("LossOfSignal", "No optical signal received", "CRITICAL"), (0, 6)),
                _Effect(_itself, _ADJACENCY, (4, 12)),
                *_CUT_OFF,
            ),
            silences=True,
        ),
        "upf-overload": _Kind(
            lambda _: (UPF,),
            (
                _Effect(_itself, AlarmType("CpuOverload", "Packet processing cores saturated", "CRITICAL"), (0, 10)),
                _Effect(_itself, AlarmType("PacketDropRateHigh", "N3 receive queue overflows", "MAJOR"), (5, 20)),
                _Effect(_smf_itself, AlarmType("PfcpTimeout", "UPF does not answer in time", "MAJOR"), (8, 25)),
                _Effect(_many_gnbs, AlarmType("DrbSetupFailureRateHigh", "Bearer set-ups fail", "MAJOR"), (15, 80)),
                _Effect(_some_cells, AlarmType("ThroughputDegraded", "User throughput too low", "MINOR"), (30, 90)),
            ),
            silences=False,
        ),
        "power-loss": _Kind(
            lambda network: network.routers,
            (
                _Effect(_itself, AlarmType("MainsFailure", "Mains power lost at the site", "CRITICAL"), (0, 3)),
                _Effect(_itself, AlarmType("BatteryDischarging", "Site runs on battery", "MAJOR"), (1, 5)),
                *_CUT_OFF,
            ),
            silences=True,
        ),
        "signalling-storm": _Kind(
            lambda _: (AMF,),
            (
                _Effect(_itself, AlarmType("SignallingOverload", "NAS message rate over limit", "CRITICAL"), (0, 10)),
                _Effect(_itself, AlarmType("RegistrationRejectRateHigh", "Congestion", "MAJOR"), (3, 15)),
                _Effect(_smf_itself, AlarmType("N11Timeout", "AMF does not answer in time", "MAJOR"), (8, 30)),
                _Effect(_many_gnbs, AlarmType("NgOverloadStart", "AMF asks to reduce signalling", "MINOR"), (10, 60)),
                _Effect(_some_cells, AlarmType("RrcRejectRateHigh", "Access attempts rejected", "MINOR"), (20, 90)),
            ),
            silences=False,
        ),
        "sleeping-cell": _Kind(
            lambda network: tuple(gnb.name for gnb in network.gnbs),
            (
                _Effect(_the_cell, AlarmType("NoUserTraffic", "In service, but no access attempt", "MINOR"), (40, 60)),
                _Effect(_neighbours, AlarmType("HandoverFailureRateHigh", "Handovers fail", "WARNING"), (10, 90)),
            ),
            silences=True,
        ),
    }
)


def inject_faults(network: Network, seed: int, count: int, start: datetime, duration: timedelta) -> tuple[Fault, ...]:
    """Return `count` faults, kinds in turn, each in its share of the time; raise UsageError when that is too short."""
    share = duration / count if count else duration
    if share < STORM + QUIET:
        raise UsageError.of(
            "too-many-faults",
            f"{count} faults do not fit into {duration}",
            expected=f"at least {STORM + QUIET} for each fault",
        )
    random = dice(seed, "faults")
    slack_s = (share - STORM - QUIET).total_seconds()
    return tuple(
        _inject(network, random, number, start + number * share + timedelta(seconds=random.uniform(0, slack_s)))
        for number in range(count)
    )


def _inject(network: Network, random: Random, number: int, started: datetime) -> Fault:
    name = tuple(_KINDS)[number % len(_KINDS)]
    kind = _KINDS[name]
    struck = random.choice(kind.strikes(network))
    lasts = timedelta(seconds=random.uniform(_SHORTEST_S, _LONGEST_S))
    placed = [
        (place, effect.alarm, started + timedelta(seconds=random.uniform(*effect.lag_s)))
        for effect in kind.effects
        for place in effect.reach(network, struck, random)
    ]
    root = placed[0]
    alarms = [
        Alarm(
            str(UUID(int=random.getrandbits(128), version=4)),  # says nothing of what belongs together
            place,
            alarm,
            _whole(raised),
            _whole(started + lasts + timedelta(seconds=random.uniform(0, 90))),
        )
        for place, alarm, raised in sorted(placed, key=lambda entry: entry[2])
    ]
    cells = [root[0]] if root[0].part_class == "NRCellDU" else [*_cells_behind(network, struck, random)]
    return Fault(
        f"fault-{number + 1:03d}",
        name,
        _whole(started),
        max(alarm.cleared for alarm in alarms),
        root[0],
        root[1].condition,
        tuple(alarms),
        frozenset(place.dn for place in cells) if kind.silences else frozenset(),
    )


def _whole(moment: datetime) -> datetime:
    """Return the moment to the millisecond, as elements report it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
