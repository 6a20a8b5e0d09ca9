"""Log templates: what varies in a line is masked, and words that vary in one place of a line become variable too.

Masking is one regular expression for all logs, run by Arrow over whole columns; most lines are alike behind it, so that
all else is done once for each distinct masked line. There, lines that differ in a single word are alternatives: once a
place has shown `ALTERNATIVES` of them, it is a parameter. What that makes is a pattern like any other, so that places
widen one after the other. The rule only ever joins: more lines never split a template, and their order is of no matter.

Grouping as in Zhu et al., Tools and Benchmarks for Automated Log Parsing, ICSE-SEIP 2019 (bench/templates.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

VARIABLE: Final = "*"
ALTERNATIVES: Final = 5  # words in one place that make it a parameter: states and verbs have fewer, names have more
_FIXED_WORDS: Final = 2  # that a template has at least: what is left of "running" or "eth0 down" says nothing
LIMIT: Final = 20_000  # distinct masked lines that a miner keeps; of 14 words each, some 100 MB
_ID_CHARS: Final = 16

# RE2's syntax, alternatives in order: a day with or without its weekday; a path or an address; a pseudonym of ours;
# anything else with a digit in it, and its unit; a domain name of three parts; a hexadecimal number of letters alone.
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_NAME: Final = r"[\w.:/+@%#~&\\-]*"
_MASK: Final = "|".join(
    (
        rf"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:{_MONTH} +[0-9]{{1,2}}|[0-9]{{1,2}} {_MONTH})\b,?",
        r"""(?:\b[A-Za-z]:\\|\b[a-z]+://|\B~?/|\B\.{1,2}/)[^\s"'<>(){}\[\],;|]*""",
        rf"{_NAME}[a-z]~[a-z]{{6,}}{_NAME}",
        rf"<?{_NAME}[0-9]{_NAME}(?: ?(?:[KMGT]i?)?B\b| (?:bytes|secs?|ms)\b)?",
        r"\b(?:[a-z][a-z-]*\.){2,}[a-z]{2,}\b",
        r"\b[a-f]{8,}\b|\b[A-F]{8,}\b",
    )
)
# On masked lines: brackets around nothing but a variable gloss what stands before them and may be absent; a row of
# variables is a list of any length; blanks are one.
_TIDY: Final = ((r"[(\[]\s*\*?\s*[)\]]", ""), (r"\*(?:[\s,;:]*\*)+", VARIABLE), (r"\s+", " "), (r"^ | $", ""))

_TOKENS: Final = 60  # of a line that are looked at one by one; the time for a line grows with their square
_TOKEN: Final = re.compile(r"""[\s=:,;()\[\]{}"'<>|]+|[^\s=:,;()\[\]{}"'<>|]+""")
_WORD: Final = re.compile(r"[^\W\d_]{2}")

Tokens: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Mined:
    """Lines by template: `templates[codes[i]]` is the text of line i's; codes are (n_lines,) int32, by first line."""

    templates: tuple[str, ...]
    codes: NDArray[np.int32]


def mine(lines: pa.Array | pa.ChunkedArray | Sequence[str]) -> Mined:
    """Return the templates of lines of text, each the more general the more of them there are; null is an empty line.

    Some microseconds a line, most of them for masking, and about 50 for each distinct masked line.
    """
    masked = mask(lines)
    miner = Miner()
    distinct: list[str] = masked.dictionary.to_pylist()
    miner.add(distinct)
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(miner.template(line), len(numbers)) for line in distinct]
    return Mined(tuple(numbers), np.array(codes, np.int32)[masked.indices.to_numpy()])


def mask(lines: pa.Array | pa.ChunkedArray | Sequence[str]) -> pa.DictionaryArray:
    """Return each line with `*` for all that varies by its shape: numbers, dates, addresses, paths, identifiers.

    Knows no other line: the same line is always masked alike, wherever and whenever. Null becomes an empty line.
    """
    column = lines if isinstance(lines, pa.Array | pa.ChunkedArray) else pa.array(lines, pa.string())
    first = pc.replace_substring_regex(column.fill_null(""), _MASK, VARIABLE).dictionary_encode()
    first = first.combine_chunks() if isinstance(first, pa.ChunkedArray) else first
    tidied = first.dictionary
    for pattern, by in _TIDY:
        tidied = pc.replace_substring_regex(tidied, pattern, by)
    second = tidied.dictionary_encode()
    return pa.DictionaryArray.from_arrays(second.indices.take(first.indices), second.dictionary)


