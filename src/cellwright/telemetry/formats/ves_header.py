"""What every row of a VES event takes from the common event header."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.names import rdn

if TYPE_CHECKING:
    from cellwright.telemetry.formats.ves_model import Header

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)
_ZERO: Final = frozenset(("UTC", "GMT", "Z", "UTC0"))
HEADER_TEXTS: Final = MappingProxyType(
    {
        "ves.eventName": "event_name",
        "ves.eventType": "event_type",
        "ves.sequence": "sequence",
        "ves.priority": "priority",
        "ves.sourceId": "source_id",
        "ves.reportingEntityName": "reporting_entity_name",
        "ves.reportingEntityId": "reporting_entity_id",
        "ves.nfNamingCode": "nf_naming_code",
        "ves.nfcNamingCode": "nfc_naming_code",
    }
)
"""Members of the header that have no column, by the name under which rows keep them as text."""
_LARGEST_OFFSET_S: Final = 14 * 3600  # UTC+14:00, the farthest east


def element_dn(header: Header) -> str:
    """Return the distinguished name of the network function an event speaks of."""
    return rdn("ManagedElement", header.source_name)


def header_row(header: Header) -> dict[str, Any]:
    """Return vendor, offset and flags for the row of an event; epochs are UTC, the offset only says where."""
    offset_s = read_offset_s(header.time_zone_offset) if header.time_zone_offset is not None else None
    unread = header.time_zone_offset is not None and offset_s is None
    return {
        "vendor": header.nf_vendor_name,
        "utc_offset_s": offset_s,
        "dq_flags": ["unreadable-utc-offset"] if unread else [],
    }


def header_texts(header: Header) -> dict[str, str | None]:
    """Return the members of the header that have no column, as text under `ves.` names."""
    texts: dict[str, str | None] = {name: getattr(header, attribute) for name, attribute in HEADER_TEXTS.items()}
    texts["ves.sequence"] = str(header.sequence)
    return texts


def read_offset_s(text: str) -> int | None:
    """Return the seconds east of UTC that "UTC-05:30", "+0100" or "UTC+2" say, None when it says none."""
    text = text.strip()
    if text in _ZERO:
        return 0
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    if seconds > _LARGEST_OFFSET_S:
        return None
    return -seconds if match[1] == "-" else seconds
