from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from format_kit import Outcome, Trickle, check_conservation, mutated, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.long_lines import bounded_lines
from cellwright.telemetry.formats.openmetrics import OpenMetrics
from cellwright.telemetry.formats.openmetrics_samples import InvalidError, read_sample

CASES = sorted((Path(__file__).parent.parent / "cases" / "telemetry" / "openmetrics").iterdir())
SEEDS = [path.read_bytes() for path in CASES if ".expected" not in path.name]
FRAGMENTS = [b"\n", b"#", b"# TYPE a counter\n", b"# EOF\n", b" ", b"{", b"}", b'"', b"\\", b"=", b",", b"1e9"]
FRAGMENTS += [b"a 1", b"NaN", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\x0b", b"9" * 600, b"\t"]
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(FRAGMENTS)), max_size=4)
NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=6),
    max_size=3,
)
VALUES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats())


def _read(text: str) -> Outcome:
    return check_conservation(OpenMetrics(), text.encode())


def _written(name: str, labels: dict[str, str], value: float, ts: float | None) -> str:
    escaped = (
        (key, text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')) for key, text in labels.items()
    )
    inside = ",".join(f'{key}="{text}"' for key, text in escaped)
    number = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if value != value else repr(value))  # noqa: PLR0124 - NaN
    return f"{name}{{{inside}}} {number}" + ("" if ts is None else f" {ts}") + "\n"


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(SEEDS), EDITS, st.integers(0, 10**6))
def test_damaged_files_conserve_every_fact(seed: bytes, edits: list[tuple[int, int, bytes]], cut: int) -> None:
    damaged = mutated(seed, edits)
    check_conservation(OpenMetrics(), damaged if edits else damaged[: cut % (len(damaged) + 1)])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=30))
def test_any_bytes_conserve_every_fact(pieces: list[bytes]) -> None:
    check_conservation(OpenMetrics(), b"".join(pieces))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(NAMES, LABELS, VALUES, st.one_of(st.none(), st.integers(0, 10**9))), max_size=5))
def test_what_was_written_comes_back(samples: list[tuple[str, dict[str, str], float, int | None]]) -> None:
    rows = _read("".join(_written(*sample) for sample in samples) + "# EOF\n").only("telemetry")
    assert len(rows) == len(samples)
    for row, (name, labels, value, ts) in zip(rows, samples, strict=True):
        assert (row["path"], dict(row["keys"])) == (name, labels)
        kept = row["value_i64"] if row["value_f64"] is None else row["value_f64"]
        assert repr(kept) == repr(value)
        assert (row["ts"].timestamp() if row["ts"] else None) == ts


def test_what_is_read_does_not_depend_on_how_the_bytes_arrive() -> None:
    for seed in SEEDS:
        assert repr(read(OpenMetrics(), seed, Trickle)) == repr(read(OpenMetrics(), seed))


@pytest.mark.parametrize(
    ("text", "seconds", "flags"),
    [
        ("a 1 1772323200123\n", 1_772_323_200.123, []),
        ("a 1 1772323200\n", 1_772_323_200, ["seconds-assumed"]),
        ("a 1 1772323200.5\n# EOF\n", 1_772_323_200.5, []),
        ("a 1 1772323200\n# EOF", 1_772_323_200, []),
    ],
)
def test_the_end_of_the_file_says_the_unit_of_its_times(text: str, seconds: float, flags: list[str]) -> None:
    (row,) = _read(text).only("telemetry")
    assert (row["ts"].timestamp(), row["dq_flags"]) == (seconds, flags)


def test_integers_beyond_64_bits_are_flagged() -> None:
    rows = _read("a 9223372036854775807\na 9223372036854775808\na 18446744073709551615\n").only("telemetry")
    assert [row["value_i64"] for row in rows] == [2**63 - 1, None, None]
    assert [row["dq_flags"] for row in rows] == [[], ["beyond-int64"], ["beyond-int64"]]


@pytest.mark.parametrize(
    "text", ['a{b="' + '\\"' * 100_000, "a{" + 'b="c",' * 50_000, "a" * 500_000, " " * 500_000 + "a"]
)
def test_a_long_line_is_answered_at_once(text: str) -> None:
    with pytest.raises(InvalidError):
        read_sample(text)


def test_a_line_beyond_the_limit_is_cut_and_the_next_is_whole() -> None:
    lines = list(bounded_lines(io.BytesIO(b"\xef\xbb\xbfab\r\n" + b"x" * 20 + b"\nc\n" + b"y" * 9), longest=8))
    assert [(line.number, line.raw, line.is_cut) for line in lines] == [
        (1, b"ab", False),
        (2, b"x" * 8, True),
        (3, b"c", False),
        (4, b"y" * 8, True),
    ]


@pytest.mark.parametrize(
    ("head", "name", "is_detected"),
    [
        (b"# HELP a b\n# TYPE a gauge\n", "x", True),
        (b"# EOF\n", "x", True),
        (b'a{b="c"} 1\nd 2\n', "x", True),
        (b"a 1\nb 2\n", "node.prom", True),
        (b"a 1\nb 2\n", "x", False),
        (b"# TYPE of thing\nhello world\n", "x", False),
        (b"# a comment\n[section]\n", "x", False),
        (b"", "x", False),
    ],
)
def test_a_file_is_known_by_its_metadata_or_its_labels(head: bytes, name: str, is_detected: bool) -> None:  # noqa: FBT001 - a case
    assert OpenMetrics().detects(head, name) is is_detected


def test_the_count_does_not_come_from_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellwright.telemetry.formats.openmetrics.read_sample", lambda _: None)
    assert OpenMetrics().count_facts(io.BytesIO(b"\n# TYPE a b\n  # x\na 1\n \t\r\nbad\nlast")) == 3
