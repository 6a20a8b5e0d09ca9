from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from format_kit import Outcome, Trickle, check_conservation, mutated, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.gnmi import Gnmi
from cellwright.telemetry.formats.gnmi_count import count_documents
from cellwright.telemetry.formats.gnmi_paths import InvalidError, Place, follow_text

CASES = sorted((Path(__file__).parent.parent / "cases" / "telemetry" / "gnmi").glob("*.*json"))
SEEDS = [path.read_bytes() for path in CASES if ".expected" not in path.name]
FRAGMENTS = [
    b'{"update":{"update":[',
    b'{"updates":[{"Path":"a[b=c]","values":{"a":[1,{"b":null}]}}',
    b'{"timestamp":1,"tags":{},"values":{',
    b'"jsonIetfVal":"eyJhIjpbMSwyXX0="',
    b'"jsonVal":{"a":[]}',
    b'"val":',
    b'"delete":[1,{}',
    b"{}",
    b"\n{",
    b"}",
    b"]",
    b"[",
    b'"',
    b"\\",
    b"NaN",
    b"5 ",
    b"[" * 80,
    b"9" * 5000,
    b"\\ud800",
    b"\xff",
    b"null",
    b",",
    b":",
]
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(FRAGMENTS)), max_size=4)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=4)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**64), 2**64), st.floats(allow_nan=False, allow_infinity=False), TEXT
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
ENCODED = st.builds(lambda value: base64.b64encode(json.dumps(value).encode()).decode(), JSON)
VALS = st.one_of(
    st.builds(lambda value: {"jsonVal": value}, st.one_of(JSON, ENCODED)),
    st.builds(lambda value: {"json_ietf_val": value}, ENCODED),
    st.dictionaries(st.sampled_from(["intVal", "stringVal", "boolVal", "leaflistVal", "decimalVal"]), JSON, max_size=2),
)
PATHS = st.one_of(st.none(), st.just({"elem": [{"name": "a", "key": {"k": "v"}}]}), JSON)
UPDATES = st.lists(st.one_of(st.builds(lambda path, val: {"path": path, "val": val}, PATHS, VALS), JSON), max_size=4)


def _read(*documents: object) -> Outcome:
    return check_conservation(Gnmi(), "\n".join(json.dumps(document) for document in documents).encode())


def _update(val: object, *names: str) -> dict[str, Any]:
    path = {"elem": [{"name": name} for name in names]}
    return {"update": {"timestamp": "1772323200000000000", "update": [{"path": path, "val": val}]}}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SEEDS), EDITS, st.integers(0, 10**6))
def test_damaged_files_conserve_every_fact(seed: bytes, edits: list[tuple[int, int, bytes]], cut: int) -> None:
    damaged = mutated(seed, edits)
    check_conservation(Gnmi(), damaged if edits else damaged[: cut % (len(damaged) + 1)])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=30))
def test_any_bytes_conserve_every_fact(pieces: list[bytes]) -> None:
    check_conservation(Gnmi(), b"".join(pieces))


@settings(deadline=None, max_examples=300)
@given(UPDATES, st.lists(JSON, max_size=3), st.dictionaries(TEXT, JSON, max_size=3), st.sampled_from([None, 1]))
def test_the_leaves_of_any_json_are_counted_as_they_are_read(
    updates: list[Any], deletes: list[Any], values: dict[str, Any], indent: int | None
) -> None:
    documents = [
        {"update": {"timestamp": "1", "update": updates, "delete": deletes}},
        {"timestamp": 1, "updates": [{"Path": "a[k=v]/b", "values": values}, *deletes], "deletes": deletes},
        {"timestamp": 1, "tags": values, "values": values},
        {"update": updates, "values": values},
    ]
    outcome = check_conservation(Gnmi(), "\n".join(json.dumps(each, indent=indent) for each in documents).encode())
    assert "malformed-json" not in [code for code, _, _ in outcome.codes()]


def test_what_is_read_does_not_depend_on_how_the_bytes_arrive() -> None:
    for seed in SEEDS:
        assert repr(read(Gnmi(), seed, Trickle)) == repr(read(Gnmi(), seed))


