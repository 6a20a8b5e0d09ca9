"""How grave a log record is: syslog severities as OpenTelemetry numbers."""

from __future__ import annotations

from typing import Final

# OpenTelemetry logs data model, appendix B, mapping of the syslog severities of RFC 5424 6.2.1 to SeverityNumber:
# emergency FATAL, alert ERROR3, critical ERROR2, error ERROR, warning WARN, notice INFO2, informational INFO,
# debug DEBUG.
SEVERITY_NUMBERS: Final = (21, 19, 18, 17, 13, 10, 9, 5)
LARGEST_PRI: Final = 191  # facility 23, severity 7


def split_priority(pri: int) -> tuple[int, int] | None:
    """Return (facility, OpenTelemetry severity number) of a PRI value (RFC 5424, 6.2.1), None out of range."""
    return (pri // 8, SEVERITY_NUMBERS[pri % 8]) if 0 <= pri <= LARGEST_PRI else None
