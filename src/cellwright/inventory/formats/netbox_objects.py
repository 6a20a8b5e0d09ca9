"""What is needed of NetBox's objects (REST API of NetBox 4: serializers of dcim and circuits); the rest is skipped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from cellwright.errors import Mark

ENDPOINTS: Final = (
    "dcim/regions",
    "dcim/sites",
    "dcim/device-types",
    "dcim/devices",
    "dcim/inventory-items",
    "dcim/interfaces",
    "dcim/cables",
    "circuits/circuits",
)
"""What an import reads, in this order; of interfaces only those with a cable."""

_URL: Final = re.compile(r"/api/([a-z-]+/[a-z-]+)/\d+/?")


class Choice(msgspec.Struct):
    """A value with its label."""

    value: str = ""


class Named(msgspec.Struct):
    """A nested object."""

    id: int
    name: str = ""
    slug: str = ""
    model: str = ""
    display: str = ""


class Region(msgspec.Struct):
    """A region, below another one or at the top."""

    id: int
    name: str
    slug: str = ""
    parent: Named | None = None
    custom_fields: dict[str, Any] = {}


class Site(msgspec.Struct):
    """A site."""

    id: int
    name: str
    slug: str = ""
    status: Choice | None = None
    region: Named | None = None
    group: Named | None = None
    latitude: float | str | None = None
    longitude: float | str | None = None
    tags: list[Named] | None = None
    custom_fields: dict[str, Any] = {}


class DeviceType(msgspec.Struct):
    """A device type, of which only custom fields matter."""

    id: int
    model: str = ""
    custom_fields: dict[str, Any] = {}


class Device(msgspec.Struct):
    """A device."""

    id: int
    name: str | None = None
    status: Choice | None = None
    role: Named | None = None
    device_role: Named | None = None  # until NetBox 3.6
    device_type: Named | None = None
    platform: Named | None = None
    site: Named | None = None
    custom_fields: dict[str, Any] = {}


class InventoryItem(msgspec.Struct):
    """A part of a device."""

    id: int
    name: str = ""
    device: Named | None = None
    role: Named | None = None
    part_id: str = ""
    label: str = ""
    custom_fields: dict[str, Any] = {}


class Interface(msgspec.Struct):
    """A port of a device."""

    id: int
    device: Named | None = None
    type: Choice | None = None
    speed: int | None = None  # kbit/s


class Terminated(msgspec.Struct):
    """The object that a cable ends at, as far as it names a device."""

    id: int = 0
    device: Named | None = None


class CableEnd(msgspec.Struct):
    """One end of a cable."""

    object_type: str = ""
    object_id: int = 0
    object: Terminated | None = None


class Cable(msgspec.Struct):
    """A cable."""

    id: int
    label: str = ""
    status: Choice | None = None
    a_terminations: list[CableEnd] = []
    b_terminations: list[CableEnd] = []
    length: float | str | None = None
    length_unit: Choice | None = None


class CircuitEnd(msgspec.Struct):
    """One end of a circuit: `termination` since NetBox 4.2, `site` before."""

    termination_type: str | None = None
    termination: Named | None = None
    site: Named | None = None
    port_speed: int | None = None  # kbit/s
    upstream_speed: int | None = None  # kbit/s


class Circuit(msgspec.Struct):
    """A circuit."""

    id: int
    cid: str
    status: Choice | None = None
    commit_rate: int | None = None  # kbit/s
    distance: float | str | None = None
    distance_unit: Choice | None = None
    termination_a: CircuitEnd | None = None
    termination_z: CircuitEnd | None = None


class Head(msgspec.Struct):
    """What says which kind of object it is."""

    url: str = ""


KINDS: Final[dict[str, type[Any]]] = {
    "dcim/regions": Region,
    "dcim/sites": Site,
    "dcim/device-types": DeviceType,
    "dcim/devices": Device,
    "dcim/inventory-items": InventoryItem,
    "dcim/interfaces": Interface,
    "dcim/cables": Cable,
    "circuits/circuits": Circuit,
}
KEYS: Final = ("results", *(endpoint.partition("/")[2].replace("-", "_") for endpoint in ENDPOINTS), *ENDPOINTS)
"""Keys below which an export may keep lists of objects."""


def kind_of(url: str, key: str) -> str | None:
    """Return the endpoint that an object comes from, by its address or by the key of its list."""
    match = _URL.search(url)
    if match:
        return match[1]
    name = key.replace("_", "-")
    return next((endpoint for endpoint in ENDPOINTS if name in {endpoint, endpoint.partition("/")[2]}), None)


class Found:
    """Objects by kind, in the order of their id, with their places."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[int, tuple[Any, Mark]]] = {kind: {} for kind in KINDS}

    def add(self, kind: str, thing: Any, mark: Mark) -> Mark | None:  # noqa: ANN401 - one of KINDS
        """Add an object; return where one with its id was before."""
        before = self._objects[kind].get(thing.id)
        if before is None:
            self._objects[kind][thing.id] = (thing, mark)
        return before[1] if before else None

    def all(self, kind: str) -> list[tuple[Any, Mark]]:
        """Return the objects of one kind by id."""
        return [pair for _, pair in sorted(self._objects[kind].items())]

    def get(self, kind: str, number: int) -> Any:  # noqa: ANN401 - one of KINDS
        """Return one object, or None."""
        found = self._objects[kind].get(number)
        return found[0] if found else None
