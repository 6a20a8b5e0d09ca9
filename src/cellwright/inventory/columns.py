"""Which of our facts a header, custom field or label speaks of: by synonym, with an optional unit at its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError, nearest
from cellwright.inventory.quantities import DURATION, LENGTH, MEMORY, POWER, RATE, VOLUME, spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.inventory.quantities import Measure

_SITE: Final = MappingProxyType(
    {
        "name": "name site site_name site_id pop location_name facility id standort",
        "lat": "lat latitude breite breitengrad latitudine gps_lat geo_lat",
        "lon": "lon lng long longitude laenge laengengrad longitudine gps_lon gps_lng geo_lon",
        "country": "country jurisdiction country_code country_name iso iso2 iso_code land paese pays",
        "tier": "tier site_tier",
        "control": "control controlled_by controller",
        "isolated": "isolated dedicated",
        "managed": "managed provider_managed",
        "on_call": "on_call oncall duty",
        "skills": "skills",
        "power_budget": "power_budget power power_limit max_power",
        "pue": "pue",
    }
)
_NODE: Final = MappingProxyType(
    {
        "site": "site site_name site_id pop location facility standort",
        "name": "name node node_name host hostname server machine device",
        "count": "count number quantity qty nodes servers machines anzahl",
        "arch": "arch architecture cpu_arch cpu_architecture",
        "cores": "cores cpu_cores core_count physical_cores num_cores total_cores cpus kerne",
        "threads": "threads vcpus vcpu hardware_threads logical_cores logical_cpus",
        "threads_per_core": "threads_per_core smt hyperthreading",
        "memory": "memory ram mem memory_total total_memory ram_total speicher",
        "sockets": "sockets cpu_sockets socket_count",
        "cells": "cells numa numa_cells numa_nodes",
        "gpu_model": "gpu_model gpu gpu_type accelerator gpu_product gpu_name",
        "gpu_count": "gpu_count gpus num_gpus number_of_gpus accelerators",
        "gpu_memory": "gpu_memory gpu_mem vram gpu_ram",
        "mig": "mig gpu_mig",
        "unified_memory": "unified_memory",
        "hugepages_2mib": "hugepages_2mib hugepages_2m hugepages_2mi",
        "hugepages_1gib": "hugepages_1gib hugepages_1g hugepages_1gi",
        "nvme": "nvme nvme_size nvme_capacity local_nvme",
        "nic": "nic nic_name nic_model",
        "functions": "sriov sr_iov functions vfs virtual_functions sriov_functions sriov_vfs",
        "nic_rate": "nic_rate nic_speed nic_bandwidth",
        "dpu": "dpu smartnic",
        "fabric": "fabric rdma_fabric interconnect",
        "executions": "executions execution",
        "power": "power max_power power_draw tdp",
    }
)
_LINK: Final = MappingProxyType(
    {
        "a": "a site_a a_site a_end from from_site source src start von",
        "b": "b site_b b_site b_end z_end to to_site target destination dst dest end nach",
        "name": "name link link_name circuit cid id",
        "rtt": "rtt rtt_p50 p50 latency_rtt round_trip round_trip_time median_rtt ping",
        "rtt_p99": "rtt_p99 p99 p99_rtt",
        "bandwidth": "bandwidth capacity link_speed linkspeed speed rate bitrate link_capacity bandbreite",
        "length": "length distance fibre_length fiber_length cable_length route_length laenge dist",
    }
)
TABLES: Final = MappingProxyType({"sites": _SITE, "nodes": _NODE, "links": _LINK})
MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "memory": MEMORY,
        "gpu_memory": MEMORY,
        "hugepages_2mib": MEMORY,
        "hugepages_1gib": MEMORY,
        "nvme": VOLUME,
        "nic_rate": RATE,
        "power": POWER,
        "power_budget": POWER,
        "rtt": DURATION,
        "rtt_p99": DURATION,
        "bandwidth": RATE,
        "length": LENGTH,
    }
)
_LETTERS: Final = str.maketrans({"µ": "u", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e"})
_WORDS: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Column:
    """What a header stands for: one of our facts, and the unit that it names."""

    fact: str
    unit: str | None = None


def folded(header: str) -> str:
    """Return a header in lower case with one underscore between words: "Memory (GiB)" is memory_gib."""
    return _WORDS.sub("_", header.strip().lower().translate(_LETTERS)).strip("_")


def _recognisers() -> Mapping[str, Mapping[str, str]]:
    return MappingProxyType(
        {
            table: MappingProxyType({word: fact for fact, words in facts.items() for word in words.split()})
            for table, facts in TABLES.items()
        }
    )


_SYNONYMS: Final = _recognisers()


def recognise(table: str, header: str, overrides: Mapping[str, str]) -> Column | None:
    """Return what `header` stands for in a table of `sites`, `nodes` or `links`, or None.

    `overrides` names our fact by the source's header, with or without `table.` before it.
    """
    plain, unit = _bare(header)
    for own, theirs in overrides.items():
        prefix, dot, fact = own.rpartition(".")
        fact = "name" if table == "sites" and fact == "site" else fact
        wanted = not dot or prefix == table
        if wanted and fact in TABLES[table] and theirs.strip().casefold() == header.strip().casefold():
            return Column(fact, unit if _measured(fact, unit) else None)
    synonyms = _SYNONYMS[table]
    found = synonyms.get(folded(header), "")
    if not found and _measured(synonyms.get(plain, ""), unit):
        found = synonyms[plain]
    elif found:
        unit = None
    taken = {own.rpartition(".")[2] for own in overrides if own.rpartition(".")[0] in {"", table}}
    taken |= {"name"} if table == "sites" and "site" in taken else set()
    return Column(found, unit) if found and found not in taken else None


def _measured(fact: str, unit: str | None) -> bool:
    return unit is not None and fact in MEASURES and MEASURES[fact].knows(unit)


def _bare(header: str) -> tuple[str, str | None]:
    """Return the folded header without the unit at its end, and that unit."""
    words = folded(header).split("_")
    for length in (2, 1):
        if len(words) > length:
            unit = spelt("".join(words[-length:]))
            if any(measure.knows(unit) for measure in MEASURES.values()):
                return "_".join(words[:-length]), unit
    return "_".join(words), None


def check_overrides(overrides: Mapping[str, str]) -> None:
    """Raise UsageError for a name that none of our tables has."""
    for own in overrides:
        prefix, dot, fact = own.rpartition(".")
        valid = _facts([prefix] if dot and prefix in TABLES else TABLES)
        if (dot and prefix not in TABLES) or fact not in valid:
            raise UsageError.of(
                "unknown-column",
                f"there is no column {own!r} to map",
                expected=f"one of {', '.join(sorted(valid))}, or sites., nodes. or links. before one",
                hint=nearest(fact, valid),
            )


def _facts(tables: Iterable[str]) -> set[str]:
    return {fact for table in tables for fact in TABLES[table]}
