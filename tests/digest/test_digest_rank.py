from __future__ import annotations

from dataclasses import replace

import numpy as np
from alarm_tables import TABLES_OF_ROWS, alarm_table, simple
from hypothesis import given

from cellwright.digest.causes import CauseGraph, learn
from cellwright.digest.causes_onsets import AlarmColumns
from cellwright.digest.compose import digests
from cellwright.digest.rank import rank
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter

COUNT = EstimatingCounter()


def graph_of(types: list[str], edges: list[tuple[str, str]]) -> CauseGraph:
    """Return a learned graph with these edges in place of its own."""
    columns = AlarmColumns(tuple(types), *(np.zeros(400, np.int64) for _ in range(2)), np.arange(400) * 10**10)
    held = np.zeros((len(types), len(types)), bool)
    for cause, effect in edges:
        held[types.index(cause), types.index(effect)] = True
    return replace(learn(columns), edges=held)


def ranked(rows: list[dict[str, object]]) -> list[str]:
    digest = next(digests(alarm_table(rows), count=COUNT))
    return [candidate.alarm_type for candidate in rank(decode(digest.text))]


def test_the_first_grave_alarm_that_others_follow_on_its_elements_leads() -> None:
    rows = [
        simple(0, "site-1", "POWER", perceived_severity="CRITICAL"),
        simple(1, "site-1", "LINK", perceived_severity="MAJOR"),
        simple(2, "site-2", "LINK", perceived_severity="MAJOR"),
        *(simple(3 + n, "site-1", "CELL", perceived_severity="MINOR") for n in range(9)),
    ]
    assert ranked(rows) == ["POWER", "LINK", "CELL"]


def test_a_root_cause_named_by_its_element_outweighs_a_slightly_earlier_alarm() -> None:
    rows = [simple(0, "a", "LINK"), simple(1, "a", "POWER", root_cause=True), simple(2, "a", "CELL")]
    assert ranked(rows)[0] == "POWER"


def test_a_cause_graph_speaks_for_what_brings_about_the_others() -> None:
    rows = [simple(at, "a", kind) for at, kind in enumerate(["CELL", "LINK", "POWER"])]
    facts = decode(next(digests(alarm_table(rows), count=COUNT)).text)
    edges = [("POWER", "LINK"), ("POWER", "CELL"), ("LINK", "CELL")]
    plain, told = rank(facts), rank(facts, graph=graph_of(["CELL", "LINK", "POWER"], edges))
    said = {each.alarm_type: next(one for one in each.evidence if one.name == "causes") for each in told}
    assert {name: one.value for name, one in said.items()} == {"POWER": 1.0, "LINK": 0.5, "CELL": 0.0}
    assert said["LINK"].words == "as learned, brings about 1 of 2 other types and is brought about by 1"
    scores = [{each.alarm_type: each.score for each in ranked} for ranked in (plain, told)]
    assert scores[1]["POWER"] > scores[0]["POWER"]
    assert scores[1]["CELL"] < scores[0]["CELL"]
    assert rank(facts, graph=graph_of(["OTHER", "POWER"], [("OTHER", "POWER")])) == plain
    both_ways = [*edges, *((effect, cause) for cause, effect in edges)]
    assert {
        one.value
        for each in rank(facts, graph=graph_of(["CELL", "LINK", "POWER"], both_ways))
        for one in each.evidence
        if one.name == "causes"
    } == {0.5}


def test_equal_scores_stay_in_the_order_of_onset() -> None:
    rows = [{"object_dn": "a", "specific_problem": "only"}]
    assert ranked(rows) == ["only"]


@given(TABLES_OF_ROWS)
def test_every_type_is_scored_between_zero_and_one_with_its_evidence(table: object) -> None:
    for digest in digests(table, count=COUNT):
        facts = decode(digest.text)
        candidates = rank(facts)
        assert {each.alarm_type for each in candidates} == {kind.name for kind in facts.types}
        assert all(0 <= each.score <= 1 for each in candidates)
        assert all(0 <= one.value <= 1 and one.words for each in candidates for one in each.evidence)
        assert candidates == rank(facts)


def test_onsets_nearer_than_the_jitter_of_detection_leave_it_to_the_severity() -> None:
    rows = [
        simple(0, "core", "REMOTE", perceived_severity="MAJOR"),
        simple(3, "edge", "SIGNAL", perceived_severity="CRITICAL"),
        simple(30, "edge", "CELL", perceived_severity="CRITICAL"),
    ]
    assert ranked(rows) == ["SIGNAL", "REMOTE", "CELL"]
    later = [rows[0], simple(4, "edge", "SIGNAL", perceived_severity="CRITICAL"), rows[2]]
    assert ranked(later)[0] == "REMOTE"
