"""Syslog lines: RFC 5424, and the older RFC 3164 form that /var/log files keep, with or without a priority."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cellwright.telemetry.format import Batch
from cellwright.telemetry.formats.facts import FactBuffer, chunks
from cellwright.telemetry.formats.syslog_bytes import blocks, lines_of
from cellwright.telemetry.formats.syslog_columns import columns_of
from cellwright.telemetry.formats.syslog_line import STAMP, read_line
from cellwright.telemetry.formats.syslog_scan import scan
from cellwright.telemetry.formats.syslog_years import read_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.formats.syslog_bytes import Flags, Lines, Places
    from cellwright.telemetry.formats.syslog_years import Reception

_BLANK: Final = b" \t\r\0\x0b\x0c"
_IS_BLANK: Final = np.isin(np.arange(256), [*_BLANK])
_CHUNK_BYTES: Final = 1 << 20
_LOOKED_AT: Final = 8  # lines by which a file is known


class Syslog:
    """A fact is a line that is not blank."""

    name = "syslog"

    def __init__(self, reception: Reception | None = None) -> None:
        """`reception` gives RFC 3164 timestamps their year; files of unknown age have none, and so no time."""
        self._reception = reception

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether one of the first lines is a syslog record: the very first may be damaged."""
        lines = (line for line in head.split(b"\n") if line.strip(_BLANK))
        return any(read_line(line) is not None for line in islice(lines, _LOOKED_AT))

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of lines that are not blank, counted without splitting the text."""
        count, is_counted = 0, False  # whether the line that goes on from chunk to chunk is
        for chunk in chunks(stream, _CHUNK_BYTES):
            octets = np.frombuffer(chunk, np.uint8)
            breaks = np.flatnonzero(octets == ord("\n"))
            starts = np.concatenate(([0], breaks + 1))
            ends = np.append(breaks, len(chunk))
            seen = (starts < ends) & ~_IS_BLANK[octets[np.minimum(starts, len(chunk) - 1)]]
            for line in np.flatnonzero(~seen & (starts < ends)).tolist():
                seen[line] = bool(chunk[starts[line] : ends[line]].strip(_BLANK))
            count += int(seen.sum()) - bool(seen[0] and is_counted)
            is_counted = bool(seen[-1]) or (is_counted and not len(breaks))
        return count

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; a line that is no syslog record is quarantined."""
        facts, line = FactBuffer(), 1
        for block in blocks(stream):
            lines = lines_of(block)
            yield from _read_block(facts, lines, line, self._reception)
            line += len(lines.starts)


def _read_block(facts: FactBuffer, lines: Lines, first: int, reception: Reception | None) -> Iterator[Batch]:
    """Yield the facts of a block as one batch: lines in a common layout all at once, every other one by one."""
    scanned = scan(lines, _doubtful(lines))
    is_fact = _filled(lines, scanned.lines)
    ordinals = facts.ordinal + np.cumsum(is_fact) - 1
    rows, read = columns_of(lines, scanned, ordinals, reception)
    is_fact[read] = False
    behind = int(ordinals[-1]) + 1
    for line in np.flatnonzero(is_fact).tolist():
        facts.ordinal = int(ordinals[line])
        _add(facts, lines.data[lines.starts[line] : lines.ends[line]], first + line, reception)
    facts.ordinal = behind
    rest = next(iter([*facts.take()]), Batch())
    tables = [table for table in (rows, rest.tables.get("logs")) if table is not None and table.num_rows]
    if tables or rest.quarantined:
        yield Batch({"logs": _in_order(tables)} if tables else {}, rest.quarantined)


def _doubtful(lines: Lines) -> Flags:
    """Return the lines that may not be UTF-8: all that are not ASCII, when not all is UTF-8."""
    try:
        _ = lines.is_ascii or lines.data.decode()
    except UnicodeDecodeError:
        return lines.foreign()
    return np.zeros(len(lines.starts), bool)


def _filled(lines: Lines, known: Places) -> Flags:
    """Return which lines are not blank; those `known` to be are not looked at."""
    filled = lines.starts < lines.ends
    unknown = filled.copy()
    unknown[known] = False
    for line in np.flatnonzero(unknown).tolist():
        filled[line] = bool(lines.data[lines.starts[line] : lines.ends[line]].strip(_BLANK))
    return filled


def _in_order(tables: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(tables) == 1:
        return tables[0]
    both = pa.concat_batches(tables)
    return both.take(pa.array(np.argsort(both["ordinal"].to_numpy(), kind="stable")))


def _add(facts: FactBuffer, raw: bytes, number: int, reception: Reception | None) -> None:
    row = read_line(raw)
    if row is not None and reception is not None:
        row |= _dated(row, reception)
    if row is None:
        facts.quarantine("not-syslog", "expected an RFC 5424 or RFC 3164 record", raw, line=number)
    else:
        facts.row("logs", row)


def _dated(row: dict[str, object], reception: Reception) -> dict[str, object]:
    """Return the time of a row that says it without the year."""
    told, flags = row["attributes"], row["dq_flags"]
    if not (isinstance(told, list) and isinstance(flags, list) and "no-year" in flags):
        return {}
    us = read_stamp(dict(told)[STAMP], reception)
    return {} if us is None else {"ts": us, "dq_flags": [*flags[:-1], "year-inferred"]}
