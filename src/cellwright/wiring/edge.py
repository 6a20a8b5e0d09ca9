"""What the edge filter works with: the installed formats, the pseudonyms of tenants, the lakes of the edge."""

from __future__ import annotations

import functools
import hashlib
import io
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.digest.ledger import content_hash
from cellwright.digest.tokens import token_counter
from cellwright.errors import CellwrightError
from cellwright.gateway.filtering.locate import Locator
from cellwright.gateway.filtering.tell import tell, tell_incident
from cellwright.lake.delta_lake import open_lake
from cellwright.lake.staged import Commit
from cellwright.lake.tenant_rows import TenantRows
from cellwright.telemetry.formats.delimited_mapping import load_mapping
from cellwright.telemetry.mediate import mediate_received
from cellwright.telemetry.reading import detects, read_records
from cellwright.telemetry.sources import RawFile
from cellwright.wiring.files import read_text
from cellwright.wiring.incidents import bears, learn, roots_of
from cellwright.wiring.lakes import lake_at, lake_opener
from cellwright.wiring.pseudonyms import Pseudonyms
from cellwright.wiring.telemetry import known_formats, mapping_files
from cellwright.wiring.topologies import load_topology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.storms import Incident
    from cellwright.gateway.filter_policy import EdgeSpec
    from cellwright.gateway.filtering.tell import Told
    from cellwright.lake.address import Address
    from cellwright.lake.record import TableRecord
    from cellwright.privacy.pseudonymise import Pseudonymiser
    from cellwright.telemetry.format import Format
    from cellwright.telemetry.reading import Records
    from cellwright.wiring.incidents import Known
    from cellwright.wiring.settings import Settings

_LOG: Final = logging.getLogger("cellwright.gateway")
_HEAD: Final = 64 * 2**10
_NAME_LETTERS: Final = 24  # of a hash, in the name of a source
_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")


@dataclass(frozen=True, slots=True)
class _Found:
    """The incidents of a tenant, as a lake with these tables has them."""

    tables: tuple[TableRecord, ...]
    known: Known
    incidents: tuple[tuple[str, Incident], ...]  # by hash


class EdgeDesk:
    """The desk of the edge filter: `cellwright.gateway.filtering.edge.Desk`; for one thread."""

    def __init__(self, spec: EdgeSpec, settings: Settings, base: Path) -> None:
        """Names in `spec` are relative to `base`. Raises UsageError, EstateError or StorageError for what is wrong."""
        mappings = [base / name for name in spec.mappings]
        self._settings = settings
        self._formats: Sequence[Format] = known_formats(mappings)
        self._locator = _locator(mappings)
        self._lake = lake_at(spec.lake, settings, base) if spec.lake else None
        self._originals = lake_at(spec.originals, settings, base) if spec.originals else None
        today = datetime.now(tz=UTC).date()
        self._topology: Topology | None = load_topology(base / spec.topology, today) if spec.topology else None
        self._found: dict[str, _Found] = {}
        self._pseudonyms = functools.cache(self._open_pseudonyms)
        self._pseudonyms(settings.tenant)  # a key that cannot be read is told at the start

    @property
    def locator(self) -> Locator:
        """Return what finds the records that are read here."""
        return self._locator

    def read(self, raw: bytes, tenant: str) -> Records | None:
        """Return the records in `raw`, pseudonymised; None where no format reads it."""
        read_as = self._format(raw)
        if read_as is None:
            return None
        return read_records(
            raw,
            read_as,
            pseudonymiser=self._pseudonymiser(tenant),
            tenant=tenant,
            source=_source(raw),
            now=datetime.now(tz=UTC),
        )

    def tell(self, raw: bytes, tenant: str, budget: int) -> Told | None:
        """Return the digest of the records in `raw`; None where no format reads it."""
        records = self.read(raw, tenant)
        return tell(records, budget=budget, count=token_counter()) if records else None

    def keep(self, raw: bytes, tenant: str) -> bool | None:
        """Store the originals in the lake for them, None where there is none; return whether they are there."""
        read_as = self._format(raw)
        if self._originals is None or read_as is None:
            return None
        pseudonymiser = self._pseudonymiser(tenant)
        file = RawFile(_source(raw), io.BytesIO(raw), len(raw), hashlib.sha256(raw).hexdigest())
        key = pseudonymiser.derive("quarantine")
        try:
            with lake_opener(self._originals, Commit.LEDGER, self._settings, key)() as lake:
                mediate_received(
                    file,
                    lake,
                    read_as=read_as,
                    pseudonymiser=pseudonymiser,
                    tenant=tenant,
                    now=lambda: datetime.now(tz=UTC),
                )
        except CellwrightError as error:
            _LOG.warning("originals of a digest were not kept: %s", error.diagnostics[0].code)
            return False
        return True

    def without_identifiers(self, text: str, tenant: str) -> str:
        """Return a text with pseudonyms in place of identifiers."""
        return self._pseudonymiser(tenant).text(text)

    def incident(self, name: str, tenant: str, budget: int) -> Told | None:
        """Return the digest of an incident of the lake, by name or hash; None where the tenant has none."""
        if self._lake is None:
            return None
        found = self._incidents(self._lake, tenant)
        incident = next((incident for sha256, incident in found.incidents if bears(sha256, name)), None)
        if incident is None:
            return None
        root = roots_of(incident, found.known)[0].alarm_type
        return tell_incident(incident, budget=budget, count=token_counter(), root=root)

    def _incidents(self, place: Path | Address, tenant: str) -> _Found:
        """Return the incidents of a tenant, found again where the lake has changed."""
        with open_lake(place) as lake:
            tables = lake.tables()
            found = self._found.get(tenant)
            if found is None or found.tables != tables:
                alarms = TenantRows(lake, tenant).read("alarm_events")
                known, incidents = learn(alarms, self._topology, token_counter())
                named = tuple((content_hash(each.alarms), each) for each in incidents)
                found = self._found[tenant] = _Found(tables, known, named)
        return found

    def _format(self, raw: bytes) -> Format | None:
        return next((each for each in self._formats if detects(each, raw[:_HEAD], "")), None)

    def _pseudonymiser(self, tenant: str) -> Pseudonymiser:
        return self._pseudonyms(tenant).now()

    def _open_pseudonyms(self, tenant: str) -> Pseudonyms:
        lakes = [each for each in (self._lake, self._originals) if isinstance(each, Path)]
        return Pseudonyms(replace(self._settings, tenant=tenant), lakes)


def _locator(mappings: Sequence[Path]) -> Locator:
    """Return what finds records, tables of the mappings among them."""
    specs = [load_mapping(read_text(path), str(path)).spec for path in mapping_files(mappings)]
    starts = tuple(f"{each.header[0]}{each.delimiter}" for each in specs if each.format == "delimited")
    keys = tuple(f'"{name.partition(".")[0]}"' for each in specs if each.format == "ndjson" for name in each.header[:1])
    return Locator(starts, keys)


def _source(raw: bytes) -> str:
    """Return the name of what a request carried: the same content is always the same source, and no number in it."""
    return f"request-{hashlib.sha256(raw).hexdigest()[:_NAME_LETTERS].translate(_LETTERS)}"
