"""Numbers of many measurement events, as columns of `pm_counters`: shared by object, by event, or one each."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from cellwright.lake.schema import FACTS
from cellwright.telemetry.formats.names import rdn
from cellwright.telemetry.formats.ves_columns import Columns, epochs, header_columns, nothing
from cellwright.telemetry.formats.ves_count import PAIR_LISTS, TEXT_MAPS
from cellwright.telemetry.formats.ves_header import element_dn
from cellwright.telemetry.formats.ves_measurements import INTERVAL, LEFT_OUT, leaves_of, seconds_of
from cellwright.telemetry.formats.ves_plain import is_shallow

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from cellwright.telemetry.formats import ves_model as model

_SCHEMA: Final = FACTS["pm_counters"]
_SUSPECT: Final = "valuesAreSuspect"
_PLANS: Final = 4_096


class UnsureError(Exception):
    """The numbers have to be read one by one."""


class _Plan(NamedTuple):
    """What to take from all entries with the same names and kinds of values."""

    counters: tuple[str, ...]
    is_integer: bytes  # of each counter
    integers: Callable[[list[Any]], tuple[int, ...]] | None
    reals: Callable[[list[Any]], tuple[float, ...]] | None
    identifiers: tuple[int, ...]  # places of the texts that may name the entry
    suspect: int | None  # the place of valuesAreSuspect


@lru_cache(maxsize=_PLANS)
def _plan(around: str, names: tuple[str, ...], kinds: tuple[type, ...]) -> _Plan | None:
    """Return the plan for the entries of a list, None when they hold more than numbers, texts, truths and nulls."""
    if not TEXT_MAPS.isdisjoint(names) or not {dict, list}.isdisjoint(kinds):
        return None
    integers = [place for place, kind in enumerate(kinds) if kind is int]
    reals = [place for place, kind in enumerate(kinds) if kind is float]
    numbers = sorted(integers + reals)
    return _Plan(
        tuple(f"{around}.{names[place]}" for place in numbers),
        bytes(kinds[place] is int for place in numbers),
        _getter(integers),
        _getter(reals),
        tuple(
            place
            for place, name in enumerate(names)
            if kinds[place] is str and (name.endswith(("Identifier", "Name")) or name == "name")
        ),
        names.index(_SUSPECT) if _SUSPECT in names and kinds[names.index(_SUSPECT)] is str else None,
    )


def _getter(places: list[int]) -> Callable[[list[Any]], tuple[Any, ...]] | None:
    if not places:
        return None
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))


@lru_cache(maxsize=1 << 16)
def _object(around: str, identifier: str) -> tuple[str, str]:
    """Return the local name of an entry and its class."""
    name = rdn(around, identifier)
    return name, name.partition("=")[0]


class Numbers:
    """The numbers of measurement events, in order; `add` leaves everything as it was when it raises."""

    def __init__(self) -> None:
        self.headers: list[model.Header] = []
        self.intervals: list[float] = []
        self.count = 0
        self._ordinals = array("q")  # of the first number of each object
        self._events: list[int] = []  # which event each object is of
        self._sizes: list[int] = []  # how many numbers each object has
        self._objects: list[tuple[str | None, str | None]] = []
        self._suspects = bytearray()
        self._counters: list[str] = []
        self._is_integer = bytearray()
        self._integers = array("q")
        self._reals = array("d")

    def add(self, header: model.Header, fields: dict[str, Any], ordinal: int, raw: bytes | Raw) -> Found:
        """Add the numbers of an event and return them; raise UnsureError."""
        found = Found(raw)
        for name, value in fields.items():
            if name in LEFT_OUT and type(value) is not str:
                found.left_out.append((found.facts, LEFT_OUT[name]))
                found.facts += 1
            else:
                found.member(name, value)
        try:
            integers = array("q", found.integers)
        except OverflowError:
            raise UnsureError from None
        event = len(self.headers)
        self.headers.append(header)
        self.intervals.append(fields[INTERVAL])
        self._ordinals.extend([ordinal + start for start in found.starts])
        self._events.extend([event] * len(found.starts))
        self._sizes += found.sizes
        self._objects += found.objects
        self._suspects += found.suspects
        self._counters += found.counters
        self._is_integer += found.is_integer
        self._integers += integers
        self._reals.extend(found.reals)
        self.count += len(found.counters)
        return found

    def rows(self) -> pa.RecordBatch:
        """Return the rows of all numbers."""
        sizes = np.array(self._sizes, np.int64)
        by_object = np.repeat(np.arange(len(sizes)), sizes)
        by_event = np.array(self._events, np.int64)[by_object]
        firsts = np.cumsum(sizes) - sizes
        ordinals = np.frombuffer(self._ordinals, np.int64)[by_object] + np.arange(self.count) - firsts[by_object]
        columns = {**self._by_event(pa.array(by_event)), **self._by_object(pa.array(by_object)), **self._values()}
        columns["ordinal"] = pa.array(ordinals)
        return pa.RecordBatch.from_arrays(
            [columns[field.name] if field.name in columns else nothing(field, self.count) for field in _SCHEMA],
            schema=_SCHEMA,
        )

    def _by_event(self, events: pa.Array) -> dict[str, pa.Array]:
        header = Columns(self.headers)
        shared = {
            "ne_dn": pa.array([element_dn(one) for one in self.headers]),
            "meas_info_id": pa.array(header["event_name"]),
            "begin_ts": epochs(header["start_epoch_microsec"]),
            "end_ts": epochs(header["last_epoch_microsec"]),
            "gran_s": pa.array(map(seconds_of, self.intervals), pa.float64()),
            **header_columns(header),
        }
        return {name: column.take(events) for name, column in shared.items()}

    def _by_object(self, objects: pa.Array) -> dict[str, pa.Array]:
        names, classes = zip(*self._objects, strict=True) if self._objects else ((), ())
        return {
            "obj_ldn": pa.array(names, pa.string()).take(objects),
            "obj_class": pa.array(classes, pa.string()).take(objects),
            "suspect": pa.array(np.frombuffer(self._suspects, np.bool_)).take(objects),
        }

    def _values(self) -> dict[str, pa.Array]:
        is_integer = np.frombuffer(self._is_integer, np.bool_)
        integers, reals = np.zeros(self.count, np.int64), np.zeros(self.count)
        integers[is_integer] = np.frombuffer(self._integers, np.int64)
        reals[~is_integer] = np.frombuffer(self._reals)
        return {
            "counter": pa.array(self._counters, pa.string()),
            "value_i64": pa.array(integers, mask=~is_integer),
            "value_f64": pa.array(reals, mask=is_integer),
        }


class Found:
    """The numbers of one event, as far as they are read."""

    def __init__(self, raw: bytes | Raw) -> None:
        self.raw = raw
        self.facts = 0
        self.left_out: list[tuple[int, str]] = []  # places of numbers that measure nothing, and why they are none
        self.starts: list[int] = []
        self.sizes: list[int] = []
        self.objects: list[tuple[str | None, str | None]] = []
        self.suspects = bytearray()
        self.counters: list[str] = []
        self.is_integer = bytearray()
        self.integers: list[int] = []
        self.reals: list[float] = []

    def member(self, name: str, value: object) -> None:
        """Add the numbers of one member of a measurement block."""
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            self._object((None, None), 1, is_suspect=False)
            self._number(name, value)
            return
        if type(value) is not list or name in PAIR_LISTS:
            self._any(name, value)
            return
        for index, entry in enumerate(value):
            plan = _plan(name, tuple(entry), tuple(map(type, entry.values()))) if type(entry) is dict else None
            if plan is None:
                self._any(name, value, since=index)
                return
            if plan.counters:
                self._entry(name, index, list(entry.values()), plan)

    def _entry(self, name: str, index: int, values: list[Any], plan: _Plan) -> None:
        identifier = next((values[place] for place in plan.identifiers if values[place]), None) or str(index)
        is_suspect = plan.suspect is not None and values[plan.suspect] == "true"
        self._object(_object(name, identifier), len(plan.counters), is_suspect=is_suspect)
        self.counters += plan.counters
        self.is_integer += plan.is_integer
        if plan.integers:
            self.integers += plan.integers(values)
        if plan.reals:
            self.reals += plan.reals(values)

    def _object(self, around: tuple[str | None, str | None], size: int, *, is_suspect: bool) -> None:
        self.starts.append(self.facts)
        self.sizes.append(size)
        self.objects.append(around)
        self.suspects.append(is_suspect)
        self.facts += size

    def _any(self, name: str, value: object, since: int = 0) -> None:
        """Add the numbers of a member of any form; of a list the entries from `since` on."""
        if isinstance(value, dict | list) and name not in TEXT_MAPS and not is_shallow(self.raw):
            raise UnsureError
        for leaf in leaves_of(name, value, since=since):
            if leaf.value.i64 is None and (leaf.value.f64 is None or leaf.value.flag):
                raise UnsureError
            around = leaf.objects[-1].partition("=")[0] if leaf.objects else None
            self._object((",".join(leaf.objects) or None, around), 1, is_suspect=leaf.suspect)
            self._number(".".join(leaf.path), leaf.value.f64 if leaf.value.i64 is None else leaf.value.i64)

    def _number(self, counter: str, value: float | None) -> None:
        self.counters.append(counter)
        self.is_integer.append(type(value) is int)
        if type(value) is int:
            self.integers.append(value)
        elif value is not None:
            self.reals.append(value)
