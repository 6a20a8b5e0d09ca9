"""NetBox: active sites, devices whose cores and memory are known, and cables and circuits between sites."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cellwright.errors import UsageError
from cellwright.estate.model import Location, Nic, Node
from cellwright.inventory.columns import check_overrides, recognise
from cellwright.inventory.complete import complete
from cellwright.inventory.countries import jurisdiction_of
from cellwright.inventory.findings import Findings
from cellwright.inventory.formats.netbox_links import links
from cellwright.inventory.formats.netbox_objects import KEYS, KINDS, Found, Head, kind_of
from cellwright.inventory.jsontext import items, struct
from cellwright.inventory.model import FoundSite, Network, Role
from cellwright.inventory.names import Names, plain
from cellwright.inventory.quantities import RATE
from cellwright.inventory.rows import Row
from cellwright.inventory.tables import architecture, join, node_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.errors import Mark
    from cellwright.inventory.columns import Column
    from cellwright.inventory.formats.netbox_objects import Device, InventoryItem, Site
    from cellwright.inventory.model import Imported, Options, Source

_ACTIVE: Final = "active"
_GPU: Final = re.compile(r"\b(gpus?|accelerators?)\b", re.IGNORECASE)
_NIC: Final = re.compile(r"\b(nics?|network[ -]cards?|network[ -]adapters?|hcas?)\b", re.IGNORECASE)
_DPU: Final = re.compile(r"\b(dpus?|smart-?nics?|bluefield)\b", re.IGNORECASE)
_RATE: Final = re.compile(r"(\d+)\s?(?:GbE|Gb(?:it)?/s|Gbps|G)\b", re.IGNORECASE)
_MACHINE: Final = frozenset(("cores", "threads", "memory"))


class NetBox:
    """Reads the objects of NetBox's REST API, from files or from its answers."""

    name = "netbox"
    reads = "NetBox: answers of its REST API in files, or --url ADDRESS (token in CELLWRIGHT_NETBOX_TOKEN)"

    def documents(self, texts: Sequence[Source], options: Options) -> Imported:
        """Return the documents of what NetBox knows."""
        answers = [source for source in texts if source.role is Role.INVENTORY]
        if not answers:
            raise UsageError.of("no-input", "neither files nor an address are given", expected="FILE..., or --url URL")
        check_overrides(options.columns)
        findings = Findings()
        found = _objects(answers, options, findings)
        machines = _machines(found, options, findings)
        sites = _sites(found, machines, findings)
        network = Network(sites, links(found, findings), findings.diagnostics(), findings.remarks())
        return complete(join(network, texts, options), options)


def _objects(answers: Sequence[Source], options: Options, findings: Findings) -> Found:
    found = Found()
    for source in answers:
        for item in items(source, KEYS, options, findings):
            head = struct(item, Head, "NetBox object", findings)
            kind = kind_of(head.url, item.key) if head else None
            if head is not None and kind is None:
                hint = "export the answers of the REST API as they come: each object has a url"
                findings.problem("unknown-object", "an object that does not say its kind", item.mark, hint=hint)
            if kind is None or head is None:
                continue
            if kind not in KINDS:
                findings.skipped("objects that say nothing an estate holds", kind)
                continue
            thing = struct(item, KINDS[kind], f"object of {kind}", findings)
            if thing is None:
                continue
            before = found.add(kind, thing, item.mark)
            if before is not None:
                message = f"{kind} {thing.id} occurs twice"
                findings.problem("duplicate-object", message, item.mark, hint=f"first at {before}")
    return found


def _sites(found: Found, machines: Mapping[int, Sequence[Node]], findings: Findings) -> tuple[FoundSite, ...]:
    sites = []
    for site, mark in found.all("dcim/sites"):
        if site.status is not None and site.status.value != _ACTIVE:
            findings.skipped(f"sites that are {site.status.value}", site.name)
            continue
        sites.append(
            FoundSite(
                key=str(site.id),
                name=plain(site.name) or site.slug,
                mark=mark,
                location=_location(site, mark, findings),
                country=_country(site, found),
                nodes=_folded(machines.get(site.id, ())),
                attributes=_facts(site),
            )
        )
    return tuple(sites)


def _facts(site: Site) -> dict[str, str]:
    """Return what tier rules and labels can use: region, group, tags and plain custom fields."""
    facts = {key: str(value) for key, value in site.custom_fields.items() if isinstance(value, str | int | float)}
    for key, nested in (("region", site.region), ("group", site.group)):
        if nested is not None:
            facts[key] = nested.slug or nested.name
    facts.update({f"tag-{tag.slug}": "true" for tag in site.tags or ()})
    return facts


def _location(site: Site, mark: Mark, findings: Findings) -> Location | None:
    if site.latitude is None and site.longitude is None:
        return None
    values = []
    for word, given, bound in (("latitude", site.latitude, 90.0), ("longitude", site.longitude, 180.0)):
        try:
            value = math.nan if given is None else float(given)
        except ValueError:
            value = math.nan
        if not -bound <= value <= bound:
            message = f"the {word} of site {site.name!r} is {'missing' if given is None else plain(str(given))}"
            findings.problem("bad-coordinate", message, mark, expected=f"a number from {-bound:g} to {bound:g}")
        values.append(value)
    return Location(*values) if all(math.isfinite(value) for value in values) else None


