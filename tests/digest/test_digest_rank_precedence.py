from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from alarm_tables import TABLES_OF_ROWS, alarm_table, at, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.alarms import alarms_of
from cellwright.digest.compose import digest_incident
from cellwright.digest.rank import rank
from cellwright.digest.rank_precedence import learn_precedence
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter

if TYPE_CHECKING:
    from cellwright.digest.alarms import Alarm

COUNT = EstimatingCounter()
DAY = 86_400


def past(*incident: tuple[float, str, str], times: int = 20, first: int = 1) -> list[list[Alarm]]:
    """Return the same incident on many days."""
    days = range(first, first + times)
    return [
        alarms_of(alarm_table(simple(day * DAY + second, element, kind) for second, element, kind in incident))
        for day in days
    ]


def first_of(rows: list[dict[str, object]], incidents_before: list[list[Alarm]]) -> str:
    (incident,) = incidents(alarm_table(rows), COUNT)
    facts = decode(digest_incident(incident, count=COUNT).text)
    return rank(facts, learn_precedence(incidents_before))[0].alarm_type


def test_what_was_always_first_is_the_root_even_where_it_is_last_this_time() -> None:
    rows = [simple(0, "b", "CELL"), simple(5, "a", "POWER")]
    assert first_of(rows, []) == "CELL"
    assert first_of(rows, past((0, "a", "POWER"), (20, "b", "CELL"))) == "POWER"


def test_within_the_jitter_what_starts_without_the_other_is_the_cause() -> None:
    together = past((0, "a", "CELL"), (1, "a", "LINK"))
    rows = [simple(0, "a", "CELL"), simple(1, "a", "LINK")]
    assert first_of(rows, together) == "CELL"
    assert first_of(rows, [*together, *past((0, "a", "LINK"), first=30)]) == "LINK"


def test_a_single_incident_teaches_less_than_many() -> None:
    once, often = (
        learn_precedence(past((0, "a", "POWER"), (20, "b", "CELL"), times=times)).nets(["POWER", "CELL"])
        for times in (1, 20)
    )
    assert 0 < once["POWER"] < often["POWER"] <= 1
    assert often["CELL"] == -often["POWER"]


def test_an_order_of_few_onsets_is_weaker_than_what_this_incident_shows() -> None:
    rows = [simple(0, "a", "FIBRE", perceived_severity="CRITICAL"), simple(1, "b", "PORT", perceived_severity="MINOR")]
    chance, rule = (past((0, "b", "PORT"), (4, "a", "FIBRE"), times=times) for times in (2, 60))
    assert first_of(rows, chance) == "FIBRE"
    assert first_of(rows, rule) == "PORT"


def test_what_the_past_put_first_is_read_from_the_digest_alone() -> None:
    (incident,) = incidents(alarm_table([simple(0, "b", "CELL"), simple(5, "a", "POWER", root_cause=False)]), COUNT)
    learned = learn_precedence(past((0, "a", "POWER"), (20, "b", "CELL")))
    facts = decode(digest_incident(incident, count=COUNT).text)
    root = rank(facts, learned)[0].alarm_type
    told = decode(digest_incident(incident, count=COUNT, root=root).text)
    assert (rank(facts)[0].alarm_type, rank(told)[0].alarm_type, root) == ("CELL", "POWER", "POWER")
    assert rank(told)[0].evidence[-1].words == "its digest calls it the probable root"
    assert all(0 <= each.score <= 1 for each in rank(told))
    assert rank(told, learned) == rank(facts, learned)


@given(TABLES_OF_ROWS, st.integers(0, 99))
def test_the_named_root_comes_first_whatever_else_speaks(table: object, place: int) -> None:
    for incident in incidents(table, COUNT):
        plain = decode(digest_incident(incident, count=COUNT).text)
        root = plain.types[place % len(plain.types)].name
        told = decode(digest_incident(incident, count=COUNT, root=root).text)
        assert rank(told)[0].alarm_type == root


def test_types_never_seen_and_a_type_alone_have_no_precedence() -> None:
    learned = learn_precedence(past((0, "a", "POWER"), (20, "b", "CELL")))
    assert learned.nets(["POWER", "NEW"]) == {}
    assert learned.nets(["POWER"]) == {}
    assert set(learned.nets(["POWER", "CELL", "NEW"])) == {"POWER", "CELL"}


def test_lags_are_learned_for_types_that_go_together() -> None:
    lags = learn_precedence([*past((0, "a", "POWER"), (20, "b", "CELL")), *past((0, "a", "FAN"), first=40)]).lags()
    assert lags.window_us("CELL", "POWER", at(0)) == 60_000_000
    assert lags.window_us("POWER", "CELL", 5) == 5
    assert lags.window_us("FAN", "POWER", at(0)) is None
    assert lags.window_us("NEW", "POWER", 7) == 7


@given(TABLES_OF_ROWS)
def test_any_incidents_teach_numbers_between_minus_one_and_one(table: object) -> None:
    learned = learn_precedence(each.alarms for each in incidents(table, COUNT))
    assert np.array_equal(learned.strength, -learned.strength.T)
    assert np.abs(learned.strength).max(initial=0) <= 1
    assert learned.together.min(initial=0) >= 0
    assert learned.together.max(initial=0) <= 1
    assert all(-1 <= net <= 1 for net in learned.nets(learned.types).values())


def test_types_of_which_one_seldom_comes_alone_are_bound() -> None:
    together = past((0, "a", "POWER"), (20, "b", "CELL"))
    alone = [*past((0, "a", "POWER"), first=30), *past((0, "b", "CELL"), first=60)]
    assert learn_precedence(together).lags().bound == {"POWER": {"CELL"}, "CELL": {"POWER"}}
    assert not any(learn_precedence([*together, *alone]).lags().bound.values())


ONSETS = st.tuples(st.integers(0, 2_000), st.sampled_from("abc"), st.sampled_from("XYZ"))


@given(st.lists(st.lists(ONSETS, min_size=1, max_size=12), min_size=1, max_size=4))
def test_each_onset_is_compared_with_the_nearest_on_its_element_else_in_its_incident(
    lists: list[list[tuple[int, str, str]]],
) -> None:
    met, near, apart, onsets = (Counter() for _ in range(4))
    for listed in lists:
        kinds = {kind for _, _, kind in listed}
        met.update((one, other) for one in kinds for other in kinds if one != other)
        onsets.update(kind for _, _, kind in listed)
        for instant, element, kind in listed:
            for other in kinds - {kind}:
                anywhere = [(where, then) for then, where, what in listed if what == other]
                here = [then for where, then in anywhere if where == element] or [then for _, then in anywhere]
                gap = min(abs(instant - then) for then in here)
                near[other, kind] += gap <= 300
                apart[frozenset((other, kind))] += gap if gap <= 300 else 0
    learned = learn_precedence([alarms_of(alarm_table([simple(*each) for each in listed])) for listed in lists])
    for row, one in enumerate(learned.types):
        for column, other in enumerate(learned.types):
            assert learned.met[row, column] == met[one, other]
            assert learned.together[row, column] == near[one, other] / onsets[other]
            both = max(near[one, other] + near[other, one], 1)
            assert learned.lag_us[row, column] == apart[frozenset((one, other))] * 1e6 / both
