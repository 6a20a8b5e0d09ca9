"""Whether prose that a model made of a digest says what the digest says: nothing of it lost, nothing added.

Facts are the elements under each alarm type, the order in which types and elements began, the highest severity and the
probable root. An element belongs to the type that its paragraph named last before it; a paragraph that names no type is
comment. What is added is told by names, numbers, severities and who is called a root: other claims, and a "not", are
not understood, and stand.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import SEVERITIES
from cellwright.digest.notation import MICROSECONDS, shared_prefix, write_instant, write_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.digest.fold import Facts

PROMPT: Final = (
    "Rewrite the digest of an alarm storm in plain sentences for a person on duty. Say first which alarm type is the "
    "probable root, if one is marked, and which severity is the highest. Then write one paragraph for each alarm type; "
    "name in it the type and every element under it, spelt exactly and in the order of the digest. Leave nothing out. "
    "Do not add names, numbers, severities, causes or advice of your own."
)
_MOST_FLAWS: Final = 8
_WORD: Final = re.compile(r"[^\s;()\[\]\"'`*]+")
_ENDS: Final = ".,:!?"
_JOINT: Final = re.compile(r"(?<=[0-9])[-:TZ](?=[0-9]|\b|$)")  # of the numbers in an instant
_ROOT: Final = re.compile(r"\broots?\b", re.IGNORECASE)
_HIGHEST: Final = re.compile(r"\bhighest\b", re.IGNORECASE)
_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+")
_SEVERITY: Final = re.compile(rf"\b(?:{'|'.join(SEVERITIES)})\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?<![\w.=/-])[0-9]+(?:[.,][0-9]+)*(?![A-Z])")


def rewrite_flaws(facts: Facts, prose: str) -> tuple[str, ...]:
    """Return what a text loses of a digest's facts or adds to them, in words; nothing where it says the same.

    Elements and types may be named without what all of them begin with. Numbers may be those of the digest, and the
    count of anything that it lists.
    """
    paragraphs = [paragraph for paragraph in re.split(r"\n+", prose) if paragraph.strip()]
    named = [pair for text in paragraphs for pair in _named(facts, text)]
    told = set(named)
    claims = (*_severities(facts, paragraphs), *_roots(facts, paragraphs))
    flaws = (*_lost(facts, told), *_added(facts, prose, told), *_disordered(facts, named), *claims)
    return flaws[:_MOST_FLAWS]


def _lost(facts: Facts, told: set[tuple[str, str]]) -> Iterator[str]:
    for element, kind in facts.pairs():
        if (element, kind) not in told:
            yield f"loses {element} under {kind}"


def _named(facts: Facts, text: str) -> list[tuple[str, str]]:
    """Return the elements that a paragraph names, in its order, with the type named last before each, or the first."""
    types, elements = _types_of(facts), sorted(facts.elements())
    heads = sorted((at, name) for name in types for at in _places(name, types, text))
    starts = [at for at, _ in heads]
    found = sorted((at, each) for each in elements if heads for at in _places(each, elements, text))
    return [(each, heads[max(0, bisect_right(starts, at) - 1)][1]) for at, each in found]


def _types_of(facts: Facts) -> list[str]:
    return [kind.name for kind in facts.types]


def _types_in(facts: Facts, text: str) -> list[str]:
    types = _types_of(facts)
    return [kind for kind in types if any(True for _ in _places(kind, types, text))]


def _disordered(facts: Facts, named: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what is nowhere told behind that which began before it; a text may name things more than once."""
    told = set(named)
    order = [kind for kind in _types_of(facts) if any(kind == each for _, each in told)]
    yield from (f"tells {kind} before {earlier}" for earlier, kind in _out_of_place(order, [kind for _, kind in named]))
    for kind in facts.types:
        begun = [each.element for each in kind.occurrences if (each.element, kind.name) in told]
        said = [element for element, name in named if name == kind.name]
        for earlier, element in _out_of_place(begun, said):
            yield f"tells {element} before {earlier} under {kind.name}"


def _out_of_place(order: list[str], said: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the first name, and the one before it, that does not follow where names are to come in an order."""
    rest = iter(said)
    for place, name in enumerate(order):
        if name not in rest:  # goes on behind the one before
            yield order[place - 1], name
            return


def _severities(facts: Facts, paragraphs: list[str]) -> Iterator[str]:
    """Yield severities that the digest does not give, or gives to another type, and the highest where it is lost."""
    given = {kind.name: kind.severity for kind in facts.types}
    names = (*given, *facts.elements())
    said = set(map(str.upper, _SEVERITY.findall(_without(names, "\n".join(paragraphs)))))
    yield from (f"adds the severity {each.lower()}" for each in sorted(said - {facts.highest, *given.values()}))
    if facts.highest is not None and facts.highest not in said:
        yield f"loses the highest severity, {facts.highest.lower()}"
    for text in paragraphs:
        named = _types_in(facts, text)
        known = given[named[0]] if len(named) == 1 else None
        if known is not None:
            own = " ".join(each for each in _SENTENCES.split(text) if not _HIGHEST.search(each))
            for severity in sorted(set(map(str.upper, _SEVERITY.findall(_without(names, own)))) - {known}):
                yield f"calls {named[0]} {severity.lower()}, which is {known.lower()}"


def _roots(facts: Facts, paragraphs: list[str]) -> Iterator[str]:
    """Yield the roots that no sentence calls so, and the types that one calls so alone which are none."""
    flagged = {kind.name for kind in facts.types if any(each.root_cause for each in kind.occurrences)}
    roots = flagged | ({facts.root} if facts.root is not None else set())
    names = (*_types_of(facts), *facts.elements())
    called: set[str] = set()
    for sentence in (each for text in paragraphs for each in _SENTENCES.split(text)):
        if _ROOT.search(_without(names, sentence)):
            named = _types_in(facts, sentence)
            called |= {*named}
            if roots.isdisjoint(named):
                yield from (f"calls {kind} a root" for kind in named)
    yield from (f"loses the probable root, {kind}" for kind in sorted(roots - called))


def _without(names: Iterable[str], text: str) -> str:
    for name in sorted(names, key=len, reverse=True):  # one may hold another
        text = text.replace(name, "")
    return text


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
