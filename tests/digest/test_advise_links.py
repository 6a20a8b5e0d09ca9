from __future__ import annotations

from ticket_lists import HOUR_US, ticket

from cellwright.digest.advise_links import AFTER_US, BEFORE_US, LONGEST_US, Sighting, link
from cellwright.digest.advise_symptoms import Symptoms


def sighting(name: str, start_us: int, end_us: int, element: str = "ManagedElement=rtr-1,Port=2") -> Sighting:
    return Sighting(
        name, "north", Symptoms(alarm_types=(name,)), frozenset({element}), start_us, end_us, 3, is_open=False
    )


def linked(opened_us: int, *sightings: Sighting, **more: object) -> str:
    symptoms = Symptoms(elements=("RTR-1",), **more)  # type: ignore[arg-type]
    return link([ticket(0, symptoms, opened_us=opened_us)], sightings)[0].incident


def test_a_ticket_has_the_event_sequence_of_the_incident_it_names() -> None:
    one = ticket(0, Symptoms("text"), incident="k1")
    found = link([one], [sighting("k1", 10**15, 10**15), sighting("k2", 0, 0)])[0]
    assert (found.symptoms.alarm_types, found.symptoms.text) == (("k1",), "text")


def test_a_ticket_without_alarms_is_about_the_latest_incident_on_its_element_at_its_time() -> None:
    early, late = sighting("k1", HOUR_US, 2 * HOUR_US), sighting("k2", HOUR_US + 1, HOUR_US + 2)
    assert linked(HOUR_US + 5, early, late) == "k2"
    assert linked(HOUR_US + 5, early, sighting("k2", HOUR_US + 1, HOUR_US + 2, "gnb-9")) == "k1"


def test_the_times_of_ticket_and_incident_have_to_fit() -> None:
    start, end = 2 * LONGEST_US, 2 * LONGEST_US + HOUR_US
    one = sighting("k1", start, end)
    assert linked(start - BEFORE_US, one) == linked(end + AFTER_US, one) == "k1"
    assert linked(start - BEFORE_US - 1, one) == linked(end + AFTER_US + 1, one) == ""
    assert linked(start + LONGEST_US + 1, sighting("k1", start, start + 2 * LONGEST_US)) == ""


def test_a_ticket_that_tells_its_alarms_is_not_guessed_about() -> None:
    assert linked(0, sighting("k1", 0, 0), alarm_types=("LOS",)) == ""
