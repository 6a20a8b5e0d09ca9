"""Links between NetBox's sites: circuits, and cables whose ends stand at two sites."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from cellwright.inventory.model import FoundLink
from cellwright.inventory.names import plain
from cellwright.inventory.quantities import LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.inventory.findings import Findings
    from cellwright.inventory.formats.netbox_objects import Cable, CableEnd, Choice, Circuit, CircuitEnd, Found

_KBIT: Final = 1e-6  # of a Gbit/s
_ACTIVE: Final = "active"
_CONNECTED: Final = "connected"
_TYPE_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)(gbase|gfc|g)|(\d+)(base)", re.IGNORECASE)


def links(found: Found, findings: Findings) -> tuple[FoundLink, ...]:
    """Return the links in order: circuits, then cables."""
    kept = {site.id for site, _ in found.all("dcim/sites") if site.status is None or site.status.value == _ACTIVE}
    every = (*_circuits(found, findings), *_cables(found, findings))
    return tuple(link for link in every if _within(link, kept, findings))


def _within(link: FoundLink, kept: set[int], findings: Findings) -> bool:
    if {int(link.a), int(link.b)} <= kept:
        return True
    findings.skipped("links to a site that is not active", link.name or str(link.mark))
    return False


def _circuits(found: Found, findings: Findings) -> Iterator[FoundLink]:
    for circuit, mark in found.all("circuits/circuits"):
        name = plain(circuit.cid)
        a, z = _circuit_site(circuit.termination_a), _circuit_site(circuit.termination_z)
        if circuit.status is not None and circuit.status.value != _ACTIVE:
            findings.skipped(f"circuits that are {circuit.status.value}", name)
        elif a is None or z is None:
            findings.skipped("circuits that do not end at two sites", name)
        elif a != z:
            length = _km(circuit.distance, circuit.distance_unit)
            yield FoundLink(str(a), str(z), mark, name, bandwidth_gbps=_circuit_rate(circuit), length_km=length)


def _circuit_site(end: CircuitEnd | None) -> int | None:
    """Return the id of the site at one end; provider networks, regions and locations are no sites."""
    if end is None:
        return None
    if end.termination is not None and end.termination_type == "dcim.site":
        return end.termination.id
    return end.site.id if end.site is not None else None


def _circuit_rate(circuit: Circuit) -> float | None:
    """Return the committed rate, else the slowest of the speeds of both ports."""
    if circuit.commit_rate:
        return circuit.commit_rate * _KBIT
    ends = [end for end in (circuit.termination_a, circuit.termination_z) if end is not None]
    speeds = [speed for end in ends for speed in (end.port_speed, end.upstream_speed) if speed]
    return min(speeds) * _KBIT if speeds else None


def _cables(found: Found, findings: Findings) -> Iterator[FoundLink]:
    for cable, mark in found.all("dcim/cables"):
        name = plain(cable.label) or f"cable-{cable.id}"
        ends = [_cable_site(terminations, found) for terminations in (cable.a_terminations, cable.b_terminations)]
        a, b = ends
        if a is None or b is None or a == b:
            continue  # inside a site, to a circuit, or to something that stands nowhere
        if cable.status is not None and cable.status.value != _CONNECTED:
            findings.skipped(f"cables that are {cable.status.value}", name)
            continue
        yield FoundLink(
            str(a),
            str(b),
            mark,
            name,
            bandwidth_gbps=_cable_rate(cable, found),
            length_km=_km(cable.length, cable.length_unit),
        )


def _cable_site(terminations: list[CableEnd], found: Found) -> int | None:
    for end in terminations:
        if end.object is not None and end.object.device is not None:
            device = found.get("dcim/devices", end.object.device.id)
            if device is not None and device.site is not None:
                return int(device.site.id)
    return None


def _cable_rate(cable: Cable, found: Found) -> float | None:
    """Return the slower of both ends: the sum of its interfaces' speeds, or of what their types are named after."""
    rates = []
    for terminations in (cable.a_terminations, cable.b_terminations):
        speeds = [
            _interface_rate(interface.speed, interface.type.value if interface.type else "")
            for end in terminations
            if end.object_type == "dcim.interface" and (interface := found.get("dcim/interfaces", end.object_id))
        ]
        known = [speed for speed in speeds if speed is not None]
        if known:
            rates.append(sum(known))
    return min(rates, default=None)


def _interface_rate(speed: int | None, kind: str) -> float | None:
    """Return Gbit/s of an interface: `100gbase-x-qsfp28` is 100, `1000base-t` is 1."""
    if speed:
        return speed * _KBIT
    match = _TYPE_RATE.match(kind)
    if match is None:
        return None
    return float(match[1]) if match[1] else float(match[3]) * 1e-3


def _km(length: float | str | None, unit: Choice | None) -> float | None:
    if length is None or unit is None:
        return None
    try:
        km = LENGTH.parse(str(length), unit.value)
    except ValueError:
        return None
    return km if math.isfinite(km) and km > 0 else None
