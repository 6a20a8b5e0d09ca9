"""VES 5 and 6 say what VES 7 says of the same thing, and what a sender declares wrongly is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ves_kit import EDITIONS, event_of, read_both_ways

from cellwright.telemetry.formats.ves_plain import plain_document, plain_events

if TYPE_CHECKING:
    from format_kit import Outcome

DOMAINS = ("fault", "thresholdCrossingAlert", "syslog", "measurement", "heartbeat", "other", "stateChange")
TABLES = {"fault": "alarm_events", "thresholdCrossingAlert": "alarm_events", "syslog": "logs"}


def _read(*events: dict[str, Any]) -> Outcome:
    return read_both_ways(json.dumps({"eventList": events}).encode())


def _reason(event: dict[str, Any]) -> tuple[str, str]:
    (flaw,) = _read(event).quarantined
    return flaw.code, flaw.reason


@pytest.mark.parametrize("domain", TABLES)
def test_every_edition_says_the_same_of_one_alarm_or_log(domain: str) -> None:
    rows = [_read(event_of(edition, domain)).only(TABLES[domain]) for edition in EDITIONS]
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == 1


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("domain", ["heartbeat", "other", "stateChange"])
def test_events_of_other_domains_are_left_out_by_name(edition: str, domain: str) -> None:
    outcome = _read(event_of(edition, domain))
    assert [(left.reason, left.facts) for left in outcome.filtered] == [(f"ves-domain-{domain}", 1)]


def test_a_registration_is_left_out_from_6_on() -> None:
    assert [left.reason for left in _read(event_of("6", "pnfRegistration")).filtered] == ["ves-domain-pnfRegistration"]


def _counters(edition: str) -> dict[str, Any]:
    rows = _read(event_of(edition, "measurement")).only("pm_counters")
    return {
        f"{row['obj_ldn'] or ''}|{row['counter']}": row["value_f64"] if row["value_i64"] is None else row["value_i64"]
        for row in rows
    }


def test_every_number_of_a_measurement_of_5_is_a_counter() -> None:
    newer, older = _counters("7"), _counters("5")
    assert _counters("6") == newer
    assert {name: value for name, value in older.items() if name not in newer} == {
        "additionalMeasurements=licence|additionalMeasurements.arrayOfFields.free": 3.5,
        "featureUsageArray=9|featureUsageArray.featureUtilization": 9,
        "vNicPerformanceArray=eth0|vNicPerformanceArray.receivedOctetsDelta": 9,
        "|vnfcScalingMetric": 2,
    }
    assert older["|additionalFields.used"] == 12
    assert {name: value for name, value in newer.items() if name not in older} == {
        "additionalMeasurements=licence|additionalMeasurements.hashMap.free": 3.5,
        "nicPerformanceArray=eth0|nicPerformanceArray.receivedOctetsDelta": 9,
        "|featureUsageArray.nine": 9,
    }


def test_numbers_that_measure_nothing_are_left_out_by_name() -> None:
    left = {edition: {one.reason for one in _read(event_of(edition, "measurement")).filtered} for edition in EDITIONS}
    assert left == {
        "5": {"ves-measurement-interval", "ves-measurement-version"},
        "6": {"ves-measurement-interval", "ves-measurement-version"},
        "7": {"ves-measurement-interval"},
    }


def test_a_block_that_is_not_of_the_domain_is_not_counted() -> None:
    event = event_of("5", "measurement")
    event["measurementFields"] = {"a": 1, "b": [2, 3]}
    assert _read(event).facts == _read(event_of("5", "measurement")).facts


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("domain", DOMAINS[:5])
def test_common_events_of_every_edition_are_read_by_the_column(edition: str, domain: str) -> None:
    document = plain_document(json.dumps({"eventList": [event_of(edition, domain)] * 3}).encode())
    assert document is not None
    assert None not in [*plain_events([document])]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(EDITIONS), st.sampled_from(DOMAINS)), max_size=8))
def test_a_batch_may_hold_events_of_every_edition(drawn: list[tuple[str, str]]) -> None:
    outcome = _read(*(event_of(edition, domain) for edition, domain in drawn))
    alone = [_read(event_of(edition, domain)) for edition, domain in drawn]
    assert not outcome.quarantined
    assert outcome.facts == sum(one.facts for one in alone)
    for table in ("alarm_events", "logs", "pm_counters"):
        assert len(outcome.rows.get(table, [])) == sum(len(one.rows.get(table, [])) for one in alone)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_what_has_to_be_escaped_changes_no_count(edition: str, domain: str) -> None:
    event, plain = event_of(edition, domain, eventName='a"b\\c', eventType="{[]}"), _read(event_of(edition, domain))
    assert _read(event).facts == plain.facts
    assert _read(event, event_of(edition, domain)).facts == 2 * plain.facts


@pytest.mark.parametrize(
    ("member", "facts"),
    [
        ({"a": [1, {"b": [2, [3, True, "4", None]]}]}, 3),
        ({"a": {"hashMap": {"b": "5", "c": "x", "d": 6}}}, 2),
        ({"additionalFields": [{"name": "1", "value": "2"}, {"name": "3", "value": "x"}, 4, "5"]}, 2),
        ({"a": [{"arrayOfFields": [{"name": "b", "value": "-1.5e3", "more": {"value": "7"}}]}]}, 1),
        ({"featureUsageArray": [{"featureIdentifier": "1", "featureUtilization": 2}]}, 1),
        ({"a": "1", "b": "c: 2, "}, 0),
        ({"a": [[[[[[[[[1]]]]]]]], 2]}, 2),
    ],
)
def test_numbers_are_counted_wherever_they_stand(member: dict[str, Any], facts: int) -> None:
    event = event_of("5", "measurement")
    left_out = {"measurementInterval": 1, "measurementsForVfScalingVersion": 2.0}
    event["measurementsForVfScalingFields"] = left_out | member
    assert _read(event).facts == facts + len(left_out)


@pytest.mark.parametrize("version", [1, 1.2, 2, 3, 3.0, 4.1])
def test_any_number_is_a_version_before_7(version: float) -> None:
    assert len(_read(event_of("5", "fault", version=version)).only("alarm_events")) == 1


@pytest.mark.parametrize("said", ["5.4.1", "6.0", None])
def test_a_header_may_say_its_older_version(said: str | None) -> None:
    assert len(_read(event_of("5", "fault", vesEventListenerVersion=said)).only("alarm_events")) == 1


@pytest.mark.parametrize("edition", ["5", "6"])
def test_names_that_are_not_known_are_taken_before_7(edition: str) -> None:
    event = event_of(edition, "fault", functionalRole="mme")
    event["faultFields"]["vendorField"] = {"a": [1]}
    assert _read(event).only("alarm_events") == _read(event_of(edition, "fault")).only("alarm_events")
    assert _reason(event_of("7", "fault", functionalRole="mme"))[0] == "unknown-field"


def test_an_offset_without_a_unit_is_flagged() -> None:
    (row,) = _read(event_of("6", "fault", timeZoneOffset=-5)).only("alarm_events")
    assert (row["utc_offset_s"], row["dq_flags"]) == (None, ["unreadable-utc-offset"])
    (row,) = _read(event_of("6", "fault", timeZoneOffset="UTC-05:00")).only("alarm_events")
    assert (row["utc_offset_s"], row["dq_flags"]) == (-18_000, [])


def test_no_text_of_a_name_that_stands_twice_is_lost() -> None:
    event = event_of("5", "fault")
    event["faultFields"]["alarmAdditionalInformation"] = [{"name": "a", "value": text} for text in "xyz"]
    (row,) = _read(event).only("alarm_events")
    assert dict(row["additional"])["a"] == "x|y|z"


def test_additional_fields_of_a_log_that_are_no_pairs_stay_whole() -> None:
    event = event_of("5", "syslog")
    event["syslogFields"]["additionalFields"] = "as it is|a=b"
    (row,) = _read(event).only("logs")
    assert dict(row["attributes"])["additionalFields"] == "as it is|a=b"


@pytest.mark.parametrize("domain", DOMAINS[:5])
@pytest.mark.parametrize("older", ["5", "6"])
def test_a_header_of_7_over_an_older_block_is_named(domain: str, older: str) -> None:
    event = event_of(older, domain)
    event["commonEventHeader"] = event_of("7", domain)["commonEventHeader"]
    code, reason = _reason(event)
    assert code in {"wrong-type", "unknown-field"}
    assert reason.endswith(", but the header declares VES 7")
    assert older in reason.partition(";")[2].partition(",")[0]


@pytest.mark.parametrize(
    ("event", "code", "said"),
    [
        (
            event_of("7", "fault", version=4.1),
            "wrong-type",
            (
                "$.eventList[0].commonEventHeader.version: expected str; so it stands in VES 5 and 6, "
                "but the header declares VES 7"
            ),
        ),
        (
            event_of("5", "fault", version="3.0"),
            "wrong-value",
            "$.eventList[0].commonEventHeader.version: expected one of 4.0, 4.0.1, 4.1",
        ),
        (
            event_of("5", "measurement", domain="measurement"),
            "missing-field",
            (
                "$.eventList[0].measurementFields is required; measurementsForVfScalingFields is of VES 5, "
                "but the header declares VES 6"
            ),
        ),
        (
            event_of("5", "fault", eventId=5),
            "wrong-type",
            "$.eventList[0].commonEventHeader.eventId: expected str",
        ),
    ],
)
def test_what_a_header_declares_wrongly_has_a_precise_reason(event: dict[str, Any], code: str, said: str) -> None:
    assert _reason(event) == (code, said)


def test_a_list_of_pairs_under_a_header_of_7_is_named() -> None:
    event = event_of("7", "fault")
    event["faultFields"]["alarmAdditionalInformation"] = [{"name": "imsi", "value": "262011234567890"}]
    assert _reason(event) == (
        "wrong-type",
        (
            "$.eventList[0].faultFields.alarmAdditionalInformation: expected object; so it stands in VES 5, "
            "but the header declares VES 7"
        ),
    )


@pytest.mark.parametrize(
    ("domain", "path", "reason"),
    [
        ("measurement", ("vNicPerformanceArray", 0, "vNicIdentifier"), "vNicPerformanceArray[0].vNicIdentifier"),
        ("measurement", ("additionalMeasurements", 0, "arrayOfFields"), "additionalMeasurements[0].arrayOfFields"),
        ("measurement", ("additionalFields", 1, "value"), "additionalFields[1].value"),
        ("measurement", ("featureUsageArray", 0, "featureUtilization"), "featureUsageArray[0].featureUtilization"),
        ("measurement", ("filesystemUsageArray", 0, "ephemeralIops"), "filesystemUsageArray[0].ephemeralIops"),
        ("thresholdCrossingAlert", ("additionalParameters", 0, "value"), "additionalParameters[0].value"),
        ("fault", ("alarmAdditionalInformation", 0, "name"), "alarmAdditionalInformation[0].name"),
    ],
)
def test_what_5_demands_is_demanded_with_its_place(domain: str, path: tuple[Any, ...], reason: str) -> None:
    event = event_of("5", domain)
    around = event[[*event][1]]
    for step in path[:-1]:
        around = around[step]
    del around[path[-1]]
    code, said = _reason(event)
    assert (code, said.endswith(f"{reason} is required")) == ("missing-field", True)
