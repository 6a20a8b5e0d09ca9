from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import specimen
from asking import AbsentFactory, SpecimenFactory, get, small_estate
from reading import Reader

from cellwright.portal import create_app
from cellwright.portal.layers import layers
from cellwright.portal.pages import STATIC
from cellwright.report.model import FactoryReport
from cellwright.report.page import render, stylesheet

if TYPE_CHECKING:
    from fastapi import FastAPI

PAGES = (
    "/",
    "/placements",
    "/placements/trainer",
    "/placements/trainer?site=region-dublin",
    "/incidents",
    "/incidents/storm-02",
    "/lake",
    "/gateway",
)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(SpecimenFactory())


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_well_formed_and_names_itself(app: FastAPI, address: str) -> None:
    answer = get(app, address)
    reader = Reader(answer.text)
    assert (answer.status, reader.faults) == (200, [])
    assert answer.text.count("<h1") == 1
    assert 'aria-current="page"' in answer.text


@pytest.mark.parametrize("address", [*PAGES, "/nowhere"])
def test_no_page_loads_anything_from_elsewhere_or_runs_anything_inline(app: FastAPI, address: str) -> None:
    reader = Reader(get(app, address).text)
    assert [each for each in reader.addresses if not each[1].startswith(("/", "#", "data:,"))] == []
    assert [each for each in reader.addresses if each[1].startswith("//")] == []
    assert [each for each in reader.attributes if each[1].startswith("on") or each[1] == "style"] == []
    sourced = [each for each in reader.attributes if each[0] == "script" and each[1] == "src"]
    assert len(sourced) == reader.tags.count("script")


def test_without_built_scripts_pages_are_whole_and_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr("cellwright.portal.pages.STATIC", tmp_path_factory.mktemp("static"))
    text = get(create_app(SpecimenFactory()), "/").text
    assert "The scripts of the portal are not built" in text
    assert "<script" not in text
    assert '<ul class="bars"' in text


def test_the_overview_shows_the_four_layers(app: FastAPI) -> None:
    words = Reader(get(app, "/").text).words
    places = [words.index(f"{name} ") for name in ("Infrastructure", "Virtualisation", "Network", "Service")]
    assert places == sorted(places)


def test_layers_are_counted_from_estate_and_plan() -> None:
    found = {layer.name: layer.parts for layer in layers(small_estate(), specimen.report())}
    assert found["Infrastructure"] == (
        "2 sites: 1 metro and 1 far edge",
        "3 machines: 2 x86_64 and 1 arm64",
        "8 GPUs: 8 L40S",
    )
    assert found["Network"][:2] == ("1 link, 10 Gbit/s together", "slowest round trip P99 4.5 ms")
    assert found["Virtualisation"][0] == "10 placements on 7 machines"
    assert found["Service"][0] == "10 workloads of 1 tenant"


def test_why_not_names_the_violations(app: FastAPI) -> None:
    words = Reader(get(app, "/placements/trainer?site=region-dublin").text).words
    assert "trainer at region-dublin" in words
    assert "41.5 ms against a limit of 10 ms" in words
    assert "No single change of the estate would admit it." in words


def test_why_not_an_unknown_site_suggests_the_nearest(app: FastAPI) -> None:
    answer = get(app, "/placements/trainer?site=region-dublim")
    assert answer.status == 404
    assert "did you mean &#39;region-dublin&#39;?" in answer.text


def test_a_question_is_not_echoed_as_markup(app: FastAPI) -> None:
    answer = get(app, "/placements/trainer?site=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in answer.text
    assert Reader(answer.text).faults == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/placements/trainr", "there is no workload &#39;trainr&#39;; did you mean &#39;trainer&#39;?"),
        ("/incidents/storm-77", "there is no incident"),
        ("/nowhere", "there is no such page"),
        ("/static/../pages.py", "there is no such page"),
    ],
)
def test_what_does_not_exist_is_a_404_in_words(app: FastAPI, address: str, told: str) -> None:
    answer = get(app, address)
    assert answer.status == 404
    assert told in answer.text
    assert Reader(answer.text).faults == []


def test_names_with_slashes_and_markup_have_working_addresses() -> None:
    report = specimen.report()
    odd = replace(report.incidents[0], incident="a/b <c>&d?")
    app = create_app(SpecimenFactory(replace(report, incidents=(odd,))))
    (address,) = {each for tag, each in Reader(get(app, "/incidents").text).addresses if each.startswith("/incidents/")}
    assert "a/b &lt;c&gt;&amp;d?" in get(app, address).text


def test_a_plan_alone_fills_every_page() -> None:
    app = create_app(SpecimenFactory(FactoryReport("A plan", specimen.plan())))
    words = {address: Reader(get(app, address).text).words for address in ("/", "/incidents", "/lake", "/gateway")}
    assert "No incident has been digested." in words["/incidents"]
    assert "Nothing has been mediated." in words["/lake"]
    assert "Nothing has been asked of the gateway." in words["/gateway"]


def test_a_factory_that_is_not_ready_says_why() -> None:
    app = create_app(AbsentFactory())
    answer = get(app, "/")
    assert answer.status == 503
    assert "the main job is still running; reload in a moment" in answer.text
    assert get(app, "/healthz").text == "ok\n"


def test_charts_carry_their_data_for_the_script(app: FastAPI) -> None:
    reader = Reader(get(app, "/").text)
    (data,) = [value for _, name, value in reader.attributes if name == "data-chart"]
    chart = json.loads(data)
    assert chart["unit"] == "EUR/h"
    assert len(chart["categories"]) == 10
    assert {len(series["values"]) for series in chart["series"]} == {10}
    assert {value for _, name, value in reader.attributes if name == "data-plain"} <= reader.ids


def test_the_report_comes_as_the_same_file(app: FastAPI) -> None:
    answer = get(app, "/report.html")
    assert answer.text == render(specimen.report())


def test_the_style_is_that_of_the_report(app: FastAPI) -> None:
    answer = get(app, "/style.css")
    assert (answer.headers["content-type"], answer.text) == ("text/css; charset=utf-8", stylesheet())


def test_our_own_scripts_are_served(app: FastAPI) -> None:
    answer = get(app, "/static/charts.js")
    assert answer.text == (STATIC / "charts.js").read_text(encoding="utf-8")
