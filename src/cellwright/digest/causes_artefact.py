"""What a lake taught as bytes: JSON of one version, with what it was learned from and its measured quality."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import Final

import msgspec
import numpy as np

from cellwright.digest.causes import CauseGraph, Quality, Training
from cellwright.digest.causes_onsets import BIN_ENDS_MS, BINS
from cellwright.digest.salience import LearnedSalience  # noqa: TC001 - msgspec reads the annotation
from cellwright.errors import StorageError

FORMAT: Final = "cellwright.io/cause-graph"
VERSION: Final = 2
_ARRAYS: Final = ("edges", "strength", "first", "lag_s", "base_per_s", "rates_per_s", "onsets")

_Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a lake taught: which alarm types bring about which others, and which signals beside incidents tell most.

    No salience where the lake held too little beside its incidents, or what it taught kept no more than is kept anyway.
    """

    causes: CauseGraph
    salience: LearnedSalience | None = None


class _Head(msgspec.Struct, frozen=True):
    format: str
    version: int


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    training: Training
    quality: Quality
    types: tuple[str, ...]
    onsets: tuple[int, ...]
    edges: tuple[tuple[bool, ...], ...]
    strength: _Matrix
    first: _Matrix
    lag_s: tuple[tuple[float | None, ...], ...]
    bin_ends_ms: tuple[int, ...]
    base_per_s: tuple[float, ...]
    rates_per_s: tuple[tuple[_Matrix, ...], ...]  # hop, bin, cause, effect
    salience: LearnedSalience | None


def to_bytes(learned: Learned) -> bytes:
    """Return what was learned as JSON that `from_bytes` reads back without loss; the same makes the same bytes."""
    graph = learned.causes
    document = {
        "format": FORMAT,
        "version": VERSION,
        "training": asdict(graph.training),
        "quality": asdict(graph.quality),
        "types": graph.types,
        **{name: getattr(graph, name).tolist() for name in _ARRAYS},  # NaN is written as null
        "bin_ends_ms": BIN_ENDS_MS,
        "salience": learned.salience,
    }
    return msgspec.json.encode(document) + b"\n"


def from_bytes(raw: bytes, name: str) -> Learned:
    """Return what `to_bytes` wrote.

    Raises StorageError, which names `name`, where it is no cause graph, is one of another version, or is inconsistent.
    """
    try:
        head = msgspec.json.decode(raw, type=_Head)
        if head.format != FORMAT:
            raise _unreadable(name, f"its format is {head.format[:80]!r}")
        if head.version != VERSION:
            raise StorageError.of(
                "unknown-version",
                f"{name} is a cause graph of version {head.version}",
                expected=f"version {VERSION}, which this Cellwright reads and writes",
                hint="learn it again with `cellwright digest learn`, or update Cellwright",
            )
        document = msgspec.json.decode(raw, type=_Document)
        return Learned(_graph(document, name), _salience(document, name))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(name, str(error)) from error


def _graph(document: _Document, name: str) -> CauseGraph:
    """Return the graph of a document whose numbers fit together."""
    n_types = len(document.types)
    square, hops = (n_types, n_types), len(document.rates_per_s)
    shapes = {
        "edges": square,
        "strength": square,
        "first": square,
        "lag_s": square,
        "base_per_s": (n_types,),
        "rates_per_s": (hops, BINS, *square),
        "onsets": (n_types,),
    }
    arrays = {}
    for field, shape in shapes.items():
        try:
            array = np.array(getattr(document, field), {"edges": bool, "onsets": np.int64}.get(field, np.float64))
        except ValueError as error:
            raise _unreadable(name, f"the rows of {field} differ in length") from error
        if array.shape != shape or (array < 0).any():
            raise _unreadable(name, f"{field} is not {' x '.join(map(str, shape))} numbers of 0 or more")
        arrays[field] = array
    if document.bin_ends_ms != BIN_ENDS_MS or hops not in {1, 2} or len(set(document.types)) < n_types:
        raise _unreadable(name, "its bins, hops or types are not those of this version")
    return CauseGraph(types=document.types, training=document.training, quality=document.quality, **arrays)


def _salience(document: _Document, name: str) -> LearnedSalience | None:
    """Return the salience of a document whose numbers can be meetings."""
    found = document.salience
    for seen in (*found.templates.values(), *found.counters.values()) if found else ():
        if seen.met < 0 or not 0 <= seen.expected < inf:
            raise _unreadable(name, "what it met of a signal, or expected, is not a number of 0 or more")
    return found


def _unreadable(name: str, cause: str) -> StorageError:
    return StorageError.of(
        "not-a-cause-graph",
        f"{name} cannot be read as a cause graph",
        expected="a file that `cellwright digest learn` wrote",
        cause=cause,
    )
