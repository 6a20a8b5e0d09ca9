from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from estate_texts import OTHER_SITE, SITE, SMALL, TENANT
from fine_estate import FINE
from hypothesis import given
from hypothesis import strategies as st

from cellwright.estate import model
from cellwright.estate.identity import fingerprint
from cellwright.estate.parsing import parse
from cellwright.estate.schema import json_schema
from cellwright.estate.warnings import warnings_at
from cellwright.estate.yaml_nodes import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_SITE = SITE + OTHER_SITE + TENANT


def built(text: str) -> model.Estate:
    parsed = parse([("a", text)])
    assert parsed.diagnostics == ()
    assert parsed.estate is not None
    return parsed.estate


def test_the_finest_estate_is_sound_and_gives_no_warning() -> None:
    parsed = parse([("a", FINE)])
    assert parsed.diagnostics == ()
    assert warnings_at(parsed, date(2026, 6, 1)) == ()


def test_a_machine_is_described_down_to_cells_cards_and_pages() -> None:
    site = built(FINE).sites["roma"]
    assert site.nodes == (
        model.Node(
            name="a",
            count=2,
            arch=model.Arch.ARM64,
            cores=64,
            memory_gib=512.0,
            gpus=model.Gpus("NVIDIA-A100-SXM4-80GB", 4, 80.0, mig=True),
            unified_memory=True,
            sockets=2,
            cells=4,
            threads_per_core=2,
            hugepages_2mib_gib=64.0,
            hugepages_1gib_gib=128.0,
            nvme_gb=4000.0,
            nics=(model.Nic("south", 0, 16, 100.0), model.Nic("north", 3, 8, 25.0)),
            dpu=True,
            fabric="rail",
            executions=frozenset({model.Execution.KUBERNETES, model.Execution.BARE_METAL}),
            power_kw=1.2,
        ),
    )
    assert (site.power_budget_kw, site.pue) == (20.0, 1.4)
    assert site.labels == {("hardware", "mig"), ("ring", "south")}
    assert built(FINE).links["roma-milano"].estimated


def test_a_workload_is_described_down_to_its_share_and_hours() -> None:
    scoring = built(FINE).workloads["scoring"]
    assert scoring.demand == model.Demand(
        cores=8,
        memory_gib=32.0,
        gpus=1,
        gpu_memory_gib=20.0,
        archs=frozenset({model.Arch.ARM64}),
        gpu_share=0.5,
        gpu_models=frozenset({"NVIDIA-A100-SXM4-80GB"}),
        pinned=True,
        single_cell=True,
        hugepages_gib=16.0,
        hugepage_mib=1024,
        sriov=2,
        nvme_gb=500.0,
    )
    assert scoring.window == model.Window(22 * 60, 6 * 60 + 30)
    assert scoring.window.hours == 8.5
    assert (scoring.replicas, scoring.gang, scoring.spread) == (model.Replicas(4), True, model.Spread.NODE)
    assert (scoring.together_with, scoring.apart_from) == ({"language"}, {"radio"})
    assert (scoring.service_class, scoring.execution) == (model.ServiceClass.BEST_EFFORT, model.Execution.BARE_METAL)
    assert scoring.untrusted


def test_a_model_has_forms_to_choose_from() -> None:
    language = built(FINE).workloads["language"]
    assert language.min_accuracy == 0.97
    assert language.quantisations == (
        model.Quantisation("fp16", 16.0, 1.0, 20.0, 40.0),
        model.Quantisation("int4", 5.0, 0.975, 9.0, 18.0, "1g.10gb"),
    )


def test_replicas_of_sites_and_homes_serve_their_own_users() -> None:
    workloads = built(FINE).workloads
    selector = model.Selector(frozenset({model.Tier.METRO}), frozenset({"IT"}), frozenset({("hardware", "mig")}))
    assert workloads["radio"].replicas == model.Replicas(per_site=selector)
    assert workloads["language"].replicas == model.Replicas(per_home=("counters",))
    assert (workloads["radio"].latency.users, workloads["language"].latency.users) == ("roma", "roma")


def test_what_was_measured_and_what_machines_cost_is_kept() -> None:
    fine = built(FINE)
    measured = fine.measurements["scoring-from-milano"]
    assert (measured.workload, measured.users, measured.site) == ("scoring", "milano", "roma")
    assert measured.round_trip == model.Latencies(9.0, 14.0, 18.0)
    assert measured.first_token == model.Latencies(90.0, 140.0, 180.0)
    (owned,) = fine.price_books["book"].owned
    assert owned == model.OwnedHardware(model.Tier.METRO, "roma", "a", 90000.0, 5.0, 0.6, 0.8, 0.21)


def test_what_is_not_written_has_the_models_defaults() -> None:
    plain = built(SMALL)
    gpus = plain.sites["roma"].nodes[0].gpus
    assert plain.sites["roma"].nodes == (model.Node("a", 1, model.Arch.X86_64, 64, 256.0, gpus, unified_memory=False),)
    demand = plain.workloads["scoring"].demand
    assert demand == model.Demand(8, 32.0, 0, 0.0, frozenset(model.Arch))
    assert plain.workloads["scoring"].replicas == model.Replicas()


def test_a_machine_has_one_cell_for_each_socket_unless_told_otherwise() -> None:
    text = SITE.replace("cores: 64,", "sockets: 2, cores: 64,")
    assert built(text).sites["roma"].nodes[0].cells == 2


def test_sixty_months_are_five_years() -> None:
    months = built(FINE.replace("5 years", "60 months")).price_books["book"].owned[0]
    assert months.lifetime_years == pytest.approx(5)


def written(value: object, schema: dict[str, Any], defs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the part and key of everything that a document writes, as the schema leads to it."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = {**defs[name], "title": name}
    for choice in schema.get("anyOf", ()):
        yield from written(value, choice, defs)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from written(item, schema["items"], defs)
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                yield schema["title"], key
                yield from written(value[key], inner, defs)


def test_the_schema_leads_to_every_key_and_the_finest_estate_writes_them_all() -> None:
    schema = json_schema()
    defs = schema["$defs"]
    kinds = schema["discriminator"]["mapping"]
    seen = {
        place
        for node in read_yaml("a", FINE).documents
        for place in written(node.value, {"$ref": kinds[node.value["kind"]]}, defs)
    }
    known = {(name, key) for name, part in defs.items() for key in part.get("properties", ())}
    assert known - seen == set()


DOCUMENTS = [node.value for node in read_yaml("a", FINE).documents]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1 GiB", "1g.10gb", "0 ms", "22:00", "H100", "roma", [], {}, [{}], ["roma"], [None], {"a": "b"}])
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Yield every collection inside a value with each key or position in it."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@given(st.data())
def test_any_value_in_any_place_of_the_finest_estate_is_a_diagnostic_or_sound(data: st.DataObject) -> None:
    documents = json.loads(json.dumps(DOCUMENTS))
    for _ in range(data.draw(st.integers(1, 3))):
        inside, key = data.draw(st.sampled_from(list(places(documents))))
        inside[key] = data.draw(VALUES)
    parsed = parse([("a", "".join(f"---\n{json.dumps(each)}\n" for each in documents))])
    assert (parsed.estate is None) == bool(parsed.diagnostics)
    warnings_at(parsed, date(2026, 6, 1))
    if parsed.estate is not None:
        fingerprint(parsed.estate)
