from __future__ import annotations

import json

import pytest
from operator_estate import operator_plan

from cellwright.errors import CellwrightError
from cellwright.placement.encode import from_json, to_builtins, to_json

TEXT = to_json(operator_plan())


def test_the_document_says_what_it_is_and_holds_every_placement_in_name_order() -> None:
    document = json.loads(TEXT)
    assert (document["apiVersion"], document["kind"], document["currency"]) == ("cellwright.io/v1alpha1", "Plan", "EUR")
    names = [each["workload"] for each in document["workloads"]]
    assert names == sorted(names)
    assert TEXT.endswith("}\n")


def test_each_workload_has_the_promised_keys() -> None:
    (found,) = [each for each in json.loads(TEXT)["workloads"] if each["workload"] == "incident-agents"]
    assert {"site", "tier", "cost_per_hour", "currency", "latency_p99_ms", "decided_by", "eliminated"} <= set(found)
    assert found["eliminated"].keys() == {"sovereignty", "latency", "gravity", "operations", "capacity"}
    assert found["calls"][0] == {"workload": "knowledge-retrieval", "site": "onprem-roma", "tier": "onprem"}
    violation = found["rejections"][0]["violations"][0]
    assert list(violation) == ["dimension", "code", "subject", "measured", "limit", "unit", "message", "source"]


def test_a_plan_comes_back_as_it_was_and_encodes_to_the_same_bytes() -> None:
    assert from_json(TEXT) == operator_plan()
    assert to_json(from_json(TEXT)) == TEXT
    assert json.loads(TEXT) == to_builtins(operator_plan())


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("", "plan-json", "old.json is not JSON"),
        ("{", "plan-json", "old.json is not JSON"),
        ("[]", "plan-shape", "Expected `object`, got `array`"),
        ("{}", "plan-kind", "kind None"),
        ('{"apiVersion": "cellwright.io/v1alpha1", "kind": "Site"}', "plan-kind", "kind 'Site'"),
        ('{"apiVersion": "cellwright.io/v9", "kind": "Plan"}', "plan-kind", "cellwright.io/v9"),
        ('{"apiVersion": "cellwright.io/v1alpha1", "kind": "Plan"}', "plan-shape", "missing required field"),
        (TEXT.replace('"tier": "region"', '"tier": "moon"', 1), "plan-shape", "Invalid enum value 'moon'"),
        (TEXT.replace('"cost_per_hour": 6.912', '"cost_per_hour": "much"', 1), "plan-shape", "$.workloads[0]"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong_with_it(text: str, code: str, told: str) -> None:
    with pytest.raises(CellwrightError) as caught:
        from_json(text, "old.json")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert told in str(diagnostic)
    assert "cellwright plan" in (diagnostic.hint or "")


def test_bytes_that_are_no_text_are_refused_politely() -> None:
    with pytest.raises(CellwrightError, match="is not JSON"):
        from_json(b"\xff\xfe\x00")
