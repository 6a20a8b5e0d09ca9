"""Advice: which resolutions of past tickets most likely mend what an incident shows, and the past cases that say so."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.digest.advise_classifier import blend, log_shares, train
from cellwright.digest.advise_index import Index, vocabulary_of
from cellwright.digest.advise_symptoms import Kind, spelling, terms
from cellwright.digest.advise_tickets import Resolutions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cellwright.digest.advise_symptoms import Symptoms
    from cellwright.digest.advise_tickets import Ticket

RECOMMENDED: Final = 3
LEAST_TICKETS: Final = 30  # of resolutions that may be recommended, in the earlier part; below, nothing is learned
LEAST_OF_A_KIND: Final = 3  # tickets of a resolution that may be recommended
MOST_TICKETS: Final = 20_000  # the latest; older ones say less and cost time
_EARLIER: Final = 0.75  # of the history: what the blend is chosen without
_NEIGHBOURS: Final = 15
_DOUBT: Final = 0.3  # what the prior weighs beside the neighbours' squared similarities
_SHOWN_CASES: Final = 3
_SHOWN_WORDS: Final = 8
_RIGHT: Final = 0.5  # share of answers that have to hold the right resolution


class PastCase(NamedTuple):
    """A past ticket as evidence: its similarity, 0 to 1, and by kind what it has in common, the most telling first."""

    ticket: str
    similarity: float
    matched: dict[str, list[str]]


class Recommendation(NamedTuple):
    """A resolution, the words most often written for it, its probability, how many past tickets, and the likest."""

    resolution: str
    text: str
    probability: float
    tickets: int
    cases: tuple[PastCase, ...]


class Advice(NamedTuple):
    """At most three recommendations, the likeliest first; none where `abstained` says why."""

    recommendations: tuple[Recommendation, ...]
    abstained: str | None
    nearest: tuple[PastCase, ...]  # the likest past tickets, whatever their resolution


class Judgement(NamedTuple):
    """What a model makes of some symptoms: probability of each class, similarity of each past ticket."""

    probabilities: NDArray[np.float64]  # (n_classes,)
    similarities: NDArray[np.float64]  # (n_tickets,)

    @property
    def order(self) -> NDArray[np.int64]:
        """Return the classes, the likeliest first."""
        return np.argsort(-self.probabilities, kind="stable")

    @property
    def nearest(self) -> float:
        """Return the similarity of the likest ticket, 0 where nothing is shared."""
        return float(self.similarities.max(initial=0.0))

    @property
    def confidence(self) -> float:
        """Return the probability that one of the three likeliest is right."""
        return float(self.probabilities[self.order[:RECOMMENDED]].sum())


class _Model:
    """Retrieval, classifier and prior over one history; `names` are the resolutions of its tickets."""

    def __init__(self, tickets: Sequence[Ticket], names: Sequence[str | None]) -> None:
        self.tickets = tickets
        frequent = Counter(filter(None, names))
        self.classes = sorted(name for name, number in frequent.items() if number >= LEAST_OF_A_KIND)
        places = {name: place for place, name in enumerate(self.classes)}
        self.labels = np.array([places.get(name or "", -1) for name in names], np.int64)
        counts = [terms(ticket.symptoms) for ticket in tickets]
        self.vocabulary = vocabulary_of(counts)
        self.vectors = [self.vocabulary.vector(each) for each in counts]
        number = len(self.vocabulary.places)
        self._index = Index(self.vectors, number)
        known = np.flatnonzero(self.labels >= 0)
        self.sizes = np.bincount(self.labels[known], minlength=len(self.classes))
        self._prior = self.sizes / self.sizes.sum()
        chosen = [self.vectors[place] for place in known.tolist()]
        self._classifier = train(chosen, self.labels[known], len(self.classes), number)

    def opinions(self, symptoms: Symptoms, apart_from: str = "") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the opinions of classifier, neighbours and prior, (n_classes, 3), and the similarity of each ticket.

        Tickets of the incident `apart_from` are left out of the neighbours.
        """
        vector = self.vocabulary.vector(terms(symptoms))
        likeness = self._index.similarities(vector)
        if apart_from:
            likeness[[place for place, each in enumerate(self.tickets) if each.incident == apart_from]] = 0
        known = np.where(self.labels >= 0, likeness, 0)
        near = np.argpartition(-known, min(_NEIGHBOURS, len(known)) - 1)[:_NEIGHBOURS]
        near = near[known[near] > 0]
        votes = _DOUBT * self._prior
        np.add.at(votes, self.labels[near], known[near] ** 2)
        opinions = (self._classifier.opinions([vector])[0], np.log(votes / votes.sum()), np.log(self._prior))
        return np.stack(opinions, axis=1), likeness