def _country(site: Site, found: Found) -> str | None:
    """Return the country of a site: a custom field, else the nearest region upwards that is one."""
    for key, value in site.custom_fields.items():
        column = recognise("sites", key, {})
        if column is not None and column.fact == "country" and isinstance(value, str):
            return value
    region, seen = site.region, set[int]()
    while region is not None and region.id not in seen:
        seen.add(region.id)
        for name in (region.name, region.slug):
            if jurisdiction_of(name):
                return name
        full = found.get("dcim/regions", region.id)
        region = full.parent if full else None
    return None


def _machines(found: Found, options: Options, findings: Findings) -> dict[int, list[Node]]:
    """Return the machines of each site by its id, from devices that are active and whose size is known."""
    parts: dict[int, list[InventoryItem]] = {}
    for item, _ in found.all("dcim/inventory-items"):
        if item.device is not None:
            parts.setdefault(item.device.id, []).append(item)
    machines: dict[int, list[Node]] = {}
    for device, mark in found.all("dcim/devices"):
        role = device.role or device.device_role
        name = device.name or f"device {device.id}"
        row = _row(device, found, parts.get(device.id, ()), mark, options, findings)
        if not _MACHINE & row.cells.keys():
            kind = (role.name or role.display) if role else "no role"
            findings.skipped(f"devices of the role {plain(kind)!r} without cores and memory", plain(name))
        elif device.status is not None and device.status.value != _ACTIVE:
            findings.skipped(f"devices that are {device.status.value}", plain(name))
        elif device.site is None:
            findings.skipped("devices without a site", plain(name))
        elif (node := node_of(row, options)) is not None:
            cards = _cards(parts.get(device.id, ()), options, findings)
            dpu = node.dpu or any(_DPU.search(_words(item)) for item in parts.get(device.id, ()))
            machines.setdefault(device.site.id, []).append(replace(node, name="", nics=node.nics or cards, dpu=dpu))
    return machines


def _row(  # noqa: PLR0913, PLR0917 - a device and everything that says something about it
    device: Device,
    found: Found,
    parts: Sequence[InventoryItem],
    mark: Mark,
    options: Options,
    findings: Findings,
) -> Row:
    """Return what custom fields of the device, else of its type, say of it, as a row of the table of machines."""
    cells: dict[str, str] = {}
    columns: dict[str, tuple[str, Column]] = {}
    kind = found.get("dcim/device-types", device.device_type.id) if device.device_type else None
    for fields in (device.custom_fields, kind.custom_fields if kind else {}):
        for key, value in sorted(fields.items()):
            column = recognise("nodes", key, options.columns)
            text = _text(value)
            if column is not None and text and column.fact not in {"name", "site", "count", *cells}:
                cells[column.fact] = text
                columns[column.fact] = (key, column)
    cards = Counter(_product(item) for item in parts if _GPU.search(_words(item)))
    if cards and "gpu_model" not in cells:
        product, count = cards.most_common(1)[0]
        cells.update(gpu_model=product, gpu_count=str(count))
        if len(cards) > 1:
            findings.skipped("GPUs of a second model in one machine", plain(device.name or str(device.id)))
    words = f"{device.platform.name} {device.platform.slug}" if device.platform else ""
    arch = next((word for word in re.split(r"[\s,()/-]+", words) if architecture(word)), None)
    if arch and "arch" not in cells:
        cells["arch"] = arch
    cells["name"] = plain(device.name or f"device {device.id}")
    return Row("nodes", mark, cells, columns, findings)


def _text(value: Any) -> str:  # noqa: ANN401 - custom fields hold any JSON
    """Return a custom field as the text of a cell; selections and objects have a name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        value = value.get("label") or value.get("name") or value.get("value")
    return "" if value is None or isinstance(value, list | dict) else str(value).strip()


def _words(item: InventoryItem) -> str:
    return f"{item.role.name} {item.role.slug}" if item.role else item.name


def _product(item: InventoryItem) -> str:
    """Return what a part is: its part number where that is a name, else its label or name."""
    return next((text for text in (item.part_id, item.label, item.name) if re.search(r"[A-Za-z]", text)), item.name)


def _cards(parts: Sequence[InventoryItem], options: Options, findings: Findings) -> tuple[Nic, ...]:
    """Return the network cards whose custom fields count SR-IOV functions."""
    names = Names("nic")
    cards = []
    for item in parts:
        words = _words(item)
        if not (_NIC.search(words) or _DPU.search(words)):
            continue
        fields = {
            column.fact: _text(value)
            for key, value in item.custom_fields.items()
            if (column := recognise("nodes", key, options.columns)) is not None
        }
        functions = fields.get("functions", "")
        if functions.isdecimal() and int(functions) > 0:
            rate = _RATE.search(_product(item))
            if rate is None:
                findings.assumed(f"network cards: {options.nic_gbps:g} Gbit/s (--nic-bandwidth)", plain(item.name))
            gbps = RATE.parse(rate[1], "Gbit/s") if rate else options.nic_gbps
            cards.append(Nic(names.give(item.name), 0, int(functions), gbps))
    return tuple(cards)


def _folded(machines: Sequence[Node]) -> tuple[Node, ...]:
    """Return identical machines as one entry with their count."""
    counts = Counter(machines)
    names = Names("node")
    return tuple(
        replace(node, name=names.give(node.gpus.model if node.gpus else "general"), count=counts[node])
        for node in sorted(counts, key=lambda node: -counts[node])
    )


INVENTORY: Final = NetBox()
