"""A collector put together: its spool, its listeners, and the lake behind them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cellwright.errors import UsageError
from cellwright.lake.address import Address
from cellwright.plugins import PluginSet
from cellwright.telemetry.collect import Collector, run_until
from cellwright.telemetry.collector_document import load_collector
from cellwright.telemetry.drop_folder import DropFolder
from cellwright.telemetry.formats.syslog import Syslog
from cellwright.telemetry.formats.syslog_years import Reception
from cellwright.telemetry.mediate import mediate, mediate_received
from cellwright.telemetry.sources import feed
from cellwright.telemetry.spool import Spool
from cellwright.wiring.files import read_text
from cellwright.wiring.lakes import lake_at, lake_opener, moment_before
from cellwright.wiring.pseudonyms import Pseudonyms
from cellwright.wiring.snmp_users import read_usm
from cellwright.wiring.telemetry import known_formats, pick_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from cellwright.lake.folder import Lake
    from cellwright.telemetry.collector_document import CollectorConfig, KeepSpec
    from cellwright.telemetry.format import Format
    from cellwright.telemetry.listener import OpenListener
    from cellwright.telemetry.outcome import MediationResult
    from cellwright.telemetry.sources import Entry, RawFile
    from cellwright.wiring.settings import Settings


def collect(
    file: Path,
    settings: Settings,
    announce: Callable[[Mapping[str, str]], None],
    tell: Callable[[Exception], None],
) -> Collector:
    """Collect as a configuration file says until Ctrl-C or SIGTERM, and return the collector with its counts.

    `announce` is told the addresses once senders may come; `tell` what goes wrong and will be tried again.
    """
    config = load_collector(read_text(file), str(file))
    collector = build(config, file.parent, settings)
    asyncio.run(_run(collector, config.every_s, announce, tell))
    return collector


def build(config: CollectorConfig, folder: Path, settings: Settings) -> Collector:
    """Return the collector of a configuration whose relative paths start at `folder`; raise for what cannot be."""
    lake = lake_at(config.lake, settings, folder)
    spool = folder / config.spool if config.spool else settings.state / "spool" / config.name
    if isinstance(lake, Path) and spool.resolve().is_relative_to(lake.resolve()):
        raise UsageError.of("spool-in-lake", f"the spool {spool} lies in the lake", expected="a folder beside it")
    pseudonyms = Pseudonyms(settings, [lake.cache if isinstance(lake, Address) else lake])
    usm = read_usm(folder / config.snmp_users, os.environ) if config.snmp_users else None
    formats = known_formats([folder / mapping for mapping in config.mappings], usm)
    opens = lake_opener(lake, config.commit, settings, pseudonyms.now().derive("quarantine"))
    opens().close()
    zones = {spec.name: ZoneInfo(spec.zone) for spec in config.listeners if spec.zone}
    line = _Line(opens, formats, pseudonyms, settings.tenant, zones)
    collector = Collector(Spool(spool, pseudonyms.now().derive("spool")), config.spool_bytes, line.received)
    collector.at_end(pseudonyms.close)
    collector.keep_house(partial(keep_within, opens, config.keep), config.keep.every_s)
    listeners: PluginSet[OpenListener] = PluginSet("listeners")
    for spec in config.listeners:
        collector.add(replace(spec, usm=usm), listeners.get(spec.protocol))
    for watched in config.folders:
        path = folder / watched.path
        if not path.is_dir():
            raise UsageError.of("no-folder", f"there is no folder {path} to watch", expected="a folder that exists")
        collector.watch(DropFolder(path, deletes=watched.deletes), line.found)
    return collector


def keep_within(opens: Callable[[], Lake], keep: KeepSpec) -> None:
    """Delete what is older than it may be, and merge small parts."""
    with opens() as lake:
        if keep.files_ms is not None:
            lake.expire(moment_before(keep.files_ms))
        if keep.quarantine_ms is not None:
            lake.forget_payloads(moment_before(keep.quarantine_ms))
        lake.compact()


class _Line:
    """The way into one lake, opened anew for each file so that others may write between two."""

    def __init__(
        self,
        opens: Callable[[], Lake],
        formats: tuple[Format, ...],
        pseudonyms: Pseudonyms,
        tenant: str,
        zones: Mapping[str, tzinfo],
    ) -> None:
        """`zones` holds those of senders' clocks by listener; the others are in UTC."""
        self._opens, self._formats, self._pseudonyms, self._tenant = opens, formats, pseudonyms, tenant
        self._zones = zones

    def received(self, raw: RawFile, name: str) -> MediationResult:
        """Store a file that a listener received."""
        (read_as,) = pick_format(self._formats, name)
        if isinstance(read_as, Syslog):
            zone = self._zones.get(feed(raw.name).rpartition("/")[2], UTC)
            read_as = Syslog(Reception(time.time_ns() // 1000, zone))
        with self._opens() as lake:
            result = mediate_received(
                raw, lake, read_as=read_as, pseudonymiser=self._pseudonyms.now(), tenant=self._tenant, now=_now
            )
        self._pseudonyms.flush()
        return result

    def found(self, entries: Sequence[Entry]) -> MediationResult:
        """Store files that lie in a folder."""
        with self._opens() as lake:
            result = mediate(
                entries,
                lake,
                formats=self._formats,
                pseudonymiser=self._pseudonyms.now(),
                tenant=self._tenant,
                now=_now,
            )
        self._pseudonyms.flush()
        return result


async def _run(
    collector: Collector,
    every_s: float,
    announce: Callable[[Mapping[str, str]], None],
    tell: Callable[[Exception], None],
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    addresses = await collector.open()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    announce(addresses)
    await run_until(stop, collector, every_s, tell)


def _now() -> datetime:
    return datetime.now(tz=UTC)
