from __future__ import annotations

import crowds
import pytest
from asking import SpecimenFactory, get
from reading import Reader

from cellwright.portal import create_app
from cellwright.report.model import FactoryReport


@pytest.fixture(scope="module")
def factory() -> SpecimenFactory:
    return SpecimenFactory(FactoryReport("A network", crowds.plan(300, 60, 4)))


@pytest.mark.parametrize("address", ["/", "/placements", "/placements?find=work-0012", "/placements/work-00123"])
def test_pages_of_a_network_are_well_formed_and_small(factory: SpecimenFactory, address: str) -> None:
    answer = get(create_app(factory), address)
    assert (answer.status, Reader(answer.text).faults) == (200, [])
    assert len(answer.text) < 1_000_000


def test_workloads_beyond_those_that_are_shown_can_be_found_by_name(factory: SpecimenFactory) -> None:
    app = create_app(factory)
    assert "work-00012" not in Reader(get(app, "/placements").text).words
    words = Reader(get(app, "/placements?find=WORK-0001").text).words
    assert "10 workloads with “WORK-0001” in the name" in words
    assert "work-00012" in words
    assert "Sum of the placed workloads 620.00" in words


def test_a_name_that_nothing_has_is_a_404_with_the_nearest(factory: SpecimenFactory) -> None:
    answer = get(create_app(factory), "/placements?find=wrok-00012")
    assert answer.status == 404
    assert "0 workloads" in answer.text
    assert "did you mean &#39;work-00012&#39;?" in answer.text


def test_a_question_about_one_of_several_replicas_names_it(factory: SpecimenFactory) -> None:
    app = create_app(factory)
    get(app, "/placements/work-00012?site=region-dublin&replica=3")
    get(app, "/placements/work-00299?site=region-dublin")
    assert factory.asked == [("work-00012#3", "region-dublin"), ("work-00299#4", "region-dublin")]
