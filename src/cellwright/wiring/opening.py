"""From the name or hash of a digest back to the originals that it stands for, which never left the lake."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cellwright.digest.ledger import content_hash
from cellwright.digest.logs_compose import log_hash
from cellwright.digest.notation import incident_name
from cellwright.digest.tokens import token_counter
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.incidents import bears, learn, no_such_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.logs import LogLines
    from cellwright.lake.folder import Lake
    from cellwright.lake.tenant_rows import TenantRows


def originals(lake: Lake | TenantRows, wanted: str, topology: Topology | None) -> Sequence[dict[str, Any]]:
    """Return the alarms of an incident, or the lines of its log section, by name or by hash of the content.

    A hash may be cut to eight letters. Raises UsageError where no digest of the lake as it is now bears it.
    """
    _, found = learn(lake.read("alarm_events"), topology, token_counter())
    for incident in found:
        if bears(content_hash(incident.alarms), wanted):
            return [asdict(alarm) for alarm in incident.alarms]
    evidence = Evidence(lake, found)
    for incident in found:
        lines = evidence.company(incident).lines
        if len(lines) and bears(log_hash(lines), wanted):
            return _of_lines(lines)
    raise no_such_digest(wanted, [incident_name(content_hash(incident.alarms)) for incident in found])


def _of_lines(lines: LogLines) -> list[dict[str, Any]]:
    return [
        {"ts_us": instant, "text": text, "level": level.name, **asdict(reference)}
        for text, instant, level, reference in zip(
            lines.texts, lines.instants, lines.levels, lines.references, strict=True
        )
    ]
