from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from estate_texts import SMALL, example_texts

from cellwright.errors import Severity
from cellwright.estate.documents.kinds import KINDS, Kind
from cellwright.estate.identity import fingerprint
from cellwright.estate.model import Phase, Tier
from cellwright.estate.parsing import parse
from cellwright.estate.profiles import PHASE_PROFILES, TIER_PROFILES, Stage
from cellwright.estate.schema import json_schema
from cellwright.estate.warnings import warnings_at

TODAY = date(2026, 6, 1)


def told(text: str, today: date = TODAY) -> list[str]:
    return [str(item) for item in warnings_at(parse([("a.yaml", text)]), today)]


def test_a_sound_estate_has_no_warnings() -> None:
    assert told(SMALL) == []


def test_the_example_has_no_warnings_while_its_rules_are_fresh() -> None:
    assert warnings_at(parse(example_texts()), date(2026, 12, 1)) == ()


def test_rules_and_prices_past_their_date_are_warned_of_with_their_place() -> None:
    assert told(SMALL, date(2026, 12, 31)) == []
    rule, book = told(SMALL, date(2027, 1, 1))
    assert rule.startswith("a.yaml:52:12: warning[expired]: Regulation 'rule' expired on 2026-12-31")
    assert book.startswith("a.yaml:73:12: warning[expired]: PriceBook 'book' expired on 2026-12-31")


@pytest.mark.parametrize(
    ("before", "after", "warned"),
    [
        ("interactive_inference", "realtime_inference", "must answer in 50 ms"),
        ("interactive_inference", "batch_inference", "must answer in 50 ms"),
        ("interactive_inference", "edge_prefilter", None),
        (", p99: 50 ms}", "}", "has no latency target"),
        ("interactive_inference", "training", "asks for no GPU"),
        ("p99: 50 ms", "p99: 10 ms", "must answer in 10 ms"),
    ],
)
def test_numbers_that_contradict_the_phase_are_warned_of(before: str, after: str, warned: str | None) -> None:
    found = told(SMALL.replace(before, after))
    assert any(warned in line for line in found) if warned else found == []


def test_a_skill_that_no_site_has_is_warned_of_with_the_nearest() -> None:
    (line,) = told(SMALL.replace("  serviceTime", "  readiness: {skills: [ml-operation]}\n  serviceTime"))
    assert "did you mean 'ml-operations'?" in line


def test_warnings_do_not_stop_an_estate() -> None:
    parsed = parse([("a.yaml", SMALL)])
    assert parsed.estate is not None
    assert {item.severity for item in warnings_at(parsed, date(2030, 1, 1))} == {Severity.WARNING}


def test_a_broken_estate_has_errors_only() -> None:
    assert warnings_at(parse([("a", "a: [")]), TODAY) == ()


def test_the_fingerprint_does_not_depend_on_order_or_formatting() -> None:
    documents = SMALL.split("---\n")[1:]
    one = parse([("a", SMALL)]).estate
    other = parse([(f"{n}.yml", f"# note\n{text}") for n, text in enumerate(reversed(documents))]).estate
    respelt = parse([("a", SMALL.replace("1 TB", "1000 GB").replace("[IT, NO]", "['NO', IT]"))]).estate
    assert one is not None
    assert other is not None
    assert respelt is not None
    assert fingerprint(one) == fingerprint(other) == fingerprint(respelt)
    assert fingerprint(one) == "49564ee2da958a6515583509611c14e7cc4b719aaf91ae95d7e1a8dcfbb5e609"


def test_the_fingerprint_changes_with_any_meaning() -> None:
    one = parse([("a", SMALL)]).estate
    assert one is not None
    moved = replace(one, datasets={"counters": replace(one.datasets["counters"], home="milano")})
    assert fingerprint(one) != fingerprint(moved)


def test_the_schema_tells_the_kinds_apart() -> None:
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["discriminator"]["mapping"]) == {str(kind) for kind in Kind}
    assert len(schema["oneOf"]) == len(KINDS)


def test_the_schema_describes_every_key_of_every_part_and_forbids_others() -> None:
    for name, part in json_schema()["$defs"].items():
        if part["type"] == "object":
            assert part["additionalProperties"] is False, name
            bare = [key for key, value in part["properties"].items() if "description" not in value and key != "kind"]
            assert bare == [], name


def test_the_schema_writes_keys_as_users_do() -> None:
    definitions = json_schema()["$defs"]
    assert {"phase", "serviceTime", "consumes"} <= set(definitions["WorkloadSpec"]["properties"])
    assert "class" in definitions["DatasetSpec"]["properties"]
    assert definitions["LinkSpec"]["properties"]["bandwidth"]["type"] == "string"


def test_every_phase_and_tier_has_a_profile() -> None:
    assert set(PHASE_PROFILES) == set(Phase)
    assert set(TIER_PROFILES) == set(Tier)
    assert {profile.stage for profile in PHASE_PROFILES.values()} == set(Stage)
