"""What a lake taught decides what stands beside an incident first, and what is grave or rare stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alarm_tables import ORIGIN_US
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.beside import Scope, beside
from cellwright.digest.counters import Break
from cellwright.digest.ledger import Reference
from cellwright.digest.logs import Level, LogLines
from cellwright.digest.salience import LearnedSalience, Seen, keys_of
from cellwright.digest.salience_fit import MIN_INCIDENTS, Company, learn_salience, signals_of
from cellwright.digest.tokens import EstimatingCounter

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNT = EstimatingCounter()
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
HOURS = 40
EVERYDAY = "Buffer full, dropped downlink packets of bearer {}"
TELLING = "path {} switched over to the standby route"
ELSEWHERE = ("Throughput", 90.0)  # counters and how unusual their breaks are
WITH_INCIDENTS = ("Attempts", 20.0)


def log(entries: Sequence[tuple[int, str]], level: Level = Level.NONE) -> LogLines:
    at, texts = zip(*sorted(entries), strict=True) if entries else ((), ())
    references = tuple(Reference("f", ORIGIN_US % 1_000 + place) for place in range(len(texts)))
    return LogLines(texts, at, (level,) * len(texts), references)


def broken(counter: tuple[str, float], at_us: int, element: str = "ManagedElement=r1") -> Break:
    return Break(element, counter[0], at_us, 15 * MINUTE_US, 1, 100.0, 5.0, counter[1])


def company(start_us: int, everyday: Sequence[tuple[int, str]], telling: int = 2) -> Company:
    """Return an incident of a minute, with a break of each counter, in which two lines tell and some do not."""
    said = [(at, text) for at, text in everyday if start_us - MINUTE_US <= at <= start_us + 2 * MINUTE_US]
    said += [(start_us + place, TELLING.format(place)) for place in range(telling)]
    breaks = (broken(ELSEWHERE, start_us), broken(WITH_INCIDENTS, start_us))
    return Company(Scope(frozenset({"r1"}), start_us, start_us + MINUTE_US), breaks, log(said))


def past(hours: int = HOURS) -> tuple[list[Company], list[Break], LogLines]:
    """Return a past of incidents every hour, in which a line comes every ten seconds and a counter always breaks."""
    begin = ORIGIN_US
    everyday = [(begin + 10_000_000 * place, EVERYDAY.format(place)) for place in range(hours * 360)]
    companies = [company(begin + hour * HOUR_US, everyday) for hour in range(hours)]
    lines = sorted({*everyday, *((at, text) for each in companies for at, text in _lines(each))})
    breaks = [broken(ELSEWHERE, begin + quarter * 15 * MINUTE_US) for quarter in range(hours * 4)]
    breaks += [broken(WITH_INCIDENTS, begin + hour * HOUR_US) for hour in range(hours)]
    return companies, breaks, log(lines)


def _lines(each: Company) -> list[tuple[int, str]]:
    return [*zip(each.lines.instants, each.lines.texts, strict=True)]


@pytest.fixture(scope="module")
def learned() -> LearnedSalience:
    companies, breaks, lines = past()
    found = learn_salience(companies, breaks, [("r1", lines)], COUNT)
    assert found is not None
    return found


def test_what_comes_on_any_day_is_told_from_what_goes_with_incidents(learned: LearnedSalience) -> None:
    everyday, telling = (learned.templates[keys_of([text.format(7)])[0]] for text in (EVERYDAY, TELLING))
    assert (everyday.met, telling.met) == (HOURS, HOURS)
    assert everyday.expected == pytest.approx(HOURS, rel=0.01)
    assert telling.expected == 0
    assert (everyday.related, telling.related) == (0, 1)
    assert learned.counters["Throughput"].related < 0.5
    assert learned.counters["Attempts"].related == 1


def test_learning_changes_what_a_short_budget_keeps(learned: LearnedSalience) -> None:
    everyday = [(ORIGIN_US + 1_000_000 * place, EVERYDAY.format(place)) for place in range(60)]
    unseen = company(ORIGIN_US, everyday, telling=30)
    before, after = (
        signals_of(beside(unseen.breaks[:2], unseen.lines, room=300, count=COUNT, salience=salience))
        for salience in (None, learned)
    )
    noise, signal = (frozenset(keys_of([text.format(7)])) for text in (EVERYDAY, TELLING))
    assert noise <= before[0]
    assert after[0] == signal
    alone = (broken(ELSEWHERE, ORIGIN_US), broken(WITH_INCIDENTS, ORIGIN_US))
    shown = [beside(alone, log([]), room=75, count=COUNT, salience=salience).counters for salience in (None, learned)]
    assert ["Throughput" in shown[0], "Attempts" in shown[0]] == [True, False]
    assert ["Throughput" in shown[1], "Attempts" in shown[1]] == [False, True]


def test_the_quality_is_that_of_later_incidents_and_of_both_ways(learned: LearnedSalience) -> None:
    assert learned.incidents == HOURS
    assert learned.quality.tested == HOURS - int(HOURS * 0.7)
    assert learned.quality.signals == 2 * learned.quality.tested  # a line and a counter of each
    assert learned.quality.kept == 1
    assert learned.quality.accepted


def test_what_is_grave_stays_however_common_it_was(learned: LearnedSalience) -> None:
    lines = log([(ORIGIN_US + place, EVERYDAY.format(place)) for place in range(9)], Level.ERROR)
    section = beside((), lines, room=300, count=COUNT, salience=learned)
    assert len(section.told) == 1
    assert section.log is not None
    assert section.log.ledger.balanced


def test_what_was_never_seen_is_worth_what_it_looks_like(learned: LearnedSalience) -> None:
    lines = log([(ORIGIN_US + place, f"job {place} waits for its turn") for place in range(20)])
    plain, taught = (beside((), lines, room=400, count=COUNT, salience=each) for each in (None, learned))
    assert plain == taught


def test_too_few_incidents_teach_nothing() -> None:
    companies, breaks, lines = past(MIN_INCIDENTS)
    assert learn_salience(companies, breaks, [("r1", lines)], COUNT) is not None
    assert learn_salience(companies[1:], breaks, [("r1", lines)], COUNT) is None
    silent = [Company(each.scope, (), log([])) for each in companies]
    assert learn_salience(silent, [], [], COUNT) is None


def test_what_another_element_says_all_day_does_not_count_here() -> None:
    companies, breaks, lines = past(12)
    loud = log([(ORIGIN_US + place * 1_000_000, TELLING.format(place)) for place in range(12 * 3_600)])
    found = learn_salience(companies, breaks, [("r1", lines), ("r2", loud)], COUNT)
    assert found is not None
    assert found.templates[keys_of([TELLING.format(7)])[0]].related == 1


@given(st.integers(0, 10_000), st.floats(0, 10_000))
def test_shares_and_gains_are_within_their_bounds(met: int, expected: float) -> None:
    seen = Seen(met, expected)
    assert 0 <= seen.related <= 1
    assert seen.gain >= 0
    assert Seen(met + 1, expected).gain >= seen.gain
