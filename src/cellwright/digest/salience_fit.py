"""Learning which signals go with incidents, and measuring on later incidents what that keeps in a short budget."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from cellwright.digest.beside import AROUND_US, beside, element_of
from cellwright.digest.counters_text import decode_counters
from cellwright.digest.salience import LearnedSalience, SalienceQuality, Seen, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cellwright.digest.beside import Beside, Scope
    from cellwright.digest.counters import Break
    from cellwright.digest.logs import LogLines
    from cellwright.digest.tokens import TokenCounter

    _Span: TypeAlias = tuple[int, int]
    _Rates: TypeAlias = Mapping[str, Mapping[str, float]]  # element, signal: per microsecond

MIN_INCIDENTS: Final = 10  # with something beside them; of fewer, nothing that is learned could be told from chance
JUDGED_TOKENS: Final = 300  # about half of all there is to tell beside a common incident
_MOST_JUDGED: Final = 200  # incidents, the latest
_MOST_KEYS: Final = 5_000  # signals of a kind that are kept, those with the most incidents, met or expected
_TRAINING_SHARE: Final = 0.7  # of the incidents, the earliest ones, for the measured quality
_ERROR: Final = 0.01  # chance that a signal is called confirmed and is none
_EARLY, _LATE = 0, 1
_UNJUDGED: Final = SalienceQuality(0, 0, JUDGED_TOKENS, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Company:
    """What stood beside one incident: counters that broke, the most unusual first, and log lines."""

    scope: Scope
    breaks: Sequence[Break]
    lines: LogLines

    def span_us(self, before_us: int, after_us: int) -> _Span:
        """Return from when until when signals were beside it that come so long before or after its alarms."""
        return (self.scope.start_us or 0) - before_us, (self.scope.end_us or 0) + after_us


def learn_salience(
    companies: Iterable[Company],
    breaks: Iterable[Break],
    lines: Iterable[tuple[str, LogLines]],
    count: TokenCounter,
) -> LearnedSalience | None:
    """Return what incidents say, and all signals of their elements at whatever time: breaks, and lines by element.

    The quality is that of what the first 70 % of the incidents teach, measured on the others. None where there are
    fewer than ten incidents with something beside them.
    """
    told = sorted((each for each in companies if each.breaks or len(each.lines)), key=lambda each: each.span_us(0, 0))
    if len(told) < MIN_INCIDENTS:
        return None
    learned_from = int(len(told) * _TRAINING_SHARE)
    begin, split = (told[place].span_us(0, 0)[0] for place in (0, learned_from))
    halves = ((begin, split), (split, max(each.span_us(0, 0)[1] for each in told)))
    logs = _Elsewhere(told, halves, (AROUND_US, AROUND_US))
    for element, part in lines:
        logs.add(element, zip(part.instants, keys_of(part.texts), strict=True))
    counters = _Elsewhere(told, halves, (_longest_us(told), 0))
    for each in breaks:
        counters.add(element_of(each.element), [(each.at_us, each.counter)])

    def learned(chosen: Sequence[Company], *which: int) -> LearnedSalience:
        return LearnedSalience(
            len(chosen),
            _seen(chosen, [frozenset(keys_of(each.lines.texts)) for each in chosen], logs, which),
            _seen(chosen, [frozenset(found.counter for found in each.breaks) for each in chosen], counters, which),
            _UNJUDGED,
        )

    early, late = told[:learned_from], told[learned_from:]
    quality = _judged(late[-_MOST_JUDGED:], learned(early, _EARLY), learned(late, _LATE), count)
    return replace(learned(told, _EARLY, _LATE), quality=quality)


def signals_of(section: Beside) -> tuple[frozenset[str], frozenset[str]]:
    """Return the masked lines and the counters that the sections beside a digest tell."""
    changes = decode_counters(section.counters).changes if section.counters else ()
    return frozenset(keys_of([each.text for each in section.told])), frozenset(each.counter for each in changes)


class _Elsewhere:
    """How often signals came on each element while it was in no incident, in each half of the time."""

    def __init__(self, companies: Sequence[Company], halves: Sequence[_Span], reach_us: _Span) -> None:
        self.reach_us = reach_us  # before and after the alarms of an incident
        self._halves = halves
        spans: defaultdict[str, list[_Span]] = defaultdict(list)
        for each in companies:
            for element in each.scope.elements:
                spans[element].append(each.span_us(*reach_us))
        self._spans = {element: _merged(found) for element, found in spans.items()}
        self._counts: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    def add(self, element: str, signals: Iterable[tuple[int | None, str]]) -> None:
        """Count the signals of an element that are in no incident of it."""
        spans = self._spans.get(element, [])
        (begin, split), (_, end) = self._halves
        for at, signal in signals:
            if at is not None and begin <= at < end:
                place = bisect_right(spans, (at, end)) - 1
                if place < 0 or at > spans[place][1]:
                    self._counts[element, _LATE if at >= split else _EARLY][signal] += 1

    def rates(self, which: Sequence[int]) -> _Rates:
        """Return how often signals came by themselves, in these halves of the time."""
        found: dict[str, dict[str, float]] = {}
        for element, spans in self._spans.items():
            total: Counter[str] = sum((self._counts[element, half] for half in which), Counter())
            watched_us = sum(_outside(self._halves[half], spans) for half in which)
            found[element] = {signal: times / max(watched_us, 1) for signal, times in total.items()}
        return found


def _seen(
    companies: Sequence[Company], signals: Sequence[frozenset[str]], elsewhere: _Elsewhere, which: Sequence[int]
) -> Mapping[str, Seen]:
    """Return of each signal how many incidents had it, and how many would have by its rates on their elements."""
    met = Counter(signal for each in signals for signal in each)
    expected: defaultdict[str, float] = defaultdict(float)
    rates = elsewhere.rates(which)
    for each in companies:
        begin, end = each.span_us(*elsewhere.reach_us)
        by_chance: defaultdict[str, float] = defaultdict(float)
        for element in sorted(each.scope.elements):
            for signal, rate in rates[element].items():
                by_chance[signal] += rate * (end - begin)
        for signal, times in by_chance.items():
            expected[signal] -= math.expm1(-times)
    frequent = sorted({*met, *expected}, key=lambda signal: (-met[signal] - expected[signal], signal))[:_MOST_KEYS]
    return {signal: Seen(met[signal], expected[signal]) for signal in sorted(frequent)}


def _judged(
    judged: Sequence[Company], learned: LearnedSalience, truth: LearnedSalience, count: TokenCounter
) -> SalienceQuality:
    """Return how many of the signals that later incidents confirm are kept beside them."""
    logs, counters = _confirmed(truth.templates), _confirmed(truth.counters)
    signals, kept = 0, [0, 0]
    for each in judged:
        wanted = logs.intersection(keys_of(each.lines.texts)), counters & {found.counter for found in each.breaks}
        signals += sum(map(len, wanted))
        for place, salience in enumerate((learned, None)):
            section = beside(each.breaks, each.lines, room=JUDGED_TOKENS, count=count, salience=salience)
            kept[place] += sum(len(one & other) for one, other in zip(wanted, signals_of(section), strict=True))
    shares = (each / max(signals, 1) for each in kept)
    return SalienceQuality(len(judged), signals, JUDGED_TOKENS, *shares)


def _confirmed(seen: Mapping[str, Seen]) -> frozenset[str]:
    """Return the signals that too many incidents had for chance (Poisson)."""
    return frozenset(name for name, each in seen.items() if each.met and _at_least(each.met, each.expected) < _ERROR)


def _at_least(met: int, expected: float) -> float:
    """Return the chance that so many incidents or more have what `expected` have on average."""
    if not expected:
        return 0.0
    return 1 - sum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(met))


def _longest_us(companies: Sequence[Company]) -> int:
    """Return the longest period of the counters that broke: one that began so long before is still beside alarms."""
    return max((found.period_us for each in companies for found in each.breaks), default=0)


def _merged(spans: list[_Span]) -> list[_Span]:
    """Return spans in order, those that overlap as one."""
    merged: list[_Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _outside(half: _Span, spans: Sequence[_Span]) -> int:
    """Return how much of a half of the time lies in none of the spans, in microseconds."""
    begin, end = half
    return end - begin - sum(max(min(last, end) - max(first, begin), 0) for first, last in spans)
