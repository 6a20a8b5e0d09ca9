"""The second line of a digest: what its signs mean, in words that a person, a model and the decoder read alike."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.digest.alarms import SEVERITIES, UNKNOWN
from cellwright.digest.notation import BARE_WORD, QUOTED, quote_word, shared_prefix, unquote

if TYPE_CHECKING:
    from cellwright.digest.fold import Facts, Occurrence


@dataclass(frozen=True, slots=True)
class Legend:
    """What the signs of one text say, and what holds where none stands."""

    prefix: str = ""  # of every element
    type_prefix: str = ""  # of every alarm type
    times: int | None = None  # without `*`
    severity: str | None = None  # without `[...]`
    highest: str | None = None
    cleared: bool | None = None  # without `!`
    marked: bool | None = None  # with `!`


_ORDER: Final = "type: elements by onset"
_ONSET: Final = "@ seconds after start"
_TIMES: Final = "* times raised"
_SOME_TIMES: Final = "* times raised where known"
_ROOT: Final = "^ root cause by its element"
_PROBABLE: Final = "> probable root"
_CLEARED: Final = "! cleared"
_NOT_CLEARED: Final = "! not cleared"
_ALL_CLEARED: Final = "all cleared"
_NONE_CLEARED: Final = "none cleared"

_FIXED: Final = MappingProxyType(
    {
        _ORDER: Legend(),
        _ONSET: Legend(),
        _ROOT: Legend(),
        _PROBABLE: Legend(),
        _SOME_TIMES: Legend(),
        _TIMES: Legend(times=1),
        _CLEARED: Legend(cleared=False, marked=True),
        _NOT_CLEARED: Legend(cleared=True, marked=False),
        _ALL_CLEARED: Legend(cleared=True),
        _NONE_CLEARED: Legend(cleared=False),
    }
)
LABELS: Final = "|".join(["\\?", *map(str.lower, SEVERITIES)])
_SEVERITY: Final = re.compile(
    rf"(?P<common>{LABELS}) unless \[given\]|all (?P<all>{LABELS})|highest (?P<highest>{LABELS})"
)
_PREFIXES: Final = re.compile(
    rf"(?:; types begin ({QUOTED}|{BARE_WORD}))?(?:; elements begin ({QUOTED}|{BARE_WORD}))?$"
)


def write_legend(facts: Facts) -> str:
    """Return the line that explains the signs which the text of `facts` uses."""
    every = [each for kind in facts.types for each in kind.occurrences]
    clauses = (
        _ORDER,
        _ONSET if any(each.first_us is not None for each in every) else "",
        _times_clause(every),
        _clear_clause(every),
        _ROOT if any(each.root_cause for each in every) else "",
        _PROBABLE if facts.root is not None else "",
        _severity_clause(facts),
    )
    prefixes = (
        ("types", shared_prefix({kind.name for kind in facts.types})),
        ("elements", shared_prefix(facts.elements())),
    )
    begins = (f"{what} begin {quote_word(prefix)}" for what, prefix in prefixes if prefix)
    return "; ".join((*filter(None, clauses), *begins))


def read_legend(line: str) -> Legend | None:
    """Return what a legend line says, None where it is none."""
    prefixes = _PREFIXES.search(line)
    if prefixes is None:
        return None
    legend = Legend()
    for clause in line[: prefixes.start()].split("; "):
        said = _FIXED.get(clause) or _read_severity(clause)
        if said is None:
            return None
        legend = _both(legend, said)
    types, elements = (unquote(prefix or "") for prefix in prefixes.groups())
    return replace(legend, type_prefix=types, prefix=elements)


def severity_label(severity: str | None) -> str:
    """Return a severity as a digest writes it: `major`, `?` where unknown."""
    return severity.lower() if severity else UNKNOWN


def read_severity(label: str) -> str | None:
    """Return the severity that a label stands for."""
    return None if label == UNKNOWN else label.upper()


def _times_clause(every: list[Occurrence]) -> str:
    times = {each.times for each in every}
    if None not in times:
        return _TIMES
    return _SOME_TIMES if times != {None} else ""


def _clear_clause(every: list[Occurrence]) -> str:
    """Return the clause that needs the fewer marks."""
    states = Counter(each.cleared for each in every)
    if None in states:
        return ""
    if len(states) == 1:
        return _ALL_CLEARED if states[True] else _NONE_CLEARED
    return _NOT_CLEARED if states[True] >= states[False] else _CLEARED


def _severity_clause(facts: Facts) -> str:
    labels = Counter(severity_label(kind.severity) for kind in facts.types)
    common, _ = min(labels.items(), key=lambda item: (-item[1], item[0]))
    if len(labels) > 1:
        return f"{common} unless [given]"
    if common != UNKNOWN:
        return f"all {common}"
    return f"highest {severity_label(facts.highest)}" if facts.highest else ""


def _read_severity(clause: str) -> Legend | None:
    match = _SEVERITY.fullmatch(clause)
    if match is None:
        return None
    return Legend(
        severity=read_severity(match["common"] or match["all"] or UNKNOWN),
        highest=read_severity(match["highest"] or UNKNOWN),
    )


def _both(one: Legend, other: Legend) -> Legend:
    """Return what two clauses say together."""
    return Legend(
        times=one.times or other.times,
        severity=one.severity or other.severity,
        highest=one.highest or other.highest,
        cleared=other.cleared if one.cleared is None else one.cleared,
        marked=other.marked if one.marked is None else one.marked,
    )
