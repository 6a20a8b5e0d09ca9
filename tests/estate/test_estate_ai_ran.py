"""The AI-RAN example is clean, shows what it promises, and is refused for what its readme says."""

from __future__ import annotations

from datetime import date

import pytest
from estate_texts import ROOT

from cellwright.estate.model import Execution, ServiceClass, Spread
from cellwright.estate.parsing import parse
from cellwright.estate.warnings import warnings_at

FOLDER = ROOT / "examples/ai-ran"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
TODAY = date(2026, 12, 1)


def told(file: str, before: str, after: str) -> list[str]:
    """Return the codes of what is wrong or doubtful when one line of the example is changed."""
    assert before in TEXTS[file]
    parsed = parse(list({**TEXTS, file: TEXTS[file].replace(before, after, 1)}.items()))
    return [item.code for item in (*parsed.diagnostics, *warnings_at(parsed, TODAY))]


def test_the_example_has_neither_problems_nor_warnings() -> None:
    parsed = parse(list(TEXTS.items()))
    assert parsed.diagnostics == ()
    assert warnings_at(parsed, TODAY) == ()


def test_the_example_shows_what_it_promises() -> None:
    built = parse(list(TEXTS.items())).estate
    assert built is not None
    jobs = built.workloads
    receiver, training = jobs["neural-receiver"], jobs["channel-model-training"]
    assert receiver.service_class is ServiceClass.GUARANTEED
    assert receiver.demand.pinned
    assert receiver.demand.single_cell
    selector = receiver.replicas.per_site
    assert selector is not None
    selected = [name for name, site in built.sites.items() if selector.selects(site)]
    assert selected == ["edge-aachen", "edge-bonn", "edge-dortmund"]
    day, night = jobs["mimo-scheduler"].window, jobs["site-adaptation"].window
    assert day is not None
    assert night is not None
    assert (day.hours + night.hours, day.end_min) == (24, night.start_min)
    assert (training.gang, training.replicas.count, training.spread) == (True, 4, Spread.NODE)
    assert (jobs["partner-footfall"].untrusted, jobs["partner-footfall"].execution) == (True, Execution.VM)
    assert [form.name for form in jobs["field-assistant"].quantisations] == ["fp16", "int8", "int4"]
    assert jobs["ticket-summaries"].replicas.per_home == ("tickets-rhine", "tickets-ruhr")


@pytest.mark.parametrize(
    ("file", "before", "after", "codes"),
    [
        (
            "workloads.yaml",
            "class: best_effort\n  demand: {cores: 8",
            "class: guaranteed\n  demand: {cores: 8",
            ["conflict"],
        ),
        ("workloads.yaml", "migProfile: 1g.6gb\n", "migProfile: 1g.5gb\n", ["unmet-wish"]),
        (
            "sites.yaml",
            "{model: L40S, count: 4, memory: 48 GiB}",
            "{model: L40S, count: 4, memory: 48 GiB, mig: true}",
            ["no-mig"],
        ),
        (
            "workloads.yaml",
            "  apartFrom:",
            "  togetherWith: [neural-receiver]\n  apartFrom:",
            ["contradictory-affinity"],
        ),
        ("workloads.yaml", "minAccuracy: 0.95", "minAccuracy: 1.1", ["out-of-range"]),
        ("sites.yaml", "memory: 64 GiB", "memory: 64 Gb", ["wrong-unit"]),
        ("links.yaml", "10 Gbit/s", "10 Gbps", ["wrong-unit"]),
        ("workloads.yaml", "to: '23:00'", "to: '05:00'", ["out-of-range"]),
    ],
)
def test_what_the_readme_says_is_refused_is(file: str, before: str, after: str, codes: list[str]) -> None:
    assert told(file, before, after) == codes
