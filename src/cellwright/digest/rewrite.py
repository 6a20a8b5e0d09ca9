"""Whether prose that a model made of a digest says what the digest says: nothing of it lost, no name or number added.

A fact is an element under an alarm type. An element belongs to the type that its paragraph named last before it; a
paragraph that names no type is comment. What is added is told by names and numbers alone: other claims, and a "not",
are not understood, and stand.
"""

from __future__ import annotations

import re
from bisect import bisect_right
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
_WORD: Final = re.compile(r"[^\s;()\[\]\"'`*]+")
_ENDS: Final = ".,:!?"
_JOINT: Final = re.compile(r"(?<=[0-9])[-:TZ](?=[0-9]|\b|$)")  # of the numbers in an instant
_NUMBER: Final = re.compile(r"(?<![\w.=/-])[0-9]+(?:[.,][0-9]+)*(?![A-Z])")


def rewrite_flaws(facts: Facts, prose: str) -> tuple[str, ...]:
    """Return what a text loses of a digest's facts or adds to them, in words; nothing where it says the same.

    Elements and types may be named without what all of them begin with. Numbers may be those of the digest, and the
    count of anything that it lists.
    """
    paragraphs = [paragraph for paragraph in re.split(r"\n+", prose) if paragraph.strip()]
    told = _told(facts, paragraphs)
    flaws = (*_lost(facts, told), *_added(facts, prose, told))
    return flaws[:_MOST_FLAWS]


def _lost(facts: Facts, told: set[tuple[str, str]]) -> Iterator[str]:
    for element, kind in facts.pairs():
        if (element, kind) not in told:
            yield f"loses {element} under {kind}"


def _told(facts: Facts, paragraphs: list[str]) -> set[tuple[str, str]]:
    """Return the elements that a text names under a type: the last that its paragraph named before, or the first."""
    types, elements = [kind.name for kind in facts.types], sorted(facts.elements())
    told = set()
    for text in paragraphs:
        named = sorted((at, name) for name in types for at in _places(name, types, text))
        starts = [at for at, _ in named]
        for element in elements if named else ():
            for at in _places(element, elements, text):
                told.add((element, named[max(0, bisect_right(starts, at) - 1)][1]))
    return told


def _added(facts: Facts, prose: str, told: set[tuple[str, str]]) -> Iterator[str]:
    for element, kind in sorted(told - set(facts.pairs())):
        yield f"adds {element} under {kind}"
    known = {number for text in _said(facts) for number in _numbers(text)}
    known |= {number.lstrip("0") for number in known}
    for number in dict.fromkeys(_numbers(prose)):
        if number not in known:
            yield f"adds the number {number}"
    elements = facts.elements()
    spelt = {spelling for name in elements for spelling in _spellings(name, elements)}
    spelt |= {word for text in _said(facts) for word in text.split()}
    for word in dict.fromkeys(_WORD.findall(prose)):
        name = word.strip(_ENDS)
        if "=" in name and name not in spelt and not spelt.issuperset(name.split(",")):
            yield f"adds the name {name}"


def _said(facts: Facts) -> Iterator[str]:
    """Yield all that a text may repeat: names, instants, and how many there are of each thing."""
    yield from (facts.incident, facts.source)
    for names in (facts.elements(), frozenset(kind.name for kind in facts.types)):
        for name in names:
            yield from _spellings(name, names)
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


def _places(name: str, names: Iterable[str], text: str) -> Iterator[int]:
    """Yield where a paragraph names this one of some names, and not another that it is a part of."""
    for each in _spellings(name, names):
        for found in re.finditer(rf"(?<![\w=/-]){re.escape(each)}(?![\w=/-]|[,.:][\w])", text):
            yield found.start()


def _spellings(name: str, names: Iterable[str]) -> frozenset[str]:
    prefix = shared_prefix(frozenset(names))
    return frozenset({name, name.removeprefix(prefix)})


def _numbers(text: str) -> Iterator[str]:
    for number in _NUMBER.findall(_JOINT.sub(" ", text)):
        yield number.replace(",", "").rstrip(".")
