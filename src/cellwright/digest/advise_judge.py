"""How good advice is: learned from earlier tickets, judged on later ones, beside what is simple."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.digest.advise import RECOMMENDED, Adviser, known_since
from cellwright.digest.advise_index import Index, vocabulary_of
from cellwright.digest.advise_symptoms import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cellwright.digest.advise_symptoms import Symptoms, Term
    from cellwright.digest.advise_tickets import Ticket

EARLIER: Final = 0.7  # of the tickets by opening; what is learned from is closed before the first that is judged opens
OURS: Final = "ours"
NEAREST: Final = "nearest text"
VOTE: Final = "15 nearest texts"
_VOTERS: Final = 15
_LEAST_JUDGED: Final = 20
_RESAMPLES: Final = 1000
_TAILS: Final = (2.5, 97.5)  # percentiles of the intervals
_BINS: Final = 10


class Share(NamedTuple):
    """A share of tickets, and its 95 % bootstrap interval over tickets."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the true resolution is the first, or among the first three; `ahead` is ours minus this, paired."""

    top1: Share
    top3: Share
    ahead1: Share
    ahead3: Share


@dataclass(frozen=True, slots=True)
class Report:
    """What was judged on, and how each way of recommending did on all of it; ours also where it did not abstain."""

    judged: int
    methods: dict[str, Accuracy]
    answered: float  # share of the judged tickets
    answered_top1: float | None
    answered_top3: float | None
    calibration: float  # expected calibration error of the first's probability, ten bins
    learned: int = 0
    between: int = 0  # closed after the first judged ticket was opened: used for nothing
    resolutions: int = 0  # that may be recommended
    known: float = 0.0  # share of the judged tickets whose resolution may be recommended


class _Outcome(NamedTuple):
    hits: dict[str, NDArray[np.float64]]  # by method: (n, 2) of whether the first, or one of three, was right
    first: NDArray[np.float64]  # (n,) probability that ours gave to its first
    answered: NDArray[np.bool_]  # (n,)


def judge(
    tickets: Sequence[Ticket], *, seed: int = 0, progress: Callable[[float, float | None], None] | None = None
) -> Report | str:
    """Return how good advice from the earlier tickets is on the later ones, or why that cannot be said.

    Deterministic for a `seed`, of which the bootstrap draws. `progress` is told the tickets judged and their total.
    """
    timed = sorted((each for each in tickets if each.is_resolved and each.opened_us is not None), key=_opening)
    cut = round(len(timed) * EARLIER)
    opening = timed[cut].opened_us if cut < len(timed) else None
    past = [each for each in timed[:cut] if opening is not None and known_since(each)[0] < opening]
    later = timed[cut:]
    if len(later) < _LEAST_JUDGED:
        return f"too little to judge on: {len(later)} later tickets are resolved and timed, {_LEAST_JUDGED} are needed"
    adviser = Adviser(past)
    if adviser.too_little:
        return adviser.too_little
    truths = [adviser.resolutions.name(each) for each in later]
    outcome = _outcome(adviser, past, later, truths, progress)
    known = sum(truth in {*adviser.classes} for truth in truths) / len(truths)
    report = _report(outcome, np.random.default_rng(seed))
    return replace(
        report,
        learned=len(past),
        between=len(timed) - len(past) - len(later),
        resolutions=len(adviser.classes),
        known=known,
    )


def plain_text(symptoms: Symptoms) -> str:
    """Return all that is known as one text, for methods that know nothing but texts."""
    parts = (symptoms.text, *symptoms.alarm_types, *symptoms.error_codes, *symptoms.elements, symptoms.severity or "")
    return " ".join(filter(None, parts))


