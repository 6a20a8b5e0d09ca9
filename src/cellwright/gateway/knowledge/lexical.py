"""The embedded embedder: vectors of words and pieces of words. It needs no model, and knows no meaning.

Feature hashing with signs: Weinberger et al., ICML 2009. Repetition counts as a logarithm, as in common retrieval.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.gateway.knowledge.store import Vectors

NAME: Final = "cellwright-lexical-1"
DIMENSIONS: Final = 512
_WORD: Final = re.compile(r"\w+")
_PIECE: Final = 4  # characters of a piece of a word
_WORD_WEIGHT: Final = 1.0
_PAIR_WEIGHT: Final = 0.5
_PIECE_WEIGHT: Final = 0.3  # shared among the pieces of a word
_SHORT: Final = 3  # letters of words, such as articles, that tell little
_SHORT_WEIGHT: Final = 0.2
_SIGN: Final = 1 << 31


def embed(texts: Sequence[str]) -> Vectors:
    """Return a unit vector for each text (texts, 512) float32."""
    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        for (feature, weight), times in Counter(_features(text)).items():
            hashed = zlib.crc32(feature.encode())
            value = weight * (1 + math.log(times))
            vectors[row, hashed % DIMENSIONS] += value if hashed & _SIGN else -value
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Yield what a text has and how much each tells; a text without words has itself."""
    before = ""
    if _WORD.search(text) is None:
        yield f"t {text.strip()}", _WORD_WEIGHT
    for word in _WORD.findall(text.casefold()):
        tells = len(word) > _SHORT or not word.isascii() or not word.isalpha()
        yield f"w {word}", _WORD_WEIGHT if tells else _SHORT_WEIGHT
        if tells:
            if before:
                yield f"p {before} {word}", _PAIR_WEIGHT
            before = word
            framed = f"^{word}$"
            pieces = [framed[place : place + _PIECE] for place in range(max(1, len(framed) - _PIECE + 1))]
            for piece in pieces:
                yield f"c {piece}", round(_PIECE_WEIGHT / math.sqrt(len(pieces)), 3)
