"""Server-sent events, cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.gateway.sse import EventReader

LINES = st.lists(st.binary(max_size=8).filter(lambda data: b"\n" not in data and b"\r" not in data), max_size=5)


@given(LINES, st.lists(st.integers(0, 80), max_size=6), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_are_the_same_wherever_the_pieces_are_cut(lines: list[bytes], cuts: list[int], end: bytes) -> None:
    raw = b"".join(b": note" + end + b"data: " + line + end + end for line in lines)
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    reader = EventReader()
    events = [event for a, b in pairwise(places) for event in reader.feed(raw[a:b])]
    assert events == lines


def test_an_event_of_several_lines_is_joined() -> None:
    assert EventReader().feed(b"event: x\ndata: a\ndata:b\nid: 1\n\n") == [b"a\nb"]


def test_a_byte_order_mark_loses_no_event() -> None:
    assert EventReader().feed(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]
    assert EventReader().feed(b"\xef\xbb\xbf" * 10_000 + b"data: a\n\n") == []


def test_an_event_without_its_end_is_not_given() -> None:
    assert EventReader().feed(b"data: a\n") == []


@pytest.mark.parametrize("piece", [b"x" * 11, b"data: 123456\n" * 2])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        EventReader(limit=10).feed(piece)