class NearestText:
    """The plain peers: resolutions of the tickets whose texts are most alike by TF-IDF."""

    def __init__(self, tickets: Sequence[Ticket], names: Sequence[str | None]) -> None:
        self._names = names
        counts = [_counted(plain_text(each.symptoms)) for each in tickets]
        self._vocabulary = vocabulary_of(counts)
        vectors = [self._vocabulary.vector(each) for each in counts]
        self._index = Index(vectors, len(self._vocabulary.places))

    def rank(self, symptoms: Symptoms) -> tuple[list[str], list[str]]:
        """Return three resolutions: of the nearest tickets, of equals the newest first, and by vote of 15 of them."""
        likeness = self._index.similarities(self._vocabulary.vector(_counted(plain_text(symptoms))))
        order = np.lexsort((-np.arange(len(likeness)), -likeness))
        names = [name for place in order.tolist() if (name := self._names[place]) is not None]
        votes = Counter(names[:_VOTERS])
        return list(dict.fromkeys(names))[:RECOMMENDED], [name for name, _ in votes.most_common(RECOMMENDED)]


def _outcome(
    adviser: Adviser,
    past: Sequence[Ticket],
    later: Sequence[Ticket],
    truths: Sequence[str | None],
    progress: Callable[[float, float | None], None] | None,
) -> _Outcome:
    names = [adviser.resolutions.name(each) for each in past]
    usual = [name for name, _ in Counter(filter(None, names)).most_common(RECOMMENDED)]
    peer = NearestText(past, names)
    rankings: dict[str, list[list[str]]] = {OURS: [], "most frequent": [], NEAREST: [], VOTE: []}
    first, answered = [], []
    for done, ticket in enumerate(later, start=1):
        judged = adviser.judge(ticket.symptoms)
        rankings[OURS].append([adviser.classes[place] for place in judged.order[:RECOMMENDED]])
        rankings["most frequent"].append(usual)
        nearest, voted = peer.rank(ticket.symptoms)
        rankings[NEAREST].append(nearest)
        rankings[VOTE].append(voted)
        first.append(judged.probabilities.max())
        answered.append(adviser.abstains(judged) is None)
        if progress is not None:
            progress(done, len(later))
    hits = {
        method: np.array(
            [[truth in ranks[:1], truth in ranks] for ranks, truth in zip(ranked, truths, strict=True)], float
        )
        for method, ranked in rankings.items()
    }
    return _Outcome(hits, np.array(first), np.array(answered, bool))


def _report(outcome: _Outcome, random: np.random.Generator) -> Report:
    """Return the shares of an outcome; what was learned from is not known here."""
    ours = outcome.hits[OURS]
    answered = ours[outcome.answered]
    draws = random.integers(0, len(ours), (_RESAMPLES, len(ours)))
    return Report(
        judged=len(ours),
        methods={
            method: Accuracy(
                *(_share(hits[:, at], draws) for at in (0, 1)), *(_share((ours - hits)[:, at], draws) for at in (0, 1))
            )
            for method, hits in outcome.hits.items()
        },
        answered=float(outcome.answered.mean()),
        answered_top1=float(answered[:, 0].mean()) if len(answered) else None,
        answered_top3=float(answered[:, 1].mean()) if len(answered) else None,
        calibration=calibration_error(outcome.first, ours[:, 0]),
    )


def calibration_error(probabilities: NDArray[np.float64], hits: NDArray[np.float64]) -> float:
    """Return the expected calibration error: the mean gap of probability and hits, over ten equal bins by size."""
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, probabilities - hits, _BINS)
    return float(np.abs(gaps).sum() / len(hits))


def _share(hits: NDArray[np.float64], draws: NDArray[np.int64]) -> Share:
    low, high = np.percentile(hits[draws].mean(1), _TAILS)
    return Share(float(hits.mean()), float(low), float(high))


def _opening(ticket: Ticket) -> tuple[int, str]:
    return (ticket.opened_us or 0, ticket.name)


def _counted(text: str) -> Counter[Term]:
    return Counter((Kind.WORD, word) for word in text.casefold().replace("/", " ").split())
