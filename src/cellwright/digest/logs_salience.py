"""Salience of log lines: how much each says about what went wrong, from its words, its rarity and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cellwright.digest.logs_words import FRAME, WORTHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cellwright.digest.logs import LogLines
    from cellwright.digest.salience import LearnedSalience
    from cellwright.digest.templates import Mined

_FRAME_WORTH: Final = 0.5
_LEVELS: Final = (0.0, 1.0, 9.0, 11.0)  # of Level: who says so beside the text means it
_GRAVE: Final = 9.0  # worth of words that protects a line
_COMMON: Final = 0.5  # what is left of the worth of words that every line has
_RARE: Final = 2.0  # worth of being the only line of its template, where hardly a line is
_FEW: Final = 2  # lines of a rare template
_SURPRISE: Final = 0.5  # where rare templates are protected: in a log of n lines less than sqrt(n) are theirs
_FIRST: Final = 1.5  # times the worth of its words has the first line of a template
_BULK: Final = 5.0  # and worth of its template's being all lines
_NEXT: Final = 0.5  # share of a line's strength that the lines before and after it have
_FADE: Final = 0.5  # by which each further one has less
_AFTER: Final = 6  # lines
_BEFORE: Final = 3
_END: Final = 2.0  # worth of being the last line, and over how many lines it falls to a third
_END_LINES: Final = 120.0


@dataclass(frozen=True, slots=True)
class Salience:
    """Of each line of a log: what its own words are worth, how telling it is, 0 or more; (n_lines,)."""

    words: NDArray[np.float64]
    of_line: NDArray[np.float64]
    is_protected: NDArray[np.bool_]  # its words are grave, or it is rare where few lines are


def weigh(lines: LogLines, mined: Mined, learned: LearnedSalience | None = None) -> Salience:
    """Return the salience of each line.

    Words count more where few lines are alike; what follows a grave line, or shortly goes before one, takes part in
    its salience. So does, a little, what is rare where most lines repeat, what began a flood, what is near the end.
    With learned salience, what comes on any day counts by the share that goes with incidents, and what goes with them
    more often than by chance is worth a nat each.
    """
    count = max(len(lines), 1)
    sizes = np.bincount(mined.codes)[mined.codes]
    words = worths(lines.texts) + np.array(_LEVELS)[list(lines.levels)]
    is_grave = words >= _GRAVE
    firsts = np.unique(mined.codes, return_index=True)[1]
    words[firsts] *= _FIRST
    rarity = 1 - np.log(sizes) / max(np.log(count), 1.0)
    is_rare = sizes <= _FEW
    surprise = 1 - np.log1p(is_rare.sum()) / np.log1p(count)
    own = words * (_COMMON + (1 - _COMMON) * rarity) + _RARE * surprise * rarity
    own[firsts] += _BULK * sizes[firsts] / count
    end = _END * np.exp((np.arange(len(lines)) + 1 - count) / _END_LINES)
    related, gain = learned.of_lines(lines.texts) if learned else (np.ones(len(lines)), np.zeros(len(lines)))
    of_line = related * (own + _shared(related * words * rarity) + end + gain)
    return Salience(words, of_line, is_grave | (is_rare & (surprise > _SURPRISE)))


def worths(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return what each line is worth by its own words, (n_lines,), 0 or more."""
    column = pa.array(texts, pa.string()).dictionary_encode()
    found = np.zeros(len(column.dictionary))
    for weight, pattern in WORTHS:
        found += weight * _matches(column.dictionary, pattern)
    found[_matches(column.dictionary, FRAME)] = _FRAME_WORTH
    values: NDArray[np.float64] = np.maximum(found, 0.0)[column.indices.to_numpy()]
    return values


def _matches(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    matches: NDArray[np.bool_] = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return matches


def _shared(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each line has from the strongest of its neighbours, less with each line between them."""
    shared = np.zeros_like(strength)
    for distance in range(1, min(_AFTER, len(strength) - 1) + 1):
        share = _NEXT / (1 + _FADE * (distance - 1))
        np.maximum(shared[distance:], share * strength[:-distance], out=shared[distance:])
        if distance <= _BEFORE:
            np.maximum(shared[:-distance], share * strength[distance:], out=shared[:-distance])
    return shared
