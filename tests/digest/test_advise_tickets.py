from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ticket_lists import history, ticket

from cellwright.digest.advise_symptoms import Symptoms
from cellwright.digest.advise_tickets import Resolutions

NOTHING = Symptoms()


def written(*resolutions: str) -> list[str | None]:
    tickets = [ticket(number, NOTHING, resolution=text) for number, text in enumerate(resolutions)]
    found = Resolutions(tickets)
    return [found.name(each) for each in tickets]


def test_texts_that_differ_in_numbers_and_letter_case_are_one_resolution() -> None:
    assert len({*written("Replaced SFP in port 12", "replaced sfp in port 7", "REPLACED SFP IN PORT")}) == 1


def test_near_duplicates_join_the_frequent_form_and_others_do_not() -> None:
    names = written("fibre spliced", "fibre spliced", "fibre was spliced", "battery replaced")
    assert names == ["fibre spliced"] * 3 + ["battery replaced"]


def test_a_code_is_the_resolution_and_lends_its_name_to_the_texts_of_its_group() -> None:
    coded = [ticket(number, NOTHING, "FIBRE-1", "fibre spliced") for number in range(2)]
    found = Resolutions([*coded, ticket(2, NOTHING, resolution="fibre was spliced")])
    assert found.name(ticket(3, NOTHING, resolution="Fibre spliced again")) == "FIBRE-1"
    assert found.name(ticket(4, NOTHING, "POWER-1", "fibre spliced")) == "POWER-1"
    assert found.texts["FIBRE-1"] == "fibre spliced"


def test_a_group_whose_codes_disagree_keeps_its_words() -> None:
    found = Resolutions([ticket(0, NOTHING, "A", "rebooted"), ticket(1, NOTHING, "B", "rebooted")])
    assert found.name(ticket(2, NOTHING, resolution="rebooted")) == "rebooted"


def test_a_text_unlike_all_learned_ones_is_no_known_resolution() -> None:
    found = Resolutions(history(9, coded=False))
    assert found.name(ticket(10, NOTHING, resolution="sent a letter")) is None
    assert found.name(ticket(10, NOTHING)) is None


@given(st.lists(st.text("abc de", max_size=12), max_size=12))
def test_every_learned_text_with_words_has_a_resolution_whatever_the_order(texts: list[str]) -> None:
    names = written(*texts)
    assert dict(zip(texts, names, strict=True)) == dict(zip(texts[::-1], written(*texts[::-1]), strict=True))
