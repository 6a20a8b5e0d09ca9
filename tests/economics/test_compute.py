from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from price_lists import OWNED, SITE_PRICES, TIER_PRICES, book, books, demand, demands, node, nodes, site

from cellwright.economics.compute import Arrival, compute_cost
from cellwright.economics.shares import dominant_share
from cellwright.economics.tariffs import Tariff, compute_currency, tariff_at
from cellwright.estate.model import Gpus, Tier

L40S, H100 = Gpus("L40S", 4, 48.0), Gpus("H100-80GB", 2, 80.0, mig=True)
SITE = site(node("rack", L40S))
OFFICIAL = "list: price list, 2026-03-01"


def test_the_cost_of_an_hour_is_the_sum_of_its_items_each_with_its_source() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    cost = compute_cost(tariff, demand(gpus=2), SITE.nodes[0], [Arrival("dataset kpi", 5.0)])
    assert [(item.label, item.amount) for item in cost.items] == [
        ("8 cores", 0.4),
        ("32 GiB memory", 0.32),
        ("2 GPUs L40S", 4.0),
        ("arriving dataset kpi", 0.1),
    ]
    assert {item.source for item in cost.items} == {OFFICIAL}
    assert cost.per_hour == 4.82


def test_an_item_says_what_is_metered_how_much_of_it_and_at_which_price_of_which_list() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    items = compute_cost(tariff, demand(gpus=2), SITE.nodes[0], [Arrival("dataset kpi", 5.0)]).items
    assert [(item.meter, item.quantity, item.price, item.price_id) for item in items] == [
        ("core", 8.0, 0.05, "list/metro/core"),
        ("memory", 32.0, 0.01, "list/metro/memory"),
        ("gpu/L40S", 2.0, 2.0, "list/metro/gpu/L40S"),
        ("ingress", 5.0, 0.02, "list/metro/ingress"),
    ]


def test_a_price_for_the_site_wins_over_one_for_its_tier_in_whatever_book() -> None:
    assert tariff_at(SITE, [book(TIER_PRICES, SITE_PRICES)], "EUR").prices is SITE_PRICES
    books = [book(TIER_PRICES, name="a"), book(SITE_PRICES, name="b")]
    assert tariff_at(SITE, books, "EUR").prices is SITE_PRICES


def test_of_two_books_the_first_by_name_holds() -> None:
    other = replace(TIER_PRICES, core_hour=9.0)
    assert tariff_at(SITE, [book(other, name="b"), book(TIER_PRICES, name="a")], "EUR").prices is TIER_PRICES


def test_a_gpu_without_a_price_makes_item_and_total_unknown_not_free() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    cost = compute_cost(tariff, demand(gpus=2), node("rack", Gpus("A2", 2, 16.0)))
    assert cost.items[2].amount is None
    assert cost.items[2].source == f"no price for 2 GPUs A2 in {OFFICIAL}"
    assert cost.per_hour is None


def test_a_site_without_a_price_costs_an_unknown_amount() -> None:
    cost = compute_cost(tariff_at(SITE, [], "EUR"), demand(gpus=2), SITE.nodes[0])
    assert [item.amount for item in cost.items] == [None, None, None]
    assert cost.items[0].source == "no price in EUR for roma or tier metro"
    assert cost.per_hour is None


def test_a_price_in_another_currency_is_no_price() -> None:
    assert tariff_at(SITE, [book(TIER_PRICES, currency="USD")], "EUR").prices is None


def test_the_currency_is_that_of_the_first_book_that_prices_machines() -> None:
    tokens_only = book(name="a", currency="USD")
    assert compute_currency([book(TIER_PRICES, name="b"), tokens_only]) == "EUR"
    assert compute_currency([book(owned=(OWNED,), name="b"), tokens_only]) == "EUR"
    assert compute_currency([tokens_only]) == "XXX"


def test_nothing_that_arrives_costs_nothing() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    assert len(compute_cost(tariff, demand(), SITE.nodes[0], [Arrival("nothing", 0.0)]).items) == 2


def test_one_of_a_thing_is_named_in_the_singular() -> None:
    cost = compute_cost(Tariff(None, "nobody"), demand(1, 1.0, 1), node("rack", Gpus("L4", 1, 24.0)))
    assert [item.label for item in cost.items] == ["1 core", "1 GiB memory", "1 GPU L4"]


def test_a_pinned_replica_pays_for_whole_physical_cores() -> None:
    tariff, machine = tariff_at(SITE, [book(TIER_PRICES)], "EUR"), node(threads_per_core=2)
    item = compute_cost(tariff, demand(5, pinned=True), machine).items[0]
    assert (item.label, item.quantity) == ("6 cores", 6.0)
    assert compute_cost(tariff, demand(5), machine).items[0].quantity == 5.0


def test_hugepages_are_paid_for_as_memory() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    assert compute_cost(tariff, demand(memory=32.0, hugepages_gib=4.0), node()).items[1].quantity == 36.0


