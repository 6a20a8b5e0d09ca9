"""Everybody is one of k, counted anew and naively, and nothing is lost without being told."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.errors import UsageError
from cellwright.privacy.anonymise import Wanted, anonymise, smallest_class
from cellwright.privacy.anonymise_levels import ANY, Ladder, levels, plain
from cellwright.privacy.anonymise_spec import Mode, default_spec, load_spec
from cellwright.privacy.anonymise_subjects import subjects
from cellwright.privacy.pseudonymise import Pseudonymiser

if TYPE_CHECKING:
    from cellwright.privacy.anonymise import Anonymised

MASK = Pseudonymiser(bytes(32))
WHO = [MASK.text(f"26201123456789{digit}") for digit in range(8)]
QUASI = {
    "t": Ladder.TIME,
    "n": Ladder.NUMBER,
    "dn": Ladder.OBJECT,
    "c": Ladder.CATEGORY,
    "nci": Ladder.CELL,
    "x": Ladder.EXACT,
}


def row() -> st.SearchStrategy[dict[str, object]]:
    maybe = st.none
    return st.fixed_dictionaries(
        {
            "t": maybe() | st.integers(-(10**6), 10**6).map(lambda s: datetime.fromtimestamp(1_772_366_400 + s, UTC)),
            "n": maybe() | st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 5000).map(float),
            "dn": maybe() | st.lists(st.sampled_from(["A=1", "B=2", "C=3"]), min_size=1, max_size=4).map(",".join),
            "c": maybe() | st.sampled_from(["a", "b", "", *WHO[:2]]),
            "nci": maybe() | st.integers(0, 2**36 - 1),
            "x": st.sampled_from(["u", "v"]),
            "who": maybe() | st.sampled_from([*WHO, f"{WHO[0]} called {WHO[1]}", "nobody"]),
            "s": maybe() | st.sampled_from(["one", "two", f"by {WHO[3]}"]),
            "_row": st.just(0),
        }
    )


def table(rows: list[dict[str, object]]) -> pa.Table:
    schema = pa.schema(
        {
            "t": pa.timestamp("us", tz="UTC"),
            "n": pa.float64(),
            "dn": pa.string(),
            "c": pa.string(),
            "nci": pa.int64(),
            "x": pa.string(),
            "who": pa.string(),
            "s": pa.string(),
        }
    )
    return pa.Table.from_pylist([{key: each[key] for key in schema.names} for each in rows], schema=schema)


def naive(made: Anonymised) -> dict[tuple[str, ...], set[object]]:
    """Return who is in each class, in plain Python."""
    found = defaultdict(set)
    quasi = [each.column for each in made.generalised]
    for at, values in enumerate(made.rows.to_pylist()):
        key = (str(made.named[at]), *(repr(values[name]) for name in quasi))
        found[key].add(int(made.subjects[at]))
    return dict(found)


@settings(max_examples=60)
@given(
    st.lists(row(), max_size=40),
    st.sets(st.sampled_from(sorted(QUASI)), min_size=1, max_size=4),
    st.integers(1, 6),
    st.integers(1, 3),
)
def test_every_class_holds_k_subjects_and_l_values_and_nobody_is_named(
    rows: list[dict[str, object]], chosen: set[str], k: int, diverse: int
) -> None:
    given_rows = table(rows)
    wanted = Wanted(k, {name: QUASI[name] for name in sorted(chosen)}, ("s",), diverse=(("s", diverse),))
    made = anonymise(given_rows, wanted)
    classes = naive(made)
    assert all(len(who) >= k for who in classes.values())
    assert made.rows.num_rows + made.suppressed == len(rows)
    assert made.rows.schema.names == [*sorted(chosen), "s"]
    assert tuple(sorted(map(len, classes.values()))) == made.class_sizes
    text = str(made.rows.to_pylist())
    assert not any(name.partition("~")[2] in text for name in WHO)
    values = defaultdict(set)
    for at, each in enumerate(made.rows.to_pylist()):
        values[str(made.named[at]), *(repr(each[name]) for name in sorted(chosen))].add(each["s"])
    assert all(len(each) >= diverse for each in values.values())
    if made.rows.num_rows:
        recounted = smallest_class(made.rows, sorted(chosen), made.subjects, made.named)
        assert recounted == min(map(len, classes.values()))


@settings(max_examples=40)
@given(st.lists(row(), min_size=1, max_size=25), st.integers(2, 5))
def test_no_other_levels_would_lose_less(rows: list[dict[str, object]], k: int) -> None:
    given_rows = table(rows)
    quasi = {name: QUASI[name] for name in ("t", "dn", "c")}
    made = anonymise(given_rows, Wanted(k, quasi, ()))
    who, named = subjects([plain(given_rows[name].combine_chunks()) for name in given_rows.schema.names], len(rows))
    ladders = [levels(anonymous(given_rows[name].combine_chunks()), ladder) for name, ladder in quasi.items()]
    least = 1.0
    for node in itertools.product(*ladders):
        keys = list(zip(named.tolist(), *(map(repr, step.values.to_pylist()) for step in node), strict=True))
        members = defaultdict(set)
        for key, each in zip(keys, who.tolist(), strict=True):
            members[key].add(each)
        kept = sum(len(members[key]) >= k for key in keys) / len(rows)
        least = min(least, sum(step.loss for step in node) / len(node) * kept + 1 - kept)
    assert made.loss == pytest.approx(least)


def anonymous(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    return pa.array(
        [each and each.replace("~", " ~").split(" ~")[0] if each in WHO else each for each in column.to_pylist()]
    )


def meanings(values: pa.Array, ladder: Ladder) -> dict[str, list[object]]:
    return {step.meaning: step.values.to_pylist() for step in levels(values, ladder)}


def test_times_become_the_beginning_of_their_bucket() -> None:
    moment = datetime(2026, 3, 1, 12, 34, 56, 789, tzinfo=UTC)
    early = datetime(1969, 12, 31, 23, 59, 1, tzinfo=UTC)
    found = meanings(pa.array([moment, early], pa.timestamp("us", tz="UTC")), Ladder.TIME)
    assert found["15 min"] == [datetime(2026, 3, 1, 12, 30, tzinfo=UTC), datetime(1969, 12, 31, 23, 45, tzinfo=UTC)]
    assert found["1 day"] == [datetime(2026, 3, 1, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)]
    assert found[ANY] == [None, None]


def test_numbers_lose_their_digits_and_objects_their_last_parts() -> None:
    found = meanings(pa.array([0, 7, 1234, 98765, None]), Ladder.NUMBER)
    assert found["2 significant digits"] == [0, 7, 1200, 98000, None]
    assert found["1 significant digit"] == [0, 7, 1000, 90000, None]
    assert found["power of ten"] == [0, 1, 1000, 10000, None]
    assert meanings(pa.array([0.3, -12.5]), Ladder.NUMBER)["1 significant digit"] == pytest.approx([0.3, -20.0])
    assert meanings(pa.array(["A=1,B=2,C=3", "A=1"]), Ladder.OBJECT) == {
        "as it is": ["A=1,B=2,C=3", "A=1"],
        "the first 2 parts of the name": ["A=1,B=2", "A=1"],
        "the first 1 parts of the name": ["A=1", "A=1"],
        ANY: [None, None],
    }
    assert meanings(pa.array([(5 << 14) + 7]), Ladder.CELL)["its gNB"] == [5]


@pytest.mark.parametrize("ladder", list(Ladder))
def test_each_step_only_merges_what_the_one_before_told_apart(ladder: Ladder) -> None:
    chance = np.random.default_rng(5)
    values = {
        Ladder.TIME: pa.array(chance.integers(0, 10**14, 400), pa.timestamp("us", tz="UTC")),
        Ladder.OBJECT: pa.array([",".join(map(str, chance.integers(0, 3, 4))) for _ in range(400)]),
    }.get(ladder, pa.array(chance.integers(0, 10**5, 400)))
    for finer, coarser in itertools.pairwise(levels(values, ladder)):
        pairs = set(zip(finer.codes.tolist(), coarser.codes.tolist(), strict=True))
        assert len(pairs) == len(set(finer.codes.tolist()))
        assert finer.loss < coarser.loss


def test_a_person_with_two_numbers_in_one_row_counts_once_everywhere() -> None:
    imsi, msisdn, other = WHO[0], MASK.text("msisdn-491711234567"), WHO[1]
    address = MASK.text("10.0.0.1")
    column = pa.array([f"{imsi} {msisdn}", msisdn, imsi, other, f"{other} {address}", address, None, "x"])
    who, named = subjects([column], len(column))
    assert who[0] == who[1] == who[2] != who[3] == who[4]
    assert who[5] not in {who[0], who[3]}
    assert len({*who[5:].tolist()}) == 3
    assert named.tolist() == [True] * 6 + [False] * 2


def test_many_rows_of_one_person_are_no_crowd() -> None:
    rows = pa.table({"c": ["a"] * 30, "who": [WHO[0]] * 30})
    assert anonymise(rows, Wanted(2, {"c": Ladder.CATEGORY}, ())).suppressed == 30
    assert smallest_class(rows.select(["c"]), ["c"]) == 30


def test_columns_of_many_values_are_told_apart_beyond_64_bits() -> None:
    values = [f"v{at // 2}" for at in range(20_000)]
    rows = pa.table({f"c{at}": values for at in range(5)} | {"odd": ["x"] * 19_999 + ["y"]})
    made = anonymise(rows, Wanted(2, dict.fromkeys(rows.schema.names, Ladder.EXACT), ()))
    assert (made.suppressed, made.class_sizes[0], len(made.class_sizes)) == (2, 2, 9_999)


def test_rows_are_sorted_so_that_their_order_tells_nothing() -> None:
    rows = pa.table({"c": ["b", "a"] * 20, "s": [str(at % 7) for at in range(40)]})
    made = anonymise(rows, Wanted(2, {"c": Ladder.CATEGORY}, ("s",)))
    told = [(each["c"], each["s"]) for each in made.rows.to_pylist()]
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Wanted(2, {"z": Ladder.TIME}, ()), "unknown-column"),
        (Wanted(2, {"c": Ladder.CATEGORY}, ("c",)), "column-twice"),
        (Wanted(2, {"c": Ladder.CATEGORY}, (), diverse=(("s", 2),)), "not-kept"),
    ],
)
def test_columns_that_cannot_be_used_are_told(wanted: Wanted, code: str) -> None:
    with pytest.raises(UsageError, match=code):
        anonymise(pa.table({"c": ["a"], "s": ["b"]}), wanted)


def test_too_many_columns_are_told_and_not_searched() -> None:
    rows = pa.table({f"c{at}": [str(each) for each in range(2)] for at in range(20)})
    with pytest.raises(UsageError, match="too-many-columns"):
        anonymise(rows, Wanted(2, dict.fromkeys(rows.schema.names, Ladder.CATEGORY), ()))


def test_a_spec_names_tables_columns_and_ladders() -> None:
    text = "tables: {logs: {mode: aggregate, quasi: {ts: time}, keep: [app], measures: [severity_number]}}"
    spec = load_spec(text, "spec.yaml").tables["logs"]
    assert (spec.mode, spec.quasi, spec.keep) == (Mode.AGGREGATE, {"ts": Ladder.TIME}, ("app",))
    assert set(default_spec().tables) == {"logs", "alarm_events", "flows", "telemetry", "pm_counters"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: [", "yaml-syntax"),
        ("tables: {}", "tables"),
        ("tables: {logs: {quasi: {ts: hours}}}", "tables.logs.quasi.ts"),
        ("tables: {logs: {quasi: {ts: time}, kep: []}}", "did you mean 'keep'"),
        ("tables: {logs: {quasi: {ts: time}, measures: [a]}}", "aggregates have measures"),
        ("- 1", "the document"),
    ],
)
def test_a_wrong_spec_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_spec(text, "spec.yaml")
