"""The Messages API as a backend: what it is asked, and what its answers, streams and failures become."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from chat_kit import OBJECTS, WORDS, joined, request, requests
from gateway_kit import QUESTION
from hypothesis import given
from hypothesis import strategies as st
from upstream_kit import asked, says, streams

from cellwright.gateway.backends.anthropic import _Stream, read_message, read_usage, write_request
from cellwright.gateway.forms.conversation import UnfitError, read_conversation
from cellwright.gateway.forms.messages import read_messages
from cellwright.gateway.forms.options import Choice, read_options
from cellwright.gateway.forms.pieces import Pieces

if TYPE_CHECKING:
    from pathlib import Path

    from upstream_kit import Handler

    from cellwright.gateway.forms.options import Options

pytestmark = pytest.mark.integration
USAGE = {"input_tokens": 20, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 5, "output_tokens": 7}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "four five"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
TOOL = {"type": "function", "function": {"name": "cells", "parameters": {"type": "object"}, "strict": True}}


def sent(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def begun() -> dict[str, Any]:
    return {"type": "message_start", "message": ANSWER | {"content": [], "usage": USAGE | {"output_tokens": 1}}}


def text(said: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": said}}


def ended(reason: str = "end_turn", **delta: object) -> tuple[dict[str, Any], ...]:
    usage = {"output_tokens": 7, "input_tokens": None}
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": usage}, {
        "type": "message_stop"
    }


def test_a_request_reaches_the_api_in_its_own_words(tmp_path: Path) -> None:
    body = {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "cells", "arguments": '{"n":1}'}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "three"},
            {"role": "user", "content": "And now?"},
        ],
        "max_completion_tokens": 50,
        "stop": "END",
        "tools": [TOOL],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "reasoning_effort": "high",
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}},
        "user": "u7",
        "seed": None,
        "n": 1,
    }
    response, row, upstream = asked(tmp_path, says(ANSWER), body, type="anthropic")
    assert upstream.paths == ["/v1/messages"]
    assert upstream.headers[0]["x-api-key"] == "PLANTED-SECRET"
    assert upstream.headers[0]["anthropic-version"] == "2023-06-01"
    assert upstream.bodies == [
        {
            "model": "model-cloud",
            "max_tokens": 50,
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "c1", "name": "cells", "input": {"n": 1}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "three"}]},
                        {"type": "text", "text": "And now?"},
                    ],
                },
            ],
            "stop_sequences": ["END"],
            "tools": [{"name": "cells", "input_schema": {"type": "object"}, "strict": True}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "array"}}, "effort": "high"},
            "metadata": {"user_id": "u7"},
            "stream": False,
        }
    ]
    answer = response.json
    assert answer["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "four five"}, "finish_reason": "stop"}
    ]
    assert (answer["object"], answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"]) == (
        "chat.completion",
        35,
        42,
    )
    assert (row.tokens_in, row.tokens_cached, row.tokens_out, row.estimated) == (35, 10, 7, False)


def test_a_stream_becomes_chunks_with_usage_at_the_end(tmp_path: Path) -> None:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    raw = sent(
        begun(), block, {"type": "ping"}, text("four "), text("five"), *ended("stop_sequence", stop_sequence="E")
    )
    body = QUESTION | {"stream": True, "stream_options": {"include_usage": True}}
    response, row, upstream = asked(tmp_path, streams(raw[:99], raw[99:]), body, type="anthropic")
    *pieces, done = response.events
    chunks = [orjson.loads(piece) for piece in pieces]
    assert done == b"[DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
        {"role": "assistant", "content": "four "},
        {"content": "five"},
        {},
    ]
    assert chunks[2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[2]["choices"][0]["stop_reason"] == "E"
    assert chunks[3]["usage"]["completion_tokens"] == 7
    assert upstream.bodies[0]["stream"] is True
    assert (row.tokens_in, row.tokens_cached, row.tokens_out, row.estimated, row.error) == (35, 10, 7, False, None)


def error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "too busy"}}


@pytest.mark.parametrize(
    ("handler", "stream", "status", "code", "estimated"),
    [
        (says(error("overloaded_error"), 529), False, 502, "upstream_unavailable", True),
        (says(error("rate_limit_error"), 429), False, 429, "upstream_rate_limited", False),
        (says(error("invalid_request_error"), 400), False, 400, "upstream_refused_request", False),
        (says({}), False, 502, "upstream_garbled", True),
        (says({"content": [{"type": "text"}]}), False, 502, "upstream_garbled", True),
        (says(ANSWER), True, 502, "upstream_not_streaming", True),
        (streams(sent(begun(), error("overloaded_error"))), True, 502, "upstream_unavailable", True),
        (streams(sent(begun(), text("four "))), True, 200, "upstream_broke_off", True),
        (streams(sent(begun(), text("four "), error("api_error"))), True, 200, "upstream_failed", True),
        (streams(sent(begun(), text("four ")) + b"data: {\n\n"), True, 200, "upstream_garbled", True),
        (streams(sent(begun(), text("x"), {"type": "content_block_delta"})), True, 200, "upstream_garbled", True),
    ],
)
def test_failures_are_told_and_counted(  # noqa: PLR0913
    tmp_path: Path, *, handler: Handler, stream: bool, status: int, code: str, estimated: bool
) -> None:
    response, row, _ = asked(tmp_path, handler, QUESTION | {"stream": stream}, type="anthropic")
    assert (response.status, row.error, row.estimated) == (status, code, estimated)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True, "seed": 1}, "logprobs, seed"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"temperature": 1.5}, "a temperature above 1"),
        ({"response_format": {"type": "json_object"}}, "response_format of this type"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort of this value"),
        ({"tools": [{"type": "web_search"}]}, r"tools\[0\]: a tool that is no function"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice of this kind"),
        ({"messages": [*QUESTION["messages"], {"role": "system", "content": "x"}]}, r"messages\[1\]: a system message"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            r"messages\[0\].content\[0\]: content of type input_audio",
        ),
        ({"messages": [{"role": "user", "content": "x", "name": "Eve"}]}, r"messages\[0\].name"),
        ({"messages": [{"role": "function", "content": "x"}]}, r"messages\[0\]: a message of this role"),
    ],
)
def test_what_the_api_cannot_be_asked_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UnfitError, match=f"^{named}"):
        write_request(QUESTION | change, "m")


def test_a_refusal_says_nothing_against_the_backend_and_nothing_is_sent(tmp_path: Path) -> None:
    response, row, upstream = asked(tmp_path, says(ANSWER), QUESTION | {"n": 2}, type="anthropic")
    assert (response.status, response.error) == (400, "unsupported_by_backend")
    assert upstream.bodies == []
    assert row.tokens_in == 0


@given(requests())
def test_a_request_keeps_its_words_roles_and_tools_there_and_back(chat: dict[str, Any]) -> None:
    back = read_messages(write_request(chat, "m"))
    assert read_conversation(back) == read_conversation(chat)
    assert settled(read_options(back)) == settled(read_options(chat))


def settled(options: Options) -> Options:
    """Return options as the API has them, which says in one place whether tools are used and whether one at a time."""
    if not options.parallel and options.choice is None:
        return replace(options, choice=Choice("auto"))
    return replace(options, parallel=True) if options.choice == Choice("none") else options


def blocks_of(kind: str, said: Any, index: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:  # noqa: ANN401
    """Return a block of content as a whole answer holds it, and the events that stream it."""
    if kind == "text":
        whole, start = {"type": "text", "text": said}, {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": letter} for letter in said]
    elif kind == "thinking":
        whole, start = {"type": "thinking", "thinking": said, "signature": "s"}, {"type": "thinking", "thinking": ""}
        deltas = [{"type": "thinking_delta", "thinking": said}, {"type": "signature_delta", "signature": "s"}]
    else:
        head = {"type": "tool_use", "id": f"c{index}", "name": "cells"}
        whole, start = head | {"input": said}, head | {"input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", orjson.dumps(said).decode())]
    events = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return whole, [{"type": "content_block_start", "index": index, "content_block": start}, *events]


BLOCKS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["text", "thinking"]), WORDS),
        st.tuples(st.just("tool_use"), OBJECTS),
    ),
    min_size=1,
    max_size=4,
)


@given(BLOCKS, st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal"]))
def test_a_stream_says_what_the_whole_answer_says(blocks: list[tuple[str, Any]], reason: str) -> None:
    pairs = [blocks_of(kind, said, index) for index, (kind, said) in enumerate(blocks)]
    stream = _Stream(Pieces(request(), "m"))
    events = [begun(), *(event for _, each in pairs for event in each), *ended(reason)]
    heard = joined([chunk for event in events for chunk in stream.take(event["type"], event)])
    whole = read_message([block for block, _ in pairs])
    whole.pop("thinking_blocks", None)
    if not whole["content"]:
        whole["content"] = heard["message"]["content"] = None
    assert heard["message"] == whole
    assert heard["usage"] == read_usage({"usage": USAGE})