def test_a_mig_instance_pays_for_its_memory_slices_of_the_gpu() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    item = compute_cost(tariff, demand(mig_profile="3g.40gb"), node("rack", H100)).items[2]
    assert (item.label, item.quantity, item.amount) == ("1 MIG instance 3g.40gb of GPU H100-80GB", 0.5, 2.0)


def test_a_mig_profile_that_the_gpu_lacks_costs_an_unknown_amount() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    cost = compute_cost(tariff, demand(mig_profile="1g.10gb"), SITE.nodes[0])
    assert cost.items[2].amount is None
    assert cost.per_hour is None


def test_a_share_of_a_gpu_pays_that_share() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    item = compute_cost(tariff, demand(gpus=1, gpu_share=0.25), SITE.nodes[0]).items[2]
    assert (item.label, item.amount) == ("0.25 GPU L40S", 0.5)


def test_a_window_pays_for_its_hours_alone_and_says_so() -> None:
    tariff = tariff_at(SITE, [book(TIER_PRICES)], "EUR")
    cost = compute_cost(tariff, demand(gpus=2), SITE.nodes[0], [Arrival("dataset kpi", 5.0)], hours=6.0)
    assert [(item.label, item.amount) for item in cost.items] == [
        ("8 cores, 6 h a day", 0.1),
        ("32 GiB memory, 6 h a day", 0.08),
        ("2 GPUs L40S, 6 h a day", 1.0),
        ("arriving dataset kpi", 0.1),  # a mean of the day already
    ]


def test_an_owned_machine_is_paid_for_by_the_dominant_share() -> None:
    place = site(node("rack", L40S), pue=1.5)
    tariff = tariff_at(place, [book(TIER_PRICES, owned=(OWNED,))], "EUR")
    cost = compute_cost(tariff, demand(8, 96.0, 1), place.nodes[0], [Arrival("dataset kpi", 5.0)])
    assert [(item.label, item.amount) for item in cost.items] == [
        ("75 % of machine rack", 3.0),  # 87,660 over 5 years of 8,766 h, half of them used; 96 of 128 GiB
        ("energy of 75 % of machine rack", 0.5625),  # 2 kW times a PUE of 1.5, at 0.25 a kWh
        ("arriving dataset kpi", 0.1),
    ]
    assert cost.items[1].quantity == 2.25  # kWh


def test_owned_hardware_goes_before_hourly_prices_for_the_machines_it_names_alone() -> None:
    place = site(node("rack"), node("other"), pue=1.0)
    tariff = tariff_at(place, [book(TIER_PRICES, owned=(replace(OWNED, node="rack"),))], "EUR")
    assert [compute_cost(tariff, demand(), each).items[0].meter for each in place.nodes] == ["machine/rack", "core"]


def test_the_most_specific_entry_of_owned_hardware_holds() -> None:
    tier, machine = OWNED, replace(OWNED, node="rack")
    place, exact = replace(OWNED, site="roma"), replace(OWNED, site="roma", node="rack")
    tariff = tariff_at(SITE, [book(owned=(tier, machine, place, exact))], "EUR")
    assert [each.entry for each in tariff.owned] == [exact, place, machine, tier]
    assert tariff_at(site(tier=Tier.REGION), [book(owned=(tier, machine))], "EUR").owned == ()


def test_an_unknown_pue_makes_the_energy_and_the_total_unknown() -> None:
    tariff = tariff_at(SITE, [book(owned=(OWNED,))], "EUR")
    hardware, energy = compute_cost(tariff, demand(), SITE.nodes[0]).items
    assert hardware.amount == 1.0
    assert energy.amount is None
    assert energy.source == f"no PUE of roma to reckon the energy of rack with: {OFFICIAL}"


@pytest.mark.parametrize("free", [replace(OWNED, power_kw=0.0), replace(OWNED, kwh=0.0)])
def test_energy_that_costs_nothing_needs_no_pue(free: object) -> None:
    cost = compute_cost(tariff_at(SITE, [book(owned=(free,))], "EUR"), demand(), SITE.nodes[0])
    assert cost.per_hour == 1.0


@given(books, nodes, demands)
def test_every_known_amount_is_quantity_times_price_and_none_is_free_by_ignorance(
    lists: list, machine: object, wanted: object
) -> None:
    cost = compute_cost(tariff_at(site(machine, name="aosta", pue=1.2), lists, "EUR"), wanted, machine)
    for item in cost.items:
        if item.amount is None:
            assert item.price_id == ""
        else:
            assert item.amount == pytest.approx(item.quantity * item.price, abs=1e-9)
    assert (cost.per_hour is None) == any(item.amount is None for item in cost.items)


@given(nodes, demands)
def test_the_dominant_share_covers_the_share_of_each_resource(machine: object, wanted: object) -> None:
    share = dominant_share(wanted, machine)
    if share is not None:
        assert share >= wanted.cores / machine.threads
        assert share * machine.memory_gib >= (wanted.memory_gib + wanted.hugepages_gib) * (1 - 1e-12)
        if machine.gpus and not wanted.mig_profile:
            assert share * machine.gpus.count >= wanted.gpus * wanted.gpu_share * (1 - 1e-12)
