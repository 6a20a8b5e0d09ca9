from __future__ import annotations

import json
from dataclasses import fields, replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_causes import LINKS, columns, planted

from cellwright.digest.causes import CauseGraph, learn
from cellwright.digest.causes_artefact import VERSION, Learned, from_bytes, to_bytes
from cellwright.digest.salience import LearnedSalience, SalienceQuality, Seen
from cellwright.errors import StorageError

SALIENCE = LearnedSalience(
    12, {"0123456789abcdef": Seen(7, 0.25)}, {"RRC.ConnEstabAtt": Seen(2, 3.5)}, SalienceQuality(4, 9, 300, 1.0, 0.5)
)


@pytest.fixture(scope="module", params=[None, LINKS], ids=["without topology", "with topology"])
def graph(request: pytest.FixtureRequest) -> CauseGraph:
    return learn(columns(planted(cuts=60)), topology=request.param)


def test_a_graph_reads_back_as_it_was_written(graph: CauseGraph) -> None:
    read = from_bytes(to_bytes(Learned(graph)), "model.json").causes
    for field in fields(CauseGraph):
        one, other = getattr(graph, field.name), getattr(read, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other
    assert to_bytes(Learned(read)) == to_bytes(Learned(graph))


def test_salience_reads_back_beside_it(graph: CauseGraph) -> None:
    raw = to_bytes(Learned(graph, SALIENCE))
    assert from_bytes(raw, "model.json").salience == SALIENCE
    assert from_bytes(to_bytes(Learned(graph)), "model.json").salience is None


def test_it_names_no_element_and_says_what_it_was_learned_from(graph: CauseGraph) -> None:
    document = json.loads(to_bytes(Learned(graph, SALIENCE)))
    assert set(document["training"]) == {"first_us", "last_us", "alarms", "onsets", "elements", "links", "sha256"}
    assert document["quality"]["tested"] > 0
    assert "element_codes" not in document


def test_another_version_is_refused_by_name(graph: CauseGraph) -> None:
    document = json.loads(to_bytes(Learned(graph, SALIENCE))) | {"version": VERSION + 1, "new": True}
    with pytest.raises(StorageError, match=rf"model\.json is a cause graph of version {VERSION + 1}.*expected version"):
        from_bytes(json.dumps(document).encode(), "model.json")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"types": ["only one"]},
        {"types": ["cut"] * 5},
        {"edges": [[True]]},
        {"strength": [[0.5], [0.5, 0.5]]},
        {"base_per_s": [-1.0] * 5},
        {"lag_s": "soon"},
        {"rates_per_s": []},
        {"bin_ends_ms": [1, 2, 3, 4, 5]},
        {"quality": {"gain_nats": 1}},
        {"surprise": 1},
        {"salience": {}},
        {"salience": json.loads(msgspec.json.encode(replace(SALIENCE, templates={"a": Seen(-1, 0.0)})))},
        {"salience": json.loads(msgspec.json.encode(replace(SALIENCE, counters={"a": Seen(1, -0.5)})))},
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_refused(graph: CauseGraph, change: dict[str, object]) -> None:
    with pytest.raises(StorageError, match=r"m\.json cannot be read as a cause graph"):
        from_bytes(json.dumps(json.loads(to_bytes(Learned(graph, SALIENCE))) | change).encode(), "m.json")


@given(st.binary(max_size=200) | st.text().map(str.encode) | st.just(b"[" * 100_000))
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    with pytest.raises(StorageError):
        from_bytes(raw, "m.json")


def test_a_hundred_types_stay_within_a_few_megabytes() -> None:
    random = np.random.default_rng(0)
    names = tuple(f"probable cause {number}/specific problem" for number in range(100))
    rows = [(int(random.integers(100)), int(random.integers(50)), random.random() * 86_400) for _ in range(20_000)]
    assert len(to_bytes(Learned(learn(columns(rows, names), topology=LINKS)))) < 4_000_000
