from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest
from alarm_lists import LISTS, read_list

from cellwright.digest.compose import digest_incident
from cellwright.digest.render_ves import render_ves
from cellwright.digest.storms import incidents, is_storm
from cellwright.digest.text import decode
from cellwright.digest.tokens import token_counter

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from cellwright.digest.storms import Incident

COUNT = token_counter()
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not LISTS, reason="no public alarm lists: set CELLWRIGHT_DATA"),
]


@pytest.fixture(scope="module", params=LISTS, ids=lambda path: path.name)
def real(request: pytest.FixtureRequest) -> tuple[pa.Table, list[Incident]]:
    path: Path = request.param
    table = read_list(path)
    return table, list(incidents(table, COUNT))


def test_the_incidents_of_a_real_list_partition_it(real: tuple[pa.Table, list[Incident]]) -> None:
    table, found = real
    ordinals = sorted(alarm.ordinal for incident in found for alarm in incident.alarms)
    assert ordinals == list(range(table.num_rows))


def test_tokens_of_real_storms_are_those_of_their_rendering(real: tuple[pa.Table, list[Incident]]) -> None:
    storms = list(filter(is_storm, real[1]))[:40]
    assert [COUNT.count(render_ves(storm.alarms)) for storm in storms] == [storm.ves_tokens for storm in storms]


def test_every_real_storm_keeps_all_facts_within_2000_tokens(real: tuple[pa.Table, list[Incident]]) -> None:
    storms = list(filter(is_storm, real[1]))
    made = [digest_incident(storm, budget=2_000, count=COUNT) for storm in storms]
    assert len(storms) > 20
    for storm, digest in zip(storms, made, strict=True):
        pairs = {(alarm.element, alarm.alarm_type) for alarm in storm.alarms}
        assert set(decode(digest.text).pairs()) == pairs
        assert digest.tokens <= 2_000
        assert digest.ledger.balanced
    assert statistics.median(1 - digest.tokens / digest.ves_tokens for digest in made) >= 0.9
    assert statistics.median(1 - digest.tokens / digest.csv_tokens for digest in made) >= 0.6