class Adviser:
    """What past tickets teach. The newest quarter of them chose how opinions are blended and when to abstain."""

    def __init__(self, tickets: Iterable[Ticket]) -> None:
        """Learn; what is too little to learn from is told by `advise`. Time: little more than linear in them."""
        resolved = sorted((each for each in tickets if each.is_resolved), key=known_since)[-MOST_TICKETS:]
        self.resolutions = Resolutions(resolved)
        names = [self.resolutions.name(each) for each in resolved]
        cut = int(len(resolved) * _EARLIER)
        self.too_little = _too_little(names[:cut])
        if self.too_little:
            return
        self._tune(_Model(resolved[:cut], names[:cut]), resolved[cut:], names[cut:])
        self._model = _Model(resolved, names)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the resolutions that may be recommended, by name."""
        return () if self.too_little else tuple(self._model.classes)

    def judge(self, symptoms: Symptoms, apart_from: str = "") -> Judgement:
        """Return what the past says of some symptoms; resolutions without any similar ticket come last."""
        return self._judge(self._model, symptoms, apart_from)

    def abstains(self, judgement: Judgement) -> str | None:
        """Return why nothing is recommended, None where something is."""
        if judgement.nearest < self._least_similarity or not judgement.nearest:
            return "nothing similar was resolved before"
        if judgement.confidence < self._least_confidence:
            return "what was similar was resolved in too many ways"
        return None

    def advise(self, symptoms: Symptoms, apart_from: str = "") -> Advice:
        """Return what to try; tickets that name the incident `apart_from` are no evidence of their own."""
        if self.too_little:
            return Advice((), self.too_little, ())
        judged = self.judge(symptoms, apart_from)
        found = tuple(self._cases(judged, symptoms, np.arange(len(judged.similarities))))
        abstained = self.abstains(judged)
        if abstained:
            return Advice((), abstained, found)
        order = [place for place in judged.order[:RECOMMENDED].tolist() if judged.probabilities[place] > 0]
        return Advice(tuple(self._recommendation(judged, symptoms, place) for place in order), None, found)

    def _recommendation(self, judged: Judgement, symptoms: Symptoms, place: int) -> Recommendation:
        model = self._model
        name = model.classes[place]
        cases = self._cases(judged, symptoms, np.flatnonzero(model.labels == place))
        probability = float(judged.probabilities[place])
        return Recommendation(name, self.resolutions.texts[name], probability, int(model.sizes[place]), tuple(cases))

    def _cases(self, judged: Judgement, symptoms: Symptoms, among: NDArray[np.int64]) -> Iterable[PastCase]:
        likeness = judged.similarities[among]
        for place in among[np.argsort(-likeness, kind="stable")[:_SHOWN_CASES]].tolist():
            if judged.similarities[place] > 0:
                yield self._case(place, float(judged.similarities[place]), symptoms)

    def _case(self, place: int, similarity: float, symptoms: Symptoms) -> PastCase:
        vocabulary, ticket = self._model.vocabulary, self._model.tickets[place]
        shared = [term for term in terms(symptoms) & terms(ticket.symptoms) if term in vocabulary.places]
        matched: dict[str, list[str]] = defaultdict(list)
        written = spelling(symptoms)
        for term in sorted(shared, key=lambda term: (-vocabulary.rarity[vocabulary.places[term]], term)):
            if len(matched[term[0].value]) < _SHOWN_WORDS:
                matched[term[0].value].append(written.get(term, term[1]))
        return PastCase(
            ticket.name, similarity, {kind.value: matched[kind.value] for kind in Kind if matched[kind.value]}
        )

    def _judge(self, model: _Model, symptoms: Symptoms, apart_from: str = "") -> Judgement:
        opinions, likeness = model.opinions(symptoms, apart_from)
        seen = np.zeros(len(model.classes), bool)
        seen[model.labels[(likeness > 0) & (model.labels >= 0)]] = True
        shares = self._known * np.exp(log_shares(opinions @ self._shares))
        return Judgement(np.where(seen, shares, 0), likeness)

    def _tune(self, model: _Model, later: Sequence[Ticket], names: Sequence[str | None]) -> None:
        """Choose the blend, and where to abstain, on tickets later than the model's.

        Below some similarity, the most frequent resolutions tell as much; below some confidence, fewer than half of the
        answers hold the right one. What happened counts as much as what the blend expected: a few tickets are noisy.
        """
        places = {name: place for place, name in enumerate(model.classes)}
        labels = np.array([places.get(name or "", -1) for name in names], np.int64)
        opinions = np.stack([model.opinions(each.symptoms)[0] for each in later])
        known = labels >= 0
        self._known = float(known.mean())  # the rest is what no past ticket knows: it is no class's probability
        self._shares = blend(opinions[known], labels[known]) if known.any() else np.array([1.0, 0.0, 0.0])
        judged = [self._judge(model, each.symptoms) for each in later]
        told = log_shares(opinions @ self._shares)
        above = told - opinions[:, :, 2]  # the prior, which needs no similar ticket
        nearest = np.array([each.nearest for each in judged])
        expected = (np.exp(told) * above).sum(1)
        self._least_similarity = cut_off(nearest[known], (expected + above[np.arange(len(later)), labels])[known])
        right = [label in each.order[:RECOMMENDED] for each, label in zip(judged, labels.tolist(), strict=True)]
        confidence = np.array([each.confidence for each in judged])
        self._least_confidence = cut_off(confidence, confidence + np.array(right) - 2 * _RIGHT)


def cut_off(scores: NDArray[np.float64], gains: NDArray[np.float64]) -> float:
    """Return the score from which on the gains sum up to the most; infinity where no sum is above zero.

    It is halfway from the lowest that is needed for that to the next lower one, or to zero.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-math.inf))
    sums = gains[order][::-1].cumsum()[::-1][starts]
    if not len(sums) or sums.max() <= 0:
        return math.inf
    best = int(np.argmax(sums))
    lower = scores[order][starts[best - 1]] if best else 0.0
    return float(scores[order][starts[best]] + lower) / 2


def known_since(ticket: Ticket) -> tuple[int, str]:
    """Return the order in which what was done became known: the closing, else the opening; the untimed first."""
    known = ticket.opened_us if ticket.closed_us is None else ticket.closed_us
    return (-(1 << 63) if known is None else known, ticket.name)


def _too_little(names: Sequence[str | None]) -> str | None:
    frequent = [number for number in Counter(filter(None, names)).values() if number >= LEAST_OF_A_KIND]
    if sum(frequent) >= LEAST_TICKETS and len(frequent) > 1:
        return None
    return (
        f"too little history: of the {len(names)} tickets resolved first {sum(frequent)} share a resolution with"
        f" {LEAST_OF_A_KIND - 1} others, in {len(frequent)} resolutions; {LEAST_TICKETS} in 2 are needed"
    )
