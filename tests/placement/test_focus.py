from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_estates import estates
from small_estates import dataset, estate, link, node, site, tenant, use, workload

from cellwright.economics.compute import CostItem
from cellwright.errors import CellwrightError, UsageError
from cellwright.estate.model import Estate, Execution
from cellwright.placement.focus import COLUMNS, focus_csv
from cellwright.placement.planning import plan

if TYPE_CHECKING:
    from cellwright.placement.plan import Plan

START, END = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
}  # fmt: skip
NEVER_NULL = {column for column in MANDATORY if column != "ChargeClass"} | {
    "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "PricingCategory", "RegionId", "ResourceId", "ResourceType",
    "ServiceSubcategory", "SkuId", "SkuMeter",
}  # fmt: skip
NUMBERS = {column for column in COLUMNS if re.search(r"(Cost|Quantity|UnitPrice)$", column)}
MOMENTS = {column for column in COLUMNS if re.search(r"Period(Start|End)$", column)}


def rows(made: Plan, built: Estate, start: datetime = START, end: datetime = END) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(focus_csv(made, built, start, end), newline="")))


def planned(*things: object) -> list[dict[str, str]]:
    built = estate(*things)
    return rows(plan(built), built)


def small() -> Estate:
    return estate(
        site("a", nodes=(node(gpus=2),)), site("b"), link("a", "b", 1.0), dataset("kpi", "b"),
        workload("w", "a", cores=4, memory=8.0, gpus=1, p99=9.0, consumes=(use("kpi", 2.0),)),
    )  # fmt: skip


def test_all_mandatory_columns_are_there_in_order_and_ours_come_last() -> None:
    theirs = [column for column in COLUMNS if not column.startswith("x_")]
    assert set(theirs) >= MANDATORY
    assert list(COLUMNS) == [*sorted(theirs), *sorted(set(COLUMNS) - set(theirs))]
    assert focus_csv(plan(small()), small(), START, END).startswith(",".join(COLUMNS) + "\r\n")


def test_one_row_for_each_cost_item_with_its_quantity_price_and_cost_of_the_period() -> None:
    found = rows(plan(small()), small())
    assert [
        (row["SkuId"], row["PricingQuantity"], row["PricingUnit"], row["ListUnitPrice"], row["BilledCost"])
        for row in found
    ] == [
        ("core", "2976", "Core-Hours", "0.3", "892.8"),
        ("memory", "5952", "GiB-Hours", "0.01", "59.52"),
        ("gpu/L40S", "744", "GPU-Hours", "2", "1488"),
        ("ingress", "1488", "GB", "0.01", "14.88"),
    ]
    assert [row["ServiceCategory"] for row in found] == [
        "Compute", "Compute", "AI and Machine Learning", "Networking",
    ]  # fmt: skip
    assert [row["ServiceSubcategory"] for row in found] == [
        "Containers", "Containers", "AI Platforms", "Network Connectivity",
    ]  # fmt: skip


def test_who_where_and_when_stand_in_every_row() -> None:
    row = rows(plan(small()), small())[0]
    assert row["ResourceId"] == "team/w/1"
    assert (row["RegionId"], row["SubAccountId"], row["BillingCurrency"]) == ("a", "team", "EUR")
    assert (row["BillingPeriodStart"], row["ChargePeriodEnd"]) == ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert json.loads(row["Tags"])["cellwright/workload"] == "w"
    assert row["x_CellwrightPriceSource"] == "list: price list, 2026-01-01"


def test_labels_of_the_site_are_tags() -> None:
    found = planned(replace(site("a"), labels=frozenset({("owner", "north"), ("grid", "green")})), workload("w", "a"))
    assert {"owner": "north", "grid": "green"}.items() <= json.loads(found[0]["Tags"]).items()


def test_a_machine_that_is_no_container_host_is_another_service() -> None:
    found = planned(site("a"), replace(workload("w", "a"), execution=Execution.BARE_METAL))
    assert found[0]["ServiceSubcategory"] == "Virtual Machines"


def test_an_unknown_price_is_said_and_neither_priced_nor_linked_to_a_list() -> None:
    found = planned(site("a", nodes=(node(gpus=1, model="rumoured"),)), workload("w", "a", gpus=1))[2]
    assert found["x_CellwrightUnknown"] == "no price for 1 GPU rumoured in list: price list, 2026-01-01"
    assert found["ChargeDescription"].startswith("UNKNOWN PRICE, cost not 0: ")
    assert [found[column] for column in ("ListUnitPrice", "ContractedUnitPrice", "SkuPriceId", "BilledCost")] == [
        "", "", "", "0",
    ]  # fmt: skip
    assert found["PricingQuantity"] == "744"