@given(TEXT.filter(bool), TEXT)
def test_keys_come_back_however_they_are_escaped(key: str, value: str) -> None:
    def escape(text: str) -> str:
        return "".join("\\" + letter if letter in "\\]=[" else letter for letter in text)

    name = "".join(letter for letter in key if letter not in "\\]=[")
    if not name:
        return
    place = follow_text(Place(), f"/mod:a/b[{name}={escape(value)}]/c")
    assert (place.path(), place.keys) == ("/a/b/c", {f"b.{name}": value})


@pytest.mark.parametrize("text", ["a[b", "[a=b]", "a]b", "a[=b]", "a\\", 5])
def test_a_path_that_is_none_is_refused(text: object) -> None:
    with pytest.raises(InvalidError):
        follow_text(Place(), text)


def test_a_key_that_two_elements_share_names_the_whole_path_of_the_second() -> None:
    assert follow_text(Place(), "a[k=1]/b/a[k=2]").keys == {"a.k": "1", "a/b/a.k": "2"}


@pytest.mark.parametrize("text", ["18446744073709551615", "-9223372036854775809"])
def test_integers_beyond_64_signed_bits_are_flagged(text: str) -> None:
    (row,) = _read(_update({"jsonVal": {"n": text}}, "a")).only("telemetry")
    assert (row["value_f64"], row["value_text"], row["dq_flags"]) == (float(text), text, ["beyond-int64"])


def test_json_in_base64_says_the_same_as_json_in_place() -> None:
    value = {"counters": {"in": "5", "list": [{"name": "x", "v": 1}]}, "up": True}
    encoded = base64.b64encode(json.dumps(value).encode()).decode()
    kinds = [{"jsonIetfVal": encoded}, {"jsonIetfVal": value}, {"jsonVal": encoded.rstrip("=")}]
    first, second, third = (_read(_update(kind, "interfaces")).only("telemetry") for kind in kinds)
    assert first == second == third
    assert [row["path"] for row in first][1:3] == ["/interfaces/counters/list/name", "/interfaces/counters/list/v"]
    assert first[2]["keys"] == [("list.name", "x")]


def test_a_deeply_nested_value_is_refused_without_harm() -> None:
    encoded = base64.b64encode(b"[" * 100_000 + b"1" + b"]" * 100_000).decode()
    assert _read(_update({"jsonVal": encoded}, "a")).codes() == [("invalid-update", 1, 1)]


@pytest.mark.parametrize("opening", [b"[", b'{"update":', b'{"updates":[{"values":{"a":['])
def test_brackets_without_end_are_counted_and_refused_in_little_memory(opening: bytes) -> None:
    outcome = check_conservation(Gnmi(), opening * 200_000)
    assert outcome.facts < 10
    assert not outcome.rows


def test_a_document_of_many_facts_comes_in_batches() -> None:
    values = {f"/a[k={number}]": number for number in range(40_000)}
    data = json.dumps({"timestamp": 1, "tags": {}, "values": values}).encode()
    sizes = [batch.tables["telemetry"].num_rows for batch in Gnmi().parse(io.BytesIO(data))]
    assert (sum(sizes), max(sizes)) == (40_000, 16_384)


def test_the_lines_of_refused_updates_are_those_of_the_file() -> None:
    document = {"timestamp": 1, "updates": [{"Path": "a[", "values": {"a": number}} for number in range(50)]}
    text = json.dumps(document, indent=1)
    codes = check_conservation(Gnmi(), text.encode()).codes()
    assert [line for _, _, line in codes] == [at for at, line in enumerate(text.split("\n"), 1) if line == "  {"]


def test_the_count_does_not_come_from_the_parser() -> None:
    assert count_documents(b'{"update":{"update":[{"val":{"jsonVal":{"a":[1,2,{"b":null}]}}},{},5') == 5
    assert count_documents(b'{"values":{"a":1,"b":{},"c":[1,2') == 4


def test_only_notifications_are_detected() -> None:
    assert Gnmi().detects(b'{"syncResponse":true}', "x")
    assert not Gnmi().detects(b'{"update":1}', "x")
    assert not Gnmi().detects(b'{"event":{"timestamp":1,"updates":[]}}', "x")
    assert not Gnmi().detects(b'{"timestamp":"2026-03-01T00:00:00Z","message":"log"}', "x")
