"""Rows of `logs` from many syslog lines at once, without an object for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from cellwright.lake.schema import FACTS
from cellwright.telemetry.formats.severities import SEVERITY_NUMBERS
from cellwright.telemetry.formats.syslog_elements import plain_elements
from cellwright.telemetry.formats.syslog_line import BOM, STAMP, read_structured_data
from cellwright.telemetry.formats.syslog_scan import PARTS, body_starts
from cellwright.telemetry.formats.syslog_years import read_stamps

if TYPE_CHECKING:
    from cellwright.telemetry.formats.syslog_bytes import Flags, Lines, Places
    from cellwright.telemetry.formats.syslog_scan import Scanned
    from cellwright.telemetry.formats.syslog_years import Reception

_SCHEMA: Final = FACTS["logs"]
_NUMBERS: Final = np.array(SEVERITY_NUMBERS, np.int32)
_TS: Final = PARTS.index("ts")
_BODY: Final = PARTS.index("body")
_FLAGS: Final = pa.array(["no-year", "no-time", "year-inferred"])
_NO_TEXT: Final = pa.array([], pa.string())


class _Elements(NamedTuple):
    """Structured data: which scanned line each pair is of, its name and its text."""

    owners: Places
    names: pa.Array
    texts: pa.Array

    def is_in_order(self) -> bool:
        """Return whether the pairs stand as their lines do."""
        return bool((self.owners[1:] >= self.owners[:-1]).all())


def columns_of(
    lines: Lines, scanned: Scanned, ordinals: Places, reception: Reception | None
) -> tuple[pa.RecordBatch, Places]:
    """Return the rows of scanned lines, and the lines they are of: those whose structured data is malformed are left.

    `ordinals` holds the ordinal of every line of the block. Without a `reception` older lines have no time.
    """
    scanned, elements = _read_elements(lines, scanned)
    texts, stride = _cut(lines, scanned), 2 * len(PARTS)
    parts = np.arange(len(scanned.lines), dtype=np.int32) * stride
    is_said = ~scanned.absent[_TS] & ~scanned.is_older
    us, is_timed = _dated(lines, scanned, is_said, reception)
    is_open = scanned.pri < 0
    columns = {
        name: texts.take(pa.array(parts + 2 * place, mask=scanned.absent[place]))
        for place, name in enumerate(PARTS)
        if place != _TS
    }
    columns |= {
        "ts": pa.array(us, mask=~is_timed).cast(_SCHEMA.field("ts").type),
        "utc_offset_s": pa.array(scanned.offset_s.astype(np.int32), mask=~is_said),
        "severity_number": pa.array(_NUMBERS[scanned.pri & 7], mask=is_open),
        "facility": pa.array((scanned.pri >> 3).astype(np.int32), mask=is_open),
        "attributes": _attributes(scanned, texts.take(pa.array(parts[scanned.is_older])), elements),
        "ordinal": pa.array(ordinals[scanned.lines]),
        "dq_flags": _flags(scanned.is_older, is_timed),
    }
    nothing = {field.name: pa.nulls(len(parts), field.type) for field in _SCHEMA if field.name not in columns}
    arrays = [(columns | nothing)[name] for name in _SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA), scanned.lines


def _dated(lines: Lines, scanned: Scanned, is_said: Flags, reception: Reception | None) -> tuple[Places, Flags]:
    """Return the times of all lines and which are known: where one is said, and of older lines by their reception."""
    older = np.flatnonzero(scanned.is_older)
    if reception is None or not len(older):
        return scanned.us, is_said
    us, is_timed = scanned.us.copy(), is_said.copy()
    us[older], is_timed[older] = read_stamps(lines, scanned.bounds[2 * _TS, older], reception)
    return us, is_timed


def _cut(lines: Lines, scanned: Scanned) -> pa.StringArray:
    """Return all parts of all lines, and what stands between them, as one array of texts: the odd ones between."""
    cuts = np.append(scanned.bounds.T.astype(np.int32), np.int32(lines.size))
    return pa.StringArray.from_buffers(len(cuts) - 1, pa.py_buffer(cuts), pa.py_buffer(lines.data))


def _read_elements(lines: Lines, scanned: Scanned) -> tuple[Scanned, _Elements]:
    """Return the lines without those whose structured data is malformed, their messages found, and what it says."""
    holders = np.flatnonzero(scanned.structured)
    if not len(holders):
        return scanned, _Elements(holders, _NO_TEXT, _NO_TEXT)
    starts, ends = scanned.structured[holders], scanned.bounds[2 * _BODY + 1, holders]
    plain = plain_elements(lines, starts, ends)
    sure = plain.sure if lines.is_ascii else plain.sure & ~lines.foreign()[scanned.lines[holders]]
    bodies = scanned.bounds[2 * _BODY]
    bodies[holders[sure]] = body_starts(lines, plain.ends[sure] - 1, ends[sure])
    is_kept = np.ones(len(scanned.lines), bool)
    owners: list[int] = []
    names: list[str] = []
    texts: list[str] = []
    for holder in holders[~sure].tolist():
        read = _read_slowly(lines, scanned, holder)
        is_kept[holder] = read is not None
        if read is not None:
            attributes, bodies[holder] = read
            owners += [holder] * len(attributes)
            names += attributes
            texts += attributes.values()
    elements = _Elements(holders[plain.owners], plain.names, plain.texts)
    if sure.all():
        return scanned, elements
    is_sure = pa.array(sure[plain.owners])
    elements = _Elements(
        np.concatenate((elements.owners[sure[plain.owners]], np.array(owners, np.int64))),
        pa.concat_arrays([plain.names.filter(is_sure), pa.array(names, pa.string())]),
        pa.concat_arrays([plain.texts.filter(is_sure), pa.array(texts, pa.string())]),
    )
    places = np.cumsum(is_kept) - 1
    return scanned.chosen(is_kept), elements._replace(owners=places[elements.owners])


def _read_slowly(lines: Lines, scanned: Scanned, holder: int) -> tuple[dict[str, str], int] | None:
    """Return what the structured data of one line says and where the message starts, None when it is malformed."""
    start = int(scanned.structured[holder])
    text = lines.data[start : int(scanned.bounds[2 * _BODY + 1, holder])].decode()
    read = read_structured_data(text, 0)
    if read is None:
        return None
    behind = text[: read[1] + 1] + (BOM if text.startswith(BOM, read[1] + 1) else "")
    return read[0], start + len(behind.encode())


def _attributes(scanned: Scanned, stamps: pa.Array, elements: _Elements) -> pa.MapArray:
    """Return what structured data says, and of older lines their timestamp, as it stands."""
    older = np.flatnonzero(scanned.is_older)
    names = pa.repeat(pa.scalar(STAMP), len(older))
    owners = older
    if len(elements.owners) and not len(older) and elements.is_in_order():
        owners, names, stamps = elements
    elif len(elements.owners):
        owners = np.concatenate((older, elements.owners))
        order = pa.array(np.argsort(owners, kind="stable"))
        names = pa.concat_arrays([names, elements.names]).take(order)
        stamps = pa.concat_arrays([stamps, elements.texts]).take(order)
    counts = np.bincount(owners, minlength=len(scanned.lines))
    return pa.MapArray.from_arrays(_offsets(counts), names, stamps)


def _flags(is_older: Flags, is_timed: Flags) -> pa.ListArray:
    flagged = is_older | ~is_timed
    flags = _FLAGS.take(pa.array(np.where(is_older, np.where(is_timed, 2, 0), 1)[flagged]))
    return pa.ListArray.from_arrays(_offsets(flagged), flags)


def _offsets(counts: Places | Flags) -> pa.Array:
    return pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
