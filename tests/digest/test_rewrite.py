"""A model's prose passes only where it says what the digest says."""

from __future__ import annotations

import pytest

from cellwright.digest.rewrite import rewrite_flaws
from cellwright.digest.text import decode

DIGEST = """\
incident h4829173650 at 2026-01-05T12:00:00Z for 42 s: 9 alarms, 3 elements, 2 types in north
type: elements by onset; @ seconds after start; * times raised; ! not cleared; > probable root; \
major unless [given]; elements begin Device=
LINK DOWN>: 404@0*3! 381@1
BER [minor]: 17@2*4 404@3"""
FACTS = decode(DIGEST)
PROSE = """\
In north, 9 alarms of 2 types came from 3 elements within 42 s from 2026-01-05T12:00:00Z on.
The probable root is LINK DOWN; the highest severity is major.

LINK DOWN came first on Device=404, 3 times and not cleared, and a second later on Device=381.

BER was raised 4 times on Device=17 after 2 seconds, and on Device=404."""


def test_prose_that_says_all_and_no_more_passes() -> None:
    assert rewrite_flaws(FACTS, PROSE) == ()
    assert rewrite_flaws(FACTS, PROSE.replace("Device=", "")) == ()
    assert rewrite_flaws(FACTS, f"**Summary**\n\n{PROSE}\n\nAll in all a major root of trouble.") == ()


@pytest.mark.parametrize(
    ("said", "instead", "flaw"),
    [
        (" and a second later on Device=381", " and later on another", "loses Device=381 under LINK DOWN"),
        ("Device=17", "one", "loses Device=17 under BER"),
        (", and on Device=404.", ".", "loses Device=404 under BER"),
        ("LINK DOWN came", "A fault came", "loses Device=404 under LINK DOWN"),
        ("4 times", "47 times", "adds the number 47"),
        ("9 alarms", "1,009 alarms", "adds the number 1009"),
        ("on Device=17", "on Device=17 and Device=99", "adds the name Device=99"),
        ("on Device=17", "on Device=17 and Cell=x", "adds the name Cell=x"),
        ("T12:00:00Z", "T13:00:00Z", "adds the number"),
        ("severity is major", "severity is unknown", "loses the highest severity, major"),
        ("severity is major", "severity is major, not critical", "adds the severity critical"),
        ("BER was raised", "BER, a major alarm, was raised", "calls BER major, which is minor"),
        ("root is LINK DOWN", "root is BER", "calls BER a root"),
        ("root is LINK DOWN", "root is BER", "loses the probable root, LINK DOWN"),
        ("The probable root is LINK DOWN; the", "The", "loses the probable root, LINK DOWN"),
    ],
)
def test_what_is_lost_or_added_is_named(said: str, instead: str, flaw: str) -> None:
    assert said in PROSE
    flaws = rewrite_flaws(FACTS, PROSE.replace(said, instead, 1))
    assert any(found.startswith(flaw) for found in flaws), flaws


def test_an_element_that_begins_like_another_is_not_taken_for_it() -> None:
    facts = decode(DIGEST.replace("17@2*4", "40@2*4"))
    prose = PROSE.replace("Device=17", "Device=40")
    assert rewrite_flaws(facts, prose) == ()
    assert rewrite_flaws(facts, prose.replace("Device=40 ", "Device=404 ")) == ("loses Device=40 under BER",)


def test_a_paragraph_that_names_all_types_and_elements_at_once_says_nothing_of_who_had_what() -> None:
    flaws = rewrite_flaws(FACTS, "LINK DOWN and BER came on Device=404, Device=381 and Device=17.")
    assert "loses Device=404 under LINK DOWN" in flaws
    assert "adds Device=381 under BER" in flaws
    assert rewrite_flaws(FACTS, PROSE.replace("\n\n", " ")) == ()


def test_numbers_that_stick_to_words_count() -> None:
    assert rewrite_flaws(FACTS, PROSE.replace("42 s", "42s")) == ()
    assert rewrite_flaws(FACTS, PROSE.replace("9 alarms", "99alarms")) == ("adds the number 99",)


def test_what_began_first_is_told_first() -> None:
    head, link, ber = PROSE.split("\n\n")
    assert rewrite_flaws(FACTS, f"{head}\n\n{ber}\n\n{link}") == ("tells BER before LINK DOWN",)
    swapped = PROSE.replace("Device=404, 3", "Device=9, 3").replace("Device=381", "Device=404").replace("=9,", "=381,")
    assert rewrite_flaws(FACTS, swapped) == ("tells Device=381 before Device=404 under LINK DOWN",)


def test_a_type_whose_name_another_begins_with_says_neither_severity_nor_root() -> None:
    names = ("ROOT PORT", "ROOT PORT CRITICAL")
    digest, prose = (text.replace("LINK DOWN", names[0]).replace("BER", names[1]) for text in (DIGEST, PROSE))
    assert rewrite_flaws(decode(digest), prose) == ()


def test_roots_that_elements_flag_are_roots_too() -> None:
    facts = decode(
        DIGEST.replace("> probable root; ", "^ root cause by its element; ").replace("N>", "N").replace("3!", "3^!")
    )
    assert rewrite_flaws(facts, PROSE) == ()
    assert rewrite_flaws(facts, PROSE.replace("root is", "place is")) == ("loses the probable root, LINK DOWN",)


def test_nothing_loses_everything() -> None:
    assert len(rewrite_flaws(FACTS, "")) == 6
