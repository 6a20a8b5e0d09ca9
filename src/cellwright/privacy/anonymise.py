"""k-anonymity by full-domain generalisation: the least loss under which every class holds k subjects.

The search goes through the lattice of levels (Samarati 2001; LeFevre, DeWitt and Ramakrishnan 2005, "Incognito") in the
order of what generalising alone loses, and ends where that exceeds the best total: the result is optimal for the loss.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cellwright.errors import UsageError
from cellwright.privacy.anonymise_levels import Ladder, levels, plain
from cellwright.privacy.anonymise_subjects import subjects, without_pseudonyms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cellwright.privacy.anonymise_levels import Level

_MOST_NODES: Final = 50_000  # combinations of levels: more columns cannot be searched in full
_LARGE: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of one table."""

    k: int
    quasi: Mapping[str, Ladder]  # columns by which somebody could be recognised, and how they are made coarser
    kept: tuple[str, ...]  # columns that stay as they are, but for pseudonyms
    subject: str | None = None  # a column that says whom a row is about; else its pseudonyms do
    diverse: tuple[tuple[str, int], ...] = ()  # columns of `kept` and how many values of each a class must hold


@dataclass(frozen=True, slots=True)
class Generalised:
    """How far one column was made coarser."""

    column: str
    ladder: Ladder
    level: int
    steps: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Anonymised:
    """A k-anonymous table, sorted, so that the order of its rows says nothing, and what it took."""

    rows: pa.Table
    subjects: NDArray[np.int64]  # whom each row of `rows` is about, for recounting only: never stored
    named: NDArray[np.bool_]  # whether a pseudonym said so
    generalised: tuple[Generalised, ...]
    suppressed: int  # rows
    loss: float  # 0 to 1
    class_sizes: tuple[int, ...]  # subjects of each class, ascending
    by_subjects: bool  # whether any row is about somebody


def anonymise(table: pa.Table, wanted: Wanted) -> Anonymised:
    """Return the table with `quasi` and `kept` columns alone, such that every class holds at least k subjects.

    A class is made of the rows that agree in all quasi-identifiers and in whether they are about somebody. Subjects are
    those of pseudonyms; rows without one count each. Raises UsageError for columns that cannot be used or are too many.
    """
    _check(table, wanted)
    names = table.schema.names
    columns = {name: plain(_combined(table[name])) for name in names}
    who, named = _who(columns, wanted, table.num_rows)
    quasi = {name: levels(without_pseudonyms(columns[name]), ladder) for name, ladder in wanted.quasi.items()}
    kept = {name: without_pseudonyms(columns[name]) for name in wanted.kept}
    diverse = tuple((_codes(kept[name]), least) for name, least in wanted.diverse)
    search = _Search(tuple(quasi.values()), who, named, wanted.k, diverse)
    node, loss = search.best()
    keep, sizes = search.judged(node)
    made = {name: steps[step].values for (name, steps), step in zip(quasi.items(), node, strict=True)} | kept
    rows = pa.table(made).filter(pa.array(keep))
    order = _order(rows)
    return Anonymised(
        rows=rows.take(order),
        subjects=who[keep][order],
        named=named[keep][order],
        generalised=tuple(
            Generalised(name, wanted.quasi[name], step, len(steps), steps[step].meaning)
            for (name, steps), step in zip(quasi.items(), node, strict=True)
        ),
        suppressed=table.num_rows - rows.num_rows,
        loss=loss,
        class_sizes=tuple(sorted(sizes)),
        by_subjects=bool(named.any()),
    )


def smallest_class(
    rows: pa.Table, quasi: Sequence[str], who: NDArray[np.int64] | None = None, named: NDArray[np.bool_] | None = None
) -> int:
    """Return the subjects of the smallest class of a table as it was written, counted row by row; 0 of an empty one.

    Shares no code with the search. Without `who` every row is counted as somebody of its own.
    """
    classes: dict[tuple[object, ...], set[int]] = {}
    for row, values in enumerate(zip(*(rows[name].to_pylist() for name in quasi), strict=True)):
        about = bool(named[row]) if named is not None else False
        classes.setdefault((about, *map(repr, values)), set()).add(row if who is None else int(who[row]))
    if not quasi and rows.num_rows:
        return len(set(range(rows.num_rows) if who is None else map(int, who)))
    return min(map(len, classes.values()), default=0)


def _check(table: pa.Table, wanted: Wanted) -> None:
    names = set(table.schema.names)
    unknown = sorted({*wanted.quasi, *wanted.kept, *([wanted.subject] if wanted.subject else [])} - names)
    if unknown:
        raise UsageError.of(
            "unknown-column", f"there is no column {', '.join(unknown)}", expected=", ".join(sorted(names))
        )
    both = sorted(set(wanted.quasi) & set(wanted.kept))
    if both:
        raise UsageError.of("column-twice", f"{', '.join(both)} cannot stay as it is and be made coarser")
    odd = sorted(name for name, _ in wanted.diverse if name not in wanted.kept)
    if odd:
        raise UsageError.of(
            "not-kept", f"values of {', '.join(odd)} cannot be counted", expected="a column that stays as it is"
        )


