"""Tables on screens of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from cellwright.cli.console import heading, note, say, table, wrapped

if TYPE_CHECKING:
    import pytest


@given(st.text("ab,/=-_. ", max_size=60), st.integers(1, 30))
def test_wrapping_keeps_every_sign_and_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width).split("\n")
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_names_break_behind_signs_and_words_only_where_they_must() -> None:
    assert wrapped("LossOfSignal on ManagedElement=rtr-agg-1,Port=to-rtr-core-1", 22).split("\n") == [
        "LossOfSignal on",
        "ManagedElement=",
        "rtr-agg-1,Port=",
        "to-rtr-core-1",
    ]
    assert wrapped("rtr-aggregation-one", 12).split("\n") == ["rtr-", "aggregation-", "one"]
    assert wrapped("aggregation", 4).split("\n") == ["aggr", "egat", "ion"]


def test_a_table_takes_room_from_its_widest_column_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table(None, ("name", "what"), [("q8400851813", "LossOfSignal on Port=1,Line=22,Lane=333")])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "name         what",
        "q8400851813  LossOfSignal on Port=1,",
        "             Line=22,Lane=333",
    ]
    monkeypatch.setenv("COLUMNS", "20")
    table(None, ("name", "what"), [("q8400851813", "LossOfSignal")])
    assert capsys.readouterr().out.splitlines() == ["name  q8400851813", "what  LossOfSignal", ""]
    monkeypatch.setenv("COLUMNS", "80")
    table(None, ("name", "what"), [])
    assert capsys.readouterr().out.split() == ["name", "what"]


def test_names_from_outside_do_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b[31m\x9b2J\x07\u202eb"
    for tell in (say, note, heading, lambda text: table(None, ("name",), [(text,)])):
        tell(f"{name}\n\tü漢")
    told = "".join(capsys.readouterr())
    assert set(told) - set("\n\t") == {each for each in told if each.isprintable()}
    assert told.count("a [31m 2J  b") == 4
    assert told.count("ü漢") == 4
