"""Who a row is about, by its pseudonyms, and rows without them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cellwright.privacy.identifiers import Kind
from cellwright.privacy.patterns import PSEUDONYM_LENGTH, PSEUDONYM_LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

PSEUDONYM: Final = rf"(?P<kind>{'|'.join(Kind)})~(?P<letters>[{PSEUDONYM_LETTERS}]{{{PSEUDONYM_LENGTH}}})"
"""A pseudonym in a text, in the common syntax of `re` and RE2."""

_PSEUDONYM: Final = re.compile(PSEUDONYM)
_ADDRESSES: Final = frozenset({Kind.IP, Kind.MAC, Kind.NUMBER})
"""What changes hands: it says whom a row is about only where nothing else does, and ties nobody together."""


def without_pseudonyms(values: pa.Array) -> pa.Array:
    """Return the texts with each pseudonym replaced by its kind; other types unchanged."""
    if not pa.types.is_string(values.type):
        return values
    return pc.replace_substring_regex(values, PSEUDONYM, r"\1")


def subjects(columns: Iterable[pa.Array], rows: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a number for whom each row is about, and whether a pseudonym says so; other rows are each their own.

    Pseudonyms of one row are one person's, so that nobody is counted once as IMSI and once as MSISDN.

    `columns` hold text; shape of both results `(rows,)`.
    """
    found: list[str | None] = [None] * rows
    ties = _Ties()
    for row, tokens in _tokens(columns, rows).items():
        people = [letters for kind, letters in tokens if kind not in _ADDRESSES]
        found[row] = people[0] if people else tokens[0][1]
        for other in people[1:]:
            ties.tie(people[0], other)
    numbers: dict[str, int] = {}
    ids = [-1 if each is None else numbers.setdefault(ties.end(each), len(numbers)) for each in found]
    who = np.array(ids, dtype=np.int64)
    named = who >= 0
    who[~named] = len(numbers) + np.arange(int((~named).sum()))
    return who, named


def _tokens(columns: Iterable[pa.Array], rows: int) -> dict[int, list[tuple[Kind, str]]]:
    """Return kind and letters of the pseudonyms of each row that has some."""
    found: dict[int, list[tuple[Kind, str]]] = {}
    everywhere = pa.array(range(rows), pa.int64())
    for column in columns:
        if pa.types.is_string(column.type):
            here = pc.match_substring(column, "~")
            for row, text in zip(everywhere.filter(here).to_pylist(), column.filter(here).to_pylist(), strict=True):
                told = [(Kind(match["kind"]), match["letters"]) for match in _PSEUDONYM.finditer(text)]
                if told:
                    found.setdefault(row, []).extend(told)
    return found


class _Ties:
    """Pseudonyms of one person: those that stand in one row."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def end(self, letters: str) -> str:
        """Return the pseudonym that stands for all that are tied to this one."""
        while (above := self._above.get(letters, letters)) != letters:
            self._above[letters] = self._above.get(above, above)
            letters = above
        return letters

    def tie(self, one: str, other: str) -> None:
        """Make two pseudonyms one person's."""
        self._above[self.end(one)] = self.end(other)
