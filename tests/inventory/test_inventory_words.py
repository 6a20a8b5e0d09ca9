"""Countries, GPUs and units as people and tools write them."""

from __future__ import annotations

import pytest

from cellwright.estate.documents.countries import COUNTRIES
from cellwright.inventory.columns import Column, recognise
from cellwright.inventory.countries import jurisdiction_of
from cellwright.inventory.formats.kubernetes import quantity
from cellwright.inventory.gpus import card_memory_gib, card_model
from cellwright.inventory.quantities import DURATION, LENGTH, MEMORY, RATE, Measure


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *[("Italy", "IT"), ("ITALIA", "IT"), ("ita", "IT"), ("it", "IT"), (" IT ", "IT"), ("UK", "GB"), ("EL", "GR")],
        *[("Czech Republic", "CZ"), ("Macedonia", "MK"), ("Türkiye", "TR"), ("Turkey", "TR"), ("U.S.A.", "US")],
        *[("Korea, Republic of", "KR"), ("Côte d'Ivoire", "CI"), ("St. Lucia", "LC"), ("Trinidad & Tobago", "TT")],
        *[("Svalbard and Jan Mayen", "SJ"), ("Kosovo", "XK"), ("Europe", None), ("EU", None), ("", None), ("?", None)],
    ],
)
def test_a_country_is_known_by_name_and_code(text: str, code: str | None) -> None:
    assert jurisdiction_of(text) == code


def test_every_assigned_code_is_known() -> None:
    assert {jurisdiction_of(code) for code in COUNTRIES} == COUNTRIES


@pytest.mark.parametrize(
    ("product", "model", "gib"),
    [
        ("NVIDIA-A100-SXM4-80GB", "A100-80GB", 80),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A100-40GB", 40),
        ("NVIDIA A100 80GB PCIe", "A100-80GB", 80),
        ("NVIDIA-H100-80GB-HBM3", "H100", 80),
        ("NVIDIA H100 NVL", "H100-94GB", 94),
        ("NVIDIA-L40S-SHARED", "L40S", 48),
        ("Tesla-T4", "T4", 16),
        ("AMD_Instinct_MI300X", "MI300X", 192),
        ("A100", "A100", None),
        ("Mystery", "Mystery", None),
    ],
)
def test_a_gpu_is_known_by_what_its_driver_prints(product: str, model: str, gib: float | None) -> None:
    assert (card_model(product), card_memory_gib(product)) == (model, gib)


@pytest.mark.parametrize(
    ("measure", "text", "unit", "value"),
    [
        *[(RATE, text, None, 10.0) for text in ("10G", "10 Gbps", "10 Gbit/s", "10000 Mbit/s", "10GbE", "1e10 bps")],
        (RATE, "400", "gbps", 400.0),
        (RATE, "100 Mbps", "gbps", 0.1),
        (MEMORY, "64", "gib", 64.0),
        (MEMORY, "64Gi", None, 64.0),
        (DURATION, "250 µs", None, 0.25),
        (LENGTH, "1500 m", None, 1.5),
    ],
)
def test_a_quantity_is_read_with_its_own_unit_before_its_columns(
    measure: Measure, text: str, unit: str | None, value: float
) -> None:
    assert measure.parse(text, unit) == pytest.approx(value)


@pytest.mark.parametrize("text", ["10", "ten G", "10 GB/s", "-1 Gbps", "", "1e999 G", "nan G"])
def test_what_is_no_bandwidth_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as|unit"):
        RATE.parse(text, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("64", 64.0), ("63920m", 63.92), ("2Gi", 2.0**31), ("1e3", 1000.0), ("1M", 1e6), ("x", None), ("1 Gi", None)],
)
def test_kubernetes_quantities(text: str, value: float | None) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize(
    ("table", "header", "column"),
    [
        ("nodes", "Memory (GiB)", Column("memory", "gib")),
        ("nodes", "RAM_GB", Column("memory", "gb")),
        ("links", "RTT [ms]", Column("rtt", "ms")),
        ("links", "Bandwidth Gbit/s", Column("bandwidth", "gbits")),
        ("links", "site_b", Column("b")),
        ("sites", "Breite", Column("lat")),
        ("sites", "Länge", Column("lon")),
        ("sites", "name_ms", None),
        ("links", "latency_ms", None),
    ],
)
def test_a_header_is_known_by_synonym_and_unit(table: str, header: str, column: Column | None) -> None:
    assert recognise(table, header, {}) == column


def test_an_override_takes_a_column_away_from_its_synonym() -> None:
    assert recognise("sites", "name", {"site": "Standort"}) is None
    assert recognise("sites", "standort", {"site": "Standort"}) == Column("name")
    assert recognise("nodes", "Anzahl", {"sites.name": "Anzahl"}) == Column("count")
