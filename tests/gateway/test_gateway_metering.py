"""Streams that break, and usage that is missing, doubled or nonsense: exact where the server said it, never nothing."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from gateway_kit import WordCounter
from upstream_kit import STREAM, asked, delta, says, streams

from cellwright.gateway.backend import Chunk
from cellwright.gateway.tally import Tally
from cellwright.gateway.wire import ModelRequest, Usage

if TYPE_CHECKING:
    from types import ModuleType

BENCH = Path(__file__).parents[2] / "bench"
REQUEST = ModelRequest("r", 1, "m", {"messages": [{"role": "user", "content": "one two three"}]}, True, True)  # noqa: FBT003 - its fields


def bench() -> ModuleType:
    """The measurement that benchmarks use."""
    if "bench_gateway_metering" not in sys.modules:
        sys.path.insert(0, str(BENCH))
        spec = importlib.util.spec_from_file_location("bench_gateway_metering", BENCH / "gateway_metering.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules["bench_gateway_metering"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.path.remove(str(BENCH))
    return sys.modules["bench_gateway_metering"]


@pytest.mark.integration
def test_mixed_streams_are_metered_as_the_server_counts_them(tmp_path: Path) -> None:
    outcomes, apart = bench().measure(150, 7, 50, tmp_path)
    assert set(Counter(item.verdict for item in outcomes)) == {"exact", "counted"}
    assert apart == 0
    assert {(item.plan.usage, item.plan.ends) for item in outcomes} == {
        (usage, ends) for usage in bench().USAGES for ends in bench().ENDS
    }


def settled(*chunks: Chunk) -> Usage:
    tally = Tally()
    for chunk in chunks:
        tally.hear(chunk)
    first = tally.settle(REQUEST, WordCounter())
    assert tally.settle(REQUEST, WordCounter()) == first
    return first


def text(said: str, usage: Usage | None = None) -> Chunk:
    return Chunk(b"{}", said, usage)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((), Usage(3, 0, estimated=True)),
        ((text("a "), text("b ")), Usage(3, 2, estimated=True)),
        ((text("a "), text("b ", Usage(9, 7, 4))), Usage(9, 7, 4)),
        ((text("a ", Usage(9, 1)), text("b ", Usage(9, 2)), text("", Usage(9, 2))), Usage(9, 2)),
        ((text("a ", Usage(9, 1, 4)), text("b "), text("c ")), Usage(9, 3, 4, estimated=True)),
        ((text("", Usage(9, 0)), text("b c ")), Usage(9, 2, estimated=True)),
        ((text("a ", Usage(9, 1)), text("", Usage(0, 0))), Usage(9, 1)),
        ((text("a "), text("", Usage(0, 0))), Usage(3, 1, estimated=True)),
        ((text("a ", Usage(0, 5)),), Usage(3, 5, estimated=True)),
        ((text("", Usage(9, 0)),), Usage(9, 0)),
    ],
    ids=[
        "nothing",
        "no usage",
        "once",
        "cumulative",
        "broken after usage",
        "only at the start",
        "zeros at the end",
        "zeros alone",
        "no tokens in",
        "nothing out",
    ],
)
def test_usage_is_what_was_said_last_and_what_came_after_it(chunks: tuple[Chunk, ...], expected: Usage) -> None:
    assert settled(*chunks) == expected


def usage_of(tokens_out: int) -> dict[str, Any]:
    return {"prompt_tokens": 30, "completion_tokens": tokens_out}


def test_a_stream_that_breaks_is_metered_as_the_server_said_up_to_there(tmp_path: Path) -> None:
    pieces = [orjson.loads(delta("four ")) | {"usage": usage_of(number)} for number in (1, 2)]
    handler = streams(b"".join(b"data: %b\n\n" % orjson.dumps(item) for item in pieces))
    _, row, _ = asked(tmp_path, handler, STREAM)
    assert (row.error, row.tokens_in, row.tokens_out, row.estimated) == ("upstream_broke_off", 30, 2, False)


def test_zeros_are_no_usage(tmp_path: Path) -> None:
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "four five"}}]}
    _, row, _ = asked(tmp_path, says(answer | {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}))
    assert (row.tokens_in, row.tokens_out, row.estimated) == (3, 2, True)
    assert row.cost_in_nano == 3 * 2500
