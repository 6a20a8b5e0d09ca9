"""Telemetry between the file system, the formats and the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError, nearest
from cellwright.lake.address import Address
from cellwright.lake.staged import Commit
from cellwright.plugins import PluginSet
from cellwright.telemetry.format import Format
from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping
from cellwright.telemetry.formats.snmp import Snmp
from cellwright.telemetry.formats.table_ndjson import NdjsonTable
from cellwright.telemetry.formats.table_parquet import ParquetTable
from cellwright.telemetry.mediate import mediate
from cellwright.telemetry.sources import walk
from cellwright.wiring.files import read_text
from cellwright.wiring.lakes import lake_opener
from cellwright.wiring.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from cellwright.telemetry.formats.delimited_mapping import Mapping
    from cellwright.telemetry.outcome import MediationResult
    from cellwright.telemetry.snmp_keys import Usm
    from cellwright.wiring.progress import Progress
    from cellwright.wiring.settings import Settings

_TABLES: Final[MappingProxyType[str, Callable[[Mapping], Format]]] = MappingProxyType(
    {"delimited": Delimited, "ndjson": NdjsonTable, "parquet": ParquetTable}
)
"""How tables are read, by the `format` of their mapping."""


def known_formats(mappings: Iterable[Path], usm: Usm | None = None) -> tuple[Format, ...]:
    """Return every installed format, and one for each column mapping; raise UsageError for a wrong mapping.

    `usm` knows the keys of SNMPv3 users.
    """
    plugins = PluginSet[type[Format]]("formats")
    loaded = (load_mapping(read_text(path), str(path)) for path in mapping_files(mappings))
    tables = tuple(_TABLES[mapping.spec.format](mapping) for mapping in loaded)
    return (*tables, *(Snmp(usm) if plugin is Snmp else plugin() for plugin in plugins))


def mapping_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the YAML files among files and folders, in order of name."""
    return tuple(file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path]))


def mediate_into(  # noqa: PLR0913 - what a run is told
    place: Path | Address,
    sources: Sequence[Path],
    formats: Sequence[Format],
    settings: Settings,
    progress: Progress,
    *,
    commit: Commit = Commit.LEDGER,
) -> MediationResult:
    """Store what `sources` hold in the lake at `place`; a single format reads every file, several are detected."""
    folder = place.cache if isinstance(place, Address) else place
    entries = walk(sources, folder)  # a source that does not exist is told before a lake is made
    with (
        Pseudonyms(settings, [folder]) as pseudonyms,
        lake_opener(place, commit, settings, pseudonyms.now().derive("quarantine"))() as lake,
        progress("mediate") as advance,
    ):
        return mediate(
            entries,
            lake,
            formats=formats,
            pseudonymiser=pseudonyms.now(),
            tenant=settings.tenant,
            now=lambda: datetime.now(tz=UTC),
            progress=advance,
            forced=formats[0] if len(formats) == 1 else None,
        )


def pick_format(formats: Sequence[Format], name: str) -> tuple[Format, ...]:
    """Return the one format called `name`; raise UsageError naming the nearest."""
    found = tuple(each for each in formats if each.name == name)
    if not found:
        names = sorted(each.name for each in formats)
        raise UsageError.of(
            "unknown-format",
            f"there is no telemetry format named {name!r}",
            expected="auto, or one of " + ", ".join(names),
            hint=nearest(name, names),
        )
    return found
