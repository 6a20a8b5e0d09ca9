"""The figures of docs/how-to/price-a-network.md, computed from its own documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from price_lists import demand

from cellwright.economics.compute import compute_cost
from cellwright.economics.tariffs import tariff_at
from cellwright.estate.parsing import parse

PAGE = Path(__file__).parents[2] / "docs/how-to/price-a-network.md"
SITES = """
apiVersion: cellwright.io/v1alpha1
kind: Site
metadata: {{name: {name}}}
spec:
  tier: {tier}
  jurisdiction: IT
  control: operator
  location: {{lat: 45.0, lon: 9.0}}
  operations: {{managed: true, onCall: none}}
  pue: 1.4
  nodes:
    - name: gpu
      arch: x86_64
      cores: 64
      memory: 1024 GiB
      gpus: {{model: H100-80GB, count: 8, memory: 80 GiB, mig: true}}
"""


def test_the_documents_of_the_page_load_and_cost_what_it_says() -> None:
    book = "".join(re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    metro, onprem = (SITES.format(name=name, tier=name.partition("-")[0]) for name in ("metro-torino", "onprem-bari"))
    parsed = parse([("page.md", book), ("metro.yaml", metro), ("onprem.yaml", onprem)])
    assert parsed.estate is not None, parsed.diagnostics
    places, books = parsed.estate.sites, parsed.estate.price_books.values()
    tariff = tariff_at(places["onprem-bari"], books, "EUR")
    owned = compute_cost(tariff, demand(1, 1.0, 1), places["onprem-bari"].nodes[0])
    assert [item.amount * 8 for item in owned.items] == pytest.approx([7.99, 1.64], abs=0.005)
    instance = demand(mig_profile="3g.40gb")
    rented = compute_cost(tariff_at(places["metro-torino"], books, "EUR"), instance, places["metro-torino"].nodes[0])
    assert rented.items[0].amount == pytest.approx(8 * 0.07)
    assert rented.items[2].quantity == 0.5
