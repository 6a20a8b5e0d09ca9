"""From the name or hash of a digest back to the originals that it stands for, which never left the lake."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from cellwright.digest.ledger import content_hash
from cellwright.digest.logs_compose import log_hash
from cellwright.digest.notation import incident_name
from cellwright.digest.tokens import token_counter
from cellwright.errors import UsageError
from cellwright.lake import open_lake
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.incidents import learn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.logs import LogLines
    from cellwright.lake import Address

_LEAST_LETTERS: Final = 8  # of a hash that is cut


def originals(place: Path | Address, wanted: str, topology: Topology | None) -> Sequence[dict[str, Any]]:
    """Return the alarms of an incident, or the lines of its log section, by name or by hash of the content.

    A hash may be cut to eight letters. Raises UsageError where no digest of the lake as it is now bears it, and
    StorageError where there is no lake.
    """
    with open_lake(place) as lake:
        _, found = learn(lake.read("alarm_events"), topology, token_counter())
        for incident in found:
            if _bears(content_hash(incident.alarms), wanted):
                return [asdict(alarm) for alarm in incident.alarms]
        evidence = Evidence(lake, found)
        for incident in found:
            lines = evidence.lines(incident)
            if len(lines) and _bears(log_hash(lines), wanted):
                return _of_lines(lines)
    raise UsageError.of(
        "no-such-digest",
        f"no digest of this lake bears {wanted}",
        expected="the name of an incident or log, or eight letters or more of its sha256 from -o json",
        hint="alarms that came or were merged since change the incident; `cellwright digest` tells the names as of now",
    )


def _bears(sha256: str, wanted: str) -> bool:
    return wanted == incident_name(sha256) or (len(wanted) >= _LEAST_LETTERS and sha256.startswith(wanted.lower()))


def _of_lines(lines: LogLines) -> list[dict[str, Any]]:
    return [
        {"ts_us": instant, "text": text, "level": level.name, **asdict(reference)}
        for text, instant, level, reference in zip(
            lines.texts, lines.instants, lines.levels, lines.references, strict=True
        )
    ]
