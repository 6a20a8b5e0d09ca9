"""Texts cut into passages that overlap, at ends of paragraphs, sentences or words. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cellwright.digest.tokens import EstimatingCounter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.gateway.knowledge.store import Chunking

_PIECE: Final = re.compile(r"\S{1,64}\s*|\s+")
_PARAGRAPH_ENDS: Final = re.compile(r"\n[ \t\r]*\n\s*$")
_SENTENCE_ENDS: Final = re.compile(r"(?:[.!?:;]['\")\]]*\s+|\n\s*)$")
_LEAST: Final = 0.6  # of a passage's tokens, before a better place to end it is taken
_COUNT: Final = EstimatingCounter().count


def passages(text: str, chunking: Chunking) -> list[str]:
    """Return the passages of a text, each of at most `chunking.tokens` estimated tokens.

    Without what each repeats of the one before it, they are the text. Blank texts have none.
    """
    return [text[start:end] for start, end in spans(text, chunking)]


def spans(text: str, chunking: Chunking) -> Iterator[tuple[int, int]]:
    """Yield where each passage starts and ends: the next one starts at or before the end of the one before it."""
    if not text.strip():
        return
    places = [match.end() for match in _PIECE.finditer(text)]
    begins = [0, *places[:-1]]
    tokens = [max(1, _COUNT(text[begin:end])) for begin, end in zip(begins, places, strict=True)]
    first = 0
    while first < len(places):
        last = _last(text, begins, places, tokens, first, chunking.tokens)
        yield begins[first], places[last]
        if last + 1 == len(places):
            return
        first = _next(tokens, first, last, chunking.overlap)


def _last(  # noqa: PLR0913, PLR0917 - the columns of the pieces, and where to begin
    text: str, begins: list[int], ends: list[int], tokens: list[int], first: int, most: int
) -> int:
    """Return the last piece of the passage that begins with `first`."""
    total, last, enough = 0, first, 0
    for place in range(first, len(tokens)):
        total += tokens[place]
        if total > most and place > first:
            break
        last = place
        enough = enough or (place if total >= _LEAST * most else 0)
    if last + 1 == len(tokens):
        return last
    for pattern in (_PARAGRAPH_ENDS, _SENTENCE_ENDS):
        for place in range(last, max(first, enough or last) - 1, -1):
            if pattern.search(text, begins[place], ends[place]):
                return place
    return last


def _next(tokens: list[int], first: int, last: int, overlap: int) -> int:
    """Return the piece that the next passage begins with, so that it repeats at most `overlap` tokens."""
    place, repeated = last + 1, 0
    while place - 1 > first and repeated + tokens[place - 1] <= overlap:
        place -= 1
        repeated += tokens[place]
    return place
