from __future__ import annotations

import json
from collections import Counter

import pytest
from estate_texts import DATASET, LINK, OTHER_SITE, SITE, SMALL, TENANT, WORKLOAD, example_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.errors import Mark, Severity
from cellwright.estate.cycles import cycles
from cellwright.estate.documents.kinds import Kind
from cellwright.estate.model import Arch, OnCall, Phase, SensitivityClass, Tier
from cellwright.estate.parsing import parse
from cellwright.estate.yaml_nodes import read_yaml

EXAMPLE = example_texts()


def codes(*texts: str) -> list[str]:
    parsed = parse([(f"{index}.yaml", text) for index, text in enumerate(texts)])
    return [diagnostic.code for diagnostic in parsed.diagnostics]


def test_a_small_estate_becomes_frozen_values_in_canonical_units() -> None:
    parsed = parse([("small.yaml", SMALL)])
    built = parsed.estate
    assert parsed.diagnostics == ()
    assert built is not None
    node = built.sites["roma"].nodes[0]
    assert (node.arch, node.cores, node.memory_gib, node.count) == (Arch.X86_64, 64, 256.0, 1)
    assert built.sites["roma"].operations.on_call is OnCall.ALWAYS
    assert not built.sites["roma"].isolated
    assert built.links["roma-milano"].bandwidth_gbps == 10.0
    assert built.datasets["counters"].volume_gb == 1000.0
    use = built.workloads["scoring"].consumes[0]
    assert (use.transfer_gb, use.every_ms, use.within_ms) == pytest.approx((0.04, 60e3, 10e3))
    assert built.workloads["scoring"].demand.archs == frozenset(Arch)
    assert built.workloads["scoring"].readiness.on_call is OnCall.NONE
    assert built.regulations["rule"].members == frozenset({"IT", "NO"})
    assert built.tenants["noc"].quota.gpus is None
    assert built.price_books["book"].compute[0].gpu_hour == {"L40S": 2.0}


def test_documents_may_lie_in_many_files_in_any_order() -> None:
    one, many = parse([("a", SMALL)]).estate, SMALL.split("---\n")[:0:-1]
    assert one == parse([(f"{index}.yaml", text) for index, text in enumerate(many)]).estate


def test_mappings_are_in_name_order() -> None:
    built = parse([("a", SMALL)]).estate
    assert built is not None
    assert list(built.sites) == ["milano", "roma"]


def test_a_broken_file_does_not_hide_the_problems_of_another() -> None:
    assert codes("a: [", SITE.replace("metro", "mtero")) == ["yaml-syntax", "unknown-value"]


def test_a_duplicate_names_the_first_place_in_another_file() -> None:
    (problem,) = parse([("a.yaml", SITE), ("b.yaml", SITE)]).diagnostics
    assert problem.mark == Mark("b.yaml", 4, 18)
    assert problem.hint == "first at a.yaml:4:18"


def test_a_name_that_may_stand_in_unreadable_text_is_not_called_unknown() -> None:
    assert codes("name: roma\nnodes: [", DATASET) == ["yaml-syntax"]
    assert codes("name: torino\nnodes: [", DATASET) == ["yaml-syntax", "unknown-site"]


def test_diagnostics_are_sorted_by_file_line_and_column() -> None:
    broken = SMALL.replace("roma", "rome", 1).replace("8 ms", "8").replace("IT", "it")
    marks = [item.mark for item in parse([("b", broken), ("a", broken)]).diagnostics if item.mark]
    assert len(marks) > 10
    assert marks == sorted(marks)


def test_an_estate_of_no_files_is_empty() -> None:
    assert codes() == ["empty-estate"]


def test_line_numbers_survive_directives_and_windows_line_ends() -> None:
    text = ("%YAML 1.2\n" + SITE + OTHER_SITE.replace("metro", "mtero")).replace("\n", "\r\n")
    (problem,) = parse([("a", text)]).diagnostics
    assert problem.mark == Mark("a", 19, 9)


def test_marks_lead_back_to_the_text() -> None:
    parsed = parse([("a", SITE)])
    assert parsed.mark(Kind.SITE, "roma") == Mark("a", 4, 18)
    assert parsed.mark(Kind.SITE, "roma", "spec", "tier") == Mark("a", 6, 9)
    assert parsed.mark(Kind.SITE, "napoli") is None


