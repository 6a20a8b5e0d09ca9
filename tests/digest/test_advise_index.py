from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.digest.advise_index import Index, vocabulary_of
from cellwright.digest.advise_symptoms import Kind, Term

if TYPE_CHECKING:
    import numpy as np

CASES = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from([Kind.WORD, Kind.CODE, Kind.EVENT]), st.sampled_from("abcdef")),
        st.integers(1, 4),
        min_size=1,
    ).map(Counter),
    min_size=1,
    max_size=8,
)


def word(*names: str) -> Counter[Term]:
    return Counter((Kind.WORD, name) for name in names)


def similarities(query: Counter[Term], cases: list[Counter[Term]]) -> np.ndarray:
    vocabulary = vocabulary_of(cases)
    index = Index(map(vocabulary.vector, cases), len(vocabulary.places))
    return index.similarities(vocabulary.vector(query))


def test_the_similarity_of_words_is_the_cosine_of_tf_idf_by_hand() -> None:
    cases = [word("link", "down"), word("link", "link"), word("power")]
    link, down = math.log(4 / 3) + 1, math.log(4 / 2) + 1
    expected = link / math.hypot(link, down)
    assert similarities(word("link"), cases) == pytest.approx([expected, 1.0, 0.0])


def test_one_error_code_weighs_as_much_as_all_words_together() -> None:
    many = [f"w{number}" for number in range(50)]
    code = Counter({(Kind.CODE, "LOS-1"): 1})
    found = similarities(word(*many) + code, [word(*many), code])
    assert found == pytest.approx([0.5, 0.5])


def test_what_was_never_seen_makes_everything_less_similar() -> None:
    cases = [word("please", "help"), word("please", "call")]
    alone, with_unknown = (similarities(word(*names), cases)[0] for names in (("please",), ("please", "toner")))
    assert 0 < with_unknown < alone


def test_a_kind_that_no_case_has_makes_nothing_less_similar() -> None:
    severity = Counter({(Kind.SEVERITY, "major"): 1})
    assert similarities(word("link") + severity, [word("link")]) == pytest.approx([1.0])
    assert similarities(word("link") + severity, [word("link"), severity])[0] < 0.9


@given(CASES)
def test_each_case_is_most_similar_to_itself_and_nothing_is_beyond_one(cases: list[Counter[Term]]) -> None:
    for place, case in enumerate(cases):
        found = similarities(case, cases)
        assert found[place] == pytest.approx(1.0)
        assert (found <= 1 + 1e-9).all()
        assert (found >= 0).all()
