from __future__ import annotations

from alarm_tables import alarm_table, simple
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.advise_symptoms import Kind, Symptoms, error_codes, symptoms_of, terms, together, words
from cellwright.digest.alarms import alarms_of


def of_kind(symptoms: Symptoms, kind: Kind) -> set[str]:
    return {what for each, what in terms(symptoms) if each is kind}


def test_words_part_camel_case_and_leave_out_numbers_and_who_a_pseudonym_is() -> None:
    assert list(words("LossOfSignal at km 12, IMSI imsi~abcdefgh2345 on IoT")) == [
        *("loss", "of", "signal", "at", "km", "imsi", "imsi", "on", "iot")
    ]


def test_codes_are_told_from_quantities_times_and_pseudonyms() -> None:
    text = "ORA-00942 and 0x8007, los-2041; 42 3dB 14:10 2026-03-01T10:00:00Z 99.5% ip~abcdefgh2345"
    assert list(error_codes(text)) == ["ORA-00942", "0X8007", "LOS-2041"]


def test_an_event_sequence_counts_as_types_and_as_what_followed_what() -> None:
    one = Symptoms(alarm_types=("LossOfSignal/No light", "LinkDown"))
    assert of_kind(one, Kind.EVENT) == {"lossofsignal", "linkdown"}
    assert of_kind(one, Kind.SEQUENCE) == {"lossofsignal first", "lossofsignal, then linkdown"}
    turned = Symptoms(alarm_types=("LinkDown", "LossOfSignal"))
    assert of_kind(turned, Kind.SEQUENCE).isdisjoint(of_kind(one, Kind.SEQUENCE))


def test_alarm_types_count_as_words_so_that_a_ticket_of_text_alone_can_match() -> None:
    alarms = Symptoms(alarm_types=("LossOfSignal/No optical signal received",))
    assert {"optical", "signal", "loss"} <= of_kind(alarms, Kind.WORD) & of_kind(
        Symptoms("Loss of optical signal on port"), Kind.WORD
    )


def test_the_name_of_the_element_in_trouble_is_no_error_code() -> None:
    symptoms = Symptoms("rtr-agg-1 shows LOS-2041", elements=("ManagedElement=rtr-agg-1,Port=2",))
    assert of_kind(symptoms, Kind.CODE) == {"LOS-2041"}
    assert of_kind(symptoms, Kind.ELEMENT) == {"managedelement", "rtr agg", "port"}


def test_an_incident_says_its_types_by_onset_where_it_began_and_what_its_fields_call_codes() -> None:
    rows = [
        simple(5, "gnb-2", "CELL DOWN", perceived_severity="MINOR"),
        simple(
            0,
            "rtr-1",
            "LOS ALM-77",
            perceived_severity="CRITICAL",
            additional=[("errorCode", "SFP-13"), ("serial", "X-99")],
        ),
    ]
    found = symptoms_of(alarms_of(alarm_table(rows)))
    assert found == Symptoms("", ("LOS ALM-77", "CELL DOWN"), ("SFP-13", "ALM-77"), ("rtr-1",), "CRITICAL")


def test_what_is_put_together_keeps_the_texts_and_one_event_sequence() -> None:
    one = Symptoms("outage", (), ("A-1",), ("x",), "3 - MODERATE")
    other = Symptoms("no light", ("LOS",), ("A-1", "B-2"), ("y",), "CRITICAL")
    assert together(one, other) == Symptoms("outage no light", ("LOS",), ("A-1", "B-2"), ("x", "y"), "3 - MODERATE")


@given(st.text(max_size=80), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_has_terms_and_letter_case_does_not_matter_to_alarm_types(text: str, types: list[str]) -> None:
    counted = terms(Symptoms(text, tuple(types)))
    assert all(times > 0 for times in counted.values())
    assert counted == terms(Symptoms(text, tuple(types)))