def test_a_replica_without_a_site_is_charged_nothing() -> None:
    assert planned(site("a"), workload("w", "a", cores=999)) == []


def test_a_text_that_a_spreadsheet_would_run_is_made_harmless() -> None:
    evil = replace(tenant(), display_name='=HYPERLINK("http://x","y")')
    found = planned(site("a"), evil, workload("w", "a"))
    assert found[0]["SubAccountName"] == '\'=HYPERLINK("http://x","y")'


@given(st.text(min_size=1))
def test_any_name_comes_back_from_the_file_and_never_begins_like_a_formula(name: str) -> None:
    built = estate(site("a"), replace(tenant(), display_name=name), workload("w", "a"))
    told = rows(plan(built), built)[0]["SubAccountName"]
    assert told.removeprefix("'") == name.removeprefix("'")
    assert not told.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_period_in_another_time_zone_is_told_in_utc() -> None:
    rome = timezone(timedelta(hours=1))
    found = rows(plan(small()), small(), datetime(2026, 12, 1, tzinfo=rome), datetime(2026, 12, 2, tzinfo=rome))
    assert (found[0]["ChargePeriodStart"], found[0]["PricingQuantity"]) == ("2026-11-30T23:00:00Z", "96")


@pytest.mark.parametrize(("start", "end"), [(START, START), (END, START), (START.replace(tzinfo=None), END)])
def test_a_period_that_nobody_can_bill_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(UsageError, match="focus-period"):
        focus_csv(plan(small()), small(), start, end)


def test_the_plan_of_another_estate_is_refused() -> None:
    with pytest.raises(CellwrightError, match="plan-of-another-estate"):
        focus_csv(plan(small()), estate(site("a")), START, END)


def test_an_item_that_says_no_quantity_is_charged_by_the_hour() -> None:
    built = estate(site("a"), workload("w", "a"))
    made = plan(built)
    plain = replace(made.placements[0], cost_items=(CostItem("flat fee", 1.5, "a contract"),))
    (row,) = rows(replace(made, placements=(plain,)), built)
    assert (row["PricingUnit"], row["PricingQuantity"], row["ListUnitPrice"], row["ListCost"]) == (
        "Hours", "744", "1.5", "1116",
    )  # fmt: skip


periods = st.integers(1, 24 * 400).map(lambda hours: START + timedelta(hours=hours))


@settings(max_examples=25)
@given(estates, periods)
def test_the_sum_of_the_rows_is_the_cost_of_the_plan_to_the_cent(built: Estate, end: datetime) -> None:
    made = plan(built)
    hours = Decimal(int((end - START).total_seconds())) / 3600
    found = rows(made, built, START, end)
    for placement in made.placements:
        resource = f"{placement.tenant}/{placement.workload}/{placement.replica}"
        own = [row for row in found if row["ResourceId"] == resource]
        assert len(own) == len(placement.cost_items)
        unknown = placement.site is not None and placement.cost_per_hour is None
        assert any(row["x_CellwrightUnknown"] for row in own) == unknown
        if placement.cost_per_hour is not None:
            for column in ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"):
                billed = sum(Decimal(row[column]) for row in own)
                assert abs(billed - Decimal(str(placement.cost_per_hour)) * hours) < Decimal("0.005")


@settings(max_examples=25)
@given(estates, periods)
def test_every_row_is_well_formed(built: Estate, end: datetime) -> None:
    for row in rows(plan(built), built, START, end):
        assert {column for column in NEVER_NULL if not row[column]} == set()
        assert all(re.fullmatch(r"(\d+(\.\d+)?)?", row[column]) for column in NUMBERS)
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[column]) for column in MOMENTS)
        assert (row["ChargeCategory"], row["ChargeClass"], row["ChargeFrequency"]) == ("Usage", "", "Usage-Based")
        assert not any(row[column] for column in COLUMNS if column.startswith("CommitmentDiscount"))
        assert all(not isinstance(value, dict | list) for value in json.loads(row["Tags"]).values())
        assert not row["SkuPriceDetails"] or (row["SkuPriceId"] and json.loads(row["SkuPriceDetails"]))
        if row["ListUnitPrice"]:
            product = Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
            assert abs(product - Decimal(row["ListCost"])) < Decimal("0.001")
