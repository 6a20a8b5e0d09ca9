"""Rows of `pm_counters` from VES measurement events: one for each number."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cellwright.telemetry.formats.names import rdn
from cellwright.telemetry.formats.pm_values import Value, read_value
from cellwright.telemetry.formats.ves_count import PAIR_LISTS, TEXT_MAPS, VALUE, is_number
from cellwright.telemetry.formats.ves_header import element_dn, header_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.formats.ves_model import Header

INTERVAL: Final = "measurementInterval"
LEFT_OUT: Final = MappingProxyType(
    {
        INTERVAL: "ves-measurement-interval",
        "measurementFieldsVersion": "ves-measurement-version",
        "measurementsForVfScalingVersion": "ves-measurement-version",
    }
)
"""Numbers of a measurement block that measure nothing, and why they are left out; versions are text since VES 7."""


class Leaf(NamedTuple):
    """One number and where it stands: members from the measurement block down, and the objects passed on the way."""

    path: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    value: Value = Value()
    suspect: bool = False


_TOP: Final = Leaf()


def leaves(fields: dict[str, Any]) -> Iterator[Leaf]:
    """Yield the numbers of a measurement block in the order of the file."""
    for name, value in fields.items():
        yield from leaves_of(name, value)


def leaves_of(name: str, value: object, around: Leaf = _TOP, *, in_map: bool = False, since: int = 0) -> Iterator[Leaf]:
    """Yield the numbers of a member of what stands at `around`; of a list those of the entries from `since` on."""
    below = around._replace(path=(*around.path, name))
    if isinstance(value, list) and name in PAIR_LISTS and not in_map:
        yield from _pair_leaves(value, below)
    else:
        # A text is a value of a map only inside of it, as the count of facts has it.
        is_mapped = in_map or (isinstance(value, dict) and name in TEXT_MAPS)
        yield from _leaves_below(value, below, in_map=is_mapped, since=since)


def _pair_leaves(pairs: list[Any], around: Leaf) -> Iterator[Leaf]:
    """Yield the numbers of a list of names and values: a value is a counter by its name."""
    for index, pair in enumerate(pairs):
        if not isinstance(pair, dict):
            yield from _entry_leaves(pair, around, index, in_map=False)
            continue
        for name, member in pair.items():
            if name == VALUE and not isinstance(member, dict | list):
                counter = around._replace(path=(*around.path, _identifier(pair) or str(index)))
                yield from _leaves_below(member, counter, in_map=True)
            else:
                yield from leaves_of(name, member, around)


def _leaves_below(value: object, around: Leaf, *, in_map: bool, since: int = 0) -> Iterator[Leaf]:
    match value:
        case dict():
            inside = around._replace(suspect=around.suspect or value.get("valuesAreSuspect") == "true")
            for name, member in value.items():
                yield from leaves_of(name, member, inside, in_map=in_map)
        case list():
            for index, member in enumerate(value[since:], start=since):
                yield from _entry_leaves(member, around, index, in_map=in_map)
        case bool():
            return
        case int() | float():
            yield around._replace(value=_number(value))
        case str() if in_map and is_number(value):
            yield around._replace(value=read_value(value) or Value(null_reason="beyond-range"))


def _entry_leaves(member: object, around: Leaf, index: int, *, in_map: bool) -> Iterator[Leaf]:
    entry = rdn(around.path[-1], _identifier(member) or str(index))
    yield from _leaves_below(member, around._replace(objects=(*around.objects, entry)), in_map=in_map)


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