def _who(columns: Mapping[str, pa.Array], wanted: Wanted, rows: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    if wanted.subject is None:
        return subjects(columns.values(), rows)
    column = columns[wanted.subject]
    return _codes(column), np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _combined(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _codes(column: pa.Array) -> NDArray[np.int64]:
    indices = column.dictionary_encode(null_encoding="encode").indices
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _order(rows: pa.Table) -> NDArray[np.int64]:
    """Return the rows in order of their values."""
    if not rows.num_rows:
        return np.zeros(0, dtype=np.int64)
    keys = [_ranks(_combined(rows[name])) for name in reversed(rows.schema.names)]
    return np.asarray(np.lexsort(keys), dtype=np.int64)


def _ranks(column: pa.Array) -> NDArray[np.int64]:
    texts = column if pa.types.is_primitive(column.type) else column.cast(pa.string())
    encoded = texts.dictionary_encode(null_encoding="encode")
    positions = np.empty(len(encoded.dictionary), dtype=np.int64)
    order = pc.sort_indices(encoded.dictionary).to_numpy(zero_copy_only=False)
    positions[order] = np.arange(len(order))
    return np.asarray(positions[encoded.indices.to_numpy(zero_copy_only=False)], dtype=np.int64)


class _Search:
    """Finds the levels that lose least."""

    def __init__(
        self,
        quasi: tuple[tuple[Level, ...], ...],
        who: NDArray[np.int64],
        named: NDArray[np.bool_],
        k: int,
        diverse: tuple[tuple[NDArray[np.int64], int], ...],
    ) -> None:
        self._quasi = quasi
        self._named = named
        self._k = k
        self._counted = ((who, k), *diverse)
        nodes = 1
        for each in quasi:
            nodes *= len(each)
        if nodes > _MOST_NODES:
            raise UsageError.of(
                "too-many-columns",
                f"there are {nodes:,} ways to make these columns coarser",
                expected=f"at most {_MOST_NODES:,}",
                hint="drop a column, or make one a category",
            )

    def best(self) -> tuple[tuple[int, ...], float]:
        """Return the level of each column, and the loss: of generalising what is kept, and all of what is not."""
        best, least = tuple(len(each) - 1 for each in self._quasi), np.inf
        for alone, node in self._by_loss():
            if alone >= least:
                break
            classes, rows = self._classes(node)
            crowded = float(rows[rows >= self._k].sum() / max(1, rows.sum()))  # subjects are no more than rows
            if _total(alone, crowded) >= least:
                continue
            good, _ = self._good(classes, len(rows))
            total = _total(alone, float(rows[good].sum() / max(1, rows.sum())))
            if total < least:
                best, least = node, total
        return best, float(min(least, 1.0))

    def judged(self, node: tuple[int, ...]) -> tuple[NDArray[np.bool_], list[int]]:
        """Return which rows may stay at these levels, and the subjects of each class that stays."""
        classes, rows = self._classes(node)
        good, sizes = self._good(classes, len(rows))
        return good[classes], [int(size) for size in sizes[good]]

    def _classes(self, node: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the class of each row, and the rows of each class."""
        keys = self._named.astype(np.int64)
        for each, step in zip(self._quasi, node, strict=True):
            keys = _joined(keys, each[step].codes)
        classes = _numbered(keys)
        return classes, np.bincount(classes)

    def _good(self, classes: NDArray[np.int64], count: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return which classes hold enough of all that is counted, and the subjects of each."""
        found = [_distinct_in(classes, values, count) for values, _ in self._counted]
        enough = [counts >= least for counts, (_, least) in zip(found, self._counted, strict=True)]
        return np.logical_and.reduce(enough), found[0]

    def _by_loss(self) -> Iterator[tuple[float, tuple[int, ...]]]:
        """Yield all nodes by what generalising alone loses."""
        start = (0,) * len(self._quasi)
        heap = [(self._loss(start), start)]
        met = {start}
        while heap:
            loss, node = heapq.heappop(heap)
            yield loss, node
            for at, step in enumerate(node):
                above = (*node[:at], step + 1, *node[at + 1 :])
                if step + 1 < len(self._quasi[at]) and above not in met:
                    met.add(above)
                    heapq.heappush(heap, (self._loss(above), above))

    def _loss(self, node: tuple[int, ...]) -> float:
        losses = [each[step].loss for each, step in zip(self._quasi, node, strict=True)]
        return sum(losses) / len(losses) if losses else 0.0


def _total(alone: float, kept: float) -> float:
    return alone * kept + 1.0 - kept


def _joined(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for each pair; pairs are equal where both numbers are."""
    if not len(left):
        return left
    many = int(right.max()) + 1
    if int(left.max()) >= _LARGE // many:
        left = _numbered(left)
    return left * many + right


def _numbered(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each key among the different ones, from 0 in order of appearance."""
    return _codes(pa.array(keys))


def _distinct_in(classes: NDArray[np.int64], values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return how many different values each of `count` classes holds."""
    if not len(classes):
        return np.zeros(count, dtype=np.int64)
    many = int(values.max()) + 1
    pairs = pc.unique(pa.array(classes * many + values)).to_numpy()
    return np.bincount(pairs // many, minlength=count)
