from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.templates import ALTERNATIVES, Miner, mask, mine, template_id

LOGS = Path(os.environ.get("CELLWRIGHT_DATA") or Path(__file__).parents[2] / "../shared/data") / "logs"
NAMES = ("anna", "bruno", "chiara", "dora", "emil", "fred", "greta")
WORDS = st.sampled_from([*NAMES, "session", "opened", "for", "user", "link", "=", ":", "7", "10.0.0.1", "(", ")"])
LINES = st.lists(st.lists(WORDS, max_size=7).map(" ".join), min_size=1, max_size=40)


def grouped(lines: list[str]) -> dict[str, str]:
    """Return the template of each line."""
    mined = mine(lines)
    return {line: mined.templates[code] for line, code in zip(lines, mined.codes, strict=True)}


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("Invalid user test9 from 173.234.31.186", "Invalid user * from *"),
        ("connection from 82.68.222.194 (host.example.org) at Sun Jul 10 13:17:22 2005", "connection from * at *"),
        ("connection from 82.68.222.194 () at Wed Jun  1 03:17:22 2005", "connection from * at *"),
        ("blk_-160899 of size 67108864 from /10.250.10.6", "* of size * from *"),
        ("cannot open /etc/app.conf: no such file", "cannot open * no such file"),
        (r"cannot open C:\app\settings.ini", "cannot open *"),
        ("GET https://example.org/a?b=c done", "GET * done"),
        ("and/or stays as it is", "and/or stays as it is"),
        ("sent 451 bytes (0.4 KB) in 3 ms, 7 retries", "sent * in * retries"),
        ("flags ffffffff DEADBEEF", "flags *"),
        ("java.lang.IllegalStateException", "java.lang.IllegalStateException"),
        ("lookup of ntp.example.org failed", "lookup of * failed"),
        ("cells 1, 2; 3", "cells *"),
        ("peer ip~twjvgggnzpkhwwjqptzg.example.net and ~ alone", "peer * and ~ alone"),
        ("", ""),
    ],
)
def test_what_varies_by_its_shape_is_masked(line: str, masked: str) -> None:
    assert mask([line]).to_pylist() == [masked]


def test_words_that_name_many_things_in_one_place_are_a_parameter_and_states_are_not() -> None:
    lines = [f"session {state} for user {name}" for state in ("opened", "closed") for name in NAMES]
    assert set(mine(lines).templates) == {"session opened for user *", "session closed for user *"}


def test_one_word_fewer_is_no_parameter() -> None:
    lines = [f"session opened for user {name}" for name in NAMES[: ALTERNATIVES - 1]]
    assert len(mine(lines).templates) == len(lines)


def test_places_widen_one_after_the_other() -> None:
    lines = [f"session opened for user {name} by {other}" for name in NAMES for other in NAMES]
    assert mine(lines).templates == ("session opened for user * by *",)


def test_a_line_new_in_two_places_finds_its_template() -> None:
    miner = Miner()
    miner.add(f"session opened for user {name} by {other}" for name in NAMES for other in NAMES)
    assert miner.template("session opened for user zoe by yves") == "session opened for user * by *"
    assert miner.template("session opened by yves for user zoe") == "session opened by yves for user zoe"


def test_first_words_and_lines_of_two_words_stay_apart() -> None:
    lines = [f"{name} has left" for name in NAMES] + [f"state {name}" for name in NAMES]
    assert len(mine(lines).templates) == len(lines)


@given(LINES, st.randoms(use_true_random=False))
def test_the_order_of_lines_is_of_no_matter(lines: list[str], chance: object) -> None:
    shuffled = list(lines)
    chance.shuffle(shuffled)
    assert grouped(lines) == grouped(shuffled)


@given(LINES, LINES)
def test_more_lines_never_split_a_template(lines: list[str], more: list[str]) -> None:
    before, after = grouped(lines), grouped(lines + more)
    for template in set(before.values()):
        assert len({after[line] for line in lines if before[line] == template}) == 1


@given(LINES, LINES)
def test_learning_in_steps_is_learning_at_once(lines: list[str], more: list[str]) -> None:
    miner = Miner()
    for each in (lines, more):
        miner.add(mask(each).to_pylist())
    after = grouped(lines + more)
    for line in lines + more:
        assert miner.template(mask([line]).to_pylist()[0]) == after[line]


@given(st.lists(st.text(), max_size=8))
def test_any_text_has_one_template_a_line_and_no_digit_is_left(lines: list[str]) -> None:
    mined = mine(lines)
    assert len(mined.codes) == len(lines)
    assert not re.search("[0-9]", "".join(mined.templates))
    assert mask(lines).to_pylist() == [mask([line]).to_pylist()[0] for line in lines]


def test_columns_of_the_lake_are_taken_as_they_are() -> None:
    column = pa.chunked_array([pa.array(["a 1", None]), pa.array(["a 2"])])
    assert mine(column).codes.tolist() == [0, 1, 0]
    assert mine(column[:0]).templates == ()
    assert mine([]).templates == ()


def test_codes_follow_the_first_line_of_each_template() -> None:
    assert mine(["b 1", "a 1", "b 2"]).templates == ("b *", "a *")


def test_memory_is_bounded_and_what_was_learnt_stays() -> None:
    miner = Miner(limit=60)
    miner.add(f"session opened for user {name}" for name in NAMES)
    for number in range(400):
        miner.add([f"one-off {'x' * number} line of words"])
        assert len(miner) <= 61
    assert miner.template("session opened for user zoe") == "session opened for user *"


def test_a_line_without_end_costs_no_more_than_its_beginning() -> None:
    miner = Miner()
    long = " ".join(["word"] * 100_000)
    miner.add([long])
    assert miner.template(long) == long
    assert len(miner) == 1


def test_a_template_is_named_by_its_content() -> None:
    assert template_id("session opened for user *") == "9336c8eeb55b43cf"


@pytest.mark.data
@pytest.mark.parametrize(("name", "most"), [("Linux", 140), ("OpenSSH", 30), ("OpenStack", 60)])
def test_real_logs_have_few_templates(name: str, most: int) -> None:
    path = LOGS / f"{name}_2k.log"
    if not path.is_file():
        pytest.skip(f"no {path} (CELLWRIGHT_DATA)")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    assert len(mine(lines).templates) <= most
