"""What the embedded reasoner says about a digest: the probable root cause in prose, with its evidence. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cellwright.digest.notation import INCIDENT
from cellwright.digest.rank import WEIGHTS, rank
from cellwright.digest.text import decode
from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.digest.causes import CauseGraph
    from cellwright.digest.fold import Facts
    from cellwright.digest.rank import Candidate

SELF: Final = (
    "This is the answer of a deterministic reasoner, a program that weighs stated evidence. It is not a language model."
)
CAPABILITY: Final = (
    "It can answer one question: the probable root cause of an incident, from the text of its digest, whose first line "
    "begins with 'incident'. Send that text as the last user message."
)
_OTHERS: Final = 2  # further candidates that are named
_REASONS: Final = 3  # of a further candidate
_ELEMENTS: Final = 12  # that are named
_CLOSE: Final = 0.05  # a lead of less decides nothing
_TITLE: Final = re.compile(rf"^incident {INCIDENT} ", re.MULTILINE)


def diagnose(text: str, causes: CauseGraph | None = None) -> str:
    """Return the diagnosis of the digest in `text`; what it can answer and why it did not where there is none.

    What past alarms taught of causes is weighed beside what the digest says.
    """
    title = _TITLE.search(text)
    if title is None:
        return f"{SELF} The message holds no digest. {CAPABILITY}"
    try:
        facts = decode(text[title.start() :].partition("\n\n")[0].rstrip())  # behind it stand counters and logs
    except CellwrightError as error:
        return f"{SELF} The digest does not read: {error.diagnostics[0].message}. {CAPABILITY}"
    return "\n\n".join((SELF, *_paragraphs(facts, rank(facts, graph=causes))))


def _paragraphs(facts: Facts, candidates: Sequence[Candidate]) -> Iterator[str]:
    elements = sorted(facts.elements())
    size = f"{facts.events} alarms of {len(facts.types)} types on {len(elements)} elements"
    if not candidates:
        yield f"Incident {facts.incident} in {facts.source}: {size}. A digest without alarms has no root cause."
        return
    first, *others = candidates
    yield f"Incident {facts.incident} in {facts.source}: {size}."
    yield f"Probable root cause: {_name(first)}. Evidence: {_reasons(first, len(first.evidence))}."
    if others:
        named = "; ".join(f"{_name(other)}: {_reasons(other, _REASONS)}" for other in others[:_OTHERS])
        yield f"Other candidates: {named}."
    yield f"Affected elements: {_listed(elements)}."
    yield "Next steps: " + " ".join(f"{number}. {step}" for number, step in enumerate(_steps(facts, candidates), 1))


def _name(candidate: Candidate) -> str:
    return f"{candidate.alarm_type}, first on {candidate.element} (score {candidate.score:.2f} of 1)"


def _reasons(candidate: Candidate, limit: int) -> str:
    """Return the evidence that weighs most, heaviest first."""
    weighed = sorted(candidate.evidence, key=lambda item: -WEIGHTS[item.name] * item.value)
    return "; ".join(item.words for item in weighed[:limit])


def _steps(facts: Facts, candidates: Sequence[Candidate]) -> Iterator[str]:
    first, *others = candidates
    elements = next(kind for kind in facts.types if kind.name == first.alarm_type).occurrences
    yield f"Check {first.alarm_type} on {first.element}" + (
        f", then on the others that raised it ({len(elements) - 1})." if len(elements) > 1 else "."
    )
    if others:
        second = others[0]
        close = (
            "The two leading candidates score almost the same, so check"
            if _is_close(first, second)
            else "If it is ruled out, check"
        )
        yield f"{close} {second.alarm_type} on {second.element}."
        yield "Once the cause is gone, see whether the other alarm types clear; what stays open has a cause of its own."


def _is_close(first: Candidate, second: Candidate) -> bool:
    return first.score - second.score < _CLOSE


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _ELEMENTS
    return ", ".join(names[:_ELEMENTS]) + (f" and {more} more" if more > 0 else "")
