"""Regulations that cannot both be meant.

All regulations that name a class bind together and the strictest decides, so one that is merely stricter than another
contradicts nothing: a national law inside a European one, or a review at the premises before a ban at the border. Two
things do contradict. Free movement (boundary `none`) beside a boundary for the same class and jurisdiction: one of the
two documents says what is not so. And a review that nobody will ever be asked for, because every crossing that needs it
is forbidden anyhow; nothing wrong comes of that, so it is a warning.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, Severity
from cellwright.estate.model import Boundary, Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cellwright.errors import Mark
    from cellwright.estate.declarations import Declaration
    from cellwright.estate.documents.data import RegulationSpec
    from cellwright.estate.model import Regulation

_WIDENING: Final = (Boundary.PREMISES, Boundary.COUNTRY, Boundary.BLOC)
_WORDS: Final = MappingProxyType(
    {Boundary.PREMISES: "the premises", Boundary.COUNTRY: "the country", Boundary.BLOC: "the bloc"}
)


def contradictions(regulations: Sequence[Declaration]) -> Iterator[Diagnostic]:
    """Yield each regulation of free movement that another one contradicts, with the places of both."""
    for free, bound, about in _pairs(regulations, lambda spec: spec.boundary is Boundary.NONE):
        spec = bound.document.spec
        if spec.boundary is not Boundary.NONE:
            verb = "needs a review to" if spec.effect is Effect.REVIEW else "may not"
            message = (
                f"{free.name} lets {about} go anywhere, but {bound.name} says it {verb} leave {_WORDS[spec.boundary]}"
            )
            hint = f"the strictest rule decides: take the class out of one of the two; the other is at {bound.mark()}"
            yield Diagnostic("contradictory-regulations", message, _boundary_mark(free), hint=hint)


def idle_reviews(regulations: Sequence[Declaration]) -> Iterator[Diagnostic]:
    """Yield a warning for each regulation that asks for a review of what another one forbids altogether."""
    for review, ban, about in _pairs(regulations, lambda spec: spec.effect is Effect.REVIEW):
        asked, denied = review.document.build(), ban.document.build()
        if denied.effect is Effect.DENY and _reaches_as_far(denied, asked):
            message = (
                f"{review.name} asks for a review before {about} leaves {_WORDS[asked.boundary]}, but {ban.name} "
                f"forbids that it leaves {_WORDS[denied.boundary]}: nobody will be asked"
            )
            hint = f"take the class out of one of the two; the other is at {ban.mark()}"
            mark = _boundary_mark(review)
            yield Diagnostic("idle-review", message, mark, hint=hint, severity=Severity.WARNING)


def _reaches_as_far(ban: Regulation, review: Regulation) -> bool:
    """Return whether everything outside the boundary of `review` is outside that of `ban` too."""
    if Boundary.NONE in (ban.boundary, review.boundary):
        return False
    if ban.boundary is review.boundary is Boundary.BLOC:
        return ban.members <= review.members
    return _WIDENING.index(ban.boundary) <= _WIDENING.index(review.boundary)


def _pairs(
    regulations: Sequence[Declaration], chosen: Callable[[RegulationSpec], bool]
) -> Iterator[tuple[Declaration, Declaration, str]]:
    """Yield each sound regulation that is chosen with each other one about the same data, and that data in words."""
    about: defaultdict[tuple[str, str], list[Declaration]] = defaultdict(list)
    for item in regulations:
        if item.document:
            spec = item.document.spec
            for key in product(dict.fromkeys(spec.jurisdictions), dict.fromkeys(spec.classes)):
                about[key].append(item)
    seen: set[tuple[int, int]] = set()
    for (jurisdiction, sensitivity), group in about.items():
        for one, two in product((item for item in group if chosen(item.document.spec)), group):
            if one is not two and (id(one), id(two)) not in seen:
                seen.add((id(one), id(two)))
                yield one, two, f"{sensitivity} of {jurisdiction}"


def _boundary_mark(regulation: Declaration) -> Mark:
    return regulation.node.descend(("spec", "boundary")).mark
