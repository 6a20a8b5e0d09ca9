from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, is_dataclass, replace

import incidents
import pytest
import specimen
from reading import Reader

from cellwright.placement.plan import Plan
from cellwright.report.model import AnswerFigures, FactoryReport
from cellwright.report.page import render

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def page() -> str:
    return render(specimen.report())


def _poisoned(value: object) -> object:
    """Return the value with every free text in it replaced; enumerations and numbers stay."""
    if type(value) is str:
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(_poisoned(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: _poisoned(getattr(value, field.name)) for field in fields(value) if field.init}
        )
    return value


def test_the_same_report_gives_the_same_bytes(page: str) -> None:
    assert render(specimen.report()) == page


def test_the_page_is_well_formed(page: str) -> None:
    assert Reader(page).faults == []


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    reader = Reader(page)
    assert "script" not in reader.tags
    assert [address for address in reader.addresses if not address[1].startswith("#")] == [("link", "data:,")]
    assert [each for each in reader.attributes if each[1].startswith("on") or each[1] == "style"] == []


def test_its_own_policy_admits_its_style_and_nothing_else(page: str) -> None:
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;" in page


def test_every_link_within_the_page_has_a_target(page: str) -> None:
    reader = Reader(page)
    wanted = {address.removeprefix("#") for _, address in reader.addresses if address.startswith("#")}
    assert wanted - reader.ids == set()


def test_hostile_text_in_every_place_stays_text() -> None:
    report = replace(specimen.report(), incidents=(specimen.incident(0), incidents.fibre_cut()))
    reader = Reader(render(_poisoned(report)))  # type: ignore[arg-type]
    assert reader.faults == []
    assert {"script", "img"}.isdisjoint(reader.tags)
    assert not [each for each in reader.attributes if each[1].startswith("on")]
    assert HOSTILE in "".join(reader.text)


def test_a_plan_alone_makes_a_page_without_the_parts_that_were_not_run() -> None:
    reader = Reader(render(FactoryReport("A plan", specimen.plan())))
    assert reader.faults == []
    assert {"map", "plan", "costs"} <= reader.ids
    assert {"telemetry", "tokens", "incidents", "answers", "notes"}.isdisjoint(reader.ids)


def test_an_empty_plan_says_so() -> None:
    words = Reader(render(FactoryReport("Nothing", Plan("0" * 64, "XXX", None, (), ())))).words
    assert "The plan places no workload." in words
    assert "The plan names no site." in words


def test_a_workload_without_a_site_is_named_first() -> None:
    plan = specimen.plan()
    homeless = replace(plan.placements[0], site=None, tier=None, node=None, cost_per_hour=None, cost_items=())
    words = Reader(render(FactoryReport("A plan", replace(plan, placements=(homeless, *plan.placements[1:]))))).words
    assert "agents has no feasible site." in words
    assert "9 of 10 workloads" in words


def test_an_unknown_cost_makes_the_sum_unknown(page: str) -> None:
    words = Reader(page).words
    assert "Sum of the placed workloads ?" in words
    assert "1 price missing" in words


def test_a_tenfold_token_cut_is_shown_not_to_be_a_tenfold_cost_cut(page: str) -> None:
    words = Reader(page).words
    assert "10.0-fold fewer tokens in, 7.4-fold less cost." in words
    assert "52.00 USD/h in 50.00 + out 2.00" in words
    assert "7.00 USD/h in 5.00 + out 2.00" in words


def test_balances_are_shown_with_reasons(page: str) -> None:
    assert "balances; 7 no event time; 5 not well-formed at line 31" in Reader(page).words


def test_counts_that_are_not_conserved_are_called_out() -> None:
    rows = specimen.mediation()
    broken = replace(rows[0], rows=rows[0].rows - 1)
    words = Reader(render(replace(specimen.report(), mediation=(broken, *rows[1:])))).words
    assert "does not balance: 1 fact missing" in words
    assert "Telemetry, not in balance" in words


def test_gains_and_losses_of_two_sources_do_not_cancel_out() -> None:
    rows = specimen.mediation()
    broken = (replace(rows[0], rows=rows[0].rows - 1), replace(rows[1], rows=rows[1].rows + 1), rows[2])
    assert "Telemetry, not in balance" in Reader(render(replace(specimen.report(), mediation=broken))).words


def test_the_reasoner_is_said_not_to_be_a_language_model(page: str) -> None:
    words = Reader(page).words
    assert "it is a deterministic reasoner, not a language model" in words
    model = replace(specimen.answers(), language_model=True)
    assert "it is a language model" in Reader(render(replace(specimen.report(), answers=model))).words


def test_answers_that_all_failed_have_no_latency() -> None:
    failed = AnswerFigures("m", True, 3, 3, None, None, 0, 0, "estimate")  # noqa: FBT003 - a field of a value
    words = Reader(render(replace(specimen.report(), answers=failed))).words
    assert "3 failed" in words
    assert "No request was completed" in words


def test_no_rule_fixes_a_width_beyond_a_phone(page: str) -> None:
    style = page[page.index("<style>") : page.index("</style>")]
    fixed = re.findall(r"(?<![-\w])(?:min-)?width:\s*(\d+(?:\.\d+)?)(px|rem)", style)
    assert all(float(size) * (16 if unit == "rem" else 1) <= 360 for size, unit in fixed)
    assert {value for tag, name, value in Reader(page).attributes if tag == "svg" and name == "width"} <= {"100%", "16"}


def test_a_national_operator_fits_in_a_page_of_two_megabytes(page: str) -> None:
    assert len(page.encode()) < MOST_BYTES / 4


def test_tables_have_captions_and_pictures_have_names(page: str) -> None:
    tables = page.count("<table")
    assert tables == page.count("<caption")
    pictures = re.findall(r"<svg[^>]*role=\"img\"[^>]*>(?!<title>)", page)
    assert pictures == []
