from __future__ import annotations

import json
import re

import pytest
from operator_estate import operator_plan

from cellwright.errors import CellwrightError
from cellwright.placement.encode import from_json, to_builtins, to_json
from cellwright.placement.plan import Dimension

TEXT = to_json(operator_plan())


def test_the_document_says_what_it_is_and_holds_every_placement_in_name_order() -> None:
    document = json.loads(TEXT)
    assert (document["apiVersion"], document["kind"], document["currency"]) == ("cellwright.io/v1alpha1", "Plan", "EUR")
    names = [each["workload"] for each in document["placements"]]
    assert names == sorted(names)
    assert TEXT.endswith("}\n")


def test_each_placement_has_the_promised_keys() -> None:
    (found,) = [each for each in json.loads(TEXT)["placements"] if each["workload"] == "incident-agents"]
    assert {"site", "tier", "cost_per_hour", "currency", "latency_p99_ms", "decided_by", "eliminated"} <= set(found)
    assert found["eliminated"].keys() == {dimension.value for dimension in Dimension if dimension is not Dimension.COST}
    assert found["calls"][0] == {"workload": "knowledge-retrieval", "site": "onprem-roma", "tier": "onprem"}
    assert found["placed"][0].keys() == {"replica", "node", "seating"}


def test_every_finding_says_what_was_measured_what_the_limit_is_and_at_which_sites() -> None:
    document = json.loads(TEXT)
    for found in document["findings"]:
        keys = ["dimension", "code", "subject", "measured", "limit", "unit", "message", "source", "sites"]
        assert list(found) == keys
        held = sum(last - first + 1 for first, last in found["sites"])
        assert held > 0
        assert not isinstance(found["measured"], list) or len(found["measured"]) == held


def test_each_site_that_was_not_chosen_has_a_reason_in_the_document() -> None:
    document = json.loads(TEXT)
    for placement in document["placements"]:
        told = {
            document["sites"][index]["name"]
            for number in placement["findings"]
            for first, last in document["findings"][number]["sites"]
            for index in range(first, last + 1)
        }
        assert told == {site["name"] for site in document["sites"]} - {placement["site"]}


def test_a_plan_comes_back_as_it_was_and_encodes_to_the_same_bytes() -> None:
    back = from_json(TEXT)
    assert to_json(back) == TEXT
    assert json.loads(TEXT) == to_builtins(operator_plan())
    for read, made in zip(back.placements, operator_plan().placements, strict=True):
        assert (read.label, read.node, read.seating, read.cost_items) == (
            made.label,
            made.node,
            made.seating,
            made.cost_items,
        )
        told, kept = list(made.rejections), list(read.rejections)
        assert [each.site for each in kept] == [each.site for each in told]
        figures = [[(v.code, v.subject, v.measured, v.limit, v.unit) for v in each.violations] for each in told]
        assert [[(v.code, v.subject, v.measured, v.limit, v.unit) for v in each.violations] for each in kept] == figures


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
        (TEXT.replace('"tier":"region"', '"tier":"moon"', 1), "plan-shape", "Invalid enum value 'moon'"),
        (TEXT.replace('"cost_per_hour":6.912', '"cost_per_hour":"much"', 1), "plan-shape", "$.placements[0]"),
        (re.sub(r'"sites":\[\[\d+', '"sites":[[9999', TEXT, count=1), "plan-shape", "names a site or finding"),
        (re.sub(r'"findings":\[\d+', '"findings":[9999', TEXT, count=1), "plan-shape", "names a site or finding"),
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