@pytest.mark.parametrize("word", ["NO", "no", "on", "0x1F", "017", "1_000", "2026-01-01", "12:30:45", "24x7", ".inf"])
def test_words_of_old_yaml_stay_text(word: str) -> None:
    assert read_yaml("a", f"x: {word}").documents[0].value == {"x": word}


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("-2.5", -2.5), ("1e3", 1000.0), ("true", True), ("~", None)])
def test_plain_scalars_get_their_type(text: str, value: object) -> None:
    assert read_yaml("a", f"x: {text}").documents[0].value == {"x": value}
    assert read_yaml("a", f"x: '{text}'").documents[0].value == {"x": text}


def test_deep_nesting_and_huge_numbers_are_refused_not_crashed_on() -> None:
    assert codes("[" * 100_000) == ["too-large"]
    assert "wrong-type" in codes(SITE.replace("64", "9" * 5000))


def test_text_that_is_not_unicode_is_a_diagnostic() -> None:
    assert codes("a: \ud800") == ["yaml-syntax"]


def test_every_circle_is_found_once() -> None:
    assert cycles({"a": ["b", "d"], "b": ["c"], "c": ["a", "c"], "d": ["b"]}) == (("a", "b", "c"), ("c",))
    assert cycles({str(n): [str(n + 1)] for n in range(5000)}) == ()


def test_the_example_is_clean_and_has_what_it_promises() -> None:
    parsed = parse(EXAMPLE)
    built = parsed.estate
    assert parsed.diagnostics == ()
    assert built is not None
    tiers = Counter(site.tier for site in built.sites.values())
    promised = {Tier.REGION: 2, Tier.METRO: 3, Tier.ONPREM: 12, Tier.AI_FACTORY: 1, Tier.FAR_EDGE: 200}
    assert tiers == promised
    assert len({site.jurisdiction for site in built.sites.values() if site.tier is Tier.REGION}) == 2
    assert sum(site.isolated for site in built.sites.values() if site.tier is Tier.METRO) == 1
    assert {dataset.sensitivity for dataset in built.datasets.values()} == set(SensitivityClass)
    assert sorted(workload.phase for workload in built.workloads.values()) == sorted(Phase)
    nodes = [node for site in built.sites.values() if site.tier is Tier.FAR_EDGE for node in site.nodes]
    assert {(node.arch, node.gpus is not None, node.unified_memory) for node in nodes} == {
        (Arch.X86_64, True, False),
        (Arch.ARM64, False, False),
        (Arch.ARM64, True, True),
    }


def test_the_network_of_the_example_is_in_one_piece() -> None:
    built = parse(EXAMPLE).estate
    assert built is not None
    reached, edge = set[str](), {"region-milano"}
    while edge:
        reached |= edge
        edge = {end for link in built.links.values() for end in (link.a, link.b) if {link.a, link.b} & edge} - reached
    assert reached == set(built.sites)


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_no_text_makes_parsing_raise(text: str) -> None:
    parsed = parse([("a", text)])
    assert parsed.estate is None
    assert parsed.diagnostics


FRAGMENTS = st.sampled_from(
    [
        "",
        "\n",
        "---\n",
        ": ",
        "- ",
        "[",
        "}",
        "&a ",
        "*a",
        "!!map ",
        "? ",
        "~",
        "0",
        "-1",
        "'",
        '"',
        "|\n",
        "<<: ",
        "\t",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mutation_of_a_sound_estate_makes_parsing_raise(data: st.DataObject) -> None:
    text = SMALL
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text = text[:start] + data.draw(FRAGMENTS | st.text(max_size=5)) + text[end:]
    parsed = parse([("a", text)])
    errors = [item for item in parsed.diagnostics if item.severity is Severity.ERROR]
    assert (parsed.estate is None) == bool(errors)
    assert all(item.mark and item.mark.line <= text.count("\n") + 2 for item in errors)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([SITE, LINK, DATASET, TENANT, WORKLOAD]), st.integers(0, 40), VALUES)
def test_any_value_in_any_place_is_a_diagnostic_or_sound(text: str, place: int, value: object) -> None:
    lines = text.splitlines()
    candidates = [index for index, line in enumerate(lines) if ": " in line]
    index = candidates[place % len(candidates)]
    lines[index] = lines[index].split(": ")[0] + ": " + json.dumps(value)  # JSON is YAML
    parse([("a", "\n".join(lines))])