def template_id(text: str) -> str:
    """Return the name of a template, or of a masked line: 16 hexadecimal digits of the SHA-256 of its text."""
    return sha256(text.encode()).hexdigest()[:_ID_CHARS]


class Miner:
    """Learns templates from masked lines as they come, in bounded memory.

    A line's masked text never changes; its template may widen as lines come, never narrow: what was one template stays
    in one. That, and that the order is of no matter, holds until `limit` distinct masked lines were added. Then those
    that a template covers are forgotten, and of the rest the older half.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._patterns: dict[Tokens, None] = {}
        self._seen: dict[Tokens, tuple[str, ...]] = {}  # words in the place where the pattern has one more variable
        self._tree: dict[tuple[int, str], int] = {}  # (node, token) -> node, of the patterns with variables
        self._ends: dict[int, Tokens] = {}

    def __len__(self) -> int:
        return len(self._patterns)

    def add(self, masked: Iterable[str]) -> None:
        """Learn from masked lines; known ones cost nothing."""
        for line in masked:
            self._learn(_tokens(line))
            if len(self._patterns) > self._limit:
                self._forget()

    def template(self, masked: str) -> str:
        """Return the most general template that covers a masked line, the line itself where none does."""
        tokens = _tokens(masked)
        best: Tokens = min(self._covering(tokens), key=_generality, default=tokens)
        return "".join(best)

    def _learn(self, tokens: Tokens) -> None:
        new = [tokens]
        while new:
            pattern = new.pop()
            if pattern in self._patterns:
                continue
            self._patterns[pattern] = None
            if VARIABLE in pattern and len(list(_words(pattern))) >= _FIXED_WORDS:
                self._plant(pattern)
            for word, wider in _widened(pattern):
                seen = self._seen.get(wider, ())
                if word not in seen and len(seen) < ALTERNATIVES:
                    self._seen[wider] = seen = (*seen, word)
                    if len(seen) == ALTERNATIVES:
                        new.append(wider)

    def _plant(self, pattern: Tokens) -> None:
        node = 0
        for token in pattern:
            node = self._tree.setdefault((node, token), len(self._tree) + 1)
        self._ends[node] = pattern

    def _covering(self, tokens: Tokens) -> Iterator[Tokens]:
        """Yield the patterns that have the line's token or a variable in each place, and its first word."""
        first = next(_words(tokens), len(tokens))
        nodes = [0]
        for place, token in enumerate(tokens):
            options = (token,) if place <= first or not _WORD.search(token) else (token, VARIABLE)
            found = (self._tree.get((node, option)) for node in nodes for option in options)
            nodes = [node for node in found if node is not None]
        return (self._ends[node] for node in nodes if node in self._ends)

    def _forget(self) -> None:
        """Keep the patterns that no other covers, the newest of them as many as half the limit."""
        kept = [each for each in self._patterns if all(other == each for other in self._covering(each))]
        for book in (self._patterns, self._seen, self._tree, self._ends):
            book.clear()
        for pattern in kept[-self._limit // 2 :]:
            self._learn(pattern)


def _tokens(masked: str) -> Tokens:
    """Return words and the signs between them; what is beyond the first `_TOKENS` is one token."""
    found = list(islice(_TOKEN.finditer(masked), _TOKENS))
    tokens = tuple(each.group() for each in found)
    end = found[-1].end() if found else 0
    return (*tokens, masked[end:]) if end < len(masked) else tokens


def _widened(pattern: Tokens) -> Iterator[tuple[str, Tokens]]:
    """Yield each word that may become variable, with the pattern where it has: any but the first."""
    places = list(_words(pattern))
    if len(places) > _FIXED_WORDS:
        for place in places[1:]:
            yield pattern[place], (*pattern[:place], VARIABLE, *pattern[place + 1 :])


def _words(tokens: Tokens) -> Iterator[int]:
    return (place for place, token in enumerate(tokens) if _WORD.search(token))


def _generality(pattern: Tokens) -> tuple[int, Tokens]:
    """Return the key that puts the pattern with the fewest words first."""
    return len(list(_words(pattern))), pattern
