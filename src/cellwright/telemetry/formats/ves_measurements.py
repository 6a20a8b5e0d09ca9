"""Rows of `pm_counters` from VES measurement events: one for each number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cellwright.telemetry.formats.names import rdn
from cellwright.telemetry.formats.pm_values import Value, read_value
from cellwright.telemetry.formats.ves_count import TEXT_MAPS, is_number
from cellwright.telemetry.formats.ves_header import element_dn, header_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.formats.ves_model import Header

INTERVAL: Final = "measurementInterval"


class Leaf(NamedTuple):
    """One number and where it stands: members from measurementFields down, and the objects passed on the way."""

    path: tuple[str, ...]
    objects: tuple[str, ...]
    value: Value
    suspect: bool


def leaves(fields: dict[str, Any]) -> Iterator[Leaf]:
    """Yield the numbers of a measurementFields object in the order of the file."""
    for name, value in fields.items():
        yield from leaves_below(value, Leaf((name,), (), Value(), suspect=False), in_map=name in TEXT_MAPS)


def leaves_below(value: object, around: Leaf, *, in_map: bool, since: int = 0) -> Iterator[Leaf]:
    """Yield the numbers of a value that stands at `around`; of a list those of the entries from `since` on."""
    match value:
        case dict():
            inside = around._replace(suspect=around.suspect or value.get("valuesAreSuspect") == "true")
            for name, member in value.items():
                below = inside._replace(path=(*inside.path, name))
                # A text is a value of a map only inside of it, as the count of facts has it.
                is_mapped = in_map or (name in TEXT_MAPS and not isinstance(member, str))
                yield from leaves_below(member, below, in_map=is_mapped)
        case list():
            for index, member in enumerate(value[since:], start=since):
                entry = rdn(around.path[-1], _identifier(member) or str(index))
                yield from leaves_below(member, around._replace(objects=(*around.objects, entry)), in_map=in_map)
        case bool():
            return
        case int() | float():
            yield around._replace(value=_number(value))
        case str() if in_map and is_number(value):
            yield around._replace(value=read_value(value) or Value(null_reason="beyond-range"))


def _identifier(member: object) -> str | None:
    """Return what a list entry calls itself: its `…Identifier` or its name."""
    if not isinstance(member, dict):
        return None
    named = (text for name, text in member.items() if name.endswith(("Identifier", "Name")) or name == "name")
    return next((text for text in named if isinstance(text, str) and text), None)


def _number(number: float) -> Value:
    if isinstance(number, float):
        return Value(f64=number) if math.isfinite(number) else Value(null_reason="beyond-range")
    return read_value(str(number)) or Value(null_reason="beyond-range")


def measurement_row(header: Header, leaf: Leaf, interval_s: float) -> dict[str, object]:
    """Return the row of one number; the objects on its way are its local name."""
    row = header_row(header)
    flags = row["dq_flags"] if isinstance(row["dq_flags"], list) else []
    return row | {
        "dq_flags": [*flags, leaf.value.flag] if leaf.value.flag else flags,
        "ne_dn": element_dn(header),
        "obj_ldn": ",".join(leaf.objects) or None,
        "obj_class": leaf.objects[-1].partition("=")[0] if leaf.objects else None,
        "meas_info_id": header.event_name,
        "counter": ".".join(leaf.path),
        "begin_ts": int(header.start_epoch_microsec),
        "end_ts": int(header.last_epoch_microsec),
        "gran_s": seconds_of(interval_s),
        "value_i64": leaf.value.i64,
        "value_f64": leaf.value.f64,
        "null_reason": leaf.value.null_reason,
        "suspect": leaf.suspect,
    }


def seconds_of(interval: float) -> float | None:
    """Return an interval as a real number, None where it is an integer beyond all of them."""
    try:
        return float(interval)
    except OverflowError:
        return None
