from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from price_lists import OWNED, TIER_PRICES, book, books, demand, demands, hours, node, site, sites

from cellwright.economics.compute import Arrival, compute_cost
from cellwright.economics.prices import Prices
from cellwright.economics.tariffs import tariff_at
from cellwright.estate.model import ComputePrices, Gpus, Tier


@settings(max_examples=400)
@given(sites, books, demands, hours)
def test_the_cost_on_every_rack_is_exactly_the_itemised_one_the_unknown_included(
    places: list, lists: list, wanted: object, daily: float
) -> None:
    prices = Prices(places, lists, "EUR")
    itemised = [
        compute_cost(tariff_at(place, lists, "EUR"), wanted, machine, hours=daily).per_hour
        for place in places
        for machine in place.nodes
    ]
    found = [None if math.isnan(cost) else cost for cost in prices.per_hour(wanted, daily).tolist()]
    assert found == itemised
    assert [place.name for place in places for _ in place.nodes] == [places[index].name for index in prices.site_of]


@given(sites, books, st.sampled_from([0.0, 0.1, 7.77]))
def test_what_arrives_costs_exactly_the_itemised_amount(places: list, lists: list, rate: float) -> None:
    prices = Prices(places, lists, "EUR")
    for place, arriving, ingress in zip(places, prices.arriving(rate), prices.ingress_gb, strict=True):
        tariff = tariff_at(place, lists, "EUR")
        items = compute_cost(tariff, demand(), node(), [Arrival("data", rate)]).items
        amounts = [item.amount for item in items if item.meter == "ingress"] or [0.0]
        assert amounts == [None if math.isnan(arriving) else arriving]
        assert math.isnan(ingress) == (tariff.prices is None)


def test_machines_and_arrivals_rounded_together_are_the_whole_cost() -> None:
    place = site(node("rack", Gpus("L40S", 4, 48.0)))
    prices = Prices([place], [book(TIER_PRICES)], "EUR")
    arrivals = [Arrival("a", 0.1), Arrival("b", 0.7), Arrival("c", 1 / 3)]
    wanted = demand(7, 0.3, 1)
    together = prices.per_hour(wanted) + sum(prices.arriving(each.rate_gb_per_h) for each in arrivals)
    cost = compute_cost(prices.tariffs[0], wanted, place.nodes[0], arrivals)
    assert np.round(together, 9).tolist() == [cost.per_hour]


def test_racks_come_in_the_order_of_sites_and_of_their_nodes() -> None:
    places = [site(node("z"), node("a"), name="b"), site(name="empty"), site(node(), name="a")]
    prices = Prices(places, [book(TIER_PRICES)], "EUR")
    assert prices.site_of.tolist() == [0, 0, 2]
    assert prices.site_of.dtype == np.int32
    assert len(prices.ingress_gb) == 3


def test_a_network_without_machines_or_prices_has_no_known_cost() -> None:
    assert Prices([], [], "EUR").per_hour(demand()).tolist() == []
    assert np.isnan(Prices([site(node())], [], "EUR").per_hour(demand())).all()


def test_a_site_with_owned_hardware_alone_has_machines_of_known_and_ingress_of_unknown_price() -> None:
    prices = Prices([site(node(), pue=1.0)], [book(owned=(OWNED,))], "EUR")
    assert prices.per_hour(demand()).tolist() == [1.0 + 0.125]
    assert np.isnan(prices.ingress_gb).all()
    assert prices.arriving(0.0).tolist() == [0.0]


def test_a_price_for_each_of_many_sites_is_looked_up_and_not_searched() -> None:
    """Ten thousand sites with a price of their own: a search through all prices for each would take minutes."""
    many = [site(node(), name=f"s{index}") for index in range(10_000)]
    own = [ComputePrices(Tier.METRO, place.name, float(index), 0.0, {}, 0.0) for index, place in enumerate(many)]
    assert Prices(many, [book(*own)], "EUR").per_hour(demand(1, 0.0)).tolist() == [float(i) for i in range(10_000)]
