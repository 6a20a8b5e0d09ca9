"""Golden cases: a small estate and what its plan says, to be reviewed by a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwright.estate.parsing import parse
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Placement, Plan

CASES = Path(__file__).parents[1] / "cases" / "plan"
NAMES = sorted(path.stem for path in CASES.glob("*.yaml"))


def read(name: str) -> Estate:
    files = (CASES / "common" / "common.yaml", CASES / f"{name}.yaml")
    parsed = parse([(path.name, path.read_text(encoding="utf-8")) for path in files])
    assert parsed.estate is not None, [str(each) for each in parsed.diagnostics]
    return parsed.estate


def told(made: Plan) -> Iterator[str]:
    """What a reader checks of a plan, without the figures of every other site."""
    costs = [each.cost_per_hour for each in made.placements if each.site]
    total = "?" if None in costs else f"{sum(costs):.4f}"
    yield f"{len(costs)} of {len(made.placements)} placed, {total} {made.currency}/h"
    for each in made.placements:
        yield ""
        yield f"{each.label}: {each.site or 'no site'}{f'/{each.node}' if each.node else ''}"
        if each.site:
            yield f"  {', '.join(_facts(each))}"
        yield f"  {each.decided_by}: {each.decided_because}"
        counts = ", ".join(f"{dimension} {count}" for dimension, count in each.eliminated.items() if count)
        yield f"  eliminated: {counts or 'none'}"
        for rejection in each.rejections:
            codes = ", ".join(f"{violation.code} {violation.subject}" for violation in rejection.violations)
            yield f"  not {rejection.site}: {codes}"


def _facts(each: Placement) -> Iterator[str]:
    seating = each.seating
    assert seating is not None
    for cell, draw in zip(seating.cells, seating.draws, strict=True):
        pages = f", {draw.small_pages} + {draw.large_pages} pages" if draw.small_pages or draw.large_pages else ""
        functions = f", {draw.functions} functions" if draw.functions else ""
        yield f"cell {cell}: {draw.threads} threads, {draw.memory_kib / 2**20:g} GiB{pages}{functions}"
    yield from (f"GPU {gpu}" for gpu in seating.gpus)
    yield from (f"GPU {gpu} from slice {start}" for gpu, start in seating.instances)
    if each.quantisation:
        yield each.quantisation
    cost = "?" if each.cost_per_hour is None else f"{each.cost_per_hour:.4f}"
    yield f"{cost} an hour, P99 {each.latency_p99_ms} ms for {each.users} ({each.latency_source})"


@pytest.mark.parametrize("name", NAMES)
def test_each_case_is_planned_as_reviewed(name: str, request: pytest.FixtureRequest) -> None:
    built, golden = read(name), CASES / f"{name}.txt"
    made = plan(built)
    assert verify(built, made) == ()
    text = "\n".join(told(made)) + "\n"
    if request.config.getoption("--update", default=False):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_text_of_a_plan_has_its_case() -> None:
    assert sorted(path.stem for path in CASES.glob("*.txt")) == NAMES
