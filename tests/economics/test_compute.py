from __future__ import annotations

from datetime import date

from cellwright.economics.compute import Arrival, Tariff, compute_cost, compute_currency, tariff_at
from cellwright.estate.model import (
    Arch,
    ComputePrices,
    Control,
    Demand,
    Location,
    OnCall,
    Operations,
    PriceBook,
    Site,
    Tier,
)

SITE = Site(
    "roma",
    Tier.METRO,
    "IT",
    Control.PROVIDER,
    isolated=False,
    location=Location(41.9, 12.5),
    operations=Operations(managed=True, skills=frozenset(), on_call=OnCall.ALWAYS),
    nodes=(),
)
DEMAND = Demand(cores=8, memory_gib=32.0, gpus=2, gpu_memory_gib=24.0, archs=frozenset({Arch.X86_64}))
TIER_PRICES = ComputePrices(Tier.METRO, None, 0.05, 0.01, {"L40S": 2.0}, 0.02)
SITE_PRICES = ComputePrices(Tier.METRO, "roma", 0.10, 0.02, {"L40S": 4.0}, 0.04)


def book(*compute: ComputePrices, name: str = "list", currency: str = "EUR") -> PriceBook:
    return PriceBook(name, currency, "price list", date(2026, 3, 1), date(2027, 1, 1), compute, ())


def test_the_cost_of_an_hour_is_the_sum_of_its_items_each_with_its_source() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    cost = compute_cost(tariff, DEMAND, "L40S", [Arrival("dataset kpi", 5.0)])
    assert [(item.label, item.amount) for item in cost.items] == [
        ("8 cores", 0.4),
        ("32 GiB memory", 0.32),
        ("2 GPUs L40S", 4.0),
        ("arriving dataset kpi", 0.1),
    ]
    assert {item.source for item in cost.items} == {"list: price list, 2026-03-01"}
    assert cost.per_hour == 4.82


def test_a_price_for_the_site_wins_over_one_for_its_tier_in_whatever_book() -> None:
    assert tariff_at(SITE, [book(TIER_PRICES, SITE_PRICES)], "EUR").prices is SITE_PRICES
    books = [book(TIER_PRICES, name="a"), book(SITE_PRICES, name="b")]
    assert tariff_at(SITE, books, "EUR").prices is SITE_PRICES


def test_a_gpu_without_a_price_makes_item_and_total_unknown_not_free() -> None:
    cost = compute_cost(tariff_at(SITE, [book(TIER_PRICES)], "EUR"), DEMAND, "H100")
    assert cost.items[2].amount is None
    assert cost.items[2].source == "no price for 2 GPUs H100 in list: price list, 2026-03-01"
    assert cost.per_hour is None


def test_a_site_without_a_price_costs_an_unknown_amount() -> None:
    cost = compute_cost(tariff_at(SITE, [], "EUR"), DEMAND, "L40S")
    assert [item.amount for item in cost.items] == [None, None, None]
    assert cost.items[0].source == "no price in EUR for roma or tier metro"
    assert cost.per_hour is None


def test_a_price_in_another_currency_is_no_price() -> None:
    assert tariff_at(SITE, [book(TIER_PRICES, currency="USD")], "EUR").prices is None


def test_the_currency_is_that_of_the_first_book_that_prices_compute() -> None:
    tokens_only = book(name="a", currency="USD")
    assert compute_currency([book(TIER_PRICES, name="b"), tokens_only]) == "EUR"
    assert compute_currency([tokens_only]) == "XXX"


def test_nothing_that_arrives_costs_nothing() -> None:
    cost = compute_cost(tariff_at(SITE, [book(TIER_PRICES)], "EUR"), DEMAND, "L40S", [Arrival("nothing", 0.0)])
    assert len(cost.items) == 3


def test_one_of_a_thing_is_named_in_the_singular() -> None:
    cost = compute_cost(Tariff(None, "nobody"), Demand(1, 1.0, 1, 0.0, frozenset(Arch)), "L4")
    assert [item.label for item in cost.items] == ["1 core", "1 GiB memory", "1 GPU L4"]
