"""Tickets, and the resolutions they fall into: by their code, else by what their free texts say alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.digest.advise_index import Index, vocabulary_of
from cellwright.digest.advise_symptoms import Kind, Symptoms, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.digest.advise_index import Vector
    from cellwright.digest.advise_symptoms import Term

_ALIKE: Final = 0.6  # cosine of two texts' words from which they say the same


@dataclass(frozen=True, slots=True)
class Ticket:
    """A trouble ticket; instants are microseconds since 1970 UTC, None where unknown, texts empty where not given."""

    name: str
    opened_us: int | None
    closed_us: int | None
    symptoms: Symptoms
    resolution: str = ""
    code: str = ""
    incident: str = ""

    @property
    def is_resolved(self) -> bool:
        """Return whether it says what was done."""
        return bool(self.code or self.resolution)


class Resolutions:
    """What tickets were resolved by: a code is a resolution; free texts without one are grouped.

    Texts of the same words, numbers aside, are one form. Forms in the order of frequency join the form they are most
    like, from a cosine of 0.6 of their TF-IDF vectors on, or begin a group. A group most of whose coded tickets have
    one code is that code.
    """

    def __init__(self, tickets: Sequence[Ticket]) -> None:
        forms = Counter(form for each in tickets if (form := _form(each.resolution)))
        self._order = [form for form, _ in sorted(forms.items(), key=lambda each: (-each[1], each[0]))]
        counts = [_counted(form) for form in self._order]
        self._vocabulary = vocabulary_of(counts)
        vectors = [self._vocabulary.vector(each) for each in counts]
        self._index = Index(vectors, len(self._vocabulary.places))
        self._leads = np.zeros(len(vectors), bool)
        leaders = {
            form: self._join(place, vector)
            for place, (form, vector) in enumerate(zip(self._order, vectors, strict=True))
        }
        self._leaders = leaders
        self._names = self._named(tickets)
        self.texts = self._examples(tickets)

    def name(self, ticket: Ticket) -> str | None:
        """Return the resolution of a ticket; None for one that is unlike all those it was learned from."""
        if ticket.code:
            return ticket.code
        form = _form(ticket.resolution)
        leader = (
            self._leaders[form] if form in self._leaders else self._nearest(self._vocabulary.vector(_counted(form)))
        )
        return None if leader is None else self._names[leader]

    def _join(self, place: int, vector: Vector) -> int:
        found = self._nearest(vector)
        if found is None:
            self._leads[place] = True
            return place
        return found

    def _nearest(self, vector: Vector) -> int | None:
        likeness = np.where(self._leads, self._index.similarities(vector), 0.0)
        best = int(np.argmax(likeness)) if len(likeness) else 0
        return best if len(likeness) and likeness[best] >= _ALIKE else None

    def _named(self, tickets: Sequence[Ticket]) -> dict[int, str]:
        """Return the name of each group: the code of most of its tickets, else its most frequent form."""
        codes: dict[int, Counter[str]] = defaultdict(Counter)
        for each in tickets:
            if each.code and (form := _form(each.resolution)):
                codes[self._leaders[form]][each.code] += 1
        names = {leader: self._order[leader] for leader in self._leaders.values()}
        for leader, found in codes.items():
            code, number = found.most_common(1)[0]
            if 2 * number > found.total():
                names[leader] = code
        return names

    def _examples(self, tickets: Sequence[Ticket]) -> dict[str, str]:
        """Return for each resolution the text written most often for it, the first of equals; empty if none."""
        written: dict[str, Counter[str]] = defaultdict(Counter)
        for each in tickets:
            name = self.name(each)
            if name is not None:
                written[name].update([each.resolution] if each.resolution else [])
        return {name: max(texts, key=lambda text: texts[text], default="") for name, texts in written.items()}


def _form(text: str) -> str:
    return " ".join(words(text))


def _counted(form: str) -> Counter[Term]:
    return Counter((Kind.WORD, word) for word in form.split())
