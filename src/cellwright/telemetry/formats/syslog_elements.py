"""Reads the structured data of many RFC 5424 lines at once; says of which it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cellwright.telemetry.formats.syslog_bytes import next_of

if TYPE_CHECKING:
    from cellwright.telemetry.formats.syslog_bytes import Flags, Lines, Places

_LONGEST_NAME: Final = 32  # RFC 5424, 6: SD-NAME


class Elements(NamedTuple):
    """Structured data of one element a line, without escapes and with no name twice."""

    sure: Flags  # of which lines
    ends: Places  # of every line, right only where sure
    owners: Places  # which line each pair is of, rising
    names: pa.Array  # "id.name" of each pair
    texts: pa.Array


class _Ids(NamedTuple):
    """Of every line, where the id of its element starts and ends."""

    starts: Places
    ends: Places


class _Quotes(NamedTuple):
    """Where quotation marks stand, and of every line which one is its first and how many it has."""

    places: Places
    first: Places
    counts: Places


class _Pairs(NamedTuple):
    owners: Places
    ids: Places  # which of the chosen lines each is of
    names: Places  # where each starts
    name_ends: Places
    texts: Places
    text_ends: Places
    fit: Flags


def plain_elements(lines: Lines, starts: Places, ends: Places) -> Elements:
    """Return the structured data that begins at each start; it is ASCII, and lies before the end of its line."""
    octets = lines.octets
    closes = next_of(octets, octets == ord("]"), starts)
    sure = (closes < ends) & ((closes + 1 == ends) | (octets[closes + 1] == ord(" ")))
    if b"\\" in lines.data:
        sure &= next_of(octets, octets == ord("\\"), starts) > closes
    id_ends = lines.blanks[np.searchsorted(lines.blanks, starts)]
    ids = _Ids(starts + 1, id_ends)
    id_lengths = ids.ends - ids.starts
    sure &= (id_lengths > 0) & (id_lengths <= _LONGEST_NAME)
    quotes = np.flatnonzero(octets == ord('"'))
    first, behind = np.searchsorted(quotes, starts), np.searchsorted(quotes, closes)
    counts = behind - first
    sure &= (counts > 0) & (counts % 2 == 0)
    last = closes - quotes[np.minimum(behind, len(quotes)) - 1] if len(quotes) else closes
    sure &= (last == 1) | ((last == 2) & (octets[closes - 1] == ord(" ")))  # noqa: PLR2004 - one space may follow
    chosen = np.flatnonzero(sure)
    pairs = _pairs(lines, chosen, ids, _Quotes(quotes, first, counts))
    sure[pairs.owners[~pairs.fit]] = False
    names, texts = _texts(lines, pairs, _Ids(ids.starts[chosen], ids.ends[chosen]))
    sure[_owners_of_repeated(pairs.owners, names)] = False
    kept = np.flatnonzero(sure[pairs.owners])
    if len(kept) < len(pairs.owners):
        names, texts = names.take(pa.array(kept)), texts.take(pa.array(kept))
    return Elements(sure, closes + 1, pairs.owners[kept], names, texts)


def _pairs(lines: Lines, chosen: Places, ids: _Ids, quotes: _Quotes) -> _Pairs:
    """Return the pairs of the chosen lines: their texts stand between two of the quotation marks."""
    octets, places = lines.octets, quotes.places
    first, counts = quotes.first[chosen], quotes.counts[chosen] // 2
    nth = np.repeat(np.arange(len(chosen)), counts)
    owners = chosen[nth]
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    opening = np.repeat(first, counts) + 2 * within
    opens, shuts = places[opening], places[opening + 1]
    is_first = within == 0
    before = np.where(is_first, ids.ends[owners], places[opening - 1] + 1)
    names, name_ends = before + 1, opens - 1
    lengths = name_ends - names
    fit = (octets[before] == ord(" ")) & (octets[name_ends] == ord("="))
    fit &= (lengths > 0) & (lengths <= _LONGEST_NAME)
    since = np.where(is_first, ids.starts[owners], names)
    fit &= next_of(octets, octets == ord("="), since) == name_ends
    fit &= lines.blanks[np.searchsorted(lines.blanks, names)] > opens
    return _Pairs(owners, nth, names, name_ends, opens + 1, shuts, fit)


def _texts(lines: Lines, pairs: _Pairs, ids: _Ids) -> tuple[pa.Array, pa.Array]:
    """Return the name with its id and the text of each pair; those of pairs that do not fit are empty."""
    places = np.stack((pairs.names, pairs.name_ends, pairs.texts, pairs.text_ends), axis=1)
    places[~pairs.fit] = 0
    cuts = np.maximum.accumulate(np.append(places.reshape(-1), lines.size)).astype(np.int32)
    cut = pa.StringArray.from_buffers(len(cuts) - 1, pa.py_buffer(cuts), pa.py_buffer(lines.data))
    id_cuts = np.append(np.stack((ids.starts, ids.ends), axis=1).reshape(-1), lines.size)
    id_cut = pa.StringArray.from_buffers(
        len(id_cuts) - 1, pa.py_buffer(id_cuts.astype(np.int32)), pa.py_buffer(lines.data)
    )
    around = id_cut.take(pa.array(2 * pairs.ids))
    names = cut.take(pa.array(np.arange(len(places)) * 4))
    return pc.binary_join_element_wise(around, names, "."), cut.take(pa.array(np.arange(len(places)) * 4 + 2))


def _owners_of_repeated(owners: Places, names: pa.Array) -> Places:
    """Return the owners that have one name twice."""
    known = names.dictionary_encode()
    marks = owners * max(1, len(known.dictionary)) + known.indices.to_numpy()
    in_order = np.sort(marks)
    again = in_order[1:][in_order[1:] == in_order[:-1]]
    repeated: Places = again // max(1, len(known.dictionary))
    return repeated
