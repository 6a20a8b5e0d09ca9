"""The simulated 5G network: gNBs with cells behind aggregation routers, and a core that all of them depend on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Final

CELLS_PER_GNB: Final = 3
GNBS_PER_ROUTER: Final = 6
AMF: Final = "amf-1"
SMF: Final = "smf-1"
UPF: Final = "upf-1"
CORE_ROUTER: Final = "rtr-core-1"


@dataclass(frozen=True, slots=True)
class Gnb:
    """A base station, its cells, and the aggregation router it is reached through."""

    name: str
    router: str
    cells: tuple[str, ...]  # local names, such as NRCellDU=1


@dataclass(frozen=True, slots=True)
class Network:
    """Everything that alarms, counts and logs."""

    gnbs: tuple[Gnb, ...]
    routers: tuple[str, ...]  # aggregation; all hang on CORE_ROUTER

    @property
    def elements(self) -> tuple[str, ...]:
        """Names of all network functions and routers."""
        return (AMF, SMF, UPF, CORE_ROUTER, *self.routers, *(gnb.name for gnb in self.gnbs))

    @property
    def adjacency(self) -> tuple[tuple[str, str], ...]:
        """Pairs of elements that are linked or hold a reference point: transport, N2, N3, N4, N11, and Xn by router."""
        core = ((AMF, SMF), (SMF, UPF), *((CORE_ROUTER, each) for each in (AMF, SMF, UPF, *self.routers)))
        access = ((peer, gnb.name) for gnb in self.gnbs for peer in (gnb.router, AMF, UPF))
        xn = ((one.name, other.name) for one, other in combinations(self.gnbs, 2) if one.router == other.router)
        return (*core, *access, *xn)

    def behind(self, router: str) -> tuple[Gnb, ...]:
        """Return the gNBs that are reached through a router."""
        return tuple(gnb for gnb in self.gnbs if gnb.router == router)


def build_network(gnbs: int) -> Network:
    """Return a network of `gnbs` base stations, GNBS_PER_ROUTER on each aggregation router."""
    cells = tuple(f"NRCellDU={number}" for number in range(1, CELLS_PER_GNB + 1))
    stations = tuple(
        Gnb(f"gnb-{number + 1:03d}", f"rtr-agg-{number // GNBS_PER_ROUTER + 1}", cells) for number in range(gnbs)
    )
    return Network(stations, tuple(dict.fromkeys(gnb.router for gnb in stations)))


def dice(seed: int, part: str) -> Random:
    """Return the random numbers of one part of a simulation, so that no part disturbs another."""
    return Random(f"{seed}/{part}")  # noqa: S311 - a simulation must repeat, nothing here is a secret
