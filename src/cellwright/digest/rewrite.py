"""Whether prose that a model made of a digest says what the digest says: nothing of it lost, no name or number added.

A fact is an element under an alarm type. It is kept where a paragraph names both; a paragraph that names neither a type
nor an element is comment. What is added is told by names and numbers alone: other claims are not understood, and stand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cellwright.digest.notation import MICROSECONDS, shared_prefix, write_instant, write_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.digest.fold import Facts

PROMPT: Final = (
    "Rewrite the digest of an alarm storm in plain sentences for a person on duty. Write one paragraph for each alarm "
    "type; name in it the type and every element under it, spelt exactly as in the digest. Leave nothing out. Do not "
    "add names, numbers, causes or advice of your own."
)
_MOST_FLAWS: Final = 8
_WORD: Final = re.compile(r"[^\s,;()\[\]\"'`*]+")
_ENDS: Final = ".:!?"
_JOINT: Final = re.compile(r"(?<=[0-9])[-:TZ](?=[0-9]|\b|$)")  # of the numbers in an instant
_NUMBER: Final = re.compile(r"(?<![\w.])[0-9]+(?:[.,][0-9]+)*(?![\w])")


def rewrite_flaws(facts: Facts, prose: str) -> tuple[str, ...]:
    """Return what a text loses of a digest's facts or adds to them, in words; nothing where it says the same.

    Elements and types may be named without what all of them begin with. Numbers may be those of the digest, and the
    count of anything that it lists.
    """
    paragraphs = [paragraph for paragraph in re.split(r"\n+", prose) if paragraph.strip()]
    flaws = (*_lost(facts, paragraphs), *_added(facts, prose))
    return flaws[:_MOST_FLAWS]


def _lost(facts: Facts, paragraphs: list[str]) -> Iterator[str]:
    words = [frozenset(_words(paragraph)) for paragraph in paragraphs]
    types, elements = {kind.name for kind in facts.types}, facts.elements()
    for kind in facts.types:
        named = [said for said, text in zip(words, paragraphs, strict=True) if _names(kind.name, types, said, text)]
        for each in kind.occurrences:
            if not any(_spellings(each.element, elements) & said for said in named):
                yield f"loses {each.element} under {kind.name}"


def _added(facts: Facts, prose: str) -> Iterator[str]:
    known = {number for text in _said(facts) for number in _numbers(text)}
    known |= {number.lstrip("0") for number in known}
    for number in dict.fromkeys(_numbers(prose)):
        if number not in known:
            yield f"adds the number {number}"
    spelt = {word for text in _said(facts) for word in _words(text)}
    for word in dict.fromkeys(_WORD.findall(prose)):
        name = word.rstrip(_ENDS)
        if "=" in word and spelt.isdisjoint((word, name)):
            yield f"adds the name {name}"


def _said(facts: Facts) -> Iterator[str]:
    """Yield all that a text may repeat: names, instants, and how many there are of each thing."""
    yield from (facts.incident, facts.source, *facts.elements(), *(kind.name for kind in facts.types))
    counts = [facts.events, len(facts.types), len(facts.elements()), facts.duration_s or 0]
    if facts.start_s is not None:
        yield write_instant(facts.start_s)
    for kind in facts.types:
        counts.append(len(kind.occurrences))
        for each in kind.occurrences:
            counts.append(each.times or 0)
            if each.first_us is not None:
                yield write_seconds(each.first_us)
                counts.append(each.first_us // MICROSECONDS)
    yield " ".join(map(str, counts))


def _names(name: str, names: Iterable[str], words: frozenset[str], text: str) -> bool:
    """Return whether a paragraph names a type: one word of it, or several as they stand."""
    return any(each in words or (" " in each and each in text) for each in _spellings(name, names))


def _spellings(name: str, names: Iterable[str]) -> frozenset[str]:
    prefix = shared_prefix(frozenset(names))
    return frozenset({name, name.removeprefix(prefix)})


def _words(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield word
        yield word.rstrip(_ENDS)


def _numbers(text: str) -> Iterator[str]:
    for number in _NUMBER.findall(_JOINT.sub(" ", text)):
        yield number.replace(",", "").rstrip(".")
