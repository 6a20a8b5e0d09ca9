"""Texts are cut, embedded and chosen as stated, and uploads are read or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.tokens import EstimatingCounter
from cellwright.gateway.knowledge.attributes import read_attributes, read_filter
from cellwright.gateway.knowledge.chunk import passages, spans
from cellwright.gateway.knowledge.lexical import DIMENSIONS, embed
from cellwright.gateway.knowledge.store import Chunking
from cellwright.gateway.wire import ApiError

PROSE = (
    "A cell reports loss of signal. The fibre is cut.\n\nReplace the fibre, then reset the port. Tell the NOC.\n" * 20
)


@given(st.text(max_size=600), st.integers(50, 120), st.integers(0, 40))
def test_passages_cover_a_text_and_overlap_no_more_than_asked(text: str, tokens: int, overlap: int) -> None:
    found = list(spans(text, Chunking(tokens, overlap)))
    assert bool(found) is bool(text.strip())
    for place, (start, end) in enumerate(found):
        before = found[place - 1][1] if place else 0
        assert start <= before
        assert before < end
        assert start > found[place - 1][0] if place else start == 0
    assert not found or found[-1][1] == len(text)


def test_passages_keep_their_size_and_end_where_sentences_do() -> None:
    count = EstimatingCounter().count
    cut = passages(PROSE, Chunking(60, 12))
    assert len(cut) > 5
    assert all(count(each) <= 60 * 1.1 for each in cut)
    assert all(each.rstrip().endswith((".", "\n")) for each in cut)
    assert all(count(each) >= 30 for each in cut[:-1])


def test_vectors_of_words_are_of_one_length_and_the_same_each_time() -> None:
    texts = ["loss of signal on the fibre", "Loss of signal: fibres", "the price of bread", ""]
    vectors = embed(texts)
    assert vectors.shape == (4, DIMENSIONS)
    assert (embed(texts) == vectors).all()
    near, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    assert near > 0.4
    assert far < 0.2
    assert [round(float(vector @ vector), 4) for vector in vectors] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "eq", "key": "vendor", "value": "a"}, True),
        ({"type": "ne", "key": "vendor", "value": "a"}, False),
        ({"type": "gte", "key": "year", "value": 2026}, True),
        ({"type": "lt", "key": "year", "value": 2026}, False),
        ({"type": "gt", "key": "vendor", "value": 1}, False),
        ({"type": "in", "key": "vendor", "value": ["a", "b"]}, True),
        ({"type": "nin", "key": "absent", "value": ["a"]}, True),
        ({"type": "lt", "key": "absent", "value": 1}, False),
        (
            {
                "type": "and",
                "filters": [
                    {"type": "eq", "key": "vendor", "value": "a"},
                    {"type": "or", "filters": [{"type": "eq", "key": "year", "value": 1}]},
                ],
            },
            False,
        ),
    ],
)
def test_filters_compare_attributes(filters: object, expected: bool) -> None:  # noqa: FBT001 - a case
    assert read_filter(filters)({"vendor": "a", "year": 2026}) is expected


@pytest.mark.parametrize(
    "filters",
    [
        7,
        {"type": "like", "key": "a", "value": "b"},
        {"type": "eq", "value": "b"},
        {"type": "and", "filters": []},
        {"type": "eq", "key": "a", "value": None},
        {"type": "in", "key": "a", "value": "b"},
    ],
)
def test_what_is_no_filter_is_refused(filters: object) -> None:
    with pytest.raises(ApiError, match=r"filter|value|comparison"):
        read_filter(filters)


@pytest.mark.parametrize("given", [[], {"a": None}, {"": "x"}, {"a": "x" * 513}, {str(n): n for n in range(17)}])
def test_what_cannot_be_attributes_is_refused(given: object) -> None:
    with pytest.raises(ApiError, match="attributes"):
        read_attributes(given)
