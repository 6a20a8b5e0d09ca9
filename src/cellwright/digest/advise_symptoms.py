"""Symptoms: what an incident and a ticket say alike, as terms that can be counted and compared."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import UNKNOWN, Alarm
from cellwright.digest.fold import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FIRST_TYPES: Final = 12  # alarm types of an event sequence that count, by onset
_PSEUDONYM: Final = re.compile(r"\b[a-z]+~[a-z2-7]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_TOKEN: Final = re.compile(r"[^\W_]+(?:[-_./:#][^\W_]+)*")  # words, and what signs join to them
_CODE_FIELD: Final = re.compile(r"code|error|cause|reason", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_MEASURE: Final = re.compile(r"\d+(?:[.,:/-]\d+)*[a-z%]{0,4}|\d[\dt:./z+-]*", re.IGNORECASE)  # 42, 14:10, 3dB, 2 s


class Kind(StrEnum):
    """What a term is about."""

    EVENT = "alarm type"
    SEQUENCE = "alarm sequence"
    CODE = "error code"
    ELEMENT = "element class"
    SEVERITY = "severity"
    WORD = "word"


Term = tuple[Kind, str]

# How much each kind counts, however many terms of it there are: fifty words do not outvote one error code. Judgement,
# not a fit; the classifier weighs terms by itself.
SAY: Final = MappingProxyType(
    {Kind.EVENT: 1.0, Kind.SEQUENCE: 0.5, Kind.CODE: 1.0, Kind.ELEMENT: 0.5, Kind.SEVERITY: 0.25, Kind.WORD: 1.0}
)


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What was seen: free text, alarm types by onset, stated error codes, names of elements, the gravest severity."""

    text: str = ""
    alarm_types: tuple[str, ...] = ()
    error_codes: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    severity: str | None = None


def symptoms_of(alarms: Sequence[Alarm]) -> Symptoms:
    """Return what the alarms of an incident, in the order of time, say: elements are those of the type that began it.

    Error codes are what additional fields called code, error, cause or reason hold, and what alarm types mention.
    """
    facts = fold(alarms, "")
    fields = dict.fromkeys(field for alarm in alarms for field in alarm.additional or ())
    texts = [value for key, value in fields if value and _CODE_FIELD.search(key)]
    types = tuple(kind.name for kind in facts.types if kind.name != UNKNOWN)
    first = [each.element for kind in facts.types[:1] for each in kind.occurrences if each.element != UNKNOWN]
    mentioned = (code for code in error_codes(" ".join(types)) if not code.isalnum())
    return Symptoms(
        alarm_types=types,
        error_codes=tuple(dict.fromkeys((*error_codes(" ".join(texts)), *mentioned))),
        elements=tuple(first),
        severity=facts.highest,
    )


def together(one: Symptoms, other: Symptoms) -> Symptoms:
    """Return what both say; of event sequences and severities the first that is given."""
    return Symptoms(
        text=" ".join(filter(None, (one.text, other.text))),
        alarm_types=one.alarm_types or other.alarm_types,
        error_codes=tuple(dict.fromkeys((*one.error_codes, *other.error_codes))),
        elements=tuple(dict.fromkeys((*one.elements, *other.elements))),
        severity=one.severity or other.severity,
    )


def terms(symptoms: Symptoms) -> Counter[Term]:
    """Return how often each term occurs. Names of alarm types also count as words: a text may be all a ticket has."""
    types = symptoms.alarm_types[:_FIRST_TYPES]
    names = {part.upper() for each in symptoms.elements for part in _parts(each)}
    codes = {*map(str.upper, symptoms.error_codes), *error_codes(symptoms.text)} - names
    found: Counter[Term] = Counter((Kind.EVENT, _plain(each)) for each in types)
    found.update((Kind.SEQUENCE, each) for each in _sequence([_plain(each) for each in types]))
    found.update((Kind.CODE, code) for code in codes)
    found.update((Kind.ELEMENT, each) for each in {*_classes(symptoms.elements)})
    found.update((Kind.WORD, each) for each in words(" ".join((symptoms.text, *types))))
    if symptoms.severity:
        found[Kind.SEVERITY, symptoms.severity.lower()] = 1
    return found


def spelling(symptoms: Symptoms) -> dict[Term, str]:
    """Return how terms about alarm types are written with the letters they came in."""
    types = symptoms.alarm_types[:_FIRST_TYPES]
    shown, plain = [_cause(each) for each in types], [_plain(each) for each in types]
    sequences = zip(_sequence(plain), _sequence(shown), strict=True)
    return {
        **{(Kind.EVENT, key): name for key, name in zip(plain, shown, strict=True)},
        **{(Kind.SEQUENCE, key): name for key, name in sequences},
    }


def words(text: str) -> Iterator[str]:
    """Yield the words of a text in small letters: CamelCase parted, numbers left out, a pseudonym as its kind."""
    bare = _PSEUDONYM.sub(lambda match: match.group().partition("~")[0], text)
    for match in _WORD.finditer(_CAMEL.sub(" ", bare)):
        yield match.group().casefold()


def error_codes(text: str) -> Iterator[str]:
    """Yield what is shaped like a code, letters and digits joined by signs (`ORA-00942`, `0x8007`), in capitals.

    Quantities, times and pseudonyms are none.
    """
    for match in _TOKEN.finditer(_PSEUDONYM.sub(" ", text)):
        token = match.group()
        if any(map(str.isdigit, token)) and (token[:2].lower() == "0x" or not _MEASURE.fullmatch(token)):
            yield token.upper()


def _sequence(types: Sequence[str]) -> Iterator[str]:
    """Yield which type came first, and which came right after which."""
    if types:
        yield f"{types[0]} first"
    for one, other in pairwise(types):
        yield f"{one}, then {other}"


def _cause(alarm_type: str) -> str:
    """Return the probable cause of an alarm type where there is one."""
    return alarm_type.partition("/")[0].strip()


def _plain(alarm_type: str) -> str:
    return _cause(alarm_type).casefold()


def _classes(elements: Iterable[str]) -> Iterator[str]:
    """Yield the letters of each part of a name: `rtr agg` and `port` among those of ManagedElement=rtr-agg-1,Port=2."""
    for element in elements:
        for part in _parts(element):
            if name := " ".join(_WORD.findall(part)).casefold():
                yield name


def _parts(element: str) -> list[str]:
    return re.split(r"[,=/]", element)
