"""TS 32.435 measurement files: one for each gNB and quarter of an hour, in both encodings, some compressed."""

from __future__ import annotations

import gzip
import math
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from cellwright.simulate.network import dice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from cellwright.simulate.faults import Fault
    from cellwright.simulate.network import Gnb
    from cellwright.simulate.story import Story

PERIOD: Final = timedelta(minutes=15)
_LOCAL: Final = timezone(timedelta(hours=1))
_XMLNS: Final = "http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec"
_TYPES: Final = (
    "RRC.ConnEstabAtt.mo-Data",
    "RRC.ConnEstabSucc.mo-Data",
    "DRB.UEThpDl",
    "DRB.PdcpSduVolumeDl",
    "RRU.PrbTotDl",
    "pmPrbUsageDistr",
)


def pm_files(story: Story) -> Iterator[tuple[str, bytes]]:
    """Yield (path, file); every second gNB writes lists, every third compresses."""
    random = dice(story.seed, "pm")
    moment = story.start
    while moment + PERIOD <= story.end:
        silent = _silent(story.faults, moment)
        for number, gnb in enumerate(story.network.gnbs):
            path, text = _file(gnb, moment, silent, random, in_lists=number % 2 == 1)
            packed = number % 3 == 2  # noqa: PLR2004 - every third
            yield (f"{path}.gz", gzip.compress(text, mtime=0)) if packed else (path, text)
        moment += PERIOD


def pm_values(story: Story) -> int:
    """Return how many values the files hold."""
    periods = (story.end - story.start) // PERIOD
    return periods * sum(len(gnb.cells) for gnb in story.network.gnbs) * len(_TYPES)


def _silent(faults: tuple[Fault, ...], begin: datetime) -> dict[str, float]:
    """Return the share of a period in which cells carried nothing, by distinguished name."""
    shares: dict[str, float] = {}
    for fault in faults:
        overlap = min(fault.ended, begin + PERIOD) - max(fault.started, begin)
        for cell in fault.silent if overlap > timedelta(0) else ():
            shares[cell] = min(1.0, shares.get(cell, 0.0) + overlap / PERIOD)
    return shares


def _file(gnb: Gnb, begin: datetime, silent: dict[str, float], random: Random, *, in_lists: bool) -> tuple[str, bytes]:
    """Return the name (TS 32.432, annex A) and the content of one file."""
    first, last = begin.astimezone(_LOCAL), (begin + PERIOD).astimezone(_LOCAL)
    name = f"pm/A{first:%Y%m%d.%H%M%z}-{last:%H%M%z}_{gnb.name}.xml"
    objects = []
    for cell in gnb.cells:
        values = _values(first, silent.get(f"ManagedElement={gnb.name},{cell}", 0.0), random)
        results = f"<measResults>{' '.join(values)}</measResults>" if in_lists else _numbered("r", values)
        objects.append(f'<measValue measObjLdn="GNBDUFunction=1,{cell}">{results}<suspect>false</suspect></measValue>')
    types = f"<measTypes>{' '.join(_TYPES)}</measTypes>" if in_lists else _numbered("measType", _TYPES)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<measCollecFile xmlns="{_XMLNS}">\n'
        '<fileHeader fileFormatVersion="32.435 V10.0" vendorName="Norrland Radio" dnPrefix="SubNetwork=1">'
        f'<fileSender localDn="ManagedElement={gnb.name}"/><measCollec beginTime="{first.isoformat()}"/></fileHeader>\n'
        f'<measData><managedElement localDn="ManagedElement={gnb.name}" swVersion="26.1"/>\n'
        '<measInfo measInfoId="NRCellDU"><job jobId="1"/>'
        f'<granPeriod duration="PT900S" endTime="{last.isoformat()}"/><repPeriod duration="PT900S"/>\n'
        f"{types}\n" + "\n".join(objects) + "\n</measInfo></measData>\n"
        f'<fileFooter><measCollec endTime="{last.isoformat()}"/></fileFooter>\n</measCollecFile>\n'
    )
    return name, text.encode()


def _numbered(tag: str, texts: tuple[str, ...]) -> str:
    return "".join(f'<{tag} p="{position}">{text}</{tag}>' for position, text in enumerate(texts, start=1))


def _values(local: datetime, silent: float, random: Random) -> tuple[str, ...]:
    """Return the values of one cell: traffic swings through the day and falls away while the cell is silent."""
    hour = local.hour + local.minute / 60
    load = (0.55 - 0.4 * math.cos(2 * math.pi * (hour - 3) / 24)) * random.uniform(0.9, 1.1) * (1 - silent)
    attempts = round(600 * load)
    succeeded = round(attempts * random.uniform(0.985, 0.999))
    buckets = [round(900 * load * share) for share in (0.4, 0.3, 0.2, 0.1)]
    return (
        str(attempts),
        str(succeeded),
        f"{45_000 * (1.1 - load) * random.uniform(0.95, 1.05):.1f}" if attempts else "NIL",
        str(round(2.1e6 * load)),
        str(min(100, round(100 * load))),
        ",".join(map(str, buckets)),
    )
