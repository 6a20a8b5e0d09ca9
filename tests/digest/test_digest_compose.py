from __future__ import annotations

import json
from pathlib import Path

import pytest
from alarm_tables import TABLES_OF_ROWS, alarm_table, at, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.compose import digest_incident, digests, to_json
from cellwright.digest.fold import Kept, fold, reduce
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import EstimatingCounter
from cellwright.errors import UsageError

COUNT = EstimatingCounter()
GOLDEN = Path(__file__).parent / "golden"


def fibre_cut() -> list[dict[str, object]]:
    """Return a cut fibre: loss of signal, then what hangs on the link, repeated until it is mended."""
    cells = [f"SubNetwork=1,ManagedElement=gNB-{site:02},NRCellDU={cell}" for site in (3, 4, 11) for cell in (1, 2, 3)]
    lost = {"perceived_severity": "CRITICAL", "probable_cause": "LossOfSignal", "root_cause": True}
    down = {"perceived_severity": "MAJOR", "probable_cause": "CellUnavailable", "notification_type": "notifyNewAlarm"}
    mended = {**down, "perceived_severity": "CLEARED", "notification_type": "notifyClearedAlarm"}
    rows = [{"event_ts": at(0), "object_dn": "SubNetwork=1,ManagedElement=router-7,Port=2", **lost}]
    rows += [{"event_ts": at(2.25 + n / 10), "object_dn": cell, **down} for n, cell in enumerate(cells)]
    rows += [{"event_ts": at(60 + n), "object_dn": cell, **down} for n, cell in enumerate(cells[:4])]
    rows += [{"event_ts": at(600 + n), "object_dn": cell, **mended} for n, cell in enumerate(cells[:8])]
    return rows


CASES = {
    "fibre-cut": fibre_cut(),
    "awkward-names": [
        simple(0, 'rack "7", left', "fan; speed [rpm]: low", perceived_severity="WARNING"),
        simple(0.004, "x@1*2^!", "incident 12", perceived_severity="MINOR"),
        simple(0.0041, "塔\n二", "温度 告警", additional=[("a", "b")]),
        {"perceived_severity": "CLEARED", "event_ts": at(3)},
    ],
    "untimed": [{"object_dn": f"Device={n}", "specific_problem": "LOS"} for n in (10, 9, 9)],
}


@pytest.mark.parametrize("name", CASES)
def test_small_incidents_have_these_digests(name: str, request: pytest.FixtureRequest) -> None:
    shown = "\n\n".join(
        f"{digest.text}\n\n{json.dumps(to_json(digest)['ledger'], indent=1, ensure_ascii=False)}\n"
        for digest in digests(alarm_table(CASES[name]), count=COUNT)
    )
    path = GOLDEN / f"{name}.txt"
    if request.config.getoption("--update", default=False):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


@given(TABLES_OF_ROWS, st.integers(200, 2_000))
def test_every_part_is_within_the_budget_and_all_protected_facts_decode(table: object, budget: int) -> None:
    for incident in incidents(table, COUNT):
        digest = digest_incident(incident, budget=budget, count=COUNT)
        protected = reduce(fold(incident.alarms, digest.incident, incident.doubts), Kept())
        assert all(COUNT.count(part) <= budget for part in digest.parts)
        assert reduce(decode(digest.text), Kept()) == protected
        assert digest.over_budget == (len(digest.parts) > 1)


@given(TABLES_OF_ROWS)
def test_the_books_balance_and_name_every_event_once(table: object) -> None:
    listed = []
    for digest in digests(table, budget=200, count=COUNT):
        assert digest.ledger.balanced
        assert digest.ledger.events == digest.events
        assert len(digest.ledger.kept) == len(decode(digest.text).pairs())
        listed += [reference.ordinal for reference in (*digest.ledger.kept, *digest.ledger.folded)]
    assert sorted(listed) == list(range(table.num_rows))


@given(TABLES_OF_ROWS, st.randoms(use_true_random=False))
def test_the_same_events_in_any_order_have_the_same_digest(table: object, random: object) -> None:
    order = list(range(table.num_rows))
    random.shuffle(order)
    assert list(digests(table.take(order), count=COUNT)) == list(digests(table, count=COUNT))


def test_one_changed_event_makes_another_incident() -> None:
    one, other = (
        next(digests(alarm_table([simple(0, "a", "x"), simple(last, "a", "x")]), count=COUNT)) for last in (1, 2)
    )
    assert one.incident != other.incident
    assert one.ledger.sha256 != other.ledger.sha256


def test_protected_facts_past_the_budget_are_split_and_said_to_be() -> None:
    rows = [simple(n, f"ManagedElement=gNB-{n:03},Cell={n % 7}", f"problem number {n % 60}") for n in range(80)]
    digest = next(digests(alarm_table(rows), budget=300, count=COUNT))
    assert digest.over_budget
    assert len(digest.parts) > 1
    assert digest.parts[0].startswith(
        f"incident {digest.incident} part 1 of {len(digest.parts)}, over the budget of 300"
    )
    assert {omission.what for omission in digest.ledger.left_out} >= {"repeat counts", "clear states"}


def test_details_give_way_before_facts_do() -> None:
    rows = [
        simple(n, f"Device={n % 40}", f"T{n % 8}", perceived_severity=("MAJOR", "MINOR")[n % 8 > 2]) for n in range(90)
    ]
    table = alarm_table([*rows, *(simple(90 + n, f"Device={n % 5}", f"T{n % 5}") for n in range(30))])
    made = [next(digests(table, budget=budget, count=COUNT)) for budget in range(220, 400, 20)]
    sizes = [digest.tokens for digest in made]
    assert {len(decode(digest.text).pairs()) for digest in made} == {40}
    assert not any(digest.over_budget for digest in made)
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 2


def test_an_estimate_holds_a_tenth_of_the_budget_back() -> None:
    rows = [simple(n, f"Device={n}", f"problem number {n}") for n in range(200)]
    assert all(COUNT.count(part) <= 900 for part in next(digests(alarm_table(rows), budget=1_000, count=COUNT)).parts)


def test_a_budget_too_small_for_a_head_is_refused() -> None:
    with pytest.raises(UsageError, match="budget-too-small"):
        list(digests(alarm_table([simple(0, "a", "x")]), budget=199, count=COUNT))


def test_progress_tells_events_done() -> None:
    told = []
    table = alarm_table([simple(0, "a", "x"), simple(5_000, "a", "x"), simple(5_001, "a", "x")])
    list(digests(table, count=COUNT, progress=lambda done, total: told.append((done, total))))
    assert told == [(1, 3), (3, 3)]


def test_an_empty_table_has_no_digests() -> None:
    assert list(digests(alarm_table([]), count=COUNT)) == []


def test_json_groups_references_by_file() -> None:
    rows = [simple(0, "a", "x", file_id="f1"), simple(1, "a", "x", file_id="f1"), simple(2, "b", "x", file_id="f0")]
    plain = to_json(next(digests(alarm_table(rows), count=COUNT)))
    assert plain["ledger"]["references"] == {"f0": [2], "f1": [0, 1]}
    assert (plain["ledger"]["represented"], plain["ledger"]["folded"]) == (2, 1)
    assert json.loads(json.dumps(plain)) == json.loads(json.dumps(plain))
