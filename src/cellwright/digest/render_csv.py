"""The compact baseline: an incident as the shortest table a careful engineer would send instead of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.digest.notation import shared_prefix, write_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.alarms import Alarm

_SPECIAL: Final = frozenset(',"\r\n')


def render_csv(alarms: Sequence[Alarm]) -> str:
    """Return a header and one line an event (RFC 4180 quoting, line feeds).

    Columns are seconds since the first event, element, type, severity, seconds until cleared. What is the same in
    every line stands once, in the header: the common beginning of names, columns with a single value.
    """
    start = next((alarm.ts for alarm in alarms if alarm.ts is not None), 0)
    columns = {
        "s": [_seconds(start, alarm.ts) for alarm in alarms],
        **_names("element", [alarm.element for alarm in alarms]),
        **_names("type", [alarm.alarm_type for alarm in alarms]),
        "severity": ["cleared" if alarm.clears else (alarm.severity or "").lower() for alarm in alarms],
        "cleared_s": [_seconds(alarm.ts, alarm.cleared_ts) for alarm in alarms],
    }
    constant = {name: values[0] for name, values in columns.items() if name != "s" and len(set(values)) == 1}
    varying = [values for name, values in columns.items() if name not in constant]
    header = [name for name in columns if name not in constant]
    header += [f"{name}={value}" for name, value in constant.items() if value]
    return "\n".join(",".join(map(_field, line)) for line in (header, *zip(*varying, strict=True)))


def _names(title: str, names: list[str]) -> dict[str, list[str]]:
    """Return the column of names without their common beginning, which its title says."""
    prefix = shared_prefix(set(names))
    return {f"{title} {prefix}".rstrip(): [name.removeprefix(prefix) for name in names]}


def _seconds(start: int | None, end: int | None) -> str:
    """Return the seconds between two instants to the millisecond, negative ones too; empty where one is unknown."""
    if start is None or end is None:
        return ""
    sign = "-" if end < start else ""
    return sign + write_seconds(abs(end - start) // 1000 * 1000)


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _SPECIAL & set(text) else text
