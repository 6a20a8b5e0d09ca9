from __future__ import annotations

import pytest

from cellwright.errors import UsageError
from cellwright.estate.parsing import parse

SITE = """
apiVersion: cellwright.io/v1alpha1
kind: Site
metadata: {name: office}
spec:
  tier: onprem
  jurisdiction: IT
  control: operator
  location: {lat: 45, lon: 9}
  operations: {managed: true, onCall: 24x7}
  nodes:
    - {name: rack, count: 2, arch: x86_64, cores: 8, memory: 32 GiB}
    - {name: arm, arch: arm64, cores: 4, memory: 8 GiB}
"""


def nodes(*supposed: str) -> list[tuple[str, int, int]]:
    found = parse([("site.yaml", SITE)], supposed)
    assert found.estate is not None, found.diagnostics
    return [(node.name, node.count, node.cores) for node in found.estate.sites["office"].nodes]


def test_a_value_is_taken_to_be_another() -> None:
    assert nodes("Site/office/nodes.rack.cores=64") == [("rack", 2, 64), ("arm", 1, 4)]


def test_a_value_that_is_not_written_is_added_and_null_takes_one_away() -> None:
    assert nodes("site/office/nodes.arm.count=3", "site/office/nodes.rack.count=null") == [
        ("rack", 1, 8),
        ("arm", 3, 4),
    ]


def test_an_entry_of_a_list_is_named_by_its_name_or_its_place_and_can_be_taken_away() -> None:
    assert nodes("Site/office/nodes.1.cores=5") == [("rack", 2, 8), ("arm", 1, 5)]
    assert nodes("Site/office/nodes.arm=null") == [("rack", 2, 8)]


def test_a_whole_list_can_be_supposed() -> None:
    assert nodes("Site/office/nodes=[]") == []


def test_a_wrong_value_is_refused_as_in_a_file_and_its_place_is_the_command_line() -> None:
    found = parse([("site.yaml", SITE)], ["Site/office/tier=moon"])
    assert found.estate is None
    (problem,) = found.diagnostics
    assert problem.code == "unknown-value"
    assert str(problem.mark).startswith("--what-if Site/office/tier=moon")


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("cores", "what-if-form", "Workload/slice-policy/latency.p99=20 ms"),
        ("Site/office=4", "what-if-form", "names no value"),
        ("Site/ofice/tier=metro", "what-if-document", "did you mean 'site/office'?"),
        ("Moon/office/tier=metro", "what-if-document", "has no Moon"),
        ("Site/office/nodes.rock.cores=4", "what-if-place", "nothing at 'rock'"),
        ("Site/office/tier.x=4", "what-if-place", "nothing at 'x'"),
        ("Site/office/tier={a", "what-if-value", "cannot be read"),
    ],
)
def test_what_cannot_be_supposed_is_told(text: str, code: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([("site.yaml", SITE)], [text])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert told in str(diagnostic)
